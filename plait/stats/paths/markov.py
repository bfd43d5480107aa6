"""Markov removal effects, exactly: what share of conversions the walk would lose if a channel led nowhere."""

from __future__ import annotations

import numpy as np

from plait.stats.paths.money import Floats, Ints
from plait.stats.paths.statistics import Transitions


def removal_effects(counts: Ints | Floats, *, order: int, worth: Floats | None = None) -> tuple[Floats, Floats]:
    """Give the share of conversions that the walk loses when a channel leads to nothing, and the base rate.

    `counts` [R, states + 1, K + 2] as in `Transitions`, for each of R sets of data; `worth` [R, states + 1] takes the
    place of conversions where money is asked for. With P the rows normalised, Q its part from state to state, r to
    conversion, N = (I - Q)^-1 and c = N r, removal of the states I loses RE = N_SI (N_II)^-1 c_I / c_S (S = START;
    anchored in Anderl et al. 2016 and Kemeny & Snell 1960; one inverse serves all channels). Gives RE [R, K], 0 to 1,
    and c_S [R]; RE is 0 where c_S is. RE do not sum to 1.
    """
    size = counts.shape[2] - 2
    used = np.append(counts[:, :-1].any((0, 2)), True)  # states that nobody was in are left out; START stays
    latest = np.arange(counts.shape[1] - 1) % size
    rows = counts[:, used].astype(np.float64)
    visits = np.maximum(rows.sum(2), 1)
    reach = np.linalg.inv(np.eye(rows.shape[1]) - _walk(rows / visits[:, :, None], used, size, order))
    gain = (rows[:, :, size] if worth is None else worth[:, used]) / visits
    chance = (reach @ gain[:, :, None])[:, :, 0]
    base = chance[:, -1]
    effects = np.zeros((len(counts), size))
    for channel in range(size):
        own = np.flatnonzero(latest[used[:-1]] == channel)
        if len(own):
            back = np.linalg.solve(reach[:, own[:, None], own], chance[:, own, None])[:, :, 0]
            lost = (reach[:, -1, own] * back).sum(1)
            effects[:, channel] = np.divide(lost, base, out=np.zeros_like(lost), where=base > 0)
    return np.clip(effects, 0, 1), base


def _walk(chances: Floats, used: Floats, size: int, order: int) -> Floats:
    """Give Q [R, states, states] of the states that are used, START last: no step leads to START."""
    names = np.flatnonzero(used)
    place = np.full(len(used), -1)
    place[names] = np.arange(len(names))
    walk = np.zeros((len(chances), len(names), len(names)))
    for row, name in enumerate(names):
        start = name == len(used) - 1
        base = 0 if order == 1 else (size if start else int(name) % size) * size
        target = place[base : base + size]
        walk[:, row, target[target >= 0]] = chances[:, row, :size][:, target >= 0]
    return walk


def removal_effect_of_set(steps: Transitions, channels: list[int]) -> float:
    """Give the removal effect of several channels together, such as all of one partner."""
    size = steps.counts.shape[2] - 2
    counts = steps.counts.sum(0, keepdims=True).astype(np.float64)
    base = removal_effects(counts, order=steps.order)[1][0]
    gone = counts.copy()
    latest = np.arange(steps.states) % size
    rows = np.flatnonzero(np.isin(latest, channels))
    gone[:, rows] = 0
    gone[:, rows, -1] = 1  # who comes there is lost
    return float(1 - removal_effects(gone, order=steps.order)[1][0] / base) if base > 0 else 0.0


def drawn(steps: Transitions, draws: int, seed: int) -> Floats:
    """Draw the rows of a first-order walk from what was counted (Dirichlet of counts): a quick look at chance.

    Gives counts [draws, K + 1, K + 2] with the row sums of `steps`. The draws ignore that the steps of one journey
    belong together, so intervals from them are up to 20 % too narrow.
    """
    counts = steps.first_order().counts.sum(0).astype(np.float64)
    shares = np.random.default_rng(seed).standard_gamma(counts + 1e-9, (draws, *counts.shape))
    shares *= counts > 0
    drawn = shares / np.maximum(shares.sum(2, keepdims=True), 1e-300) * counts.sum(1)[:, None]
    return np.asarray(drawn)
