"""Which keys are one: components of what met in facts, with people's merges, and with the lines that people drew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from plait.stewardship.decision import APART, MERGE, PART, Decisions, Key
from plait.stewardship.parting import Divided, divide

if TYPE_CHECKING:
    import duckdb

# How much an identifier says of who it is: a cookie least, the name in a system most.
# `person.merge` ties two names that a system made one: one name may be tied to any number of others.
STRENGTH = {"anonymous_id": 0, "person.merge": 0, "phone": 1, "email": 2, "domain": 0}  # every other name: 3
Lines = dict[int, set[tuple[int, int]]]


def strength_sql(name: str) -> str:
    """Give the query's part that ranks an identifier's name."""
    ranks = " ".join(f"when '{known}' then {rank}" for known, rank in STRENGTH.items())
    return f"case {name} {ranks} else 3 end"


def components(one: np.ndarray, other: np.ndarray, count: int) -> np.ndarray:
    """Give each of `count` nodes the number of its connected component."""
    from scipy.sparse import coo_array  # half a second to import, and only a load needs it
    from scipy.sparse.csgraph import connected_components

    if not count:
        return np.zeros(0, dtype=np.int64)
    weights = np.ones(len(one), dtype=np.int8)
    graph = coo_array((weights, (one, other)), shape=(count, count))
    found: np.ndarray = connected_components(graph, directed=False)[1]
    return found


@dataclass(frozen=True, slots=True)
class Edges:
    """What people and matching joined, and the lines between nodes, by the nodes' numbers."""

    by_people: list[tuple[int, int]]
    by_matching: list[tuple[int, int]]
    hard: Lines
    soft: Lines

    def together(self) -> list[tuple[int, int]]:
        """Give all that joins."""
        return [*self.by_people, *self.by_matching]


def joined(
    db: duckdb.DuckDBPyConnection, decisions: Decisions, one: np.ndarray, other: np.ndarray, count: int
) -> np.ndarray:
    """Give each node its component by facts (edges `one` to `other`) and decisions.

    Needs the tables `usable`, `members` and `key_sets`. Only components with a line through them are gone through edge
    by edge; all others cost nothing more.
    """
    edges = _edges(decisions, _numbers(db, _named(decisions)))
    more = np.array(edges.together(), dtype=np.int64).reshape(-1, 2)
    found = components(np.concatenate([one, more[:, 0]]), np.concatenate([other, more[:, 1]]), count)
    cut = sorted(_cut(found, edges.hard) | _cut(found, edges.soft))
    if not cut:
        return found
    inside = np.flatnonzero(np.isin(found, cut))
    divided = Divided(edges.hard, edges.soft)
    here = set(inside.tolist())
    divide(
        divided,
        by_people=[pair for pair in edges.by_people if pair[0] in here],
        by_facts=_sets(db, inside),
        by_matching=[pair for pair in edges.by_matching if pair[0] in here],
    )
    # A root is a node's number, and no component has one above the number of nodes.
    found = found.astype(np.int64)
    found[inside] = [count + divided.root(int(node)) for node in inside]
    return np.unique(found, return_inverse=True)[1]


def _named(decisions: Decisions) -> set[Key]:
    return {key for one in decisions.in_force if one.kind in (MERGE, PART, APART) for key in (*one.keys, *one.rest)}


def _numbers(db: duckdb.DuckDBPyConnection, keys: Iterable[Key]) -> Mapping[Key, int]:
    """Give the numbers of those keys that are known and may join."""
    import pyarrow as pa

    wanted = sorted(keys)
    db.register("wanted", pa.table({"name": [key[0] for key in wanted], "value": [key[1] for key in wanted]}))
    sql = "select name, value, number from usable semi join wanted using (name, value) where why_not is null"
    rows = db.execute(sql).fetchall() if wanted else []
    db.unregister("wanted")
    return {(name, value): number for name, value, number in rows}


def _edges(decisions: Decisions, numbers: Mapping[Key, int]) -> Edges:
    edges = Edges([], [], {}, {})
    for one in decisions.in_force:
        mine = [numbers[key] for key in one.keys if key in numbers]
        if one.kind in (MERGE, PART):  # those who are parted from somebody are one among themselves
            chain = edges.by_matching if one.rule else edges.by_people
            chain += [(mine[0], number) for number in mine[1:]]
        if one.kind == PART:
            rest = [numbers[key] for key in one.rest if key in numbers]
            _draw(edges.hard, one.number, mine, rest)
        if one.kind == APART and len(mine) == len(one.keys):
            _draw(edges.soft, one.number, mine[:1], mine[1:])
    return edges


def _draw(lines: Lines, number: int, *sides: Sequence[int]) -> None:
    for side, nodes in enumerate(sides):
        for node in nodes:
            lines.setdefault(node, set()).add((number, side))


def _cut(component: np.ndarray, lines: Lines) -> set[int]:
    """Name the components that have nodes on both sides of a line."""
    sides: dict[tuple[int, int], set[int]] = {}
    for node, drawn in lines.items():
        for line, side in drawn:
            sides.setdefault((line, int(component[node])), set()).add(side)
    return {found for (_, found), both in sides.items() if len(both) > 1}


def _sets(db: duckdb.DuckDBPyConnection, inside: np.ndarray) -> Iterator[list[int]]:
    """Give the keys of each set that has some of these nodes, the strongest first; the oldest sets first."""
    import pyarrow as pa

    db.register("inside", pa.table({"number": inside}))
    rows = db.execute(
        f"""
        select key_sets.keys, usable.scope, usable.number
        from members join usable using (number) semi join inside using (number)
        join key_sets on key_sets.rowid = members.set_number
        order by members.first_at, key_sets.keys, usable.scope, {strength_sql("usable.name")} desc, usable.name,
            usable.value
        """
    ).fetchall()
    db.unregister("inside")
    for _, group in groupby(rows, key=lambda row: row[:2]):
        yield [number for *_, number in group]


__all__ = ["STRENGTH", "components", "joined", "strength_sql"]
