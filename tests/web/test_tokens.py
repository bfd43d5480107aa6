"""A person's own tokens: shown once, used under their rights, ended by them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client

from plait.web.access import make_token
from plait.web.people.models import AuditEntry, Token, User

ClientOf = Callable[[str], Client]
Persona = Callable[[str], User]
SECRET = re.compile(r'data-copy="([\w-]{40,})"')


def made(client: Client, **said: object) -> str:
    """Make a token on the page and give the secret that it shows."""
    response = client.post("/me/tokens/", {"name": "Monday report", "scopes": ["numbers"], **said})
    found = SECRET.search(response.content.decode())
    assert found, response.content.decode()
    return found[1]


def test_a_secret_is_shown_once_and_works(client_of: ClientOf) -> None:
    client = client_of("mara")
    secret = made(client)
    assert secret not in client.get("/me/tokens/").content.decode()
    assert not Token.objects.filter(digest=secret).exists()
    assert Client(headers={"Authorization": f"Bearer {secret}"}).get("/api/kinds").status_code == 200
    assert "Monday report" in client.get("/me/tokens/").content.decode()


def test_making_and_ending_are_written_down_without_the_secret(client_of: ClientOf) -> None:
    client = client_of("mara")
    secret = made(client)
    client.post(f"/me/tokens/{Token.objects.get().pk}/revoke/")
    entries = AuditEntry.objects.filter(action__startswith="token.").order_by("id")
    told = [(entry.action, entry.subject, str(entry.actor)) for entry in entries]
    assert told == [("token.made", "Monday report", "Mara Vogel"), ("token.revoked", "Monday report", "Mara Vogel")]
    assert all(secret not in f"{entry.before} {entry.after}" for entry in entries)


def test_an_ended_token_is_refused_at_once(client_of: ClientOf) -> None:
    client = client_of("mara")
    secret = made(client)
    assert client.post(f"/me/tokens/{Token.objects.get().pk}/revoke/").status_code == 302
    assert Client(headers={"Authorization": f"Bearer {secret}"}).get("/api/kinds").status_code == 401
    assert "Monday report" not in client.get("/me/tokens/").content.decode()


def test_nobody_ends_a_token_of_somebody_else(client_of: ClientOf, persona: Persona) -> None:
    make_token(persona("sol"), "Sol's own", ["numbers"])
    number = Token.objects.get().pk
    assert client_of("mara").post(f"/me/tokens/{number}/revoke/").status_code == 404
    assert Token.objects.get().revoked_at is None
    assert "Sol&#x27;s own" not in client_of("mara").get("/me/tokens/").content.decode()


def test_an_address_that_is_only_opened_ends_nothing(client_of: ClientOf) -> None:
    client = client_of("mara")
    made(client)
    assert client.get(f"/me/tokens/{Token.objects.get().pk}/revoke/").status_code == 405


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"name": " "}, "A token needs a name"),
        ({"name": "x" * 81}, "A token needs a name"),
        ({"scopes": []}, "Choose what the token may read: numbers, customers, lifecycle."),
        ({"scopes": ["numbers", "data"]}, "Choose what the token may read"),
        ({"scopes": ["everything"]}, "Choose what the token may read"),
    ],
)
def test_a_token_that_cannot_be_is_refused(said: dict[str, object], why: str, client_of: ClientOf) -> None:
    """Mia sees numbers and customers, not sources: no token of hers can either."""
    response = client_of("mia").post("/me/tokens/", {"name": "mine", "scopes": ["numbers"], **said})
    assert (response.status_code, why in response.content.decode()) == (400, True)
    assert not Token.objects.exists()


def test_who_may_see_nothing_is_told_so(client_of: ClientOf) -> None:
    page = client_of("otto").get("/me/tokens/").content.decode()
    assert "You may see nothing that a token could read" in page
    assert client_of("otto").post("/me/tokens/", {"name": "mine", "scopes": ["numbers"]}).status_code == 400


def test_a_name_is_shown_as_text(client_of: ClientOf) -> None:
    client = client_of("mara")
    made(client, name="<script>alert(1)</script>")
    assert "<script>alert" not in client.get("/me/tokens/").content.decode()


def test_the_account_page_counts_the_tokens_that_work(client_of: ClientOf) -> None:
    client = client_of("mara")
    made(client)
    assert "1 token reads under your rights" in client.get("/me/").content.decode()
