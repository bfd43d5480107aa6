"""Rows: how a hand-off and its steps lie in the database, and back."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from plait.failure import Said
from plait.handoff import state
from plait.handoff.policy import Policy
from plait.web.handoffs.models import HandOff, Step

ALIKE = (
    "id", "type", "account", "sender", "receiver", "mode", "sent_by", "fallback_used", "captured_at",
    "created_at", "assigned_at", "due_at", "touch_due_at", "first_touch_at", "answered_at", "changed_at",
    "policy_version", "state", "note", "wake_at", "value", "completeness",
)  # fmt: skip
EMPTY_IS_NONE = ("person", "assignee", "answered_by", "reason", "recycle_to", "currency", "previous")
SAID = "said:"  # how a sentence of ours begins in a row
LAST = datetime(9000, 1, 1, tzinfo=UTC)  # where a stopped clock stands among those that run


def handoff_of(row: HandOff) -> state.HandOff:
    """Give the hand-off that a row holds."""
    told = {name: getattr(row, name) for name in ALIKE} | {name: getattr(row, name) or None for name in EMPTY_IS_NONE}
    return state.HandOff(
        **told,
        pauses=tuple(
            state.Pause(_instant(one["begins"]), _instant(one["ends"]) if one["ends"] else None, one["why"], one["by"])
            for one in row.pauses
        ),
        touches=tuple(map(_instant, row.touches)),
        escalated=tuple(row.escalated),
        context=dict(row.context),
        because=heard(row.because),
    )


def write(row: HandOff, handoff: state.HandOff, policy: Policy) -> HandOff:
    """Write a hand-off into its row, without saving it."""
    for name in ALIKE:
        setattr(row, name, getattr(handoff, name))
    for name in EMPTY_IS_NONE:
        setattr(row, name, getattr(handoff, name) or "")
    row.pauses = [
        {
            "begins": one.begins.isoformat(),
            "ends": one.ends.isoformat() if one.ends else None,
            "why": one.why,
            "by": one.by,
        }
        for one in handoff.pauses
    ]
    row.touches = [at.isoformat() for at in handoff.touches]
    row.escalated = list(handoff.escalated)
    row.context = dict(handoff.context)
    row.because = kept(handoff.because)
    row.order_at = handoff.answered_at or (
        handoff.due_at or LAST if handoff.state == state.OPEN else handoff.changed_at
    )
    row.next_at = next_at(handoff, policy)
    return row


def next_at(handoff: state.HandOff, policy: Policy) -> datetime | None:
    """Give when the clock of a hand-off next wants something; None when it is answered or its clock is stopped."""
    if handoff.state != state.OPEN or handoff.due_at is None:
        return None
    wanted = [at for _, at in state.escalations(handoff, policy)]
    if not handoff.fallback_used:
        wanted.append(handoff.due_at)
    return min(wanted, default=None)


def step_row(step: state.Step, number: int, recorded_at: datetime) -> Step:
    """Give the row of a step; `number` is its place in the hand-off's history."""
    return Step(
        id=step.id, handoff_id=step.handoff, number=number, act=step.act, at=step.at, by=step.by, reason=step.reason,
        note=kept(step.note), minutes=step.minutes, detail=dict(step.detail), recorded_at=recorded_at,
    )  # fmt: skip


def kept(text: str) -> str:
    """Give a sentence as a row keeps it: one of ours with its parts, so that each reader has it in their language."""
    return SAID + json.dumps(text.told(), ensure_ascii=False, default=str) if isinstance(text, Said) else text


def heard(text: str) -> str:
    """Give the sentence that a row keeps."""
    return Said.of(json.loads(text.removeprefix(SAID))) if text.startswith(SAID) else text


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
