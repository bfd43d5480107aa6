"""Working time: when a department is at work, and when a time limit counted in its working minutes is reached.

A calendar says what the clock on the wall must show for somebody to be at work. Time is then counted as it really
passes: on the night when clocks go forward an hour less is worked, on the night when they go back an hour more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from plait.failure import Said, Unfit

WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
YEARS = 10  # a limit that is not reached within so many years is a mistake in the calendar
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
NEVER = datetime.max.replace(tzinfo=UTC)

Span: TypeAlias = tuple[datetime, datetime]
Pauses: TypeAlias = Sequence[tuple[datetime, datetime | None]]
"""Stretches [from, to) that do not count; one without an end goes on."""


class BadCalendar(Unfit, ValueError):
    """A calendar that says two things at once, or nothing that could be counted by."""


class NoOpenTime(Unfit, ValueError):
    """A time limit that is never reached, because nobody is at work or the clock is stopped."""


class UncountableTime(Unfit, ValueError):
    """An instant without a zone, or a limit below nothing."""


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A stretch of a day at work, [begins, ends) on the clock on the wall; an end at 00:00 is the end of the day."""

    begins: time
    ends: time

    @classmethod
    def read(cls, text: str) -> Period:
        """Read a period such as 09:00-12:30; the end of the day is 24:00."""
        told = re.fullmatch(r"\s*(\d\d?):(\d\d)\s*-\s*(\d\d?):(\d\d)\s*", text)
        try:
            begins, begun, ends, ended = (int(part) for part in told.groups()) if told else (24, 0, 0, 0)
            last = time() if (ends, ended) == (24, 0) else time(ends, ended)
            period = cls(time(begins, begun), last)
            if (ends, ended) == (0, 0) or period.until <= period.since:
                raise ValueError  # noqa: TRY301 - said in one place below
        except ValueError:
            raise BadCalendar(
                Said("{text!r} is no period of a day; write one such as 09:00-12:30 or 18:00-24:00.", text=text)
            ) from None
        return period

    @property
    def since(self) -> timedelta:
        """Give its begin as time since midnight."""
        return _since_midnight(self.begins)

    @property
    def until(self) -> timedelta:
        """Give its end as time since midnight."""
        return _since_midnight(self.ends) if self.ends != time() else DAY

    def __str__(self) -> str:
        """Write it as `read` reads it."""
        return f"{self.begins:%H:%M}-{'24:00' if self.ends == time() else format(self.ends, '%H:%M')}"


@dataclass(frozen=True, slots=True)
class Calendar:
    """When a department is at work.

    `zone` is an IANA name; `week` has the periods of Monday to Sunday; `days` those of days that are unlike their
    weekday: none on a holiday, other periods on a half day. What cannot be counted by is refused here.
    """

    zone: str
    week: tuple[tuple[Period, ...], ...]
    days: Mapping[date, tuple[Period, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a calendar that nothing can be counted by."""
        _check_zone(self.zone)
        if len(self.week) != len(WEEK):
            raise BadCalendar(
                Said("the week has {n} days; give the periods of each of the seven, Monday first.", n=len(self.week))
            )
        for name, periods in (*zip(WEEK, self.week, strict=True), *((str(day), p) for day, p in self.days.items())):
            _check_day(name, periods)
        if not any(self.week) and not any(self.days.values()):
            raise BadCalendar(Said("nobody is ever at work; give at least one day a period such as 09:00-17:00."))

    def due(self, start: datetime, minutes: float, pauses: Pauses = ()) -> datetime:
        """Give the earliest instant at which so many working minutes have passed since `start`."""
        begins, left = _utc(start), timedelta(minutes=minutes)
        if left < timedelta():
            raise UncountableTime(Said("{minutes} minutes are no time limit; give 0 or more.", minutes=minutes))
        if not left:
            return begins
        for since, until in self._open(begins, pauses):
            if until - since >= left:
                return since + left
            left -= until - since
        stopped = next((pause for pause, end in pauses if end is None), None)
        if stopped is not None:
            raise NoOpenTime(
                Said(
                    "the clock is stopped since {since} UTC; let it run again first.", since=f"{stopped:%Y-%m-%d %H:%M}"
                )
            )
        raise NoOpenTime(
            Said(
                "after {start} UTC the calendar has less than {minutes} working minutes in {years} years; "
                "give it more periods.",
                start=f"{begins:%Y-%m-%d %H:%M}", minutes=minutes, years=YEARS,
            )
        )  # fmt: skip

    def worked(self, start: datetime, end: datetime, pauses: Pauses = ()) -> timedelta:
        """Give how much working time lies in [start, end); none when the end is not after the start."""
        total, last = timedelta(), _utc(end)
        for since, until in self._open(_utc(start), pauses, last):
            total += until - since
        return total

    def _open(self, start: datetime, pauses: Pauses, end: datetime | None = None) -> Iterator[Span]:
        """Give the open time from an instant on, without the pauses, in order and apart."""
        stopped = _merged(pauses)
        last = end or min(start, NEVER - YEARS * 366 * DAY) + YEARS * 366 * DAY
        for since, until in self._at_work(start, last):
            yield from _outside(since, until, stopped)

    def _at_work(self, start: datetime, end: datetime) -> Iterator[Span]:
        """Give the stretches of [start, end) in which the clock on the wall shows working time.

        While a zone's offset stays the same its clock runs evenly; each such stretch is looked at alone, so that the
        gaps and the repeated hours of clock changes come out as the clock shows them.
        """
        for since, until, offset in _offsets_between(self.zone, start, end):
            day = (since + offset).date()
            while (midnight := datetime.combine(day, time(), UTC) - offset) < until:
                for period in self.days.get(day, self.week[day.weekday()]):
                    opens, closes = max(midnight + period.since, since), min(midnight + period.until, until)
                    if opens < closes:
                        yield opens, closes
                day += DAY


def _since_midnight(at: time) -> timedelta:
    return timedelta(hours=at.hour, minutes=at.minute, seconds=at.second, microseconds=at.microsecond)


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise UncountableTime(Said("{at} has no time zone; add one, such as UTC.", at=str(instant)))
    return instant.astimezone(UTC)


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        says = Said("zone {zone!r} is no IANA time zone; write one such as 'Europe/Berlin'.", zone=zone)
        raise BadCalendar(says) from None


def _check_day(name: str, periods: Sequence[Period]) -> None:
    """Refuse periods that are turned round, out of order or that overlap."""
    for period in periods:
        if period.until <= period.since:
            raise BadCalendar(
                Said(
                    "on {day} {period} ends before it begins; write the earlier time first.",
                    day=name,
                    period=str(period),
                )
            )
    for one, next_one in pairwise(periods):
        if next_one.since < one.until:
            raise BadCalendar(
                Said(
                    "on {day} {one} and {other} overlap or are out of order; write periods in order and apart.",
                    day=name, one=str(one), other=str(next_one),
                )
            )  # fmt: skip


def _merged(pauses: Pauses) -> list[Span]:
    """Give the pauses in order and apart."""
    merged: list[Span] = []
    for begins, ends in sorted((_utc(begins), _utc(ends) if ends else NEVER) for begins, ends in pauses):
        if merged and begins <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], ends))
        elif begins < ends:
            merged.append((begins, ends))
    return merged


def _outside(since: datetime, until: datetime, stopped: Sequence[Span]) -> Iterator[Span]:
    """Give what is left of [since, until) between the pauses."""
    for begins, ends in stopped:
        if begins >= until:
            break
        if begins > since:
            yield since, begins
        since = max(since, ends)
    if since < until:
        yield since, until


def _offsets_between(zone: str, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """Give the stretches of [start, end) in which a zone's offset from UTC stays the same."""
    for year in range(start.year, end.year + 1):
        found = _offsets(zone, year)
        ends = [since for since, _ in found[1:]] + [min(_new_year(year + 1), end)]
        for (since, offset), until in zip(found, ends, strict=True):
            if max(since, start) < min(until, end):
                yield max(since, start), min(until, end), offset


@lru_cache(maxsize=4096)
def _offsets(zone: str, year: int) -> tuple[tuple[datetime, timedelta], ...]:
    """Give a zone's offsets from UTC in a year: (since when, offset), the first from its beginning in UTC."""
    there, at, found = ZoneInfo(zone), _new_year(year), [(_new_year(year), _offset(ZoneInfo(zone), _new_year(year)))]
    while at < _new_year(year + 1):
        before, after = at, min(at + DAY, _new_year(year + 1) - SECOND)
        if _offset(there, after) != _offset(there, before):
            while after - before > SECOND:  # clocks change at whole seconds
                middle = (before + (after - before) / 2).replace(microsecond=0)
                same = _offset(there, middle) == _offset(there, at)
                before, after = (middle, after) if same else (before, middle)
            found.append((after, _offset(there, after)))
        at += DAY
    return tuple(found)


def _offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta()


def _new_year(year: int) -> datetime:
    return datetime(year, 1, 1, tzinfo=UTC)
