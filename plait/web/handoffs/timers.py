"""Timers: what happens with hand-offs when nobody acts: shares of the time are told, late ones expire, leavers give up.

Run by the worker beside the desk, every second or two. Each hand-off is looked after alone: one that cannot be is told
in the log, tried again later, and holds up no other.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import DatabaseError, close_old_connections, transaction

from plait.failure import Misused, Unfit
from plait.handoff import state
from plait.handoff.policy import Policy
from plait.web.handoffs import acts, changing, clock, colleagues, digests, mails, outbox, starting
from plait.web.handoffs.models import Answered, HandOff
from plait.web.handoffs.policies import policy_of
from plait.web.people.models import User

EVERY = 1.0  # seconds between two rounds
LOOK_EVERY = 5.0  # seconds between two looks at new facts: each reads the line of time
SLOW_EVERY = 30.0  # seconds between two looks at what changes seldom: who is away, whose morning it is
AT_ONCE = 200
AGAIN = timedelta(hours=1)  # until a hand-off that could not be looked after is tried again
KEPT = timedelta(days=7)  # answers to programs that may ask again
log = logging.getLogger(__name__)


def keep(over: threading.Event | None = None) -> threading.Thread:
    """Start to look after hand-offs, until `over` or the end of the process."""
    thread = threading.Thread(target=_keep, args=(over or threading.Event(),), name="handoffs", daemon=True)
    thread.start()
    return thread


def round_once(*, look: bool, slow: bool) -> None:
    """Look after all hand-offs once, and publish what waits; `look` at new facts too, `slow` at what changes seldom."""
    publish: Callable[[], object] = partial(outbox.publish, settings.HOME)
    works = [publish, run_clocks]
    if look:
        works.append(starting.look)
    if slow:
        works += [hand_on, digests.send, changing.catch_up, _forget]
    for work in [*works, publish]:
        try:
            work()
        except (DatabaseError, Unfit, Misused, OSError) as error:
            log.warning("hand-offs are looked after again soon: %s", error)


def run_clocks() -> int:
    """Tell the shares of the time that are over and close what is late; gives how many clocks wanted something."""
    now = clock.present()
    due = HandOff.objects.filter(state=HandOff.State.OPEN, next_at__lte=now).order_by("next_at")
    numbers = list(due.values_list("pk", flat=True)[:AT_ONCE])
    for number in numbers:
        try:
            _run_clock(number)
        except (Unfit, Misused) as error:
            log.warning("hand-off %s: %s", number, error)
            HandOff.objects.filter(pk=number).update(next_at=now + AGAIN)
    return len(numbers)


def hand_on() -> int:
    """Give what waits with somebody who has left or is away to somebody else; gives how many hand-offs those were."""
    waiting = HandOff.objects.filter(state=HandOff.State.OPEN).exclude(assignee="")
    holders = set(waiting.order_by().values_list("assignee", flat=True).distinct())
    here = set(User.objects.filter(email__in=holders, is_active=True).values_list("email", flat=True))
    gone = (holders - here) | (holders & set(colleagues.away_until(clock.today())))
    handed = 0
    for number in waiting.filter(assignee__in=gone).values_list("pk", flat=True)[:AT_ONCE]:
        try:
            handed += _hand_on(number, gone)
        except (Unfit, Misused) as error:
            log.warning("hand-off %s: %s", number, error)
    return handed


def _run_clock(number: str) -> None:
    told = acts.do(number, _escalate, actor=None)
    row = told.row
    if told.steps:
        mails.escalated(row, told.steps, _heads(row, told.steps))
    if row.due_at is not None and row.due_at < clock.present():
        acts.expire(number)


def _escalate(handoff: state.HandOff, policy: Policy, now: datetime) -> state.Change:
    return state.escalations_due(handoff, policy, now=now)


def _heads(row: HandOff, steps: Sequence[state.Step]) -> list[User]:
    """Give those who are told: who leads the receiving department, and in a joint agreement the sending one's too."""
    heads = colleagues.heads_of(row.receiver)
    if any("sender" in step.detail.get("told", "") for step in steps):
        heads += colleagues.heads_of(row.sender)
    return heads


def _hand_on(number: str, gone: set[str]) -> bool:
    with transaction.atomic():
        row = HandOff.objects.select_for_update().get(pk=number)
        if row.state != HandOff.State.OPEN or row.assignee not in gone:
            return False
        before = row.assignee
        acts.give(row, policy_of(row.policy_version), but=[before])
        if row.assignee != before and not row.fallback_used:
            transaction.on_commit(partial(mails.fell_back, row))
    return row.assignee != before


def _forget() -> None:
    Answered.objects.filter(at__lt=clock.now() - KEPT).delete()


def _keep(over: threading.Event) -> None:
    look_at = slow_at = time.monotonic()
    while not over.wait(EVERY):
        now = time.monotonic()
        look, slow = now >= look_at, now >= slow_at
        look_at, slow_at = now + LOOK_EVERY if look else look_at, now + SLOW_EVERY if slow else slow_at
        try:
            round_once(look=look, slow=slow)
        finally:
            close_old_connections()
