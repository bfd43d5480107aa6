"""Working time: when a department is at work, and when a time limit counted in its working minutes is reached.

A calendar says what the clock on the wall must show for somebody to be at work. Time is then counted as it really
passes: on the night when clocks go forward an hour less is worked, on the night when they go back an hour more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import TypeAlias

from plait.failure import Unfit

WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
FURTHEST = timedelta(days=3660)  # a limit that is not reached within ten years is a mistake in the calendar
DAY = timedelta(days=1)

Pauses: TypeAlias = Sequence[tuple[datetime, datetime | None]]
"""Stretches [from, to) that do not count; one without an end goes on."""


class BadCalendar(Unfit, ValueError):
    """A calendar that says two things at once, or nothing that could be counted by."""


class NoOpenTime(Unfit, ValueError):
    """A time limit that is never reached, because nobody is at work."""


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A stretch of a day at work, [begins, ends) on the clock on the wall; an end at 00:00 is the end of the day."""

    begins: time
    ends: time

    @classmethod
    def read(cls, text: str) -> Period:
        """Read a period such as 09:00-12:30; the end of the day is 24:00."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Calendar:
    """When a department is at work.

    `zone` is an IANA name; `week` has the periods of Monday to Sunday; `days` those of days that are unlike their
    weekday: none on a holiday, other periods on a half day. What cannot be counted by is refused here.
    """

    zone: str
    week: tuple[tuple[Period, ...], ...]
    days: Mapping[date, tuple[Period, ...]] = field(default_factory=dict)

    def due(self, start: datetime, minutes: float, pauses: Pauses = ()) -> datetime:
        """Give the earliest instant at which so many working minutes have passed since `start`."""
        raise NotImplementedError

    def worked(self, start: datetime, end: datetime, pauses: Pauses = ()) -> timedelta:
        """Give how much working time lies in [start, end); none when the end is not after the start."""
        raise NotImplementedError
