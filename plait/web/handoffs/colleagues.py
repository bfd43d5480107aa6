"""Colleagues: who of a department can get a hand-off, who leads it, who is away, and what people are called."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date

from django.db.models import Count, IntegerField, Max, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from plait.handoff.routing import Colleague
from plait.handoff.state import SYSTEM, THE_TEAM
from plait.web.handoffs.models import Absence, HandOff
from plait.web.people.models import User

AREA = "lifecycle"
AT_WORK = ("work", "approve")


def colleagues(department: str, today: date) -> list[Colleague]:
    """Give those of a department who can get a hand-off, leavers and the absent too, each as routing sees them."""
    mine = HandOff.objects.filter(assignee=OuterRef("email"))
    held = mine.filter(state=HandOff.State.OPEN).order_by().values("assignee").annotate(n=Count("*")).values("n")
    people = working_in(department).annotate(
        held=Coalesce(Subquery(held, output_field=IntegerField()), 0),
        last_assigned_at=Subquery(mine.order_by("-assigned_at").values("assigned_at")[:1]),
    )
    away = away_until(today)
    return [
        Colleague(
            name=one.email, department=department, active=one.is_active, away_until=away.get(one.email), open=one.held,
            last_assigned_at=one.last_assigned_at,
        )
        for one in people
    ]  # fmt: skip


def working_in(department: str) -> QuerySet[User]:
    """Give the people of a department who work on hand-offs, those who have left too."""
    rights = {"roles__rights__area": AREA, "roles__rights__level__in": AT_WORK}
    return User.objects.filter(department=department, outside=False, **rights).distinct().order_by("email")


def heads_of(department: str) -> list[User]:
    """Give those who lead a department and are here."""
    rights = {"roles__rights__area": AREA, "roles__rights__level": "approve"}
    led = User.objects.filter(department=department, outside=False, is_active=True, **rights)
    return list(led.distinct().order_by("id"))


def head_of(department: str, but: Collection[str] = ()) -> str | None:
    """Give the address of who leads a department, but for these; None when nobody does."""
    return next((one.email for one in heads_of(department) if one.email not in but), None)


def away_until(today: date) -> Mapping[str, date]:
    """Give everybody who is away today, with the last day of it."""
    now = Absence.objects.filter(first__lte=today, last__gte=today)
    return dict(now.values_list("person__email").annotate(until=Max("last")))


def names_of(addresses: Iterable[str]) -> Mapping[str, str]:
    """Give what people are called by their addresses; plait itself and a whole team have names of their own."""
    wanted = {one for one in addresses if one} - {SYSTEM, THE_TEAM}
    return dict(User.objects.filter(email__in=wanted).values_list("email", "name"))
