"""Where accounts stand in the cycle, and how they move through it."""

from __future__ import annotations

from typing import Literal

import ibis
import ibis.expr.types as ir

from plait.measure import Answer, Caution, Facts, measure
from plait.measures._month import month_of, running_month
from plait.measures._stages import ledger, misnamed, stage_code, stage_name
from plait.stages import RuleSet

MISNAMED = "{n} corrections (stage.set) name no stage and are passed over: {some}."


@measure(
    owner="marketing",
    parent="funnel",
    grain="day and stage",
    columns={"day": "day", "stage": "stage", "accounts": "accounts", "share": "share"},
)
def stage_stock(facts: Facts, *, by: Literal["now", "month"] = "now") -> Answer:
    """How many accounts stand in each stage of the cycle, and their share of all accounts seen.

    Accounts; shares run 0..1 and add up to 1 on each day. `by=now` is the day asked for, `by=month` the end of every
    month since the first account was seen; the month that is not over is shown as it stands. Every account of which
    any fact is known stands in exactly one stage, so the stages add up to the accounts seen. Facts without an account
    are left out, as nobody knows whose they are (`source_health` counts them).

    The stage is derived from facts, in both directions; the first line that holds decides. expand: a contract is
    running, or an order was placed in the last 365 days, or a deal was won in the last 365 days and no contract ended
    since (an invoice or a payment counts where no contract is known). convert: a deal is open, or sales accepted a
    lead and did not give it back. nurture: there is a lead. former_customer: it was in expand once; a lead or deal
    after it left makes it nurture or convert again, which is the win-back. disqualified: the lead was closed for
    good, until a new one comes. dormant: no sign of life for 180 days; what we do ourselves is none, an open deal and
    a running contract never go dormant. capture: it answered us. attract: it was seen. A person's correction
    (stage.set) holds until the rule's own answer changes.
    """
    stays = ledger(facts)
    moves = ibis.union(
        stays.select(month=month_of(stays.from_on), code=stays.stage, change=ibis.literal(1, "int64")),
        stays.filter(stays.from_stage.notnull()).select(
            month=month_of(stays.from_on), code=stays.from_stage, change=ibis.literal(-1, "int64")
        ),
    )
    this_month = running_month(facts)
    if by == "now":
        moves = moves.mutate(month=this_month)
    moves = moves.mutate(month=ibis.least(moves.month, this_month).cast("int64"))
    stocks = _running(moves, this_month, facts.stages)
    total = stocks.accounts.sum().over(ibis.window(group_by="month"))
    last_on = ibis.date(stocks.month // 12 + (stocks.month % 12 + 1) // 12, (stocks.month + 1) % 12 + 1, 1)
    rows = stocks.select(
        day=ibis.least((last_on - ibis.interval(days=1)).cast("date"), facts.today),
        stage=stage_name(stocks.code, facts.stages),
        accounts=stocks.accounts,
        share=stocks.accounts / total.cast("int64").nullif(0),
    )
    return Answer(
        rows.order_by("day", stage_code(rows.stage, facts.stages)), (Caution(misnamed(facts, facts.stages), MISNAMED),)
    )


def _running(moves: ir.Table, this_month: ir.IntegerValue, rules: RuleSet) -> ir.Table:
    """Add up changes month by month, with a row for every month and stage, also where nothing moved."""
    changes = moves.group_by("month", "code").agg(change=moves.change.sum().cast("int64"))
    span = moves.agg(first=moves.month.min())
    span = span.filter(span["first"].notnull())
    months = span.select(month=ibis.range(span["first"], this_month + 1).unnest())
    grid = months.mutate(code=ibis.range(0, len(rules.order)).unnest())
    grid = grid.select(month=grid.month.cast("int64"), code=grid.code.cast("int64"))
    dense = grid.left_join(changes, ["month", "code"]).select(grid.month, grid.code, change=changes.change.fill_null(0))
    so_far = ibis.cumulative_window(group_by="code", order_by="month")
    return dense.select("month", "code", accounts=dense.change.sum().over(so_far).cast("int64"))


@measure(
    owner="marketing",
    parent="stage_stock",
    grain="month, stage left and stage entered",
    columns={
        "month": "cohort",
        "from_stage": "stage",
        "to_stage": "stage",
        "direction": "text",
        "moves": "moves",
        "accounts": "accounts",
    },
)
def stage_flow(facts: Facts) -> Answer:
    """How often accounts moved from one stage of the cycle to another in each month, forward and back.

    Moves, and the accounts that made them: one that moves twice is two moves and one account. The month is the local
    one of the move; a move by time alone (a contract's window over, 180 days of silence) falls on the day it was due.
    `from_stage` is `(new)` for an account's first stage. forward is toward expand; any move into former_customer,
    dormant or disqualified is back, any move out of them forward. Accounts at a month's end = accounts at its start +
    moves in - moves out, for each stage. Stages are derived as `stage_stock` says.
    """
    stays = ledger(facts)
    moves = stays.select(
        "account",
        month=stays.from_on.year().cast("string") + "-" + stays.from_on.month().cast("string").lpad(2, "0"),
        left=stays.from_stage.fill_null(-1),
        entered=stays.stage,
    )
    counts = moves.group_by("month", "left", "entered").agg(
        moves=moves.count().cast("int64"), accounts=moves.account.nunique().cast("int64")
    )
    inside = len(facts.stages.ring)
    forward = (counts.entered < inside) & ((counts.entered > counts.left) | (counts.left >= inside))
    rows = counts.select(
        "month",
        from_stage=ibis.cases((counts.left == -1, "(new)"), else_=stage_name(counts.left, facts.stages)),
        to_stage=stage_name(counts.entered, facts.stages),
        direction=ibis.cases((forward, "forward"), else_="back"),
        moves=counts.moves,
        accounts=counts.accounts,
    )
    order = ("month", stage_code(rows.from_stage, facts.stages).fill_null(-1), stage_code(rows.to_stage, facts.stages))
    return Answer(rows.order_by(*order), (Caution(misnamed(facts, facts.stages), MISNAMED),))
