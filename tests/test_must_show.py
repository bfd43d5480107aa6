"""What must be shown: numbers that are known about two public data sets, asked for on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from plait.cli import main

DATA = Path(__file__).parents[2] / "shared" / "data"
EXAMPLES = Path(__file__).parents[1] / "examples"
pytestmark = [pytest.mark.real_data, pytest.mark.skipif(not DATA.exists(), reason="the public data is not here")]


def plait(home: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["--home", str(home), *words])


def load(home: Path, example: str, folder: str) -> dict[str, Any]:
    loaded = plait(home, "load", str(DATA / folder), "--mapping", str(EXAMPLES / f"{example}.toml"), "--json")
    assert loaded.exit_code == 0, loaded.output
    told: dict[str, Any] = json.loads(loaded.stdout)
    return told


def show(home: Path, *words: str) -> dict[str, Any]:
    shown = plait(home, "show", *words, "--json")
    assert shown.exit_code == 0, shown.output
    told: dict[str, Any] = json.loads(shown.stdout)
    return told


@pytest.fixture(scope="module")
def olist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("olist") / "home"
    assert load(home, "olist_funnel", "olist")["added"] == 8_842
    return home


@pytest.fixture(scope="module")
def maven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("maven") / "home"
    assert load(home, "maven_crm", "crm_sales_opportunities")["added"] == 15_511
    return home


FUNNEL = ("funnel", "--chain", "lead.mql,deal.won", "--within-days", "none")


def test_of_8000_leads_842_signed(olist: Path) -> None:
    told = show(olist, *FUNNEL)
    leads, won = told["rows"]
    assert (leads["entered"], won["entered"], won["rate"]) == (8_000, 842, 0.10525)
    (warning,) = [text for text in told["warnings"] if "before" in text]
    assert warning.startswith("1 deal.won before its first lead.mql: ")


@pytest.mark.parametrize("by", ["month", "quarter", "channel"])
def test_parts_sum_to_the_whole(olist: Path, by: str) -> None:
    rows = show(olist, *FUNNEL, "--by", by)["rows"]
    assert sum(row["entered"] for row in rows if row["step"] == "lead.mql") == 8_000
    assert sum(row["entered"] for row in rows if row["step"] == "deal.won") == 842
    assert len(rows) > 4


def test_the_newest_are_open_and_not_lost(olist: Path) -> None:
    words = ("funnel", "--chain", "lead.mql,deal.won", "--within-days", "90", "--as-of", "2018-06-01")
    _, won = show(olist, *words)["rows"]
    assert (won["entered"], won["open"], won["expired"]) == (634, 3_391, 3_975)


def test_the_crm_gives_its_known_sums(maven: Path) -> None:
    (row,) = show(maven, "win_rate")["rows"]
    assert (row["won"], row["won_amount"], round(row["win_rate"], 4)) == (4_238, 10_005_534, 0.6315)


def test_opportunities_without_account_are_counted(maven: Path) -> None:
    (row,) = show(maven, "source_health")["rows"]
    assert row["deals_without_account"] == 1_425


@pytest.mark.parametrize(("example", "folder"), [("olist_funnel", "olist"), ("maven_crm", "crm_sales_opportunities")])
def test_loading_twice_adds_nothing(request: pytest.FixtureRequest, example: str, folder: str) -> None:
    home = request.getfixturevalue(example.partition("_")[0])
    before = json.loads(plait(home, "store", "info", "--json").stdout)
    again = load(home, example, folder)
    assert again["added"] == 0
    assert sum(file["known"] for file in again["files"]) == before["facts"]
    assert json.loads(plait(home, "store", "info", "--json").stdout) == before
