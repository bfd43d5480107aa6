"""The catalogue, the page of a measure, the drawer and the CSV."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.test import Client

ClientOf = Callable[[str], Client]


def test_the_drawer_says_where_a_number_comes_from(client_of: ClientOf) -> None:
    page = client_of("mara").get("/measures/win_rate/drawer/?by=quarter&column=win_rate").content.decode()
    assert "Share of deals that were won, by count and by amount." in page
    assert "select" in page.lower()
    assert "2026-Q2" in page


def test_a_wrong_option_says_what_is_allowed(client_of: ClientOf) -> None:
    response = client_of("mara").get("/measures/win_rate/?by=colour")
    assert response.status_code == 400
    assert "allowed: all, month, quarter" in response.content.decode()


def test_an_unknown_measure_is_not_found(client_of: ClientOf) -> None:
    assert client_of("mara").get("/measures/no_such_thing/").status_code == 404


def test_the_history_tells_what_a_row_was_before(client_of: ClientOf) -> None:
    """The second quarter of 2026 had not begun on the first of April: its row is empty then, and grows."""
    page = client_of("mara").get("/measures/win_rate/history/?by=quarter").content.decode()
    rows = [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in re.findall(r"<tr><td>.*?</tr>", page, re.DOTALL)]
    won = {row[0]: row[1] for row in rows}
    assert "2026-Q2" in page
    assert won["Apr 1, 2026"] == "–"
    assert int(won["May 1, 2026"]) <= int(won["Jun 1, 2026"]) <= int(won["Jul 1, 2026"]) == 10
