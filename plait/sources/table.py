"""Tables: the formats that plait reads, each as Arrow batches and the SQL that makes text cells of them.

Every table gives a relation named `raw` with `line`, and a query over it whose columns are `line`, one text column
`x0`, `x1` ... for each name asked for, `shaped` (false where the row is no row of this format) and, when asked for,
the whole row as JSON text.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet

from plait.duck import literal
from plait.facts import nearest
from plait.failure import Said
from plait.sources import delimited
from plait.sources.delimited import BrokenRow, Positions
from plait.sources.file import Found, Plain, UnreadableFile, check_expansion
from plait.sources.form import BadMapping

JSON_WINDOW = 4 << 20
SHEET_ROWS = 10_000
_LF, _QUOTE, _BACKSLASH = 10, 34, 92


@dataclass(slots=True)
class Tally:
    """What one reading of a table saw: rows handed to the engine, and what to do with rows that have no shape.

    Where `lines`, in order, are named, rows of others are counted and need not be handed on.
    """

    on_broken: Callable[[list[BrokenRow]], None]
    on_progress: Callable[[int], None]
    rows: int = 0
    lines: Positions | None = None

    def passes(self, first: int, last: int) -> bool:
        """Tell whether none of the lines from the first to the last is asked for."""
        if self.lines is None:
            return False
        return bool(np.searchsorted(self.lines, first) == np.searchsorted(self.lines, last, side="right"))


class Table(Protocol):
    """A file as rows of text cells."""

    @property
    def exponents(self) -> bool:
        """Tell whether numbers may come as 1e-05: the format has numbers of its own and writes them so."""

    def check(self, needed: Sequence[str]) -> None:
        """Raise where the file lacks a column that the mapping names."""

    def has(self, name: str) -> bool:
        """Tell whether a column may be asked for: there, or of a format that may leave it out."""

    def batches(self, columns: Sequence[str], *, whole: bool, tally: Tally) -> pa.RecordBatchReader:
        """Read the file once; `whole` asks for the columns that make up the text of the row, too."""

    def query(self, columns: Sequence[str], *, whole: bool) -> str:
        """Give the query over `raw`."""


def open_table(found: Found, plain: Plain, needed: Sequence[str]) -> Table:
    """Open a prepared file, and check that it has the columns that the mapping cannot do without."""
    table: Table
    if found.format == "csv":
        table = Delimited.open(found, plain, needed)
    elif found.format == "jsonl":
        table = JsonLines(found.name, plain.path)
    elif found.format == "parquet":
        table = Parquet.open(found, plain)
    else:
        table = Sheet.open(found, plain)
    table.check(needed)
    return table


def check_columns(file: str, has: Sequence[str], needed: Sequence[str]) -> None:
    """Raise where a file lacks columns, naming those that it has, or has one twice."""
    counts = Counter(has)
    twice = sorted(name for name in counts if counts[name] > 1)
    if twice:
        raise UnreadableFile(
            file, "has more than one column named {names}: rename them, so that each name is one column",
            names=", ".join(twice),
        )  # fmt: skip
    if missing := [name for name in dict.fromkeys(needed) if name not in has]:
        raise BadMapping(file, [_lacks(name, has) for name in missing])


def _lacks(name: str, has: Sequence[str]) -> Said:
    hint = nearest(name, list(has))
    return Said(
        "the mapping names column {name!r}; {hint}the file has: {has}", name=name, hint=hint, has=", ".join(has)
    )


def _told_apart(names: Sequence[str], read: Collection[str]) -> tuple[str, ...]:
    """Tell columns of one name apart where nobody reads them: some tools export one twice, and rows are kept."""
    seen: Counter[str] = Counter()
    apart = []
    for name in names:
        seen[name] += 1
        apart.append(f"{name} ({seen[name]})" if seen[name] > 1 and name not in read else name)
    return tuple(apart)


def _schema(fields: Sequence[tuple[str, pa.DataType]]) -> pa.Schema:
    return pa.schema([pa.field("line", pa.int64()), *(pa.field(name, kind) for name, kind in fields)])


def _row_sql(names: Sequence[str]) -> str:
    pairs = ", ".join(f"{literal(name)}, c{n}" for n, name in enumerate(names))
    return f", json_object({pairs})::varchar as row"


@dataclass(frozen=True, slots=True)
class Delimited:
    """CSV and its kin."""

    file: str
    path: Path
    header: delimited.Header
    exponents: bool = False

    @classmethod
    def open(cls, found: Found, plain: Plain, needed: Sequence[str]) -> Delimited:
        """Read the header of a file."""
        header = delimited.read_header(
            plain.path,
            skip=found.mapping.skip,
            delimiter=found.mapping.delimiter,
            needed=needed,
            comment=found.mapping.comment,
        )
        if header is None:
            raise UnreadableFile(found.name, "has no header: not one line is filled after those to be skipped")
        if found.mapping.columns:
            header = replace(header, names=_told_apart(header.names, {*found.mapping.named(), *needed}))
        return cls(found.name, plain.path, header)

    def check(self, needed: Sequence[str]) -> None:
        """Raise where the header lacks a column or has it twice."""
        check_columns(self.file, self.header.names, needed)

    def has(self, name: str) -> bool:
        """Tell whether the file has a column of this name."""
        return name in self.header.names

    def batches(self, columns: Sequence[str], *, whole: bool, tally: Tally) -> pa.RecordBatchReader:
        """Read the rows, in the order of the file."""
        names = self.header.names
        # A file of which nothing is asked still has rows: one column carries them.
        wanted = list(range(len(names))) if whole else sorted({names.index(name) for name in columns} or {0})
        schema = _schema([(f"c{n}", pa.string()) for n in wanted])
        return pa.RecordBatchReader.from_batches(schema, self._read(wanted, tally))

    def _read(self, wanted: Sequence[int], tally: Tally) -> Iterator[pa.RecordBatch]:
        header = self.header
        done = header.start
        for rows in delimited.read_rows(self.path, header.shape, start=header.start, line=header.line):
            if rows.broken:
                tally.on_broken(rows.broken)
            if rows.lines.size:
                tally.rows += rows.lines.size
                if not tally.passes(int(rows.lines[0]), int(rows.lines[-1])):
                    yield delimited.parse(rows, header.shape, columns=wanted)
            done += rows.consumed
            tally.on_progress(done)

    def query(self, columns: Sequence[str], *, whole: bool) -> str:
        """Give the query over `raw`."""
        names = self.header.names
        cells = "".join(f", c{names.index(name)} as x{n}" for n, name in enumerate(columns))
        return f"select line, true as shaped{cells}{_row_sql(names) if whole else ''} from raw"


@dataclass(frozen=True, slots=True)
class JsonLines:
    """One JSON object a line; nested objects are reached with dots, numbers keep the digits as written."""

    file: str
    path: Path
    exponents: bool = True

    def check(self, needed: Sequence[str]) -> None:
        """Raise where a name occurs nowhere in the file: fields may be left out of rows, but not misspelt."""
        with self.path.open("rb") as stream:
            head = stream.read(JSON_WINDOW)
        seen = names_in(head)
        missing = [name for name in needed if name not in seen and not self._holds(name.rsplit(".", 1)[-1])]
        check_columns(
            self.file, [*seen, *(name for name in needed if name not in seen and name not in missing)], needed
        )

    def has(self, name: str) -> bool:  # noqa: ARG002 - any row may have it
        """Tell that a name may be asked for: rows leave out what they do not have."""
        return True

    def _holds(self, name: str) -> bool:
        mark = json.dumps(name, ensure_ascii=False).encode()
        kept = b""
        with self.path.open("rb") as stream:
            while chunk := stream.read(JSON_WINDOW):
                if mark in kept + chunk:
                    return True
                kept = chunk[-len(mark) :]
        return False

    def batches(self, columns: Sequence[str], *, whole: bool, tally: Tally) -> pa.RecordBatchReader:  # noqa: ARG002 - a row is one text
        """Read the lines, with numbers in quotes (and as they are, for the text of the row)."""
        schema = _schema([("j", pa.string()), *([("row", pa.string())] if whole else [])])
        return pa.RecordBatchReader.from_batches(schema, self._read(schema, tally))

    def _read(self, schema: pa.Schema, tally: Tally) -> Iterator[pa.RecordBatch]:
        line, done, pending = 1, 0, b""
        with self.path.open("rb") as stream:
            if stream.read(3) != b"\xef\xbb\xbf":
                stream.seek(0)
            while True:
                chunk = stream.read(JSON_WINDOW)
                window = pending + chunk if chunk or not pending or pending.endswith(b"\n") else pending + b"\n"
                cut = window.rfind(b"\n") + 1
                if cut:
                    batch = _json_batch(window[:cut], line, schema)
                    tally.rows += batch.num_rows
                    yield batch
                    line += window.count(b"\n", 0, cut)
                pending = window[cut:]
                done += cut
                tally.on_progress(done)
                if not chunk:
                    return

    def query(self, columns: Sequence[str], *, whole: bool) -> str:
        """Give the query over `raw`; the line is parsed once for all columns."""
        paths: list[str] = []
        cells = ""
        for n, name in enumerate(columns):
            own = [_path([name]), *([_path(name.split("."))] if "." in name else [])]
            spots = [f"x[{len(paths) + k + 1}]" for k in range(len(own))]
            paths += own
            cells += f", coalesce({', '.join(spots)}) as x{n}"
        listed = ", ".join(map(literal, paths or ["$"]))
        row = ", row" if whole else ""
        return (
            f"select line, x is not null as shaped{cells}{row} from "
            f"(select line, try(json_extract_string(j, [{listed}])) as x{row} from raw)"
        )


def _path(names: Sequence[str]) -> str:
    return "$" + "".join('."' + name.replace('"', '\\"') + '"' for name in names)


def names_in(head: bytes) -> list[str]:
    """Give the names, nested ones with dots, that the first thousand lines use."""
    names: dict[str, None] = {}

    def walk(value: object, prefix: str) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                names[prefix + name] = None
                walk(inner, f"{prefix}{name}.")

    for text in head.splitlines()[:1000]:
        try:
            walk(json.loads(text), "")
        except ValueError:  # judged when the rows are read
            continue
    return list(names)


def _json_batch(window: bytes, line: int, schema: pa.Schema) -> pa.RecordBatch:
    lines, texts = _lines(quote_numbers(window))
    columns: list[pa.Array[Any]] = [pa.array(lines + line), texts]
    if "row" in schema.names:
        columns.append(_lines(window)[1])
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _lines(window: bytes) -> tuple[npt.NDArray[np.int64], pa.StringArray]:
    """Cut a window into its lines, without copying; blank lines are no rows."""
    data = np.frombuffer(window, dtype=np.uint8)
    ends = np.flatnonzero(data == _LF) + 1
    offsets = np.concatenate((np.zeros(1, np.int64), ends)).astype(np.int32)
    texts = pa.StringArray.from_buffers(ends.size, pa.py_buffer(offsets.tobytes()), pa.py_buffer(window))
    lengths, first = np.diff(offsets), data[offsets[:-1]]
    filled = np.flatnonzero((lengths > 2) | ((lengths == 2) & ~np.isin(first, (13, 32))))  # noqa: PLR2004 - CR LF
    return filled, texts if filled.size == ends.size else texts.take(filled)


def quote_numbers(window: bytes) -> bytes:
    """Put every JSON number into quotes, so that the engine keeps its digits: 1.10 stays 1.10, and no id is rounded."""
    data = np.frombuffer(window, dtype=np.uint8)
    quotes = np.flatnonzero(data == _QUOTE)
    if b"\\" in window:
        quotes = quotes[_backslashes_before(data, quotes) % 2 == 0]
    marks = np.zeros(data.size, dtype=np.int32)
    marks[quotes] = 1
    inside = np.cumsum(marks, dtype=np.int32)
    ends = np.flatnonzero(data == _LF)  # a string ends with its line: a broken line does not spoil the next
    lengths = np.diff(np.concatenate(([-1], ends)))
    inside -= np.repeat(np.concatenate(([0], inside[ends[:-1]])).astype(np.int32), lengths)
    in_number = _NUMBER_BYTES[data] & (inside % 2 == 0)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], in_number, [False])).view(np.int8)))
    starts, stops = edges[0::2], edges[1::2]
    real = (data[starts] == ord("-")) | ((data[starts] >= ord("0")) & (data[starts] <= ord("9")))  # not the e of true
    return np.insert(data, np.concatenate((starts[real], stops[real])), _QUOTE).tobytes()


_NUMBER_BYTES = np.isin(np.arange(256), np.frombuffer(b"0123456789+-.eE", dtype=np.uint8))


def _backslashes_before(data: npt.NDArray[np.uint8], positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    other = np.where(data != _BACKSLASH, np.arange(data.size), -1)
    last_other = np.concatenate(([-1], np.maximum.accumulate(other)))
    return positions - 1 - last_other[positions]


@dataclass(frozen=True, slots=True)
class Parquet:
    """Parquet: typed columns, written as text without loss."""

    file: str
    path: Path
    schema: pa.Schema
    exponents: bool = True

    @classmethod
    def open(cls, found: Found, plain: Plain) -> Parquet:
        """Read the schema of a file."""
        try:
            return cls(found.name, plain.path, pyarrow.parquet.read_schema(plain.path))
        except (pa.ArrowInvalid, OSError) as error:
            raise UnreadableFile(
                found.name, "is no whole Parquet file ({error}): fetch it again", error=str(error)
            ) from error

    def check(self, needed: Sequence[str]) -> None:
        """Raise where the schema lacks a column."""
        check_columns(self.file, self.schema.names, needed)

    def has(self, name: str) -> bool:
        """Tell whether the file has a column of this name."""
        return name in self.schema.names

    def batches(self, columns: Sequence[str], *, whole: bool, tally: Tally) -> pa.RecordBatchReader:
        """Read the rows, in the order of the file; the line is the number of the row."""
        names = self.schema.names
        wanted = list(range(len(names))) if whole else sorted({names.index(name) for name in columns} or {0})
        schema = _schema([(f"c{n}", self.schema.field(n).type) for n in wanted])
        return pa.RecordBatchReader.from_batches(schema, self._read(wanted, schema, tally))

    def _read(self, wanted: Sequence[int], schema: pa.Schema, tally: Tally) -> Iterator[pa.RecordBatch]:
        names = [self.schema.names[n] for n in wanted]
        with pyarrow.parquet.ParquetFile(self.path) as file:
            for batch in file.iter_batches(columns=names, batch_size=65_536):
                lines = pa.array(np.arange(tally.rows + 1, tally.rows + 1 + batch.num_rows))
                tally.rows += batch.num_rows
                yield pa.RecordBatch.from_arrays([lines, *(batch.column(name) for name in names)], schema=schema)
                tally.on_progress(self.path.stat().st_size * tally.rows // max(file.metadata.num_rows, 1))

    def query(self, columns: Sequence[str], *, whole: bool) -> str:
        """Give the query over `raw`."""
        names = self.schema.names
        cells = "".join(f", cast(c{names.index(name)} as varchar) as x{n}" for n, name in enumerate(columns))
        return f"select line, true as shaped{cells}{_row_sql(names) if whole else ''} from raw"


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet of an XLSX workbook: dates come as dates, whole numbers without a point, text as text."""

    file: str
    path: Path
    sheet: str
    names: tuple[str, ...]
    first: int  # index of the first row of data
    exponents: bool = True

    @classmethod
    def open(cls, found: Found, plain: Plain) -> Sheet:
        """Choose the sheet and read its header."""
        import zipfile

        from python_calamine import CalamineError, CalamineWorkbook

        try:
            with zipfile.ZipFile(plain.path) as archive:
                check_expansion(found.name, sum(i.file_size for i in archive.infolist()), plain.path.stat().st_size)
            sheets = CalamineWorkbook.from_path(str(plain.path)).sheet_names
        except (CalamineError, zipfile.BadZipFile) as error:
            raise UnreadableFile(
                found.name, "is no sound XLSX workbook ({error}): save it again", error=str(error)
            ) from error
        sheet = found.mapping.sheet or (sheets[0] if len(sheets) == 1 else None)
        if sheet is None or sheet not in sheets:
            known = ", ".join(sheets)
            if sheet:
                raise UnreadableFile(
                    found.name, "has no sheet {sheet!r}; its sheets: {known}", sheet=sheet, known=known
                )
            raise UnreadableFile(
                found.name, "has several sheets: write sheet = one of them into the [[file]]; its sheets: {known}",
                known=known,
            )  # fmt: skip
        rows = _cells(plain.path, sheet)
        filled = [n for n, row in enumerate(rows) if n >= found.mapping.skip and any(row)]
        if not filled:
            raise UnreadableFile(found.name, "sheet {sheet!r} is empty: not even a header", sheet=sheet)
        names = tuple((text or "").strip() or f"column {n}" for n, text in enumerate(rows[filled[0]], 1))
        return cls(found.name, plain.path, sheet, names, filled[0] + 1)

    def check(self, needed: Sequence[str]) -> None:
        """Raise where the header lacks a column or has it twice."""
        check_columns(self.file, self.names, needed)

    def has(self, name: str) -> bool:
        """Tell whether the file has a column of this name."""
        return name in self.names

    def batches(self, columns: Sequence[str], *, whole: bool, tally: Tally) -> pa.RecordBatchReader:  # noqa: ARG002 - a sheet is small
        """Read the filled rows; the line is the row number of the spreadsheet."""
        schema = _schema([(f"c{n}", pa.string()) for n in range(len(self.names))])
        return pa.RecordBatchReader.from_batches(schema, self._read(schema, tally))

    def _read(self, schema: pa.Schema, tally: Tally) -> Iterator[pa.RecordBatch]:
        rows = _cells(self.path, self.sheet)
        filled = [(n + 1, row) for n, row in enumerate(rows) if n >= self.first and any(row)]
        for start in range(0, len(filled), SHEET_ROWS):
            part = filled[start : start + SHEET_ROWS]
            cells = [pa.array([row[n] for _, row in part], pa.string()) for n in range(len(self.names))]
            tally.rows += len(part)
            yield pa.RecordBatch.from_arrays([pa.array([n for n, _ in part], pa.int64()), *cells], schema=schema)
        tally.on_progress(self.path.stat().st_size)

    def query(self, columns: Sequence[str], *, whole: bool) -> str:
        """Give the query over `raw`."""
        cells = "".join(f", c{self.names.index(name)} as x{n}" for n, name in enumerate(columns))
        return f"select line, true as shaped{cells}{_row_sql(self.names) if whole else ''} from raw"


def _cells(path: Path, sheet: str) -> list[list[str | None]]:
    from python_calamine import CalamineWorkbook

    rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_name(sheet).to_python(skip_empty_area=False)
    return [[_cell_text(cell) for cell in row] for row in rows]


def _cell_text(cell: object) -> str | None:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(" ")
    if isinstance(cell, date | time):
        return cell.isoformat()
    text = str(cell)
    return None if re.fullmatch(r"\s*", text) else text
