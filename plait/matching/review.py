"""The queue of pairs on which people decide, and what their answers say about matching."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from plait.failure import Said, Unfit
from plait.matching import acts, kept
from plait.matching.acts import Steward
from plait.matching.kept import SCOPES, Likeness, Proposal
from plait.matching.proposing import evidence_of
from plait.matching.quality import interval
from plait.matching.who import opened
from plait.stewardship import APART, MERGE, Contradiction, Decision, Decisions, Key, read_decisions

if TYPE_CHECKING:
    import duckdb

MOST_LINKS = 500
LINKED = "linked"  # a system said that two user ids are one person


class NoSuchPair(Unfit, LookupError):
    """A pair that does not wait: somebody has decided on it, or it is proposed no more."""


@dataclass(frozen=True, slots=True)
class Measured:
    """How right matching was on the pairs that people have reviewed, from a threshold on.

    `precision` and `recall` each with the interval that holds the truth in 95 of 100 cases; recall is of the pairs that
    were proposed at all. None where nobody looked.
    """

    reviewed: int
    same: int
    precision: float | None
    precision_within: tuple[float, float] | None
    recall: float | None
    recall_within: tuple[float, float] | None


def waiting(home: Path, scopes: Iterable[str] = SCOPES) -> list[Proposal]:
    """Give the pairs that wait for somebody, the likeliest first; ids and keys are those of today."""
    if not (home / "facts").exists():  # looking makes no home
        return []
    decisions = read_decisions(home)
    with opened(home) as db:
        found = [one for scope in scopes for one in kept.read_proposals(home, scope)]
        found += _links(db) if "person" in scopes else []
        return _open(db, found, decisions)


def answer(home: Path, number: str, *, same: bool, steward: Steward) -> Decision:
    """Decide on a pair that waits; who comes second gets the decision of who came first, when it is the same."""
    pair = next((one for one in _all(home) if one.number == number), None)
    if pair is None:
        raise NoSuchPair(Said("this pair does not wait any more; go on with the next."))
    told = {"evidence": evidence_of(pair, kept.read_setting(home, pair.scope).upper)}
    one, other = ("=".join(key) for key in pair.keys)
    before = _decided(read_decisions(home), pair)
    if before is not None:
        if (before.kind == MERGE) == same:
            return before
        says = "{by} has just decided otherwise: decision {n}, {kind}. To change it: plait identity undo {n}."
        raise Contradiction(Said(says, by=before.by, n=before.number, kind=before.kind))
    return acts.merge(home, one, other, steward, **told) if same else acts.apart(home, one, other, steward, **told)


def measure(home: Path, scope: str, threshold: float) -> Measured:
    """Compare what matching said with what people decided on the pairs that they reviewed."""
    told = [
        (float(one.evidence["probability"]) >= threshold, one.kind == MERGE)
        for one in read_decisions(home).in_force
        if one.kind in (MERGE, APART) and not one.rule and one.scope == scope and "probability" in one.evidence
    ]
    return measured(told)


def measured(told: list[tuple[bool, bool]]) -> Measured:
    """Measure pairs of: did matching take it as one, is it one."""
    sure = [same for chosen, same in told if chosen]
    ones = [chosen for chosen, same in told if same]
    return Measured(
        len(told), len(ones), sum(sure) / len(sure) if sure else None, interval(sum(sure), len(sure)),
        sum(ones) / len(ones) if ones else None, interval(sum(ones), len(ones)),
    )  # fmt: skip


def _all(home: Path) -> list[Proposal]:
    with opened(home) as db:
        return [one for scope in SCOPES for one in kept.read_proposals(home, scope)] + _links(db)


def _open(db: duckdb.DuckDBPyConnection, pairs: list[Proposal], decisions: Decisions) -> list[Proposal]:
    """Leave out who is one by now, who is nobody any more, and who was reviewed as two, over whomever they are one."""
    lines = [one.keys for one in decisions.of(APART) if one.keys]
    wanted = {key for one in pairs for key in one.keys} | {key for line in lines for key in line}
    owner = _owners(db, wanted)
    apart = {frozenset(owner.get(key) for key in line) for line in lines}
    seen: set[frozenset[str]] = set()
    left = []
    for one in sorted(pairs, key=lambda pair: -(pair.probability or 0)):
        both = owner.get(one.left), owner.get(one.right)
        if both[0] is None or both[1] is None or both[0] == both[1]:
            continue
        told = frozenset((both[0], both[1]))
        if told in apart or told in seen:
            continue
        seen.add(told)
        left.append(replace(one, left_id=both[0], right_id=both[1]))
    return left


def _owners(db: duckdb.DuckDBPyConnection, keys: set[Key]) -> Mapping[Key, str]:
    import pyarrow as pa

    told = sorted(keys)
    db.register("asked", pa.table({"name": [one for one, _ in told], "value": [two for _, two in told]}))
    rows = db.execute(
        "select name, value, belongs_to from nodes semi join asked using (name, value) where belongs_to is not null"
    ).fetchall()
    db.unregister("asked")
    return {(name, value): owner for name, value, owner in rows}


def _links(db: duckdb.DuckDBPyConnection) -> list[Proposal]:
    """Give the pairs of known users of whom a system said that they are one: a call alone makes no two people one."""
    rows = db.execute(
        """
        with linked as (
            select json_extract_string(keys, '$.user_id') as user_now,
                json_extract_string(keys, '$.anonymous_id') as user_before,
                arg_min(source, (occurred_at, id)) as source, min(occurred_at) as told_at
            from facts where kind = 'identity.linked' group by all
        )
        select user_now, user_before, source, told_at, one.belongs_to, two.belongs_to from linked
        join nodes as one on one.name = 'user_id' and one.value = user_now
        join nodes as two on two.name = 'user_id' and two.value = user_before
        where one.belongs_to <> two.belongs_to order by told_at desc, user_now, user_before limit ?
        """,
        [MOST_LINKS],
    ).fetchall()
    return [
        Proposal("person", ("user_id", before), ("user_id", now), other, one, None,
                 (Likeness("user_id", before, now, f"{source}, {at:%Y-%m-%d}", 0.0),), LINKED)
        for now, before, source, at, one, other in rows
    ]  # fmt: skip


def _decided(decisions: Decisions, pair: Proposal) -> Decision | None:
    """Give the decision in force on a pair's own keys."""
    keys = set(pair.keys)
    return next((one for one in decisions.in_force if one.kind in (MERGE, APART) and set(one.keys) == keys), None)
