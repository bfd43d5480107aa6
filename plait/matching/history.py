"""How an id came to be what it is: who became whom, when, by which fact or decision.

Told from facts and decisions, not from a record that could be lost: the joins are gone through again in the order of
time, by the rules of today on which values join.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from plait import identity
from plait.failure import Said
from plait.matching.who import ID, Unknown, opened, who
from plait.stewardship import Decision, Decisions, Key, read_decisions

if TYPE_CHECKING:
    import duckdb

MOST_DECISIONS, MOST_INSTANTS = 200, 400  # that are gone through one by one, the newest


@dataclass(frozen=True, slots=True)
class Change:
    """At one instant keys came to or left an id: `before` and `after` are ids (None: it did not exist)."""

    at: datetime
    before: str | None
    after: str | None
    keys: tuple[Key, ...]
    decision: Decision | None = None
    source: str = ""


def history(home: Path, text: str) -> tuple[str, list[Change]]:
    """Give today's id of somebody and all that happened to the id that was asked for, oldest first."""
    decisions = read_decisions(home)
    with opened(home) as db:
        now = who(db, text).id
        asked = text.strip() if ID.fullmatch(text.strip()) else now
        keys = _around(db, {now, asked}, decisions)
        if not keys:
            raise Unknown(Said("nobody is known by {text!r}.", text=text))
        return now, list(_changes(db, keys, decisions, {now, asked}))


def _around(db: duckdb.DuckDBPyConnection, ids: set[str], decisions: Decisions) -> list[Key]:
    """Give the keys of everybody whom facts or any decision, undone or not, ever brought together with these ids."""
    known = set(ids)
    while True:
        told = ", ".join(f"'{one}'" for one in sorted(known))
        rows = db.execute(
            f"select name, value from nodes where belongs_to in ({told}) or {identity.id_sql('nodes')} in ({told})"
        ).fetchall()
        keys = {(name, value) for name, value in rows}
        touched = {key for one in decisions.all if keys & {*one.keys, *one.rest} for key in (*one.keys, *one.rest)}
        more = {row for key in touched - keys for row in _owner(db, key)} - known
        if not more:
            return sorted(keys | touched)
        known |= more


def _owner(db: duckdb.DuckDBPyConnection, key: Key) -> Sequence[str]:
    rows = db.execute("select coalesce(belongs_to, '') from nodes where name = ? and value = ?", list(key)).fetchall()
    return [row[0] for row in rows if row[0]]


def _changes(db: duckdb.DuckDBPyConnection, keys: list[Key], decisions: Decisions, ids: set[str]) -> Iterator[Change]:
    """Build identity of these keys' facts alone at each instant at which something happened, and compare."""
    import duckdb as engine
    import pyarrow as pa

    db.register("mine", pa.table({"name": [one for one, _ in keys], "value": [two for _, two in keys]}))
    seen = db.execute(
        """
        select source, id, keys, recorded_at, occurred_at from facts
        where exists (
            select 1 from mine where json_extract_string(facts.keys, '$."' || mine.name || '"') = mine.value
        )
        """
    ).to_arrow_table()
    concerned = [one for one in decisions.all if _concerns(one, set(keys), decisions)][-MOST_DECISIONS:]
    with engine.connect() as small:
        small.register("every", seen)
        told = "select distinct first_at from (select min(recorded_at) as first_at from every group by keys) order by 1"
        instants = [row[0] for row in small.execute(told).fetchall()][-MOST_INSTANTS:]
        steps = sorted([(at, 0) for at in instants] + [(one.at, one.number) for one in concerned])
        before: dict[Key, str] = {}
        number = 0
        for at, by in steps:
            number = max(number, by)
            small.execute(f"create or replace view facts as from every where recorded_at <= timestamp '{at}'")
            identity.build(small, decisions.until(number))
            rows = small.execute("select name, value, belongs_to from nodes where belongs_to is not null").fetchall()
            after = {(name, value): owner for name, value, owner in rows}
            decision = decisions.numbered(by) if by else None
            yield from _moves(at, before, after, ids, decision)
            before = after


def _concerns(one: Decision, keys: set[Key], decisions: Decisions) -> bool:
    undone = decisions.numbered(one.undoes) if one.undoes else None
    return bool(keys & {*one.keys, *one.rest}) or (undone is not None and _concerns(undone, keys, decisions))


def _moves(
    at: datetime, before: dict[Key, str], after: dict[Key, str], ids: set[str], decision: Decision | None
) -> Iterator[Change]:
    """Give the keys that came to or left one of the ids."""
    moved: dict[tuple[str | None, str | None], list[Key]] = {}
    for key in sorted(before.keys() | after.keys()):
        pair = before.get(key), after.get(key)
        if pair[0] != pair[1] and ids & set(pair):
            moved.setdefault(pair, []).append(key)
    for (was, became), keys in sorted(moved.items(), key=lambda one: str(one[0])):
        yield Change(at, was, became, tuple(keys), decision)
