"""Mails about hand-offs: alerts when time runs out or somebody else must take over, and the digest of the morning."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from smtplib import SMTPException
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from plait.handoff.state import Step
from plait.settings import read_settings
from plait.web.handoffs import clock, colleagues, shown, waiting
from plait.web.handoffs.models import HandOff
from plait.web.people.models import User

FOLDER = "handoffs/email"
DIGEST_ROWS = 15
log = logging.getLogger(__name__)


def address(path: str) -> str:
    """Give the whole address of a page: where the desk says that it is reached."""
    host = settings.ALLOWED_HOSTS[0] if settings.ALLOWED_HOSTS else "localhost"
    base = os.environ.get("PLAIT_ADDRESS") or f"{'http' if settings.LOCAL else 'https'}://{host}"
    return f"{base.rstrip('/')}{path}"


def escalated(row: HandOff, steps: Sequence[Step], people: Sequence[User]) -> None:
    """Tell people that a share of the time to answer is over."""
    share = max((int(step.minutes or 0) for step in steps), default=0)
    _alert("escalated", row, people, {"share": share})


def fell_back(row: HandOff) -> None:
    """Tell who has a hand-off now, and who leads them, that it came to them because others could not, and why."""
    people = [*User.objects.filter(email=row.assignee, is_active=True), *colleagues.heads_of(row.receiver)]
    _alert("fell_back", row, list({one.pk: one for one in people}.values()), {})


def digest(user: User) -> bool:
    """Send somebody what waits for them; tells whether there was anything to send, and the mail server took it."""
    now, zone = clock.present(), ZoneInfo(read_settings(settings.HOME).zone)
    mine = HandOff.objects.filter(assignee=user.email, state=HandOff.State.OPEN).order_by("order_at", "id")
    count, late = mine.count(), mine.filter(due_at__lt=now).count()
    if not count:
        return False
    with translation.override(user.language or settings.LANGUAGE_CODE):
        rows = shown.rows_shown(list(mine[:DIGEST_ROWS]), user, now)
        told = {
            "rows": rows,
            "count": count,
            "late": late,
            "more": count - len(rows),
            "day": now.astimezone(zone).date(),
        }
        return _send("digest", user, told | {"link": address(reverse("inbox")), "off": address(reverse("me"))})


def _alert(name: str, row: HandOff, people: Sequence[User], more: Mapping[str, object]) -> None:
    now = clock.present()
    for user in people:
        with translation.override(user.language or settings.LANGUAGE_CODE):
            (one,) = shown.rows_shown([row], user, now)
            link = address(reverse("handoff", args=[row.pk]))
            _send(name, user, {"one": one, "row": row, "link": link, "late": waiting.left(row, now), **more})


def _send(name: str, user: User, told: Mapping[str, object]) -> bool:
    """Send a mail as text and as a page; one that the server does not take is told in the log."""
    told = {"user": user, **told}
    subject = " ".join(render_to_string(f"{FOLDER}/{name}_subject.txt", told).split())
    text = render_to_string(f"{FOLDER}/{name}_message.txt", told).strip() + "\n"
    mail = EmailMultiAlternatives(subject, text, settings.DEFAULT_FROM_EMAIL, [user.email])
    mail.attach_alternative(render_to_string(f"{FOLDER}/{name}_message.html", told), "text/html")
    try:
        mail.send()
    except (OSError, SMTPException) as error:
        log.warning("the mail server did not take a mail to %s: %s", user.email, error)
        return False
    return True
