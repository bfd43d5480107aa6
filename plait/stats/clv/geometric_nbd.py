"""BG/NBD without differences in leaving: all customers leave with one chance (geometric/NBD), or none does (NBD).

What BG/NBD becomes where a and b run away: the data know how customers differ in buying and not how in leaving.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from plait.failure import Said
from plait.stats.clv import bg_nbd
from plait.stats.clv.fit import Fit, Model, NotIdentified, Surface, maximise, refuse_few
from plait.stats.clv.rows import Rows
from plait.stats.clv.special import Array, digamma, inner, log_gamma

MODELS = GEOMETRIC, NBD = "geometric-nbd", "nbd"
NAMES = ("r", "alpha", "p")
ALIKE = 1e9  # a + b of a beta distribution that is one chance
NEVER = 1e-300  # the chance to leave of somebody who never does


def fit_geometric_nbd(rows: Rows) -> Fit:
    """Say how often customers buy, and with which one chance they leave after each purchase but the first.

    A customer buys at an own rate (over customers: gamma with shape r, rate alpha), and leaves after each repeat
    purchase with the chance p, which all have in common. Times in the unit of the rows; the log-likelihood is BG/NBD's.
    Refused below 30 repeat customers, and where a parameter runs away. Source: the limit of Fader, Hardie & Lee 2005
    for a + b without end at a / (a + b) = p.
    """
    return _fit(rows, GEOMETRIC, (0.02, 0.1, 0.3))


def fit_nbd(rows: Rows) -> Fit:
    """Say how often customers buy, if nobody ever leaves. Source: Ehrenberg 1959, The pattern of consumer purchases."""
    return _fit(rows, NBD, (0.0,))


def fit_purchases(rows: Rows, fit: Callable[[Rows], Fit] = bg_nbd.fit_bg_nbd) -> Fit:
    """Fit BG/NBD (or MBG/NBD), or, where its data cannot tell how customers differ in leaving, what that leaves of it.

    `notes` of the answer say so.
    """
    try:
        return fit(rows)
    except NotIdentified as refused:
        for simpler, says in ((fit_geometric_nbd, ONE_CHANCE), (fit_nbd, NOBODY_LEAVES)):
            try:
                found = simpler(rows)
            except NotIdentified:
                continue
            return Fit(**{name: getattr(found, name) for name in Fit.__slots__} | {"notes": (says,)})
        raise refused from None


ONE_CHANCE = Said("The data cannot tell how customers differ in leaving: all are taken to leave with the same chance.")
NOBODY_LEAVES = Said("No customer seems to leave: all are taken to stay for ever.")


def of_bg_nbd(model: str, parameters: Array) -> Array:
    """Give r, alpha, a, b of the BG/NBD that is the same."""
    r, alpha = (float(one) for one in parameters[:2])
    p = float(parameters[2]) if model == GEOMETRIC else 0.0
    return np.array([r, alpha, ALIKE * p, ALIKE * (1.0 - p)])


def alive(model: str, parameters: Array, rows: Rows) -> Array:
    """Give the chance that a customer of each row is still here. Shape (rows,)."""
    stays, left = _terms(_three(model, parameters), rows)
    return np.asarray(np.exp(stays - np.logaddexp(stays, left)), np.float64)


def _fit(rows: Rows, name: str, chances: tuple[float, ...]) -> Fit:
    refuse_few(name, rows.repeat, rows.customers)
    scale = inner(rows.weight, rows.age) / inner(rows.weight, rows.x)
    size = 3 if name == GEOMETRIC else 2
    starts = [(r, r * scale, p)[:size] for r in (0.5, 2.0) for p in chances]
    model = Model(name, NAMES[:size], (1.0, scale, 1.0)[:size])
    return maximise(model, surface(rows, name), starts, customers=rows.customers)


def surface(rows: Rows, name: str) -> Surface:
    """Give the log-likelihood and its gradient as a function of (r, alpha, p), or of (r, alpha)."""
    x, weight, total = rows.x, rows.weight, float(rows.weight.sum())

    def at(parameters: Array) -> tuple[float, Array]:
        three = _three(name, parameters)
        r, alpha, p = (float(one) for one in three)
        if p >= 1.0:
            return -np.inf, np.zeros(parameters.size)
        stays, left = _terms(three, rows)
        both = np.logaddexp(stays, left)
        here = np.exp(stays - both)
        gone = 1.0 - here
        age, t_x = alpha + rows.age, alpha + rows.t_x
        height = inner(weight, log_gamma(r + x) - log_gamma(r) + both) + total * r * np.log(alpha)
        by_r = inner(weight, digamma(r + x) - digamma(r) - here * np.log(age) - gone * np.log(t_x))
        by_alpha = total * r / alpha - inner(weight, (r + x) * (here / age + gone / t_x))
        by_p = inner(weight, gone / p - (x - gone) / (1.0 - p))
        gradient = [by_r + total * np.log(alpha), by_alpha, by_p]
        return height, np.array(gradient[: parameters.size])

    return at


def _three(name: str, parameters: Array) -> Array:
    return parameters if name == GEOMETRIC else np.append(parameters, NEVER)


def _terms(parameters: Array, rows: Rows) -> tuple[Array, Array]:
    """Give the logs of the two ways to such a history: still here, or left after the last purchase."""
    r, alpha, p = (float(one) for one in parameters)
    stay = np.log1p(-p)
    stays = rows.x * stay - (r + rows.x) * np.log(alpha + rows.age)
    left = np.log(p) + (rows.x - 1.0) * stay - (r + rows.x) * np.log(alpha + rows.t_x)
    return stays, np.where(rows.x > 0, left, -np.inf)
