"""Schedules: when a connection is asked next. What was missed while the desk was down is made up for once."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone
from django_q.models import Schedule

from plait.web.connections.models import Connection

CALLED = "plait.web.connections.running.due"


def put(connection: Connection) -> None:
    """Have a connection asked every so many minutes, from now on; one that is paused, or has no schedule, is not."""
    if connection.paused or connection.every is None:
        clear(connection)
        return
    fresh = {
        "func": CALLED, "args": str(connection.pk), "schedule_type": Schedule.MINUTES, "minutes": connection.every,
        "repeats": -1, "next_run": timezone.now() + timedelta(minutes=connection.every),
    }  # fmt: skip
    Schedule.objects.update_or_create(name=_name(connection), defaults=fresh)


def clear(connection: Connection) -> None:
    """Have a connection asked no more."""
    Schedule.objects.filter(name=_name(connection)).delete()


def next_runs() -> dict[int, datetime]:
    """Give when each connection is asked next, by its number."""
    found = Schedule.objects.filter(func=CALLED, next_run__isnull=False)
    return {int(one.args): one.next_run for one in found if str(one.args).isdigit()}


def _name(connection: Connection) -> str:
    return f"connection {connection.pk}"
