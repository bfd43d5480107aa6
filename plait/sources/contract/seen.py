"""Seen: what the columns of a file look like, told from a sample of its cells: the first 10,000 rows and the last.

A column is of the narrowest type that nearly all of its filled cells fit. Whole numbers are numbers too, days are
instants too; a column without a filled cell is empty, which says nothing of what it will hold.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from plait.sources import delimited, number
from plait.sources.table import Delimited, JsonLines, Parquet, Sheet, Table, Tally, names_in

FIRST, LAST_BYTES = 10_000, 1 << 20
NEARLY_ALL = 0.95
EMPTY, WHOLE, NUMBER, DAY, INSTANT, YES_NO, TEXT = (
    "empty", "whole number", "number", "day", "instant", "yes or no", "text",
)  # fmt: skip
WIDER = {WHOLE: (NUMBER, TEXT), NUMBER: (TEXT,), DAY: (INSTANT, TEXT), INSTANT: (TEXT,), YES_NO: (TEXT,)}
YEAR_FIRST, DAY_FIRST, MONTH_FIRST, UNSURE = ORDERS = ("year first", "day first", "month first", "day or month first")
_CLOCK = r"(?:[T ]\d{1,2}:\d\d.*)?"
_SHAPES = {
    WHOLE: r"^\s*[+-]?\d{1,18}\s*$",
    DAY: r"^\s*(?:\d{4}([-/.])\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})\s*$",
    INSTANT: r"^\s*(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})[T ]\d{1,2}:\d\d",
    YES_NO: r"(?i)^\s*(?:yes|no|true|false|y|n|t|f)\s*$",
}
_TYPED = ((pa.types.is_integer, WHOLE), (pa.types.is_floating, NUMBER), (pa.types.is_decimal, NUMBER),
          (pa.types.is_date, DAY), (pa.types.is_timestamp, INSTANT), (pa.types.is_boolean, YES_NO))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seen:
    """A column as it was seen: its type, how many cells of the sample are filled and how many of these fit the type.

    `fits` counts the filled cells by every type; `order` says how days are written.
    """

    type: str
    rows: int
    filled: int
    fits: Mapping[str, int] = field(default_factory=dict)
    order: str = ""

    def told(self) -> dict[str, object]:
        """Give it as JSON keeps it."""
        return {"type": self.type, "rows": self.rows, "filled": self.filled, "fits": dict(self.fits),
                "order": self.order}  # fmt: skip

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Seen:
        """Give what `told` has told."""
        return cls(told["type"], told["rows"], told["filled"], told["fits"], told["order"])

    def fit(self, kind: str) -> int:
        """Count the filled cells that fit a type."""
        return self.filled if kind in (TEXT, EMPTY) else self.fits.get(kind, 0)


def names_of(table: Table) -> list[str]:
    """Give the names of a file's columns, in its order; of JSON lines those that the first rows use."""
    if isinstance(table, Delimited):
        return list(table.header.names)
    if isinstance(table, Sheet):
        return list(table.names)
    if isinstance(table, Parquet):
        return list(table.schema.names)
    assert isinstance(table, JsonLines)  # noqa: S101 - there is no fifth
    with table.path.open("rb") as stream:
        return names_in(stream.read(LAST_BYTES))


def look(table: Table, *, decimal: str = ".") -> dict[str, Seen]:
    """Tell what the columns of a file look like."""
    names = names_of(table)
    if isinstance(table, JsonLines):
        cells = _json_cells(table, names)
    elif isinstance(table, Parquet):
        cells = _parquet_cells(table, names)
    else:
        assert isinstance(table, Delimited | Sheet)  # noqa: S101 - there is no fifth
        batches = list(_batches(table, len(names)))
        cells = pa.Table.from_batches(batches).select([f"c{n}" for n in range(len(names))]) if batches else None
    if cells is None:
        return {name: Seen(EMPTY, 0, 0) for name in names}
    return {name: judge(cells.column(n), decimal=decimal) for n, name in enumerate(names)}


def judge(cells: pa.ChunkedArray, *, decimal: str = ".") -> Seen:
    """Tell the type of a column from its cells."""
    for is_such, kind in _TYPED:
        if is_such(cells.type):
            filled = len(cells) - cells.null_count
            return Seen(kind if filled else EMPTY, len(cells), filled, {kind: filled, **_wider(kind, filled)})
    texts = cells if pa.types.is_string(cells.type) else _as_text(cells)
    filled_cells = texts.filter(pc.match_substring_regex(texts, r"[^\s]"))
    filled = len(filled_cells)
    if not filled:
        return Seen(EMPTY, len(cells), 0)
    numeric = rf"^\s*(?:{number.shape(decimal)}|[+-]?\d+(?:\.\d+)?[eE][+-]?\d+)\s*$"
    fits: dict[str, int] = {}
    for kind, shape in ((NUMBER, numeric), (WHOLE, _SHAPES[WHOLE])) if _digit(filled_cells) else ():
        fits[kind] = _count(filled_cells, shape)
    if fits.get(NUMBER, 0) < filled:
        fits[DAY] = _count(filled_cells, _SHAPES[DAY])
        fits[INSTANT] = fits[DAY] + _count(filled_cells, _SHAPES[INSTANT])
        fits[YES_NO] = _count(filled_cells, _SHAPES[YES_NO])
    fits = {kind: count for kind, count in fits.items() if count}
    kind = next((k for k in (WHOLE, NUMBER, DAY, INSTANT, YES_NO) if fits.get(k, 0) >= NEARLY_ALL * filled), TEXT)
    return Seen(kind, len(cells), filled, fits, _order(filled_cells) if kind in (DAY, INSTANT) else "")


def _wider(kind: str, filled: int) -> dict[str, int]:
    return {wider: filled for wider in WIDER.get(kind, ()) if wider != TEXT}


def _as_text(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        return cells.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.chunked_array(
            [pa.array([None if cell is None else str(cell) for cell in cells.to_pylist()], pa.string())]
        )


def _count(cells: pa.ChunkedArray, shape: str) -> int:
    return pc.sum(pc.match_substring_regex(cells, shape)).as_py() or 0


def _digit(cells: pa.ChunkedArray) -> bool:
    return bool(pc.any(pc.match_substring_regex(cells, r"^\s*[-+.,]?\d")).as_py())


def _order(cells: pa.ChunkedArray) -> str:
    """Tell whether days begin with the year, the day or the month; which of the last two may stay open."""
    if _count(cells, r"^\s*\d{4}[-/.]") >= NEARLY_ALL * len(cells):
        return YEAR_FIRST
    first, second = (
        _count(cells, r"^\s*(?:1[3-9]|2\d|3[01])[-/.]"),
        _count(cells, r"^\s*\d{1,2}[-/.](?:1[3-9]|2\d|3[01])[-/.]"),
    )
    if bool(first) == bool(second):
        return UNSURE
    return DAY_FIRST if first else MONTH_FIRST


# -- samples


def _batches(table: Delimited | Sheet, width: int) -> Iterator[pa.RecordBatch]:
    """Read the first rows of a file, and those near its end where they stand apart."""
    if isinstance(table, Sheet):
        yield from table.batches([], whole=True, tally=Tally(lambda _rows: None, lambda _done: None))
        return
    header, columns = table.header, list(range(width))
    seen, place = 0, header.start
    for rows in delimited.read_rows(table.path, header.shape, start=place, line=1, window_size=LAST_BYTES):
        place += rows.consumed
        if rows.lines.size:
            batch = delimited.parse(rows, header.shape, columns=columns)
            yield batch.slice(0, FIRST - seen)
            seen += rows.lines.size
        if seen >= FIRST:
            break
    yield from _last_rows(table, columns, place)


def _last_rows(table: Delimited, columns: Sequence[int], after: int) -> Iterator[pa.RecordBatch]:
    """Read the rows near the end; where a row begins there is a guess, so what does not fit is left out."""
    size = table.path.stat().st_size
    start = max(after, size - LAST_BYTES)
    if start >= size:
        return
    with table.path.open("rb") as stream:
        stream.seek(start)
        tail = stream.read(LAST_BYTES)
    begin = 0 if start == after else tail.find(b"\n") + 1
    shape = table.header.shape
    rows = delimited.scan(tail[begin:], shape, line=1, final=True)
    if rows.lines.size and not rows.broken:
        yield delimited.parse(rows, shape, columns=list(columns)).slice(max(0, int(rows.lines.size) - 1_000))


def _parquet_cells(table: Parquet, names: Sequence[str]) -> pa.Table | None:
    with pyarrow.parquet.ParquetFile(table.path) as file:
        first = next(file.iter_batches(batch_size=FIRST), None)
        if first is None:
            return None
        parts = [pa.Table.from_batches([first])]
        if file.metadata.num_row_groups > 1:
            parts.append(file.read_row_group(file.metadata.num_row_groups - 1).slice(0, 1_000))
    return pa.concat_tables(parts).select(list(names))


def _json_cells(table: JsonLines, names: Sequence[str]) -> pa.Table | None:
    size = table.path.stat().st_size
    with table.path.open("rb") as stream:
        rows = list(_objects(islice(stream, FIRST)))
        if (place := stream.tell()) < size:
            stream.seek(max(place, size - LAST_BYTES))
            stream.readline()
            rows += list(_objects(stream))[-1_000:]
    if not rows:
        return None
    return pa.table({str(n): pa.array([row.get(name) for row in rows], pa.string()) for n, name in enumerate(names)})


def _objects(lines: Iterable[bytes]) -> Iterator[dict[str, str | None]]:
    for line in lines:
        try:
            value = json.loads(line, parse_float=str, parse_int=str)
        except ValueError:  # judged when the rows are read
            continue
        if isinstance(value, dict):
            yield _flat(value, "")


def _flat(value: Mapping[str, Any], prefix: str) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name, inner in value.items():
        if isinstance(inner, dict):
            found |= _flat(inner, f"{prefix}{name}.")
            continue
        text = json.dumps(inner) if isinstance(inner, bool | list) else inner
        found[prefix + name] = text
    return found
