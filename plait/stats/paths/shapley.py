"""Shapley values of stated games, exactly: by sums over all subsets instead of over all orders."""

from __future__ import annotations

from math import factorial

import numpy as np

from plait.stats.paths.money import Floats, Ints
from plait.stats.paths.statistics import Bools

EXACT = 20  # channels up to which all 2^K subsets are looked at
WORK = 2e8  # steps that sampling may take
ORDERS = (20, 1000)  # pairs of orders that are sampled: at least, at most


def subset_sums(worth: Floats) -> Floats:
    """Add up over all subsets: z(S) = sum of x(T) over T within S, for every S, by Yates's method.

    `worth` [..., 2^K], index = mask of the set. K 2^K additions.
    """
    sums = worth.astype(np.float64, copy=True)
    step = 1
    while step < sums.shape[-1]:
        pair = sums.reshape(*sums.shape[:-1], -1, 2, step)
        pair[..., 1, :] += pair[..., 0, :]
        step *= 2
    return sums


def shapley(game: Floats) -> Floats:
    """Give each player's average gain over all orders of arrival, for the game v(S) = `game`[..., mask].

    phi_b = sum over S without b of |S|! (K - |S| - 1)! / K! (v(S and b) - v(S)); they add up to v(all) - v(none).
    Gives [..., K].
    """
    players = int(game.shape[-1]).bit_length() - 1
    weight = np.array([factorial(s) * factorial(players - s - 1) / factorial(players) for s in range(players)])
    smaller = np.bitwise_count(np.arange(game.shape[-1] // 2, dtype=np.uint64))  # any bit left out, the rest in order
    worth = np.empty((*game.shape[:-1], players))
    for player in range(players):
        pair = game.reshape(*game.shape[:-1], -1, 2, 1 << player)
        gain = (pair[..., 1, :] - pair[..., 0, :]).reshape(*game.shape[:-1], -1)
        worth[..., player] = gain @ weight[smaller]
    return worth


def equal_split(member: Bools, k: Ints | Floats) -> Floats:
    """Share each conversion equally among the different channels of its journey.

    This is the exact Shapley value of the game "conversions of journeys within S" (Zhao, Mahboobi & Bagheri 2018).
    `member` [M, K], `k` [R, M] conversions or money of each set; gives [R, K].
    """
    return np.asarray((k / np.maximum(member.sum(1), 1)) @ member.astype(np.float64))


def rates(n: Ints | Floats, k: Ints | Floats, fill: Floats | float = 0.0) -> Floats:
    """Give the conversion rate of those whom only channels of S reached, v(S) = z_k(S) / z_n(S), for every S.

    `n`, `k` [..., 2^K] by exact set. Sets within which nobody was have no rate and take that of `fill`.
    """
    reached, won = subset_sums(np.asarray(n, np.float64)), subset_sums(np.asarray(k, np.float64))
    return np.where(reached > 0, won / np.maximum(reached, 1), fill)


def shapley_by_reach(game: Floats, n: Ints | Floats) -> Floats:
    """Add up over journeys what each channel adds within the set that the journey met: sum of n(S) phi(v within S).

    Through dividends (Harsanyi): d(T) is shared equally by T, and counts for every journey that met all of T. Noisy; a
    check, not a credit. Gives [K].
    """
    players = int(game.shape[-1]).bit_length() - 1
    dividend, meets = game.astype(np.float64, copy=True), np.asarray(n, np.float64).copy()
    for player in range(players):
        pair = dividend.reshape(-1, 2, 1 << player)
        pair[:, 1] -= pair[:, 0]
        above = meets.reshape(-1, 2, 1 << player)
        above[:, 0] += above[:, 1]
    mask = np.arange(len(game), dtype=np.uint64)
    each = dividend * meets / np.maximum(np.bitwise_count(mask), 1)
    return np.array([each[(mask >> np.uint64(player)) & np.uint64(1) == 1].sum() for player in range(players)])


def sampled_rate_shapley(member: Bools, n: Ints, k: Ints, *, seed: int) -> tuple[Floats, Floats]:
    """Estimate the Shapley values of the rate game for many channels, with their standard errors.

    Orders are drawn in pairs, each with its reverse (antithetic). Along an order the sets only grow, so one sort by the
    latest member of each observed set gives all their rates. `member` [M, K], `n`, `k` [M]; gives two [K].
    """
    chance = np.random.default_rng(seed)
    size = member.shape[1]
    pairs = int(np.clip(WORK / max(member.size, 1), *ORDERS))
    gains = np.zeros((pairs, size))
    for pair in range(pairs):
        order = chance.permutation(size)
        for one in (order, order[::-1]):
            rank = np.empty(size, np.int64)
            rank[one] = np.arange(1, size + 1)
            complete = (member * rank).max(1)
            reached = np.cumsum(np.bincount(complete, n, size + 1))
            won = np.cumsum(np.bincount(complete, k, size + 1))
            rate = np.where(reached > 0, won / np.maximum(reached, 1), 0)
            gains[pair, one] += np.diff(rate) / 2
    return gains.mean(0), gains.std(0, ddof=1) / np.sqrt(pairs)
