"""Contracts: what each pays at the end of each month."""

import ibis
import ibis.expr.types as ir
from ibis import _

from plait.measure import Facts
from plait.measures._month import month_of, months_between, running_month

TOLD = ("source", "id", "kind", "occurred_at", "occurred_on", "account", "object_id", "amount", "currency")
CONTRACT = ["source", "object_id"]


def contract_facts(facts: Facts) -> ir.Table:
    """Give the facts about contracts before the running month, with `account`, `month`, `pays` and `first`.

    A contract is known by source and object_id; one of no known account counts as an account of its own. `pays` is
    None once nothing is paid; `first` is the month in which the account first had a contract that pays.
    """
    told = facts.of("subscription.started", "subscription.changed", "subscription.ended")
    own = told.source + ":" + told.object_id
    told = (
        told.select(*TOLD)
        .mutate(
            month=month_of(told.occurred_on),
            pays=ibis.ifelse(
                (told.kind != "subscription.ended") & (told.amount > 0), told.amount, ibis.null(told.amount.type())
            ),
            account=ibis.coalesce(told.account, told.account.max().over(group_by=CONTRACT), own),
        )
        .filter(_.month < running_month(facts))
    )
    paying = ibis.ifelse(told.pays.notnull(), told.month, ibis.null("int64"))
    return told.mutate(first=paying.min().over(group_by="account"))


def contract_months(facts: Facts, told: ir.Table) -> ir.Table:
    """Give `account`, `first`, `month`, `amount`, `currency` of each contract for each month at whose end it pays.

    The last fact of a month decides.
    """
    newest_first = [_.occurred_at.desc(), _.id.desc()]
    last = told.mutate(turn=ibis.row_number().over(group_by=[*CONTRACT, "month"], order_by=newest_first)).filter(
        _.turn == 0
    )
    until = _.month.lead().over(group_by=CONTRACT, order_by="month").fill_null(running_month(facts))
    held = last.mutate(until=until).filter(_.pays.notnull())
    return held.select("account", "first", "currency", amount=held.pays, month=months_between(held.month, held.until))
