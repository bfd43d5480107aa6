"""BG/NBD and MBG/NBD: how often customers buy, and whether they still do, where nobody says good-bye."""

from __future__ import annotations

import numpy as np

from plait.stats.clv.fit import Fit, Model, Rough, Surface, maximise, refuse_few
from plait.stats.clv.rows import Rows
from plait.stats.clv.special import Array, Index, different, digamma, inner, log_beta, log_gamma, sums_by

NAMES = ("r", "alpha", "a", "b")
MODELS = {"bg-nbd": 0.0, "mbg-nbd": 1.0}  # the chances to leave before the first repeat purchase
TINY = 1e-300
ENOUGH_ROWS = 10_000  # to find the hill; the top is climbed on all rows


def fit_bg_nbd(rows: Rows) -> Fit:
    """Say how often customers buy and how soon they leave, from what they have bought.

    While with us a customer buys at an own rate (over customers: gamma with shape r, rate alpha); after each repeat
    purchase the customer leaves with an own chance (beta with a, b). Who never bought again counts as alive. Times in
    the unit of the rows. Refused below 30 repeat customers, and where a parameter runs away. Source: Fader, Hardie &
    Lee 2005, "Counting your customers" the easy way.
    """
    return _fit(rows, "bg-nbd")


def fit_mbg_nbd(rows: Rows) -> Fit:
    """Say the same as `fit_bg_nbd`, where a customer may leave right after the first purchase too.

    Use it when "everybody who bought once is still alive" misleads. Source: Batislam, Denizel & Filiztekin 2007.
    """
    return _fit(rows, "mbg-nbd")


def _fit(rows: Rows, name: str) -> Fit:
    refuse_few(name, rows.repeat, rows.customers)
    rate = inner(rows.weight, rows.x) / inner(rows.weight, rows.age)
    scale = 1.0 / rate
    starts = [(r, r * scale, a, b) for r, a, b in ((0.3, 0.8, 2.5), (1.0, 0.5, 4.0), (0.6, 1.5, 1.5), (2.0, 0.2, 6.0))]
    part = rows.thinned(ENOUGH_ROWS) if rows.x.size > 3 * ENOUGH_ROWS else None
    rough = None if part is None else Rough(surface(part, name), float(part.weight.sum()))
    model = Model(name, NAMES, (1.0, scale, 1.0, 1.0))
    return maximise(model, surface(rows, name), starts, customers=rows.customers, rough=rough)


def surface(rows: Rows, name: str) -> Surface:
    """Give the log-likelihood and its gradient as a function of (r, alpha, a, b).

    Gamma functions are taken of the different `x` only, logs of the different times only.
    """
    shift, weight = MODELS[name], rows.weight
    (x, x_of), (age, age_of), (t_x, t_x_of) = (different(one) for one in (rows.x, rows.age, rows.t_x))
    n_x = sums_by(x_of, weight)
    n_age_x = sums_by(age_of, weight * rows.x)
    n_age = sums_by(age_of, weight)
    may_leave = np.flatnonzero(rows.x > 0) if shift == 0 else np.arange(rows.x.size)
    leaver = Leavers(x, weight[may_leave], x_of[may_leave], age_of[may_leave], t_x_of[may_leave])
    total = float(weight.sum())

    def at(parameters: Array) -> tuple[float, Array]:
        r, alpha, a, b = (float(one) for one in parameters)
        log_age, log_t_x = np.log(alpha + age), np.log(alpha + t_x)
        counts = log_gamma(r + x) - log_gamma(r) + log_beta(a, b + x + shift) - log_beta(a, b)
        height = inner(n_x, counts) + total * r * np.log(alpha) - inner(r * n_age + n_age_x, log_age)
        more, gradient = leaver.part(parameters, log_age, log_t_x, 1.0 / (alpha + age), 1.0 / (alpha + t_x), shift)
        psi_a, psi_ax = digamma(a + b), digamma(a + b + x + shift)
        gradient[0] += inner(n_x, digamma(r + x) - digamma(r)) + total * np.log(alpha)
        gradient[0] -= inner(n_age, log_age)
        gradient[1] += total * r / alpha - inner(r * n_age + n_age_x, 1.0 / (alpha + age))
        gradient[2] += inner(n_x, psi_a - psi_ax)
        gradient[3] += inner(n_x, digamma(b + x + shift) - psi_ax - digamma(b) + psi_a)
        return height + more, gradient

    return at


class Leavers:
    """The rows of customers who may have left, and the likelihood that this adds: ln(1 + D/A) for each.

    D/A = a/(b+x-1) · ((alpha+T)/(alpha+t_x))^(r+x): having left after the last purchase, beside still being here.
    """

    __slots__ = ("age_of", "t_x_of", "weight", "x", "x_of")

    def __init__(self, x: Array, weight: Array, x_of: Index, age_of: Index, t_x_of: Index) -> None:
        self.x, self.weight, self.x_of, self.age_of, self.t_x_of = x, weight, x_of, age_of, t_x_of

    def part(
        self, parameters: Array, log_age: Array, log_t_x: Array, by_age: Array, by_t_x: Array, shift: float
    ) -> tuple[float, Array]:
        """Give the log-likelihood and the gradient that these rows add."""
        r, _, a, b = (float(one) for one in parameters)
        size, still = r + self.x, _still(b, self.x, shift)
        longer = log_age[self.age_of] - log_t_x[self.t_x_of]
        odds = longer * size[self.x_of]
        odds += (np.log(a) - np.log(still))[self.x_of]
        shrunk = np.exp(-np.abs(odds))
        height = inner(self.weight, np.maximum(odds, 0.0) + np.log1p(shrunk))
        left = self.weight * np.where(odds > 0, 1.0, shrunk) / (1.0 + shrunk)
        by_x = sums_by(self.x_of, left, self.x.size)
        by_time = by_age[self.age_of] - by_t_x[self.t_x_of]
        return height, np.array(
            [
                inner(left, longer),
                inner(size, sums_by(self.x_of, left * by_time, self.x.size)),
                float(by_x.sum()) / a,
                -inner(by_x, 1.0 / still),
            ]
        )


def _still(b: float, x: Array, shift: float) -> Array:
    """Give b+x-1 (MBG/NBD: b+x); who cannot have left has 1 in its place, which nobody looks at."""
    return np.where(x + shift > 0, np.maximum(b + x + shift - 1.0, TINY), 1.0)


def alive(parameters: Array, rows: Rows, name: str) -> Array:
    """Give the chance that a customer of each row will ever buy again."""
    r, alpha, a, b = (float(one) for one in parameters)
    shift = MODELS[name]
    longer = np.log((alpha + rows.age) / (alpha + rows.t_x))
    odds = np.log(a) - np.log(_still(b, rows.x, shift)) + (r + rows.x) * longer
    here = np.exp(-np.logaddexp(0.0, odds))
    return np.where(rows.x + shift > 0, here, 1.0)
