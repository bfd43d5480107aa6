"""Purchases: what each customer bought and when, as far as a model of customer value needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Literal

import ibis
import ibis.expr.types as ir
import numpy as np
from ibis import _

from plait.measure import Caution, Facts
from plait.measures._cohort import UNKNOWN, cohort
from plait.measures._deal import deals
from plait.measures._journeys import CENT, NONE, ORDER, TOUCHES
from plait.measures._money import apart, in_one_currency
from plait.measures._steps import DAY, seconds

if TYPE_CHECKING:
    import pyarrow as pa

Basis = Literal["order", "invoice", "deal"]
By = Literal["all", "channel", "campaign", "partner", "product", "quarter", "year"]
KINDS = {"order": "order.placed", "invoice": "invoice.issued"}
ORIGINS = ((1, 2), (2, 3), (5, 6))  # of the time seen: from where the forecast is tried on what came
NOW, CURRENCY = "now", "currency"
NUMBERS = ("origin", "first", "x", "t_x", "age", "valued", "spend", "weight", "came", "ahead")
COLUMNS = {"what": "string", "account": "string", "name": "string", **dict.fromkeys(NUMBERS, "int64")}


def histories(facts: Facts, basis: Basis, by: By = "all") -> ir.Table:
    """Give one row a customer, and for some days in the past one row for customers with equal history until then.

    `what` is `now`, `origin` (a day in the past, the one numbered so) or `currency`. Times are whole days: `first`
    purchase (days since 1970), `t_x` from it to the last, `age` from it to the last whole day seen. `x` counts the days
    after the first on which something was bought; `valued` those with an amount, `spend` their sum in parts of `CENT`.
    `name` is the group of `by`. In rows of an origin `weight` counts the customers, and `came` the days on which they
    bought later, in `ahead` days.
    """
    bought = _days(facts, basis)
    now = _known(bought, _last_day(facts)).mutate(what=ibis.literal(NOW), weight=ibis.literal(1))
    named = (
        now.mutate(name=ibis.literal("all")) if by == "all" else now.left_join(_origins(facts, basis, by), "account")
    )
    named = named.select(*now.columns, name=named.name.fill_null(NONE if by == "partner" else UNKNOWN))
    currencies = bought.filter(_.spent.notnull()).select(name=_.money_currency).distinct()
    told = [named, currencies.mutate(what=ibis.literal(CURRENCY)), *_past(facts, bought)]
    return reduce(ibis.union, map(_columns, told)).order_by(["what", "account", "name", "origin", "x", "t_x", "age"])


def cautions(facts: Facts, basis: Basis) -> tuple[Caution, ...]:
    """Say which purchases are of nobody that we know, and that currencies cannot be added up."""
    sold = _purchases(facts, basis)
    nobody = sold.filter(_.account.isnull()).select("id", "source")
    return (
        Caution(nobody, "{n} purchases belong to no known account and are left out: {some}."),
        apart(sold, "only purchases are counted, not money"),
    )


def _purchases(facts: Facts, basis: Basis) -> ir.Table:
    """Give what was bought, with `money` and `money_currency`; what was for nothing is no purchase."""
    if basis == "deal":
        won = deals(facts).filter(_.state == "deal.won").mutate(id=_.object_id, occurred_on=_.closed_on)
        return in_one_currency(facts, won)
    return in_one_currency(facts, facts.of(KINDS[basis]))


def _days(facts: Facts, basis: Basis) -> ir.Table:
    """Give each day on which an account bought, and what it `spent` (parts of `CENT`; None without an amount)."""
    sold = _purchases(facts, basis).filter(_.account.notnull(), _.occurred_on < facts.today)
    days = sold.group_by("account", "occurred_on").agg(
        spent=(_.money.sum() * CENT).cast("int64").nullif(0), money_currency=_.money_currency.max()
    )
    days = days.mutate(day=_number(days.occurred_on))
    return days.mutate(first=_.day.min().over(group_by="account"))


def _number(day: ir.DateValue) -> ir.IntegerValue:
    """Count the days from 1970 to a day."""
    return (seconds(day.cast("timestamp")) / DAY).floor().cast("int64")


def _last_day(facts: Facts) -> ir.IntegerValue:
    """Give the last day that was seen whole."""
    return _number(facts.today) - 1


def _known(days: ir.Table, end: ir.IntegerValue) -> ir.Table:
    """Tell each account's days up to `end` as one line."""
    later = days.day > days.first
    told = days.group_by("account", "first").agg(
        x=(_.count() - 1).cast("int64"),
        last=_.day.max(),
        valued=days.spent.count(where=later).cast("int64"),
        spend=days.spent.sum(where=later).fill_null(0).cast("int64"),
    )
    return told.mutate(t_x=_.last - _.first, age=end - told.first)


def _past(facts: Facts, days: ir.Table) -> list[ir.Table]:
    """Tell what was known at some days in the past, and what came afterwards."""
    last = _last_day(facts)
    begin = days.aggregate(begin=days.day.min())
    found = []
    for number, (part, of) in enumerate(ORIGINS, 1):
        ends = begin.select(end=(begin.begin + (last - begin.begin) * part / of).floor().cast("int64"))
        seen = days.cross_join(ends).filter(_.first <= _.end)
        each = seen.group_by("account", "first", "end").agg(
            x=(seen.day.count(where=seen.day <= seen.end) - 1).cast("int64"),
            last=seen.day.max(where=seen.day <= seen.end),
            came=seen.day.count(where=seen.day > seen.end).cast("int64"),
        )
        each = each.mutate(t_x=_.last - _.first, age=_.end - _.first, ahead=last - each.end)
        equal = each.group_by("x", "t_x", "age", "ahead").agg(weight=_.count(), came=_.came.sum())
        found.append(equal.mutate(what=ibis.literal("origin"), origin=ibis.literal(number)))
    return found


def _origins(facts: Facts, basis: Basis, by: By) -> ir.Table:
    """Give each account the group it came from: of its first touch, or of its first purchase."""
    first = ibis.window(group_by="account", order_by=ORDER)
    if by in ("product", "quarter", "year"):
        told = _purchases(facts, basis) if basis != "deal" else facts.of("deal.won")
    else:
        told = facts.of(*TOUCHES)
        told = told.filter(told[by].notnull())
    told = told.filter(_.account.notnull()).mutate(turn=ibis.row_number().over(first)).filter(_.turn == 0)
    return told.select("account", name=cohort(told, by))


def _columns(table: ir.Table) -> ir.Table:
    """Give rows the same columns, empty where a table has none."""
    has = {name: table[name].cast(kind) if name in table.columns else ibis.null(kind) for name, kind in COLUMNS.items()}
    return table.select(**has)


@dataclass(frozen=True, slots=True, eq=False)
class Histories:
    """What the engine has told of customers, each an array over them, and how far forecasts were off in the past."""

    account: list[str]
    name: np.ndarray
    first: np.ndarray
    x: np.ndarray
    t_x: np.ndarray
    age: np.ndarray
    valued: np.ndarray
    spend: np.ndarray
    past: tuple[Past, ...]
    currency: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """What was known at a day in the past, and how many purchases `came` in the `ahead` days after it."""

    x: np.ndarray
    t_x: np.ndarray
    age: np.ndarray
    weight: np.ndarray
    came: float
    ahead: int


def read(told: pa.Table) -> Histories:
    """Read what `histories` has told."""
    import pyarrow.compute as pc

    def those(what: str) -> pa.Table:
        return told.filter(pc.equal(told.column("what"), what))

    now, past, currencies = those(NOW), those("origin"), those(CURRENCY).column("name").to_pylist()
    account, name = now.column("account").to_pylist(), np.array(now.column("name").to_pylist(), object)
    first, x, t_x, age, valued, spend = (
        _numbers(now, name) for name in ("first", "x", "t_x", "age", "valued", "spend")
    )
    which = _numbers(past, "origin")
    found = tuple(_at(past.filter(which == number)) for number in np.unique(which))
    only = currencies[0] if len(currencies) == 1 else None
    return Histories(account, name, first, x, t_x, age, valued, spend, found, only)


def _at(past: pa.Table) -> Past:
    """Read what was known at one day."""
    x, t_x, age, weight = (_numbers(past, name) for name in ("x", "t_x", "age", "weight"))
    return Past(x, t_x, age, weight, float(_numbers(past, "came").sum()), int(_numbers(past, "ahead")[0]))


def _numbers(rows: pa.Table, name: str) -> np.ndarray:
    return np.asarray(rows.column(name).cast("int64").to_numpy())
