"""The process map: what follows what, how long it takes, and that another tool says the same of the same log."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from homes import NOW
from stories import Story

from plait import desk
from plait.cli import main
from plait.cli.process import answered
from plait.measures.process import process_map, process_steps, process_variants

ORACLES = Path(__file__).parent / "oracles"
LOG = Path(__file__).parents[2] / "shared" / "data" / "tickets_helpdesk" / "helpdesk.parquet"
COLUMNS = ("case:concept:name", "concept:name", "time:timestamp")
MAPPING = Path(__file__).parents[1] / "examples" / "helpdesk_log.toml"
SECOND = timedelta(seconds=1) / timedelta(days=1)


def test_waits_lie_between_a_step_and_the_next_of_the_same_case(story: Story) -> None:
    """
    acme  2026-01-01T00:00  deal.opened   100.00 EUR  object_id=d1
    acme  2026-01-03T00:00  deal.changed  object_id=d1  text=offer
    acme  2026-01-13T00:00  deal.changed  365.00 EUR  object_id=d1  text=offer
    acme  2026-01-23T00:00  deal.won      object_id=d1
    bolt  2026-01-01T00:00  deal.opened   object_id=d2
    bolt  2026-01-02T12:00  deal.changed  object_id=d2  text=offer
    """
    table = story.until(date(2026, 2, 1)).table(process_map, case="deal")
    euros = {"offer": Decimal("1.0000"), "opened": Decimal("0.2000")}  # 365 EUR, 10 % a year, 10 days and 2 days
    assert table.rows == [
        ("deal.opened", "offer", 2, 2, 1.75, 2.0, 3.5, euros["opened"], "EUR"),
        ("offer", "deal.won", 1, 1, 10.0, 10.0, 10.0, euros["offer"], "EUR"),
        ("offer", "offer", 1, 1, 10.0, 10.0, 10.0, euros["offer"], "EUR"),
    ]


def test_a_step_taken_again_is_rework(story: Story) -> None:
    """
    acme  2026-01-01  ticket.opened    object_id=t1
    acme  2026-01-02  ticket.changed   object_id=t1  text=wait
    acme  2026-01-03  ticket.changed   object_id=t1  text=wait
    acme  2026-01-04  ticket.resolved  object_id=t1
    acme  2026-01-05  ticket.changed   object_id=t1  text=wait
    bolt  2026-01-01  ticket.opened    object_id=t2
    -     2026-01-09  ticket.opened    object_id=t3
    """
    seen = story.until(date(2026, 2, 1))
    assert seen.table(process_steps, case="ticket").rows == [
        ("ticket.opened", 3, 3, 0, 0, 0.0, 0, 3, 2, 1.0, None),
        ("wait", 1, 3, 2, 1, 2 / 3, 1, 0, 1, 2.0, 1.0),
        ("ticket.resolved", 1, 1, 0, 0, 0.0, 0, 0, 0, 4.0, 1.0),
    ]
    assert seen.table(process_variants, case="ticket", least_percent=50).rows == [
        (1, "ticket.opened", 1, 2, 2 / 3, 0.0),
        (None, "(others)", None, 1, 1 / 3, None),
    ]
    early = seen.table(process_steps, case="ticket", since=date(2026, 1, 2))
    assert early.rows == [("ticket.opened", 1, 1, 0, 0, 0.0, 0, 1, 1, 1.0, None)]


def test_steps_of_one_instant_are_in_the_order_of_source_and_id(story: Story) -> None:
    """
    acme  2026-01-01  lead.mql     id=b
    acme  2026-01-01  lead.sal     id=a
    acme  2026-01-01  deal.opened  id=c  object_id=d1
    """
    rows = story.until(date(2026, 2, 1)).table(process_map).rows
    assert [row[:2] for row in rows] == [("lead.mql", "deal.opened"), ("lead.sal", "lead.mql")]


@pytest.mark.real_data
@pytest.mark.skipif(not LOG.exists(), reason="the public data is not here")
def test_the_help_desk_log_has_the_map_that_pm4py_gives(tmp_path: Path) -> None:
    """Counts are equal and medians within a second: read from the file as it is, and loaded as facts."""
    told = oracle("helpdesk", LOG, *COLUMNS)
    mapped = answered(LOG, COLUMNS, "map")
    assert len(told) == len(mapped) == 55
    assert_same([tuple(row.values()) for row in mapped], told)

    desk.load(tmp_path / "home", LOG.parent, MAPPING, now=NOW)
    facts = desk.board(
        tmp_path / "home", {f"process_{name}": {"case": "ticket"} for name in ("map", "steps", "variants")}, now=NOW
    )
    for show, table in zip(("map", "steps", "variants"), facts, strict=True):
        of_file = answered(LOG, COLUMNS, show)
        money = {"waiting_cost", "currency"}
        assert [{k: v for k, v in row.items() if k not in money} for row in table.records()] == of_file
    assert len(facts[1].rows) == 14
    assert sum(cast_int(row[2]) for row in facts[1].rows) == 21_348
    assert abs(sum(float(str(row[4])) for row in facts[2].rows) - 1) < 1e-9


def cast_int(cell: object) -> int:
    """Read a count."""
    assert isinstance(cell, int)
    return cell


def oracle(name: str, file: Path, *columns: str) -> dict[tuple[str, str], tuple[int, float]]:
    """Ask pm4py where `PLAIT_PM4PY` names a Python that has it, else read what it said: times and median seconds."""
    kept = ORACLES / f"process_map.{name}.json"
    python = os.environ.get("PLAIT_PM4PY")
    if python:
        script = [python, str(ORACLES / "process_map.py"), str(file), *columns]
        kept.write_text(subprocess.run(script, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    told = json.loads(kept.read_text())["edges"]
    return {(one, other): (times, seconds) for one, other, times, seconds in told}


def assert_same(rows: list[tuple[object, ...]], told: dict[tuple[str, str], tuple[int, float]]) -> None:
    """Hold rows of the map against the oracle's."""
    mine = {(str(row[0]), str(row[1])): (row[3], float(str(row[4]))) for row in rows}
    assert {edge: times for edge, (times, _wait) in mine.items()} == {edge: n for edge, (n, _wait) in told.items()}
    assert all(abs(wait - told[edge][1] / 86_400) <= SECOND for edge, (_times, wait) in mine.items())


def test_a_log_that_will_not_do_is_refused_with_its_row(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("ticket,step,when\n1,open,2026-01-01T10:00:00Z\n1,,2026-01-02\n1,done,soon\n")
    asked = ["process", str(log), "--case", "ticket", "--activity", "step", "--at"]
    empty = CliRunner().invoke(main, [*asked, "when"])
    assert (empty.exit_code, empty.output) == (
        1, "Error: log.csv, row 2: step is empty; each row needs a case and a step.\n",
    )  # fmt: skip
    missing = CliRunner().invoke(main, [*asked, "wen"])
    assert missing.exit_code == 2
    assert "log.csv has no column 'wen'; did you mean 'when'? it has: ticket, step, when." in missing.output
    log.write_text(log.read_text().replace("1,,", "1,wait,"))
    assert "row 3: when is 'soon'; allowed are instants" in CliRunner().invoke(main, [*asked, "when"]).output
    log.write_text(log.read_text().replace("soon", "2026-01-02T12:00"))
    shown = CliRunner().invoke(main, [*asked, "when", "--json"])
    assert [row["wait_days"] for row in json.loads(shown.output)["rows"]] == [14 / 24, 0.5]
