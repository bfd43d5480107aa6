"""How each account fares with us."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Annotated

import ibis
import ibis.expr.types as ir
from ibis import _

from plait.facts import KINDS, OFTEN, WORK
from plait.measure import Answer, Bounds, Caution, Facts, measure
from plait.measures._money import alone, apart, in_one_currency, only
from plait.measures._stages import ledger, stage_name

SALES = tuple(
    kind.name
    for kind in KINDS.values()
    if kind.owner == "sales" and kind.name not in OFTEN and (kind.stage != WORK or kind.name == "owner.assigned")
)
CONTRACT = ("subscription.started", "subscription.changed", "subscription.ended")
TICKET = ("ticket.opened", "ticket.resolved")
PROMOTER, PASSIVE = 9, 7  # NPS: 9-10 speak for us, 0-6 against
SATISFIED, NEUTRAL = 4, 3  # CSAT: 4-5 satisfied, 1-2 not
BAD = ("contract_ended", "ticket_waiting", "dissatisfied", "use_stopped")
GOOD = ("satisfied", "in_use")
Days = Annotated[int, Bounds(1, 3660)]


@measure(
    owner="service",
    parent="retention",
    proxy=True,
    grain="account",
    columns={
        "account": "id",
        "name": "text",
        "stage": "stage",
        "health": "text",
        "reasons": "text",
        "owner": "text",
        "monthly": "money",
        "currency": "currency",
        "open_tickets": "tickets",
        "waiting_since": "day",
        "nps": "points",
        "csat": "points",
        "used_on": "day",
        "contract_ended_on": "day",
        "first_on": "day",
        "last_on": "day",
        "facts": "facts",
    },
)
def account_health(facts: Facts, *, ticket_days: Days = 14, answer_days: Days = 365, use_days: Days = 30) -> Answer:
    """Each account: where it stands, what it pays, and how it fares with us, with the reasons.

    `health` follows from signs, which are named in `reasons`. Bad signs: `ticket_waiting`, a ticket has been open for
    more than `ticket_days` days; `dissatisfied`, the last NPS answer of the last `answer_days` days was 0 to 6, or the
    last CSAT answer 1 or 2; `use_stopped`, it used the product before and not in the last `use_days` days;
    `contract_ended`, it had contracts and none runs. Good signs: `satisfied`, one of these last answers was NPS 9 or
    10, or CSAT 4 or 5, and none was bad; `in_use`, it used the product in the last `use_days` days.

    poor: the contract ended, or there are two bad signs or more. watch: there is one other bad sign. good: there is a
    good sign and no bad one. unknown: there is no sign either way; nobody is well because nothing is known. Days are
    local days, counted back from the day asked for: with 30 days the 30 days before it are looked at.

    `name` is the last name an account was entered with, `owner` the last colleague who was made responsible or whom a
    fact of sales names, `stage` as in `stage_stock`. `monthly` is what running contracts pay a month, converted at
    the rate of the first day of the month asked for; it is empty without a contract that pays and where several
    currencies remain. `waiting_since` is the day on which the oldest open ticket was opened, `nps` and `csat` are the
    last answers ever.
    Facts without an account are left out.
    """
    known = facts.every().filter(_.account.notnull())
    accounts = known.group_by("account").agg(
        facts=known.count().cast("int64"), first_on=known.occurred_on.min(), last_on=known.occurred_on.max()
    )
    contracts, named = standing_contracts(facts), last_told(facts, "text", "account.created", name="name")
    stays = ledger(facts)
    parts = [
        stays.filter(stays.to_at.isnull()).select("account", stage=stage_name(stays.stage, facts.stages)),
        named,
        last_told(facts, "owner", *SALES, name="owner"),
        paid_monthly(contracts),
        _tickets(facts),
        last_told(facts, "quantity", "nps.answered", name="nps", day="nps_on"),
        last_told(facts, "quantity", "csat.answered", name="csat", day="csat_on"),
        facts.of("product.used").group_by("account").agg(used_on=_.occurred_on.max()),
    ]
    seen = accounts
    for part in parts:
        seen = seen.left_join(part, "account").drop("account_right")
    signs = _signs(facts, seen, ticket_days, answer_days, use_days)
    judged = _judged(seen.mutate(**signs))
    numbers = {name: judged[name].cast("float64") for name in ("nps", "csat")}
    rows = judged.mutate(open_tickets=judged.open_tickets.fill_null(0), **numbers)
    return Answer(rows.select(*account_health.columns).order_by("account"), _cautions(accounts, named, contracts))


def last_told(facts: Facts, column: str, *kinds: str, name: str, day: str = "") -> ir.Table:
    """Give each account's last value of a column in facts of these kinds, and the day it was told where asked."""
    told = facts.of(*kinds)
    told = told.filter(told.account.notnull(), told[column].notnull())
    newest_first = [told.occurred_at.desc(), told.source.desc(), told.id.desc()]
    turns = told.mutate(turn=ibis.row_number().over(group_by="account", order_by=newest_first))
    columns = {name: turns[column]} | ({day: turns.occurred_on} if day else {})
    return turns.filter(turns.turn == 0).select("account", **columns)


def standing_contracts(facts: Facts) -> ir.Table:
    """Give each contract as it stands: whether it runs, what it pays a month in one currency, when it ended."""
    told = facts.of(*CONTRACT)
    window = ibis.row_number().over(
        group_by=["source", "object_id"], order_by=[told.occurred_at.desc(), told.source.desc(), told.id.desc()]
    )
    whose = told.account.max().over(group_by=["source", "object_id"])
    now = told.mutate(turn=window, whose=whose).filter(_.turn == 0)
    running = now.kind != "subscription.ended"
    now = now.select(
        "source",
        "id",
        account=ibis.coalesce(now.account, now.whose),
        running=running,
        ended_on=ibis.ifelse(running, ibis.null("date"), now.occurred_on),
        amount=ibis.ifelse(running & (now.amount > 0), now.amount, ibis.null(now.amount.type())),
        currency=now.currency,
        today=facts.today,
    )
    return in_one_currency(facts, now.filter(_.account.notnull()), day="today")


def paid_monthly(contracts: ir.Table) -> ir.Table:
    """Give what each account's contracts say together."""
    told = contracts.group_by("account").agg(
        running=_.running.cast("int64").sum().cast("int64"),
        last_ended_on=_.ended_on.max(),
        amount=_.money.sum(),
        currency=alone(_.money_currency),
    )
    ended_on = ibis.ifelse(told.running == 0, told.last_ended_on, ibis.null("date"))
    return told.select("account", "currency", monthly=only(told.amount, told.currency), contract_ended_on=ended_on)


def _tickets(facts: Facts) -> ir.Table:
    """Give how many tickets of each account are open, and since when the oldest is."""
    told = facts.of(*TICKET)
    told = told.mutate(over=told.kind == "ticket.resolved")
    newest_first = [_.occurred_at.desc(), _.over.cast("int8").desc(), _.id.desc()]
    ticket = ["source", "object_id"]
    told = told.mutate(account=ibis.coalesce(told.account, told.account.max().over(group_by=ticket)))
    now = told.mutate(turn=ibis.row_number().over(group_by=ticket, order_by=newest_first))
    now = now.filter(_.turn == 0, ~_.over, _.account.notnull())
    return now.group_by("account").agg(open_tickets=now.count().cast("int64"), waiting_since=now.occurred_on.min())


def _signs(facts: Facts, seen: ir.Table, ticket_days: int, answer_days: int, use_days: int) -> dict[str, ir.Value]:
    """Tell of each account which signs it shows; what is not known is no sign."""
    today = facts.today

    def within(day: ir.Value, days: int) -> ir.BooleanValue:
        return day >= (today - ibis.interval(days=days)).cast("date")

    nps, csat = within(seen.nps_on, answer_days), within(seen.csat_on, answer_days)
    unhappy = _holds(nps & (seen.nps < PASSIVE)) | _holds(csat & (seen.csat < NEUTRAL))
    happy = _holds(nps & (seen.nps >= PROMOTER)) | _holds(csat & (seen.csat >= SATISFIED))
    used = within(seen.used_on, use_days)
    return {
        "contract_ended": seen.contract_ended_on.notnull(),
        "ticket_waiting": _holds(~within(seen.waiting_since, ticket_days)),
        "dissatisfied": unhappy,
        "use_stopped": _holds(~used),
        "satisfied": happy & ~unhappy,
        "in_use": _holds(used),
    }


def _holds(test: ir.BooleanValue) -> ir.BooleanValue:
    return test.fill_null(False)  # noqa: FBT003 - ibis takes it by position only


def _judged(seen: ir.Table) -> ir.Table:
    """Give each account's health and the signs that it follows from."""
    bad = reduce(add, (seen[name].cast("int64") for name in BAD))
    good = reduce(add, (seen[name].cast("int64") for name in GOOD))
    health = ibis.cases(
        (seen.contract_ended | (bad > 1), "poor"), (bad == 1, "watch"), (good > 0, "good"), else_="unknown"
    )
    named = reduce(add, (ibis.ifelse(seen[name], f"{name} ", "") for name in (*BAD, *GOOD)))
    return seen.mutate(health=health, reasons=named.strip().nullif(""))


def _cautions(accounts: ir.Table, named: ir.Table, contracts: ir.Table) -> tuple[Caution, ...]:
    """Warn of amounts that cannot be added up and of accounts that nobody has named."""
    unnamed = accounts.anti_join(named, "account").order_by("account").select("account")
    return (
        apart(contracts, "what an account pays is left empty where it has several"),
        Caution(unnamed, "{n} accounts have no name ({some}): no fact `account.created` names them."),
    )
