"""Kills: a load that is ended at any moment and repeated leaves what an undisturbed one leaves."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from plait import desk, identity
from plait.delta import DurableTable
from plait.derived import TIMELINE, Derived
from plait.settings import Settings
from plait.store import FACTS, LOADS, REJECTS, Store, view_sql

NOW = datetime(2027, 1, 1, tzinfo=UTC)
SOURCES = ("crm", "billing", "shop", "desk")
FILE = """
[[file]]
source = "{source}"
timezone = "UTC"
currency = "EUR"
pattern = "{pattern}"
[[file.fact]]
kind = "deal.won"
id = "{{id}}"
occurred_at = "{{day}}"
object_id = "{{id}}"
amount = "{{amount}}"
keys = {{ "account.{source}" = "{{account}}", domain = "{{domain}}" }}
"""


def rows(count: int, first: int = 0) -> str:
    """Give rows of which one in fifty is refused, and one in ninety says something else of an id that is known."""
    lines = ["id,day,amount,account,domain"]
    for n in range(first, first + count):
        day = "never" if n % 50 == 49 else f"2025-{n % 12 + 1:02}-{n % 28 + 1:02}"
        lines.append(f"{n - 1 if n % 90 == 89 else n},{day},{n}.25,A{n % 41},a{n % 41}.example")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three files of two sources, and beside them a folder for each of four sources."""
    folder = tmp_path_factory.mktemp("kills")
    (folder / "in").mkdir()
    for name, first in (("crm-a.csv", 0), ("crm-b.csv", 5_000), ("billing.csv", 0)):
        (folder / "in" / name).write_text(rows(1_000, first))
    (folder / "both.toml").write_text("".join(FILE.format(source=s, pattern=f"{s}*.csv") for s in ("crm", "billing")))
    for source in SOURCES:
        (folder / source).mkdir()
        (folder / source / "deals.csv").write_text(rows(500))
        (folder / f"{source}.toml").write_text(FILE.format(source=source, pattern="*.csv"))
    return folder


@pytest.fixture(scope="module")
def expected(inbox: Path) -> dict[str, list[Any]]:
    """What an undisturbed load leaves."""
    load(inbox / "undisturbed", inbox / "in", inbox / "both.toml")
    return held(inbox / "undisturbed")


def load(home: Path, folder: Path, mapping: Path) -> desk.LoadReport:
    return desk.load(home, folder, mapping, now=NOW)


def started(home: Path, folder: Path, mapping: Path) -> subprocess.Popen[bytes]:
    """Load in a process of its own."""
    words = ["--home", str(home), "load", str(folder), "--mapping", str(mapping)]
    return subprocess.Popen(
        [sys.executable, "-m", "plait", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    )


def held(home: Path) -> dict[str, list[Any]]:
    """Give all rows that a home holds, less the instants at which we knew."""
    store, made = Store.open(home), Derived.open(home.absolute())
    tables = {
        "facts": (store.facts, FACTS), "rejects": (store.rejects, REJECTS), "loads": (store.loads, LOADS),
        "timeline": (made.timeline, TIMELINE), "nodes": (made.nodes, identity.NODES),
    }  # fmt: skip
    with duckdb.connect() as db:
        told = {}
        for name, (table, schema) in tables.items():
            db.execute(view_sql(name, table.snapshot(), schema))
            known = "first_at" if name == "nodes" else "recorded_at"
            told[name] = db.execute(f"select * exclude ({known}) from {name} order by all").fetchall()
        return told


def test_the_undisturbed_load_has_something_of_each(expected: dict[str, list[Any]]) -> None:
    assert len(expected["facts"]) == len(expected["timeline"]) > 2_500
    assert {row[5] for row in expected["rejects"]} == {"not a time", "id_conflict"}
    assert len(expected["loads"]) == 3


def kill_and_repeat(home: Path, inbox: Path, after: float) -> None:
    """Start a load, kill it after some seconds and load again."""
    process = started(home, inbox / "in", inbox / "both.toml")
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    load(home, inbox / "in", inbox / "both.toml")


@pytest.mark.slow
@pytest.mark.parametrize("count", [int(os.environ.get("PLAIT_LOAD_KILLS", "8"))])
def test_a_load_killed_at_any_moment_can_be_repeated(
    inbox: Path, tmp_path: Path, expected: dict[str, list[Any]], count: int
) -> None:
    """`PLAIT_LOAD_KILLS=30` is the long run."""
    seed = time.perf_counter_ns()
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    began = time.perf_counter()
    ended_well([started(tmp_path / "timed", inbox / "in", inbox / "both.toml")])
    took = time.perf_counter() - began
    chance = random.Random(seed)  # noqa: S311 - no secret
    for number in range(count):
        after = took * (number + chance.random()) / count
        home = tmp_path / str(number)
        kill_and_repeat(home, inbox, after)
        assert held(home) == expected, f"killed after {after:.3f} of {took:.3f} s"
        assert desk.verify(home) == []


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("commit", range(1, 7))
def test_a_load_killed_after_any_commit_can_be_repeated(
    inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: dict[str, list[Any]], commit: int
) -> None:
    """Refused rows, facts, loads, key sets, keys, timeline: six commits, and a kill behind each."""
    desk.set_up(tmp_path, Settings())
    Derived.open(tmp_path)
    sync, made = DurableTable._make_durable, []

    def killed(table: DurableTable) -> int:
        if table.version() > table._durable():
            made.append(table.path.name)
            if len(made) == commit:
                raise Killed
        return sync(table)

    with monkeypatch.context() as patch:
        patch.setattr(DurableTable, "_make_durable", killed)
        with pytest.raises(Killed):
            load(tmp_path, inbox / "in", inbox / "both.toml")
    assert made[-1] == ["rejects", "facts", "loads", "identity", "nodes", "timeline"][commit - 1]
    again = load(tmp_path, inbox / "in", inbox / "both.toml")
    assert sum(file.added + file.known for file in again.files) == len(expected["facts"])
    assert held(tmp_path) == expected
    assert desk.verify(tmp_path) == []


def test_a_killed_load_of_fewer_files_keeps_the_refused_rows_of_more(
    inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: dict[str, list[Any]]
) -> None:
    """Killed behind the facts of one file; the next load brings it together with others."""
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(inbox / "in" / "billing.csv", folder)

    def killed(*_given: object) -> int:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Store, "_remember", killed)
        with pytest.raises(Killed):
            load(tmp_path / "h", folder, inbox / "both.toml")
    load(tmp_path / "h", inbox / "in", inbox / "both.toml")
    assert held(tmp_path / "h") == expected


def ended_well(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said.decode()


def test_four_sources_are_loaded_at_once(inbox: Path, tmp_path: Path) -> None:
    ended_well([started(tmp_path / "h", inbox / source, inbox / f"{source}.toml") for source in SOURCES])
    load(tmp_path / "alone", inbox / "crm", inbox / "crm.toml")
    together, alone = held(tmp_path / "h"), held(tmp_path / "alone")
    for name in ("facts", "rejects", "loads"):
        of_crm = [row for row in together[name] if "crm" in row]
        assert of_crm == alone[name]
        assert len(together[name]) == len(SOURCES) * len(of_crm) > 0
    assert desk.verify(tmp_path / "h") == []


def test_the_same_files_loaded_twice_at_once_are_there_once(
    inbox: Path, tmp_path: Path, expected: dict[str, list[Any]]
) -> None:
    ended_well([started(tmp_path / "h", inbox / "in", inbox / "both.toml") for _ in range(2)])
    assert held(tmp_path / "h") == expected
    assert desk.verify(tmp_path / "h") == []
