"""People and roles: who may see and change them, and what is never allowed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from plait.web.people.accounts import BadAccount, add_user, set_password
from plait.web.people.care import Details
from plait.web.people.models import AuditEntry, Role, User
from plait.web.people.rights import may

from .conftest import PASSWORD
from .test_login import inside, login, with_factor

ClientOf = Callable[[str], Client]
PersonaOf = Callable[[str], User]
MIA = {"name": "Mia Weber", "department": "sales", "roles": ["member-sales"]}


def address(user: User) -> str:
    return f"/people/{user.pk}/"


def newest(action: str) -> AuditEntry:
    return AuditEntry.objects.filter(action=action).order_by("-id")[0]


@pytest.mark.parametrize(
    ("name", "status"), [("ida", 200), ("mara", 403), ("mia", 403), ("pat", 404), ("otto", 404), ("nobody", 302)]
)
@pytest.mark.parametrize("page", ["/people/", "/people/roles/", "/people/invite/", "/people/roles/new/"])
def test_only_who_looks_after_people_sees_them(client_of: ClientOf, name: str, status: int, page: str) -> None:
    assert client_of(name).get(page).status_code == status


def test_the_right_to_see_people_does_not_change_them(client_of: ClientOf, persona: PersonaOf) -> None:
    Role.objects.get(name="analyst").rights.create(area="people", level="see")
    persona("mara").roles.add(Role.objects.get(name="analyst"))
    mara, mia = client_of("mara"), persona("mia")
    page = mara.get(address(mia)).content.decode()
    assert "Mia Weber" in page
    assert "<button" not in page.partition('<div class="halves">')[2].partition("</main>")[0]
    assert mara.post(address(mia), MIA | {"name": "Other"}).status_code == 403
    assert mara.post(f"{address(mia)}deactivate/").status_code == 403
    assert mara.get("/people/roles/analyst/").status_code == 403
    assert mara.post("/people/invite/", {"email": "x@demo.example", "name": "X"}).status_code == 403


def test_the_list_shows_state_second_factor_and_when_somebody_was_seen(client_of: ClientOf) -> None:
    with_factor(login())
    page = client_of("ida").get("/people/").content.decode()
    rows = {
        name: row
        for row in re.findall(r'<tr class="person">.*?</tr>', page)
        for name in re.findall(r">([^<]+)</a>", row)
    }
    assert ">on</span>" in rows["Mara Vogel"]
    assert ">off</span>" in rows["Sol Kim"]
    assert ">never<" in rows["Sol Kim"]
    assert ">never<" not in rows["Mara Vogel"]
    assert ">outside</span>" in rows["Pat Brandt"]
    assert len(rows) == 12


def test_a_change_of_roles_counts_at_once_and_is_written_down(client_of: ClientOf, persona: PersonaOf) -> None:
    mia = persona("mia")
    there = client_of("mia")
    assert there.get("/boards/finance/").status_code == 403
    told = {"name": "Mia Weber", "department": "finance", "roles": ["member-finance", "member-sales"]}
    assert client_of("ida").post(address(mia), told).status_code == 302
    assert may(persona("mia"), "finance.see").allowed
    entry = newest("person.changed")
    assert (entry.actor, entry.subject) == (persona("ida"), "mia@demo.example")
    assert entry.before == {"department": "sales", "roles": ["member-sales"]}
    assert entry.after == {"department": "finance", "roles": ["member-finance", "member-sales"]}


def test_saving_without_a_change_writes_nothing_down(client_of: ClientOf, persona: PersonaOf) -> None:
    client_of("ida").post(address(persona("mia")), MIA)
    assert not AuditEntry.objects.filter(action="person.changed").exists()


def test_somebody_outside_sees_only_the_partners_named(client_of: ClientOf, persona: PersonaOf) -> None:
    told = {"name": "Pat Brandt", "roles": ["partner"], "outside": "on", "partners": "P-02, P-01"}
    client_of("ida").post(address(persona("pat")), told)
    assert persona("pat").scope().partners == ("P-01", "P-02")


def test_a_colleague_has_no_partner_codes(client_of: ClientOf, persona: PersonaOf) -> None:
    response = client_of("ida").post(address(persona("mia")), MIA | {"partners": "P-01"})
    assert response.status_code == 400
    assert "Colleagues see all partners" in response.content.decode()


def test_a_closed_account_is_out_at_once_and_can_come_back(client_of: ClientOf, persona: PersonaOf) -> None:
    there, ida = login(), client_of("ida")
    assert inside(there)
    ida.post(f"{address(persona('mara'))}deactivate/")
    assert not inside(there)
    assert not inside(login())
    ida.post(f"{address(persona('mara'))}reactivate/")
    assert inside(login())
    assert not inside(there)
    assert newest("person.deactivated").before == {"active": True}
    ida.post(f"{address(persona('mara'))}reactivate/")
    assert AuditEntry.objects.filter(action="person.reactivated").count() == 1


def test_nobody_closes_their_own_account(client_of: ClientOf, persona: PersonaOf) -> None:
    ida = client_of("ida")
    page = ida.post(f"{address(persona('ida'))}deactivate/", follow=True).content.decode()
    assert "You cannot deactivate yourself" in page
    assert persona("ida").is_active


def test_the_last_right_to_look_after_people_stays(client_of: ClientOf, persona: PersonaOf) -> None:
    ida = client_of("ida")
    said = "Nobody would be left who may look after people"
    told = {"name": "Ida Novak", "department": "it", "roles": ["head-it"]}
    assert said in ida.post(address(persona("ida")), told).content.decode()
    assert said in ida.post("/people/roles/administrator/", {"title": "Administrator"}).content.decode()
    assert may(persona("ida"), "people.approve").allowed
    persona("mara").roles.add(Role.objects.get(name="administrator"))
    assert ida.post(address(persona("ida")), told).status_code == 302
    assert not may(persona("ida"), "people.approve").allowed


def test_a_lost_second_factor_is_taken_away(client_of: ClientOf, persona: PersonaOf) -> None:
    there = login()
    with_factor(there)
    client_of("ida").post(f"{address(persona('mara'))}reset-factor/")
    assert not Authenticator.objects.filter(user=persona("mara")).exists()
    assert not inside(there)
    assert inside(login())
    assert newest("second_factor.reset").subject == "mara@demo.example"


def test_an_unknown_person_is_not_found(client_of: ClientOf) -> None:
    assert client_of("ida").get("/people/999999/").status_code == 404
    assert client_of("ida").get("/people/roles/no-such-role/").status_code == 404


def test_a_role_changes_what_its_people_may_do(client_of: ClientOf, persona: PersonaOf) -> None:
    levels = {"title": "Sales: member", "sales": "work", "numbers": "see"}
    assert client_of("ida").post("/people/roles/member-sales/", levels).status_code == 302
    assert may(persona("mia"), "sales.work").allowed
    assert not may(persona("mia"), "customers.see").allowed
    entry = newest("role.changed")
    assert entry.before == {"customers": "see", "lifecycle": "work", "sales": "see"}
    assert entry.after == {"customers": None, "lifecycle": None, "sales": "work"}


def test_a_new_role_is_made_once(client_of: ClientOf) -> None:
    ida = client_of("ida")
    told = {"name": "Board-Member", "title": "Board member", "company": "see"}
    assert ida.post("/people/roles/new/", told).status_code == 302
    assert str(Role.objects.get(name="board-member").rights.get()) == "company.see"
    assert "There is a role of this name already" in ida.post("/people/roles/new/", told).content.decode()


def test_a_level_that_does_not_exist_is_refused(client_of: ClientOf) -> None:
    response = client_of("ida").post("/people/roles/member-sales/", {"title": "Sales", "sales": "own"})
    assert response.status_code == 400


def test_names_are_shown_as_text(client_of: ClientOf, persona: PersonaOf) -> None:
    User.objects.filter(pk=persona("mia").pk).update(name="<script>alert(1)</script>")
    for page in ("/people/", address(persona("mia")), "/audit/"):
        assert "<script>alert" not in client_of("ida").get(page).content.decode()


def plait(home: Path, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command line as somebody at a terminal does: the desk's settings are of one home a process."""
    command = [sys.executable, "-m", "plait", "--home", str(home), *words]
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PLAIT_", "DJANGO_"))}
    return subprocess.run(command, input=typed, capture_output=True, text=True, env=own, timeout=60, check=False)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a home whose first person was made on the command line."""
    home = tmp_path_factory.mktemp("fresh") / "home"
    made = plait(home, "user", "add", "Ann@firm.example", "--name", "Ann", "--password-stdin", typed=f"{PASSWORD}\n")
    assert made.stdout.splitlines() == [
        "the first person of this home gets the roles administrator and chief", "ann@firm.example can log in",
    ]  # fmt: skip
    return home


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("email", "details", "said"),
    [
        (
            "Mara@demo.example",
            Details("Mara"),
            "mara@demo.example is here already; `plait user reset mara@demo.example`",
        ),
        ("bob@firm.example", Details("Bob", roles=("analist",)), "no role 'analist'; did you mean 'analyst'?"),
        ("bob@firm.example", Details("Bob", "saels"), "no department 'saels'; did you mean 'sales'?"),
        ("bob", Details("Bob"), "'bob' is no e-mail address"),
        ("bob@firm.example", Details("Bob", partners=("P-01",)), "--partner limits what somebody outside"),
        ("bob@firm.example", Details("Bob"), "the password will not do: This password is too short."),
    ],
)
def test_an_account_that_will_not_do_is_refused_with_the_reason(email: str, details: Details, said: str) -> None:
    with pytest.raises(BadAccount) as refused:
        add_user(email, details, "abc")
    assert str(refused.value).startswith(said)
    assert User.objects.count() == 12


def test_the_command_line_refuses_in_one_line(fresh: Path) -> None:
    refused = plait(fresh, "user", "add", "bob@firm.example", "--name", "Bob", "--role", "analist", "--password-stdin")
    assert refused.returncode == 1
    assert refused.stderr.startswith("Error: no role 'analist'; did you mean 'analyst'?")
    assert refused.stderr.count("\n") == 1


def test_the_command_line_sets_a_new_password_and_shows_none(fresh: Path) -> None:
    done = plait(fresh, "user", "reset", "ann@firm.example", "--password-stdin", typed="another-day-4711\n")
    assert done.stdout == "ann@firm.example has a new password; all sessions have ended\n"


def test_a_later_person_gets_only_the_roles_named(fresh: Path) -> None:
    words = ["--name", "Pat", "--role", "partner", "--outside", "--partner", "P-01", "--password-stdin"]
    made = plait(fresh, "user", "add", "pat@partner.example", *words, typed=f"{PASSWORD}\n")
    assert made.stdout == "pat@partner.example can log in\n"
    assert plait(fresh, "user", "list").stdout.splitlines() == [
        "ann@firm.example  Ann  -  administrator, chief  active", "pat@partner.example  Pat  -  partner  active",
    ]  # fmt: skip


def test_a_reset_ends_the_sessions_of_exactly_that_person(persona: PersonaOf) -> None:
    mara, sol = login(), login("sol@demo.example")
    set_password(persona("mara").email.upper(), "another-day-4711")
    assert (inside(mara), inside(sol)) == (False, True)
    assert inside(login(password="another-day-4711"))  # noqa: S106 - of somebody who exists in tests only
    assert newest("password.reset").actor is None


@pytest.mark.django_db
def test_an_address_that_nobody_has_names_the_nearest() -> None:
    with pytest.raises(BadAccount, match=r"did you mean 'mara@demo\.example'"):
        set_password("marra@demo.example", "another-day-4711")
