"""Shifted beta-geometric: how long contracts are renewed, where leaving is seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plait.failure import Misused, Said
from plait.stats.clv.fit import Z95, Estimate, Fit, Model, NotIdentified, Surface, TooFew, maximise
from plait.stats.clv.rows import refuse_first
from plait.stats.clv.special import Array, digamma, hypergeometric, log_beta

NAMES = ("alpha", "beta")
NAME, GEOMETRIC = "sbg", "geometric"
ALIKE = 1e4  # alpha + beta beyond which customers do not differ
LEAST_LOST = 10


@dataclass(frozen=True, slots=True, eq=False)
class Renewals:
    """Per age in whole renewal periods (1, 2, ...): `lost` customers who left in that period, `kept` last seen here.

    A customer is counted once: lost, or kept at the age until which it was observed. `entered` is the age at which the
    customers of a line were first seen (0: from the start).
    """

    period: Array
    lost: Array
    kept: Array
    entered: Array

    @property
    def customers(self) -> int:
        """How many customers there are."""
        return int(self.lost.sum() + self.kept.sum())


def renewals(period: Array, lost: Array, kept: Array, entered: Array | None = None) -> Renewals:
    """Check counts of customers lost and kept at each age."""
    entered = np.zeros(period.size) if entered is None else entered
    for wrong, says in (
        (~np.isfinite(period + lost + kept + entered), Said("a number is missing or is none")),
        ((period < 1) | (period != np.floor(period)), Said("a period is a whole number from 1")),
        ((lost < 0) | (kept < 0), Said("a count is below 0")),
        ((entered < 0) | (entered >= period), Said("a customer is first seen before the period in which it is lost")),
    ):
        refuse_first(wrong, says)
    return Renewals(period, lost, kept, entered)


def survivors(counts: Array) -> Renewals:
    """Read one cohort followed from its start: `counts` still there after 0, 1, 2, ... periods."""
    refuse_first(np.diff(counts, prepend=counts[:1]) > 0, Said("more are there than a period before"))
    kept = np.zeros(counts.size - 1)
    kept[-1:] = counts[-1:]
    return renewals(np.arange(1.0, counts.size), -np.diff(counts), kept)


def fit_sbg(rows: Renewals) -> Fit:
    """Say how likely customers are to renew, and how much they differ in it.

    At the end of each period a customer leaves with an own chance (beta with alpha, beta), so those who stay long
    are those who tend to stay. Where customers do not differ, the answer is the geometric model: one chance p to leave
    for everybody, with a note that says so. Refused below 10 lost customers. Source: Fader & Hardie 2007, How to
    project customer retention.
    """
    lost = float(rows.lost.sum())
    if lost < LEAST_LOST:
        raise TooFew(
            Said(
                "{lost:.0f} of {customers} customers were lost; at least {least} are needed to say when the others go.",
                lost=lost,
                customers=rows.customers,
                least=LEAST_LOST,
            )
        )
    chance = lost / float((rows.lost + rows.kept) @ (rows.period - rows.entered))
    starts = [(chance * size, (1.0 - chance) * size) for size in (1.0, 5.0, 20.0) if chance < 1.0]
    try:
        if not starts:
            return _geometric(rows, chance)
        fit = maximise(Model(NAME, NAMES, (1.0, 1.0)), surface(rows), starts, customers=rows.customers)
    except NotIdentified:
        return _geometric(rows, chance)
    return fit if float(fit.values.sum()) <= ALIKE else _geometric(rows, chance)


def _geometric(rows: Renewals, chance: float) -> Fit:
    """Give the model in which everybody leaves with one chance: lost by periods at risk."""
    lost, risk = float(rows.lost.sum()), float((rows.lost + rows.kept) @ (rows.period - rows.entered))
    error = float(np.sqrt((1.0 - chance) / lost))
    low, high = chance * np.exp(-Z95 * error), min(1.0, chance * np.exp(Z95 * error))
    estimate = Estimate(chance, chance * error, float(low), float(high))
    stayed = risk - lost
    height = lost * np.log(chance) + (stayed * np.log1p(-chance) if stayed > 0 else 0.0)
    note = Said(
        "customers do not differ in how likely they are to leave, as far as these data tell: the model is geometric, "
        "{chance:.2%} leave in each period at any age.",
        chance=chance,
    )
    return Fit(GEOMETRIC, {"p": estimate}, float(height), np.array([[error**2]]), rows.customers, (note,))


def surface(rows: Renewals) -> Surface:
    """Give the log-likelihood and its gradient as a function of (alpha, beta)."""
    t, lost, kept, entered = rows.period, rows.lost, rows.kept, rows.entered

    def at(parameters: Array) -> tuple[float, Array]:
        alpha, beta = (float(one) for one in parameters)
        height = lost @ log_beta(alpha + 1.0, beta + t - 1.0) + kept @ log_beta(alpha, beta + t)
        height -= (lost + kept) @ log_beta(alpha, beta + entered)
        a = float(digamma(alpha))
        ever, since = digamma(alpha + beta + t), digamma(alpha + beta + entered)
        by_alpha = lost @ (float(digamma(alpha + 1.0)) - ever) + kept @ (a - ever) - (lost + kept) @ (a - since)
        by_beta = lost @ (digamma(beta + t - 1.0) - ever) + kept @ (digamma(beta + t) - ever)
        by_beta -= (lost + kept) @ (digamma(beta + entered) - since)
        return float(height), np.array([float(by_alpha), float(by_beta)])

    return at


def survival(fit: Fit, periods: Array) -> Array:
    """Give the share of new customers still there after each of `periods`. 0..1."""
    if fit.model == GEOMETRIC:
        return np.asarray((1.0 - fit.values[0]) ** periods, np.float64)
    alpha, beta = (float(one) for one in fit.values)
    return np.exp(log_beta(alpha, beta + periods) - log_beta(alpha, beta))


def retention(fit: Fit, periods: Array) -> Array:
    """Give the share renewed at the end of each of `periods` (1, 2, ...) of those who were there. 0..1.

    It rises with age because the others have gone, not because anybody grows more loyal.
    """
    if fit.model == GEOMETRIC:
        return np.full(periods.shape, 1.0 - fit.values[0])
    alpha, beta = (float(one) for one in fit.values)
    return np.asarray((beta + periods - 1.0) / (alpha + beta + periods - 1.0), np.float64)


def lifetime(fit: Fit, *, discount: float, renewed: int = 0) -> float:
    """Give how many periods a customer will still pay for, later ones discounted by `discount` per period.

    With `renewed` = 0 a new customer, the period begun now included. With N > 0 a customer just before the N-th
    renewal, which may fail: only periods after it count. `discount` > 0; without discount the sum may have no end.
    """
    if discount <= 0:
        raise NoDiscount(Said("a lifetime needs a discount above 0 per period: without one its sum may have no end."))
    z = 1.0 / (1.0 + discount)
    if fit.model == GEOMETRIC:
        kept = 1.0 - float(fit.values[0])
        return (kept if renewed else 1.0) / (1.0 - kept * z)
    alpha, beta = (float(one) for one in fit.values)
    first = float(retention(fit, np.array([float(renewed)]))[0]) if renewed else 1.0
    return first * hypergeometric(1.0, beta + renewed, alpha + beta + renewed, z)


class NoDiscount(Misused, ValueError):
    """A discount of 0 or less was asked for where it must be above 0."""
