"""Who may open what: every address of the router for every person of the demo, as docs/rights.md says.

`make rights` writes that page anew from what the desk really answers; a change of it is read by a person before it is
committed. An address that has no example here fails the test.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from plait.web.people.personas import PERSONAS

from .addresses import Examples, rows

PAGE = Path(__file__).parents[2] / "docs" / "rights.md"
WHO = ("nobody", *PERSONAS)
ClientOf = Callable[[str], Client]
ABOUT = """\
# Who may open what

Written by `make rights` from what the desk answers to the people of the demo company; a test holds it. 200 is a page, \
302 leads on (somebody who is not logged in to the login), 400 is a form that was sent empty, 403 says which right is \
missing, 404 is what people outside the firm find, 405 takes only a form. `POST` rows send an empty form.

"""


def answered(client: Client, method: str, path: str) -> int:
    """Ask for an address and undo what that changed."""
    with transaction.atomic():
        response = client.generic(method, path) if method == "GET" else client.post(path, {})
        transaction.set_rollback(True)
    return response.status_code


def stated() -> dict[tuple[str, str], dict[str, int]]:
    """Read docs/rights.md."""
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("|")]
    _, _, *who = [cell.strip() for cell in lines[0].strip("|").split("|")]
    table = {}
    for line in lines[2:]:
        method, name, *statuses = [cell.strip() for cell in line.strip("|").split("|")]
        table[method, name.strip("`")] = dict(zip(who, map(int, statuses), strict=True))
    return table


@pytest.mark.skipif("PLAIT_WRITE_RIGHTS" not in os.environ, reason="`make rights` writes docs/rights.md")
def test_write_the_page(client_of: ClientOf, examples: Examples) -> None:
    found: dict[tuple[str, str], list[int]] = {row: [] for row in rows()}
    for who in WHO:
        client = client_of(who)
        for (method, name), codes in found.items():
            path = reverse(name, kwargs=examples.get(name))
            codes.append(answered(client_of(who) if method == "POST" else client, method, path))
    head = f"| | address | {' | '.join(WHO)} |\n|---|---|{'---|' * len(WHO)}\n"
    lines = (f"| {method} | `{name}` | {' | '.join(map(str, codes))} |\n" for (method, name), codes in found.items())
    PAGE.write_text(ABOUT + head + "".join(lines), "utf-8")


def test_every_address_is_in_the_table() -> None:
    assert set(rows()) == set(stated()), "run `make rights` and read what has changed"


@pytest.mark.parametrize("who", WHO)
def test_everybody_gets_what_the_table_says(who: str, client_of: ClientOf, examples: Examples) -> None:
    client, wrong = client_of(who), []
    for (method, name), codes in stated().items():
        path = reverse(name, kwargs=examples.get(name))
        code = answered(client_of(who) if method == "POST" else client, method, path)
        if code != codes[who]:
            wrong.append((method, name, f"answers {code}, the table says {codes[who]}"))
    assert wrong == []


def test_who_is_not_logged_in_sees_nothing() -> None:
    """Only the entrance is open: login, reset, an invitation, the language. Everything else leads there or refuses."""
    open_to_all = {row for row, codes in stated().items() if codes["nobody"] == 200}
    assert {name for _, name in open_to_all} <= {
        "account_login", "account_inactive", "account_reset_password", "account_reset_password_done",
        "account_reset_password_from_key", "account_reset_password_from_key_done",
    }  # fmt: skip


def test_people_outside_never_learn_why() -> None:
    """403 with a reason is for colleagues: whoever is outside finds nothing."""
    told = [
        row for row, codes in stated().items() if 403 in (codes["pat"], codes["otto"]) and not row[1].startswith("api")
    ]
    assert told == []


def test_a_reason_names_the_missing_right(client_of: ClientOf) -> None:
    response = client_of("mia").get("/people/")
    assert response.status_code == 403
    assert "people, roles and invitations" in response.content.decode()
