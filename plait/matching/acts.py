"""What people do to identity: merge, part, keep apart, block, allow, limit, undo. Each is a decision, then re-derived.

A decision is first judged against those in force as they work out over all keys: merging two who are joined to others
that were parted is refused, with the decision that stands in the way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from plait.derived import Derived, refresh
from plait.failure import Said
from plait.matching.who import Who, opened, parted, read_key, who
from plait.stewardship import (
    ALLOW,
    APART,
    BLOCK,
    LIMIT,
    MERGE,
    PART,
    UNDO,
    Contradiction,
    Decision,
    Decisions,
    Draft,
    Key,
    decide,
    read_decisions,
    scope_of,
)
from plait.store import Store

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Steward:
    """Who decides, why, and when (UTC)."""

    by: str
    why: str
    now: datetime


def merge(home: Path, one: str, other: str, steward: Steward, *, evidence: Mapping[str, str] | None = None) -> Decision:
    """Decide that two people or two companies are one; the older id stays."""
    with opened(home) as db:
        pair = who(db, one), who(db, other)
        held = read_decisions(home)
        if pair[0].id == pair[1].id and not _merged(held, pair[0]):
            raise Contradiction(Said("{one} and {other} are one already ({id}).", one=one, other=other, id=pair[0].id))
        draft = Draft(kind=MERGE, keys=_keys(pair, one, other), evidence=evidence or {})
        judge(db, held, draft)
    return _decided(home, [draft], steward)[0]


def part(home: Path, owner: str, keys: Sequence[str], steward: Steward) -> Decision:
    """Decide that some keys of a person or a company are somebody apart from the rest."""
    with opened(home) as db:
        mine, rest = parted(who(db, owner), [read_key(key) for key in keys])
        draft = Draft(kind=PART, keys=mine, rest=rest)
        judge(db, read_decisions(home), draft)
    return _decided(home, [draft], steward)[0]


def apart(home: Path, one: str, other: str, steward: Steward, *, evidence: Mapping[str, str] | None = None) -> Decision:
    """Decide that two who look alike are not one: they are not proposed again, and matching never joins them."""
    with opened(home) as db:
        pair = who(db, one), who(db, other)
        if pair[0].id == pair[1].id:
            says = "{one} and {other} are one ({id}); split them: plait identity split {id} KEY."
            raise Contradiction(Said(says, one=one, other=other, id=pair[0].id))
        draft = Draft(kind=APART, keys=_keys(pair, one, other), evidence=evidence or {})
    return _decided(home, [draft], steward)[0]


def block(home: Path, key: str, steward: Steward) -> Decision:
    """Decide that a value joins nobody."""
    return _decided(home, [Draft(kind=BLOCK, keys=(read_key(key),))], steward)[0]


def allow(home: Path, key: str, steward: Steward) -> Decision:
    """Decide that a value joins although a rule bars it."""
    return _decided(home, [Draft(kind=ALLOW, keys=(read_key(key),))], steward)[0]


def limit(home: Path, name: str, most: int, steward: Steward) -> Decision:
    """Decide how many others an identifier of this name may meet before it is taken as shared."""
    read_key(f"{name}=any")
    return _decided(home, [Draft(kind=LIMIT, keys=((name, ""),), most=most)], steward)[0]


def undo(home: Path, number: int, steward: Steward) -> Decision:
    """Take a decision back; everything is again as if it had not been made."""
    return _decided(home, [Draft(kind=UNDO, undoes=number)], steward)[0]


def merge_all(home: Path, pairs: Sequence[tuple[Key, Key, Mapping[str, str]]], steward: Steward) -> list[Decision]:
    """Decide many merges at once, as matching proposes them; those that a person's decision forbids are left out."""
    held, drafts = read_decisions(home), []
    with opened(home) as db:
        for one, other, evidence in pairs:
            draft = Draft(kind=MERGE, keys=(one, other), evidence=evidence)
            try:
                judge(db, held, draft)
            except Contradiction:
                continue
            drafts.append(draft)
    return _decided(home, drafts, steward, rule=True) if drafts else []


def judge(db: duckdb.DuckDBPyConnection, held: Decisions, draft: Draft) -> None:
    """Refuse a draft that would join what was parted or reviewed as apart, over whomever each is joined to."""
    if draft.kind != MERGE:
        return
    sides = [_owner(db, key) for key in draft.keys]
    for one in held.in_force:
        if one.kind not in (PART, APART) or one.scope != scope_of(draft.keys[0][0]):
            continue
        left, right = (one.keys, one.rest) if one.kind == PART else (one.keys[:1], one.keys[1:])
        lies = [{_owner(db, key) for key in side} for side in (left, right)]
        for first, second in (sides, sides[::-1]):
            if first and second and first in lies[0] and second in lies[1]:
                says = "this contradicts decision {n} ({kind}, by {by}); undo that first: plait identity undo {n}."
                raise Contradiction(Said(says, n=one.number, kind=one.kind, by=one.by))


def _owner(db: duckdb.DuckDBPyConnection, key: Key) -> str | None:
    rows = db.execute("select belongs_to from nodes where name = ? and value = ?", list(key)).fetchall()
    return rows[0][0] if rows else None


def _keys(pair: tuple[Who, Who], *texts: str) -> tuple[Key, ...]:
    """Give the key of each that the decision names: the one that was given, else the oldest."""
    found = []
    for one, text in zip(pair, texts, strict=True):
        given = next((key for key in one.keys if text in ("=".join(key), key[1])), one.eldest)
        found.append(given)
    return tuple(found)


def _merged(held: Decisions, one: Who) -> bool:
    """Tell whether a merge in force holds somebody together: then the same merge again is the same decision."""
    return any(set(merge.keys) <= set(one.keys) for merge in held.of(MERGE))


def _decided(home: Path, drafts: Sequence[Draft], steward: Steward, *, rule: bool = False) -> list[Decision]:
    made = decide(home, drafts, by=steward.by, why=steward.why, now=steward.now.replace(tzinfo=None), rule=rule)
    refresh(Store.open(home), Derived.open(home))
    return made


__all__ = ["Steward", "allow", "apart", "block", "judge", "limit", "merge", "merge_all", "part", "undo"]
