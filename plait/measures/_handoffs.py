"""Hand-offs: each as one row, from the desk's own steps or from what the CRM tells of leads.

What holds of a hand-off stands in the `detail` of its steps (`plait/handoff/telling.py`), as texts without quotation
marks. It is read by a pattern, because engines read JSON in different ways, and a note that repeats such a text does
not match: there its quotation marks are escaped. Instants in it are compared as texts, to a second.
"""

from __future__ import annotations

from typing import Literal

import ibis
import ibis.expr.types as ir
from ibis import _

from plait.facts import KINDS
from plait.measure import Caution, Facts
from plait.measures._cohort import UNKNOWN, cohort
from plait.measures._steps import DAY, seconds

Origin = Literal["all", "desk", "crm"]
DESK, CRM = "desk", "crm"
STEPS = tuple(name for name in KINDS if name.startswith("handoff."))
TAKEN = ("lead.sal", "lead.sql")
REFUSED = {"lead.recycled": "nurture", "lead.disqualified": "disqualify"}
WRITTEN = "%Y-%m-%d %H:%M:%S"
WITHDRAWN, ONE_TEAM = "withdrawn", "one_team"
HANDOFF = ["source", "number"]
ENDS = ("accepted", "rejected", "expired")
TEXTS = ("origin", "source", "number", "account", "type", "sender", "receiver", "sent_by", "assignee", "mode", "state",
         "reason", "target", "due", "touch_due", "answered", "touched", "currency")  # fmt: skip
COLUMNS = {
    **dict.fromkeys(TEXTS, "string"),
    **dict.fromkeys(("created_at", "answered_at"), "timestamp"),
    "occurred_on": "date",
    "amount": "decimal(18,4)",
    **dict.fromkeys(("completeness", "answer_minutes", "system_minutes", "human_minutes"), "float64"),
}


def handoffs_of(facts: Facts, origin: Origin, crm_days: int | None) -> ir.Table:
    """Give one row per hand-off, `created_at` and `occurred_on` when it was made.

    `state` is open, accepted, rejected or expired; `due`, `touch_due`, `answered` and `touched` are instants as texts.
    """
    if origin == "all":
        rows = ibis.union(from_desk(facts), from_crm(facts, crm_days))
    else:
        rows = from_desk(facts) if origin == DESK else from_crm(facts, crm_days)
    return rows.mutate(
        withdrawn=(_.state == "rejected") & (_.reason.fill_null("") == WITHDRAWN),
        overdue=(_.state == "open") & (_.due < facts.began.strftime(WRITTEN)).fill_null(False),  # noqa: FBT003
        answer_days=(seconds(_.answered_at) - seconds(_.created_at)) / DAY,
    )


def from_desk(facts: Facts) -> ir.Table:
    """Give the hand-offs that were made in the desk, or loaded as such."""
    told = facts.of(*STEPS).filter(_.object_id.notnull()).rename(number="object_id")
    earlier = _.kind.cases(("handoff.created", 2), ("handoff.assigned", 1), else_=0)  # steps of one act, one instant
    newest = [_.occurred_at.desc(), earlier, _.id.desc()]
    told = told.mutate(
        of_kind=ibis.row_number().over(group_by=[*HANDOFF, "kind"], order_by=[_.occurred_at, _.id]),
        from_end=ibis.row_number().over(group_by=HANDOFF, order_by=newest),
    )
    made, refused = ((told.of_kind == 0) & (told.kind == kind) for kind in ("handoff.created", "handoff.rejected"))
    latest, answered = told.from_end == 0, told.kind.isin(("handoff.accepted", "handoff.rejected"))
    assigned, touched = told.kind == "handoff.assigned", told.kind == "handoff.touched"
    ends = {name: told.occurred_at.min(where=told.kind == f"handoff.{name}") for name in ENDS}
    rows = told.group_by(HANDOFF).agg(
        **ends,
        **{name: told[name].max(where=made) for name in ("account", "occurred_on", "amount", "currency")},
        created_at=told.occurred_at.max(where=made),
        type=told.text.max(where=made),
        made=told.detail.max(where=made),
        assignee=told.owner.max(where=latest),
        latest=told.detail.max(where=latest),
        reason=told.text.max(where=refused),
        refused=told.detail.max(where=refused),
        touched_at=told.occurred_at.min(where=touched),
        answered_in=told.quantity.min(where=answered),
        assigned_in=told.quantity.min(where=assigned),
        touched_in=told.quantity.min(where=touched),
    )
    return _ended(rows.filter(rows.created_at.notnull()))


def _ended(rows: ir.Table) -> ir.Table:
    """Say how each hand-off ended, if it did; the first end counts."""
    ended_at = ibis.least(*(rows[name] for name in ENDS))
    state = ibis.cases((ended_at.isnull(), "open"), *((rows[name] == ended_at, name) for name in ENDS))
    answered_at = ibis.ifelse(state.isin(("accepted", "rejected")), ended_at, ibis.null("timestamp"))
    nothing, rejected = ibis.null("string"), state == "rejected"
    return _shaped(
        rows,
        origin=ibis.literal(DESK),
        type=rows.type.fill_null(UNKNOWN),
        sender=said(rows.made, "sender").fill_null(UNKNOWN),
        receiver=said(rows.made, "receiver").fill_null(UNKNOWN),
        sent_by=said(rows.made, "by"),
        completeness=_number(said(rows.made, "completeness")),
        mode=said(rows.latest, "mode"),
        due=said(rows.latest, "due"),
        touch_due=said(rows.latest, "touch_due"),
        state=state,
        answered_at=answered_at,
        answered=answered_at.strftime(WRITTEN),
        touched=rows.touched_at.strftime(WRITTEN),
        reason=ibis.ifelse(rejected, rows.reason, nothing),
        target=ibis.ifelse(rejected, said(rows.refused, "target"), nothing),
        answer_minutes=rows.answered_in,
        system_minutes=rows.assigned_in,
        human_minutes=rows.touched_in,
    )


def from_crm(facts: Facts, crm_days: int | None) -> ir.Table:
    """Give the leads that marketing offered in the CRM and nobody handed over in the desk.

    A lead is handed over in the desk when the next thing with its account, after `lead.mql`, is a hand-off from
    marketing to sales and no other `lead.mql`.
    """
    offered = facts.of("lead.mql").mutate(who=_.account.fill_null(_.person)).filter(_.id.notnull())
    offered = offered.anti_join(_handed_over(facts, offered), ["source", "id"])
    answers = facts.of(*TAKEN, *REFUSED).mutate(who=_.account.fill_null(_.person))
    answers = answers.select(
        "who", answer_source=answers.source, answer_id=answers.id, answer=answers.kind, answered_at=answers.occurred_at,
        answer_person=answers.person, answer_owner=answers.owner, answer_text=answers.text,
    )  # fmt: skip
    same = (answers.answer_person == offered.person) | answers.answer_person.isnull() | offered.person.isnull()
    found = offered.join(
        answers, [offered.who == answers.who, answers.answered_at >= offered.occurred_at, same]
    ).select("source", "id", *(name for name in answers.columns if name != "who"))
    first = [_.answered_at, _.answer_source, _.answer_id]
    found = found.mutate(turn=ibis.row_number().over(group_by=["source", "id"], order_by=first)).filter(_.turn == 0)
    rows = offered.left_join(found.drop("turn"), ["source", "id"]).drop("source_right", "id_right")
    return _judged(facts, rows, crm_days)


def _handed_over(facts: Facts, offered: ir.Table) -> ir.Table:
    """Give the leads whose account was handed over in the desk next."""
    made = facts.of("handoff.created").mutate(who=_.account.fill_null(_.person))
    made = made.filter(said(_.detail, "sender") == "marketing", said(_.detail, "receiver") == "sales")
    events = ibis.union(
        offered.select("who", "occurred_at", "source", "id", made=ibis.literal(0, "int64")),
        made.select("who", "occurred_at", "source", "id", made=ibis.literal(1, "int64")),
    ).filter(_.who.notnull())
    follows = _.made.lead().over(group_by="who", order_by=["occurred_at", "made", "source", "id"])
    return events.mutate(follows=follows).filter(_.made == 0, _.follows == 1).select("source", "id")


def _judged(facts: Facts, rows: ir.Table, crm_days: int | None) -> ir.Table:
    """Say what became of each lead; only with a limit in days is one ever too late."""
    taken = rows.answer.isin(TAKEN)
    if crm_days is None:
        late, due = ibis.literal(value=False), ibis.null("string")
    else:
        due_at = rows.occurred_at + ibis.interval(days=crm_days)
        late, due = rows.answered_at.fill_null(facts.began) > due_at, due_at.strftime(WRITTEN)
    state = ibis.cases((late, "expired"), (rows.answer.isnull(), "open"), (taken, "accepted"), else_="rejected")
    rejected = state == "rejected"
    answered_at = ibis.ifelse(late, ibis.null("timestamp"), rows.answered_at)
    return _shaped(
        rows,
        **dict.fromkeys(("sent_by", "mode", "touch_due", "touched"), ibis.null("string")),
        **dict.fromkeys((name for name in COLUMNS if COLUMNS[name] == "float64"), ibis.null("float64")),
        origin=ibis.literal(CRM),
        number=rows.id,
        type=ibis.literal("lead"),
        sender=ibis.literal("marketing"),
        receiver=ibis.literal("sales"),
        assignee=rows.answer_owner.fill_null(rows.owner),
        created_at=rows.occurred_at,
        state=state,
        due=due,
        answered_at=answered_at,
        answered=answered_at.strftime(WRITTEN),
        reason=ibis.ifelse(rejected, rows.answer_text.fill_null(UNKNOWN), ibis.null("string")),
        target=ibis.ifelse(rejected, rows.answer.cases(*REFUSED.items()), ibis.null("string")),
    )


def _shaped(rows: ir.Table, **said: ir.Value) -> ir.Table:
    """Give the columns of every hand-off, in order; those that nothing is said of are there already."""
    return rows.select(
        **{name: (said[name] if name in said else rows[name]).cast(kind) for name, kind in COLUMNS.items()}
    )


def said(detail: ir.StringValue, name: str) -> ir.StringValue:
    """Give what `detail` says of a name, None where it says nothing."""
    return detail.re_extract(f'"{name}": ?"([^"]*)"', 1).nullif("")


def _number(text: ir.StringValue) -> ir.FloatingValue:
    """Read a share written as 0.7500; anything else is unknown."""
    written = text.re_search("^[01][.][0-9]{4}$")
    return ibis.ifelse(written, text, ibis.null("string")).cast("float64")


def cohort_of(rows: ir.Table, by: str) -> ir.StringValue:
    """Give each hand-off's group: `marketing > sales`, a type, a colleague, a month."""
    if by == "pair":
        return rows.sender + " > " + rows.receiver
    return cohort(rows, by)


def uncreated(facts: Facts, origin: Origin) -> Caution:
    """Warn of steps of hand-offs that nobody has made."""
    told = facts.of(*STEPS).filter(_.object_id.notnull()).group_by("source", "object_id")
    lost = told.agg(made=(_.kind == "handoff.created").sum()).filter(_.made == 0, ibis.literal(origin != CRM))
    says = "{n} hand-offs have steps and were never made ({some}): they are left out. Load their `handoff.created` too."
    return Caution(lost.order_by("source", "object_id").select("object_id"), says)
