"""The stage ledger of a large firm: all of it worked out, then the facts of a few days."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from world import RECORDED_AT, build_world, staged_sql

from plait import duck
from plait.derived import Derived, refresh
from plait.ledger import Brought, bring_up, stocks
from plait.settings import Settings, write_settings
from plait.store import Part, Store

FACTS, PEOPLE = 20_000_000, 3_334_000  # three firms to ten people: a million accounts
DAY = FACTS // 365
ROUNDS = 3


def measure(work: Path) -> str:
    home = work / f"ledger{FACTS}"
    if not home.exists():
        home.mkdir()
        write_settings(home, Settings("Europe/Berlin", "EUR"))
    store = build_world(home, FACTS, PEOPLE)
    refresh(store, Derived.open(home))
    whole, replayed = timed(lambda: bring_up(home, everything=True))
    lines = [line(f"replay of {store.snapshot().rows:,} facts", replayed, whole)]
    for number in range(ROUNDS):
        load_day(store, number)
        brought, spent = timed(lambda: bring_up(home))
        lines.append(line(f"day {number + 1}: {DAY:,} facts", spent, brought))
    at = RECORDED_AT - timedelta(days=400)
    reads = sorted(timed(lambda: stocks(home, at))[1] for _ in range(5))
    return (
        f"The kept ledger of {whole.accounts:,} accounts; a day is 1/365 of the facts, among all accounts. "
        "The timeline is brought up to date before and not counted, as every other reader needs it too.\n\n"
        "| what | seconds | CPU seconds | accounts worked out | stays |\n|---|---:|---:|---:|---:|\n"
        + "\n".join(lines)
        + f"\n\nThe stocks of a day 400 days ago: {reads[2][0]:.2f} s.\n"
    )


def load_day(store: Store, number: int) -> None:
    """Store a day's facts and bring the timeline up to them."""
    staged, refused = store.home / "staging" / "day.parquet", store.home / "staging" / "refused.parquet"
    day = RECORDED_AT + timedelta(days=number)
    told = store.snapshot().version
    with duck.connect(store.spill) as db:
        db.execute(
            f"""
            copy (
                select * replace ('day{told}-' || id as id, timestamp '{day + timedelta(days=1)}' as recorded_at,
                    timestamp '{day}' + to_seconds((hash(id) % 86000)::bigint) as occurred_at)
                from ({staged_sql(DAY, PEOPLE)})
            ) to '{staged}' (compression lz4)
            """
        )
        (rows,) = db.execute(f"select count(*) from '{staged}'").fetchall()[0]
    part = Part("world", f"day{told}", f"day{told}", staged, refused, rows, rows, 0, 0)
    store.append([part], recorded_at=day + timedelta(days=1))
    refresh(store, Derived.open(store.home))


def timed(work: Callable[[], Brought | dict[str, int]]) -> tuple[Brought, tuple[float, float]]:
    """Run something; give what it gave, with its wall and CPU seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    made = work()
    return made, (time.perf_counter() - wall, time.process_time() - cpu)  # type: ignore[return-value]


def line(what: str, spent: tuple[float, float], brought: Brought) -> str:
    return f"| {what} | {spent[0]:.2f} | {spent[1]:.2f} | {brought.accounts:,} | {brought.stays:,} |"
