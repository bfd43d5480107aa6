"""Profile: each column of a file in figures - how full, how many different values, of what sort, with examples."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
import pyarrow as pa

from plait import duck
from plait.failure import Said, Unfit
from plait.sources.delimited import BrokenRow
from plait.sources.file import Found, Plain, UnreadableFile, is_data, members, opened, prepare, remove_copy
from plait.sources.folder import names_of
from plait.sources.form import BadMapping, FileMapping
from plait.sources.proposal.sort import EMPTY, ENUM, MOST_CHOICES, WHOLE, YES_NO, Sort, epoch_of, sort_of
from plait.sources.table import Table, Tally, open_table

MOST_ROWS = 200_000  # of a file are looked at; ids and the columns that point at them are read whole
LOOKED_AT = 2_000  # different values by which the sort of a column is told
MOST_COLUMNS = 400
EXAMPLES = 3
NULLS = ("NULL", "null", "\\N", "N/A", "n/a", "#N/A", "NaN", "nan", "-", "--", "(not set)", "(null)")  # mean nothing
AT_ONCE = 50  # columns that are counted in one query


class NothingToMap(Unfit, ValueError):
    """None of the files can be read."""


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """A column in figures; `choices` are its values where they are few, the most frequent first."""

    name: str
    sort: Sort
    filled: int
    distinct: int
    unique: bool
    examples: tuple[str, ...]
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    wide: float = 0.0  # characters of a value, on average


@dataclass(frozen=True, slots=True)
class FileProfile:
    """A file in figures: `rows` were looked at, `whole` says whether those were all."""

    name: str
    format: str
    rows: int
    whole: bool
    columns: tuple[ColumnProfile, ...]
    sheet: str | None = None
    skip: int = 0
    comment: str | None = None
    escape: str | None = None
    told_by: frozenset[str] = frozenset()  # the column names by which a load can recognise it
    nulls: tuple[str, ...] = ()  # how it writes that a cell is empty
    table: str = ""  # its values in the engine, as long as that is open

    def column(self, name: str) -> ColumnProfile | None:
        """Give a column by its name."""
        return next((one for one in self.columns if one.name == name), None)


@dataclass(slots=True)
class Profiles:
    """All files, the ones that cannot be read and why, and the engine that holds their values."""

    files: list[FileProfile] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)


def data_files(paths: Sequence[Path]) -> tuple[Path, list[Path]]:
    """Give the folder that holds all that is named, and the data files in it, sorted."""
    if len(paths) == 1 and paths[0].is_dir():
        folder = paths[0]
        inside = [p for p in sorted(folder.rglob("*")) if p.is_file()]
        return folder, [p for p in inside if _visible(p.relative_to(folder)) and is_data(p.name)]
    files = [p for path in paths for p in ([path] if path.is_file() else sorted(path.rglob("*")))]
    kept = [p for p in dict.fromkeys(files) if p.is_file() and is_data(p.name) and not p.name.startswith(".")]
    parents = [p.resolve().parent for p in kept]
    common = Path(_common(parents)) if parents else Path()
    return common, [p.resolve() for p in kept]


def _visible(path: Path) -> bool:
    return not any(part.startswith(".") for part in path.parts)


def _common(parents: Sequence[Path]) -> str:
    import os.path

    return os.path.commonpath([str(parent) for parent in parents])


def profile_files(folder: Path, files: Sequence[Path], engine: duckdb.DuckDBPyConnection, *, work: Path) -> Profiles:
    """Profile every file; one that cannot be read is told with the reason and does not stop the others."""
    profiles = Profiles()
    work.mkdir(parents=True, exist_ok=True)
    for path in files:
        name = path.relative_to(folder).as_posix()
        try:
            for found in members(name, path, FileMapping((), "", ())):
                profiles.files.append(_profile(found, engine, work, f"file{len(profiles.files)}"))
        except (UnreadableFile, BadMapping) as bad:
            profiles.unreadable.append((name, str(bad)))
    return profiles


def open_engine(work: Path) -> duckdb.DuckDBPyConnection:
    """Open the engine that holds the values while they are looked at."""
    return duck.connect(work / "spill", memory_limit="1500MB")


def _profile(found: Found, engine: duckdb.DuckDBPyConnection, work: Path, table_name: str) -> FileProfile:
    escape = "\\" if found.format == "csv" and _escapes(found) else None
    plain = prepare(_with(found, replace(found.mapping, escape=escape)), work)
    try:
        form = replace(_form(found, plain), escape=escape)
        table = open_table(_with(found, replace(form, columns=("",))), plain, ())  # a name that comes twice may stand
        names = _names(found, table)
        rows, whole = _load(engine, table_name, table, names)
    finally:
        remove_copy(plain)
    nulls = _empty_words(engine, table_name, len(names))
    counted = _counts(engine, table_name, len(names))
    columns = tuple(_column(engine, table_name, n, name, rows, counted[n]) for n, name in enumerate(names))
    told = names_of(_with(found, form)) & set(names) if form.sheet is None else frozenset[str]()
    return FileProfile(
        found.name, found.format, rows, whole, columns, form.sheet, form.skip, form.comment, escape, told, nulls,
        table_name,
    )  # fmt: skip


def _with(found: Found, form: FileMapping) -> Found:
    return Found(found.name, found.path, found.member, form, found.format, found.digest)


def _escapes(found: Found) -> bool:
    """Tell whether quotes in quotes are escaped by a backslash: that stands before one, and none is doubled so."""
    with opened(found) as stream:
        head = stream.read(1 << 16)
    inside = re.findall(rb'[^,;\t|\r\n]\\"[^,;\t|\r\n]', head)
    return len(inside) > 1 and b'\\""' not in head


def _form(found: Found, plain: Plain) -> FileMapping:
    """Tell how a file is to be read: lines above its header, comments, the sheet with the most rows."""
    if found.format == "xlsx":
        return FileMapping((), "", (), sheet=_fullest_sheet(plain.path))
    if found.format != "csv":
        return FileMapping((), "", ())
    with plain.path.open("rb") as stream:
        lines = [line.decode("utf-8", "replace").strip("\ufeff\r\n") for line in stream.read(1 << 16).splitlines()[:40]]
    comment = "#" if lines and lines[0].startswith("#") else None
    shown = [line for line in lines if line.strip() and not (comment and line.startswith(comment))]
    mark = max(",;\t|", key=lambda m: sum(line.count(m) for line in shown))
    counts = [line.count(mark) for line in lines]
    most = max(counts, default=0)
    if comment or most == 0 or '"' in "".join(lines[:3]):
        return FileMapping((), "", (), comment=comment)
    first = next(n for n, count in enumerate(counts) if count >= max(1, most // 2 + most % 2))
    title = 0 < first < len(lines) - 1 and all(count <= most // 4 for count in counts[:first])
    return FileMapping((), "", (), skip=first if title and lines[0][:4] != "sep=" else 0)


def _fullest_sheet(path: Path) -> str | None:
    """Give the sheet with the most cells where there are several; None where the only one needs no name."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(str(path))
        sheets = book.sheet_names
        if len(sheets) < 2:  # noqa: PLR2004 - nothing to choose
            return None
        return max(sheets, key=lambda name: book.get_sheet_by_name(name).total_height)
    except (CalamineError, OSError):
        return None


def _names(found: Found, table: Table) -> list[str]:
    if hasattr(table, "header"):
        names = list(table.header.names)
    elif hasattr(table, "schema"):
        names = list(table.schema.names)
    elif hasattr(table, "names"):
        names = list(table.names)
    else:
        names = sorted(_json_leaves(names_of(found)))
    if len(names) > MOST_COLUMNS:
        names = names[:MOST_COLUMNS]
    twice = {name for name in names if f"{name} (2)" in names}  # which of the two nobody can say
    told = [name for name in names if name not in twice and name.rpartition(" (")[0] not in twice]
    return [name for name in told if name and "{" not in name and "}" not in name]


def _json_leaves(names: frozenset[str]) -> Iterator[str]:
    """Give the names that hold values: an object that holds others is none."""
    return (name for name in names if not any(other.startswith(f"{name}.") for other in names))


def _load(engine: duckdb.DuckDBPyConnection, name: str, table: Table, columns: Sequence[str]) -> tuple[int, bool]:
    """Read the rows, the first `MOST_ROWS` of a large file; gives their number, and whether those are all."""
    broken: list[BrokenRow] = []
    tally = Tally(broken.extend, lambda _done: None)
    reader = table.batches(columns, whole=False, tally=tally)
    cut = False

    def some() -> Iterator[pa.RecordBatch]:
        nonlocal cut
        seen = 0
        for batch in reader:
            if seen + batch.num_rows > MOST_ROWS:
                cut = True
                yield batch.slice(0, MOST_ROWS - seen)
                return
            seen += batch.num_rows
            yield batch

    engine.register("raw", pa.RecordBatchReader.from_batches(reader.schema, some()))
    cells = ", ".join(
        f"case when trim(x{n}, ' \t\r\n' || chr(160)) <> '' then x{n} end as x{n}" for n in range(len(columns))
    )
    engine.execute(
        f"create table {name} as select line{', ' if cells else ''}{cells} from ({table.query(columns, whole=False)}) "
        "where shaped"
    )
    engine.unregister("raw")
    (rows,) = engine.execute(f"select count(*) from {name}").fetchall()[0]
    if not columns:
        raise UnreadableFile(table.file, "has no named column: write names into its first line")  # type: ignore[attr-defined]
    return rows, not cut


def _empty_words(engine: duckdb.DuckDBPyConnection, table: str, width: int) -> tuple[str, ...]:
    """Take out the words by which a file says that a cell is empty, and give them."""
    found: set[str] = set()
    for first in range(0, width, AT_ONCE):
        cells = ", ".join(f"x{n}" for n in range(first, min(width, first + AT_ONCE)))
        rows = engine.execute(
            f"select distinct trim(word) from "
            f"(select unnest([{cells}]) as word from {table} limit {AT_ONCE * LOOKED_AT}) "
            f"where trim(word) in ({duck.literals(NULLS)})"
        ).fetchall()
        found.update(row[0] for row in rows)
    if found:
        nothing = duck.literals(sorted(found))
        cells = ", ".join(f"case when trim(x{n}) not in ({nothing}) then x{n} end as x{n}" for n in range(width))
        engine.execute(f"create or replace table {table} as select line, {cells} from {table}")
    return tuple(sorted(found))


def _counts(engine: duckdb.DuckDBPyConnection, table: str, width: int) -> list[tuple[int, int, float]]:
    """Count for each column the filled cells, the different ones, and their characters on average."""
    found: list[tuple[int, int, float]] = []
    for first in range(0, width, AT_ONCE):
        cells = [f"x{n}" for n in range(first, min(width, first + AT_ONCE))]
        asked = ", ".join(f"count({x}), count(distinct {x}), coalesce(avg(length({x})), 0)" for x in cells)
        row = engine.execute(f"select {asked} from {table}").fetchall()[0]
        found += [(row[k], row[k + 1], float(row[k + 2])) for k in range(0, len(row), 3)]
    return found


def _column(
    engine: duckdb.DuckDBPyConnection, table: str, n: int, name: str, rows: int, counted: tuple[int, int, float]
) -> ColumnProfile:  # fmt: skip
    cell, (filled, distinct, wide) = f"x{n}", counted
    if not filled:
        return ColumnProfile(name, Sort(EMPTY), 0, 0, unique=False, examples=())
    values = [
        row[0]
        for row in engine.execute(
            f"select {cell} from {table} where {cell} is not null group by {cell} "
            f"order by count(*) desc, {cell} limit {LOOKED_AT}"
        ).fetchall()
    ]
    sort = sort_of(values, distinct=distinct, filled=filled, parses=_Formats(engine, table, cell).parses)
    low = high = None
    if sort.name == WHOLE:
        low, high = engine.execute(
            f"select min(try_cast({cell} as double)), max(try_cast({cell} as double)) from {table}"
        ).fetchall()[0]
        if low is not None and (form := epoch_of(low, high)) and _counts_time(name):
            sort = Sort("time", (form,), zoned=True, timed=True)
    few = sort.name in (ENUM, YES_NO) or distinct <= MOST_CHOICES
    return ColumnProfile(
        name, sort, filled, distinct, filled > 0 and distinct == filled == rows, tuple(values[:EXAMPLES]),
        tuple(values[:MOST_CHOICES]) if few else (), low, high, wide,
    )  # fmt: skip


def _counts_time(name: str) -> bool:
    from plait.sources.proposal.vocabulary import meaning

    means = meaning(name)
    return (
        bool(means & {"time", "created", "closed", "updated", "start", "end", "resolved", "paid"}) or "id" not in means
    )


class _Formats:
    """Tries formats of times on the values of a column, each format once for all values."""

    def __init__(self, engine: duckdb.DuckDBPyConnection, table: str, cell: str) -> None:
        self.engine, self.table, self.cell = engine, table, cell
        self.read: dict[str, frozenset[str]] = {}

    def parses(self, form: str, value: str) -> bool:
        """Tell whether a format reads a value."""
        if form not in self.read:
            try:
                rows = self.engine.execute(
                    f"select distinct trim({self.cell}) from {self.table} "
                    f"where try_strptime(trim({self.cell}), {duck.literal(form)}) is not null"
                ).fetchall()
            except duckdb.Error:
                rows = []
            self.read[form] = frozenset(row[0] for row in rows)
        return value in self.read[form]


def unreadable_all(unreadable: Sequence[tuple[str, str]]) -> NothingToMap:
    """Say that there is nothing to map, with the reasons."""
    if not unreadable:
        return NothingToMap(Said("no data file is named: name CSV, JSON lines, Parquet or XLSX files, or their folder"))
    return NothingToMap(Said("no file can be read:\n{problems}", problems="\n".join(why for _, why in unreadable)))
