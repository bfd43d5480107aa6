"""Return: what each channel, campaign or partner brought back of what was spent on it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import ibis
import ibis.expr.types as ir
import pyarrow.compute as pc
from ibis import _

from plait.failure import Said, Unfit
from plait.measure import Answer, Bounds, Day, Facts, Solution, measure
from plait.measures._cohort import during
from plait.measures._credit import (
    Model,
    Part,
    counted_rows,
    counts,
    credited,
    in_minor_units,
    in_order,
    parts,
    remarks,
    sums,
)
from plait.measures._journeys import CENT, LED_TO, NONE, ROLES, Asked, Milestone, Own, Unit, cautions, journeys
from plait.measures._money import apart
from plait.measures._paid import paid_out

if TYPE_CHECKING:
    import pyarrow as pa


@measure(
    owner="finance",
    parent="revenue",
    grain="channel",
    columns={
        "channel": "text",
        "credit": "credit",
        "value": "money",
        "value_low": "money",
        "value_high": "money",
        "cost": "money",
        "profit": "money",
        "roi": "ratio",
        "roi_low": "ratio",
        "roi_high": "ratio",
        "cost_per_conversion": "money",
        "payback_months": "months",
        "currency": "currency",
    },
)
def channel_return(
    facts: Facts,
    *,
    model: Model = "response",
    milestone: Milestone = "deal.won",
    by: Literal["channel", "campaign", "partner"] = "channel",
    margin: Annotated[float | None, Bounds(0, 1)] = None,
    months: Annotated[int, Bounds(1, 120)] = 12,
    include_payouts: bool = True,
    lookback_days: Annotated[int, Bounds(1, 3650)] = 365,
    open_days: Annotated[int | None, Bounds(0, 3650)] = None,
    own_touches: Own = "out",
    unit: Unit = "account",
    known_accounts: bool = False,
    level: Annotated[int, Bounds(50, 99)] = 90,
    since: Day | None = None,
    until: Day | None = None,
) -> Answer:
    """Return of each channel: the money credited to it, what was spent on it, the profit and the return on it.

    `credit` and `value` as in `attribution`, of the journeys that ended in [since, until); `cost` is the spend of
    `spend` paid in the same time, payouts to partners included unless left out. Both columns add up to the ledger: what
    no touch came before, and spend that names no channel, have rows of their own. `profit` = value x `margin` - cost
    (no margin named: value - cost), `roi` = profit / cost, with the limits that those of `value` give; the cost is
    known. `cost_per_conversion` = cost / credit. `payback_months` = cost / (value x `margin` / `months`), where a
    conversion's money is what comes in over `months`; empty while no margin is named. A channel without spend has no
    return, and one that was paid for but never touched anybody that we know has an unknown credit, not none.
    """
    asked = Asked(
        milestone, by, unit, lookback_days, open_days, own_touches, since, until,
        marks=tuple(LED_TO) if model in ROLES else (), known=known_accounts and unit == "account",
    )  # fmt: skip
    found = journeys(facts, asked)
    paid = during(paid_out(facts, include_payouts=include_payouts), since, until)
    rows = ibis.union(counts(found, (model,)), *_costs(paid, by))
    solve = partial(_returned, model=model, level=level / 100, margin=margin, months=months)
    return Answer(in_order(rows), (*cautions(found.won), apart(paid, "the cost is left empty")), solve)


def _costs(paid: ir.Table, by: str) -> tuple[ir.Table, ...]:
    """Add up what was paid by name, and name the currencies."""
    named = paid.filter(_.money.notnull()).mutate(name=paid[by].fill_null(NONE))
    costs = named.group_by("name").agg(value=(_.money.sum() * CENT).cast("int64"))
    currencies = named.select("money_currency").distinct()
    return counted_rows("cost", costs, name="name"), counted_rows("paid in", currencies, name="money_currency")


def _returned(counted: pa.Table, *, model: Model, level: float, margin: float | None, months: int) -> Solution:
    """Set what channels earned against what they cost."""
    told, cost = sums(counted), Costs.of(counted)
    try:
        made = credited(told, model, level=level)
    except Unfit as because:
        return Solution([], [because.args[0]])
    earned = {part.name: part for part in parts(told, made)}
    currency = told.currency if cost.currency in (told.currency, None) else None
    names = [*earned, *sorted(set(cost.paid) - set(earned))]
    rows = [_return(name, earned.get(name), cost.paid.get(name), currency, margin, months) for name in names]
    return Solution(rows, remarks(made), Said("{model}: {estimates}", model=model, estimates=made.estimates))


Row = tuple[str | float | Decimal | None, ...]


def _return(
    name: str, part: Part | None, cost: Decimal | None, currency: str | None, margin: float | None, months: int
) -> Row:
    """Set what one channel earned against what it cost; what is unknown stays so."""
    share = Decimal(str(margin)) if margin is not None else Decimal(1)
    value, low, high = (part.value, part.value_low, part.value_high) if part and currency else (None, None, None)
    profit = value * share - cost if value is not None and cost is not None else None
    roi, roi_low, roi_high = (
        float(v * share / cost) - 1 if v is not None and cost else None for v in (value, low, high)
    )
    each = cost / Decimal(str(part.credit)) if cost is not None and part and part.credit > 0 else None
    monthly = value * share / months if value and margin else None
    payback = float(cost / monthly) if cost is not None and monthly else None
    credit = part.credit if part else None
    return name, credit, value, low, high, cost, profit, roi, roi_low, roi_high, each, payback, currency


@dataclass(frozen=True, slots=True)
class Costs:
    """What was paid, by name, in the minor unit; `currency` None where nothing was paid, or in several currencies."""

    paid: dict[str, Decimal | None]
    currency: str | None

    @classmethod
    def of(cls, counted: pa.Table) -> Costs:
        """Read what the engine has added up; the parts add up to the whole to the cent."""
        currencies = counted.filter(pc.equal(counted.column("what"), "paid in")).column("name").to_pylist()
        rows = counted.filter(pc.equal(counted.column("what"), "cost")).sort_by("name").select(["name", "value"])
        names, amounts = rows.column("name").to_pylist(), rows.column("value").to_pylist()
        currency = currencies[0] if len(currencies) == 1 else None
        return cls(dict(zip(names, in_minor_units(amounts, currency), strict=True)), currency)
