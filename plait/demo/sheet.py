"""Sheets: how columns become the files that an outside tool would have written, and the book of what was written."""

import codecs
import gzip
import io
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Column: TypeAlias = pa.StringArray  # null is an empty cell
Columns = dict[str, Column]

pc: Any = pyarrow.compute  # its stubs know no mix of texts and columns
NEVER = np.iinfo(np.int64).min  # an instant that does not come
WEEK = timedelta(days=7)
OLDEST, NEWEST = 2000, 2050  # the years whose clock changes are known to `local`
ZIPPED_AT = (2026, 7, 1, 0, 0, 0)  # a fixed day inside archives, so that the same seed gives the same bytes


@dataclass(frozen=True, slots=True)
class Bad:
    """A row spoiled on purpose: the first row again with some cells changed, and the rule it must break."""

    rule: str
    field: str
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a tool writes its tables: delimiter, encoding, columns in quotes, lines above the header."""

    delimiter: str = ","
    encoding: str = "utf-8"
    quoted: tuple[str, ...] = ()
    preamble: tuple[str, ...] = ()
    newline: str = "\n"


@dataclass(slots=True)
class Book:
    """What was written: rows, refusals and repeats by file, distinct valid facts by source and kind.

    `notes` counts faults that no rule refuses, by name.
    """

    folder: Path
    rows: Counter[str] = field(default_factory=Counter)
    repeated: Counter[str] = field(default_factory=Counter)
    refused: list[dict[str, str]] = field(default_factory=list)
    facts: dict[str, Counter[str]] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)

    def count(self, source: str, facts: Mapping[str, int]) -> None:
        """Count distinct valid facts of a source by kind."""
        self.facts.setdefault(source, Counter()).update({kind: int(number) for kind, number in facts.items()})

    def table(
        self,
        file: str,
        columns: Columns,
        layout: Layout | None = None,
        *,
        bad: Sequence[Bad] = (),
        repeat: Ints | None = None,
    ) -> None:
        """Write a delimited file; `repeat` names rows that stand in it twice."""
        layout = layout or Layout()
        bad = bad if len(next(iter(columns.values()))) else ()  # nothing to spoil
        header = layout.delimiter.join(columns)
        first = {name: column[0].as_py() or "" for name, column in columns.items()} if bad else {}
        spoiled = [layout.delimiter.join((first | dict(row.cells))[name] for name in columns) for row in bad]
        lines = delimited(columns, layout)
        self.lines(file, self.mess(file, lines, spoiled, bad, repeat), (*layout.preamble, header), layout)

    def mess(
        self, file: str, lines: Column, spoiled: list[str], bad: Sequence[Bad], repeat: Ints | None = None
    ) -> Column:
        """Give the lines with their repeats at the end and the spoiled lines spread among them."""
        for row in bad:
            self.refused.append({"file": inner(file), "field": row.field, "rule": row.rule})
        if repeat is not None and len(repeat):
            self.repeated[inner(file)] += len(repeat)
            lines = pa.concat_arrays([lines, lines.take(_places(repeat))])
        for number, line in enumerate(spoiled):
            place = min(len(lines), 7 + 11 * number)
            lines = pa.concat_arrays([lines[:place], pa.array([line]), lines[place:]])
        return lines

    def lines(self, file: str, lines: Column, above: Sequence[str] = (), layout: Layout | None = None) -> None:
        """Write lines, packed as the name of the file says (`.gz`, `.zip`), the same bytes for the same lines."""
        layout = layout or Layout()
        self.rows[inner(file)] += len(lines)
        encode = codecs.getincrementalencoder(layout.encoding)().encode  # one byte-order mark a file, not one a chunk
        parts = (pa.array([*above], pa.string()), *_parts(lines))
        chunks = (encode(layout.newline.join([*_cells(part), ""])) for part in parts if len(part))
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(zipfile.ZipInfo(path.stem, ZIPPED_AT), b"".join(chunks), zipfile.ZIP_DEFLATED)
            return
        with path.open("wb") as plain:
            if path.suffix == ".gz":
                with gzip.GzipFile(filename="", mode="wb", compresslevel=4, fileobj=plain, mtime=0) as packed:
                    _write(packed, chunks)
            else:
                _write(plain, chunks)


def inner(file: str) -> str:
    """Give the name of the table in a file: that of the member where the file is an archive."""
    return f"{file}/{Path(file).stem}" if file.endswith(".zip") else file


def _write(stream: io.BufferedIOBase, chunks: Iterable[bytes]) -> None:
    stream.writelines(chunks)


def _cells(column: Column) -> list[Any]:
    cells: list[Any] = column.to_pylist()
    return cells


def _parts(lines: Column, size: int = 100_000) -> Iterable[Column]:
    return (lines[start : start + size] for start in range(0, len(lines), size))


def delimited(columns: Columns, layout: Layout) -> Column:
    """Give one line a row; cells of quoted columns stand in quotes, empty ones too, as many tools write them."""
    cells = []
    for name, column in columns.items():
        filled = pc.fill_null(column, "")
        cells.append(joined('"', pc.replace_substring(filled, '"', '""'), '"') if name in layout.quoted else filled)
    lines: Column = pc.binary_join_element_wise(*cells, layout.delimiter)
    return lines


def json_lines(columns: Columns, numbers: Sequence[str] = ()) -> Column:
    """Give one JSON object a row; null cells are written as null; text must need no escape."""
    parts: list[Column | str] = []
    for position, (name, column) in enumerate(columns.items()):
        value = column if name in numbers else joined('"', column, '"')
        parts += [f'{"{" if position == 0 else ","}"{name}":', pc.fill_null(value, "null")]
    return joined(*parts, "}")


def joined(*parts: Column | str) -> Column:
    """Put texts and columns side by side; a row with an empty part is empty."""
    column: Column = pc.binary_join_element_wise(*parts, "")
    return column


def text(values: Iterable[str | None]) -> Column:
    """Give a column of text."""
    return pa.array(list(values), pa.string())


def pick(names: Sequence[str | None] | Column, index: Ints) -> Column:
    """Give each row the name its index stands for; an index below 0 leaves the cell empty."""
    listed = names if isinstance(names, pa.Array) else text(names)
    return listed.take(_places(index))


def _places(index: Ints) -> Any:  # noqa: ANN401 - its stubs know no empty places
    return pa.array(index, mask=index < 0)


def constant(value: str, rows: int) -> Column:
    """Give the same text in each row."""
    return pa.repeat(pa.scalar(value), rows)


def digits(values: Ints) -> Column:
    """Give whole numbers as text."""
    column: Column = pc.cast(pa.array(values), pa.string())
    return column


def money(minor: Ints, scale: Ints | int = 100) -> Column:
    """Give amounts in minor units as text with a decimal point; `scale` 1 is a currency without minor units."""
    whole = digits(minor // np.asarray(scale))
    cents = pc.utf8_lpad(digits(minor % 100), 2, "0")
    whole_units = pa.array(np.broadcast_to(np.asarray(scale) == 1, minor.shape))
    column: Column = pc.if_else(whole_units, whole, joined(whole, ".", cents))
    return column


def german(amounts: Column) -> Column:
    """Write amounts the German way: `1.234,50`."""
    return text(
        None if amount is None else _grouped(amount).translate(str.maketrans(",.", ".,"))
        for amount in amounts.to_pylist()
    )


def _grouped(amount: str) -> str:
    whole, point, cents = amount.partition(".")
    return f"{int(whole):,}{point}{cents}"


def when(instants: Ints, pattern: str = "%Y-%m-%dT%H:%M:%SZ", zone: str = "UTC") -> Column:
    """Write instants (seconds since 1970, UTC) as the clock of a zone shows them; NEVER leaves the cell empty."""
    never = instants == NEVER
    wall = np.where(never, 0, local(np.where(never, 0, instants), zone))
    column: Column = pc.strftime(pa.array(wall, pa.timestamp("s"), mask=never), format=pattern)
    return column


def local(instants: Ints, zone: str) -> Ints:
    """Give the wall clock of a zone, as seconds since 1970 of a clock without zone."""
    changes, offsets = _clock(zone)
    return instants + offsets[np.searchsorted(changes, instants, side="right") - 1]


@cache
def _clock(zone: str) -> tuple[Ints, Ints]:
    """Give the instants at which a zone's clock changes, and its offset from UTC from each on, in seconds."""
    place, day = ZoneInfo(zone), datetime(OLDEST, 1, 1, tzinfo=UTC)
    changes, offsets = [np.iinfo(np.int64).min], [_offset(day, place)]
    while day.year < NEWEST:
        if _offset(day + WEEK, place) != offsets[-1]:
            hours = (day + timedelta(hours=hour) for hour in range(1, 7 * 24 + 1))
            change = next(hour for hour in hours if _offset(hour, place) != offsets[-1])
            changes.append(int(change.timestamp()))
            offsets.append(_offset(change, place))
        day += WEEK
    return np.array(changes, dtype=np.int64), np.array(offsets, dtype=np.int64)


def _offset(instant: datetime, zone: ZoneInfo) -> int:
    offset = instant.astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0
