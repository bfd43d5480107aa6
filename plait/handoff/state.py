"""The state of a hand-off: what it is, who may do what with it now, and the steps that it went through.

Every act is a function from a hand-off to a `Change`: the hand-off afterwards, the steps to record, and the successor
that it opened, if any. Nothing here reads a clock or a database: `now` is given, in aware UTC. Created = accepted +
rejected + expired + open, after every act.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from plait.facts import CURRENCIES
from plait.failure import Said
from plait.handoff.clock import escalations, overdue, running, timed, worked
from plait.handoff.record import (
    ACCEPTED,
    ACTS,
    EXPIRED,
    OPEN,
    REJECTED,
    STATES,
    SYSTEM,
    THE_TEAM,
    Change,
    HandOff,
    IncompleteAct,
    NotAllowedNow,
    Pause,
    Start,
    Step,
    TimeIsOver,
    WrongPolicy,
    balance,
    handoff_id,
    step_of,
)
from plait.handoff.telling import facts_of
from plait.handoff.terms import JOINT, ONE_TEAM, REROUTE, TAKEN_BACK, UNREACHABLE, HandOffType, Policy

__all__ = [
    "ACCEPTED", "ACTS", "EXPIRED", "OPEN", "REJECTED", "STATES", "SYSTEM", "THE_TEAM", "Change", "HandOff",
    "IncompleteAct", "NotAllowedNow", "Pause", "Start", "Step", "TimeIsOver", "WrongPolicy", "accept", "allowed",
    "assign", "balance", "create", "escalations", "escalations_due", "expire", "facts_of", "handoff_id", "pause",
    "reject", "resume", "touch", "withdraw",
]  # fmt: skip

MOST = Decimal(10) ** 14  # what a fact's amount can hold


def create(start: Start, policy: Policy, *, now: datetime) -> Change:
    """Make a hand-off; where the two departments are one team it is accepted at once and its owner goes on."""
    return _make(start, policy, now)


def assign(
    handoff: HandOff, policy: Policy, *, to: str, by: str, now: datetime, because: str = "", fallback: bool = False
) -> Change:
    """Give an open hand-off to a colleague; the first time the receiver's clock begins, later it goes on."""
    at = _judged(handoff, policy, now, "assign")
    if not to.strip():
        raise IncompleteAct(Said("nobody is named; say to whom the hand-off goes."))
    late = overdue(handoff, at)
    given = replace(
        handoff, assignee=to, assigned_at=handoff.assigned_at or at, because=because, changed_at=at,
        fallback_used=handoff.fallback_used or fallback,
    )  # fmt: skip
    given = given if late else timed(given, policy)
    since_capture = at - handoff.captured_at
    return Change(given, (step_of(given, "assigned", at, by, note=because, minutes=since_capture),))


def touch(
    handoff: HandOff, policy: Policy, *, by: str, now: datetime, note: str = "", automatic: bool = False
) -> Change:
    """Note that the assignee reached out in person; a machine's message is refused, it is no touch."""
    at = _judged(handoff, policy, now, "touch")
    if automatic:
        raise NotAllowedNow(Said("a message that a machine sent is no touch; note one when a person reached out."))
    if by != handoff.assignee:
        raise NotAllowedNow(
            Said("only {assignee} can note a touch; assign the hand-off first.", assignee=handoff.assignee or "-")
        )
    touched = replace(
        handoff, touches=(*handoff.touches, at), first_touch_at=handoff.first_touch_at or at, changed_at=at
    )
    return Change(touched, (step_of(touched, "touched", at, by, note=note, minutes=worked(handoff, policy, at)),))


def pause(handoff: HandOff, policy: Policy, *, by: str, why: str, now: datetime) -> Change:
    """Stop the clock of an open hand-off, with a reason."""
    at = _judged(handoff, policy, now, "pause")
    if not why.strip():
        raise IncompleteAct(Said("a pause needs a reason; say what is waited for."))
    stopped = replace(
        handoff, pauses=(*handoff.pauses, Pause(at, None, why.strip(), by)), due_at=None, touch_due_at=None,
        changed_at=at,
    )  # fmt: skip
    return Change(stopped, (step_of(stopped, "paused", at, by, reason=why.strip()),))


def resume(handoff: HandOff, policy: Policy, *, by: str, now: datetime) -> Change:
    """Let the clock run again; what is due moves by the working time that the pause took."""
    at = _judged(handoff, policy, now, "resume")
    runs = running(handoff, policy, at)
    return Change(runs, (step_of(runs, "resumed", at, by),))


def accept(handoff: HandOff, policy: Policy, *, by: str, now: datetime, note: str = "") -> Change:
    """Take a hand-off; one that nobody had becomes the one's who takes it."""
    at = _judged(handoff, policy, now, "accept")
    steps: tuple[Step, ...] = ()
    if handoff.assignee is None:
        taken = assign(handoff, policy, to=by, by=by, now=at)
        handoff, steps = taken.handoff, taken.steps
    minutes = worked(handoff, policy, at)
    done = replace(
        running(handoff, policy, at),
        state=ACCEPTED,
        answered_at=at,
        answered_by=by,
        note=note or handoff.note,
        changed_at=at,
    )
    return Change(done, (*steps, step_of(done, "accepted", at, by, note=note, minutes=minutes)))


def reject(
    handoff: HandOff,
    policy: Policy,
    *,
    by: str,
    reason: str,
    now: datetime,
    note: str = "",
    latest: Policy | None = None,
) -> Change:
    """Refuse a hand-off with one of the policy's reasons; a rerouted one opens a successor for somebody else.

    `latest` is the policy that the successor is made under, the hand-off's own when none is given.
    """
    at = _judged(handoff, policy, now, "reject")
    if not reason.strip() or reason == TAKEN_BACK:
        codes = ", ".join(code for code in policy.reasons if code != TAKEN_BACK)
        raise IncompleteAct(Said("a hand-off is refused with a reason; name one of: {codes}.", codes=codes))
    if reason == UNREACHABLE:
        _check_attempts(handoff, policy.type(handoff.type), at)
    change = _refuse(handoff, policy, by, reason, at, note)
    if change.handoff.recycle_to != REROUTE:
        return change
    because = Said("{by} rerouted it: {reason}.", by=by, reason=policy.reason(reason).title)
    under = latest if latest and handoff.type in latest.types else policy
    follows = _make(_successor_of(handoff, at), under, at, previous=handoff.id, because=because)
    return Change(change.handoff, change.steps + follows.steps, follows.handoff)


def withdraw(handoff: HandOff, policy: Policy, *, by: str, now: datetime, note: str = "") -> Change:
    """Take an open hand-off back: its sender's act; it is left out of the acceptance rate."""
    return _refuse(handoff, policy, by, TAKEN_BACK, _judged(handoff, policy, now, "withdraw"), note)


def expire(handoff: HandOff, policy: Policy, *, now: datetime, latest: Policy | None = None) -> Change:
    """Close a hand-off that nobody answered in time, for good, and open its successor for the fallback.

    `latest` is the policy that the successor is made under, the hand-off's own when none is given. Shares of the time
    that were not told yet are told first, by `escalations_due`.
    """
    at = _judged(handoff, policy, now, "expire")
    if handoff.fallback_used or not overdue(handoff, at):
        due = f"{handoff.due_at:%Y-%m-%d %H:%M} UTC" if handoff.due_at else "-"
        raise NotAllowedNow(
            Said("the hand-off is due at {due} and does not expire before; fallback hand-offs never do.", due=due)
        )
    done = replace(handoff, state=EXPIRED, changed_at=at)
    step = step_of(done, "expired", at, SYSTEM, minutes=worked(handoff, policy, at))
    under = latest if latest and handoff.type in latest.types else policy
    because = Said("nobody answered in time, so it goes to the fallback.")
    follows = _make(
        _successor_of(handoff, at), under, at, previous=handoff.id, because=because,
        fallback=under.type(handoff.type).fallback,
    )  # fmt: skip
    return Change(done, (step, *follows.steps), follows.handoff)


def escalations_due(handoff: HandOff, policy: Policy, *, now: datetime) -> Change:
    """Record each share of the time to answer that is over now and was not told; no steps when there is none."""
    _same_policy(handoff, policy)
    over = [share for share, at in escalations(handoff, policy) if at <= _aware(now)]
    if not over:
        return Change(handoff, ())
    at = _after(handoff, now)
    told = replace(handoff, escalated=(*handoff.escalated, *over), changed_at=at)
    who = "sender, receiver" if handoff.mode == JOINT else "receiver"
    steps = (step_of(told, "escalated", at, SYSTEM, minutes=timedelta(minutes=share), told=who) for share in over)
    return Change(told, tuple(steps))


def allowed(handoff: HandOff, now: datetime) -> tuple[str, ...]:
    """Name the acts that its state allows now: the names of the functions of this module."""
    if handoff.state == ACCEPTED:
        return ("touch",)
    if handoff.state != OPEN:
        return ()
    if overdue(handoff, now) and not handoff.fallback_used:
        return ("touch", "expire")
    clock = "resume" if handoff.paused else "pause"
    return ("accept", "reject", "touch", clock, "assign", "withdraw")


# ------------------------------------------------------------------------------------------------------- the parts


def _make(
    start: Start, policy: Policy, now: datetime, *, previous: str | None = None, because: str = "",
    fallback: str | None = None,
) -> Change:  # fmt: skip
    """Make a hand-off; `fallback` is the colleague of the fallback, empty where the policy names none.

    A successor waits for an answer within one team, too: whoever had it before did not answer or must not have it.
    """
    kind = policy.type(start.type)
    _check_start(start)
    now = _aware(now)
    mode = policy.mode(kind.sender, kind.receiver, now)
    made = HandOff(
        id=handoff_id(start.type, start.account, start.key), type=start.type, account=start.account,
        person=start.person, sender=kind.sender, receiver=kind.receiver,
        mode=JOINT if previous and mode == ONE_TEAM else mode,
        sent_by=start.sent_by, fallback_used=fallback is not None,
        because=because, captured_at=min(_aware(start.captured_at), now), created_at=now, changed_at=now,
        policy_version=policy.version, value=start.value, currency=start.currency, previous=previous,
        context=dict(start.context), completeness=_completeness(start.context, kind), note=start.note,
    )  # fmt: skip
    if made.mode == ONE_TEAM:
        return _go_on(made, start)
    made = timed(made, policy)
    steps = (step_of(made, "created", now, start.sent_by, note=start.note),)
    if not fallback:
        return Change(made, steps)
    given = assign(made, policy, to=fallback, by=SYSTEM, now=now, because=because, fallback=True)
    return Change(given.handoff, steps + given.steps)


def _go_on(made: HandOff, start: Start) -> Change:
    """Accept a hand-off within one team at once: whoever has the account goes on."""
    at, owner = made.created_at, start.owner or (start.sent_by if start.sent_by != SYSTEM else None)
    because = Said(
        "{sender} and {receiver} are one team: the owner goes on.", sender=made.sender, receiver=made.receiver
    )
    done = replace(
        made, assignee=owner, assigned_at=at if owner else None, because=because, state=ACCEPTED, answered_at=at,
        answered_by=THE_TEAM,
    )  # fmt: skip
    created = step_of(made, "created", at, start.sent_by, note=start.note)
    given = step_of(done, "assigned", at, SYSTEM, note=because, minutes=at - made.captured_at)
    accepted = step_of(done, "accepted", at, THE_TEAM, minutes=timedelta())
    return Change(done, (created, given, accepted) if owner else (created, accepted))


def _refuse(handoff: HandOff, policy: Policy, by: str, code: str, at: datetime, note: str) -> Change:
    reason = policy.reason(code)
    wakes = at + timedelta(days=reason.delay_days) if reason.delay_days is not None else None
    done = replace(
        running(handoff, policy, at), state=REJECTED, answered_at=at, answered_by=by, reason=code,
        note=note or handoff.note, recycle_to=reason.target, wake_at=wakes, changed_at=at,
    )  # fmt: skip
    step = step_of(done, "rejected", at, by, reason=code, note=note, minutes=worked(handoff, policy, at))
    return Change(done, (step,))


def _successor_of(handoff: HandOff, at: datetime) -> Start:
    """Give what the successor is made from; the delay before it belongs to the hand-off that ends here."""
    return Start(
        type=handoff.type, account=handoff.account, key=f"after {handoff.id}", sent_by=handoff.sent_by, captured_at=at,
        person=handoff.person, note=handoff.note, value=handoff.value, currency=handoff.currency,
        owner=handoff.assignee, context=handoff.context,
    )  # fmt: skip


def _judged(handoff: HandOff, policy: Policy, now: datetime, act: str) -> datetime:
    """Give the instant of an act that is allowed now; every act comes after the last, whatever the clock says."""
    _same_policy(handoff, policy)
    at = _after(handoff, now)
    may = allowed(handoff, at)
    if act in may or (act == "expire" and handoff.state == OPEN):
        return at
    if overdue(handoff, at) and handoff.state == OPEN:
        raise TimeIsOver(
            Said(
                "the time to answer was over at {due} UTC: the hand-off expires, and its successor can be answered.",
                due=f"{handoff.due_at:%Y-%m-%d %H:%M}",
            )
        )
    allows = ", ".join(may) or Said("nothing: it is closed for good")
    raise NotAllowedNow(
        Said("{act} is not allowed: the hand-off is {state}; allowed now: {allowed}.", act=act,
             state="paused" if handoff.paused else handoff.state, allowed=allows)
    )  # fmt: skip


def _same_policy(handoff: HandOff, policy: Policy) -> None:
    if policy.version != handoff.policy_version:
        raise WrongPolicy(
            Said(
                "the hand-off was made under version {made} of the policy and is judged by it, not by version {given}.",
                made=handoff.policy_version, given=policy.version,
            )
        )  # fmt: skip


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise IncompleteAct(Said("{at} has no time zone; add one, such as UTC.", at=str(at)))
    return at.astimezone(UTC)


def _after(handoff: HandOff, now: datetime) -> datetime:
    return max(_aware(now), handoff.changed_at + timedelta(microseconds=1))


def _check_start(start: Start) -> None:
    """Refuse a hand-off that nobody could answer."""
    missing = [name for name in ("account", "key", "sent_by") if not getattr(start, name).strip()]
    if missing:
        raise IncompleteAct(Said("a hand-off needs {missing}; fill them in.", missing=", ".join(missing)))
    if (start.value is None) != (start.currency is None) or (start.currency or "EUR") not in CURRENCIES:
        raise IncompleteAct(Said("a value at stake needs its currency; give both, such as 12000 and EUR, or neither."))
    if start.value is not None and not (start.value.is_finite() and 0 <= start.value < MOST):
        raise IncompleteAct(
            Said("the value at stake is {value}; give 0 or more, below {most}, or none.", value=start.value, most=MOST)
        )


def _check_attempts(handoff: HandOff, kind: HandOffType, at: datetime) -> None:
    """Refuse to call somebody unreachable whom nobody tried to reach."""
    tried = sum(1 for one in handoff.touches if one > at - timedelta(days=kind.attempt_days))
    if tried < kind.attempts:
        raise IncompleteAct(
            Said(
                "somebody is unreachable after {n} attempts within {days} days; so far there are {tried}. "
                "Note each attempt as a touch, or choose another reason.",
                n=kind.attempts, days=kind.attempt_days, tried=tried,
            )
        )  # fmt: skip


def _completeness(context: Mapping[str, str], kind: HandOffType) -> float | None:
    if not kind.required:
        return None
    return sum(1 for name in kind.required if context.get(name, "").strip()) / len(kind.required)
