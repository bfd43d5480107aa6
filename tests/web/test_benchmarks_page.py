"""Benchmarks: no figure without year, population and source; opinions beside facts, and nobody's alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from click.testing import CliRunner
from django.test import Client

from plait.cli import main
from plait.web.benchmarks.challenges import CHALLENGES, answer, answered
from plait.web.benchmarks.models import Opinion
from plait.web.benchmarks.own import OWN
from plait.web.benchmarks.reading import COLUMNS, PUBLISHED, BadBenchmarks, benchmarks, read_benchmarks
from plait.web.people.models import AuditEntry, User

ClientOf = Callable[[str], Client]
ROW = "own_rate,12.5,% of firms,A rate,,firms asked,A study,2024,a journal"


def told(page: str) -> str:
    """Give what somebody reads."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_a_figure_without_year_population_or_source_refuses_its_file(tmp_path: Path) -> None:
    """All that is wrong is said at once; a file that will do is kept, and a row of a known id takes its place."""
    file, head, bad = tmp_path / "own.csv", ",".join(COLUMNS), ROW.replace("2024", "soon").replace("12.5", "many")
    file.write_text(f"{head}\n{ROW.replace('2024', '')}\n{ROW.replace('firms asked', ' ')}\n"
                    f"{ROW.replace('a journal', '')}\n{bad}\n")  # fmt: skip
    with pytest.raises(BadBenchmarks) as refused:
        read_benchmarks(file)
    assert [problem.split(";")[0] for problem in refused.value.problems] == [
        "line 2: year is empty", "line 3: population is empty", "line 4: source is empty", "line 5: year is 'soon'",
        "line 5: value is 'many'",
    ]  # fmt: skip
    run = CliRunner().invoke(main, ["--home", str(tmp_path / "home"), "benchmarks", str(file)])
    assert (run.exit_code, "line 2: year is empty" in run.output) == (1, True)
    file.write_text("id,value\nx,1\n")
    with pytest.raises(BadBenchmarks, match="it lacks the columns unit, statement"):
        read_benchmarks(file)
    mine = ROW.replace("own_rate", "martech_use")
    file.write_text(f"{head}\n{ROW}\n{mine}\n")
    assert CliRunner().invoke(main, ["--home", str(tmp_path / "home"), "benchmarks", str(file)]).exit_code == 0
    known = {one.id: one for one in benchmarks(tmp_path / "home")}
    assert len(known) == len(read_benchmarks(PUBLISHED)) + 1
    assert (str(known["martech_use"].value), known["martech_use"].year) == ("12.5", "2024")


def test_each_card_has_year_population_and_source(client_of: ClientOf) -> None:
    """Second-hand figures are hidden; an own value has its interval and n, or says that n is too small."""
    page = client_of("mara").get("/benchmarks/?whole=1").content.decode()
    cards = {
        number: told(card)
        for number, card in re.findall(
            r'<article class="card-box benchmark" id="(\w+)">(.*?)</article>', page, re.DOTALL
        )
    }
    shown = {one.id for one in read_benchmarks(PUBLISHED) if one.checked} - {
        *(one.benchmark for one in CHALLENGES.values()), "rev_existing_ratio_recomputed",
    }  # fmt: skip
    assert set(cards) == shown
    assert all({"Population", "Year", "Source"} <= set(card.split()) for card in cards.values())
    assert "71 % of firms 2016 Used marketing technology at the end of 2016" in cards["martech_use"]
    ratio = cards["rev_existing_ratio_published"]
    assert ratio.startswith("1.6 times 2017 or before")
    assert "1.67 Top against average performers, recomputed as 50 / 30" in ratio
    assert "n too small: 14" in cards["svc_fail_churn_max"]
    assert "Our value 83.8% 95 % interval 77.5% to 88.6% · n = 173" in cards["satisfied_customers_avg"]
    assert set(OWN) - shown == {"sec_mql_rejection_low", "sec_mql_rejection_high"}
    assert "sec_" not in page
    assert "14 more figures are quoted at second hand" in page


def test_an_opinion_stands_beside_a_fact_and_is_nobodys_alone(client_of: ClientOf) -> None:
    """Four answers show no share, five do; each of the seven has a measured fact; there is no pie."""
    mara = client_of("mara")
    mara.post("/benchmarks/opinion/", {"challenge": ["skills", "data_access"]})
    for name in ("sol", "fin", "ida"):
        answer(User.objects.get(email=f"{name}@demo.example"), ["skills"])
    page = mara.get("/benchmarks/check/").content.decode()
    assert answered() == (4, {})
    assert told(page).count("too few answers") == 7
    assert "nothing was measured yet" not in page
    answer(User.objects.get(email="otto@elsewhere.example"), [])  # somebody outside is no colleague
    assert answered() == (4, {})
    client_of("mia").post("/benchmarks/opinion/")
    assert dict(answered()[1]) == {**dict.fromkeys(CHALLENGES, 0.0), "skills": 0.8, "data_access": 0.2}
    page = mara.get("/benchmarks/check/").content.decode()
    assert "95 % published" in told(page)
    assert "80.0% our colleagues" in told(page)
    assert ('width="80.0"' in page, "pie" in page) == (True, False)
    mara.post("/benchmarks/opinion/", {"challenge": ["coffee"]})
    assert Opinion.objects.get(person__email="mara@demo.example").challenges == ["data_access", "skills"]
    mara.post("/benchmarks/opinion/", {"back": "1"})
    assert answered() == (4, {})
    kept = AuditEntry.objects.filter(action__startswith="self-check.")
    assert kept.count() == 7
    assert not any(entry.after or entry.before for entry in kept)
    assert client_of("pat").get("/benchmarks/").status_code == 404
