"""Retention: who stays, and what becomes of recurring revenue."""

from typing import Annotated, Literal

import ibis
from ibis import _

from plait.measure import Answer, Bounds, Facts, measure
from plait.measures._contract import contract_facts, contract_months
from plait.measures._money import apart, in_one_currency, share
from plait.measures._month import first_day, month_of, months_between, running_month


@measure(
    owner="service",
    parent="recurring_revenue",
    grain="month of start and months since",
    columns={
        "cohort": "month",
        "months_since": "whole months",
        "size": "accounts",
        "active": "accounts",
        "share": "share",
    },
)
def retention(facts: Facts, *, basis: Literal["subscription", "order", "use"] = "subscription") -> ibis.Table:
    """Share of the accounts that began in a month and are active so many months later.

    With `subscription` an account begins with its first contract that pays and is active in a month at whose end one
    pays. With `order` (or `use`) it begins with its first order (use of the product) and is active in a month with
    one. `months_since` 0 is the month of the beginning. An account that left and came back is active again. Months
    that are not over yet are left out, so late cohorts have fewer rows. Orders and uses of no known account are left
    out; a contract of no known account counts as an account of its own.
    """
    if basis == "subscription":
        told = contract_facts(facts)
        begun = told.filter(_.first.notnull()).group_by("account").agg(cohort=_.first.min())
        active = contract_months(facts, told).select("account", "month").distinct()
    else:
        used = facts.of({"order": "order.placed", "use": "product.used"}[basis]).filter(_.account.notnull())
        used = used.select("account", month=month_of(used.occurred_on))
        active = used.filter(_.month < running_month(facts)).distinct()
        begun = active.group_by("account").agg(cohort=_.month.min())
    counts = active.join(begun, "account").group_by("cohort", since=_.month - _.cohort).agg(active=_.count())
    sizes = begun.group_by("cohort").agg(size=_.count())
    months = months_between(ibis.literal(0, "int64"), running_month(facts) - sizes.cohort)
    cells = sizes.select("cohort", "size", since=months)
    rows = cells.left_join(counts, ["cohort", "since"]).mutate(active=_.active.fill_null(0))
    return rows.select(
        cohort=first_day(_.cohort), months_since=_.since, size=_.size, active=_.active, share=share(_.active, _.size)
    ).order_by("cohort", "months_since")


@measure(
    owner="finance",
    parent="revenue",
    grain="month and currency",
    columns={
        "month": "month",
        "start": "money",
        "new": "money",
        "expansion": "money",
        "contraction": "money",
        "churn": "money",
        "reactivation": "money",
        "end": "money",
        "net_retention": "ratio",
        "gross_retention": "share",
        "accounts": "accounts",
        "accounts_lost": "accounts",
        "logo_churn": "share",
        "quick_ratio": "ratio",
        "currency": "currency",
    },
)
def recurring_revenue(facts: Facts, *, months: Annotated[int, Bounds(1, 60)] = 12) -> Answer:
    """Monthly recurring revenue (MRR) at the end of a month, and what moved it in the `months` months up to then.

    What an account pays is the sum of its running contracts. Over the window it is `new` (it never paid before),
    `reactivation` (it paid once, not at the start), `expansion` or `contraction` (it paid more or less than at the
    start) or `churn` (it paid at the start and no more): end = start + new + reactivation + expansion - contraction -
    churn. Net retention (NRR) = (start - churn - contraction + expansion) / start; gross retention (GRR) leaves
    expansion out, so it is at most 1; logo churn = accounts lost / accounts at the start; quick ratio = (new +
    expansion + reactivation) / (churn + contraction).

    Both ends are converted at the rate of the month's first day, so a month's start may differ from an earlier end. A
    currency that cannot be converted has rows of its own, as if it were another firm. The running month is left out. A
    contract of no known account counts as an account of its own.
    """
    told = contract_facts(facts)
    paid = contract_months(facts, told).mutate(day=first_day(_.month))
    later = paid.mutate(month=_.month + months).filter(_.month < running_month(facts))
    sides = paid.mutate(side=1).union(
        later.mutate(day=first_day(_.month), side=0)
    )  # a month's end starts a later window
    sides = in_one_currency(facts, sides, day="day")
    accounts = sides.group_by("month", "account", "first", currency=_.money_currency).agg(
        start=_.money.sum(where=_.side == 0).fill_null(0), end=_.money.sum(where=_.side == 1).fill_null(0)
    )
    had, has, known = _.start > 0, _.end > 0, _.first <= _.month - months
    rows = accounts.group_by("month", "currency").agg(
        start=_.start.sum(),
        new=_.end.sum(where=~had & ~known).fill_null(0),
        expansion=(_.end - _.start).sum(where=had & (_.end > _.start)).fill_null(0),
        contraction=(_.start - _.end).sum(where=has & (_.end < _.start)).fill_null(0),
        churn=_.start.sum(where=~has).fill_null(0),
        reactivation=_.end.sum(where=~had & known).fill_null(0),
        end=_.end.sum(),
        accounts=had.sum().cast("int64"),
        accounts_lost=(had & ~has).sum().cast("int64"),
    )
    rows = rows.mutate(
        month=first_day(_.month),
        net_retention=share(_.start - _.churn - _.contraction + _.expansion, _.start),
        gross_retention=share(_.start - _.churn - _.contraction, _.start),
        logo_churn=share(_.accounts_lost, _.accounts),
        quick_ratio=share(_.new + _.expansion + _.reactivation, _.churn + _.contraction),
    )
    rows = rows.select(*recurring_revenue.columns).order_by("month", "currency")
    return Answer(rows, (apart(in_one_currency(facts, told), "each has rows of its own, as if it were another firm"),))
