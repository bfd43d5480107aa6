"""How many purchases are to be expected of customers: the whole distribution, in closed form, at unique rows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from plait.failure import Misused, Said
from plait.stats.clv import bg_bb, bg_nbd, geometric_nbd
from plait.stats.clv.bg_bb import Occasions
from plait.stats.clv.fit import UnknownModel
from plait.stats.clv.rows import Rows
from plait.stats.clv.special import Array, Index, log_beta, negative_binomial_tail

SMALL = 1e-10  # a chance that is left out of a sum
FAR = 100  # purchases from which on a sum is an integral
NODES = 32  # of each panel of that integral


class BadHorizon(Misused, ValueError):
    """A time ahead that is not ahead."""


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """What is to be expected of a customer of each row: shape (rows,).

    `alive`: chance to buy ever again; `mean`, `square`: E[Y] and E[Y²] of the purchases Y in the time ahead; `none`:
    P(Y = 0).
    """

    alive: Array
    mean: Array
    square: Array
    none: Array


def outlook(model: str, parameters: Array, rows: Rows | Occasions, horizon: float) -> Outlook:
    """Say what is to be expected of the customers of each row until `horizon` from now.

    `horizon` in the time unit of the rows, for BG/BB in occasions. All terms of the sums are positive: nothing
    overflows, and there is no pole at a = 1.
    """
    if not (np.isfinite(horizon) and horizon > 0):
        raise BadHorizon(Said("a horizon of {horizon} is not ahead; give a number above 0.", horizon=horizon))
    if isinstance(rows, Occasions):
        return _at_occasions(parameters, rows, _whole(horizon))
    if model not in (*bg_nbd.MODELS, *geometric_nbd.MODELS):
        raise UnknownModel(
            Said(
                "{model} expects no purchases; {allowed} do.",
                model=model,
                allowed=", ".join((*bg_nbd.MODELS, *geometric_nbd.MODELS, bg_bb.NAME)),
            )
        )
    alive = _alive(model, parameters, rows)
    mean, square, some = if_alive(model, parameters, rows, horizon)
    return Outlook(alive, alive * mean, alive * square, 1.0 - alive * some)


def _alive(model: str, parameters: Array, rows: Rows) -> Array:
    simple = model in geometric_nbd.MODELS
    return geometric_nbd.alive(model, parameters, rows) if simple else bg_nbd.alive(parameters, rows, model)


def weighed(model: str, parameters: Array, rows: Rows | Occasions, times: Array, weights: Array) -> Array:
    """Give Σ_k weights_k · E[Y until times_k] for a customer of each row: discounted purchases. Shape (rows,)."""
    steps = list(zip(times.tolist(), weights.tolist(), strict=True))
    if isinstance(rows, Occasions):
        means = (weight * _at_occasions(parameters, rows, _whole(time)).mean for time, weight in steps)
        return np.asarray(sum(means), np.float64)
    cells = Cells.of(model, parameters, rows)
    per_cell = sum(weight * purchases(*cells.laws, time)[0] for time, weight in steps)
    return _alive(model, parameters, rows) * np.asarray(per_cell, np.float64)[cells.row]


def if_alive(model: str, parameters: Array, rows: Rows, horizon: float) -> tuple[Array, Array, Array]:
    """Give E[Y], E[Y²] and P(Y > 0) for a customer of each row who is still here.

    P(Y >= j) = B(a, b'+j-1)/B(a, b') · P(N >= j), N negative binomial (size r+x, success (alpha+T)/(alpha+T+t)), and
    b' = b+x (MBG/NBD: b+x+1). It hangs on x and T only, so it is worked out once per cell.
    """
    cells = Cells.of(model, parameters, rows)
    mean, square, some = purchases(*cells.laws, horizon)
    return mean[cells.row], square[cells.row], some[cells.row]


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The different (x, T): `laws` are r+x, alpha+T, a and b' of each, `row` is the cell of each row."""

    laws: tuple[Array, Array, float, Array]
    row: Index

    @classmethod
    def of(cls, model: str, parameters: Array, rows: Rows) -> Cells:
        """Take the cells of rows, which lie together."""
        simple = model in geometric_nbd.MODELS
        shift = 0.0 if simple else bg_nbd.MODELS[model]
        r, alpha, a, b = (float(one) for one in (geometric_nbd.of_bg_nbd(model, parameters) if simple else parameters))
        begins = np.diff(rows.cell, prepend=-1) != 0
        x, age = rows.x[begins], rows.age[begins]
        return cls((r + x, alpha + age, a, b + x + shift), np.cumsum(begins) - 1)


def purchases(size: Array, scale: Array, a: float, b: Array, horizon: float) -> tuple[Array, Array, Array]:
    """Sum the chances of at least 1, 2, 3, ... purchases; each row is summed until they are nothing.

    Who buys hundreds of times has a sum of hundreds of terms: from the hundredth on it is an integral.
    """
    log_first = size * -np.log1p(horizon / scale)
    fail = horizon / (scale + horizon)
    tail = -np.expm1(log_first)
    some = tail.copy()
    mean, square = np.zeros(size.size), np.zeros(size.size)
    live, chance, stays = np.arange(size.size), np.exp(log_first), np.ones(size.size)
    for j in range(1, FAR):
        term = stays * tail
        mean[live] += term
        square[live] += (2 * j - 1) * term
        chance = chance * ((size + j - 1) / j) * fail
        tail = np.maximum(tail - chance, 0.0)
        stays = stays * ((b + j - 1) / (a + b + j - 1))
        on = term > SMALL
        if not on.all():
            live, size, fail, b, term = live[on], size[on], fail[on], b[on], term[on]
            chance, stays, tail = chance[on], stays[on], tail[on]
        if not live.size:
            return mean, square, some
    rest, squares = _far(size, fail, a, b, (term, stays * tail))
    mean[live] += rest
    square[live] += squares
    return mean, square, some


def _far(size: Array, fail: Array, a: float, b: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
    """Sum P(Y >= j) and (2j-1) P(Y >= j) from j = FAR on, as integrals over j by Gauss and Legendre in ln j.

    Three panels: below the number that is likely, around it, and far above. `ends` are the terms at FAR-1 and FAR:
    the sum is the integral from FAR-1/2 and a 24th of the slope there (Euler and Maclaurin), all else cancels.
    """
    begin = FAR - 0.5
    middle, width = size * fail / (1.0 - fail), np.sqrt(size * fail) / (1.0 - fail)
    low, high = (np.maximum(middle * np.exp(side * width / middle), begin) for side in (-9.0, 6.0))
    edges = np.log(np.stack([np.full(size.size, begin), low, high, np.maximum(high, middle + 30.0 * width)]))
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    whole = log_beta(a, b)
    rest, squares = (ends[1] - ends[0]) / 24.0, ((2 * FAR - 1) * ends[1] - (2 * FAR - 3) * ends[0]) / 24.0
    for start, stop in pairwise(edges):
        for node, weight in zip(nodes, weights, strict=True):
            j = np.exp(start + (stop - start) * (node + 1.0) / 2.0)
            term = np.exp(log_beta(a, b + j - 1.0) - whole) * negative_binomial_tail(j, size, 1.0 - fail)
            term = term * j * weight * (stop - start) / 2.0
            rest = rest + term
            squares = squares + (2.0 * j - 1.0) * term
    return rest, squares


def new_customer(model: str, parameters: Array, horizon: float) -> float:
    """Give how many purchases a new customer makes after the first one, until `horizon` from it."""
    if model == bg_bb.NAME:
        alpha, beta = (float(one) for one in parameters[:2])
        ahead = np.arange(1.0, _whole(horizon) + 1.0)
        return alpha / (alpha + beta) * float(np.exp(bg_bb.stay(parameters, ahead)).sum())
    zero = np.zeros(1)
    nobody = Rows(zero, zero, zero, zero, zero, np.zeros(1, np.int64), np.zeros(1, np.int64))
    return float(outlook(model, parameters, nobody, horizon).mean[0])


def _whole(horizon: float) -> int:
    if horizon < 1 or horizon != int(horizon):
        raise BadHorizon(Said("a horizon of {horizon} occasions will not do; give 1, 2, 3, ...", horizon=horizon))
    return int(horizon)


def _at_occasions(parameters: Array, rows: Occasions, horizon: int) -> Outlook:
    """Sum over the next occasions; k of them are reached with the chance `reach[k]`, before the last is left."""
    like = bg_bb.log_likelihood(parameters, rows)
    reach = np.stack([np.exp(bg_bb.stay(parameters, rows.n + k)) for k in range(1, horizon + 1)])
    missed = rows.n - rows.x
    here, once, twice = (np.exp(bg_bb.bought(parameters, rows.x + more, missed) - like) for more in (0.0, 1.0, 2.0))
    alive, mean = here * reach[0], once * reach.sum(0)
    pairs = twice * (np.arange(horizon)[:, None] * reach).sum(0)
    leaves = reach - np.vstack([reach[1:], np.zeros((1, reach.shape[1]))])
    silent = np.stack([np.exp(bg_bb.bought(parameters, rows.x, missed + k) - like) for k in range(1, horizon + 1)])
    none = 1.0 - alive + (leaves * silent).sum(0)
    return Outlook(alive, mean, mean + 2.0 * pairs, np.clip(none, 0.0, 1.0))
