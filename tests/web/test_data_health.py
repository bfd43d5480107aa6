"""Data health: freshness in words, loads, control totals, and every refused row with its rule and next step."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.test import Client

from plait import desk

ClientOf = Callable[[str], Client]
pytestmark = pytest.mark.django_db


def text(client: Client, address: str) -> str:
    return client.get(address).content.decode()


def test_every_source_says_how_fresh_it_is(client_of: ClientOf, home: Path) -> None:
    answer = client_of("ida").get("/data/")
    sources = {one.row["source"]: one for one in answer.context["sources"]}
    assert set(sources) == {one.source for one in desk.info(home).sources}
    for one in sources.values():
        expected = "fresh" if one.row["days_since"] <= 7 else "late" if one.row["days_since"] <= 35 else "silent"
        assert one.fresh == expected
    assert {one.fresh for one in sources.values()} == {"fresh", "late", "silent"}


def test_as_of_an_earlier_day_the_sources_held_less(client_of: ClientOf) -> None:
    client = client_of("ida")
    now, before = (client.get(f"/data/{query}").context["sources"] for query in ("", "?as_of=2025-01-01"))
    assert sum(one.row["facts"] for one in before) < sum(one.row["facts"] for one in now)


def test_the_loads_and_the_control_totals_of_the_command_line_are_shown(client_of: ClientOf, home: Path) -> None:
    answer = client_of("ida").get("/data/")
    loads, count = desk.loads(home, limit=1000)
    assert count == len(loads) == answer.context["count"]
    page = answer.content.decode()
    assert loads[0].file in page
    assert desk.controls(home), "the demo company states control totals"
    assert page.count(">agrees<") == sum(one.agrees for one in desk.controls(home))


def test_the_rows_of_a_rule_are_those_that_the_group_counts(client_of: ClientOf, home: Path) -> None:
    client = client_of("ida")
    groups = desk.refused_groups(home)
    assert len(groups) > 3
    for group in groups:
        query = urlencode({"source": group.source, "rule": group.rule})
        assert client.get(f"/data/refused/?{query}").context["found"].count == group.rows
        told = list(csv.DictReader(io.StringIO(text(client, f"/data/refused/csv/?{query}"))))
        assert len(told) == group.rows
        assert {(row["source"], row["rule"]) for row in told} == {(group.source, group.rule)}


def test_a_refused_row_shows_line_value_rule_next_step_and_the_whole_row(client_of: ClientOf, home: Path) -> None:
    one = next(row for row in desk.refused_rows(home, {}).rows if row.line and row.value and row.value.isalnum())
    page = text(client_of("ida"), f"/data/refused/?{urlencode({'source': one.source, 'file': one.file})}")
    from django.utils.html import escape

    for said in (one.file, f"line {one.line:,}", one.value, one.rule, one.next_step, one.row):
        assert escape(said) in page, said


def test_a_filter_that_fits_nothing_says_so(client_of: ClientOf) -> None:
    assert "No refused row is like that" in text(client_of("ida"), "/data/refused/?source=nowhere")


def test_an_empty_home_says_what_to_load_first(
    client_of: ClientOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from plait.web import reader

    client = client_of("ida")
    monkeypatch.setattr(settings, "HOME", tmp_path)
    reader.results.cache_clear()
    try:
        page = text(client, "/data/")
    finally:
        reader.results.cache_clear()
    assert "Begin with the export of the CRM" in page
    assert "Upload exports" in page


def test_only_who_may_see_data_sees_it_and_who_may_work_on_it_can_upload(client_of: ClientOf) -> None:
    for address in ("/data/", "/data/refused/", "/data/refused/csv/"):
        found = {name: client_of(name).get(address).status_code for name in ("ida", "cleo", "mia", "pat", "otto")}
        assert found == {"ida": 200, "cleo": 200, "mia": 403, "pat": 404, "otto": 404}
    assert "Upload exports" not in text(client_of("cleo"), "/data/")
