"""Erasing a person from a large home, and what the list of the erased costs a load, each in a process of its own."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from datetime import UTC
from pathlib import Path

from world import RECORDED_AT, build_world, staged_sql

from plait import duck, suppression
from plait.derived import Derived, refresh
from plait.erasure import erasing, finding
from plait.erasure.subject import find_subject
from plait.settings import Settings, write_settings
from plait.store import FACTS, Part, Store, view_sql

FACTS_OF_A_HOME, LOADED = 10_000_000, 1_000_000
NOW = RECORDED_AT.replace(tzinfo=UTC)


def measure(work: Path, facts: int = FACTS_OF_A_HOME) -> str:
    home = work / f"erasure{facts}"
    if not home.exists():
        home.mkdir()
        write_settings(home, Settings("Europe/Berlin", "EUR"))
    run("build", home, "", facts)
    told = [run("find", home, "", facts), run("erase", home, "", facts)]
    loads = [run("load", home, how, facts) for how in ("without", "with")]
    return (
        f"A home of {facts:,} facts of {facts // 20:,} people over three years, one source. The person's facts lie in "
        "most months, so most of the home is written anew; the desk's own database is not counted.\n\n"
        "| what | seconds | CPU seconds | peak memory |\n|---|---:|---:|---:|\n"
        f"| find all that is kept of a person: {told[0]['what']} | {line(told[0])}"
        f"| erase them: {told[1]['what']} | {line(told[1])}"
        f"\n{LOADED:,} staged facts judged and stored, among them facts of 20 persons:\n\n"
        "| list of erased persons | seconds | CPU seconds | peak memory |\n|---|---:|---:|---:|\n"
        f"| nobody was erased: {loads[0]['what']} | {line(loads[0])}"
        f"| 20 persons were: {loads[1]['what']} | {line(loads[1])}"
    )


def line(told: dict[str, float]) -> str:
    return f"{told['took']:.1f} | {told['cpu']:.1f} | {told['peak']:,.0f} MB |\n"


def run(what: str, home: Path, how: str, facts: int) -> dict[str, float]:
    command = [sys.executable, __file__, what, str(home), how, str(facts)]
    told: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return told


def somebody(home: Path) -> str:
    """Give the address of whoever has the most facts in the first of the home's months."""
    store = Store.open(home)
    with duck.connect(store.spill) as db:
        db.execute(view_sql("facts", store.snapshot(), FACTS))
        rows = db.execute(
            "select json_extract_string(keys, '$.email') as mail from facts "
            "where month < '2023-12' and mail is not null group by mail order by count(*) desc, mail limit 1"
        )
        return str(rows.fetchall()[0][0])


def build(home: Path, _how: str, facts: int) -> str:
    """Make the home, in a process of its own: what a process has used its children inherit as their peak."""
    refresh(build_world(home, facts, facts // 20), Derived.open(home))
    return ""


def find(home: Path, _how: str, _facts: int) -> str:
    found = finding.sections(home, find_subject(home, somebody(home)))
    return ", ".join(f"{one.count} {one.name.replace('_', ' ')}" for one in found)


def erase(home: Path, _how: str, _facts: int) -> str:
    subject = find_subject(home, somebody(home))
    plan = erasing.carry_out(erasing.prepare(home, subject, number=1, now=NOW), now=NOW)
    plan.finish()
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in plan.counts.items() if count)


def load(home: Path, how: str, facts: int) -> str:
    """Store staged facts in a home of their own, with or without a list."""
    own = home.with_name(f"{home.name}-{how}")
    subprocess.run(["rm", "-rf", str(own)], check=True)
    store = Store.open(own)
    (own / "staging").mkdir()
    staged, refused = own / "staging" / "facts.parquet", own / "staging" / "refused.parquet"
    with duck.connect(store.spill) as db:
        db.execute(f"copy ({staged_sql(int(LOADED * 1.02), facts // 20)}) to '{staged}' (compression lz4)")
        (rows,) = db.execute(f"select count(*) from '{staged}'").fetchall()[0]
        none = ", ".join(
            f"null::varchar as {n}" for n in ("source", "file", "field", "value", "rule", "next_step", "row")
        )
        db.execute(
            f"copy (select {none}, null::bigint as line, null::timestamp as recorded_at where false) to '{refused}'"
        )
        mails = db.execute(
            f"select distinct json_extract_string(keys, '$.email') as mail from '{staged}' "
            "where mail is not null order by mail limit 20"
        ).fetchall()
    if how == "with":
        suppression.suppress(own, [("email", mail) for (mail,) in mails], number=1, now=NOW)
    global began, cpu
    began, cpu = time.perf_counter(), time.process_time()
    part = Part("world", "world", "more", staged, refused, rows, rows, 0, 0)
    (loaded,) = store.append([part], recorded_at=NOW)
    return f"{loaded.added:,} added, {loaded.refused:,} refused"


WORKS = {"build": build, "find": find, "erase": erase, "load": load}
began, cpu = 0.0, 0.0


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("what", choices=WORKS)
    asked.add_argument("home", type=Path)
    asked.add_argument("how")
    asked.add_argument("facts", type=int)
    given = asked.parse_args()
    global began, cpu
    began, cpu = time.perf_counter(), time.process_time()
    what = WORKS[given.what](given.home, given.how, given.facts)
    took, spent = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"what": what, "took": took, "cpu": spent, "peak": peak}))


if __name__ == "__main__":
    main()
