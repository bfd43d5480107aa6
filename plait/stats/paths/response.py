"""The response model: each channel that a customer meets is an independent chance of converting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plait.failure import Said, Unfit
from plait.stats.paths.money import Floats, Ints
from plait.stats.paths.statistics import Bools

LARGEST = 20.0  # a hazard of 20 converts all but two in a billion: more cannot be told apart
STEPS, HALVINGS = 100, 40
CLOSE = 1e-10
NUDGE = 1e-3
DROP = 1.6448536269514722**2 / 2  # below the top of the log-likelihood: one-sided 95 %
TINY = 1e-100
CELLS = 4_000_000  # numbers that are held at a time


class NothingToCompare(Unfit):
    """Everybody converted or nobody did: what a channel adds cannot be seen."""


@dataclass(frozen=True, slots=True)
class Response:
    """What each channel adds to the hazard of converting, theta >= 0, and how sure that is.

    `theta` [K] (chance alone: 1 - e^-theta), `error` [K] its standard error (sandwich; NaN is never given: a bound
    coordinate has error 0 and `bound` True), `upper` [K] for bound ones the one-sided upper limit of the profile
    likelihood at 95 %, else theta + 1.645 error. `baseline` is the hazard without any touch, known only where
    untouched customers are; `baseline_known` says so. `log_likelihood` at the estimate.
    """

    theta: Floats
    error: Floats
    upper: Floats
    bound: Bools
    baseline: float
    baseline_error: float
    baseline_known: bool
    log_likelihood: float


def design(member: Bools, *, baseline: bool) -> Floats:
    """Give the model's rows: 1 for each channel of a set, and a last column of 1 where the baseline is identified."""
    rows = member.astype(np.float64)
    return np.column_stack([rows, np.ones(len(rows))]) if baseline else rows


def prepared(member: Bools, n: Ints, k: Ints, *, known: bool | None = None) -> tuple[Floats, Floats, Floats, bool]:
    """Give the rows and counts that the model is fitted on, and whether the baseline is identified.

    It is where some untouched customers did not convert. Where only those are seen who did, as in a log of touches and
    sales, they tell nothing about the chance without a touch and are left out of the fit. `member` [M, K], `n`, `k`
    [..., M]; `known` says it where it has been decided for all customers before.
    """
    untouched = ~member.any(1)
    if known is None:
        known = bool((n > k)[..., untouched].any())
    left_out = untouched & (not known)
    return design(member, baseline=known), np.where(left_out, 0.0, n), np.where(left_out, 0.0, k), known


def log_likelihood(theta: Floats, rows: Floats, n: Floats, k: Floats) -> Floats:
    """Give sum of k ln p - (n - k) eta, with eta = `rows` theta and p = 1 - e^-eta; for [R, C], [R, M] gives [R]."""
    eta = theta @ rows.T
    chance = np.maximum(-np.expm1(-eta), TINY)
    height = (k * np.log(chance) - (n - k) * eta).sum(-1)
    return np.where(((eta <= 0) & (k > 0)).any(-1), -np.inf, height)  # what has happened cannot be impossible


def fitted(rows: Floats, n: Ints | Floats, k: Ints | Floats, start: Floats | None = None) -> Floats:
    """Find the hazards that explain best who converted: theta [R, C], for each of R sets of data.

    P(convert | S) = 1 - exp(-eta_S), eta_S = theta_0 + sum of theta_c over S, theta >= 0. The log-likelihood is
    concave; projected Newton from one start (`start` [C], or all hazards equal): coordinates at 0 that would fall are
    held, steps are halved until it rises. Channels that are only met together are one, and share equally. `rows`
    [M, C], `n`, `k` [R, M]. Refused: nobody converted, or everybody.
    """
    n, k = np.asarray(n, np.float64), np.asarray(k, np.float64)
    some, all_ = k.sum(1) > 0, k.sum(1) >= n.sum(1)
    if not some.all() or all_.any():
        raise NothingToCompare(
            Said("the response model compares journeys that converted with journeys that did not; both are needed.")
        )
    if start is None:
        rate = k.sum(1) / n.sum(1)
        start = (-np.log1p(-rate) / np.maximum(n @ rows.sum(1) / n.sum(1), TINY))[:, None]
    begin = np.broadcast_to(start, (len(n), rows.shape[1])).astype(np.float64)
    kinds, kind, twins = np.unique(rows, axis=1, return_inverse=True, return_counts=True)
    theta = np.stack([begin[:, kind == one].sum(1) for one in range(len(twins))], 1)
    a_time = max(1, CELLS // len(rows))
    for low in range(0, len(n), a_time):
        part = slice(low, low + a_time)
        impossible = ((theta[part] @ kinds.T <= 0) & (k[part] > 0)).any(1, keepdims=True)
        theta[part] = _climb(np.where(impossible, np.maximum(theta[part], NUDGE), theta[part]), kinds, n[part], k[part])
    return np.asarray((theta / twins)[:, kind])


def _climb(theta: Floats, rows: Floats, n: Floats, k: Floats) -> Floats:
    """Take Newton steps in all sets of data at once; those that have arrived are left alone."""
    height = log_likelihood(theta, rows, n, k)
    todo = np.arange(len(theta))
    for _ in range(STEPS):
        here = theta[todo]
        gradient, information = slopes(here, rows, n[todo], k[todo])
        free = ((here > 0) | (gradient > 0)) & ~((here >= LARGEST) & (gradient > 0))
        step = _newton(np.where(free, gradient, 0), information, free)
        there, top = _rise(here, step, height[todo], rows, n[todo], k[todo])
        stuck = (top <= height[todo]) & (np.abs(there - here).max(1) == 0)
        if stuck.any():  # the bound cuts the Newton step off: climb along each axis by its own curvature
            axis = np.where(free, gradient, 0) / np.maximum(np.einsum("rcc->rc", information), TINY)
            other, high = _rise(here[stuck], axis[stuck], height[todo][stuck], rows, n[todo][stuck], k[todo][stuck])
            there[stuck], top[stuck] = other, high
        moved = np.abs(there - here).max(1)
        theta[todo], height[todo] = there, top
        todo = todo[moved > CLOSE * np.maximum(1, here.max(1))]
        if not len(todo):
            break
    return theta


def slopes(theta: Floats, rows: Floats, n: Floats, k: Floats) -> tuple[Floats, Floats]:
    """Give gradient [R, C] and observed information [R, C, C] of the log-likelihood."""
    eta = theta @ rows.T
    left = np.exp(-eta)
    chance = np.maximum(-np.expm1(-eta), TINY)
    gradient = (k * left / chance - (n - k)) @ rows
    weight = k * left / chance / chance
    size = rows.shape[1]
    if rows.size * size <= CELLS:
        information = (weight @ (rows[:, :, None] * rows[:, None, :]).reshape(len(rows), -1)).reshape(-1, size, size)
    else:
        information = np.stack([(rows.T * one) @ rows for one in weight])
    return gradient, information


def _newton(gradient: Floats, information: Floats, free: Bools) -> Floats:
    """Solve for the step of the free coordinates; a ridge of 1e-12 where their sum alone can be told."""
    size = gradient.shape[1]
    both = free[:, :, None] & free[:, None, :]
    scale = np.maximum(np.einsum("rcc->rc", information).max(1), TINY)
    ridge = np.eye(size) * scale[:, None, None]
    return np.linalg.solve(np.where(both, information, 0) + ridge * np.where(both, 1e-12, 1), gradient[:, :, None])[
        :, :, 0
    ]


def _rise(here: Floats, step: Floats, height: Floats, rows: Floats, n: Floats, k: Floats) -> tuple[Floats, Floats]:
    """Go along the steps, halved until the log-likelihood rises; who cannot rise stays."""
    there, top = here.copy(), height.copy()
    todo, size = np.arange(len(here)), 1.0
    for _ in range(HALVINGS):
        tried = np.clip(here[todo] + size * step[todo], 0, LARGEST)
        reached = log_likelihood(tried, rows, n[todo], k[todo])
        good = reached >= height[todo] - 1e-13 * np.abs(height[todo])  # at the top rounding decides
        there[todo[good]], top[todo[good]] = tried[good], reached[good]
        todo, size = todo[~good], size / 2
        if not len(todo):
            break
    return there, top


def described(member: Bools, n: Ints, k: Ints) -> Response:
    """Fit the model once and say how sure each hazard is. `member` [M, K], `n`, `k` [M]."""
    rows, journeys, won, known = prepared(member, n, k)
    theta = fitted(rows, journeys[None], won[None])[0]
    bound = theta <= 0
    free = np.flatnonzero(~bound & (theta < LARGEST))
    error = np.zeros(len(theta))
    if len(free):
        inner = rows[:, free]
        chance = np.maximum(-np.expm1(-rows @ theta), TINY)
        _, information = slopes(theta[None], rows, journeys[None], won[None])
        spread = (inner.T * (won * (1 / chance - 1) ** 2 + journeys - won)) @ inner
        inverse = np.linalg.pinv(information[0][np.ix_(free, free)])
        error[free] = np.sqrt(np.diag(inverse @ spread @ inverse))
    upper = theta + 1.6448536269514722 * error
    for column in np.flatnonzero(bound):
        upper[column] = profile_limit(rows, journeys, won, theta, int(column))
    size = member.shape[1]
    return Response(
        theta[:size], error[:size], upper[:size], bound[:size], float(theta[size]) if known else 0.0,
        float(error[size]) if known else 0.0, known, float(log_likelihood(theta, rows, journeys, won)),
    )  # fmt: skip


def profile_limit(rows: Floats, n: Floats, k: Floats, theta: Floats, column: int, drop: float = DROP) -> float:
    """Give the largest hazard of one column at which the others can still explain the data nearly as well.

    Nearly: the log-likelihood is at most `drop` below its top (z^2 / 2, for one-sided 95 % 1.645^2 / 2). Bisection; the
    others are fitted anew at each try.
    """
    top = float(log_likelihood(theta, rows, n, k))

    def at(height: float) -> float:
        best = _with_offset(np.delete(rows, column, 1), rows[:, column] * height, n, k, np.delete(theta, column))
        return float(log_likelihood(np.insert(best, column, height), rows, n, k))

    low, high = float(theta[column]), max(2 * float(theta[column]), 1e-4)
    while top - at(high) < drop and high < LARGEST:
        low, high = high, high * 2
    for _ in range(25):
        middle = (low + high) / 2
        low, high = (middle, high) if top - at(middle) < drop else (low, middle)
    return (low + high) / 2


def _with_offset(rows: Floats, offset: Floats, n: Floats, k: Floats, start: Floats) -> Floats:
    """Fit the other hazards where one is given: its part of eta is a column of its own that is held at 1."""
    wide = np.column_stack([rows, offset])
    theta = np.append(start, 1.0)
    height = float(log_likelihood(theta, wide, n, k))
    for _ in range(STEPS):
        gradient, information = slopes(theta[None], wide, n[None], k[None])
        free = (theta[None] > 0) | (gradient > 0)
        free[0, -1] = False
        step = _newton(np.where(free, gradient, 0), information, free)
        there, top = _rise(theta[None], step, np.array([height]), wide, n[None], k[None])
        moved = np.abs(there[0] - theta).max()
        theta, height = there[0], float(top[0])
        if moved <= CLOSE:
            break
    return theta[:-1]


def effects(theta: Floats, member: Bools, weight: Floats, baseline: Floats | float = 0.0) -> Floats:
    """Give each channel's part in the chance of converting, added up over journeys with the given weights.

    phi_c(S) is the exact Shapley value of p within S: e^-theta_0 q_c times the integral over u from 0 to 1 of the
    product of (1 - u q_j) over the others j of S, q = 1 - e^-theta; a polynomial, so ceil(|S| / 2) Gauss-Legendre nodes
    are exact. `theta` [R, K], `member` [M, K], `weight` [R, M]: n for the modelled effect, k / p for credit. Gives
    [R, K] sums of weight x phi.
    """
    inside = member.astype(np.float64)
    longest = int(member.sum(1).max()) if member.size else 0
    nodes, shares = np.polynomial.legendre.leggauss(max(1, -(-longest // 2)))
    q = -np.expm1(-theta)
    parts = np.zeros_like(theta)
    for node, share in zip((nodes + 1) / 2, shares / 2, strict=True):
        rest = np.exp(np.log1p(-node * q) @ inside.T)
        parts += share / (1 - node * q) * ((weight * rest) @ inside)
    return parts * q * np.exp(-np.asarray(baseline, np.float64)).reshape(-1, 1)


def chances(theta: Floats, member: Bools, baseline: Floats | float = 0.0) -> Floats:
    """Give the chance of converting for each set [R, M]."""
    return -np.expm1(-(theta @ member.T + np.asarray(baseline, np.float64).reshape(-1, 1)))


def credits_of(theta: Floats, member: Bools, worth: Floats, baseline: Floats | float = 0.0) -> Floats:
    """Share what each set has won, `worth` [R, M], in proportion to each channel's part in its chance.

    A_c = sum of worth phi_c / p; the rest of p, 1 - e^-theta_0, is the baseline's. Gives [R, K + 1], baseline last;
    adds up to the worth of all sets (what a set of chance 0 has won counts as baseline).
    """
    chance = chances(theta, member, baseline)
    weight = np.divide(worth, chance, out=np.zeros_like(chance), where=chance > 0)
    parts = effects(theta, member, weight, baseline)
    own = -np.expm1(-np.asarray(baseline, np.float64)) * weight.sum(1)
    return np.column_stack([parts, own + np.where(chance > 0, 0, worth).sum(1)])
