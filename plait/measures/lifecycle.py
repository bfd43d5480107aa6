"""Where accounts stand in the cycle, and how they move through it."""

from __future__ import annotations

from typing import Annotated, Literal

import ibis
import ibis.expr.types as ir

from plait.measure import Answer, Bounds, Caution, Day, Facts, measure
from plait.measures import _moves
from plait.measures._month import month_of, running_month
from plait.measures._stages import Unit, known_of, ledger, misnamed, stage_code, stage_name
from plait.stages import RuleSet

MISNAMED = "{n} corrections (stage.set) name no stage and are passed over: {some}."
VERSIONED = "Stages are those of version {version} of the stage rules; there are {versions} versions."
OLDER = (
    "Only the newest moves are shown; {n} older ones are left out: choose an account, a period, or more with `most`."
)
Version = Annotated[int, Bounds(0, 9_999)] | None


@measure(
    owner="marketing",
    parent="funnel",
    grain="day and stage",
    columns={"day": "day", "stage": "stage", "accounts": "accounts", "share": "share"},
)
def stage_stock(
    facts: Facts, *, by: Literal["now", "month"] = "now", unit: Unit = "account", rules: Version = None
) -> Answer:
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

    These are the rules that plait comes with. A firm may adopt its own (`plait lifecycle rules` says which hold);
    `rules` names another version, by which all of history is told anew. `unit=person` counts persons, each by the
    facts that concern them, instead of accounts.
    """
    known = facts.stages_of(rules)
    stays = ledger(facts, unit=unit, rules=known)
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
    stocks = _running(moves, this_month, known)
    total = stocks.accounts.sum().over(ibis.window(group_by="month"))
    last_on = ibis.date(stocks.month // 12 + (stocks.month % 12 + 1) // 12, (stocks.month + 1) % 12 + 1, 1)
    rows = stocks.select(
        day=ibis.least((last_on - ibis.interval(days=1)).cast("date"), facts.today),
        stage=stage_name(stocks.code, known),
        accounts=stocks.accounts,
        share=stocks.accounts / total.cast("int64").nullif(0),
    )
    return Answer(rows.order_by("day", stage_code(rows.stage, known)), _cautions(facts, rules))


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
def stage_flow(facts: Facts, *, unit: Unit = "account", rules: Version = None) -> Answer:
    """How often accounts moved from one stage of the cycle to another in each month, forward and back.

    Moves, and the accounts that made them: one that moves twice is two moves and one account. The month is the local
    one of the move; a move by time alone (a contract's window over, 180 days of silence) falls on the day it was due.
    `from_stage` is `(new)` for an account's first stage. forward is toward expand; any move into former_customer,
    dormant or disqualified is back, any move out of them forward. Accounts at a month's end = accounts at its start +
    moves in - moves out, for each stage. Stages are derived as `stage_stock` says, for the same `unit` and by the same
    `rules`.
    """
    known = facts.stages_of(rules)
    stays = ledger(facts, unit=unit, rules=known)
    moves = stays.select(
        "account",
        month=stays.from_on.year().cast("string") + "-" + stays.from_on.month().cast("string").lpad(2, "0"),
        left=stays.from_stage.fill_null(-1),
        entered=stays.stage,
    )
    counts = moves.group_by("month", "left", "entered").agg(
        moves=moves.count().cast("int64"), accounts=moves.account.nunique().cast("int64")
    )
    rows = counts.select(
        "month",
        from_stage=ibis.cases((counts.left == -1, "(new)"), else_=stage_name(counts.left, known)),
        to_stage=stage_name(counts.entered, known),
        direction=_moves.direction(counts.left, counts.entered, known),
        moves=counts.moves,
        accounts=counts.accounts,
    )
    order = ("month", stage_code(rows.from_stage, known).fill_null(-1), stage_code(rows.to_stage, known))
    return Answer(rows.order_by(*order), _cautions(facts, rules))


@measure(
    owner="marketing",
    parent="stage_flow",
    grain="stay",
    columns={
        "subject": "id",
        "from_stage": "stage",
        "to_stage": "stage",
        "from_at": "text",
        "from_on": "day",
        "to_on": "day",
        "days": "days",
        "direction": "text",
        "why": "text",
        "actor": "text",
        "evidence": "text",
        "owner_at_entry": "text",
        "owner": "text",
        "rules": "version",
    },
)
def stage_ledger(
    facts: Facts,
    *,
    account: str | None = None,
    unit: Unit = "account",
    since: Day | None = None,
    until: Day | None = None,
    most: Annotated[int, Bounds(1, 100_000)] = 1_000,
    rules: Version = None,
) -> Answer:
    """Every stay of an account in a stage of the cycle: how it came there, why, by whom, and who answers for it.

    A row is a stay, the newest first, at most `most` of them; `account` is the id of the one account (with
    `unit=person` the person) to tell of; [since, until) bounds the local day on which the stay began. `from_at` is that
    instant in UTC, `to_on` is empty while the stay lasts, `days` are days of 24 hours, until now while it lasts.
    `from_stage` is `(new)` at the first stay. Stays of an account leave no hole and do not overlap.

    direction: forward is toward expand, loop is forward into a stage where it stood before, back is all else. `why` is
    the line of the stage rules that held, `actor` is rule, or whoever set the stage by hand. `evidence` names the facts
    of that instant (source/id, the first five); a move by time alone has the facts whose days were over then.
    `owner_at_entry` answered for the stay at its beginning, `owner` does at its end, or now: the colleague who was
    assigned to the account last (`owner.assigned`, in this stage or in all), else the owner of the stage by the rules,
    a person or a department. Stages are derived as `stage_stock` says, by the same `rules`.
    """
    known = facts.stages_of(rules)
    every = ledger(facts, unit=unit, rules=known, only=account)
    stays = _told(facts, every, known)
    if since is not None:
        stays = stays.filter(stays.from_on >= since)
    if until is not None:
        stays = stays.filter(stays.from_on < until)
    stays = stays.mutate(turn=ibis.row_number().over(order_by=[stays.from_at.desc(), stays.account]))
    shown, told = stays.filter(stays.turn < most), known_of(facts, unit, account)
    moves = shown.select("account", "from_at", "first_at", "from_on", "to_stage", "end_at", "end_on")
    rows = _moves.beside(
        shown,
        _moves.actors(told, moves.select("account", "from_at")),
        _moves.evidence(told, moves.select("account", "from_at", "first_at"), known),
        _moves.owners(told, moves, known, at="from_at", on="from_on").rename(owner_at_entry="owner"),
        _moves.owners(told, moves, known, at="end_at", on="end_on"),
    )
    seconds = rows.end_at.epoch_seconds() - rows.from_at.epoch_seconds()
    by_hand = ibis.cases((rows.corrected == 1, rows.actor.fill_null("a person")), else_="rule")
    rows = rows.order_by("turn").select(
        *("from_stage", "to_stage", "from_on", "to_on", "direction", "evidence", "owner_at_entry", "owner"),
        subject=rows.account,
        from_at=rows.from_at.strftime("%Y-%m-%d %H:%M:%S"),
        days=seconds / 86_400,
        why=_moves.why(rows.why, rows.corrected, known),
        actor=by_hand,
        rules=ibis.literal(_number(facts, rules), "int64"),
    )
    older = stays.filter(stays.turn >= most).select("account", "from_at")
    return Answer(rows.select(*stage_ledger.columns), (*_cautions(facts, rules), Caution(older, OLDER)))


def _told(facts: Facts, stays: ir.Table, rules: RuleSet) -> ir.Table:
    """Give stays with the names of their stages, their direction, and their end, which is now while they last."""
    whole = ibis.window(group_by="account")
    before = ibis.window(group_by=["account", "stage"], order_by="from_at", preceding=(None, 1))
    stays = stays.mutate(
        first_at=stays.from_at.min().over(whole),
        again=stays.from_at.count().over(before).fill_null(0),
        way=_moves.direction(stays.from_stage.fill_null(-1), stays.stage, rules),
    )
    return stays.select(
        *("account", "from_at", "from_on", "to_on", "why", "corrected", "first_at"),
        from_stage=ibis.cases((stays.from_stage.isnull(), "(new)"), else_=stage_name(stays.from_stage, rules)),
        to_stage=stage_name(stays.stage, rules),
        direction=ibis.ifelse((stays.way == "forward") & (stays.again > 0), "loop", stays.way),
        end_at=ibis.coalesce(stays.to_at, facts.as_of),
        end_on=ibis.coalesce(stays.to_on, facts.today),
    )


def _cautions(facts: Facts, version: int | None) -> tuple[Caution, ...]:
    """Warn of corrections that name no stage, and say which rules were followed where there are several."""
    found = (Caution(misnamed(facts, facts.stages_of(version)), MISNAMED),)
    if len(facts.rules) == 1:
        return found
    names = {"version": str(_number(facts, version)), "versions": str(len(facts.rules))}
    return (*found, Caution(facts.loads.aggregate(n=facts.loads.count()), VERSIONED, names))


def _number(facts: Facts, version: int | None) -> int:
    return len(facts.rules) - 1 if version is None else version
