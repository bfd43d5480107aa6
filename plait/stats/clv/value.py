"""What customers are worth in the time ahead: per customer with an interval, and in total with every width named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from plait.failure import Said
from plait.stats.clv.bg_bb import Occasions
from plait.stats.clv.fit import STEP, Z95, Fit
from plait.stats.clv.gamma_gamma import mean_spend
from plait.stats.clv.outlook import BadHorizon, Outlook, outlook, weighed
from plait.stats.clv.rows import Rows
from plait.stats.clv.special import Array, Index, beta_prime_quantile, inner, student_quantile, sums_by

LOW, HIGH = 0.025, 0.975
MOST_DISCOUNT = 10.0
LEAST_SHAPE = 2.0  # of the gamma over which money is spread: at or below it the variance has no end


@dataclass(frozen=True, slots=True)
class Plan:
    """Until when, and what a sum of money then is worth now.

    `horizon` in the time unit of the rows; `discount` per year (0.1: 10 %), taken in monthly steps; `year`: time units
    in a year; `margin`: share of the money that is left. Rate and margin are Finance's to say.
    """

    horizon: float
    discount: float = 0.0
    margin: float = 1.0
    year: float = 365.25 / 7

    def steps(self, rows: Rows | Occasions) -> tuple[Array, Array]:
        """Give times t_k and weights c_k such that Σ c_k E[Y(t_k)] is the discounted number of purchases.

        Purchases between two steps (months; at fixed occasions: these) are taken as made at the later one.
        """
        if self.discount == 0:
            return np.array([self.horizon]), np.array([1.0])
        step = 1.0 if isinstance(rows, Occasions) else self.year / 12.0
        times = np.append(np.arange(step, self.horizon * (1 - 1e-9), step), self.horizon)
        worth = (1.0 + self.discount) ** (-times / self.year)
        return times, worth - np.append(worth[1:], 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Spend:
    """What purchases of each customer were worth: `valued` purchases of mean `spend`, the `row` of each customer.

    Shapes (customers,). `fit` is a Gamma-Gamma model.
    """

    fit: Fit
    valued: Array
    spend: Array
    row: Index


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """What is to be expected of each customer: shape (customers,).

    `alive` chance to buy ever again, `purchases` expected in the time ahead; with money: `per_purchase` expected worth
    of a purchase, `money` expected in the time ahead, `value` the same discounted and times the margin, `low`, `high`
    the 95 % interval of that value by the customer's own chance (most of it lies at 0 where nobody is sure to return).
    """

    alive: Array
    purchases: Array
    per_purchase: Array | None = None
    money: Array | None = None
    variance: Array | None = None
    value: Array | None = None
    low: Array | None = None
    high: Array | None = None


@dataclass(frozen=True, slots=True)
class Total:
    """A sum over all customers with its 95 % interval, and where the width comes from.

    `chance`: standard deviation by what customers happen to do; `parameters`: by how well the models are known;
    `model`: by how far the models have been off before (None: not known, and not in the interval). `chance`, `low` and
    `high` are None where the spread has no end, see `because`.
    """

    value: float
    chance: float | None
    parameters: float
    model: float | None
    low: float | None
    high: float | None
    because: Said | None = None


@dataclass(frozen=True, slots=True)
class ModelError:
    """How far totals were off before: root mean square of ln(actual/expected) over `origins` past origins (3 or more).

    Few origins, so the interval takes Student's t with that many degrees of freedom.
    """

    rms: float
    origins: int

    @property
    def factor(self) -> float:
        """Give the half width of a 95 % interval in units of `rms`."""
        return student_quantile(HIGH, self.origins)


def predict(fit: Fit, rows: Rows | Occasions, plan: Plan, *, of: Index, spend: Spend | None = None) -> Forecast:
    """Say what is to be expected of each customer; `of` is the row of each."""
    _check(plan)
    seen = outlook(fit.model, fit.values, rows, plan.horizon)
    if spend is None:
        return Forecast(seen.alive[of], seen.mean[of])
    per_purchase = mean_spend(spend.fit.values, spend.valued, spend.spend)
    ratio = _discounted(fit, rows, plan, seen) * plan.margin
    p, q, g = (float(one) for one in spend.fit.values)
    valued, key = _valued(rows, of, spend)
    low, high = _interval(seen, p, p * valued + q, key)
    scale = (g + spend.valued * spend.spend) * ratio[of]
    money = seen.mean[of] * per_purchase
    return Forecast(
        seen.alive[of],
        seen.mean[of],
        per_purchase,
        money,
        _variance(seen, spend, of),
        money * ratio[of],
        low[key[1]] * scale,
        high[key[1]] * scale,
    )


def _check(plan: Plan) -> None:
    if not (plan.horizon > 0 and np.isfinite(plan.horizon)):
        raise BadHorizon(Said("a horizon of {horizon} is not ahead; give a number above 0.", horizon=plan.horizon))
    if not (0 <= plan.discount < MOST_DISCOUNT and 0 < plan.margin <= 1):
        raise BadHorizon(
            Said("a discount is 0 or more per year (0.1: 10 %), a margin a share above 0 up to 1; mend what is not.")
        )


def _discounted(fit: Fit, rows: Rows | Occasions, plan: Plan, seen: Outlook) -> Array:
    """Give the discounted purchases of a row as a share of its purchases."""
    times, weights = plan.steps(rows)
    if times.size == 1:
        return np.full(seen.mean.size, float(weights[0]))
    discounted = weighed(fit.model, fit.values, rows, times, weights)
    return np.divide(discounted, seen.mean, out=np.zeros_like(discounted), where=seen.mean > 0)


def _valued(rows: Rows | Occasions, of: Index, spend: Spend) -> tuple[Array, tuple[Index, Index]]:
    """Give how many valued purchases each case has, and (row of the case, case of the customer).

    A case is a row, or, where the rows do not tell customers by the number of valued purchases, part of one.
    """
    if isinstance(rows, Rows):
        return rows.valued, (np.arange(rows.x.size), of)
    both, case = np.unique(np.stack([of.astype(np.float64), spend.valued], 1), axis=0, return_inverse=True)
    return both[:, 1], (both[:, 0].astype(np.int64), case.reshape(-1))


def _interval(seen: Outlook, p: float, shape: Array, key: tuple[Index, Index]) -> tuple[Array, Array]:
    """Give the 95 % interval of the money of each case, in units of gamma + x z̄.

    With P(Y = 0) it is 0. Above, money is a gamma by how much is bought (matched to the two moments of a sum of Y
    gammas of shape p) over a gamma of the customer's own rate: their ratio is a beta prime, which has the mean and the
    variance of the money exactly.
    """
    none = seen.none[key[0]]
    low, high = np.zeros(none.size), np.zeros(none.size)
    for share, end in ((LOW, low), (HIGH, high)):
        over = np.flatnonzero(none < share)
        some, row = 1.0 - none[over], key[0][over]
        once, twice = seen.mean[row] / some, seen.square[row] / some
        units = p * once
        bulk = units**2 / (units + p * p * np.maximum(twice - once**2, 0.0))
        within = (share - none[over]) / some
        end[over] = units / bulk * beta_prime_quantile(within, bulk, shape[over])
    return low, high


def _variance(seen: Outlook, spend: Spend, of: Index) -> Array | None:
    """Give the variance of each customer's money; None where it has no end for somebody (p x + q <= 2)."""
    p, q, g = (float(one) for one in spend.fit.values)
    shape = p * spend.valued + q
    if float(shape.min(initial=np.inf)) <= LEAST_SHAPE:
        return None
    unit = (p * (g + spend.valued * spend.spend) / (shape - 1.0)) ** 2
    mean, square = seen.mean[of], seen.square[of]
    return np.asarray(unit * ((shape - 1.0) / (shape - 2.0) * (mean / p + square) - mean**2), np.float64)


def total_purchases(fit: Fit, rows: Rows | Occasions, plan: Plan, *, model: ModelError | None = None) -> Total:
    """Say how many purchases all customers make in the time ahead, with its interval."""
    _check(plan)
    seen = outlook(fit.model, fit.values, rows, plan.horizon)
    chance = float(np.sqrt(inner(rows.weight, seen.square - seen.mean**2)))
    until, once = np.array([plan.horizon]), np.ones(1)
    gradient = _slope(fit, lambda values: inner(rows.weight, weighed(fit.model, values, rows, until, once)))
    return _with_widths(inner(rows.weight, seen.mean), chance, _spread(gradient, fit), model)


def total_value(
    fit: Fit, rows: Rows | Occasions, plan: Plan, forecast: Forecast, *, spend: Spend, model: ModelError | None = None
) -> Total:
    """Say what all customers together are worth in the time ahead, discounted and times the margin, with its interval.

    `forecast` is what `predict` gave for the same. The two models are fitted apart, so their errors add up as squares.
    What discounting takes off a customer's money is held as it is: when the purchases come hardly hangs on how well the
    parameters are known.
    """
    assert forecast.value is not None and forecast.money is not None  # noqa: S101, PT018 - made with `spend`
    per_purchase = mean_spend(spend.fit.values, spend.valued, spend.spend)
    ratio = np.divide(forecast.value, forecast.money, out=np.zeros_like(forecast.value), where=forecast.money > 0)
    bought, each = forecast.purchases * ratio, sums_by(spend.row, per_purchase * ratio, rows.x.size)
    until, once = np.array([plan.horizon]), np.ones(1)

    def by_purchases(values: Array) -> float:
        return inner(each, weighed(fit.model, values, rows, until, once))

    def by_spend(values: Array) -> float:
        return inner(bought, mean_spend(values, spend.valued, spend.spend))

    parameters = np.hypot(_spread(_slope(fit, by_purchases), fit), _spread(_slope(spend.fit, by_spend), spend.fit))
    chance = None if forecast.variance is None else float(np.sqrt(inner(forecast.variance, ratio**2)))
    return _with_widths(float(forecast.value.sum()), chance, float(parameters), model)


def _slope(fit: Fit, total: Callable[[Array], float]) -> Array:
    """Give the gradient of a total by the logs of the parameters, by central differences."""
    step = 10 * STEP
    slopes = []
    for place in range(fit.values.size):
        up, down = fit.values, fit.values
        up[place] *= np.exp(step)
        down[place] *= np.exp(-step)
        slopes.append((total(up) - total(down)) / (2 * step))
    return np.array(slopes)


def _spread(gradient: Array, fit: Fit) -> float:
    return float(np.sqrt(gradient @ fit.covariance_of_logs @ gradient))


def _with_widths(value: float, chance: float | None, parameters: float, model: ModelError | None) -> Total:
    """Make the interval: half width √((1.96 · sd of chance and parameters)² + (t · RMS · total)²)."""
    off = None if model is None else model.rms * value
    if chance is None:
        return Total(value, None, parameters, off, None, None, _ENDLESS)
    half = Z95 * np.hypot(chance, parameters)
    if model is not None and off is not None:
        half = np.hypot(half, model.factor * off)
    return Total(value, chance, parameters, off, max(0.0, value - float(half)), value + float(half))


_ENDLESS = Said(
    "what customers spend differs so much that the spread of the total has no end (q is 2 or less); the expected value "
    "stands, an interval does not."
)
