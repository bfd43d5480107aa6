"""Invitations: the only way in, once, in time, with exactly what was decided."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client, override_settings
from django.utils import timezone

from plait.web.people.models import AuditEntry, Invitation, User

from .test_login import inside, login

ClientOf = Callable[[str], Client]
NORA = {
    "email": "Nora@firm.example",
    "name": "Nora New",
    "department": "finance",
    "roles": ["member-finance", "analyst"],
}
CHOSEN = {"password1": "another-day-4711", "password2": "another-day-4711"}
CLOSED = "This invitation is no longer open"


def link() -> str:
    (found,) = re.findall(r"https?://testserver(/invitation/\S+)", str(mail.outbox[-1].body))
    return str(found)


def invited(client_of: ClientOf, **changes: object) -> str:
    """Invite Nora as Ida does; gives the link of the mail."""
    assert client_of("ida").post("/people/invite/", NORA | changes).status_code == 302
    return link()


def test_an_invited_person_comes_in_with_what_the_invitation_says(client_of: ClientOf) -> None:
    address = invited(client_of)
    assert mail.outbox[-1].to == ["nora@firm.example"]
    assert "Ida Novak invites you" in mail.outbox[-1].body
    client = Client()
    assert "Welcome, Nora New" in client.get(address).content.decode()
    assert client.post(address, CHOSEN)["Location"] == "/"
    assert inside(client)
    nora = User.objects.get(email="nora@firm.example")
    assert (nora.name, nora.department, nora.outside) == ("Nora New", "finance", False)
    assert sorted(role.name for role in nora.roles.all()) == ["analyst", "member-finance"]
    assert inside(login("nora@firm.example", "another-day-4711"))
    told = list(AuditEntry.objects.order_by("id").values_list("action", flat=True))[-4:]
    assert told == ["person.invited", "invitation.taken", "login", "login"]


def test_somebody_outside_is_invited_with_their_partner_codes(client_of: ClientOf) -> None:
    address = invited(client_of, department="", roles=["partner"], outside="on", partners="P-07")
    Client().post(address, CHOSEN)
    assert User.objects.get(email="nora@firm.example").scope().partners == ("P-07",)


def test_a_link_works_once(client_of: ClientOf) -> None:
    address = invited(client_of)
    Client().post(address, CHOSEN)
    again = Client().post(address, {"password1": "third-day-0815", "password2": "third-day-0815"})
    assert again.status_code == 404
    assert CLOSED in again.content.decode()
    assert not inside(login("nora@firm.example", "third-day-0815"))


@pytest.mark.parametrize("state", ["unknown", "expired", "withdrawn", "taken", "here by now"])
def test_whatever_is_wrong_with_a_link_reads_the_same(client_of: ClientOf, state: str) -> None:
    address = invited(client_of)
    changes = {
        "expired": {"invited_at": timezone.now() - timedelta(days=7, seconds=1)},
        "withdrawn": {"withdrawn_at": timezone.now()},
        "taken": {"taken_at": timezone.now()},
    }
    Invitation.objects.update(**changes.get(state, {"department": "finance"}))
    if state == "here by now":
        User.objects.create_user("nora@firm.example", "another-day-4711", name="Nora")
    client = Client()
    response = client.get("/invitation/no-such-secret/" if state == "unknown" else address)
    assert response.status_code == 404
    text = response.content.decode()
    assert CLOSED in text
    assert "Nora" not in text
    assert client.post(address if state != "unknown" else "/invitation/x/", CHOSEN).status_code == 404


def test_a_link_works_to_the_end_of_its_seventh_day(client_of: ClientOf) -> None:
    address = invited(client_of)
    Invitation.objects.update(invited_at=timezone.now() - timedelta(days=6, hours=23))
    assert Client().get(address).status_code == 200


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"password1": "12345", "password2": "12345"}, "This password is too short"),
        ({"password1": "nora@firm.example", "password2": "nora@firm.example"}, "too similar to the"),
        ({"password1": "another-day-4711", "password2": "another-day-4712"}, "This is not the same password"),
    ],
)
def test_a_password_that_will_not_do_is_refused(client_of: ClientOf, chosen: dict[str, str], said: str) -> None:
    address = invited(client_of)
    response = Client().post(address, chosen)
    assert response.status_code == 400
    assert said in response.content.decode()
    assert not User.objects.filter(email="nora@firm.example").exists()


def test_the_database_does_not_hold_the_secret(client_of: ClientOf) -> None:
    secret = invited(client_of).split("/")[2]
    held = str(list(Invitation.objects.values())) + str(list(AuditEntry.objects.values()))
    assert len(secret) >= 40
    assert secret not in held


def test_who_is_here_cannot_be_invited(client_of: ClientOf) -> None:
    response = client_of("ida").post("/people/invite/", NORA | {"email": "MARA@demo.example"})
    assert response.status_code == 400
    assert "Somebody with this address is here already" in response.content.decode()
    assert mail.outbox == []


def test_an_address_has_one_open_invitation(client_of: ClientOf) -> None:
    invited(client_of)
    response = client_of("ida").post("/people/invite/", NORA)
    assert "This address has an open invitation" in response.content.decode()
    assert Invitation.objects.count() == 1


def test_sending_again_replaces_the_link(client_of: ClientOf) -> None:
    first = invited(client_of)
    number = Invitation.objects.get().pk
    client_of("ida").post(f"/people/invitations/{number}/again/")
    assert Client().get(first).status_code == 404
    assert Client().get(link()).status_code == 200


def test_a_withdrawn_invitation_is_closed_and_gone_from_the_list(client_of: ClientOf) -> None:
    address, ida = invited(client_of), client_of("ida")
    number = Invitation.objects.get().pk
    assert "nora@firm.example" in ida.get("/people/invite/").content.decode()
    ida.post(f"/people/invitations/{number}/withdraw/")
    assert Client().get(address).status_code == 404
    assert "nora@firm.example" not in ida.get("/people/invite/").content.decode()
    assert ida.post(f"/people/invitations/{number}/again/").status_code == 404


def test_only_who_looks_after_people_sends_again_or_withdraws(client_of: ClientOf) -> None:
    invited(client_of)
    number = Invitation.objects.get().pk
    for name, status in (("mara", 403), ("pat", 404), ("nobody", 302)):
        for act in ("again", "withdraw"):
            assert client_of(name).post(f"/people/invitations/{number}/{act}/").status_code == status
    assert Invitation.objects.get().withdrawn_at is None


@override_settings(EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend", EMAIL_HOST="127.0.0.1", EMAIL_PORT=1)
def test_a_mail_that_cannot_be_sent_is_said_and_the_invitation_stays(client_of: ClientOf) -> None:
    page = client_of("ida").post("/people/invite/", NORA, follow=True).content.decode()
    assert "The mail server did not take the mail to nora@firm.example" in page
    assert Invitation.objects.count() == 1


def test_whoever_is_logged_in_leaves_when_an_invitation_is_taken(client_of: ClientOf) -> None:
    address, mara = invited(client_of), client_of("mara")
    mara.post(address, CHOSEN)
    assert "nora@firm.example" in mara.get("/me/").content.decode()
