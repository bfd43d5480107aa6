"""Backlog: how many live events waited to be stored, day by day, and for how long."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from homes import Wait, waited

from plait import desk

NOW = datetime(2026, 12, 1, tzinfo=UTC)
LATER = "2026-11-03T00:00:00"


def told(home: Path, **options: object) -> list[tuple[object, ...]]:
    return [tuple(row) for row in desk.show(home, "live_backlog", options, now=NOW).rows]


STORY: list[Wait] = [
    ("web", 10, "2026-11-01T10:00:00", "2026-11-01T10:00:05"),
    ("web", 7, "2026-11-01T10:00:02", "2026-11-01T10:00:09"),
    ("web", 4, "2026-11-01T10:00:09", "2026-11-01T10:00:10"),  # the 7 have just gone
    ("app", 3, "2026-11-01T10:00:00", "2026-11-01T10:00:01"),
    ("web", 100, "2026-11-02T23:00:00", "2026-11-05T01:00:00"),  # nobody sealed for two days
    ("web", 1, "2026-11-05T00:30:00", "2026-11-05T00:31:00"),
]


def test_the_most_that_waited_at_once_on_each_day(tmp_path: Path) -> None:
    waited(tmp_path, STORY)
    two_days = 50 * 3_600.0
    assert told(tmp_path) == [
        (date(2026, 11, 5), "web", 101, two_days),
        (date(2026, 11, 4), "web", 100, two_days),
        (date(2026, 11, 3), "web", 100, two_days),
        (date(2026, 11, 2), "web", 100, two_days),
        (date(2026, 11, 1), "app", 3, 1.0),
        (date(2026, 11, 1), "web", 17, 7.0),
    ]
    assert [row[0] for row in told(tmp_path, since="2026-11-03", until="2026-11-05")] == [
        date(2026, 11, 4),
        date(2026, 11, 3),
    ]


def test_what_waits_to_the_last_second_of_a_day_stands_on_that_day_alone(tmp_path: Path) -> None:
    waited(tmp_path, [("web", 5, "2026-11-01T23:59:58", "2026-11-01T23:59:59.500"), ("web", 2, LATER, LATER)])
    assert told(tmp_path) == [(date(2026, 11, 1), "web", 5, 1.0)], "the other one did not wait"


def drawn(count: int) -> list[Wait]:
    chance = random.Random(7)  # noqa: S311 - the order of a test
    begin, waits = datetime(2026, 11, 1), []  # noqa: DTZ001 - facts hold naive UTC
    for _ in range(count):
        since = begin + timedelta(minutes=chance.randrange(6 * 1_440))
        until = since + timedelta(minutes=chance.choice((1, 5, 90, 3_000)))
        waits.append((chance.choice(("web", "app")), chance.randint(1, 90), since.isoformat(), until.isoformat()))
    return waits


def test_it_is_what_looking_at_every_minute_finds(tmp_path: Path) -> None:
    waits = drawn(60)
    waited(tmp_path, waits)
    most: dict[tuple[date, str], int] = {}
    for minute in range(9 * 1_440):
        at = datetime(2026, 11, 1) + timedelta(minutes=minute)  # noqa: DTZ001 - facts hold naive UTC
        for source in ("web", "app"):
            there = [n for name, n, since, until in waits if name == source and since <= at.isoformat() < until]
            most[at.date(), source] = max(most.get((at.date(), source), 0), sum(there))
    found = {(row[0], row[1]): row[2] for row in told(tmp_path)}
    assert found == {key: events for key, events in most.items() if events}
