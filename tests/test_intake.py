"""The intake: loads, refused rows and control totals stay known after the load is over."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from plait import desk

NOW = datetime(2026, 7, 1, tzinfo=UTC)
LATER = datetime(2026, 7, 2, tzinfo=UTC)
MAPPING = """
source = "crm"
timezone = "UTC"

[[file]]
pattern = "deals*.csv"
[[file.fact]]
kind = "deal.won"
id = "{id}"
occurred_at = "{day}"
object_id = "{id}"
amount = "{amount}"
currency = "EUR"

[[control]]
source = "crm"
kind = "deal.won"
facts = 2
"""


def loaded(home: Path, lines: str, now: datetime) -> desk.LoadReport:
    folder = home.parent / f"exports-{now:%d}"
    folder.mkdir()
    (folder / "deals.csv").write_text(f"id,day,amount\n{lines}")
    mapping = home.parent / "crm.toml"
    mapping.write_text(MAPPING)
    return desk.load(home, folder, mapping, now=now)


def test_a_control_total_is_shown_as_the_last_load_checked_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    loaded(home, "d1,2026-01-05,100\n", NOW)
    (first,) = desk.controls(home)
    assert (first.says, first.holds, first.agrees, first.mapping) == ("2 facts", "1 facts", False, "crm.toml")
    loaded(home, "d1,2026-01-05,100\nd2,2026-01-06,100\n", LATER)
    (second,) = desk.controls(home)
    assert (second.holds, second.agrees, second.at) == ("2 facts", True, LATER)


def test_loads_are_told_newest_first(tmp_path: Path) -> None:
    home = tmp_path / "home"
    loaded(home, "d1,2026-01-05,100\nd2,never,100\n", NOW)
    loaded(home, "d1,2026-01-05,100\nd3,2026-01-06,100\n", LATER)
    told, count = desk.loads(home, limit=1)
    assert count == 2
    assert [(load.rows, load.accepted, load.refused, load.added, load.known) for load in told] == [(2, 2, 0, 1, 1)]
    older, _ = desk.loads(home, limit=1, offset=1)
    assert (older[0].rows, older[0].refused) == (2, 1)


def test_refused_rows_are_grouped_by_rule_and_found_by_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    loaded(home, "d1,never,100\nd2,2026-01-06,much\nd3,never,1\n", NOW)
    groups = {group.rule: group.rows for group in desk.refused_groups(home)}
    assert sorted(groups.values()) == [1, 2]
    for rule, rows in groups.items():
        found = desk.refused_rows(home, {"source": "crm", "rule": rule}, limit=1)
        assert (found.count, len(found.rows)) == (rows, 1)
        assert desk.refused_rows(home, {"source": "shop", "rule": rule}).count == 0


def test_what_a_cancelled_load_staged_can_be_forgotten(tmp_path: Path) -> None:
    (tmp_path / "staging").mkdir()
    (tmp_path / "staging" / "part.parquet").touch()
    desk.forget_staged(tmp_path)
    assert list((tmp_path / "staging").iterdir()) == []
