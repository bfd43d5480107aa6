"""Measure speed and memory, side by side with hand-written SQL, and write RESULTS.md. Run by `make bench`.

Each part replaces its own section of RESULTS.md: `run.py measures --facts 2000000 --date 2026-11-22`. Homes are built
once in `--work` and used again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import duckdb
from world import RECORDED_AT, build_world

from plait import duck
from plait.derived import Derived, refresh
from plait.measure import Cell, Measure, Table
from plait.measures import load_measures
from plait.settings import Settings, write_settings
from plait.store import Store
from plait.timeline import Timeline, open_timeline

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"
CHECKS, PEERS = HERE.parent / "tests" / "checks", HERE / "peers"
ROUNDS = 3
T = TypeVar("T")
MAPPING = """source = "bench"
timezone = "UTC"
[[file]]
pattern = "*.csv"
[[file.fact]]
kind = "{kind}"
id = "{id}"
occurred_at = "{at}"
object_id = "{object}"
keys = { email = "{email}", "account.crm" = "{account}" }
channel = "{channel}"
campaign = "{campaign}"
"""
ROWS_SQL = """
select 'f' || i as id, (['visit.started', 'page.viewed', 'form.submitted', 'product.used'])[1 + (i % 4)::int] as kind,
    strftime(timestamp '2024-01-01' + to_seconds((hash(i) % 60000000)::bigint), '%Y-%m-%dT%H:%M:%S') as at,
    'o' || (i // 3) as object, 'p' || (hash(i * 3) % 400000) || '@firm' || (hash(i * 3) % 400000 // 3) || '.example'
    as email, 'A' || (hash(i * 3) % 400000 // 3) as account, 'channel' || (i % 8) as channel,
    'campaign' || (i % 200) as campaign
from range({rows}) as t(i)
"""


def main() -> None:
    parts: dict[str, Callable[[argparse.Namespace], str]] = {
        "load": load, "exports": exports, "rebuild": rebuild, "measures": measures, "start": start, "desk": desk,
        "collector": collector, "links": links, "paths": paths, "value": value, "inbox": inbox, "ledger": ledger,
        "identity": identity,
        "erasure": erasure,
    }  # fmt: skip
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("parts", nargs="*", choices=[*parts, []], help="which parts (all)")
    asked.add_argument("--facts", type=int, default=20_000_000, help="facts of the firm that is rebuilt and measured")
    asked.add_argument("--rows", type=int, default=3_000_000, help="rows of the CSV that is loaded")
    asked.add_argument("--only", help="measures, with commas between")
    asked.add_argument("--rounds", type=int, default=ROUNDS)
    asked.add_argument("--work", type=Path, default=Path("/tmp/plait-bench"), help="folder for homes")  # noqa: S108
    asked.add_argument("--minutes", type=float, default=10, help="how long sealing is watched under load")
    asked.add_argument("--date", default="no date given", help="the day that RESULTS.md shows")
    given = asked.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    for name in given.parts or parts:
        section = parts[name](given)
        print(section)
        if not given.only:
            write_section(name, f"{section}\nMeasured {given.date}.\n")


def write_section(name: str, text: str) -> None:
    """Put a part's text in place of what RESULTS.md had of it."""
    old = RESULTS.read_text() if RESULTS.exists() else ""
    sections = {part.partition("\n")[0]: part.partition("\n")[2].strip() for part in old.split("\n## ")[1:]}
    sections[name] = text.strip()
    about = (
        "# Benchmarks\n\nWritten by `make bench`. The machine is shared: trust the ratios, which come from one run, "
        f"not the seconds.\n\n{machine()}\n"
    )
    RESULTS.write_text(about + "".join(f"\n## {title}\n\n{body}\n" for title, body in sorted(sections.items())))


def machine() -> str:
    """Say what this was measured on."""
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), ": ?")
    used = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "ibis-framework", "deltalake", "pyarrow"))
    memory = duck.INSTALLED / 2**30
    return (
        f"{os.cpu_count()} cores ({model.partition(': ')[2]}), {memory:.0f} GiB, Python {platform.python_version()}, "
        f"{used}; one process may hold {duck.MEMORY_LIMIT} in its engine."
    )


# -- processes: load, rebuild, start


def plait(home: Path, *words: str) -> tuple[float, float, float]:
    """Run a command of plait; give its seconds, its CPU seconds and its peak memory in MB."""
    reporter = (
        "import resource, subprocess, sys, json, time; began = time.perf_counter(); "
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); took = time.perf_counter() - began; "
        "used = resource.getrusage(resource.RUSAGE_CHILDREN); "
        "print(json.dumps([took, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))"
    )
    command = [sys.executable, "-c", reporter, sys.executable, "-m", "plait", "--home", str(home), *words]
    took, cpu, peak = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return took, cpu, peak


def load(given: argparse.Namespace) -> str:
    folder, home = given.work / f"csv{given.rows}", given.work / "load-home"
    folder.mkdir(exist_ok=True)
    file, mapping = folder / "rows.csv", given.work / "mapping.toml"
    mapping.write_text(MAPPING)
    if not file.exists():
        duckdb.sql(f"copy ({ROWS_SQL.format(rows=given.rows)}) to '{file}' (header)")
    shutil.rmtree(home, ignore_errors=True)
    took, cpu, peak = plait(home, "load", str(folder), "--mapping", str(mapping))
    size = file.stat().st_size / 1e6
    shutil.rmtree(home)
    return (
        f"A CSV of {given.rows:,} rows, 8 columns, {size:,.0f} MB, one fact a row, by `plait load` into an empty home, "
        f"from process start to exit (facts stored):\n\n"
        f"| rows a second | seconds | CPU seconds | peak memory |\n|---:|---:|---:|---:|\n"
        f"| {given.rows / took:,.0f} | {took:.1f} | {cpu:.1f} | {peak:,.0f} MB |\n"
    )


def exports(given: argparse.Namespace) -> str:
    import exports as bench

    return bench.measure(given.work)


def rebuild(given: argparse.Namespace) -> str:
    store = world(given)
    took, cpu, peak = plait(store.home, "store", "rebuild")
    rows = store.snapshot().rows
    return (
        f"`plait store rebuild` of a home of {rows:,} facts, identity and timeline:\n\n"
        f"| facts a second | seconds | CPU seconds | peak memory |\n|---:|---:|---:|---:|\n"
        f"| {rows / took:,.0f} | {took:.1f} | {cpu:.1f} | {peak:,.0f} MB |\n"
    )


def start(given: argparse.Namespace) -> str:
    home = given.work / "demo-home"
    if not home.exists():
        plait(home, "demo")
    lines = []
    for words in (("--help",), ("show", "funnel")):
        runs = [plait(home, *words) for _ in range(5)]
        took, cpu = (statistics.median(run[k] for run in runs) for k in (0, 1))
        lines.append(
            f"| `plait {' '.join(words)}` | {took:.2f} | {cpu:.2f} | {max(run[2] for run in runs):,.0f} MB |\n"
        )
    return (
        "On the demo home, from process start to exit, medians of 5:\n\n"
        "| command | seconds | CPU seconds | peak memory |\n|---|---:|---:|---:|\n" + "".join(lines)
    )


def collector(given: argparse.Namespace) -> str:
    import collector as bench

    return bench.measure(given.work, given.minutes)


def links(given: argparse.Namespace) -> str:
    import links as bench

    return bench.measure(given.work)


def paths(given: argparse.Namespace) -> str:
    import paths as bench

    return bench.measure(given.work)


def value(given: argparse.Namespace) -> str:
    import value as bench

    return bench.measure(given.work)


def ledger(given: argparse.Namespace) -> str:
    import ledger as bench

    return bench.measure(given.work)


def erasure(given: argparse.Namespace) -> str:
    import erasure as bench

    return bench.measure(given.work)


def identity(given: argparse.Namespace) -> str:
    import identity as bench

    return bench.measure(given.work)


def inbox(given: argparse.Namespace) -> str:
    import inbox as bench

    return bench.measure(given.work)


def desk(given: argparse.Namespace) -> str:
    from desk import measure

    small = argparse.Namespace(**(vars(given) | {"facts": 1_000_000}))
    return measure(world(small).home, f"{RECORDED_AT:%Y-%m-%d}")


# -- measures beside hand-written SQL


def world(given: argparse.Namespace) -> Store:
    """Give the synthetic firm's home, built when it is not there."""
    home = given.work / f"home{given.facts}"
    if not home.exists():
        home.mkdir()
        write_settings(home, Settings("Europe/Berlin", "EUR"))
    store = build_world(home, given.facts, given.facts // 20)
    refresh(store, Derived.open(home))
    return store


def measures(given: argparse.Namespace) -> str:
    store = world(given)
    timeline = open_timeline(store, now=RECORDED_AT.replace(tzinfo=UTC))
    connection = timeline.engine.backend.con
    connection.execute(f"set variable as_of = timestamp '{timeline.as_of}'")
    connection.execute(f"set variable today = date '{timeline.settings.day(timeline.as_of)}'")
    connection.execute("create temp view seen as from timeline where occurred_at < getvariable('as_of')")
    only = given.only.split(",") if given.only else None
    lines = []
    for measure in load_measures().values():
        if only is None or measure.name in only:
            lines.append(beside(timeline, measure, given.rounds))
            print(lines[-1], flush=True)
    return (
        f"{store.snapshot().rows:,} facts, each measure and the same question in SQL by hand over the same files, in "
        f"one process and connection: medians of {given.rounds} alternating runs, CPU seconds of all threads (wall "
        "seconds beside). `ratio` is the measure's rows by the SQL's, in CPU; `build` is Ibis making the query; "
        "`table` is what `plait show` waits for: build, rows and every caution. The SQL by hand is in "
        "`tests/checks` or `benchmarks/peers`.\n\n"
        "| measure | options | rows | by hand | ratio | build | table | same rows |\n"
        "|---|---|---:|---:|---:|---:|---:|---|\n" + "\n".join(lines) + "\n"
    )


def beside(timeline: Timeline, measure: Measure, rounds: int) -> str:
    """Time a measure and its peer in turn and compare their rows; give the line of the table."""
    path = next(path for path in peers(measure.name) if path.exists())
    query = path.read_text()
    options = measure.read_options(dict(re.findall(r"^-- option: (\w+) = (.*)$", query, re.MULTILINE)))
    query = re.sub(r"\btimeline\b", "seen", query)
    connection = timeline.engine.backend.con
    builds, rows, hands, tables = [], [], [], []
    table: Table | None = None
    by_hand: list[tuple[Cell, ...]] = []
    for _ in range(rounds):
        sql, spent = timed(lambda: timeline.engine.sql(measure.answer(timeline.facts(), options).rows))
        builds.append(spent)
        rows.append(timed(partial(timeline.engine.run_sql, sql))[1])
        by_hand, spent = timed(lambda: connection.execute(query).fetchall())
        hands.append(spent)
        table, spent = timed(lambda: timeline.table(measure, **options))
        tables.append(spent)
    same = table is not None and rounded(table.rows) == rounded(by_hand)
    ratio = statistics.median(one[0] for one in rows) / statistics.median(one[0] for one in hands)
    said = ", ".join(f"{name}={value}" for name, value in options.items() if value != measure.options[name].default)
    return (
        f"| {measure.name} ({path.parent.name}) | {said} | {middle(rows)} | {middle(hands)} | {ratio:.2f} | "
        f"{middle(builds)} | {middle(tables)} | {'yes' if same else 'NO'} |"
    )


def peers(name: str) -> Iterator[Path]:
    yield PEERS / f"{name}.sql"
    yield CHECKS / f"{name}.sql"


def timed(work: Callable[[], T]) -> tuple[T, tuple[float, float]]:
    """Run something; give what it gave, and its CPU and wall seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    made = work()
    return made, (time.process_time() - cpu, time.perf_counter() - wall)


def middle(runs: list[tuple[float, float]]) -> str:
    cpu, wall = (statistics.median(run[k] for run in runs) for k in (0, 1))
    return f"{cpu:.2f} ({wall:.2f})"


def rounded(rows: list[tuple[Cell, ...]]) -> list[tuple[Cell, ...]]:
    """Make rows comparable: a sum of floats may differ in its last digits, a decimal in its trailing zeros."""
    return [
        tuple(
            round(cell, 7)
            if isinstance(cell, float)
            else round(cell, 4)
            if isinstance(cell, Decimal)
            else cell.date()
            if isinstance(cell, datetime)
            else cell
            for cell in row
        )
        for row in rows
    ]


if __name__ == "__main__":
    main()
