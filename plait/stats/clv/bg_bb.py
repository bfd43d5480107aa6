"""BG/BB: who buys at the next fixed occasion (a yearly renewal, an event), where nobody says good-bye."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plait.failure import Said
from plait.stats.clv.fit import Fit, Model, Surface, maximise, refuse_few
from plait.stats.clv.rows import refuse_first
from plait.stats.clv.special import Array, Index, digamma, log_beta, sums_by

NAMES = ("alpha", "beta", "gamma", "delta")
NAME = "bg-bb"


@dataclass(frozen=True, slots=True, eq=False)
class Occasions:
    """Customers with equal history as one row: `x` purchases in `n` occasions, the last at `t_x` (0: none).

    `weight` is how many customers have this history. The first purchase, which made somebody a customer, is not
    among them.
    """

    x: Array
    t_x: Array
    n: Array
    weight: Array


def occasions(x: Array, t_x: Array, n: Array, weight: Array | None = None) -> tuple[Occasions, Index]:
    """Count customers with equal history together; give the rows and the row of each customer."""
    weight = np.ones(x.size) if weight is None else weight
    for wrong, says in (
        (~np.isfinite(x + t_x + n + weight), Said("a number is missing or is none")),
        ((x != np.floor(x)) | (t_x != np.floor(t_x)) | (n != np.floor(n)), Said("x, t_x and n are whole numbers")),
        ((x < 0) | (weight < 0), Said("a count is below 0")),
        ((x == 0) != (t_x == 0), Said("x and t_x are 0 together or not at all")),
        ((t_x < x) | (t_x > n), Said("the last purchase lies at occasion x at the soonest and n at the latest")),
    ):
        refuse_first(wrong, says)
    keys = np.stack([n, x, t_x], 1)
    unique, of = np.unique(keys, axis=0, return_inverse=True)
    of = of.reshape(-1)
    return Occasions(unique[:, 1], unique[:, 2], unique[:, 0], sums_by(of, weight)), of


def fit_bg_bb(rows: Occasions) -> Fit:
    """Say who buys at an occasion and how soon customers leave, from the occasions at which they bought.

    While with us a customer buys at an occasion with an own chance (beta with alpha, beta) and leaves before each
    occasion with an own chance (beta with gamma, delta). Refused below 30 repeat customers.
    Source: Fader, Hardie & Shang 2010, Customer-base analysis in a discrete-time noncontractual setting.
    """
    customers = int(rows.weight.sum())
    refuse_few(NAME, int(rows.weight[rows.x > 0].sum()), customers)
    starts = [(1.0, 1.0, 1.0, 3.0), (0.5, 1.5, 0.5, 5.0), (2.0, 2.0, 1.0, 10.0), (1.2, 0.75, 0.6, 2.5)]
    return maximise(Model(NAME, NAMES, (1.0,) * 4), surface(rows), starts, customers=customers)


def surface(rows: Occasions) -> Surface:
    """Give the log-likelihood and its gradient as a function of (alpha, beta, gamma, delta)."""
    terms = _terms(rows)

    def at(parameters: Array) -> tuple[float, Array]:
        alpha, beta, gamma, delta = (float(one) for one in parameters)
        logs = terms.logs(parameters)
        peak = np.maximum.reduceat(logs, terms.begin)
        share = np.exp(logs - peak[terms.row])
        whole = np.add.reduceat(share, terms.begin)
        likely = rows.weight @ (peak + np.log(whole))
        share *= (rows.weight / whole)[terms.row]
        buying, staying = (
            digamma(alpha + beta + terms.x + terms.missed),
            digamma(gamma + delta + terms.left + terms.stay),
        )
        total = float(rows.weight.sum())
        psi_buy, psi_stay = float(digamma(alpha + beta)), float(digamma(gamma + delta))
        slopes = (
            float(share @ (digamma(alpha + terms.x) - buying)) - total * (float(digamma(alpha)) - psi_buy),
            float(share @ (digamma(beta + terms.missed) - buying)) - total * (float(digamma(beta)) - psi_buy),
            float(share @ (digamma(gamma + terms.left) - staying)) - total * (float(digamma(gamma)) - psi_stay),
            float(share @ (digamma(delta + terms.stay) - staying)) - total * (float(digamma(delta)) - psi_stay),
        )
        return float(likely), np.array(slopes)

    return at


@dataclass(frozen=True, slots=True, eq=False)
class _Terms:
    """What may have happened to the customers of each row: still here, or left before one of the silent occasions."""

    row: Index
    begin: Index
    x: Array
    missed: Array
    left: Array
    stay: Array

    def logs(self, parameters: Array) -> Array:
        """Give the log of the likelihood of each."""
        alpha, beta, gamma, delta = (float(one) for one in parameters)
        buying = log_beta(alpha + self.x, beta + self.missed) - log_beta(alpha, beta)
        return buying + log_beta(gamma + self.left, delta + self.stay) - log_beta(gamma, delta)


def _terms(rows: Occasions) -> _Terms:
    size = (rows.n - rows.t_x).astype(np.int64) + 1
    begin = np.cumsum(size) - size
    row = np.repeat(np.arange(rows.x.size), size)
    silent = (np.arange(row.size) - begin[row]).astype(np.float64)
    x, t_x, n = rows.x[row], rows.t_x[row], rows.n[row]
    here = t_x + silent == n
    return _Terms(row, begin, x, t_x - x + silent, np.where(here, 0.0, 1.0), t_x + silent)


def log_likelihood(parameters: Array, rows: Occasions) -> Array:
    """Give the log of the likelihood of the history of each row."""
    terms = _terms(rows)
    logs = terms.logs(parameters)
    peak = np.maximum.reduceat(logs, terms.begin)
    return np.asarray(peak + np.log(np.add.reduceat(np.exp(logs - peak[terms.row]), terms.begin)), np.float64)


def stay(parameters: Array, occasion: Array) -> Array:
    """Give the log of the chance that a new customer has not left at an occasion."""
    gamma, delta = (float(one) for one in parameters[2:])
    return log_beta(gamma, delta + occasion) - log_beta(gamma, delta)


def bought(parameters: Array, x: Array, missed: Array) -> Array:
    """Give the log of the chance to buy at `x` given occasions and not at `missed` others, while here."""
    alpha, beta = (float(one) for one in parameters[:2])
    return log_beta(alpha + x, beta + missed) - log_beta(alpha, beta)
