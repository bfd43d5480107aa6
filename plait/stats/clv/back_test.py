"""How far the forecast would have been off before: fit on the past of a past day, then look at what came."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from plait.failure import Misused, Said, Unfit
from plait.stats.clv.bg_nbd import fit_bg_nbd, fit_mbg_nbd
from plait.stats.clv.fit import Fit, UnknownModel
from plait.stats.clv.gamma_gamma import fit_gamma_gamma, mean_spend
from plait.stats.clv.geometric_nbd import fit_geometric_nbd, fit_nbd
from plait.stats.clv.outlook import outlook
from plait.stats.clv.rows import WEEK, Customers, Purchases, Rows, collapse, counted, summarise
from plait.stats.clv.special import Array
from plait.stats.clv.value import ModelError

FITS: Mapping[str, Callable[[Rows], Fit]] = {
    "bg-nbd": fit_bg_nbd, "mbg-nbd": fit_mbg_nbd, "geometric-nbd": fit_geometric_nbd, "nbd": fit_nbd,
}  # fmt: skip
LAST_CLASS = 7  # purchases before the origin from which customers are counted together
TENTHS = 10
LEAST_ORIGINS = 3


class BadSplit(Misused, ValueError):
    """A back-test with an origin that has nothing before or after it."""


@dataclass(frozen=True, slots=True)
class Group:
    """Some customers: how many they are, how many purchases were expected of them after the origin, how many came."""

    name: int
    customers: int
    expected: float
    actual: float


@dataclass(frozen=True, slots=True)
class BackTest:
    """What was expected at `origin` for the days (origin, until], and what came.

    `frequency`: customers by purchases before the origin (0, 1, ..., 7 and more); `tenths`: customers by expectation,
    1 the tenth of whom most was expected. `money` and `spent`: the same for money, where it is known and fits.
    """

    model: str
    origin: int
    until: int
    customers: int
    expected: float
    actual: float
    frequency: tuple[Group, ...]
    tenths: tuple[Group, ...]
    money: float | None = None
    spent: float | None = None


def back_test(purchases: Purchases, model: str, *, origin: int, until: int, unit: float = WEEK) -> BackTest:
    """Fit `model` on what was known at the end of the day `origin`, expect until `until`, and compare with what came.

    Only customers who had bought by the origin. Days as in `purchases`; refused as the model itself refuses.
    """
    if model not in FITS:
        raise UnknownModel(Said("{model} cannot be back-tested; {allowed} can.", model=model, allowed=", ".join(FITS)))
    if not purchases.day.min(initial=until) <= origin < until:
        raise BadSplit(Said("the origin of a back-test lies between the first purchase and the end; choose one there."))
    customers = summarise(purchases, origin, unit=unit)
    rows = collapse(customers)
    fit = FITS[model](rows)
    mean = outlook(model, fit.values, rows, (until - origin) / unit).mean[rows.of]
    assert customers.who is not None  # noqa: S101 - made by `summarise`
    came, spent = counted(purchases, origin, until, customers.who)
    money = _money(customers, mean)
    return BackTest(
        model,
        origin,
        until,
        customers.count,
        float(mean.sum()),
        float(came.sum()),
        _grouped(np.minimum(customers.x, LAST_CLASS), mean, came),
        _grouped(_tenth(mean), mean, came),
        money,
        None if money is None else float(spent.sum()),
    )


def _money(customers: Customers, mean: Array) -> float | None:
    """Give the money expected; None where there is none, or Gamma-Gamma does not fit it."""
    if customers.spend is None or customers.valued is None:
        return None
    try:
        fit = fit_gamma_gamma(customers.valued, customers.spend)
    except Unfit:
        return None
    return float(mean @ mean_spend(fit.values, customers.valued, customers.spend))


def _tenth(mean: Array) -> Array:
    order = np.argsort(-mean, kind="stable")
    tenth = np.empty(mean.size)
    tenth[order] = np.arange(mean.size) * TENTHS // max(1, mean.size) + 1
    return tenth


def _grouped(name: Array, mean: Array, came: Array) -> tuple[Group, ...]:
    return tuple(
        Group(int(one), int((name == one).sum()), float(mean[name == one].sum()), float(came[name == one].sum()))
        for one in np.unique(name)
    )


def model_error(tests: Sequence[BackTest]) -> ModelError:
    """Give the root mean square of ln(actual/expected) over past origins. Refused below 3: they would say nothing."""
    pairs = [(test.actual, test.expected) for test in tests]
    if len(pairs) < LEAST_ORIGINS or not all(actual > 0 and expected > 0 for actual, expected in pairs):
        raise BadSplit(
            Said("the model's error needs {least} past origins with purchases after each.", least=LEAST_ORIGINS)
        )
    logs = np.log([actual / expected for actual, expected in pairs])
    return ModelError(float(np.sqrt(np.mean(logs**2))), len(pairs))
