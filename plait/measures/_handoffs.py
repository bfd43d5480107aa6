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
        overdue=(_.state == "open") & (_.due < facts.as_of.strftime(WRITTEN)).fill_null(False),  # noqa: FBT003
        answer_days=(seconds(_.answered_at) - seconds(_.created_at)) / DAY,
    )


def from_desk(facts: Facts) -> ir.Table:
    """Give the hand-offs that were made in the desk, or loaded as such."""
    told = facts.of(*STEPS).filter(_.object_id.notnull()).rename(number="object_id")
    told = told.select(
        *HANDOFF, "id", "kind", "occurred_at", "occurred_on", "account", "owner", "text", "amount", "currency",
        "quantity", "detail",
    )  # fmt: skip
    made = _nth(told.filter(_.kind == "handoff.created"), [_.occurred_at, _.id])
    latest = _nth(told, [_.occurred_at.desc(), (_.kind == "handoff.created").cast("int8"), _.id.desc()])
    refused = _nth(told.filter(_.kind == "handoff.rejected"), [_.occurred_at, _.id])
    rows = (
        made.mutate(
            sender=said(_.detail, "sender").fill_null(UNKNOWN),
            receiver=said(_.detail, "receiver").fill_null(UNKNOWN),
            sent_by=said(_.detail, "by"),
            completeness=_number(said(_.detail, "completeness")),
            created_at=_.occurred_at,
            type=_.text.fill_null(UNKNOWN),
        )
        .drop("kind", "id", "owner", "text", "quantity", "detail", "occurred_at")
        .join(_ends(told), HANDOFF)
        .join(
            latest.select(
                *HANDOFF,
                assignee=latest.owner,
                mode=said(latest.detail, "mode"),
                due=said(latest.detail, "due"),
                touch_due=said(latest.detail, "touch_due"),
            ),
            HANDOFF,
        )
    )
    why = refused.select(*HANDOFF, reason=refused.text, target=said(refused.detail, "target"))
    rows = rows.left_join(why, HANDOFF).drop("source_right", "number_right")
    rejected = _.state == "rejected"
    return _shaped(
        rows.mutate(
            origin=ibis.literal(DESK),
            reason=ibis.ifelse(rejected, _.reason, ibis.null("string")),
            target=ibis.ifelse(rejected, _.target, ibis.null("string")),
        )
    )


def _ends(told: ir.Table) -> ir.Table:
    """Say how each hand-off ended, if it did, and how long its steps took; the first end counts."""
    ends = told.group_by(HANDOFF).agg(
        **{name: _.occurred_at.min(where=_.kind == f"handoff.{name}") for name in ("accepted", "rejected", "expired")},
        touched_at=_.occurred_at.min(where=_.kind == "handoff.touched"),
        answered_in=_.quantity.min(where=_.kind.isin(("handoff.accepted", "handoff.rejected"))),
        assigned_in=_.quantity.min(where=_.kind == "handoff.assigned"),
        touched_in=_.quantity.min(where=_.kind == "handoff.touched"),
    )
    ended = ends.mutate(ended_at=ibis.least(_.accepted, _.rejected, _.expired))
    state = ibis.cases(
        (ended.ended_at.isnull(), "open"),
        (ended.accepted == ended.ended_at, "accepted"),
        (ended.rejected == ended.ended_at, "rejected"),
        else_="expired",
    )
    ended = ended.mutate(state=state).mutate(
        answered_at=ibis.ifelse(_.state.isin(("accepted", "rejected")), _.ended_at, ibis.null("timestamp")),
        touched=_.touched_at.strftime(WRITTEN),
        system_minutes=_.assigned_in.cast("float64"),
        human_minutes=_.touched_in.cast("float64"),
        answer_minutes=_.answered_in.cast("float64"),
    )
    ended = ended.mutate(answered=_.answered_at.strftime(WRITTEN))
    return ended.drop(
        "accepted", "rejected", "expired", "touched_at", "answered_in", "assigned_in", "touched_in", "ended_at"
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
    return _shaped(_judged(facts, rows, crm_days))


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
        late, due = rows.answered_at.fill_null(facts.as_of) > due_at, due_at.strftime(WRITTEN)
    state = ibis.cases((late, "expired"), (rows.answer.isnull(), "open"), (taken, "accepted"), else_="rejected")
    rejected = state == "rejected"
    answered_at = ibis.ifelse(late, ibis.null("timestamp"), rows.answered_at)
    nothing = {name: ibis.null("string") for name in ("sent_by", "mode", "touch_due", "touched")}
    return rows.mutate(
        **nothing,
        **{name: ibis.null("float64") for name in COLUMNS if COLUMNS[name] == "float64"},
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


def _shaped(rows: ir.Table) -> ir.Table:
    """Give the columns of every hand-off, in order."""
    return rows.select(**{name: rows[name].cast(kind) for name, kind in COLUMNS.items()})


def _nth(rows: ir.Table, order: list[ir.Deferred]) -> ir.Table:
    """Give the first row of each hand-off in an order."""
    turn = ibis.row_number().over(group_by=HANDOFF, order_by=order)
    return rows.mutate(turn=turn).filter(_.turn == 0).drop("turn")


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
