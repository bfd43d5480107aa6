"""The way in: login, lock-out, passwords, second factor, sessions."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from allauth.mfa.totp.internal import auth as totp
from django.core import mail
from django.test import Client, TestCase
from django.urls import reverse
from django.utils import translation

from plait.web.people.models import AuditEntry, User

from .conftest import PASSWORD

ClientOf = Callable[[str], Client]
PersonaOf = Callable[[str], User]
MARA = "mara@demo.example"


def login(email: str = MARA, password: str = PASSWORD, client: Client | None = None) -> Client:
    """Log in as people do, by the form; gives the client whether or not it was let in."""
    client = client or Client()
    client.post("/account/login/", {"login": email, "password": password})
    return client


def inside(client: Client) -> bool:
    return client.get("/me/").status_code == 200


def code_of(secret: str) -> str:
    """Give the code that an app shows for a secret now."""
    return str(totp.format_hotp_value(totp.hotp_value(secret, list(totp.yield_hotp_counters_from_time())[1])))


def with_factor(client: Client) -> str:
    """Switch the second factor on as people do; gives its secret."""
    address = "/account/2fa/totp/activate/"
    client.post("/account/reauthenticate/", {"password": PASSWORD})
    page = client.get(address).content.decode()
    assert 'src="data:image/svg+xml;base64,' in page
    secret = client.session[totp.SECRET_SESSION_KEY]
    assert secret in page
    with TestCase.captureOnCommitCallbacks(execute=True):  # a test is one transaction, a request is not
        assert client.post(address, {"code": code_of(secret)}).status_code == 302
    return str(secret)


def said(action: str) -> list[tuple[str | None, str]]:
    entries = AuditEntry.objects.filter(action=action).order_by("id")
    return [(entry.actor.email if entry.actor else None, entry.subject) for entry in entries]


@pytest.mark.django_db
def test_without_a_login_every_page_leads_to_the_entrance() -> None:
    response = Client().get("/people/")
    assert response.status_code == 302
    assert response["Location"] == "/account/login/?next=/people/"


@pytest.mark.django_db
def test_the_entrance_offers_languages_and_no_sign_up() -> None:
    page = Client().get("/account/login/").content.decode()
    assert "한국어" in page
    assert "sign up" not in page.lower()
    assert "signup" not in page


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address", ["signup/", "email/", "confirm-email/", "confirm-email/abc/", "password/set/", "login/code/confirm/", ""]
)
@pytest.mark.parametrize("name", ["nobody", "mara"])
def test_what_the_login_library_offers_and_we_do_not_is_not_found(client_of: ClientOf, address: str, name: str) -> None:
    assert client_of(name).get(f"/account/{address}").status_code == 404
    assert client_of(name).post(f"/account/{address}").status_code == 404


@pytest.mark.django_db
def test_a_login_and_a_logout_are_written_down() -> None:
    client = login()
    assert inside(client)
    client.post("/account/logout/")
    assert not inside(client)
    assert said("login") == [(MARA, MARA)]
    assert said("logout") == [(MARA, MARA)]


@pytest.mark.django_db
def test_only_a_post_logs_out() -> None:
    client = login()
    client.get("/account/logout/")
    assert inside(client)


@pytest.mark.django_db
def test_a_login_leads_nowhere_but_to_the_desk() -> None:
    client = Client()
    told = {"login": MARA, "password": PASSWORD, "next": "https://elsewhere.example/"}
    assert client.post("/account/login/", told)["Location"] == "/"


@pytest.mark.django_db
def test_an_unknown_address_reads_like_a_wrong_password() -> None:
    pages = []
    for email in (MARA, "nobody@demo.example"):
        response = Client().post("/account/login/", {"login": email, "password": "not-the-password"})
        plain = re.sub(r'name="csrfmiddlewaretoken" value="\w+"|"X-CSRFToken": "\w+"', "", response.content.decode())
        pages.append((response.status_code, plain.replace(email, "")))
    assert pages[0] == pages[1]
    assert said("login.failed") == [(None, MARA), (None, "nobody@demo.example")]


@pytest.mark.django_db
def test_ten_failed_logins_lock_an_address_for_everybody_and_say_so() -> None:
    clients = [Client(), Client()]
    for number in range(10):
        page = clients[number % 2].post("/account/login/", {"login": MARA, "password": f"guess-{number}"})
        assert "locked" not in page.content.decode()
    page = Client().post("/account/login/", {"login": MARA.upper(), "password": PASSWORD})
    assert "This address is locked for 15 minutes" in page.content.decode()
    assert not inside(login())
    assert inside(login("sol@demo.example"))
    assert said("login.locked") == [(None, MARA)]


@pytest.mark.django_db
def test_nine_failed_logins_do_not_lock() -> None:
    for number in range(9):
        login(password=f"guess-{number}")
    assert inside(login())


@pytest.mark.django_db
def test_an_unknown_address_is_locked_alike() -> None:
    for number in range(10):
        login("nobody@demo.example", f"guess-{number}")
    page = Client().post("/account/login/", {"login": "nobody@demo.example", "password": "once-more"})
    assert "This address is locked for 15 minutes" in page.content.decode()


@pytest.mark.django_db
def test_a_password_change_ends_the_other_sessions_and_keeps_this_one() -> None:
    here, there = login(), login()
    told = {"oldpassword": PASSWORD, "password1": "another-day-4711", "password2": "another-day-4711"}
    response = here.post("/account/password/change/", told)
    assert response["Location"] == "/me/"
    assert inside(here)
    assert not inside(there)
    assert not inside(login())
    assert inside(login(password="another-day-4711"))  # noqa: S106 - of somebody who exists in tests only
    assert said("password.changed") == [(MARA, MARA)]


@pytest.mark.django_db
def test_a_weak_password_is_refused_with_the_reason() -> None:
    told = {"oldpassword": PASSWORD, "password1": "12345", "password2": "12345"}
    page = login().post("/account/password/change/", told).content.decode()
    assert "This password is too short" in page
    assert inside(login())


def reset_link() -> str:
    (link,) = re.findall(r"https?://testserver(/account/password/reset/key/\S+)", str(mail.outbox[-1].body))
    return str(link)


@pytest.mark.django_db
def test_a_forgotten_password_is_reset_by_mail_once() -> None:
    elsewhere, client = login(), Client()
    response = client.post("/account/password/reset/", {"email": MARA}, follow=True)
    assert "Look into your mail" in response.content.decode()
    assert mail.outbox[-1].to == [MARA]
    assert mail.outbox[-1].subject == "Reset your password for plait"
    link = reset_link()
    form = client.get(link)["Location"]
    assert "Choose a new password" in client.get(form).content.decode()
    told = {"password1": "another-day-4711", "password2": "another-day-4711"}
    assert "The password is set" in client.post(form, told, follow=True).content.decode()
    assert not inside(elsewhere)
    assert inside(login(password="another-day-4711"))  # noqa: S106 - of somebody who exists in tests only
    assert "This link no longer works" in Client().get(link, follow=True).content.decode()
    assert said("password.reset") == [(MARA, MARA)]


@pytest.mark.django_db
def test_a_reset_is_written_in_the_language_of_the_person() -> None:
    User.objects.filter(email=MARA).update(language="fr")
    Client(headers={"accept-language": "ko"}).post("/account/password/reset/", {"email": MARA})
    with translation.override("fr"):
        assert mail.outbox[-1].subject == translation.gettext("Reset your password for plait")
    assert mail.outbox[-1].subject != "Reset your password for plait"


@pytest.mark.django_db
def test_a_reset_reads_the_same_for_an_unknown_address() -> None:
    known = Client().post("/account/password/reset/", {"email": MARA})
    unknown = Client().post("/account/password/reset/", {"email": "nobody@demo.example"})
    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    assert "nobody has an account with this address" in mail.outbox[-1].body
    assert "/account/" not in mail.outbox[-1].body


@pytest.mark.django_db
def test_a_reset_opens_a_locked_address() -> None:
    for number in range(10):
        login(password=f"guess-{number}")
    client = Client()
    client.post("/account/password/reset/", {"email": MARA})
    told = {"password1": "another-day-4711", "password2": "another-day-4711"}
    client.post(client.get(reset_link())["Location"], told)
    assert inside(login(password="another-day-4711"))  # noqa: S106 - of somebody who exists in tests only


@pytest.mark.django_db
def test_the_second_factor_needs_the_password_once_more() -> None:
    response = login().get("/account/2fa/totp/activate/")
    assert response["Location"].startswith("/account/reauthenticate/")


@pytest.mark.django_db
def test_with_a_second_factor_the_password_alone_does_not_open_the_desk() -> None:
    secret = with_factor(login())
    client = login()
    assert not inside(client)
    page = client.post("/account/2fa/authenticate/", {"code": "000000"})
    assert "Incorrect code" in page.content.decode()
    assert not inside(client)
    client.post("/account/2fa/authenticate/", {"code": code_of(secret)})
    assert inside(client)
    assert said("second_factor.on") == [(MARA, MARA)]
    assert said("second_factor.failed") == [(None, MARA)]
    assert said("login") == [(MARA, MARA), (MARA, MARA)]


@pytest.mark.django_db
def test_a_recovery_code_opens_the_desk_once() -> None:
    here = login()
    with_factor(here)
    page = here.get("/account/2fa/recovery-codes/").content.decode()
    codes = re.findall(r"<li><code>(\w+)</code></li>", page)
    assert len(codes) == 10
    assert here.get("/account/2fa/recovery-codes/download/").content.decode().split() == codes
    first, second = login(), login()
    first.post("/account/2fa/authenticate/", {"code": codes[0]})
    second.post("/account/2fa/authenticate/", {"code": codes[0]})
    assert (inside(first), inside(second)) == (True, False)


@pytest.mark.django_db
def test_new_recovery_codes_replace_the_old() -> None:
    here = login()
    with_factor(here)
    old = re.findall(r"<li><code>(\w+)</code>", here.get("/account/2fa/recovery-codes/").content.decode())
    page = here.post("/account/2fa/recovery-codes/generate/", follow=True).content.decode()
    assert set(re.findall(r"<li><code>(\w+)</code>", page)).isdisjoint(old)
    client = login()
    client.post("/account/2fa/authenticate/", {"code": old[0]})
    assert not inside(client)


@pytest.mark.django_db
def test_the_second_factor_can_be_switched_off() -> None:
    here = login()
    with_factor(here)
    assert "Your password alone will open the desk" in here.get("/account/2fa/totp/deactivate/").content.decode()
    here.post("/account/2fa/totp/deactivate/")
    assert inside(login())
    assert said("second_factor.off") == [(MARA, MARA)]


@pytest.mark.django_db
def test_a_person_sees_their_sessions_and_ends_one() -> None:
    here, there, stranger = login(), login(), login("sol@demo.example")
    assert all(inside(client) for client in (here, there, stranger))
    numbers = re.findall(r"/me/sessions/(\d+)/end/", here.get("/account/sessions/").content.decode())
    assert len(numbers) == 1
    assert stranger.post(f"/me/sessions/{numbers[0]}/end/").status_code == 404
    assert inside(there)
    here.post(f"/me/sessions/{numbers[0]}/end/")
    assert (inside(here), inside(there)) == (True, False)
    assert said("session.ended") == [(MARA, MARA)]


@pytest.mark.django_db
def test_all_other_sessions_end_at_once() -> None:
    here, *others = login(), login(), login()
    here.post("/account/sessions/")
    assert [inside(client) for client in (here, *others)] == [True, False, False]


@pytest.mark.django_db
def test_a_closed_account_is_told_so_only_with_the_right_password() -> None:
    User.objects.filter(email=MARA).update(is_active=False)
    wrong = Client().post("/account/login/", {"login": MARA, "password": "not-the-password"}).content.decode()
    right = Client().post("/account/login/", {"login": MARA, "password": PASSWORD}, follow=True).content.decode()
    assert "This account is closed" not in wrong
    assert "This account is closed" in right


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name",
    [
        "me", "account_change_password", "mfa_index", "usersessions_list", "account_logout",
        "account_reset_password", "account_reset_password_done", "account_reset_password_from_key_done",
        "account_inactive", "account_reauthenticate",
    ],
)  # fmt: skip
def test_every_page_of_the_entrance_wears_our_look(client_of: ClientOf, name: str) -> None:
    page = client_of("mara").get(reverse(name))
    text = page.content.decode()
    assert page.status_code == 200
    assert "/static/plait/plait." in text
    assert text.count("<h1") == 1
    assert not re.search(r"<[^>]+\s(style|on\w+)=", text)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name",
    [
        "mfa_index", "mfa_reauthenticate", "mfa_view_recovery_codes", "mfa_generate_recovery_codes",
        "mfa_deactivate_totp", "account_reauthenticate",
    ],
)  # fmt: skip
def test_every_page_of_the_second_factor_wears_our_look(name: str) -> None:
    here = login()
    with_factor(here)
    text = here.get(reverse(name)).content.decode()
    assert "/static/plait/plait." in text
    assert text.count("<h1") == 1
    assert not re.search(r"<[^>]+\s(style|on\w+)=", text)


@pytest.mark.django_db
def test_the_second_factor_is_asked_for_in_our_look_and_can_be_left() -> None:
    with_factor(login())
    client = login()
    assert "Write the six digits" in client.get("/account/2fa/authenticate/").content.decode()
    client.post("/account/logout/", {"next": "/account/login/"})
    assert client.get("/account/2fa/authenticate/").status_code == 302


@pytest.mark.django_db
def test_who_tries_too_often_in_a_minute_is_told_to_wait() -> None:
    for number in range(30):
        login(f"guess-{number}@demo.example", "any")
    response = Client().post("/account/login/", {"login": MARA, "password": PASSWORD})
    assert response.status_code == 429
    assert "Wait a few minutes" in response.content.decode()


def test_people_choose_name_theme_and_shortcuts_themselves(client_of: ClientOf, persona: PersonaOf) -> None:
    response = client_of("mara").post("/me/", {"name": "Mara V.", "theme": "dark"})
    mara = persona("mara")
    assert response.status_code == 302
    assert (mara.name, mara.theme, mara.shortcuts) == ("Mara V.", "dark", False)
    entry = AuditEntry.objects.get(action="account.changed")
    assert (entry.before, entry.after) == (
        {"name": "Mara Vogel", "theme": "", "shortcuts": True},
        {"name": "Mara V.", "theme": "dark", "shortcuts": False},
    )
