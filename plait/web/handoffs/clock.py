"""The clock of acts: the instant at which people act in this home, and the one that it really is."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from django.conf import settings

from plait.settings import read_settings


def now() -> datetime:
    """Give the instant that it is."""
    return datetime.now(UTC)  # noqa: TID251 - the desk is an edge where the clock is read


def present() -> datetime:
    """Give the instant at which people act: now, or in a home that looks from a past day a time of its last day."""
    return read_settings(settings.HOME).present(now()).replace(tzinfo=UTC)


def today() -> date:
    """Give the day on which people act, in the home's zone."""
    return read_settings(settings.HOME).day(present().replace(tzinfo=None))


def zone() -> ZoneInfo:
    """Give the home's zone."""
    return ZoneInfo(read_settings(settings.HOME).zone)
