"""Spend: what it costs to win customers."""

from typing import Annotated, Literal

import ibis
import ibis.expr.types as ir
from ibis import _

from plait.measure import Answer, Bounds, Day, Facts, measure
from plait.measures._cohort import By, cohort, during
from plait.measures._money import MONEY, alone, apart, each, in_one_currency, only, share
from plait.measures._paid import paid_out

CUSTOMER = {"deal": "deal.won", "subscription": "subscription.started", "order": "order.placed"}


@measure(
    owner="marketing",
    parent="channel_return",
    grain="cohort and currency",
    columns={"cohort": "cohort", "spend": "money", "currency": "currency"},
)
def spend(
    facts: Facts,
    *,
    by: By = "month",
    include_payouts: bool = True,
    since: Day | None = None,
    until: Day | None = None,
) -> Answer:
    """Money spent to win and keep customers, by the day it was paid.

    All `spend.paid`, and what was paid to partners (`payout.paid`, channel `partner`) unless left out. Other booked
    costs are not part of it. Periods without spend give no row; each currency that cannot be converted has rows of its
    own. `since` and `until` keep what was paid in [since, until).
    """
    paid = during(paid_out(facts, include_payouts=include_payouts), since, until)
    rows = paid.mutate(cohort=cohort(paid, by)).group_by("cohort", currency=_.money_currency).agg(spend=_.money.sum())
    rows = rows.select(*spend.columns).order_by("cohort", "currency")
    return Answer(rows, (apart(paid, "each has rows of its own"),))


@measure(
    owner="marketing",
    parent="customer_value",
    grain="cohort",
    columns={
        "cohort": "cohort",
        "spend": "money",
        "new_customers": "accounts",
        "cost_per_customer": "money",
        "monthly_revenue": "money",
        "payback_months": "months",
        "currency": "currency",
    },
)
def acquisition_cost(
    facts: Facts,
    *,
    by: Literal["all", "month", "quarter", "year", "channel"] = "month",
    customer: Literal["deal", "subscription", "order"] = "deal",
    lag_days: Annotated[int, Bounds(0, 1000)] = 0,
    margin: Annotated[float | None, Bounds(0, 1)] = None,
    include_payouts: bool = True,
    since: Day | None = None,
    until: Day | None = None,
) -> Answer:
    """Cost of winning a customer (CAC): spend divided by new customers, and the months until it is earned back.

    An account is a new customer on the day of its first won deal (or first contract, or first order: `customer`), in
    the channel that this fact names. Spend counts `lag_days` after it was paid, so that it meets the customers it won;
    what is thereby still ahead is left out. Payouts to partners are included unless left out.

    `monthly_revenue` is the mean monthly amount of the first contracts of those new customers that have one.
    `payback_months` = cost / (monthly revenue x gross `margin`, 0 to 1): empty while no margin is named. A period
    without spend facts has an unknown cost, not a cost of 0. Amounts are empty where a row has several currencies.
    `since` and `until` keep the customers won, and the spend that counts, in [since, until).
    """
    paid = paid_out(facts, include_payouts=include_payouts)
    paid = paid.mutate(occurred_on=(_.occurred_on + ibis.interval(days=lag_days)).cast("date"))
    paid = during(paid.filter(_.occurred_on <= facts.today), since, until)
    costs = paid.mutate(cohort=cohort(paid, by)).group_by("cohort")
    costs = costs.agg(spend=_.money.sum(), paid_in=alone(_.money_currency))
    won = during(_new_customers(facts.of(CUSTOMER[customer]), by), since, until)
    gains = won.mutate(group=cohort(won, by)).left_join(_first_contracts(facts), "account").group_by("group")
    gains = gains.agg(
        customers=_.count(), contracts=_.money.count(), earned=_.money.sum(), earned_in=alone(_.money_currency)
    )
    rows = costs.outer_join(gains, costs.cohort == gains.group).mutate(
        cohort=ibis.coalesce(_.cohort, _.group),
        currency=ibis.coalesce(_.paid_in, _.earned_in),
        spend=only(_.spend, _.paid_in),
        new_customers=_.customers.fill_null(0),
    )
    rows = rows.mutate(
        cost_per_customer=each(_.spend, _.new_customers),
        monthly_revenue=ibis.ifelse(_.earned_in == _.currency, each(_.earned, _.contracts), ibis.null(MONEY)),
    )
    months = share(_.cost_per_customer, _.monthly_revenue) / margin if margin else ibis.null("float64")
    rows = rows.mutate(payback_months=months).select(*acquisition_cost.columns).order_by("cohort")
    return Answer(rows, (apart(paid, "amounts are left empty where a row has several"),))


def _new_customers(won: ir.Table, by: str) -> ir.Table:
    """Give each account and the day on which it became a customer; its channel too where that is asked for."""
    won = won.filter(_.account.notnull())
    if by != "channel":
        return won.group_by("account").agg(occurred_on=_.occurred_on.min())
    turn = ibis.row_number().over(group_by="account", order_by=["occurred_at", "source", "id"])
    return won.mutate(turn=turn).filter(_.turn == 0).select("account", "occurred_on", "channel")


def _first_contracts(facts: Facts) -> ir.Table:
    """Give what each account paid a month from the day of its first contracts on."""
    started = facts.of("subscription.started").filter(_.account.notnull())
    firsts = started.group_by("account").agg(occurred_on=_.occurred_on.min())
    first = in_one_currency(facts, started.semi_join(firsts, ["account", "occurred_on"])).group_by("account")
    first = first.agg(money=_.money.sum(), money_currency=alone(_.money_currency))
    return first.mutate(money=only(_.money, _.money_currency))
