"""Working time: the vectors of the reference, and a clock that looks at each minute by itself.

The long form: `PLAIT_CALENDARS=5000 pytest tests/test_working_time.py`, about a minute.
"""

import os
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import pytest

from plait.working_time import WEEK, BadCalendar, Calendar, NoOpenTime, Period, UncountableTime

MINUTE = timedelta(minutes=1)
CALENDARS = int(os.environ.get("PLAIT_CALENDARS", "150"))
ZONES = (
    "Africa/Cairo", "Africa/Casablanca", "Africa/Johannesburg", "Africa/Lagos", "America/Adak", "America/Anchorage",
    "America/Argentina/Buenos_Aires", "America/Asuncion", "America/Bogota", "America/Caracas", "America/Chicago",
    "America/Havana", "America/Los_Angeles", "America/Mexico_City", "America/New_York", "America/Phoenix",
    "America/Santiago", "America/Sao_Paulo", "America/St_Johns", "Antarctica/Troll", "Asia/Beirut", "Asia/Dubai",
    "Asia/Gaza", "Asia/Jerusalem", "Asia/Kathmandu", "Asia/Kolkata", "Asia/Seoul", "Asia/Shanghai", "Asia/Tehran",
    "Atlantic/Azores", "Australia/Adelaide", "Australia/Lord_Howe", "Australia/Sydney", "Europe/Berlin",
    "Europe/Dublin", "Europe/London", "Europe/Moscow", "Europe/Paris", "Pacific/Auckland", "Pacific/Chatham",
)  # fmt: skip


def periods(*texts: str) -> tuple[Period, ...]:
    return tuple(Period.read(text) for text in texts)


def weekdays(*texts: str) -> tuple[tuple[Period, ...], ...]:
    return (periods(*texts),) * 5 + ((),) * 2


SPLIT = weekdays("09:00-12:30", "13:30-18:00")
MAY_DAY = date(2026, 5, 1)
MAY = {MAY_DAY: (), date(2026, 5, 8): ()}
PARIS = Calendar("Europe/Paris", SPLIT)
PARIS_IN_MAY = Calendar("Europe/Paris", SPLIT, MAY)
PARIS_AT_CHRISTMAS = Calendar("Europe/Paris", SPLIT, {date(2026, 12, 25): ()})
PARIS_ALWAYS = Calendar("Europe/Paris", (periods("00:00-24:00"),) * 7)
PARIS_NIGHT = Calendar("Europe/Paris", (periods("00:00-06:00"),) * 7)
SEOUL = Calendar("Asia/Seoul", weekdays("09:00-18:00"), {date(2026, 3, 2): ()})
SEOUL_AT_CHUSEOK = Calendar("Asia/Seoul", weekdays("09:00-18:00"), {date(2026, 9, 24): (), date(2026, 9, 25): ()})


@pytest.mark.parametrize(
    ("calendar", "start", "minutes", "due"),
    [
        (PARIS_IN_MAY, "2026-04-30 15:45", 240, "2026-05-04 11:45"),
        (PARIS_IN_MAY, "2026-04-30 14:30", 480, "2026-05-04 14:30"),
        (PARIS_IN_MAY, "2026-05-04 10:45", 60, "2026-05-04 12:30"),
        (PARIS_IN_MAY, "2026-05-07 15:59", 1, "2026-05-07 16:00"),
        (PARIS_IN_MAY, "2026-05-07 16:00", 1, "2026-05-11 07:01"),
        (PARIS_IN_MAY, "2026-03-27 16:30", 60, "2026-03-30 07:30"),
        (PARIS_ALWAYS, "2026-03-28 23:30", 240, "2026-03-29 03:30"),
        (PARIS_ALWAYS, "2026-10-24 22:30", 240, "2026-10-25 02:30"),
        (SEOUL, "2026-02-27 08:30", 120, "2026-03-03 01:30"),
    ],
)
def test_a_limit_is_due_in_utc(calendar: Calendar, start: str, minutes: int, due: str) -> None:
    assert calendar.due(utc(start), minutes) == utc(due)


@pytest.mark.parametrize(
    ("calendar", "start", "minutes", "due"),
    [
        (PARIS, "2026-11-20 17:30+01:00", 240, "2026-11-23 12:30+01:00"),
        (PARIS, "2026-11-20 17:30+01:00", 241, "2026-11-23 13:31+01:00"),
        (PARIS_AT_CHRISTMAS, "2026-12-24 17:00+01:00", 120, "2026-12-28 10:00+01:00"),
        (PARIS_NIGHT, "2026-03-29 00:00+01:00", 240, "2026-03-29 05:00+02:00"),
        (PARIS_NIGHT, "2026-10-25 00:00+02:00", 240, "2026-10-25 03:00+01:00"),
        (PARIS_NIGHT, "2026-03-29 00:00+01:00", 330, "2026-03-30 00:30+02:00"),
        (SEOUL_AT_CHUSEOK, "2026-09-23 17:00+09:00", 120, "2026-09-28 10:00+09:00"),
        (PARIS, "2026-11-21 10:00+01:00", 30, "2026-11-23 09:30+01:00"),
    ],
)
def test_a_limit_is_due_on_the_clock_on_the_wall(calendar: Calendar, start: str, minutes: int, due: str) -> None:
    assert calendar.due(datetime.fromisoformat(start), minutes) == datetime.fromisoformat(due)


def test_a_night_has_the_hours_that_really_pass() -> None:
    nights = ("2026-03-28", "2026-03-29", "2026-10-25")
    hours = [PARIS_NIGHT.worked(local(f"{day} 00:00"), local(f"{day} 12:00")) for day in nights]
    assert hours == [timedelta(hours=6), timedelta(hours=5), timedelta(hours=7)]


def test_a_pause_moves_what_is_due_by_the_working_time_in_it() -> None:
    """Paused over lunch and an hour more: only that hour was working time."""
    start, pause = utc("2026-05-04 07:00"), (utc("2026-05-04 10:30"), utc("2026-05-04 12:30"))
    assert PARIS_IN_MAY.due(start, 240, [pause]) - PARIS_IN_MAY.due(start, 240) == timedelta(hours=1)
    assert PARIS_IN_MAY.worked(start, utc("2026-05-04 16:00"), [pause, pause]) == timedelta(hours=7)


def test_a_clock_that_was_set_back_counts_nothing() -> None:
    assert PARIS.worked(utc("2026-05-04 10:00"), utc("2026-05-04 09:00")) == timedelta()
    assert PARIS.due(utc("2026-05-03 10:00"), 0) == utc("2026-05-03 10:00")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: Calendar("Europe/Pariss", SPLIT), "zone 'Europe/Pariss' is no IANA time zone"),
        (lambda: Calendar("UTC", SPLIT[:5]), "the week has 5 days"),
        (lambda: Calendar("UTC", ((),) * 7, MAY), "nobody is ever at work"),
        (lambda: Calendar("UTC", weekdays("09:00-12:00", "11:59-18:00")), "on monday 09:00-12:00 and 11:59-18:00 ov"),
        (lambda: Calendar("UTC", weekdays("13:00-18:00", "09:00-12:00")), "or are out of order"),
        (lambda: Calendar("UTC", SPLIT, {MAY_DAY: (Period(time(9), time(9)),)}), "on 2026-05-01 09:00-09:00 ends bef"),
        (lambda: Period.read("9-5"), "'9-5' is no period of a day; write one such as 09:00-12:30"),
        (lambda: Period.read("09:00-08:00"), "is no period of a day"),
        (lambda: Period.read("00:00-00:00"), "is no period of a day"),
        (lambda: Period.read("09:00-24:01"), "is no period of a day"),
    ],
)
def test_a_calendar_that_cannot_be_counted_by_is_refused(wrong: object, says: str) -> None:
    with pytest.raises(BadCalendar, match=says):
        wrong()  # type: ignore[operator]


def test_a_limit_that_is_never_reached_is_refused_with_the_reason() -> None:
    once = Calendar("UTC", ((),) * 7, {MAY_DAY: periods("09:00-17:00")})
    assert once.due(utc("2026-01-01 00:00"), 480) == utc("2026-05-01 17:00")
    with pytest.raises(NoOpenTime, match="less than 481 working minutes in 10 years"):
        once.due(utc("2026-01-01 00:00"), 481)
    with pytest.raises(NoOpenTime, match="the clock is stopped since 2026-05-04 08:00 UTC"):
        PARIS.due(utc("2026-05-04 07:00"), 120, [(utc("2026-05-04 08:00"), None)])
    with pytest.raises(UncountableTime, match="has no time zone"):
        PARIS.due(datetime(2026, 5, 4, 7), 10)  # noqa: DTZ001 - that is what is refused
    with pytest.raises(UncountableTime, match="give 0 or more"):
        PARIS.due(utc("2026-05-04 07:00"), -1)


def test_the_clock_agrees_with_one_that_looks_at_each_minute() -> None:
    """Random calendars of 40 zones: holidays, half days, split shifts, clock changes, pauses."""
    seed = int(os.environ.get("PLAIT_SEED", "6"))
    for number in range(CALENDARS):
        chance = random.Random(f"{seed}-{number}")  # noqa: S311
        calendar = random_calendar(chance, ZONES[number % len(ZONES)])
        start, minutes = random_start(chance, calendar.zone), chance.choice((0, 1, 30, 60, 240, 480, 1440))
        pauses = list(random_pauses(chance, start))
        ticks = open_minutes(calendar, start, pauses)
        due = calendar.due(start, minutes, pauses)
        assert due == simulated_due(start, minutes, ticks), (seed, number, calendar, start, minutes, pauses)
        end = start + MINUTE * chance.randrange(0, 6 * 1440)
        worked = sum(1 for at in open_minutes(calendar, start, pauses, end)) * MINUTE
        assert calendar.worked(start, end, pauses) == worked, (seed, number, calendar, start, end, pauses)


def test_clocks_that_jump_leave_order_and_limits_right() -> None:
    """What is due never comes before the start, a later start is never due earlier, and working time adds up."""
    for number in range(CALENDARS):
        chance = random.Random(number)  # noqa: S311
        calendar = random_calendar(chance, ZONES[number % len(ZONES)])
        start = random_start(chance, calendar.zone)
        jumped = start + timedelta(hours=chance.choice((-1, 1)), seconds=chance.randrange(60))
        limit = chance.randrange(1, 600)
        early, late = sorted((start, jumped))
        assert start < calendar.due(start, limit)
        assert calendar.due(early, limit) <= calendar.due(late, limit)
        assert calendar.worked(start, calendar.due(start, limit)) == limit * MINUTE
        end = late + timedelta(days=5)
        assert calendar.worked(early, late) + calendar.worked(late, end) == calendar.worked(early, end)


# ------------------------------------------------------------------------------------------------ the slow clock


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Paris"))


def random_calendar(chance: random.Random, zone: str) -> Calendar:
    week = [random_day(chance) for _ in WEEK]
    week[chance.randrange(5)] = (Period(time(9), time(17)),)  # somebody is at work
    days = {
        date(2026, 1, 1) + timedelta(days=chance.randrange(365)): random_day(chance)
        for _ in range(chance.randrange(0, 90))
    }
    return Calendar(zone, tuple(week), days)


def random_day(chance: random.Random) -> tuple[Period, ...]:
    """A holiday, a day round the clock, or up to three shifts that begin and end at any minute."""
    if chance.random() < 0.3:
        return ()
    if chance.random() < 0.1:
        return periods("00:00-24:00")
    cuts = sorted(chance.sample(range(1441), 2 * chance.randrange(1, 4)))
    return tuple(Period(_time(a), _time(b)) for a, b in zip(cuts[::2], cuts[1::2], strict=True))


def _time(minute: int) -> time:
    return time(minute // 60 % 24, minute % 60)


def random_start(chance: random.Random, zone: str) -> datetime:
    """Any minute of the year; half of the time one close to a change of clocks."""
    at = datetime(2026, 1, 1, tzinfo=UTC) + MINUTE * chance.randrange(360 * 1440)
    changes = clock_changes(zone)
    if changes and chance.random() < 0.5:
        at = chance.choice(changes) - MINUTE * chance.randrange(3 * 1440)
    return at


@lru_cache
def clock_changes(zone: str) -> list[datetime]:
    hours = [datetime(2026, 1, 4, tzinfo=UTC) + timedelta(hours=hour) for hour in range(355 * 24)]
    offsets = [at.astimezone(ZoneInfo(zone)).utcoffset() for at in hours]
    return [hours[n] for n in range(1, len(hours)) if offsets[n] != offsets[n - 1]]


def random_pauses(chance: random.Random, start: datetime) -> Iterator[tuple[datetime, datetime]]:
    for _ in range(chance.choice((0, 0, 1, 3))):
        begins = start + MINUTE * chance.randrange(-600, 3000)
        yield begins, begins + MINUTE * chance.randrange(0, 2000)


def open_minutes(
    calendar: Calendar, start: datetime, pauses: list[tuple[datetime, datetime]], end: datetime | None = None
) -> Iterator[datetime]:
    """Look at every minute by itself: is the clock on the wall in a period, and no pause on?"""
    zone, at = ZoneInfo(calendar.zone), start
    while end is None or at < end:
        there = at.astimezone(zone)
        today = calendar.days.get(there.date(), calendar.week[there.weekday()])
        now = there.hour * 60 + there.minute
        on = any(p.begins.hour * 60 + p.begins.minute <= now < _end(p) for p in today)
        if on and not any(begins <= at < ends for begins, ends in pauses):
            yield at
        at += MINUTE


def _end(period: Period) -> int:
    return period.ends.hour * 60 + period.ends.minute or 1440


def simulated_due(start: datetime, minutes: int, ticks: Iterator[datetime]) -> datetime:
    at = start
    for _ in range(minutes):
        at = next(ticks) + MINUTE
    return at
