"""Worth: what models say that the customers of a home will buy, with every width named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from plait.failure import Said, Unfit
from plait.measures._journeys import CENT

if TYPE_CHECKING:
    from plait.measures._purchases import Histories, Past
    from plait.stats.clv.fit import Fit
    from plait.stats.clv.rows import Customers, Rows
    from plait.stats.clv.value import Forecast, ModelError, Plan, Spend, Total

Model = Literal["bg-nbd", "mbg-nbd"]
WEEK = 7.0
LEAST_ORIGINS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Worth:
    """What is to be expected of each customer, and what must be said beside it."""

    histories: Histories
    fit: Fit
    rows: Rows
    plan: Plan
    spend: Spend | None
    forecast: Forecast
    off: ModelError | None
    remarks: tuple[str, ...]

    @property
    def estimates(self) -> str:
        """Say what the numbers estimate."""
        return Said(
            "{model}: purchases to be expected of each customer if they go on as before, without season or news; money "
            "by Gamma-Gamma.",
            model=self.fit.model,
        )

    def total(self, who: np.ndarray) -> Total | None:
        """Give what some customers are worth together, with the interval of the sum; None without money."""
        from plait.stats.clv.value import Forecast, Spend, total_value

        told, spend = self.forecast, self.spend
        if spend is None:
            return None
        mine = Spend(spend.fit, spend.valued[who], spend.spend[who], spend.row[who])
        money = (told.per_purchase, told.money, told.variance, told.value, told.low, told.high)
        part = Forecast(told.alive[who], told.purchases[who], *(_part(column, who) for column in money))
        return total_value(self.fit, self.rows, self.plan, part, spend=mine, model=self.off)


def worth(histories: Histories, model: Model, *, horizon_days: int, discount: float, margin: float) -> Worth:
    """Fit the models to what customers did and look ahead; refuses (`Unfit`) what the data cannot support."""
    from plait.stats.clv.back_test import FITS
    from plait.stats.clv.geometric_nbd import fit_purchases
    from plait.stats.clv.rows import Customers, collapse
    from plait.stats.clv.value import Plan, predict

    h = histories
    spent = h.spend / np.maximum(h.valued, 1) / CENT
    customers = Customers(_float(h.x), h.t_x / WEEK, h.age / WEEK, spent, _float(h.valued))
    rows = collapse(customers)
    fit = fit_purchases(rows, FITS[model])
    spend, because = _spend(h, customers, rows)
    plan = Plan(horizon_days / WEEK, discount, margin)
    off, error = _model_error(h.past, model)
    remarks = [*fit.notes, *because, error]
    forecast = predict(fit, rows, plan, of=rows.of, spend=spend)
    return Worth(h, fit, rows, plan, spend, forecast, off, tuple(remarks))


def _part(column: np.ndarray | None, who: np.ndarray) -> np.ndarray | None:
    return None if column is None else column[who]


def _float(column: np.ndarray) -> np.ndarray:
    return column.astype(np.float64)


def _spend(histories: Histories, customers: Customers, rows: Rows) -> tuple[Spend | None, list[str]]:
    """Fit what a purchase is worth; where that cannot be, say why and leave money out."""
    from plait.stats.clv.gamma_gamma import fit_gamma_gamma
    from plait.stats.clv.value import Spend

    assert customers.valued is not None and customers.spend is not None  # noqa: S101, PT018 - just made
    if histories.currency is None:
        return None, []
    try:
        fit = fit_gamma_gamma(customers.valued, customers.spend)
    except Unfit as refused:
        return None, [Said("No money: {because}", because=refused.args[0])]
    return Spend(fit, customers.valued, customers.spend, rows.of), []


def _model_error(past: tuple[Past, ...], model: Model) -> tuple[ModelError | None, str]:
    """Try the forecast from days in the past on what came: how far it was off, and that in words."""
    from plait.stats.clv.value import ModelError

    ratios = [ratio for known in past if (ratio := _tried(known, model)) is not None]
    if len(ratios) < LEAST_ORIGINS:
        return None, Said("Too little is known of the past to say how far this model was off before.")
    rms = float(np.sqrt(np.mean(np.log(ratios) ** 2)))
    shown = ", ".join(f"{100 * ratio:.0f} %" for ratio in ratios)
    return ModelError(rms, len(ratios)), Said(
        "Tried from {n} days in the past, what came was {shown} of the forecast.", n=len(ratios), shown=shown
    )


def _tried(known: Past, model: Model) -> float | None:
    """Give what came as a share of what was expected; None where that day's data support no model."""
    from plait.stats.clv.back_test import FITS
    from plait.stats.clv.geometric_nbd import fit_purchases
    from plait.stats.clv.outlook import outlook
    from plait.stats.clv.rows import Customers, collapse

    x, t_x, age = (np.repeat(column, known.weight) for column in (known.x, known.t_x, known.age))
    rows = collapse(Customers(_float(x), t_x / WEEK, age / WEEK))
    try:
        fit = fit_purchases(rows, FITS[model])
    except Unfit:
        return None
    seen = outlook(fit.model, fit.values, rows, known.ahead / WEEK)
    expected = float(rows.weight @ seen.mean)
    return known.came / expected if known.came and expected else None
