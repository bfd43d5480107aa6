"""What a hand-off is, and the steps that it goes through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from hashlib import sha256

from plait.failure import Unfit

OPEN, ACCEPTED, REJECTED, EXPIRED = STATES = ("open", "accepted", "rejected", "expired")
ACTS = ("created", "assigned", "touched", "paused", "resumed", "accepted", "rejected", "expired", "escalated")
THE_TEAM = "one team"  # who accepts where two departments work as one
SYSTEM = "plait"  # who acts when a timer or a rule does


class NotAllowedNow(Unfit, ValueError):
    """An act that the state of a hand-off does not allow; the sentence says what is allowed."""


class TimeIsOver(NotAllowedNow):
    """An answer to a hand-off whose time is over: it expires, and its successor is answered."""


class WrongPolicy(Unfit, ValueError):
    """An act judged by another version of the policy than the one the hand-off was made under."""


class IncompleteAct(Unfit, ValueError):
    """An act without what it needs: a reason, an amount with its currency, enough attempts."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A stretch in which the clock of a hand-off stands still; `ends` is None while it lasts."""

    begins: datetime
    ends: datetime | None
    why: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a hand-off is made from.

    `key` makes its id, with the type and the account: the id of the fact that started it, or a text of one's own, so
    that what is asked twice is made once. `captured_at` is when the reason arose: that fact's instant. `owner` is the
    account's owner so far, who goes on where two departments work as one team.
    """

    type: str
    account: str
    key: str
    sent_by: str
    captured_at: datetime
    person: str | None = None
    note: str = ""
    value: Decimal | None = None
    currency: str | None = None
    owner: str | None = None
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOff:
    """An account that one department offers to another, with an answer owed.

    `due_at` is when the answer is due, `touch_due_at` when the first touch is; both are None while the clock is
    stopped, and where two departments are one team. `because` says how the assignee was found. `state` is one of
    `STATES`; `fallback_used` tells that it came to the fallback: such a one does not expire, it stays open and overdue
    until it is answered. `previous` is the hand-off whose successor it is. `completeness` is the share of required
    fields of the context card that are filled in, 0 to 1; None where none is required. `touches` are the instants at
    which the assignee reached out, `escalated` the percents of the time at which somebody was told. `changed_at` is the
    last act's instant. All instants are aware UTC.
    """

    id: str
    type: str
    account: str
    person: str | None = None
    sender: str
    receiver: str
    mode: str
    sent_by: str
    assignee: str | None = None
    fallback_used: bool = False
    because: str = ""
    captured_at: datetime
    created_at: datetime
    assigned_at: datetime | None = None
    due_at: datetime | None = None
    touch_due_at: datetime | None = None
    first_touch_at: datetime | None = None
    answered_at: datetime | None = None
    answered_by: str | None = None
    changed_at: datetime
    pauses: tuple[Pause, ...] = ()
    touches: tuple[datetime, ...] = ()
    escalated: tuple[int, ...] = ()
    policy_version: int
    state: str = OPEN
    reason: str | None = None
    note: str = ""
    recycle_to: str | None = None
    wake_at: datetime | None = None
    value: Decimal | None = None
    currency: str | None = None
    previous: str | None = None
    context: Mapping[str, str] = field(default_factory=dict)
    completeness: float | None = None

    @property
    def paused(self) -> bool:
        """Tell whether its clock is stopped now."""
        return bool(self.pauses) and self.pauses[-1].ends is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One act on a hand-off, as it is recorded; `act` is one of `ACTS`.

    `minutes` are working minutes since the clock of the answer began; for "assigned" all minutes since the reason
    arose; for "escalated" it is the percent of the time. The id follows from what was done, when and by whom. `detail`
    is what holds of the hand-off once the act is done, as texts.
    """

    id: str
    handoff: str
    act: str
    at: datetime
    by: str
    reason: str = ""
    note: str = ""
    minutes: Decimal | None = None
    detail: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """What an act did: the hand-off afterwards, all steps in order (a successor's too), and the successor."""

    handoff: HandOff
    steps: tuple[Step, ...]
    successor: HandOff | None = None


def handoff_id(type_: str, account: str, key: str) -> str:
    """Give the id that a hand-off of this type, account and key has, always the same."""
    return sha256(f"{type_}\0{account}\0{key}".encode()).hexdigest()[:24]


def balance(handoffs: Sequence[HandOff]) -> Mapping[str, int]:
    """Count hand-offs by state, all states named; the sum is the number created."""
    counted = Counter(one.state for one in handoffs)
    return {state: counted[state] for state in STATES}


def step_of(
    handoff: HandOff, act: str, at: datetime, by: str, *, reason: str = "", note: str = "",
    minutes: timedelta | None = None, told: str = "",
) -> Step:  # fmt: skip
    """Record an act, with what holds of the hand-off once it is done."""
    number = None
    if minutes is not None:
        number = Decimal(str(minutes / timedelta(minutes=1))).quantize(Decimal("0.01"), ROUND_HALF_UP)
    key = "\0".join((handoff.id, act, at.isoformat(), by, str(number) if act == "escalated" else ""))
    detail = {
        "type": handoff.type,
        "sender": handoff.sender,
        "receiver": handoff.receiver,
        "mode": handoff.mode,
        "policy": str(handoff.policy_version),
        "assignee": handoff.assignee or "",
        "due": _instant(handoff.due_at),
        "touch_due": _instant(handoff.touch_due_at),
        "completeness": "" if handoff.completeness is None else f"{handoff.completeness:.4f}",
        "previous": handoff.previous or "",
        "target": handoff.recycle_to or "",
        "told": told,
    }
    return Step(
        id=f"{handoff.id}-{sha256(key.encode()).hexdigest()[:16]}", handoff=handoff.id, act=act, at=at, by=by,
        reason=reason, note=note, minutes=number, detail={name: text for name, text in detail.items() if text},
    )  # fmt: skip


def _instant(at: datetime | None) -> str:
    return "" if at is None else at.strftime("%Y-%m-%d %H:%M:%S")
