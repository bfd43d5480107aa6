"""Gamma-Gamma: what a purchase of a customer is worth on average, where few have been seen of each."""

from __future__ import annotations

import numpy as np

from plait.failure import Said, Unfit
from plait.stats.clv.fit import Fit, Model, Rough, Surface, maximise, refuse_few
from plait.stats.clv.special import Array, digamma, log_gamma

NAMES = ("p", "q", "gamma")
NAME = "gamma-gamma"
MOST_CORRELATION = 0.3
ENOUGH = 10_000  # customers to find the hill; the top is climbed with all


class SpendFollowsFrequency(Unfit, ValueError):
    """Who buys more often spends more (or less) per purchase, which the model holds impossible."""


class NoMean(Unfit, ValueError):
    """Spend differs so much between customers that its mean does not exist."""


def fit_gamma_gamma(valued: Array, spend: Array, *, forced: bool = False) -> Fit:
    """Say what a purchase is worth, and how much customers differ in it.

    `valued`: how many purchases of each customer have a value (paper: x), `spend`: their mean (z̄), shape (customers,),
    one currency; who has none is left out. A purchase of a customer is gamma with shape p and an own rate; the rates
    are gamma with shape q and rate gamma. Refused below 30 customers with values, where |corr(x, z̄)| > 0.3 unless
    `forced`, and where q <= 1: then the mean does not exist. Source: Fader & Hardie 2013, The Gamma-Gamma model.
    """
    seen = (valued > 0) & (spend > 0)
    x, mean = valued[seen], spend[seen]
    refuse_few(NAME, int(x.size), int(valued.size))
    related = correlation(valued, spend)
    if abs(related) > MOST_CORRELATION and not forced:
        raise SpendFollowsFrequency(
            Said(
                "the number of purchases and their mean value move together (correlation {related:.2f}, at most {most} "
                "is allowed), and the model holds them independent; fit groups of customers apart, or force it.",
                related=related,
                most=MOST_CORRELATION,
            )
        )
    middle = float(mean.mean())
    starts = [(p, q, middle * (q - 1.0) / p) for p, q in ((2.0, 3.0), (6.0, 4.0), (1.0, 8.0), (20.0, 2.0))]
    part = slice(None, None, max(1, x.size // ENOUGH))
    rough = Rough(surface(x[part], mean[part]), float(x[part].size)) if x.size > 3 * ENOUGH else None
    model = Model(NAME, NAMES, (1.0, 1.0, middle))
    fit = maximise(model, surface(x, mean), starts, customers=int(x.size), rough=rough)
    if fit.parameters["q"].value <= 1.0:
        raise NoMean(
            Said(
                "spend differs so much between customers that its mean does not exist (q is {q:.2f}, more than 1 is "
                "needed); take the largest customers out and look at them one by one.",
                q=fit.parameters["q"].value,
            )
        )
    return fit


def correlation(valued: Array, spend: Array) -> float:
    """Tell how the number of purchases and their mean value move together, over customers who have values. -1..1."""
    seen = (valued > 0) & (spend > 0)
    x, mean = valued[seen], spend[seen]
    if not x.size or np.ptp(x) == 0 or np.ptp(mean) == 0:
        return 0.0
    return float(np.corrcoef(x, mean)[0, 1])


def surface(valued: Array, spend: Array) -> Surface:
    """Give the log-likelihood and its gradient as a function of (p, q, gamma); Γ of the different x only."""
    x, of = np.unique(valued, return_inverse=True)
    n_x = np.bincount(of).astype(np.float64)
    total = valued * spend
    log_total = np.log(total)
    sums = np.bincount(of, weights=log_total)
    constant = -float(np.log(spend).sum())

    def at(parameters: Array) -> tuple[float, Array]:
        p, q, g = (float(one) for one in parameters)
        size, many = p * x + q, float(n_x.sum())
        over = np.bincount(of, weights=np.log(g + total))
        weighed = np.bincount(of, weights=1.0 / (g + total))
        height = float(n_x @ (log_gamma(size) - log_gamma(p * x)) + p * (x @ sums) - size @ over) + constant
        height += many * (q * np.log(g) - float(log_gamma(q)))
        psi = digamma(size)
        return float(height), np.array(
            [
                float((x * n_x) @ (psi - digamma(p * x)) + x @ (sums - over)),
                float(n_x @ psi - over.sum()) + many * (np.log(g) - float(digamma(q))),
                many * q / g - float(size @ weighed),
            ]
        )

    return at


def mean_spend(parameters: Array, valued: Array, spend: Array) -> Array:
    """Give what the next purchase of each customer is expected to be worth; for who has no values, of anybody."""
    p, q, g = (float(one) for one in parameters)
    return np.asarray(p * (g + valued * spend) / (p * valued + q - 1.0), np.float64)
