"""Accounts: found, judged, and told as one story."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from plait import desk
from plait.web.directory import fold

NOW = datetime(2026, 7, 2, tzinfo=UTC)
ClientOf = Callable[[str], Client]
pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def health(home: Path) -> list[dict[str, Any]]:
    """Give the answer of the measure, as the command line has it."""
    return list(desk.show(home, "account_health", now=NOW).records())


def rows(client: Client, query: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(client.get(f"/accounts/csv/?{query}").content.decode())))


def test_the_csv_holds_the_accounts_of_the_measure(client_of: ClientOf, health: list[dict[str, Any]]) -> None:
    told = rows(client_of("mara"), "")
    assert {(row["account"], row["health"], row["facts"]) for row in told} == {
        (row["account"], row["health"], str(row["facts"])) for row in health
    }


def test_the_page_and_the_csv_show_the_same_accounts(client_of: ClientOf) -> None:
    client = client_of("mara")
    page = client.get("/accounts/?stage=expand&health=good&sort=-facts").content.decode()
    shown = re.findall(r'<th scope="row"><a href="/accounts/(\w+)/', page)
    told = rows(client, "stage=expand&health=good&sort=-facts")
    assert shown
    assert shown == [row["account"] for row in told][:50]
    assert {row["stage"] for row in told} == {"expand"}
    counts = [int(row["facts"]) for row in told]
    assert counts == sorted(counts, reverse=True)


def test_search_needs_no_accents_and_no_capitals(client_of: ClientOf, health: list[dict[str, Any]]) -> None:
    client = client_of("mara")
    accented = next(
        row for row in health if row["name"] and row["name"] != fold(row["name"]) and not row["name"].isascii()
    )
    assert accented["account"] in [row["account"] for row in rows(client, f"q={fold(accented['name']).upper()}")]
    assert rows(client, "q=no+account+is+called+so") == []
    assert "No account is like that" in client.get("/accounts/?q=no+account+is+called+so").content.decode()


def test_what_is_not_known_stands_last_whichever_way(client_of: ClientOf) -> None:
    client = client_of("mara")
    for way in ("nps", "-nps"):
        known = [bool(row["nps"]) for row in rows(client, f"sort={way}")]
        assert known == sorted(known, reverse=True)
        assert any(known)


def test_an_earlier_day_knows_fewer_accounts(client_of: ClientOf) -> None:
    client = client_of("mara")
    assert 0 < len(rows(client, "as_of=2025-01-01")) < len(rows(client, ""))


def test_turning_pages_meets_every_account_once(client_of: ClientOf, health: list[dict[str, Any]]) -> None:
    client = client_of("mara")
    met = []
    for page in range(1, len(health) // 50 + 2):
        met += re.findall(
            r'<th scope="row"><a href="/accounts/(\w+)/', client.get(f"/accounts/?page={page}").content.decode()
        )
    assert sorted(met) == sorted(row["account"] for row in health)


@pytest.mark.parametrize("query", ["sort=password", "stage=heaven", "health=fine", "as_of=yesterday"])
def test_what_an_address_may_not_say_is_told_plainly(client_of: ClientOf, query: str) -> None:
    answer = client_of("mara").get(f"/accounts/?{query}")
    assert answer.status_code == 400


def test_a_story_holds_every_fact_of_the_account(client_of: ClientOf, home: Path, health: list[dict[str, Any]]) -> None:
    one = max(health, key=lambda row: row["facts"])["account"]
    client, told = client_of("mara"), desk.story(home, one, now=NOW)
    page = client.get(f"/accounts/{one}/").content.decode()
    assert page.count('class="fact-department"') == min(100, len(told.facts))
    departments = {"sales": 0, "service": 0}
    for name in departments:
        page = client.get(f"/accounts/{one}/?department={name}").content.decode()
        words = set(re.findall(r'class="fact-department">(\w+)<', page))
        assert words <= {name.capitalize()}


def test_a_story_can_be_told_as_of_any_day(client_of: ClientOf, health: list[dict[str, Any]]) -> None:
    one = max(health, key=lambda row: row["facts"])
    client = client_of("mara")
    whole, before = (client.get(f"/accounts/{one['account']}/{query}") for query in ("", f"?as_of={one['last_on']}"))
    assert before.context["facts"] < whole.context["facts"] == one["facts"]
    nothing_yet = client.get(f"/accounts/{one['account']}/?as_of={one['first_on']}")
    assert "Nothing had happened" in nothing_yet.content.decode()


def test_the_joins_say_why_keys_are_one_account(client_of: ClientOf, home: Path, health: list[dict[str, Any]]) -> None:
    one = max(health, key=lambda row: row["facts"])["account"]
    page = client_of("mara").get(f"/accounts/{one}/joins/").content.decode()
    assert page.count("<tr><td>") == len(desk.account_joins(home, one))


def test_outsiders_find_no_account_and_colleagues_are_told_why(
    client_of: ClientOf, health: list[dict[str, Any]]
) -> None:
    one = health[0]["account"]
    own = ("/accounts/", "/accounts/csv/", f"/accounts/{one}/", f"/accounts/{one}/joins/")
    for address in (*own, "/measures/account_health/", "/measures/account_health/csv/"):
        assert client_of("pat").get(address).status_code == 404
        assert client_of("otto").get(address).status_code == 404
        assert client_of("nobody").get(address).status_code == 302
        assert client_of("mia").get(address).status_code == 200
    assert client_of("mara").get("/accounts/a0000000000000000/").status_code == 404
