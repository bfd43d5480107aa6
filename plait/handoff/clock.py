"""The clock of a hand-off: when its answer and its first touch are due, and how long its receiver has had it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from plait.handoff.record import OPEN, HandOff
from plait.handoff.terms import Policy
from plait.working_time import Calendar


def escalations(handoff: HandOff, policy: Policy) -> tuple[tuple[int, datetime], ...]:
    """Give the percents of the time to answer that nobody was told of yet, each with its instant, in order."""
    if handoff.state != OPEN or handoff.due_at is None:
        return ()
    kind, calendar, begins = policy.type(handoff.type), calendar_of(handoff, policy), began(handoff)
    pauses = [(one.begins, one.ends) for one in handoff.pauses]
    return tuple(
        (share, calendar.due(begins, kind.answer_minutes * share / 100, pauses))
        for share in kind.escalate
        if share not in handoff.escalated
    )


def overdue(handoff: HandOff, at: datetime) -> bool:
    """Tell whether the time to answer is over at an instant; an answer at the very instant is in time."""
    return handoff.state == OPEN and handoff.due_at is not None and at > handoff.due_at


def running(handoff: HandOff, policy: Policy, at: datetime) -> HandOff:
    """Give the hand-off with its clock running again, if it was stopped."""
    if not handoff.paused:
        return replace(handoff, changed_at=at)
    pauses = (*handoff.pauses[:-1], replace(handoff.pauses[-1], ends=at))
    return timed(replace(handoff, pauses=pauses, changed_at=at), policy)


def timed(handoff: HandOff, policy: Policy) -> HandOff:
    """Say when the answer and the first touch are due; neither while the clock is stopped."""
    if handoff.paused:
        return handoff
    kind, calendar, begins = policy.type(handoff.type), calendar_of(handoff, policy), began(handoff)
    pauses = [(one.begins, one.ends) for one in handoff.pauses]
    answer, first_touch = (calendar.due(begins, limit, pauses) for limit in (kind.answer_minutes, kind.touch_minutes))
    return replace(handoff, due_at=answer, touch_due_at=first_touch)


def began(handoff: HandOff) -> datetime:
    """Give when the receiver's clock began: it is not theirs while nobody has the hand-off, but somebody must look."""
    return handoff.assigned_at or handoff.created_at


def calendar_of(handoff: HandOff, policy: Policy) -> Calendar:
    """Give the calendar that its clock follows: the receiver's."""
    return policy.calendars[handoff.receiver]


def worked(handoff: HandOff, policy: Policy, at: datetime) -> timedelta:
    """Give how much working time the receiver has had by an instant."""
    pauses = [(one.begins, one.ends) for one in handoff.pauses]
    return calendar_of(handoff, policy).worked(began(handoff), at, pauses)
