"""The state of a hand-off: what it is, who may do what with it now, and the steps that it went through.

Every act is a function from a hand-off to a `Change`: the hand-off afterwards, the steps to record, and the successor
that it opened, if any. Nothing here reads a clock or a database: `now` is given, in aware UTC. Created = accepted +
rejected + expired + open, after every act.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from plait.facts import Fact
from plait.failure import Unfit
from plait.handoff.policy import Policy

OPEN, ACCEPTED, REJECTED, EXPIRED = STATES = ("open", "accepted", "rejected", "expired")
ACTS = ("created", "assigned", "touched", "paused", "resumed", "accepted", "rejected", "expired", "escalated")
THE_TEAM = "one team"  # who accepts where two departments work as one
SYSTEM = "plait"  # who acts when a timer or a rule does


class NotAllowedNow(Unfit, ValueError):
    """An act that the state of a hand-off does not allow; the sentence says what is allowed."""


class TimeIsOver(NotAllowedNow):
    """An answer to a hand-off whose time is over: it expires, and its successor is answered."""


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
    arose; for "escalated" it is the percent of the time. The id follows from the hand-off and the number of the act.
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


def create(start: Start, policy: Policy, *, now: datetime) -> Change:
    """Make a hand-off; where the two departments are one team it is accepted at once and its owner goes on."""
    raise NotImplementedError


def assign(
    handoff: HandOff, policy: Policy, *, to: str, by: str, now: datetime, because: str = "", fallback: bool = False
) -> Change:
    """Give an open hand-off to a colleague; the first time the receiver's clock begins, later it goes on."""
    raise NotImplementedError


def touch(
    handoff: HandOff, policy: Policy, *, by: str, now: datetime, note: str = "", automatic: bool = False
) -> Change:
    """Note that the assignee reached out in person; a machine's message is refused, it is no touch."""
    raise NotImplementedError


def pause(handoff: HandOff, policy: Policy, *, by: str, why: str, now: datetime) -> Change:
    """Stop the clock of an open hand-off, with a reason."""
    raise NotImplementedError


def resume(handoff: HandOff, policy: Policy, *, by: str, now: datetime) -> Change:
    """Let the clock run again; what is due moves by the working time that the pause took."""
    raise NotImplementedError


def accept(handoff: HandOff, policy: Policy, *, by: str, now: datetime, note: str = "") -> Change:
    """Take a hand-off."""
    raise NotImplementedError


def reject(handoff: HandOff, policy: Policy, *, by: str, reason: str, now: datetime, note: str = "") -> Change:
    """Refuse a hand-off with one of the policy's reasons; a rerouted one opens a successor for somebody else."""
    raise NotImplementedError


def withdraw(handoff: HandOff, policy: Policy, *, by: str, now: datetime, note: str = "") -> Change:
    """Take an open hand-off back: its sender's act; it is left out of the acceptance rate."""
    raise NotImplementedError


def expire(handoff: HandOff, policy: Policy, *, now: datetime, latest: Policy | None = None) -> Change:
    """Close a hand-off that nobody answered in time, for good, and open its successor for the fallback.

    `latest` is the policy that the successor is made under, the hand-off's own when none is given.
    """
    raise NotImplementedError


def escalations(handoff: HandOff, policy: Policy) -> tuple[tuple[int, datetime], ...]:
    """Give the percents of the time to answer that nobody was told of yet, each with its instant, in order."""
    raise NotImplementedError


def escalations_due(handoff: HandOff, policy: Policy, *, now: datetime) -> Change:
    """Record each share of the time to answer that is over now and was not told; no steps when there is none."""
    raise NotImplementedError


def allowed(handoff: HandOff, now: datetime) -> tuple[str, ...]:
    """Name the acts that its state allows now: the names of the functions of this module."""
    raise NotImplementedError


def handoff_id(type_: str, account: str, key: str) -> str:
    """Give the id that a hand-off of this type, account and key has, always the same."""
    raise NotImplementedError


def facts_of(step: Step, handoff: HandOff, policy: Policy, keys: Mapping[str, str]) -> list[Fact]:
    """Give the facts that a step is: its own, and that of the account's stage where the type tells one.

    `keys` name the account, and the person where there is one. Told twice they are the same facts.
    """
    raise NotImplementedError


def balance(handoffs: Sequence[HandOff]) -> Mapping[str, int]:
    """Count hand-offs by state, all states named; the sum is the number created."""
    raise NotImplementedError
