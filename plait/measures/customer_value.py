"""Customer value: what each customer will buy, and is worth today."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from typing import TYPE_CHECKING, Annotated

import numpy as np

from plait.facts import CURRENCIES
from plait.failure import Said, Unfit
from plait.measure import Answer, Bounds, Facts, Solution, measure
from plait.measures._purchases import Basis, By, cautions, histories, read
from plait.measures._worth import Model, Worth, worth

if TYPE_CHECKING:
    import pyarrow as pa

EPOCH = date(1970, 1, 1)
ORIGIN = "Fader, Hardie & Lee 2005 (BG/NBD), Fader & Hardie 2013 (Gamma-Gamma)"


@measure(
    owner="finance",
    parent="revenue",
    grain="account",
    columns={
        "account": "id",
        "first_purchase": "day",
        "last_purchase": "day",
        "purchases": "purchases",
        "alive": "share",
        "expected_purchases": "expected",
        "per_purchase": "money",
        "value": "money",
        "value_low": "money",
        "value_high": "money",
        "currency": "currency",
    },
    origin=ORIGIN,
)
def customer_value(
    facts: Facts,
    *,
    model: Model = "bg-nbd",
    basis: Basis = "order",
    horizon_days: Annotated[int, Bounds(1, 3650)] = 365,
    discount: Annotated[float, Bounds(0, 1)] = 0.1,
    margin: Annotated[float, Bounds(0, 1)] = 1.0,
    most: Annotated[int, Bounds(1, 1_000_000)] = 100,
) -> Answer:
    """Worth of each customer: purchases and money to be expected, the chance of being alive, with an interval.

    Accounts with at least one purchase (`basis`: orders, invoices or won deals; several on a day are one), the `most`
    valuable ones. `alive` is the chance that the customer ever buys again. `expected_purchases` are those of the next
    `horizon_days`; `value` is their money, times the `margin`, discounted by `discount` a year in monthly steps.
    `value_low` to `value_high` hold it in 95 of 100 cases by the customer's own chance: most customers buy nothing or
    more than the mean. The remarks give all customers together, with the width by chance, by parameters and by how far
    the model was off before. No season, no price change, no campaign is known to the model. Refused where fewer than
    30 customers bought twice; without money where spend and frequency move together or currencies cannot be added up.
    """
    solve = partial(_valued, model=model, horizon_days=horizon_days, discount=discount, margin=margin, most=most)
    return Answer(histories(facts, basis), cautions(facts, basis), solve)


def _valued(told: pa.Table, *, model: Model, horizon_days: int, discount: float, margin: float, most: int) -> Solution:
    """Give the most valuable customers."""
    try:
        found = worth(read(told), model, horizon_days=horizon_days, discount=discount, margin=margin)
    except Unfit as refused:
        return Solution([], [refused.args[0]])
    h, ahead = found.histories, found.forecast
    by = ahead.value if ahead.value is not None else ahead.purchases
    order = sorted(range(len(h.account)), key=lambda place: (-by[place], h.account[place]))[:most]
    rows = [
        (
            h.account[place], EPOCH + timedelta(int(h.first[place])),
            EPOCH + timedelta(int(h.first[place] + h.t_x[place])), int(h.x[place]) + 1, float(ahead.alive[place]),
            float(ahead.purchases[place]), *(money(side, place, h.currency) for side in (
                ahead.per_purchase, ahead.value, ahead.low, ahead.high)),
            h.currency if ahead.value is not None else None,
        )
        for place in order
    ]  # fmt: skip
    return Solution(rows, [*_together(found), *found.remarks], found.estimates)


def money(column: np.ndarray | None, place: int, currency: str | None) -> Decimal | None:
    """Give an amount of an estimate in the minor unit; None where there is none."""
    if column is None or currency is None or not np.isfinite(column[place]):
        return None
    unit = Decimal(1).scaleb(-CURRENCIES.get(currency, 2))
    return Decimal(str(float(column[place]))).quantize(unit, ROUND_HALF_UP)


def _together(found: Worth) -> list[str]:
    """Say what all customers are worth together."""
    everybody = np.arange(len(found.histories.account))
    total = found.total(everybody)
    if total is None or total.low is None or total.high is None:
        return []
    return [
        Said(
            "All {n} customers together: {value} {currency}, 95 % interval {low} to {high}.",
            n=len(everybody), value=round(total.value), low=round(total.low), high=round(total.high),
            currency=found.histories.currency,
        )
    ]  # fmt: skip


@measure(
    owner="partners",
    parent="customer_value",
    grain="origin",
    columns={
        "origin": "text",
        "customers": "accounts",
        "alive": "expected",
        "expected_purchases": "expected",
        "value": "money",
        "value_low": "money",
        "value_high": "money",
        "value_per_customer": "money",
        "currency": "currency",
    },
    origin=ORIGIN,
)
def value_by_origin(
    facts: Facts,
    *,
    by: By = "channel",
    model: Model = "bg-nbd",
    basis: Basis = "order",
    horizon_days: Annotated[int, Bounds(1, 3650)] = 365,
    discount: Annotated[float, Bounds(0, 1)] = 0.1,
    margin: Annotated[float, Bounds(0, 1)] = 1.0,
) -> Answer:
    """Worth of the customers that a channel, a campaign or a partner brought, or of one product or time.

    Customers and options as in `customer_value`. A customer belongs to the channel, campaign or partner of its first
    touch that names one (see `channel_first_last`), or to the product, quarter or year of its first purchase. `alive`
    is the number of customers to be expected to buy ever again. The models are fitted to all customers and added up by
    origin: `value_low` to `value_high` hold the sum in 95 of 100 cases, by chance, by the parameters and, where three
    days in the past can be tried, by how far the model was off before. The values of all origins add up to that of all
    customers. It is what customers bring who came this way, not what the way caused.
    """
    solve = partial(_by_origin, model=model, horizon_days=horizon_days, discount=discount, margin=margin)
    return Answer(histories(facts, basis, by), cautions(facts, basis), solve)


def _by_origin(told: pa.Table, *, model: Model, horizon_days: int, discount: float, margin: float) -> Solution:
    """Add up what customers are worth by their origin."""
    try:
        found = worth(read(told), model, horizon_days=horizon_days, discount=discount, margin=margin)
    except Unfit as refused:
        return Solution([], [refused.args[0]])
    rows = [_origin(found, str(name)) for name in sorted(set(found.histories.name))]
    rows.sort(key=lambda row: (-float(str(row[4] if row[4] is not None else row[3])), row[0]))
    return Solution(rows, found.remarks, found.estimates)


def _origin(found: Worth, name: str) -> tuple[object, ...]:
    h, ahead = found.histories, found.forecast
    who = np.flatnonzero(h.name == name)
    total = found.total(who)
    sides = (total.value, total.low, total.high, total.value / len(who)) if total else (None,) * 4
    amounts = [None if side is None else money(np.array([side]), 0, h.currency) for side in sides]
    currency = h.currency if total else None
    return name, len(who), float(ahead.alive[who].sum()), float(ahead.purchases[who].sum()), *amounts, currency
