"""Alive: how many of the customers won at a time still are customers, where nobody says good-bye."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from plait.failure import Unfit
from plait.measure import Answer, Bounds, Facts, Solution, measure
from plait.measures._purchases import Basis, cautions, histories, read
from plait.measures._worth import Model, Worth, worth
from plait.measures.customer_value import ORIGIN

if TYPE_CHECKING:
    import pyarrow as pa


@measure(
    owner="marketing",
    parent="customer_value",
    grain="cohort",
    columns={
        "cohort": "cohort",
        "customers": "accounts",
        "bought_again": "accounts",
        "bought_lately": "accounts",
        "alive": "expected",
        "alive_share": "share",
    },
    origin=ORIGIN,
)
def alive(
    facts: Facts,
    *,
    by: Literal["all", "channel", "campaign", "partner", "product", "quarter", "year"] = "quarter",
    model: Model = "bg-nbd",
    basis: Basis = "order",
    lately_days: Annotated[int, Bounds(1, 3650)] = 180,
) -> Answer:
    """Live customers: how many may be expected to buy ever again, beside how many bought lately.

    Customers are counted by the quarter or year of their first purchase, or by their origin as in `value_by_origin`.
    `alive` adds up the chances of buying ever again, told from how often and how recently each bought; `alive_share`
    is that part of `customers`. `bought_again` bought on a second day, `bought_lately` within the last `lately_days`
    days: a quiet customer with a long rhythm is alive and has not bought lately. Refused as `customer_value` is.
    """
    return Answer(histories(facts, basis, by), cautions(facts, basis), partial(_alive, model=model, lately=lately_days))


def _alive(told: pa.Table, *, model: Model, lately: int) -> Solution:
    """Add up the chances of being alive."""
    try:
        found = worth(read(told), model, horizon_days=365, discount=0.0, margin=1.0)
    except Unfit as refused:
        return Solution([], [refused.args[0]])
    rows = [_row(found, str(name), lately) for name in sorted(set(found.histories.name))]
    return Solution(rows, found.remarks, found.estimates)


def _row(found: Worth, name: str, lately: int) -> tuple[object, ...]:
    h = found.histories
    mine = h.name == name
    quiet = (h.age - h.t_x)[mine]  # days since the last purchase
    chance = float(found.forecast.alive[mine].sum())
    again, recent = int((h.x[mine] > 0).sum()), int(np.count_nonzero(quiet < lately))
    return name, int(mine.sum()), again, recent, chance, chance / int(mine.sum())
