"""Acts: what people and timers do with hand-offs, each in one transaction with its steps, facts and audit entry.

A row is locked while somebody acts on it: of two who answer at once one wins, and the other is told who it was.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial, reduce

from django.db import IntegrityError, transaction

from plait.failure import Said, Unfit
from plait.handoff import routing, state, telling
from plait.handoff.policy import Policy
from plait.web.handoffs import clock, colleagues, mails, outbox, rows
from plait.web.handoffs.models import HandOff, Step
from plait.web.handoffs.policies import newest, policy_of
from plait.web.people.models import User, record

Doing = Callable[[state.HandOff, Policy, datetime], state.Change]


class AlreadyAnswered(Unfit, ValueError):
    """Somebody else answered the hand-off first."""


class UnknownHandOff(Unfit, LookupError):
    """There is no such hand-off."""


class BadReceiver(Unfit, ValueError):
    """Somebody who cannot get this hand-off."""


@dataclass(frozen=True, slots=True)
class Known:
    """An account as hand-offs keep it: its name, what search looks through, and a key that its facts carry."""

    name: str
    folded: str
    keys: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Done:
    """What an act led to: the hand-off afterwards, its new steps, and the successor that it opened."""

    row: HandOff
    steps: Sequence[state.Step] = ()
    successor: HandOff | None = None


def create(start: state.Start, known: Known, *, actor: User | None, policy: Policy | None = None) -> HandOff:
    """Make a hand-off and find who gets it; what was made from the same fact or form before is given again."""
    before = HandOff.objects.filter(type=start.type, start=start.key)
    try:
        return before.first() or _create(start, known, actor, policy or newest())
    except IntegrityError:  # somebody else has made it at this very moment
        return before.get()


def _create(start: state.Start, known: Known, actor: User | None, policy: Policy) -> HandOff:
    with transaction.atomic():
        change = state.create(start, policy, now=max(clock.present(), start.captured_at))
        row = HandOff(account_name=known.name[:200], folded=known.folded[:400], keys=dict(known.keys), start=start.key)
        _save(row, change.handoff, change.steps, policy)
        _record(actor, row, "created", None)
        if change.handoff.state == state.OPEN:
            give(row, policy, owner=start.owner)
    return row


def give(row: HandOff, policy: Policy, *, owner: str | None = None, but: Collection[str] = ()) -> None:
    """Find who gets an open hand-off and give it to them, inside a transaction; `but` names who shall not get it.

    When it comes to the fallback, people are told.
    """
    handoff, today = rows.handoff_of(row), clock.today()
    able = [one for one in colleagues.colleagues(row.receiver, today) if one.name not in but]
    head = colleagues.head_of(row.receiver, but={*but, *colleagues.away_until(today)})
    found = routing.route(handoff, policy, able, owner=owner, head=head)
    if found.assignee is None or found.assignee == handoff.assignee:
        return
    change = state.assign(
        handoff, policy, to=found.assignee, by=state.SYSTEM, now=_now(handoff), fallback=found.fallback,
        because=_joined((found.because, *found.passed_over)),
    )  # fmt: skip
    _save(row, change.handoff, change.steps, policy)
    if found.fallback:
        transaction.on_commit(partial(mails.fell_back, row))


def row_of(number: str, *, locked: bool = False) -> HandOff:
    """Give the row of a hand-off; `locked` keeps others from it until the end of the transaction."""
    row = (HandOff.objects.select_for_update() if locked else HandOff.objects).filter(pk=number).first()
    if row is None:
        says = "there is no hand-off {number}; `plait handoff list` and the inbox show those that there are."
        raise UnknownHandOff(Said(says, number=number))
    return row


def do(number: str, doing: Doing, *, actor: User | None, elsewhere: bool = False) -> Done:
    """Do something with a hand-off, alone; one whose time is over is let expire before that is said.

    What was done `elsewhere`, such as in the CRM, has told the account's stage there already.
    """
    try:
        return _do(number, doing, actor, elsewhere=elsewhere)
    except state.TimeIsOver:
        expire(number)
        raise


def accept(number: str, user: User, *, note: str = "") -> Done:
    """Take a hand-off."""
    return do(number, _answer(lambda h, p, now: state.accept(h, p, by=user.email, now=now, note=note)), actor=user)


def reject(number: str, user: User, *, reason: str, note: str = "") -> Done:
    """Refuse a hand-off with a reason."""

    def rejected(h: state.HandOff, p: Policy, now: datetime) -> state.Change:
        return state.reject(h, p, by=user.email, reason=reason, now=now, note=note)

    return do(number, _answer(rejected), actor=user)


def withdraw(number: str, user: User, *, note: str = "") -> Done:
    """Take a hand-off back."""
    return do(number, _answer(lambda h, p, now: state.withdraw(h, p, by=user.email, now=now, note=note)), actor=user)


def touch(number: str, user: User, *, note: str = "") -> Done:
    """Note that the account was reached out to in person."""
    return do(number, lambda h, p, now: state.touch(h, p, by=user.email, now=now, note=note), actor=user)


def pause(number: str, user: User, *, why: str) -> Done:
    """Stop the clock."""
    return do(number, lambda h, p, now: state.pause(h, p, by=user.email, why=why, now=now), actor=user)


def resume(number: str, user: User) -> Done:
    """Let the clock run again."""
    return do(number, lambda h, p, now: state.resume(h, p, by=user.email, now=now), actor=user)


def assign(number: str, user: User, *, to: str, because: str = "") -> Done:
    """Give an open hand-off to another colleague of the receiving department."""

    def assigned(h: state.HandOff, p: Policy, now: datetime) -> state.Change:
        able = colleagues.working_in(h.receiver).filter(is_active=True)
        if not able.filter(email=to).exists():
            allowed = ", ".join(able.values_list("email", flat=True))
            raise BadReceiver(
                Said("{to!r} cannot get this hand-off; choose one of: {allowed}.", to=to, allowed=allowed)
            )
        return state.assign(h, p, to=to, by=user.email, now=now, because=because)

    return do(number, assigned, actor=user)


def expire(number: str) -> Done | None:
    """Close a hand-off whose time is over, and give its successor to the fallback; None when it was not over."""
    try:
        return _do(number, lambda h, p, now: state.expire(h, p, now=now, latest=newest()), None)
    except state.NotAllowedNow:
        return None  # answered, paused or already expired meanwhile


def _answer(doing: Doing) -> Doing:
    """Tell whoever answers too late who was first."""

    def answered(handoff: state.HandOff, policy: Policy, now: datetime) -> state.Change:
        if handoff.state in (state.ACCEPTED, state.REJECTED) and handoff.answered_by:
            who = colleagues.names_of([handoff.answered_by]).get(handoff.answered_by, handoff.answered_by)
            says = "{who} was first: this hand-off is {state} already. Nothing was changed."
            raise AlreadyAnswered(Said(says, who=who, state=Said(handoff.state)))
        return doing(handoff, policy, now)

    return answered


def _do(number: str, doing: Doing, actor: User | None, *, elsewhere: bool = False) -> Done:
    with transaction.atomic():
        row = row_of(number, locked=True)
        handoff, policy, before = rows.handoff_of(row), policy_of(row.policy_version), row.state
        change = doing(handoff, policy, _now(handoff))
        own = [step for step in change.steps if step.handoff == row.pk]
        if own:
            _save(row, change.handoff, own, policy, stages=not elsewhere)
            if actor is not None or own[-1].act != "escalated":  # of those the steps say all
                _record(actor, row, own[-1].act, before)
        return Done(row, own, _succeed(row, change) if change.successor else None)


def _succeed(row: HandOff, change: state.Change) -> HandOff:
    """Keep the successor that an act opened, and give it to somebody: the fallback, or who has not refused it."""
    assert change.successor is not None  # noqa: S101 - asked for only where there is one
    policy = policy_of(change.successor.policy_version)
    made = HandOff(account_name=row.account_name, folded=row.folded, keys=row.keys)
    _save(made, change.successor, [step for step in change.steps if step.handoff == change.successor.id], policy)
    if made.state == state.OPEN and not made.assignee:
        if made.fallback_used:
            _to_the_head(made, policy)
        else:
            give(made, policy, but=[row.assignee] if row.assignee else [])
    return made


def _to_the_head(row: HandOff, policy: Policy) -> None:
    """Give a hand-off of the fallback to who leads the department; where nobody does, it stays with nobody."""
    head, handoff = colleagues.head_of(row.receiver), rows.handoff_of(row)
    if head is not None:
        change = state.assign(
            handoff, policy, to=head, by=state.SYSTEM, now=_now(handoff), because=row.because, fallback=True
        )
        _save(row, change.handoff, change.steps, policy)
    transaction.on_commit(partial(mails.fell_back, row))


def _joined(sentences: Sequence[str]) -> str:
    """Make sentences one, of which each keeps its parts."""
    return reduce(lambda one, other: Said("{one} · {other}", one=one, other=other), sentences)


def _save(
    row: HandOff, handoff: state.HandOff, steps: Sequence[state.Step], policy: Policy, *, stages: bool = True
) -> None:
    """Save a hand-off with its new steps, and keep their facts for the timeline."""
    adding, recorded_at = row._state.adding, clock.now()  # noqa: SLF001 - Django's own word for a row that is new
    rows.write(row, handoff, policy)
    row.save(force_insert=adding)
    first = 0 if adding else Step.objects.filter(handoff=row).count()
    Step.objects.bulk_create(rows.step_row(one, number, recorded_at) for number, one in enumerate(steps, first + 1))
    facts = [fact for step in steps for fact in telling.facts_of(step, handoff, policy, row.keys)]
    outbox.keep(fact for fact in facts if stages or fact.kind.startswith("handoff."))


def _record(actor: User | None, row: HandOff, act: str, before: str | None) -> None:
    after = {"state": row.state, "type": row.type, "assignee": row.assignee, "reason": row.reason, "id": row.pk}
    told = {name: value for name, value in after.items() if value}
    record(actor, f"handoff.{act}", row.account_name, before={"state": before} if before else None, after=told)


def _now(handoff: state.HandOff) -> datetime:
    """Give the instant of an act: never before the last one, for a home's present may begin its day anew."""
    return max(clock.present(), handoff.changed_at)
