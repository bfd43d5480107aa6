"""Digests: who gets the mail of the morning, once a working day, and who wants none."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q

from plait.handoff.policy import Policy
from plait.web.handoffs import clock, mails
from plait.web.handoffs.models import Digest, HandOff
from plait.web.handoffs.policies import newest
from plait.web.people.models import User


def send() -> int:
    """Send the digest to everybody whose working day has begun and who had none today; gives how many got one."""
    today, now, policy = clock.today(), clock.present(), newest()
    holders = HandOff.objects.filter(state=HandOff.State.OPEN).exclude(assignee="").order_by()
    had = Q(digest__wanted=False) | Q(digest__sent_on=today)
    people = User.objects.filter(email__in=holders.values("assignee").distinct(), is_active=True).exclude(had)
    sent = 0
    for user in people:
        if works_by_now(user, policy, now):
            Digest.objects.update_or_create(person=user, defaults={"sent_on": today})  # before: never two a day
            sent += mails.digest(user)
    return sent


def works_by_now(user: User, policy: Policy, now: datetime) -> bool:
    """Tell whether somebody's working day has begun: on a free day it does not."""
    calendar = policy.calendars.get(user.department)
    if calendar is None:
        return False
    midnight = datetime.combine(clock.today(), datetime.min.time(), clock.zone())
    return calendar.worked(midnight, now) > timedelta()


def wanted(user: User) -> bool:
    """Tell whether somebody wants the digest."""
    return not Digest.objects.filter(person=user, wanted=False).exists()


def want(user: User, *, wanted: bool) -> None:
    """Switch somebody's digest on or off."""
    Digest.objects.update_or_create(person=user, defaults={"wanted": wanted})
