"""Revenue: what customers bought, and how much of it came from those we had already."""

from datetime import date
from typing import Literal

import ibis
import ibis.expr.types as ir
from ibis import _

from plait.measure import Answer, Caution, Day, Facts, measure
from plait.measures._cohort import cohort, during
from plait.measures._money import alone, apart, in_one_currency, only, share
from plait.measures._month import PERIODS

Period = Literal["all", "month", "quarter", "year"]
Basis = Literal["invoice", "order", "payment"]
KINDS = {
    "invoice": ("invoice.issued",),
    "order": ("order.placed",),
    "payment": ("payment.received", "payment.refunded"),
}


@measure(
    owner="finance",
    grain="period and currency",
    columns={
        "cohort": "cohort",
        "revenue": "money",
        "new_revenue": "money",
        "existing_revenue": "money",
        "unassigned_revenue": "money",
        "currency": "currency",
    },
)
def revenue(
    facts: Facts,
    *,
    by: Period = "month",
    basis: Basis | None = None,
    since: Day | None = None,
    until: Day | None = None,
) -> Answer:
    """Revenue of a period, split into that of new customers and of existing ones.

    Revenue is what was invoiced; without any invoice in the timeline, what was ordered; or what `basis` says. Of
    payments, refunds are subtracted on the day they were made. A customer is new in the period of its first purchase
    above 0, and existing in every later one. `unassigned_revenue` belongs to no known account. Net of tax, as the
    facts are. Periods without a sale give no row; each currency that cannot be converted has rows of its own. `since`
    and `until` keep the sales in [since, until); with `by=all` that is the period, and who bought before it exists.
    """
    sales = sales_of(facts, basis)
    rows = _split(sales, by, "before_period_start", since, until)
    rows = rows.mutate(cohort=cohort(rows, by, "period"), currency=_.money_currency)
    rows = rows.select(*revenue.columns).order_by("cohort", "currency")
    sales = during(sales, since, until)
    return Answer(rows, (_unassigned(sales), apart(sales, "each has rows of its own")))


@measure(
    owner="marketing",
    parent="revenue",
    grain="period",
    columns={
        "cohort": "cohort",
        "existing_share": "share",
        "revenue": "money",
        "existing_revenue": "money",
        "currency": "currency",
    },
)
def existing_revenue_share(
    facts: Facts,
    *,
    by: Period = "month",
    basis: Basis | None = None,
    rule: Literal["before_period_start", "any_repeat"] = "before_period_start",
    since: Day | None = None,
    until: Day | None = None,
) -> Answer:
    """Share of a period's revenue that came from existing customers.

    Existing is a customer whose first purchase was before the period began; with `any_repeat`, everything a
    customer buys after the day of its first purchase. Revenue is as in `revenue`, less what belongs to no known
    account. The longer the period, the fewer customers are existing in it: compare only periods of one length. Empty
    where a period has several currencies. `since` and `until` keep the sales in [since, until).
    """
    sales = sales_of(facts, basis)
    rows = _split(sales.filter(_.account.notnull()), by, rule, since, until)
    rows = rows.group_by("period").agg(
        revenue=_.revenue.sum(), existing_revenue=_.existing_revenue.sum(), currency=alone(_.money_currency)
    )
    rows = rows.mutate(
        cohort=cohort(rows, by, "period"),
        revenue=only(_.revenue, _.currency),
        existing_revenue=only(_.existing_revenue, _.currency),
    ).mutate(existing_share=share(_.existing_revenue, _.revenue))
    sales = during(sales, since, until)
    cautions = (_unassigned(sales), apart(sales, "the share is left empty where a period has several"))
    return Answer(rows.select(*existing_revenue_share.columns).order_by("cohort"), cautions)


def sales_of(facts: Facts, basis: Basis | None) -> ir.Table:
    """Give the facts that are revenue, with `money`; refunds are negative."""
    if basis is None:
        sold = facts.of("invoice.issued", "order.placed")
        sold = sold.filter(sold.kind == sold.kind.min().as_scalar())  # of the two names, that of invoices comes first
    else:
        sold = facts.of(*KINDS[basis])
    sold = in_one_currency(facts, sold.select("source", "id", "kind", "occurred_on", "account", "amount", "currency"))
    return (
        sold.mutate(money=ibis.ifelse(_.kind == "payment.refunded", -_.money, _.money)) if basis == "payment" else sold
    )


def _split(sales: ir.Table, by: Period, rule: str, since: Day | None, until: Day | None) -> ir.Table:
    """Add up the sales in [since, until) by period and currency, apart for new, existing and unknown customers."""
    # A window, not a join of the sales with themselves: the facts are read once.
    bought_on = ibis.ifelse(_.kind == "payment.refunded", ibis.null("date"), _.occurred_on)
    sold = sales.mutate(bought_on=bought_on).mutate(first_on=_.bought_on.min().over(group_by="account"))
    whole = ibis.literal(date(1, 1, 1)) if since is None else since
    period = whole if by == "all" else _.occurred_on.truncate(PERIODS[by])
    sold = during(sold, since, until).mutate(period=period)
    new = (_.first_on >= _.period) if rule == "before_period_start" else (_.first_on == _.occurred_on)
    new = new.fill_null(ibis.literal(value=False))
    return sold.group_by("period", "money_currency").agg(
        revenue=_.money.sum(),
        new_revenue=_.money.sum(where=_.account.notnull() & new).fill_null(0),
        existing_revenue=_.money.sum(where=_.account.notnull() & ~new).fill_null(0),
        unassigned_revenue=_.money.sum(where=_.account.isnull()).fill_null(0),
    )


def _unassigned(sales: ir.Table) -> Caution:
    lost = sales.filter(_.account.isnull()).order_by("source", "id").select("id")
    return Caution(
        lost, "{n} sales belong to no known account ({some}), so nobody can say whether the customer is new."
    )
