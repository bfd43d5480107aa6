"""Waiting: the hand-offs that somebody looks for, by when they are due, a page at a time.

A page begins after the last row of the one before, never at a number of rows: whatever is answered meanwhile, nothing
is left out, and the thousandth page costs what the first does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.translation import gettext, gettext_noop

from plait.handoff.policy import Policy
from plait.web.directory import fold
from plait.web.handoffs.models import HandOff
from plait.web.handoffs.policies import policy_of
from plait.web.people.models import User
from plait.web.people.rights import may
from plait.web.state import BadState

PAGE = 50
MOST = 1_000  # what is counted; more is said to be more
RAIL_MOST = 100
OPEN = HandOff.State.OPEN
STATES = ("open", "accepted", "rejected", "expired")
Rows = QuerySet[HandOff]
VIEWS: Mapping[str, tuple[str, Callable[[Rows, User], Rows]]] = {
    "mine": (gettext_noop("For me"), lambda rows, user: rows.filter(assignee=user.email)),
    "touch": (
        gettext_noop("To reach out"),
        lambda rows, user: rows.filter(assignee=user.email, first_touch_at=None, touch_due_at__isnull=False),
    ),
    "department": (gettext_noop("For my department"), lambda rows, user: rows.filter(receiver=user.department)),
    "sent": (gettext_noop("Sent by me"), lambda rows, user: rows.filter(sent_by=user.email)),
    "ours": (gettext_noop("Sent by my department"), lambda rows, user: rows.filter(sender=user.department)),
    "all": (gettext_noop("All"), lambda rows, user: rows),  # noqa: ARG005 - one shape for all
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody looks for; `after` is the last row of the page before: its instant and its id."""

    view: str
    state: str = "open"
    type: str = ""
    overdue: bool = False
    search: str = ""
    after: tuple[datetime, str] | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A hand-off with the working time that is left for its answer: below nothing once it is overdue, or unknown."""

    row: HandOff
    left: timedelta | None

    @property
    def overdue(self) -> bool:
        """Tell whether its answer is late."""
        return self.left is not None and self.left < timedelta()


def views_of(user: User) -> list[str]:
    """Give the views that make sense to somebody; who only looks on sees all."""
    if not may(user, "lifecycle.work").allowed:
        return ["all"]
    return [name for name in VIEWS if user.department or name in ("mine", "touch", "sent", "all")]


def read_wanted(query: QueryDict, user: User, policy: Policy) -> Wanted:
    """Read from an address what somebody looks for."""
    views = views_of(user)
    view = _one_of("view", str(query.get("view") or views[0]), views)
    return Wanted(
        view=view,
        state=_one_of("state", str(query.get("state") or _state_of(view)), STATES),
        type=_one_of("type", str(query.get("type") or ""), ["", *policy.types]),
        overdue=query.get("overdue") == "yes",
        search=str(query.get("q") or "").strip()[:100],
        after=cursor(str(query.get("after") or "")),
    )


def found(user: User, wanted: Wanted, now: datetime) -> Rows:
    """Give the hand-offs that somebody looks for, in order: what is due first, or what was answered last."""
    rows = VIEWS[wanted.view][1](HandOff.objects.filter(state=wanted.state), user)
    if wanted.type:
        rows = rows.filter(type=wanted.type)
    if wanted.overdue:
        rows = rows.filter(due_at__lt=now, order_at__lt=now)
    for word in fold(wanted.search).split():
        rows = rows.filter(folded__contains=word)
    return ordered(rows, wanted)


def ordered(rows: Rows, wanted: Wanted) -> Rows:
    """Put what is due first on top; of what is answered, what was answered last."""
    return rows.order_by("order_at", "id") if wanted.state == OPEN else rows.order_by("-order_at", "-id")


def page(rows: Rows, wanted: Wanted, most: int = PAGE) -> tuple[list[HandOff], str]:
    """Give a page of them, and where the next one begins; empty at the end."""
    if wanted.after is not None:
        at, number = wanted.after
        if wanted.state == OPEN:
            rows = rows.filter(order_at__gte=at).exclude(order_at=at, id__lte=number)
        else:
            rows = rows.filter(order_at__lte=at).exclude(order_at=at, id__gte=number)
    some = list(rows[: most + 1])
    last = some[most - 1] if len(some) > most else None
    return some[:most], f"{last.order_at.isoformat()}~{last.pk}" if last else ""


def counted(user: User, now: datetime) -> Mapping[str, int]:
    """Count what waits in each view of somebody, and what of it is overdue; more than `MOST` is `MOST`."""
    counts = {name: _count(found(user, Wanted(name, _state_of(name)), now)) for name in views_of(user)}
    return counts | {"overdue": _count(found(user, Wanted(views_of(user)[0], overdue=True), now))}


def waiting_for(user: User) -> int:
    """Count what waits for somebody, as the rail shows it."""
    rows = HandOff.objects.filter(assignee=user.email, state=OPEN)
    return rows.order_by().values("pk")[:RAIL_MOST].count()


def with_time_left(rows: list[HandOff], now: datetime) -> list[Waiting]:
    """Give hand-offs with the working time that is left for their answers."""
    return [Waiting(row, left(row, now)) for row in rows]


def left(row: HandOff, now: datetime) -> timedelta | None:
    """Give the working time left until an answer is due, below nothing when it is late; None when no clock runs."""
    if row.state != OPEN or row.due_at is None:
        return None
    calendar = policy_of(row.policy_version).calendars[row.receiver]
    if row.due_at >= now:
        return calendar.worked(now, row.due_at)
    return -max(calendar.worked(row.due_at, now), timedelta(minutes=1))


def cursor(text: str) -> tuple[datetime, str] | None:
    """Read where a page begins: after the row of this instant and id."""
    if not text:
        return None
    at, _, number = text.partition("~")
    try:
        instant = datetime.fromisoformat(at)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None or not number:
        said = gettext("%(name)s cannot be %(value)r; begin at the first page.")
        raise BadState(said % {"name": "after", "value": text})
    return instant, number


def _state_of(view: str) -> str:
    """Give the state that a view shows when nobody names one: who has accepted owes a touch."""
    return "accepted" if view == "touch" else "open"


def _count(rows: Rows) -> int:
    return rows.order_by().values("pk")[:MOST].count()


def _one_of(name: str, value: str, allowed: list[str] | tuple[str, ...]) -> str:
    if value not in allowed:
        said = gettext("%(name)s cannot be %(value)r; allowed: %(allowed)s.")
        raise BadState(said % {"name": name, "value": value, "allowed": ", ".join(filter(None, allowed))})
    return value
