"""The page of scores: a grid, the points of an account, rules that are tried and adopted, models with their proof."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from test_chance import drawn

from plait import desk
from plait.points import kept
from plait.stats.chance.back_test import back_test
from plait.stats.chance.fit import fit
from plait.web.people.models import AuditEntry

Clients = Callable[[str], Any]


@pytest.fixture
def scores(home: Path) -> Iterator[Path]:
    """Give the home, and leave it without versions and models."""
    yield home
    shutil.rmtree(home / kept.FOLDER, ignore_errors=True)


def test_the_grid_leads_to_accounts_and_these_to_points_that_add_up(client_of: Clients, scores: Path) -> None:
    mara = client_of("mara")
    page = mara.get("/scores/").content.decode()
    counts = [int(one) for one in re.findall(r"</span><strong>(\d+)</strong>", page)]
    assert len(counts) == 16
    assert sum(counts) == int(re.search(r"of (\d+) accounts", page)[1])  # type: ignore[index]
    assert "Nobody has adopted score rules yet" in page
    assert "No model of chance is in force" in page
    cell = mara.get("/scores/?cell=A1").content.decode()
    assert f"{counts[0]} of {sum(counts)} accounts" in cell
    wrong = mara.get("/scores/?cell=E1")
    assert (wrong.status_code, "cell cannot be &#x27;E1&#x27;; allowed: A1" in wrong.content.decode()) == (400, True)
    number = re.search(r"/scores/of/(\w+)/", cell)[1]  # type: ignore[index]
    one = mara.get(f"/scores/of/{number}/").content.decode()
    for section in one.split('aria-labelledby="sum-')[1:]:
        points = [float(text) for text in re.findall(r'<td class="number[^>]*>(-?[\d.]+)</td></tr>', section)]
        assert sum(points[:-1]) == pytest.approx(points[-1], abs=0.005 * len(points))
    assert "older points of which less than 0.01 is left" in one
    assert mara.get("/scores/of/nobody/").status_code == 404
    unknown = mara.get("/measures/lead_score/?rules=7")
    assert (unknown.status_code, "no version 7 of the score rules" in unknown.content.decode()) == (400, True)
    assert client_of("otto").get("/scores/").status_code == 404
    assert client_of("pat").get(f"/scores/of/{number}/").status_code == 404
    del scores


def test_rules_are_tried_adopted_by_who_may_and_written_down(
    client_of: Clients, scores: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "add", lambda *_facts, **_told: [])  # other tests read this home; the command's test adds
    mara, mia = client_of("mara"), client_of("mia")
    text = kept.default().text.replace("threshold = 40", "threshold = 20")
    assert "Who approves the lifecycle may try and adopt" in mia.get("/scores/rules/").content.decode()
    assert mia.post("/scores/rules/", {"text": text, "adopt": "yes", "why": "x"}).status_code == 403
    bad = mara.post("/scores/rules/", {"text": text.replace("cap = 15", "cap = -1").replace("once", "twice", 1)})
    assert bad.status_code == 400
    assert "cap must be a number from 0" in bad.content.decode()
    tried = mara.post("/scores/rules/", {"text": text, "try": "yes"}).content.decode()
    assert "accounts would change their cell" in tried
    assert max(kept.read_scoring(scores).versions) == 0, "trying adopts nothing"
    done = mara.post("/scores/rules/", {"text": text, "adopt": "yes", "why": "We are few."})
    assert (done.status_code, max(kept.read_scoring(scores).versions)) == (302, 1)
    entry = AuditEntry.objects.filter(action="scores.adopted").latest("id")
    assert (entry.before, entry.after["why"]) == ({"version": 0}, "We are few.")  # type: ignore[index]
    page = mara.get("/scores/").content.decode()
    assert "By version 1 of the score rules" in page, "the next question is answered by them"
    assert "We are few." in mara.get("/scores/rules/").content.decode()
    assert "as it came with plait" in mara.get("/scores/rules/?version=0").content.decode()


def test_a_model_shows_its_proof_and_goes_in_force_past_the_gate_only(client_of: Clients, scores: Path) -> None:
    mara = client_of("mara")
    assert "No model was trained yet" in mara.get("/scores/model/").content.decode()
    wrong = mara.post("/scores/model/", {"train": "yes", "within": "7"})
    assert (wrong.status_code, "choose one of 30, 60, 90, 180 days" in wrong.content.decode()) == (400, True)

    columns, happened, _truth = drawn(1)
    asked = {"engagement": columns["size"], "fit": columns["visits"]}
    told = {
        "model": fit(asked, happened).told(), "test": back_test(asked, happened, cut=2800)[0].told(), "rules": 0,
        "columns": list(asked), "within_days": 90, "against_it": [], "remarks": [{"says": "Few.", "values": {}}],
        "by": "Mara", "at": "2026-07-01T10:00:00+00:00",
    }  # fmt: skip
    good = kept.keep_model(scores, json.loads(json.dumps(told)))
    bad = kept.keep_model(scores, json.loads(json.dumps({**told, "against_it": ["It is not calibrated."]})))
    page = mara.get(f"/scores/model/?number={good}").content.decode()
    assert "Nothing stands against putting it in force." in page
    assert page.count("data-chart") == 2
    for part in ("plain logistic regression", "One rate for all", "Few.", "Lift of the best tenth"):
        assert part in page
    refused = mara.post("/scores/model/", {"number": bad})
    assert (refused.status_code, "may not be put in force: It is not calibrated." in refused.content.decode()) == (
        400,
        True,
    )
    assert mara.post("/scores/model/", {"number": good}).status_code == 302
    assert AuditEntry.objects.filter(action="scores.in_force").latest("id").after == {"model": good}
    page = mara.get("/scores/?sort=chance").content.decode()
    assert "A model is in force" in page
    assert len(re.findall(r'data-label="Chance to win" class="number">[\d.]+%<small>', page)) > 10
    assert mara.post("/scores/model/", {"number": "0"}).status_code == 302
    assert kept.read_scoring(scores).model is None
