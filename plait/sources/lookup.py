"""Lookups: what other files of a load say, as tables of an engine, each key once.

A file in which several values are found by one key is read once for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from plait.sources.expression import lookup_table
from plait.sources.file import Found, UnreadableFile, prepare, remove_copy
from plait.sources.form import FileMapping, Lookup
from plait.sources.spelling import own_name
from plait.sources.table import Table, Tally, open_table


def load_lookups(engine: duckdb.DuckDBPyConnection, lookups: Mapping[Lookup, Sequence[Found]], work: Path) -> None:
    """Make the table of each lookup from its files."""
    alike: dict[tuple[str, str, str], list[Lookup]] = {}
    for lookup in lookups:
        alike.setdefault((lookup.name, lookup.key, lookup.latest), []).append(lookup)
    for group in alike.values():
        values = list(dict.fromkeys(lookup.value for lookup in group))
        cells = "".join(f", v{n} varchar" for n in range(len(values)))
        engine.execute(
            f"create or replace temp table said (file integer, line bigint, key varchar, since varchar{cells})"
        )
        for number, found in enumerate(lookups[group[0]]):
            plain = prepare(found, work)
            try:
                needed = found.mapping.columns or [name for lookup in group for name in lookup.columns()]
                table = open_table(found, plain, needed)
                _read(engine, group[0], values, table, found.mapping, number=number)
            finally:
                remove_copy(plain)
        for lookup in group:
            _keep(engine, lookup_table(list(lookups), lookup), lookup, f"v{values.index(lookup.value)}")


def _read(
    engine: duckdb.DuckDBPyConnection, lookup: Lookup, values: Sequence[str], table: Table, shape: FileMapping,
    *, number: int,
) -> None:  # fmt: skip
    """Add to `said` what one file says; of a column that it lacks it says nothing."""
    key, latest, *told = (own_name(shape, name) for name in (lookup.key, lookup.latest, *values))
    if not table.has(key):
        return
    columns = [name for name in dict.fromkeys([key, latest, *told]) if name and table.has(name)]
    cells = {name: f"x{n}" for n, name in enumerate(columns)}
    said = "".join(f", nullif(trim({cells[name]}), '')" if name in cells else ", null" for name in told)
    broken: list[int] = []
    tally = Tally(lambda rows: broken.extend(row.line for row in rows), lambda _done: None)
    engine.register("raw", table.batches(columns, whole=False, tally=tally))
    engine.execute(
        f"""insert into said select {number}, line, x0, coalesce({cells.get(latest, "null")}, ''){said}
        from ({table.query(columns, whole=False)}) where trim(x0) <> ''"""
    )
    engine.unregister("raw")
    if broken and not lookup.shape:
        raise UnreadableFile(
            lookup.name, "line {line} does not have the shape of the file: correct it, others look values up here",
            line=broken[0],
        )  # fmt: skip


def _keep(engine: duckdb.DuckDBPyConnection, name: str, lookup: Lookup, value: str) -> None:
    """Make the table of a lookup from what its files said."""
    if lookup.first or lookup.latest:
        one = f"arg_max({value}, (since, file, line))" if lookup.latest else f"arg_min({value}, (file, line))"
        engine.execute(
            f"create table {name} as select key, {one} as value from said where {value} is not null group by key"
        )
        return
    filled = f" where {value} is not null" if lookup.shape else ""  # of several files some may lack the column
    engine.execute(f"create table {name} as select distinct key, {value} as value from said{filled}")
    twice = engine.execute(f"select key from {name} group by key having count(*) > 1 order by key limit 1").fetchall()
    if twice:  # a row would give its facts twice
        raise UnreadableFile(
            lookup.name, "{key} {name!r} stands for more than one {value}: keep one of them",
            key=lookup.key, name=twice[0][0], value=lookup.value,
        )  # fmt: skip
