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

from functools import reduce
from operator import add

import ibis
import ibis.expr.types as ir
from ibis import _

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
STEPS = tuple(dict.fromkeys((*LEAD, *RELEASED, "stage.set")))
THINGS = (*OPEN, *CLOSED, *RUNNING, "subscription.ended")
OWN_ACTS = (
    *("message.sent", "message.opened", "account.created", "contact.created", "lead.disqualified", "deal.changed"),
    *("subscription.ended", "invoice.issued", "payment.refunded", "ticket.changed", "ticket.resolved", "trial.ended"),
    *(kind.name for kind in KINDS.values() if kind.stage in (SPEND, WORK)),
)
LIFE = tuple(name for name in KINDS if name not in OWN_ACTS)
ANSWERED = tuple(
    kind.name
    for kind in KINDS.values()
    if kind.stage in (CAPTURE, EXPAND, FEEDBACK) and kind.name not in (*ORDERS, *RUNNING, "subscription.ended")
)

SORTS = {"awake": LIFE, "ordered": ORDERS, "paid": PAYMENTS, "answered": ANSWERED}

# What a moment may carry. Counts are packed into one number, each in its digits, so that one window adds them all up:
# spells that are on, whether it ever answered, contracts that run and deals that are open. The last is the room's end.
WEIGHTS = {"awake": 1, "ordered": 4, "paid": 8, "answered": 16, "contracts": 32, "deals": 2**34, "": 2**63 - 1}
MARKS = ("ordered_until", "paid_until", "won_at", "ended_at")
WORDS = ("accepted", "released", "lead", "closed")  # of two of them only the one that came later in an instant counts
SHAPE = {"change": "int64", "mark": "string", "word": "string", "acceptance": "int8", "standing": "int8"}
SHAPE |= {"correction": "int64"}


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
    """Give each account's moments with all that is known by then: counts added up, of instants the last so far."""
    known = facts.every().filter(_.account.notnull())
    stretches = _stretches(known)
    moments = ibis.union(
        _firsts(stretches),
        _spells(stretches, "awake", DORMANT_AFTER),
        _spells(stretches, "ordered", CUSTOMER_WINDOW),
        _spells(stretches, "paid", CUSTOMER_WINDOW),
        _steps(known),
        _things(known),
    )
    m = moments.filter(moments["at"] < facts.as_of)  # what time alone will do later
    instants = m.group_by("account", "at").agg(
        m["on"].max().name("on"),
        m.change.sum().cast("int64").name("change"),
        *(m["at"].max(where=m.mark == mark).name(mark) for mark in MARKS),
        accepted=m.word.max(where=m.acceptance == 1),
        released=m.word.max(where=m.acceptance == 0),
        lead=m.word.max(where=m.standing == 1),
        closed=m.word.max(where=m.standing == 0),
        correction=m.correction.argmax(m.word, where=m.correction.notnull()),
    )
    so_far = ibis.cumulative_window(group_by="account", order_by="at")
    last = {mark: instants[mark] for mark in MARKS}
    for one, other in (WORDS[:2], WORDS[:2][::-1], WORDS[2:], WORDS[2:][::-1]):
        later = instants[one].notnull() & (instants[other].isnull() | (instants[one] > instants[other]))
        last[f"{one}_at"] = ibis.cases((later, instants["at"]))
    return instants.select(
        "account",
        "at",
        "on",
        "correction",
        counts=instants.change.sum().over(so_far).cast("int64"),
        **{name: at.max().over(so_far) for name, at in last.items()},
    )


def _moment(rows: ir.Table, at: ir.Value, on: ir.Value, **given: object) -> ir.Table:
    """Give rows the shape that all moments share."""
    marks: dict[str, ir.Value] = {name: ibis.null(kind) for name, kind in SHAPE.items()}
    for name, mark in given.items():
        value = mark if isinstance(mark, ir.Value) else ibis.literal(mark)
        marks[name] = value.cast(SHAPE[name])
    return rows.select("account", at=at, on=on, **marks)


def _stretches(facts: ir.Table) -> ir.Table:
    """Give each account's first and last facts of each `sort` in every stretch of `DORMANT_AFTER` days, in one pass.

    Inside a stretch no spell can end, as none is shorter, so its first and its last fact are enough. This makes few
    rows of many before anything is sorted. `sort` tells of a fact whether it belongs to each of `SORTS`.
    """
    sort = reduce(add, (facts.kind.isin(kinds).cast("int64") * 2**bit for bit, kinds in enumerate(SORTS.values())))
    stretch = (facts.occurred_at.epoch_seconds() // (DORMANT_AFTER * 86_400)).cast("int64")
    return facts.group_by("account", stretch=stretch, sort=sort).agg(
        first_at=facts.occurred_at.min(),
        first_on=facts.occurred_on.min(),
        last_at=facts.occurred_at.max(),
        last_on=facts.occurred_on.max(),
    )


def _of_sort(stretches: ir.Table, sort: str) -> ir.Table:
    bit = 2 ** list(SORTS).index(sort)
    return stretches.filter(stretches.sort % (2 * bit) >= bit)


def _firsts(stretches: ir.Table) -> ir.Table:
    """Give each account's first answer and first fact: a sign of life, so that nobody begins dormant."""
    answered = _of_sort(stretches, "answered")
    answered, seen = (
        t.group_by("account").agg(at=t.first_at.min(), on=t.first_on.min()) for t in (answered, stretches)
    )
    over = ibis.interval(days=DORMANT_AFTER)
    return ibis.union(
        _moment(seen, seen["at"], seen["on"], change=WEIGHTS["awake"]),
        _moment(seen, seen["at"] + over, (seen["on"] + over).cast("date"), change=-WEIGHTS["awake"]),
        _moment(answered, answered["at"], answered["on"], change=WEIGHTS["answered"]),
    )


def _spells(stretches: ir.Table, sort: str, days: int) -> ir.Table:
    """Give the moments at which a spell begins and ends that each fact of a sort keeps up for `days` days."""
    mine = _of_sort(stretches, sort)
    ends = mine.group_by("account", "stretch").agg(
        first_at=mine.first_at.min(),
        first_on=mine.first_on.min(),
        last_at=mine.last_at.max(),
        last_on=mine.last_on.max(),
    )
    over, order = ibis.interval(days=days), ibis.window(group_by="account", order_by="stretch")
    ends = ends.mutate(before_at=ends.last_at.lag().over(order), next_at=ends.first_at.lead().over(order))
    begun = ends.filter(ends.before_at.isnull() | (ends.before_at + over <= ends.first_at))
    ended = ends.filter(ends.next_at.isnull() | (ends.next_at >= ends.last_at + over))
    until, until_on = ended.last_at + over, (ended.last_on + over).cast("date")
    return ibis.union(
        _moment(begun, begun.first_at, begun.first_on, change=WEIGHTS[sort]),
        _moment(ended, until, until_on, change=-WEIGHTS[sort], mark=f"{sort}_until"),
    )


def _steps(facts: ir.Table) -> ir.Table:
    """Give the steps of leads and people's corrections. `word` orders the steps of one instant as (source, id) does."""
    steps = facts.filter(facts.kind.isin(STEPS), facts.often == "n")
    kind, word = steps.kind, steps.source + " " + steps.id  # a blank comes before every sign that a source may have

    def sign(yes: tuple[str, ...], no: tuple[str, ...]) -> ir.IntegerValue:
        return ibis.cases((kind.isin(yes), 1), (kind.isin(no), 0))

    named = ibis.cases((kind == "stage.set", stage_code(steps.text.strip().lower())))
    signs = {"acceptance": sign(ACCEPTED, RELEASED), "standing": sign(LEAD, ("lead.disqualified",))}
    return _moment(steps, steps.occurred_at, steps.occurred_on, word=word, correction=named, **signs)


def _things(facts: ir.Table) -> ir.Table:
    """Give the moments at which a deal or a contract begins or ends to be open, and the ends of what won deals lend."""
    things = facts.filter(facts.kind.isin(THINGS), facts.often == "n")
    contract = things.kind.isin((*RUNNING, "subscription.ended"))
    things = things.select(
        *("account", "kind", "occurred_at", "occurred_on", "source", "id", "object_id"),
        weight=ibis.cases((contract, WEIGHTS["contracts"]), else_=WEIGHTS["deals"]).cast("int64"),
        on_now=things.kind.isin((*OPEN, *RUNNING)).cast("int64"),
    )
    same = ibis.window(group_by=["account", "weight", "object_id"], order_by=["occurred_at", "source", "id"])
    things = things.mutate(on_before=things.on_now.lag().over(same))
    change = things.on_now - things.on_before.fill_null(0)
    ended = (things.kind == "subscription.ended") & (things.on_before.fill_null(1) == 1)
    mark = ibis.cases((things.kind == "deal.won", "won_at"), (ended, "ended_at"))
    things = things.select("account", "occurred_at", "occurred_on", change=change * things.weight, mark=mark)
    told = things.filter((things.change != 0) | things.mark.notnull())
    won, over = things.filter(things.mark == "won_at"), ibis.interval(days=CUSTOMER_WINDOW)
    return ibis.union(
        _moment(told, told.occurred_at, told.occurred_on, change=told.change, mark=told.mark),
        _moment(won, won.occurred_at + over, (won.occurred_on + over).cast("date")),
    )


def _derived(moments: ir.Table) -> ir.Table:
    """Give the stage that the rule finds at each moment: the first line that holds."""
    m = moments
    window = ibis.interval(days=CUSTOMER_WINDOW)
    room = dict(zip(WEIGHTS, (*WEIGHTS.values(),)[1:], strict=False))
    running, ordered, paid, awake, answered, deals = (
        m.counts % room[name] >= WEIGHTS[name]
        for name in ("contracts", "ordered", "paid", "awake", "answered", "deals")
    )

    def holds(test: ir.BooleanValue) -> ir.BooleanValue:
        return test.fill_null(False)  # noqa: FBT003 - ibis takes it by position only

    won_until = ibis.cases((m.ended_at.isnull() | holds(m.won_at > m.ended_at), m.won_at + window))
    contracted = running | m.ended_at.notnull()
    customer = running | ordered | (paid & ~contracted) | holds(won_until > m["at"])
    left_at = ibis.greatest(m.ordered_until, m.ended_at, won_until, ibis.cases((~contracted, m.paid_until)))
    is_lead = m.lead_at.notnull() & (m.closed_at.isnull() | (m.lead_at > m.closed_at))
    lead = is_lead & (left_at.isnull() | holds(m.lead_at >= left_at))
    bought = m.ordered_until.notnull() & ~holds(m.accepted_at > m.ordered_until - window)  # what was accepted is won
    accepted = holds(m.accepted_at.notnull() & (m.released_at.isnull() | (m.accepted_at > m.released_at))) & ~bought
    stage = ibis.cases(
        (customer, CODE["expand"]),
        (deals | (accepted & awake), CODE["convert"]),
        (lead & awake, CODE["nurture"]),
        (left_at.notnull(), CODE["former_customer"]),
        (m.closed_at.notnull() & ~is_lead, CODE["disqualified"]),
        (~awake, CODE["dormant"]),
        (answered, CODE["capture"]),
        else_=CODE["attract"],
    )
    return m.select("account", "at", "on", "correction", stage=stage.cast("int64"))


def _corrected(moments: ir.Table) -> ir.Table:
    """Put a person's correction in place of the rule's stage, until the rule's own answer changes."""
    over = ibis.window(group_by="account", order_by="at")
    moments = moments.mutate(before=moments.stage.lag().over(over))
    changed = moments.before.isnull() | (moments.before != moments.stage)
    moments = moments.filter(changed | moments.correction.notnull())  # each row that stays decides anew
    stage = ibis.coalesce(moments.correction, moments.stage)
    return moments.select("account", "at", "on", stage=stage.cast("int64"))
