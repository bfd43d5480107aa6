"""Chance: the same sums for other draws of customers, and how far answers lie apart over them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from plait.failure import Said
from plait.stats.paths import markov
from plait.stats.paths.counting import order_for, set_places, states_at, states_of, touched
from plait.stats.paths.journeys import Journeys
from plait.stats.paths.money import Floats, Ints
from plait.stats.paths.rules import RULES, weights
from plait.stats.paths.statistics import MONEY_PARTS, PARTS, RuleSums, Sets, Statistics, Transitions, UnfitStatistics

if TYPE_CHECKING:
    from scipy.sparse import csr_array

REPLICATES = 500
DRAWS = 1000
SEED = 20_251_122
MOST_PATHS = 50_000  # rows up to which each replicate draws every path anew
THINNED = 20  # blocks into which the journeys of more rows are dealt out
CELLS = 4_000_000
MOST_CELLS = 40_000_000  # of the tables of all replicates
FEWEST = 50
FEW = 19  # degrees of freedom


@dataclass(frozen=True, slots=True)
class Replicates:
    """The same sums for other draws of customers: each block of `statistics` is one whole set of data.

    `method`: bootstrap (each a draw of its own), blocks (each leaves out one block of customers) or quick (steps of a
    first-order walk drawn row by row; too narrow). `seed` is None where nothing was drawn.
    """

    method: str
    statistics: Statistics
    seed: int | None

    @property
    def says(self) -> Said:
        """Say how intervals are made."""
        size = self.statistics.blocks
        if self.method == "bootstrap":
            return Said(
                "Poisson bootstrap of the collapsed paths, {size} replicates, seed {seed}", size=size, seed=self.seed
            )
        if self.method == "quick":
            return Said(
                "quick: steps drawn row by row, {size} draws, seed {seed}; too narrow", size=size, seed=self.seed
            )
        return Said("jackknife over {size} blocks of customers", size=size)


def replicated(
    statistics: Statistics, method: str = "auto", *, seed: int = SEED, size: int | None = None
) -> Replicates | None:
    """Give other draws of the customers, or None where the sums do not allow it (one block, no paths).

    auto: blocks where the sums have them; else the bootstrap for up to 50,000 collapsed paths, and for more the
    journeys are dealt out to 20 blocks by chance.
    """
    if method == "quick":
        return _quick(statistics, size or DRAWS, seed)
    if statistics.blocks > 1 and method in ("auto", "blocks"):
        return Replicates("blocks", statistics.without_each_block(), None)
    paths = statistics.paths
    if paths is None:
        return None
    if method == "bootstrap" or (method == "auto" and len(paths) <= MOST_PATHS):
        cells = states_of(len(paths.channels), order_for(len(paths.channels))) * (len(paths.channels) + 2)
        size = size or max(FEWEST, min(REPLICATES, MOST_CELLS // cells))
        return Replicates("bootstrap", reweighted(paths, poisson(paths, size, seed), size), seed)
    size = size or THINNED
    return Replicates("blocks", reweighted(paths, dealt(paths, size, seed), size).without_each_block(), seed)


def _quick(statistics: Statistics, size: int, seed: int) -> Replicates:
    if statistics.transitions is None:
        raise UnfitStatistics(Said("quick intervals need counted transitions; count them, or ask for no interval."))
    first = statistics.transitions.first_order()
    counts = markov.drawn(first, size, seed)
    each = first.value.sum(0) / np.maximum(first.counts[:, :, -2].sum(0), 1)  # money of one conversion, by state
    steps = Transitions(1, counts, counts[:, :, -2] * each)  # type: ignore[arg-type]  # drawn counts are no whole numbers
    nobody = np.zeros((size, len(statistics.sets.masks)), np.int64)
    some = Sets(
        statistics.sets.masks,
        *(nobody + c.sum(0) for c in (statistics.sets.n, statistics.sets.k, statistics.sets.value)),
    )
    return Replicates("quick", Statistics(statistics.channels, some, steps), seed)


# -- weights


def poisson(paths: Journeys, size: int, seed: int) -> Iterator[tuple[Ints, Ints]]:
    """Draw how often each journey occurs in each replicate (Poisson 1 each): n* and k* [some replicates, rows]."""
    chance = np.random.default_rng(seed)
    a_time = max(1, CELLS // max(1, len(paths)))
    for low in range(0, size, a_time):
        shape = (min(a_time, size - low), len(paths))
        k = chance.poisson(paths.k, shape)
        yield k + chance.poisson(paths.n - paths.k, shape), k


def dealt(paths: Journeys, size: int, seed: int) -> Iterator[tuple[Ints, Ints]]:
    """Deal every journey out to one of `size` blocks by chance: n and k [1, rows] of each block in turn."""
    chance = np.random.default_rng(seed)
    won, lost = paths.k.copy(), paths.n - paths.k
    for left in range(size, 0, -1):
        k, rest = chance.binomial(won, 1 / left), chance.binomial(lost, 1 / left)
        won, lost = won - k, lost - rest
        yield (k + rest)[None], k[None]


def reweighted(paths: Journeys, draws: Iterator[tuple[Ints, Ints]], size: int) -> Statistics:
    """Count paths again with other weights: block b of the answer is draw b of `size`.

    A path's money follows its conversions: what is known of it is their sum.
    """
    order = order_for(len(paths.channels))
    masks, own = _set_matrix(paths)
    steps, end = _step_matrix(paths, order)
    names, shares = _rule_matrix(paths)
    each = paths.value / np.maximum(paths.k, 1)
    columns: list[list[Floats]] = [[] for _ in range(7)]
    for n, k in draws:
        money, lost = k * each, n - k
        parts = [(own, n), (own, k), (own, money), (shares, k), (shares, money)]
        for column, (matrix, weight) in zip(columns, parts, strict=False):
            column.append((matrix.T @ weight.T).T)
        counts = (steps.T @ n.T).T.reshape(len(n), -1, len(paths.channels) + 2).astype(np.float64)
        counts[:, :, -2], counts[:, :, -1] = (end.T @ k.T).T, (end.T @ lost.T).T
        columns[5].append(counts)
        columns[6].append((end.T @ money.T).T)
    found = [np.concatenate(column) for column in columns]
    whole = [np.rint(column).astype(np.int64) for column in (*found[:3], *found[5:])]
    by_rule = [
        np.rint(column).astype(np.int64).reshape(size, len(names), -1)
        for column in (found[3] * PARTS, found[4] * MONEY_PARTS)
    ]
    return Statistics(
        paths.channels, Sets(masks, *whole[:3]), Transitions(order, *whole[3:]), RuleSums(names, *by_rule)
    )


def _sparse(row: Ints, column: Ints, weight: Floats | Ints, shape: tuple[int, int]) -> csr_array:
    from scipy.sparse import csr_array

    return csr_array((np.asarray(weight, np.float64), (row, column)), shape=shape)


def _set_matrix(paths: Journeys) -> tuple[np.ndarray, csr_array]:
    masks, place = set_places(paths)
    rows = np.arange(len(paths))
    return masks, _sparse(rows, place, np.ones(len(rows)), (len(rows), len(masks)))


def _step_matrix(paths: Journeys, order: int) -> tuple[csr_array, csr_array]:
    """Give which steps each path takes but its last [rows, cells], and the state it ends in [rows, states + 1]."""
    size, rows = len(paths.channels), len(paths)
    states = states_of(size, order)
    some = np.flatnonzero(paths.length)
    code = paths.channel.astype(np.int64)
    begin, behind = paths.starts[some], paths.starts[some + 1]
    state = states_at(code, begin, size, order)
    inner = np.ones(len(code), np.bool_)
    inner[behind - 1] = False
    at = np.flatnonzero(inner)
    path = np.repeat(np.arange(rows), paths.length)[at]
    cell = np.concatenate([state[at] * (size + 2) + code[at + 1], states * (size + 2) + code[begin]])
    row = np.concatenate([path, some])
    end = np.full(rows, states)
    end[some] = state[behind - 1]
    return (
        _sparse(row, cell, np.ones(len(row)), (rows, (states + 1) * (size + 2))),
        _sparse(np.arange(rows), end, np.ones(rows), (rows, states + 1)),
    )


def _rule_matrix(paths: Journeys) -> tuple[tuple[str, ...], csr_array]:
    """Give each path's weights by rule and channel [rows, rules x K]; rules that need instants are not there."""
    some = touched(paths)
    size = len(paths.channels)
    names = tuple(name for name in RULES if name != "decay")
    row = np.repeat(np.flatnonzero(paths.length), some.length)
    found = [weights(some, name) for name in names]
    cells = [number * size + some.channel.astype(np.int64) for number in range(len(names))]
    weight = np.concatenate([one for one in found if one is not None])
    matrix = _sparse(np.tile(row, len(names)), np.concatenate(cells), weight, (len(paths), len(names) * size))
    return names, matrix


# -- how far apart


def limits(estimate: Floats, spread: Floats, method: str, level: float) -> tuple[Floats, Floats]:
    """Give the interval around an estimate [...] from the same answer for each replicate [R, ...].

    bootstrap, quick: the middle `level` of the replicates. blocks: estimate -+ t sd with sd^2 = (G - 1) / G times the
    sum of squares about their mean (delete-one-block jackknife), t of G - 1 degrees of freedom.
    """
    if method != "blocks":
        low, high = np.quantile(spread, [(1 - level) / 2, (1 + level) / 2], axis=0)
        return np.minimum(low, estimate), np.maximum(high, estimate)
    half = jackknife_error(spread) * student(len(spread) - 1, level)
    return estimate - half, estimate + half


def jackknife_error(spread: Floats) -> Floats:
    """Give the standard error from answers that each leave out one block [G, ...]."""
    size = len(spread)
    return np.asarray(np.sqrt((size - 1) / size * ((spread - spread.mean(0)) ** 2).sum(0)))


def normal(level: float) -> float:
    """Give how many standard errors an interval reaches to each side."""
    return NormalDist().inv_cdf((1 + level) / 2)


def student(freedom: int, level: float) -> float:
    """Give the same where the error itself is estimated from `freedom` + 1 blocks.

    Four terms of the expansion in 1 / freedom (Abramowitz & Stegun 26.7.5), right to 1e-5 from 19 on; below, the exact
    value, for which scipy has to be loaded.
    """
    if freedom < FEW:
        from scipy.special import stdtrit

        return float(stdtrit(freedom, (1 + level) / 2))
    z = normal(level)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return float(sum(term / freedom**power for power, term in enumerate(terms)))
