"""What is known of each account at a day that may foretell a win: the same for what is learned from and foretold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import numpy as np
from ibis import _

from plait.measure import Facts
from plait.measures._scores import act_points, by_account, by_person, faded, fit_points, grouped
from plait.measures._steps import DAY, seconds
from plait.points.rules import COUNTED, NANO, Rules

if TYPE_CHECKING:
    import pyarrow as pa

    from plait.stats.chance.design import Array, Columns

WON = "deal.won"
SHORT = ("engagement", "fit", "open_deal", "accepted")  # where outcomes are too few for all
FEATURES = (*SHORT, "acts_30", "acts_90", "meetings_90", "people", "days_quiet")
LOGS = ("acts_30", "acts_90", "meetings_90", "people", "days_quiet")  # a tenth more means less than the first ten
ACCEPTED_DAYS, QUIET_DAYS = 180, 365.0
BY = ("account",)


def known_at(facts: Facts, rules: Rules) -> ir.Table:
    """Give every account that was never won with what had happened by then: `FEATURES` as numbers."""
    acts = facts.of(*(kind for kind in COUNTED if kind != WON))
    acts = acts.filter(acts.account.notnull())
    age = (seconds(facts.as_of) - seconds(acts.occurred_at)).cast("float64") / DAY
    seen = acts.mutate(age=age).group_by("account").agg(
        acts_30=(_.age < 30).cast("int64").sum(),  # noqa: PLR2004 - as named
        acts_90=(_.age < 90).cast("int64").sum(),  # noqa: PLR2004 - as named
        meetings_90=((_.kind == "meeting.held") & (_.age < 90)).cast("int64").sum(),  # noqa: PLR2004 - as named
        days_quiet=_.age.min(),
    )  # fmt: skip
    points = faded(act_points(facts, rules), rules, facts.as_of)
    engaged = by_account(by_person(grouped(points, rules, BY), rules, BY), rules, BY)
    fit = fit_points(facts, rules).group_by("account").agg(fit=_.nano.sum().cast("int64"))
    won = facts.of(WON).filter(_.account.notnull())
    known = seen.anti_join(won, "account")
    for part in (engaged, fit, _open_deals(facts), _accepted(facts)):
        known = known.left_join(part, "account").drop("account_right")
    filled = {name: known[name].fill_null(0).cast("float64") for name in FEATURES}
    filled |= {name: filled[name] / float(NANO) for name in ("engagement", "fit")}
    return known.select("account", **filled).order_by("account")


def columns_of(told: pa.Table, names: Sequence[str] = FEATURES) -> Columns:
    """Give features as arrays; counts as logarithms, days of silence up to a year."""
    columns: dict[str, Array] = {}
    for name in names:
        numbers = np.asarray(told.column(name).to_numpy(), np.float64)
        if name == "days_quiet":
            numbers = np.minimum(numbers, QUIET_DAYS)
        columns[name] = np.log1p(np.maximum(numbers, 0.0)) if name in LOGS else numbers
    return columns


def first(parts: Mapping[str, Array], row: int, count: int = 3) -> list[tuple[str, float]]:
    """Give the columns that move a row's log-odds most, away from the average account's."""
    sizes = [(name, float(part[row])) for name, part in parts.items()]
    return sorted(sizes, key=lambda one: (-abs(one[1]), one[0]))[:count]


def _open_deals(facts: Facts) -> ir.Table:
    deals = facts.of("deal.opened", "deal.lost", WON)
    deals = deals.filter(deals.account.notnull())
    closed = (deals.kind != "deal.opened").cast("int64")
    each = deals.mutate(closed=closed).group_by("account", "source", "object_id").agg(closed=_.closed.max())
    return each.group_by("account").agg(open_deal=(1 - each.closed.min()).cast("int64"))


def _accepted(facts: Facts) -> ir.Table:
    told = facts.of("lead.sal", "lead.sql", "lead.recycled", "lead.disqualified")
    told = told.filter(told.account.notnull())
    age = (seconds(facts.as_of) - seconds(told.occurred_at)).cast("float64") / DAY
    newest = [told.occurred_at.desc(), told.source.desc(), told.id.desc()]
    last = told.mutate(age=age, turn=ibis.row_number().over(group_by="account", order_by=newest)).filter(_.turn == 0)
    yes = last.kind.isin(["lead.sal", "lead.sql"]) & (last.age < ACCEPTED_DAYS)
    return last.select("account", accepted=yes.cast("int64"))


def stacked(tables: Sequence[Columns]) -> Columns:
    """Put the rows of several days under each other."""
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def total(parts: Sequence[Array]) -> Array:
    """Add columns up."""
    return reduce(lambda one, other: one + other, parts)
