"""A file as people have it (CSV, TSV, columns apart by blanks, Parquet) as columns of texts, in its own order."""

from __future__ import annotations

import csv
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np

from plait.cli.plainly import Misuse, Refusal
from plait.duck import connect, identifier, literal

if TYPE_CHECKING:
    import pyarrow as pa

    from plait.stats.clv.special import Array

SEPARATORS = (",", ";", "\t", "|")
FIRST_LINE = 1_000_000  # bytes


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """A file as the engine sees it: a table `lines` of texts."""

    engine: duckdb.DuckDBPyConnection
    path: Path
    names: Sequence[str]
    numbered: bool

    def named(self, name: str) -> str:
        """Find a column that somebody named, in any case."""
        for column in self.names:
            if column.lower() == name.lower():
                return column
        raise Misuse(f"{self.path.name} has no column {name!r}; it has {', '.join(self.names)}.")

    def usual(self, names: Sequence[str]) -> str | None:
        """Find the first of usual names that a column has, in any case."""
        lower = {name.lower(): name for name in reversed(self.names)}
        return next((lower[name] for name in names if name in lower), None)

    def rows(self, query: str) -> Mapping[str, Any]:
        """Ask the engine; gives numpy arrays by column."""
        return dict(self.engine.execute(query).fetchnumpy())

    def refuse(self, column: str, wrong: str, says: str) -> None:
        """Refuse the file when a condition is true anywhere, naming the first line, the column and the value."""
        found = self.engine.execute(
            f"select min(rowid), count(*), arg_min({identifier(column)}, rowid) from lines where {wrong}"
        ).fetchall()[0]
        place, count, text = found
        if count:
            raise Refusal(
                f"{self.path.name} line {place + (1 if self.numbered else 2)}, column {column}: {text or ''!r} {says} "
                f"({count:,} rows are like this); nothing was fitted."
            )

    def number(self, column: str) -> str:
        """Give the SQL for the number in a column; a decimal comma with one or two digits is one."""
        text = f"trim({identifier(column)})"
        comma = f"case when regexp_full_match({text}, '-?[0-9]+,[0-9]{{1,2}}') then replace({text}, ',', '.') end"
        return f"coalesce(try_cast({text} as double), try_cast({comma} as double))"

    def numbers(self, *columns: str) -> list[Array]:
        """Read columns of numbers; a text that is none is refused."""
        for column in columns:
            self.refuse(column, f"not coalesce(isfinite({self.number(column)}), false)", "is no number")
        parts = ", ".join(f"{self.number(one)} as c{place}" for place, one in enumerate(columns))
        read = self.rows(f"select {parts} from lines order by rowid")
        return [np.asarray(read[f"c{place}"], np.float64) for place in range(len(columns))]

    def texts(self, column: str) -> pa.Array:
        """Read a column of texts."""
        return self.arrow(f"select {identifier(column)} as name from lines order by rowid")

    def arrow(self, query: str) -> pa.Array:
        """Ask the engine for one column."""
        return self.engine.execute(query).to_arrow_table().column(0).combine_chunks()


@contextmanager
def opened(path: Path, *, numbered: bool, only: Sequence[str] = ()) -> Iterator[Columns]:
    """Open a file in an engine of its own. Columns are `numbered` where it has no header; `only` has COLUMN=VALUE."""
    with tempfile.TemporaryDirectory(prefix="plait-value-") as spill:
        engine = connect(Path(spill))
        try:
            engine.execute("set preserve_insertion_order = true")  # a line is told by its place
            columns = Columns(engine, path, _read(engine, path, numbered=numbered), numbered)
            for test in only:
                _leave(columns, test)
            if not engine.execute("select 1 from lines limit 1").fetchone():
                raise Refusal(f"{path.name} has no rows{' that --only leaves' if only else ''}; nothing was fitted.")
            yield columns
        except duckdb.Error as error:
            raise Refusal(f"{path.name} cannot be read: {_plainly(str(error))}") from error
        finally:
            engine.close()


def _leave(columns: Columns, test: str) -> None:
    name, equals, wanted = test.partition("=")
    if not equals:
        raise Misuse(f"--only {test!r} says no value; write --only COLUMN=VALUE.")
    text = f"trim({identifier(columns.named(name.strip()))})"
    columns.engine.execute(f"delete from lines where {text} is distinct from {literal(wanted.strip())}")


def _plainly(error: str) -> str:
    """Give the part of the engine's message that says what is wrong with the file."""
    line = re.search(r"CSV Error on Line: (\d+)", error)
    said = next((part for part in error.splitlines() if re.search(r"Expected|quote|Unicode|UTF|encod", part)), error)
    return f"{f'line {line.group(1)}: ' if line else ''}{said.strip().splitlines()[0]}"


def _read(engine: duckdb.DuckDBPyConnection, path: Path, *, numbered: bool) -> list[str]:
    """Make the table `lines`; give its columns: the header's names, or 1, 2, 3, ..."""
    source = literal(str(path))
    if path.suffix.lower() == ".parquet":
        described = engine.execute(f"describe select * from read_parquet({source})").fetchall()
        names = [str(row[0]) for row in described]
        texts = ", ".join(f"{identifier(one)}::varchar as {identifier(one)}" for one in names)
        engine.execute(f"create temp table lines as select {texts} from read_parquet({source})")
        return names
    with path.open("rb") as file:
        head = file.readline(FIRST_LINE).decode("utf-8-sig", "replace").strip("\r\n")
    if not head.strip():
        raise Refusal(f"{path.name} is empty, or begins with an empty line; nothing was fitted.")
    separator = max(SEPARATORS, key=head.count)
    if separator not in head:
        return _read_blanks(engine, path, head, numbered=numbered)
    names = _named(next(csv.reader([head], delimiter=separator)), path, numbered=numbered)
    listed = ", ".join(f"{literal(one)}: 'varchar'" for one in names)
    engine.execute(
        f"create temp table lines as from read_csv({source}, delim = {literal(separator)}, header = {not numbered}, "
        f"columns = {{{listed}}}, auto_detect = false, quote = '\"', null_padding = true, nullstr = '')"
    )
    return names


def _read_blanks(engine: duckdb.DuckDBPyConnection, path: Path, head: str, *, numbered: bool) -> list[str]:
    """Read a file whose columns are apart by blanks."""
    names = _named(head.split(), path, numbered=numbered)
    parts = ", ".join(f"word[{place}] as {identifier(one)}" for place, one in enumerate(names, 1))
    engine.execute(
        f"create temp table lines as select {parts} from (select string_split_regex(trim(line), '\\s+') as word from "
        f"read_csv({literal(str(path))}, header = {not numbered}, delim = '\x01', quote = '', escape = '', "
        "auto_detect = false, columns = {'line': 'varchar'}) where trim(line) <> '')"
    )
    return names


def _named(words: Sequence[str], path: Path, *, numbered: bool) -> list[str]:
    """Take the first line as names; one that looks like a row is refused, with how to give columns by number."""
    if numbered:
        return [str(place) for place in range(1, len(words) + 1)]
    names = [word.strip() for word in words]
    if all(re.fullmatch(r"[-+0-9.,:/ ]*", name) for name in names):
        raise Refusal(
            f"{path.name} has no header: its first line is {' | '.join(names)}. Say which columns are which by number, "
            "for example --customer 1 --date 2 --amount 4."
        )
    lower = [name.lower() for name in names]
    doubled = next((name for name in lower if lower.count(name) > 1), None)
    if doubled is not None:
        raise Refusal(f"{path.name} has two columns {doubled!r}; give each a name of its own.")
    return names
