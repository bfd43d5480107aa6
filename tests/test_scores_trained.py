"""A model of the firm's own wins: trained, proved, put in force, and asked for each account's chance."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from homes import stored

from plait import desk
from plait.cli import main
from plait.facts import Fact
from plait.measures._training import POINTS, train
from plait.points import kept
from plait.stats.chance.fit import NotEnough

BEGAN, NOW = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 8, 1, tzinfo=UTC)
DAYS, ACCOUNTS = 570, 250


def drawn(seed: int) -> list[Fact]:
    """Draw accounts that visit, meet us and are won the sooner the more they do."""
    chance = np.random.default_rng(seed)
    facts: list[Fact] = []

    def happened(kind: str, account: int, day: float, **more: str) -> None:
        at = BEGAN + timedelta(days=day)
        if at < NOW:
            keys = {"account.crm": f"a{account}", "person.crm": f"p{account}-{len(facts) % 2}"}
            facts.append(Fact(source="crm", id=f"{len(facts)}", kind=kind, occurred_at=at, recorded_at=at,
                              keys=keys, **more))  # type: ignore[arg-type]  # fmt: skip

    for account in range(ACCOUNTS):
        keen, day = chance.gamma(1.5, 1.0), chance.uniform(0, 200)
        happened("form.submitted", account, day)
        while (day := day + chance.exponential(25)) < DAYS:
            for _ in range(chance.poisson(keen)):
                happened("content.downloaded", account, day + chance.uniform(0, 5))
            if chance.random() < 0.12 * keen:
                happened("meeting.held", account, day + 6)
            if chance.random() < 0.03 * keen**1.5:
                happened("deal.won", account, day + 12, object_id=f"d{account}")
                break
    return facts


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stored(tmp_path_factory.mktemp("won") / "home", drawn(3)).home


@pytest.fixture(scope="module")
def told(home: Path) -> dict[str, object]:
    return train(desk.open_home(home, now=NOW), within_days=120)


def run(home: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["--home", str(home), "scores", *words], catch_exceptions=False)


def test_a_model_is_trained_proved_put_in_force_and_asked(home: Path, told: dict[str, object]) -> None:
    before = desk.show(home, "win_chance", now=NOW)
    assert not before.rows
    assert "No model of chance is in force" in before.warnings[0]
    test, columns = told["test"], told["columns"]
    assert isinstance(test, dict)
    assert test["model"]["auc"] > 0.6
    assert {"plain logistic regression", POINTS} == set(test["against"])
    assert "engagement" in columns  # type: ignore[operator]
    number = kept.keep_model(
        home, {**told, "against_it": ["It is not calibrated."], "by": "Mara", "at": NOW.isoformat()}
    )
    refused = run(home, "activate", str(number), "--by", "Sol")
    assert (refused.exit_code, "may not be put in force: It is not calibrated." in refused.output) == (1, True)
    number = kept.keep_model(home, {**told, "against_it": [], "by": "Mara", "at": NOW.isoformat()})
    assert run(home, "activate", str(number), "--by", "Sol").output == "Model 2 is in force.\n"
    assert "in force" in run(home, "models").output.splitlines()[0]
    table = desk.show(home, "win_chance", now=NOW)
    rows = table.records()
    assert len(rows) > 40
    assert all(float(str(r["chance_low"])) <= float(str(r["chance"])) <= float(str(r["chance_high"])) for r in rows)
    assert (rows[0]["model"], "within 120 days" in table.estimates) == (2, True)
    won = desk.show(home, "win_chance", now=NOW, as_of=(BEGAN + timedelta(days=400)).date())
    assert len(won.rows) > len(rows), "who was won later was not won then"


def test_what_was_recorded_after_a_past_day_was_not_known_then(tmp_path: Path, told: dict[str, object]) -> None:
    """A history loaded in one go says what happened, not what was known; loaded as it came, late facts are left out."""
    assert "recorded long after they happened" in json.dumps(told["remarks"])
    facts, slow = drawn(3), tmp_path / "slow"
    for back in range(4, -1, -1):  # every 120 days, nine days after a day that is looked back from
        at = NOW - timedelta(days=120 * back - 9)
        desk.add(slow, [one for one in facts if one.occurred_at < at], name=f"load{back}", now=at)
    late = train(desk.open_home(slow, now=NOW), within_days=120)
    assert "recorded only after a day that is looked back from" in json.dumps(late["remarks"])
    assert late["model"] != told["model"], "what was not known then was learned from"


def test_a_short_history_is_not_enough(home: Path) -> None:
    opened = desk.open_home(home, now=NOW)
    with pytest.raises(NotEnough, match="it takes 3 periods of 365 days"):
        train(opened, within_days=365)
    with pytest.raises(NotEnough, match="not enough"):
        train(opened.until(BEGAN + timedelta(days=200)), within_days=40)


def test_rules_are_adopted_from_the_command_line_and_told_as_a_fact(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    text = run(home, "rules", "--toml").output
    file.write_text(text.replace("threshold = 40", "threshold = 12"))
    told = run(home, "adopt", str(file), "--by", "Mara", "--why", "We are few.", "--yes")
    assert told.exit_code == 0, told.output
    assert "accounts change their cell" in told.output
    assert "Version 1 is in force" in told.output
    assert "in force since" in run(home, "rules").output
    again = run(home, "adopt", str(file), "--by", "Mara", "--why", "Again.", "--yes")
    assert (again.exit_code, "nothing to adopt" in again.output) == (1, True)
    facts = desk.open_home(home, now=datetime.now(UTC)).facts()  # noqa: TID251 - when it was adopted
    con = desk.open_home(home, now=datetime.now(UTC)).engine  # noqa: TID251
    told_rows = con.run(facts.of("lifecycle.changed").select("text", "owner")).to_pylist()
    assert told_rows == [{"text": "score rules, version 1: We are few.", "owner": "Mara"}]
    file.write_text(text.replace("cap = 15", "cap = 'much'"))
    assert "1 problems" in run(home, "check", str(file)).output
