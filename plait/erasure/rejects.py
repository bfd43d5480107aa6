"""Refused rows of a person: they say nothing any more and are still counted, so that every file adds up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plait import duck
from plait.erasure.subject import Subject, forms
from plait.erasure.texts import replaced_sql
from plait.store import LOADS, REJECTS, Store, view_sql
from plait.suppression import BLANK, Suppression

if TYPE_CHECKING:
    import duckdb

SOME = 10_000


def found(store: Store, subject: Subject, sought: Suppression) -> list[dict[str, object]]:
    """Give the refused rows that hold one of a person's values."""
    with duck.connect(store.spill) as db:
        _hits(db, store, subject, sought)
        rows: list[dict[str, object]] = (
            db.execute("select * exclude (place) from told semi join hit using (place) order by source, file, line")
            .to_arrow_table()
            .to_pylist()
        )
        return rows


def blank(store: Store, subject: Subject, sought: Suppression) -> int:
    """Let the refused rows of a person say nothing; gives how many there were. The caller holds the lock of erasing."""
    with duck.connect(store.spill) as db:
        count = _hits(db, store, subject, sought)
        file = replaced_sql("file", subject.values)
        named = db.execute(f"select count(*) from told where {file} <> file").fetchall()[0][0]
        if count or named:
            columns = ", ".join(
                f"{({'value': 'if(hit.place is null, value, null)', 'file': file}).get(name, f'told.{name}')} as {name}"
                if name != "row"
                else f"if(hit.place is null, row, '{BLANK}') as row"
                for name in REJECTS.names
            )
            rows = db.sql(f"select {columns} from told left join hit using (place)")
            store.rejects.replace(rows.to_arrow_reader(SOME), {})
        db.execute(view_sql("loads", store.loads.snapshot(), LOADS))
        if subject.values and db.execute(f"select 1 from loads where {file} <> file limit 1").fetchall():
            columns = ", ".join(f"{file} as file" if name == "file" else name for name in LOADS.names)
            store.loads.replace(db.sql(f"select {columns} from loads").to_arrow_reader(SOME), {})
    return count


def _hits(db: duckdb.DuckDBPyConnection, store: Store, subject: Subject, sought: Suppression) -> int:
    """Make the table `told` of all refused rows, numbered, and `hit` of those that hold a value; gives how many."""
    db.execute(view_sql("rejected", store.rejects.snapshot(), REJECTS))
    db.execute("create temp table told as select *, row_number() over () as place from rejected")
    reader = db.execute(
        f"""
        select place, coalesce(row, ''), coalesce(value, '') from told
        where row is distinct from '{BLANK}' and {_may_hold(subject)}
        """
    )
    places: list[int] = []
    while rows := reader.fetchmany(SOME):
        places += [place for place, row, value in rows if sought.is_told_in(row) or sought.is_told_in(value)]
    db.execute("create temp table hit as select unnest(?::bigint[]) as place", [places])
    return len(places)


def _may_hold(subject: Subject) -> str:
    """Give whether a row may hold a value at all: the cheap look, before each cell is looked at."""
    values = {form for _, value in subject.keys for form in forms(value)}
    if not all(value.isascii() for _, value in subject.keys):
        return "true"  # they may be spelt in several ways
    text = "lower(concat_ws(' ', row, value))"
    return f"({' or '.join(f'contains({text}, {duck.literal(one)})' for one in sorted(values)) or 'false'})"
