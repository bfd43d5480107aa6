"""The stage rule: where an account stands in the cycle and every move it made, derived from its facts alone.

The first line that holds at an instant is the stage of the account:

1. **expand** - a contract is running; or an order was placed in the last 365 days; or a deal was won in the last 365
   days and no contract ended since. An account of which no contract is known is also kept here for 365 days by an
   invoice or a payment.
2. **convert** - a deal is open; or sales accepted a lead (`lead.sal`, `lead.sql`) and neither gave it back, lost, won
   or closed it since, and the account was not silent for 180 days.
3. **nurture** - there is a lead (`lead.created`, `lead.mql`, `lead.recycled`, `meeting.held`, or a deal that was
   lost) that was not closed for good, and the account was not silent for 180 days. Of a former customer only a lead
   that came after it left counts: that is the win-back.
4. **former_customer** - it was in expand once.
5. **disqualified** - its lead was closed for good; a new lead opens it again.
6. **dormant** - silent for 180 days.
7. **capture** - it answered us or was entered in a system: a form, a paper, an event, a trial, a ticket.
8. **attract** - it was seen, nothing more.

Silent is an account that gave no sign of life; what we do ourselves (messages sent, spend, invoices, our own notes)
is none. A person's correction (`stage.set`, its text names the stage) holds until the rule's own answer changes next.
Stages end in both directions, also by time alone: a contract's end, 365 days after the last order, 180 days of
silence. All facts of one instant count together; within it the order is that of (source, id).
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from plait.facts import CAPTURE, EXPAND, FEEDBACK, KINDS, SPEND, STAGES, WORK
from plait.measure import Facts

ORDER = (*STAGES, "former_customer", "dormant", "disqualified")
CODE = {name: code for code, name in enumerate(ORDER)}

CUSTOMER_WINDOW = 365  # days an order or a won deal keeps an account in expand
DORMANT_AFTER = 180  # days without a sign of life

# Which kinds put an account where. Everything else about the rule is in `_derived`.
ORDERS = ("order.placed",)
PAYMENTS = ("invoice.issued", "payment.received")  # the last one often comes after the contract's end: weak evidence
RUNNING = ("subscription.started", "subscription.changed")
OPEN = ("deal.opened",)
CLOSED = ("deal.won", "deal.lost")
ACCEPTED = ("lead.sal", "lead.sql")
RELEASED = ("lead.recycled", "lead.disqualified", "subscription.started", *CLOSED)
LEAD = ("lead.created", "lead.mql", "lead.recycled", "meeting.held", *ACCEPTED, *OPEN)
TURNS = tuple(dict.fromkeys((*LEAD, *RELEASED, *RUNNING, "subscription.ended", "stage.set")))
OWN_ACTS = (
    *("message.sent", "message.opened", "account.created", "contact.created", "lead.disqualified", "deal.changed"),
    *("subscription.ended", "invoice.issued", "payment.refunded", "ticket.resolved"),
    *(kind.name for kind in KINDS.values() if kind.stage in (SPEND, WORK)),
)
LIFE = tuple(name for name in KINDS if name not in OWN_ACTS)
ANSWERED = tuple(
    kind.name
    for kind in KINDS.values()
    if kind.stage in (CAPTURE, EXPAND, FEEDBACK) and kind.name not in (*ORDERS, *RUNNING, "subscription.ended")
)

# What a moment may carry. Counts are added up over time; of the rest the largest so far holds.
COUNTS = (
    "awake",
    "ordered",
    "paid",
    "contracts",
    "deals",
)  # spells that are on, contracts that run, deals that are open
INSTANTS = ("ordered_until", "paid_until", "won_at", "ended_at", "lead_at", "accepted_at")
PLACES = ("answered", "acceptance", "standing")  # of the two latter the larger came last, and odd is yes
MARKS = dict.fromkeys(COUNTS, "int64") | dict.fromkeys(INSTANTS, "timestamp") | dict.fromkeys(PLACES, "int64")
MARKS |= {"correction": "int64"}


def ledger(facts: Facts) -> ir.Table:
    """Give every stay: account, stage, from_stage, from_at, from_on, to_at, to_on. Stages are codes, see `ORDER`.

    A stay is [from_at, to_at); `to_at` is null while it lasts, `from_stage` null at the first. `_on` is the local day.
    Stays of an account leave no hole and do not overlap, and two that follow each other differ.
    """
    moments = _corrected(_derived(_carried(facts)))
    over, so_far = (
        ibis.window(group_by="account", order_by="at"),
        ibis.cumulative_window(group_by="account", order_by="at"),
    )
    stays = moments.mutate(from_stage=moments.stage.lag().over(over))
    stays = stays.filter(stays.from_stage.isnull() | (stays.from_stage != stays.stage))
    # 365 days of 24 hours may end a local day early where the clock changed between: days never run backwards
    stays = stays.mutate(from_on=stays["on"].max().over(so_far))
    return stays.select(
        "account",
        "stage",
        "from_stage",
        "from_on",
        from_at=stays["at"],
        to_at=stays["at"].lead().over(over),
        to_on=stays.from_on.lead().over(over),
    )


def stage_name(code: ir.IntegerValue) -> ir.StringValue:
    """Give a stage's name for its code."""
    return ibis.cases(*((code == number, name) for name, number in CODE.items()))


def stage_code(name: ir.StringValue) -> ir.IntegerValue:
    """Give a stage's code for its name, null for a name that is no stage."""
    return ibis.cases(*((name == text, ibis.literal(number, "int64")) for text, number in CODE.items()))


def misnamed(facts: Facts) -> ir.Table:
    """Give the corrections that name no stage; the rule passes over them."""
    corrections = facts.of("stage.set").filter(lambda t: t.account.notnull())
    named = stage_code(corrections.text.strip().lower())
    return corrections.filter(named.isnull()).select("id", "source").order_by("source", "id")


def _carried(facts: Facts) -> ir.Table:
    """Give each account's moments with all that is known by then: every mark added up, or the largest so far."""
    known = facts.table.filter(facts.table.account.notnull())
    moments = ibis.union(
        _seen(known),
        _answered(known.filter(known.kind.isin(ANSWERED))),
        _spells(known.filter(known.kind.isin(LIFE)), "awake", DORMANT_AFTER),
        _spells(known.filter(known.kind.isin(ORDERS)), "ordered", CUSTOMER_WINDOW, until="ordered_until"),
        _spells(known.filter(known.kind.isin(PAYMENTS)), "paid", CUSTOMER_WINDOW, until="paid_until"),
        _turns(known),
    )
    moments = moments.filter(moments["at"] < ibis.literal(facts.as_of))  # what time alone will do later
    instants = moments.group_by("account", "at").agg(
        moments["on"].max().name("on"),
        *(moments[name].max().name(name) for name in MARKS if name not in COUNTS),
        *(moments[name].sum().fill_null(0).cast("int64").name(name) for name in COUNTS),
    )
    so_far = ibis.cumulative_window(group_by="account", order_by="at")
    return instants.select(
        "account",
        "at",
        "on",
        *(instants[name].max().over(so_far).name(name) for name in (*INSTANTS, *PLACES)),
        *(instants[name].sum().over(so_far).cast("int64").name(name) for name in COUNTS),
        "correction",
    )


def _moment(rows: ir.Table, at: ir.Value, on: ir.Value, **marks: ir.Value) -> ir.Table:
    """Give rows the shape that all moments share."""
    nothing = {name: ibis.null(kind) for name, kind in MARKS.items()}
    given = {name: mark.cast(MARKS[name]) for name, mark in marks.items()}
    return rows.select("account", at=at, on=on, **(nothing | given))


def _seen(facts: ir.Table) -> ir.Table:
    """Give each account's first fact; it counts as a sign of life, so that nobody begins dormant."""
    first = facts.group_by("account").agg(at=facts.occurred_at.min(), on=facts.occurred_on.min())
    over = ibis.interval(days=DORMANT_AFTER)
    return ibis.union(
        _moment(first, first["at"], first["on"], awake=ibis.literal(1)),
        _moment(first, first["at"] + over, (first["on"] + over).cast("date"), awake=ibis.literal(-1)),
    )


def _answered(facts: ir.Table) -> ir.Table:
    """Give each account's first answer."""
    first = facts.group_by("account").agg(at=facts.occurred_at.min(), on=facts.occurred_on.min())
    return _moment(first, first["at"], first["on"], answered=ibis.literal(1))


def _spells(facts: ir.Table, mark: str, days: int, *, until: str = "") -> ir.Table:
    """Give the moments at which a spell begins and ends that each of the facts keeps up for `days` days.

    Facts are first put into stretches of `days` days: inside one no spell can end, so its first and its last fact are
    enough. This makes few rows of many before anything is sorted.
    """
    stretch = (facts.occurred_at.epoch_seconds() // (days * 86_400)).cast("int64")
    ends = facts.group_by("account", stretch=stretch).agg(
        first_at=facts.occurred_at.min(),
        first_on=facts.occurred_on.min(),
        last_at=facts.occurred_at.max(),
        last_on=facts.occurred_on.max(),
    )
    over, order = ibis.interval(days=days), ibis.window(group_by="account", order_by="stretch")
    ends = ends.mutate(before_at=ends.last_at.lag().over(order), next_at=ends.first_at.lead().over(order))
    begun = ends.filter(ends.before_at.isnull() | (ends.before_at + over <= ends.first_at))
    ended = ends.filter(ends.next_at.isnull() | (ends.next_at >= ends.last_at + over))
    marks = {mark: ibis.literal(-1)} | ({until: ended.last_at + over} if until else {})
    return ibis.union(
        _moment(begun, begun.first_at, begun.first_on, **{mark: ibis.literal(1)}),
        _moment(ended, ended.last_at + over, (ended.last_on + over).cast("date"), **marks),
    )


def _turns(facts: ir.Table) -> ir.Table:
    """Give the steps of leads, deals and contracts, the ends of what won deals lend, and people's corrections.

    `place` is the step's place in the account's history, so that the largest tells which of two kinds came last.
    """
    steps = facts.filter(facts.kind.isin(TURNS))
    order = ["occurred_at", "source", "id"]
    deal, contract = steps.kind.isin((*OPEN, *CLOSED)), steps.kind.isin((*RUNNING, "subscription.ended"))
    steps = steps.mutate(
        place=ibis.row_number().over(ibis.window(group_by="account", order_by=order)).cast("int64") + 1,
        thing=ibis.cases((deal, "deal"), (contract, "contract")),
        on_now=steps.kind.isin((*OPEN, *RUNNING)).cast("int64"),
        step_at=steps.occurred_at,
    )
    same = ibis.window(group_by=["account", "thing", "object_id"], order_by=order)
    steps = steps.mutate(on_before=steps.on_now.lag().over(same))
    change = steps.on_now - steps.on_before.fill_null(0)
    kind, at = steps.kind, steps.occurred_at

    def when(test: ir.BooleanValue, value: ir.Value) -> ir.Value:
        return ibis.cases((test, value))

    def last_of(yes: tuple[str, ...], no: tuple[str, ...]) -> ir.IntegerValue:
        return ibis.cases((kind.isin(yes), steps.place * 2 + 1), (kind.isin(no), steps.place * 2))

    ended = (kind == "subscription.ended") & (steps.on_before.fill_null(1) == 1)
    named = stage_code(steps.text.strip().lower())
    moments = _moment(
        steps,
        at,
        steps.occurred_on,
        won_at=when(kind == "deal.won", at),
        ended_at=when(ended, at),
        lead_at=when(kind.isin(LEAD), at),
        accepted_at=when(kind.isin(ACCEPTED), at),
        acceptance=last_of(ACCEPTED, RELEASED),
        standing=last_of(LEAD, ("lead.disqualified",)),
        correction=when(kind == "stage.set", steps.place * len(ORDER) + named),
        contracts=when(steps.thing == "contract", change),
        deals=when(steps.thing == "deal", change),
    )
    won, over = steps.filter(kind == "deal.won"), ibis.interval(days=CUSTOMER_WINDOW)
    return ibis.union(moments, _moment(won, won.occurred_at + over, (won.occurred_on + over).cast("date")))


def _derived(moments: ir.Table) -> ir.Table:
    """Give the stage that the rule finds at each moment: the first line that holds."""
    m = moments
    window = ibis.interval(days=CUSTOMER_WINDOW)

    def holds(test: ir.BooleanValue) -> ir.BooleanValue:
        return test.fill_null(False)  # noqa: FBT003 - ibis takes it by position only

    won_until = ibis.cases((m.ended_at.isnull() | holds(m.won_at > m.ended_at), m.won_at + window))
    contracted = (m.contracts > 0) | m.ended_at.notnull()
    customer = (m.contracts > 0) | (m.ordered > 0) | ((m.paid > 0) & ~contracted) | holds(won_until > m["at"])
    left_at = ibis.greatest(m.ordered_until, m.ended_at, won_until, ibis.cases((~contracted, m.paid_until)))
    lead = holds(m.standing % 2 == 1) & (left_at.isnull() | holds(m.lead_at >= left_at))
    bought = m.ordered_until.notnull() & ~holds(m.accepted_at > m.ordered_until - window)  # what was accepted is won
    accepted = holds(m.acceptance % 2 == 1) & ~bought
    awake = m.awake > 0
    stage = ibis.cases(
        (customer, CODE["expand"]),
        ((m.deals > 0) | (accepted & awake), CODE["convert"]),
        (lead & awake, CODE["nurture"]),
        (left_at.notnull(), CODE["former_customer"]),
        (holds(m.standing % 2 == 0), CODE["disqualified"]),
        (~awake, CODE["dormant"]),
        (m.answered.notnull(), CODE["capture"]),
        else_=CODE["attract"],
    )
    return m.select("account", "at", "on", "correction", stage=stage.cast("int64"))


def _corrected(moments: ir.Table) -> ir.Table:
    """Put a person's correction in place of the rule's stage, until the rule's own answer changes."""
    over = ibis.window(group_by="account", order_by="at")
    so_far = ibis.cumulative_window(group_by="account", order_by="at")
    moments = moments.mutate(before=moments.stage.lag().over(over))
    changed = moments.before.isnull() | (moments.before != moments.stage)
    moments = moments.mutate(changed=changed.cast("int64"))
    moments = moments.filter((moments.changed == 1) | moments.correction.notnull())
    moments = moments.mutate(answer=moments.changed.sum().over(so_far).cast("int64"))
    last = moments.correction.max().over(ibis.cumulative_window(group_by=["account", "answer"], order_by="at"))
    moments = moments.mutate(last=last)
    stage = ibis.coalesce(moments.last % len(ORDER), moments.stage)
    return moments.select("account", "at", "on", stage=stage.cast("int64"))
