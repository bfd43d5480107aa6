"""The audit log: nobody can rewrite it, and it can be read, filtered and taken away."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client

from plait.web.pages.audit import differences
from plait.web.people.models import AuditEntry, User, broken_chain, record

ClientOf = Callable[[str], Client]
PersonaOf = Callable[[str], User]


@pytest.fixture
def told(persona: PersonaOf) -> None:
    """Write down three things that were done."""
    record(persona("ida"), "person.changed", "mia@demo.example", before={"roles": ["a"]}, after={"roles": ["a", "b"]})
    record(persona("mara"), "login", "mara@demo.example", after={"address": "127.0.0.1"})
    record(None, "login.failed", "=cmd()@demo.example")


@pytest.mark.usefixtures("told")
def test_the_database_refuses_to_change_or_delete_a_row() -> None:
    wrongs: list[Callable[[], object]] = [
        lambda: AuditEntry.objects.update(subject="somebody else"),
        AuditEntry.objects.all().delete,
        AuditEntry(pk=AuditEntry.objects.latest("id").pk).delete,
        lambda: connection.cursor().execute("update people_auditentry set action = 'nothing'"),
        lambda: connection.cursor().execute("delete from people_auditentry"),
    ]
    for wrong in wrongs:
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            wrong()
    assert AuditEntry.objects.count() == 3


@pytest.mark.usefixtures("told")
def test_the_chain_is_whole_until_a_row_is_changed_behind_our_back(client_of: ClientOf) -> None:
    ida = client_of("ida")
    assert broken_chain() is None
    assert "All 3 rows are as they were written" in ida.get("/audit/chain/").content.decode()
    second = AuditEntry.objects.order_by("id")[1]
    if connection.vendor == "sqlite":
        connection.cursor().execute("drop trigger audit_no_update")
    else:
        connection.cursor().execute("set constraints all immediate")
        connection.cursor().execute("alter table people_auditentry disable trigger user")
    AuditEntry.objects.filter(pk=second.pk).update(subject="somebody else")
    assert broken_chain() == second
    assert f"The chain is broken at row {second.pk}" in ida.get("/audit/chain/").content.decode()


@pytest.mark.parametrize(("name", "status"), [("ida", 200), ("mara", 403), ("pat", 404), ("nobody", 302)])
@pytest.mark.parametrize("address", ["/audit/", "/audit/csv/", "/audit/chain/"])
def test_the_log_is_for_those_with_the_right(client_of: ClientOf, name: str, status: int, address: str) -> None:
    assert client_of(name).get(address).status_code == status


def rows(client: Client, query: str) -> list[list[str]]:
    response = client.get(f"/audit/csv/?{query}")
    text = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
    return list(csv.reader(io.StringIO(text)))[1:]


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize(
    ("query", "actions"),
    [
        ("", ["login.failed", "login", "person.changed"]),
        ("who=nobody", ["login.failed"]),
        ("action=login", ["login"]),
        ("subject=MIA", ["person.changed"]),
        ("from=2000-01-01&to=2000-12-31", []),
        ("from=2000-01-01&action=login.failed", ["login.failed"]),
        ("who=999999", []),
        ("who=no-number", []),
    ],
)
def test_the_csv_holds_exactly_the_filtered_rows(client_of: ClientOf, query: str, actions: list[str]) -> None:
    ida = client_of("ida")
    assert [row[3] for row in rows(ida, query)] == actions
    page = ida.get(f"/audit/?{query}").content.decode()
    shown = len(actions)
    assert f"{shown} row" in page
    assert page.count('<td class="when">') == shown


@pytest.mark.usefixtures("told")
def test_the_filter_by_person_shows_what_that_person_did(client_of: ClientOf, persona: PersonaOf) -> None:
    assert [row[2] for row in rows(client_of("ida"), f"who={persona('mara').pk}")] == ["mara@demo.example"]


def test_a_day_holds_its_first_and_its_last_moment(client_of: ClientOf) -> None:
    for number, moment in enumerate(
        (
            datetime(2026, 5, 1, 23, 59, 59, tzinfo=UTC), datetime(2026, 5, 2, tzinfo=UTC),
            datetime(2026, 5, 2, 23, 59, 59, tzinfo=UTC), datetime(2026, 5, 3, tzinfo=UTC),
        )
    ):  # fmt: skip
        AuditEntry.objects.create(at=moment, action=f"step.{number}", subject="x", previous="", hash=str(number))
    assert [row[3] for row in rows(client_of("ida"), "from=2026-05-02&to=2026-05-02")] == ["step.2", "step.1"]


def test_a_day_that_is_none_says_what_to_write(client_of: ClientOf) -> None:
    response = client_of("ida").get("/audit/?from=yesterday")
    assert response.status_code == 400
    assert "write a day such as 2026-01-31" in response.content.decode()


@pytest.mark.usefixtures("told")
def test_a_spreadsheet_runs_nothing_of_the_csv(client_of: ClientOf) -> None:
    assert rows(client_of("ida"), "action=login.failed")[0][4] == "'=cmd()@demo.example"


@pytest.mark.usefixtures("told")
def test_the_page_says_before_and_after(client_of: ClientOf) -> None:
    page = client_of("ida").get("/audit/?action=person.changed").content.decode()
    assert "<del>a</del>" in page
    assert "<ins>a, b</ins>" in page
    assert "Ida Novak" in page


def test_fifty_rows_are_a_page(client_of: ClientOf) -> None:
    for number in range(60):
        record(None, "login.failed", f"guess-{number}@demo.example")
    ida = client_of("ida")
    first, second = (ida.get(f"/audit/?page={page}").content.decode() for page in (1, 2))
    assert (first.count('<td class="when">'), second.count('<td class="when">')) == (50, 10)
    assert "guess-59@" in first
    assert "guess-0@" in second
    assert ida.get("/audit/?page=nine").status_code == 200
    assert "guess-0@" in ida.get("/audit/?page=999").content.decode()


def test_differences_tell_what_came_went_and_changed() -> None:
    found = differences({"name": "Ann", "roles": ["a"]}, {"name": "Anne", "outside": True})
    assert [(one.name, one.before, one.after) for one in found] == [
        ("name", "Ann", "Anne"), ("roles", "a", "–"), ("outside", "–", "yes"),
    ]  # fmt: skip


@pytest.mark.django_db
def test_what_is_written_down_does_not_hold_passwords() -> None:
    client = Client()
    client.post("/account/login/", {"login": "mara@demo.example", "password": "my-secret-guess"})
    client.post("/account/login/", {"login": "mara@demo.example", "password": "plait-for-tests"})
    held = str(list(AuditEntry.objects.values()))
    assert "login.failed" in held
    assert "my-secret-guess" not in held
    assert "plait-for-tests" not in held
