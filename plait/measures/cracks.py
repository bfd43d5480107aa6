"""Cracks: the accounts that fell between two departments, and what is at stake there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import ibis
import ibis.expr.types as ir
from ibis import _

from plait.facts import CONVERT, EXPAND, NURTURE
from plait.measure import Answer, Bounds, Caution, Facts, measure
from plait.measures._deal import deal_facts, deals
from plait.measures._money import alone, apart, in_one_currency, only
from plait.measures._stages import ledger, stage_name
from plait.measures.health import SALES, last_told, paid_monthly, standing_contracts

Crack = Literal["all", "no_owner", "no_next_step", "stalled", "lost_in_handoff"]
WORKED = (NURTURE, CONVERT, EXPAND)  # stages in which somebody must look after an account
STEP = ("step.planned", "step.done")
ANSWERED = ("handoff.accepted", "handoff.rejected", "handoff.expired")
HANDOFF = (
    "handoff.created", "handoff.assigned", "handoff.touched", "handoff.paused", "handoff.resumed", "handoff.escalated",
    *ANSWERED,
)  # fmt: skip
DUE_ON = r'"due" *: *"(\d\d\d\d-\d\d-\d\d)'  # in the detail of a planned step
DUE = r'"due" *: *"(\d\d\d\d-\d\d-\d\d \d\d:\d\d:\d\d)"'  # UTC, in the detail of each fact about a hand-off
PREVIOUS = '"previous" *: *"([^"]*)"'
ENOUGH = 20  # finished stays from which a usual time can be told
USUAL = 3, 4  # the usual time is the smallest that so many of so many finished stays did not exceed
FOUND = ("account", "crack", "since", "usual_days")


@measure(
    owner="sales",
    grain="account and crack",
    columns={
        "account": "id",
        "name": "text",
        "stage": "stage",
        "crack": "text",
        "since": "day",
        "days": "days",
        "usual_days": "days",
        "owner": "text",
        "value": "money",
        "currency": "currency",
        "value_is": "text",
    },
    parent="bookings",
)
def cracks(facts: Facts, *, crack: Crack = "all", days: Annotated[int, Bounds(0, 365)] = 7) -> Answer:
    """Accounts that fell through: nobody's, without a next step, stalled, or lost between two departments.

    One row for each account and crack, with `since` when it is open and what is at stake. Complete by construction:
    every account is looked at. no_owner: in nurture, convert or expand, and no colleague is named, by `owner.assigned`
    or a fact of sales; since it entered the stage. no_next_step: in convert or with an open deal, and for `days` days
    or more neither a step is planned (`step.planned` without its `step.done`, whose `due` day has not passed) nor a
    hand-off open. stalled: in a stage of the ring before the last for longer than three of four finished stays of all
    accounts were; since it entered, `usual_days` says how long is usual. Where fewer than 20 stays have ended nothing
    can be called usual. Silence ends a stay too, after the days that the stage rules say. lost_in_handoff: a hand-off
    is open and was due before the last day that is seen, or has expired and none followed it.

    `value` is what its open deals were last quoted at, else what its running contracts pay a month; `value_is` says
    which. It is empty where neither is known, or several currencies remain. `owner` and `name` as in `account_health`,
    `stage` as in `stage_stock`. `days` are full days from `since` to the day asked for. Facts without an account are
    left out.
    """
    stays = _stays(facts)
    now = stays.filter(stays.to_on.isnull())
    now = now.select("account", "from_on", stage=stage_name(now.stage, facts.stages))
    priced = in_one_currency(facts, deals(facts).filter(_.state == "deal.opened", _.account.notnull()), day="valued_on")
    owners = last_told(facts, "owner", *SALES, name="owner")
    usual = _usual(facts, stays)
    found: dict[str, Callable[[], ir.Table]] = {
        "no_owner": lambda: _without_owner(now, owners),
        "no_next_step": lambda: _without_step(facts, now, priced, days),
        "stalled": lambda: _stalled(facts, now, usual),
        "lost_in_handoff": lambda: _lost(facts),
    }
    wanted = [make() for name, make in found.items() if crack in ("all", name)]
    rows = ibis.union(*wanted) if len(wanted) > 1 else wanted[0]
    for part in (now.select("account", "stage"), last_told(facts, "text", "account.created", name="name"), owners):
        rows = rows.left_join(part, "account").drop("account_right")
    rows = rows.left_join(_at_stake(facts, priced), "account").drop("account_right")
    rows = rows.mutate(days=facts.today.delta(rows.since, unit="day").cast("float64"))
    several = apart(in_one_currency(facts, deal_facts(facts)), "values are left empty there")
    cautions = (_unusual(usual), several) if crack in ("all", "stalled") else (several,)
    return Answer(rows.select(*cracks.columns).order_by("account", "crack"), cautions)


def _stays(facts: Facts) -> ir.Table:
    """Give the stays of the ledger, each a group of its own: engines work out once what is grouped and asked twice."""
    stays = ledger(facts)
    return stays.group_by("account", "stage", "from_at").agg(from_on=_.from_on.max(), to_on=_.to_on.max())


def _found(rows: ir.Table, crack: Crack, since: ir.DateValue, usual: ir.Value | None = None) -> ir.Table:
    days = ibis.null("float64") if usual is None else usual.cast("float64")
    return rows.select("account", crack=ibis.literal(crack), since=since.cast("date"), usual_days=days)


def _without_owner(now: ir.Table, owners: ir.Table) -> ir.Table:
    """Find the accounts in a stage that somebody must look after, and nobody is named."""
    alone_ = now.filter(now.stage.isin(WORKED)).anti_join(owners, "account")
    return _found(alone_, "no_owner", alone_.from_on)


def _without_step(facts: Facts, now: ir.Table, priced: ir.Table, days: int) -> ir.Table:
    """Find the accounts that sales works on, and nothing is planned or on its way."""
    converting = now.filter(now.stage == CONVERT).select("account", begun_on=_.from_on)
    dealing = priced.group_by("account").agg(begun_on=_.opened_on.min()).select("account", "begun_on")
    worked = ibis.union(converting, dealing).group_by("account").agg(begun_on=_.begun_on.min())
    steps, handoffs = _latest(facts, STEP), _latest(facts, HANDOFF)
    due_on = ibis.cases((_.kind == "step.planned", _.detail.re_extract(DUE_ON, 1).nullif("").cast("date")))
    steps = steps.mutate(due_on=due_on).mutate(over=(_.kind == "step.done") | (_.due_on < facts.today).fill_null(False))  # noqa: FBT003 - ibis takes it by position only
    going = ibis.union(
        steps.filter(~_.over).select("account"),
        handoffs.filter(~_.kind.isin(ANSWERED)).select("account"),
    )
    ended = ibis.union(
        steps.filter(_.over).select("account", occurred_on=_.due_on.fill_null(_.occurred_on)),
        handoffs.filter(_.kind.isin(ANSWERED)).select("account", "occurred_on"),
    )
    ended = ended.group_by("account").agg(ended_on=_.occurred_on.max())
    idle = worked.anti_join(going, "account").left_join(ended, "account").drop("account_right")
    since = ibis.greatest(idle.begun_on, idle.ended_on.fill_null(idle.begun_on))
    idle = idle.mutate(since=ibis.coalesce(since, idle.ended_on))
    long = idle.filter(idle.since.isnull() | (facts.today.delta(idle.since, unit="day") >= days))
    return _found(long, "no_next_step", long.since)


def _usual(facts: Facts, stays: ir.Table) -> ir.Table:
    """Give `stage`, how many stays in it have ended (`n`), and the days that three of four of them did not exceed."""
    ring = facts.stages.ring[:-1]
    told = stays.mutate(stage=stage_name(stays.stage, facts.stages))
    told = told.filter(told.stage.isin(ring), told.to_on.notnull())
    told = told.mutate(length=told.to_on.delta(told.from_on, unit="day"))
    told = told.mutate(
        place=ibis.row_number().over(group_by="stage", order_by=["length", "account", "from_at"]),
        of=told.length.count().over(ibis.window(group_by="stage")),
    )
    part, whole = USUAL
    rank = ((told.of * part + whole - 1) / whole).floor().cast("int64") - 1
    return told.group_by("stage").agg(n=_.count(), usual=_.length.max(where=told.place == rank))


def _unusual(usual: ir.Table) -> Caution:
    """Warn of stages in which nothing can be called usual."""
    seldom = usual.filter(_.n < ENOUGH).order_by("stage").select("stage")
    says = "For {n} stages no usual time can be told ({some}): fewer than 20 stays have ended, none is stalled there."
    return Caution(seldom, says)


def _stalled(facts: Facts, now: ir.Table, usual: ir.Table) -> ir.Table:
    """Find the accounts that are in their stage for longer than usual."""
    told = now.join(usual.filter(_.n >= ENOUGH), "stage")
    long = told.filter(facts.today.delta(told.from_on, unit="day") > told.usual)
    return _found(long, "stalled", long.from_on, long.usual)


def _lost(facts: Facts) -> ir.Table:
    """Find the accounts of hand-offs that nobody answers, the one that waits for longest of each."""
    told = _latest(facts, HANDOFF)
    due = told.detail.re_extract(DUE, 1).nullif("").cast("timestamp")
    overdue = told.filter(~told.kind.isin(ANSWERED), due < facts.began)
    followed = facts.of("handoff.created")
    followed = followed.select("source", object_id=followed.detail.re_extract(PREVIOUS, 1).nullif("")).distinct()
    expired = told.filter(told.kind == "handoff.expired").anti_join(followed, ["source", "object_id"])
    since = overdue.detail.re_extract(DUE, 1).nullif("").cast("timestamp").date()
    lost = ibis.union(overdue.select("account", on=since), expired.select("account", on=expired.occurred_on))
    lost = lost.group_by("account").agg(on=_.on.min())
    return _found(lost, "lost_in_handoff", lost.on)


def _latest(facts: Facts, kinds: tuple[str, ...]) -> ir.Table:
    """Give the last fact of each thing, known by source and object_id, of those with an account."""
    told = facts.of(*kinds)
    told = told.filter(told.account.notnull())
    newest_first = [told.occurred_at.desc(), told.id.desc()]
    turn = ibis.row_number().over(group_by=["source", "object_id"], order_by=newest_first)
    return told.mutate(turn=turn).filter(_.turn == 0)


def _at_stake(facts: Facts, priced: ir.Table) -> ir.Table:
    """Give what is at stake with each account: its open deals, else what it pays a month."""
    open_ = priced.group_by("account").agg(money=_.money.sum(), currency=alone(_.money_currency))
    open_ = open_.select("account", "currency", value=only(open_.money, open_.currency))
    open_ = open_.filter(_.value.notnull()).mutate(value_is=ibis.literal("open deals"))
    paid = paid_monthly(standing_contracts(facts)).filter(_.monthly.notnull()).anti_join(open_, "account")
    paid = paid.select("account", "currency", value=paid.monthly, value_is=ibis.literal("a month"))
    return ibis.union(open_.select("account", "currency", "value", "value_is"), paid)
