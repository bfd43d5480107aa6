"""Pairs with their probability, and the clusters that they make.

The share of pairs that are one is learnt from the pairs themselves: the model's weights are shifted until the
probabilities add up to the share that they assume.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

import numpy as np

from plait.matching.model import FLOOR, Model, linker

if TYPE_CHECKING:
    import duckdb

LOOSE = -2.0  # log2 of odds above which records hang together for a closer look
TOGETHER = -1.0  # log2 of odds, one in three: chosen on three public sets, the same for all
ROUNDS, SETTLED = 100, 1e-4
LEAST = -12.0  # log2 of the odds below which a pair is not kept, by the model's own share
MOST_TOGETHER = 2_000  # records of a component that is gone through pair by pair; of a larger one only its surest edges
MOST_INSIDE = 60  # records of a component in which every pair is compared


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of records by their place in the list, with the log2 of the odds that they are one."""

    left: np.ndarray
    right: np.ndarray
    weight: np.ndarray
    share: float  # of all pairs of records, that are one

    @property
    def probability(self) -> np.ndarray:
        """Give the probability of each pair."""
        return chance_of(self.weight)


def chance_of(weight: np.ndarray) -> np.ndarray:
    """Give the probability of odds given as their log2."""
    told: np.ndarray = 1 / (1 + np.exp2(-np.clip(weight, -60, 60)))
    return told


def weight_of(probability: float) -> float:
    """Give the log2 of the odds of a probability."""
    return float(np.log2(probability / (1 - probability)))


def score(db: duckdb.DuckDBPyConnection, model: Model, keys: list[str]) -> Pairs:
    """Compare the records of the table `records` that share a key; needs the place of each as `unique_id`.

    Where more than two hang together all pairs of them are compared, whatever keys they share.
    """
    from plait.stewardship.graph import components

    (records,) = db.execute("select count(*) from records").fetchall()[0]
    share = float(model.parameters["probability_two_random_records_match"])
    left, right, weight = _compared(db, model, keys)
    found = _shifted(left, right, weight, share, records)
    near = found.weight >= LOOSE
    component = components(left[near], right[near], records)
    sizes = np.bincount(component, minlength=1)[component]
    inside = (sizes > 2) & (sizes <= MOST_INSIDE)  # noqa: PLR2004 - two are one edge
    if not inside.any():
        return found
    _number_components(db, component, inside)
    more = _compared(db, model, ["component"])
    both = [np.concatenate(two) for two in zip((left, right, weight), more, strict=True)]
    _, once = np.unique(both[0] * records + both[1], return_index=True)
    return _shifted(both[0][once], both[1][once], both[2][once], share, records)


def _compared(
    db: duckdb.DuckDBPyConnection, model: Model, keys: list[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the pairs that share a key, the smaller place first, with the weights of the model."""
    parameters = dict(model.parameters)
    parameters["blocking_rules_to_generate_predictions"] = [f"l.{key} = r.{key}" for key in keys]
    with linker(db, parameters) as link:
        found = link.inference.predict(threshold_match_weight=LEAST)
        rows = db.execute(
            f"select unique_id_l::bigint as l, unique_id_r::bigint as r, match_weight::double as w "
            f"from {found.physical_name}"
        ).fetchnumpy()
        found.drop_table_from_database_and_remove_from_cache()
    one, other, weight = (np.asarray(rows[name]) for name in ("l", "r", "w"))
    left, right = np.minimum(one, other), np.maximum(one, other)
    order = np.lexsort((right, left))
    return left[order], right[order], weight[order]


def _number_components(db: duckdb.DuckDBPyConnection, component: np.ndarray, inside: np.ndarray) -> None:
    import pyarrow as pa

    places = np.flatnonzero(inside)
    db.register("placed_in", pa.table({"unique_id": places, "component": component[places]}))
    db.execute("alter table records add column if not exists component bigint")
    db.execute(
        "update records set component = placed_in.component from placed_in "
        "where placed_in.unique_id = records.unique_id"
    )
    db.unregister("placed_in")


def _shifted(left: np.ndarray, right: np.ndarray, weight: np.ndarray, share: float, records: int) -> Pairs:
    """Shift the weights to the share of pairs that they themselves make likely."""
    pairs = max(records * (records - 1) / 2, 1)
    bare = weight - np.log2(share / (1 - share))
    now = share
    for _ in range(ROUNDS):
        then = min(max(float(chance_of(bare + np.log2(now / (1 - now))).sum()) / pairs, FLOOR / records), 0.5)
        settled, now = abs(np.log(then / now)) < SETTLED, then
        if settled:
            break
    return Pairs(left, right, bare + np.log2(now / (1 - now)), now)


def cluster(pairs: Pairs, count: int, *, least: float, together: float = TOGETHER) -> np.ndarray:
    """Give each of `count` records the number of its cluster.

    Records are joined over pairs of at least `least` (log2 of odds), the surest first, as long as the two groups are
    on average at least `together` alike: one bridge does not make one of two that differ otherwise.
    """
    from plait.stewardship.graph import components

    near = pairs.weight >= least
    component = components(pairs.left[near], pairs.right[near], count).astype(np.int64)
    sizes = np.bincount(component, minlength=1)
    inside = component[pairs.left] == component[pairs.right]
    inside &= sizes[component[pairs.left]] > 2  # noqa: PLR2004 - two are one edge
    chosen = np.flatnonzero(inside)
    chosen = chosen[np.argsort(component[pairs.left[chosen]], kind="stable")]
    label, after = component.copy(), int(component.max(initial=-1)) + 1
    starts = np.flatnonzero(np.diff(component[pairs.left[chosen]], prepend=-1))
    for part in np.split(chosen, starts[1:]) if len(chosen) else ():
        if _close(pairs.weight[part], int(sizes[component[pairs.left[part[0]]]]), together):
            continue
        edges = zip(pairs.left[part].tolist(), pairs.right[part].tolist(), pairs.weight[part].tolist(), strict=True)
        for group in _agglomerate(list(edges), least, together):
            label[group] = after
            after += 1
    found: np.ndarray = np.unique(label, return_inverse=True)[1]
    return found


def _close(weight: np.ndarray, records: int, together: float) -> bool:
    """Tell whether every pair of a component is alike enough, so that nothing can part it."""
    return len(weight) == records * (records - 1) // 2 and bool(weight.min() >= together)


def _agglomerate(edges: list[tuple[int, int, float]], least: float, together: float) -> list[list[int]]:
    """Join the records of one component: average linkage, over bridges only."""
    groups = {node: [node] for one, other, _ in edges for node in (one, other)}
    links: dict[int, dict[int, tuple[float, int, float]]] = {node: {} for node in groups}  # sum, pairs, best
    for one, other, says in edges:
        links[one][other] = links[other][one] = (max(says, LEAST), 1, says)
    waiting: list[tuple[float, int, int, int]] = []
    for one, others in links.items():
        for other in others:
            if one < other:
                _offer(waiting, groups, links, (one, other), least, together)
    heapify(waiting)
    while waiting:
        _, one, other, size = heappop(waiting)
        if one not in groups or other not in groups or len(groups[one]) + len(groups[other]) != size:
            continue
        groups[one] += groups.pop(other)
        _take_over(links, one, other)
        for third in links[one]:
            found: list[tuple[float, int, int, int]] = []
            _offer(found, groups, links, (min(one, third), max(one, third)), least, together)
            for offer in found:
                heappush(waiting, offer)
    return list(groups.values())


def _offer(
    waiting: list[tuple[float, int, int, int]],
    groups: dict[int, list[int]],
    links: dict[int, dict[int, tuple[float, int, float]]],
    pair: tuple[int, int],
    least: float,
    together: float,
) -> None:
    """Put two groups forward, if they may be joined; pairs that no key brought are as unlike as can be."""
    one, other = pair
    total, known, best = links[one][other]
    every = len(groups[one]) * len(groups[other])
    average = (total + (every - known) * LEAST) / every
    if best >= least and average >= together:
        waiting.append((-average, one, other, len(groups[one]) + len(groups[other])))


def _take_over(links: dict[int, dict[int, tuple[float, int, float]]], one: int, other: int) -> None:
    """Give what links a group that was joined to the one that it is part of now."""
    for third, (total, known, best) in links.pop(other).items():
        if third == one:
            continue
        before = links[one].get(third, (0.0, 0, -np.inf))
        links[one][third] = links[third][one] = (before[0] + total, before[1] + known, max(before[2], best))
        del links[third][other]
    links[one].pop(other, None)
