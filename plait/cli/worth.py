"""What a history says under a model: the figures that `plait value` prints, as JSON, as CSV or in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from plait.cli.histories import EPOCH, History
from plait.cli.plainly import Misuse
from plait.failure import Misused, Unfit
from plait.stats.clv.back_test import FITS, BackTest, back_test, model_error
from plait.stats.clv.bg_bb import fit_bg_bb
from plait.stats.clv.fit import Fit
from plait.stats.clv.gamma_gamma import correlation, fit_gamma_gamma, mean_spend
from plait.stats.clv.rows import Rows, collapse
from plait.stats.clv.shifted_beta_geometric import fit_sbg, lifetime, retention, survival
from plait.stats.clv.value import Forecast, ModelError, Plan, Spend, Total, predict, total_purchases, total_value

if TYPE_CHECKING:
    from plait.stats.clv.bg_bb import Occasions
    from plait.stats.clv.rows import Customers
    from plait.stats.clv.special import Array, Index

MOST_PERIODS = 1000
ORIGINS = (1 / 2, 2 / 3, 5 / 6)  # of the time seen: from where the forecast is tried on what came


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to work out: until when, at what discount and margin, in what unit of time."""

    model: str
    plan: Plan
    unit: str
    days: float
    forced: bool


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """`told` is the JSON; `table` has a line per customer (contracts: per age) with the columns by name."""

    told: dict[str, Any]
    table: dict[str, Any]
    notes: list[str] = field(default_factory=list)


def answer(history: History, wanted: Wanted) -> Answer:
    """Fit the model to what is known, and look ahead."""
    if wanted.model == "sbg":
        found = _contracts(history, wanted)
    elif wanted.model == "gamma-gamma":
        found = _spend_only(history, wanted)
    elif wanted.model == "bg-bb":
        found = _at_occasions(history, wanted)
    else:
        found = _purchases(history, wanted)
    notes = [*history.notes, *found.notes]
    return Answer(found.told | {"left_out": history.left_out, "notes": notes}, found.table)


def _fitted(fit: Fit, wanted: Wanted) -> dict[str, Any]:
    return {
        "model": fit.model,
        "parameters": {
            name: {"value": one.value, "standard_error": one.standard_error, "low": one.low, "high": one.high}
            for name, one in fit.parameters.items()
        },
        "log_likelihood": fit.log_likelihood,
        "customers": fit.customers,
        "unit": wanted.unit,
    }


def _total(total: Total) -> dict[str, float | None]:
    return {
        "value": total.value,
        "low": total.low,
        "high": total.high,
        "chance": total.chance,
        "parameters": total.parameters,
        "model": total.model,
    }


# -- purchases at any time


def _purchases(history: History, wanted: Wanted) -> Answer:
    """Expect purchases, and money where it is known."""
    customers = history.customers
    assert customers is not None  # noqa: S101 - read so for these models
    rows = collapse(customers)
    fit = FITS[wanted.model](rows)
    notes: list[str] = [str(note) for note in fit.notes]
    off, tests = _off(history, wanted, notes)
    spend = _spend(customers, rows, wanted, notes)
    forecast = predict(fit, rows, wanted.plan, of=rows.of, spend=spend)
    told = _fitted(fit, wanted) | {
        "repeat_customers": customers.repeat,
        "different_histories": int(rows.x.size),
        "until": None if history.until is None else history.until.isoformat(),
    }
    alive = float(forecast.alive.sum())
    told |= _expected(fit, rows, wanted, forecast, alive=alive, spend=spend, off=off, notes=notes)
    told["spend"] = None if spend is None else _spend_told(spend, customers)
    told["model_error"] = None if off is None else {
        "rms": off.rms, "origins": off.origins, "factor": off.factor, "tests": [_tried(test) for test in tests],
    }  # fmt: skip
    return Answer(told, _table(history, forecast, customers.count), notes)


def _expected(
    fit: Fit,
    rows: Rows | Occasions,
    wanted: Wanted,
    forecast: Forecast,
    *,
    alive: float,
    spend: Spend | None,
    off: ModelError | None,
    notes: list[str],
) -> dict[str, Any]:
    """Sum up over all customers."""
    plan = wanted.plan
    expected: dict[str, Any] = {
        "alive": alive,
        "purchases": _total(total_purchases(fit, rows, plan, model=off)),
        "money": None,
        "value": None,
    }
    if spend is not None and forecast.money is not None:
        worth = total_value(fit, rows, plan, forecast, spend=spend, model=off)
        expected |= {"money": float(forecast.money.sum()), "value": _total(worth)}
        notes += [str(worth.because)] if worth.because else []
    return {"horizon": plan.horizon, "discount": plan.discount, "margin": plan.margin, "expected": expected}


def _spend(customers: Customers, rows: Rows, wanted: Wanted, notes: list[str]) -> Spend | None:
    """Fit Gamma-Gamma where there is money; what it refuses is noted, and purchases are told without money."""
    if customers.spend is None or customers.valued is None or not customers.valued.any():
        return None
    try:
        fit = fit_gamma_gamma(customers.valued, customers.spend, forced=wanted.forced)
    except Unfit as refused:
        notes.append(f"no value in money: {refused.args[0]}")
        return None
    return Spend(fit, customers.valued, customers.spend, rows.of)


def _spend_told(spend: Spend, customers: Customers) -> dict[str, Any]:
    assert customers.spend is not None  # noqa: S101 - `spend` is made of it
    fit = spend.fit
    return {
        "model": fit.model,
        "parameters": {
            name: {"value": one.value, "standard_error": one.standard_error, "low": one.low, "high": one.high}
            for name, one in fit.parameters.items()
        },
        "log_likelihood": fit.log_likelihood,
        "customers": fit.customers,
        "correlation": correlation(spend.valued, spend.spend),
        "mean": float(mean_spend(fit.values, np.zeros(1), np.zeros(1))[0]),
    }


def _off(history: History, wanted: Wanted, notes: list[str]) -> tuple[ModelError | None, list[BackTest]]:
    """Try the forecast on what came after three past days; without a log there is no past to try it on."""
    if history.purchases is None or history.first is None or history.until is None:
        notes.append("the interval has chance and parameters only: a summary has no past on which to try the forecast")
        return None, []
    first, until = (day.toordinal() - EPOCH for day in (history.first, history.until))
    try:
        tests = [
            back_test(
                history.purchases,
                wanted.model,
                origin=first + int(part * (until - first)),
                until=until,
                unit=wanted.days,
            )
            for part in ORIGINS
        ]
        return model_error(tests), tests
    except (Unfit, Misused) as refused:
        notes.append(f"the interval has chance and parameters only, no past day could be tried: {refused.args[0]}")
        return None, []


def _tried(test: BackTest) -> dict[str, Any]:
    from datetime import date

    return {
        "origin": date.fromordinal(test.origin + EPOCH).isoformat(),
        "expected": test.expected,
        "actual": test.actual,
        "ratio": test.actual / test.expected,
    }


def _table(history: History, forecast: Forecast, count: int) -> dict[str, Any]:
    """Give a line per customer."""
    names = history.names if history.names is not None else np.arange(1, count + 1)
    return {
        "customer": names,
        "expected_purchases": forecast.purchases,
        "p_alive": forecast.alive,
        "spend_per_purchase": forecast.per_purchase,
        "expected_spend": forecast.money,
        "value": forecast.value,
        "low": forecast.low,
        "high": forecast.high,
    }


# -- money only, fixed occasions, contracts


def _spend_only(history: History, wanted: Wanted) -> Answer:
    """Say what a purchase is worth."""
    customers = history.customers
    if customers is None or customers.spend is None or customers.valued is None:
        raise Misuse("gamma-gamma needs the value of purchases; name the column with --amount.")
    fit = fit_gamma_gamma(customers.valued, customers.spend, forced=wanted.forced)
    each = mean_spend(fit.values, customers.valued, customers.spend)
    told = _fitted(fit, wanted) | {
        "repeat_customers": customers.repeat,
        "correlation": correlation(customers.valued, customers.spend),
        "mean": float(mean_spend(fit.values, np.zeros(1), np.zeros(1))[0]),
    }
    names = history.names if history.names is not None else np.arange(1, customers.count + 1)
    table = {"customer": names, "purchases": customers.valued, "mean": customers.spend, "spend_per_purchase": each}
    return Answer(told, table, [str(note) for note in fit.notes])


def _at_occasions(history: History, wanted: Wanted) -> Answer:
    """Expect purchases at the next occasions."""
    rows, row = history.occasions, history.row
    assert rows is not None  # noqa: S101 - read so for this model
    assert row is not None  # noqa: S101
    fit = fit_bg_bb(rows)
    forecast = predict(fit, rows, wanted.plan, of=row)
    by_row = predict(fit, rows, wanted.plan, of=np.arange(rows.x.size))
    notes = ["the interval has chance and parameters only: a summary has no past on which to try the forecast"]
    told = _fitted(fit, wanted) | {
        "repeat_customers": int(rows.weight[rows.x > 0].sum()),
        "different_histories": int(rows.x.size),
    }
    alive = float(rows.weight @ by_row.alive)
    told |= _expected(fit, rows, wanted, forecast, alive=alive, spend=None, off=None, notes=notes)
    return Answer(told, _table(history, forecast, int(row.size)), notes)


def _contracts(history: History, wanted: Wanted) -> Answer:
    """Say who renews."""
    assert history.renewals is not None  # noqa: S101 - read so for this model
    fit = fit_sbg(history.renewals)
    ahead = int(wanted.plan.horizon)
    if not 1 <= ahead <= MOST_PERIODS:
        raise Misuse(f"--horizon {wanted.plan.horizon:g} is no number of periods; give 1 to {MOST_PERIODS}.")
    periods = np.arange(1.0, ahead + 1.0)
    rate = (1.0 + wanted.plan.discount) ** (1.0 / wanted.plan.year) - 1.0
    stays, renews = survival(fit, periods), retention(fit, periods)
    told = _fitted(fit, wanted) | {
        "horizon": ahead,
        "discount": wanted.plan.discount,
        "retention": [
            {"period": int(one), "retention": float(kept), "survival": float(there)}
            for one, kept, there in zip(periods, renews, stays, strict=True)
        ],
        "lifetime": lifetime(fit, discount=rate) if rate > 0 else None,
    }
    table: dict[str, Array | Index] = {"period": periods.astype(np.int64), "retention": renews, "survival": stays}
    return Answer(told, table, [str(note) for note in fit.notes])
