"""History: a hand-off's clocks, steps and chain of successors, as its page shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils.translation import gettext, gettext_noop

from plait.web import formats, words
from plait.web.handoffs import colleagues, shown
from plait.web.handoffs.clock import zone
from plait.web.handoffs.models import HandOff, Step
from plait.web.handoffs.policies import policy_of
from plait.web.handoffs.rows import handoff_of, heard

FURTHEST = 20  # successors that a page shows
ACTS = {
    "created": gettext_noop("handed over"),
    "assigned": gettext_noop("given to somebody"),
    "touched": gettext_noop("reached out"),
    "paused": gettext_noop("clock stopped"),
    "resumed": gettext_noop("clock runs again"),
    "accepted": gettext_noop("accepted"),
    "rejected": gettext_noop("refused"),
    "expired": gettext_noop("expired: nobody answered in time"),
    "escalated": gettext_noop("part of the time is over: somebody was told"),
}


@dataclass(frozen=True, slots=True)
class Clocks:
    """How long the system took to bring a hand-off to somebody, and how long that person took to reach out.

    The first is time as it passes, the second working time of the department; `over` tells that it stands.
    """

    system: str
    human: str
    over: bool


@dataclass(frozen=True, slots=True)
class ShownStep:
    """A step as its line shows it."""

    at: datetime | None
    says: str
    who: str
    more: Sequence[str]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the context card: required ones that nobody filled in are missing."""

    label: str
    text: str
    required: bool


def clocks_of(row: HandOff, now: datetime) -> Clocks:
    """Give both clocks of a hand-off."""
    unknown = formats.UNKNOWN
    system = shown.duration(row.assigned_at - row.captured_at) if row.assigned_at else unknown
    if row.assigned_at is None:
        return Clocks(system, unknown, over=False)
    until = row.first_touch_at or (row.answered_at if row.state == HandOff.State.REJECTED else None) or now
    pauses = [(one.begins, one.ends) for one in handoff_of(row).pauses]
    worked = policy_of(row.policy_version).calendars[row.receiver].worked(row.assigned_at, until, pauses)
    return Clocks(system, shown.duration(worked), over=row.first_touch_at is not None)


def steps_of(row: HandOff) -> list[ShownStep]:
    """Give the steps of a hand-off, the first first."""
    steps, here = list(row.steps.order_by("number")), zone()
    names = colleagues.names_of({step.by for step in steps} | {step.detail.get("assignee", "") for step in steps})
    return [
        ShownStep(
            shown.local(one.at, here), gettext(ACTS[one.act]), shown.called(one.by, names), _more(one, row, names)
        )
        for one in steps
    ]  # fmt: skip


def _more(step: Step, row: HandOff, names: Mapping[str, str]) -> list[str]:
    """Give what else a step's line says."""
    told: list[str] = []
    if step.act == "assigned":
        told.append(gettext("to %(who)s") % {"who": shown.called(step.detail.get("assignee", ""), names)})
    if step.act == "escalated" and step.minutes is not None:
        told.append(gettext("%(n)s %% of the time") % {"n": int(step.minutes)})
    elif step.minutes is not None and step.act in ("accepted", "rejected", "touched", "expired"):
        worked = timedelta(minutes=float(Decimal(step.minutes)))
        told.append(gettext("after %(time)s of working time") % {"time": shown.duration(worked)})
    if step.reason:
        told.append(shown.reason_said(row) if step.act == "rejected" else step.reason)
    if step.note:
        told.append(words.said(heard(step.note)))
    return told


def chain_of(row: HandOff) -> list[HandOff]:
    """Give the hand-offs of which each was the successor of the one before, this one among them."""
    before: list[HandOff] = []
    first = row
    while first.previous and len(before) < FURTHEST:
        found = HandOff.objects.filter(pk=first.previous).first()
        if found is None:
            break
        before.insert(0, found)
        first = found
    after: list[HandOff] = []
    last = row
    while len(after) < FURTHEST:
        found = HandOff.objects.filter(previous=last.pk).order_by("created_at").first()
        if found is None:
            break
        after.append(found)
        last = found
    return [*before, row, *after]


def fields_of(row: HandOff) -> list[Field]:
    """Give the fields of the context card: those that are required first, then what else was told."""
    known = policy_of(row.policy_version).types.get(row.type)
    required = known.required if known else ()
    told = [Field(words.label(name), row.context.get(name, ""), required=True) for name in required]
    more = [name for name in row.context if name not in required and row.context[name]]
    return told + [Field(words.label(name), row.context[name], required=False) for name in more]
