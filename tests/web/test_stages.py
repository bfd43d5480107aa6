"""The page of the stages: rules in words, a trial that changes nothing, and an adoption that everybody sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from homes import NOW

from plait import desk
from plait.stages import shipped
from plait.web.people.models import AuditEntry
from plait.web.reader import results

pytestmark = pytest.mark.django_db
Client = Any


@pytest.fixture
def as_it_was(home: Path) -> Iterator[Path]:
    """The home, whose rules are taken away again: the tests share it."""
    yield home
    for file in (home / "lifecycle").glob("0*"):
        file.unlink()


def test_rules_are_tried_then_adopted_and_every_answer_follows(
    client_of: Callable[[str], Client], as_it_was: Path
) -> None:
    mara, fin, otto = client_of("mara"), client_of("cleo"), client_of("pat")
    page = mara.get("/stages/").content.decode()
    for said in ("head of marketing", "a deal is open", "a sign of life in the last 180 days", "comes with plait"):
        assert said in page
    assert otto.get("/stages/").status_code == 404
    assert "Adopt from now on" not in fin.get("/stages/").content.decode()
    quick = shipped().text.replace("days = 180", "days = 30", 1)
    assert fin.post("/stages/", {"text": quick, "doing": "adopt", "why": "x"}).status_code == 403
    bad = mara.post("/stages/", {"text": quick.replace("days = 30", "days = 0").replace('"sales"', '"sails"')})
    told = bad.content.decode()
    assert (bad.status_code, told.count("is no department"), "write a whole number from 1" in told) == (400, 2, True)
    tried = mara.post("/stages/", {"text": quick, "doing": "try"}).content.decode()
    assert "accounts would stand elsewhere" in tried
    assert "→ Dormant" in tried
    before = counts()
    assert mara.post("/stages/", {"text": quick, "doing": "adopt", "why": ""}).status_code == 400
    assert (counts(), AuditEntry.objects.filter(action="stages.adopted").count()) == (before, 0)
    assert mara.post("/stages/", {"text": quick, "doing": "adopt", "why": "we are quick"}).status_code == 302
    entry = AuditEntry.objects.get(action="stages.adopted")
    assert entry.actor is not None
    assert (entry.actor.email, entry.after) == ("mara@demo.example", {"version": 1, "why": "we are quick"})
    page = mara.get("/stages/").content.decode()
    assert "we are quick" in page
    assert "a sign of life in the last 30 days" in page
    assert counts()["dormant"] > before["dormant"]
    assert "no longer holds" in mara.get("/stages/?version=0").content.decode()
    assert mara.get("/stages/0.toml").content.decode() == shipped().text
    assert [mara.get(f"/stages/{end}").status_code for end in ("7.toml", "?version=7", "?version=x")] == [404] * 3
    facts = desk.open_home(as_it_was, now=NOW).engine
    told = facts.run_sql("select text from timeline where kind = 'lifecycle.changed'").to_pylist()
    assert {"text": "stage rules, version 1: we are quick"} in told


def test_an_account_tells_its_stays(client_of: Callable[[str], Client]) -> None:
    account = results().table(ask("account_health")).records()[0]["account"]
    part = client_of("mara").get(f"/accounts/{account}/stages/").content.decode()
    assert "Stages of this account" in part
    assert "now" in part
    assert client_of("mara").get("/accounts/a0000000000000000/stages/").status_code == 404
    assert client_of("pat").get(f"/accounts/{account}/stages/").status_code == 404


def counts() -> dict[str, int]:
    return {str(row["stage"]): int(str(row["accounts"])) for row in results().table(ask("stage_stock")).records()}


def ask(measure: str) -> Any:  # noqa: ANN401 - a question
    from plait.timeline import EVERYTHING
    from plait.web.results import Ask

    desk.measures()
    return Ask.of(measure, {}, scope=EVERYTHING)
