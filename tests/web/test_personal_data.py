"""Personal data: on the page and in the desk's own database a person is found, given their data, and erased."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zipfile import ZipFile

import pytest
from django.apps import apps
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, models, transaction
from django.test import Client
from django.utils import timezone

from plait import desk, suppression
from plait.derived import Derived
from plait.erasure import plan
from plait.erasure.rules import NOTHING, rule_of_file
from plait.erasure.subject import find_subject
from plait.facts import Fact
from plait.handoff import state
from plait.web.append_only import lifted
from plait.web.erasing import acts as requests
from plait.web.erasing import rows, rules
from plait.web.erasing.acts import month_after
from plait.web.erasing.models import PersonRequest
from plait.web.handoffs import acts
from plait.web.handoffs.models import HandOff, Step
from plait.web.people.models import AuditEntry, User, broken_chain, record
from plait.web.work import jobs
from plait.web.work.models import Job

from .test_pages import Parts

ClientOf = Callable[[str], Client]
Persona = Callable[[str], User]
pytestmark = pytest.mark.django_db
JANE, NAME, USER = "jane.doe@acme.example", "Jane Doe", "user-70010"
AT = datetime(2026, 1, 5, tzinfo=UTC)
NOW = datetime(2026, 7, 1, tzinfo=UTC)
FOUND = "/data/personal/find/"
MAPPING = b"""
source = "shop"
timezone = "UTC"
[[file]]
pattern = "orders*.csv"
[[file.fact]]
kind = "order.placed"
id = "{id}"
occurred_at = "{day}"
object_id = "{id}"
amount = "{amount}"
currency = "EUR"
keys.email = "{mail}"
[[file.fact]]
kind = "form.submitted"
id = "form-{id}"
occurred_at = "{day}"
text = "{mail}"
keys.email = "{mail}"
"""
ORDERS = f"id,day,amount,mail\no1,2026-01-05,100.00,{JANE}\no2,2026-01-06,50.00,bob@acme.example\no3,never,1,{JANE}\n"


def fact(id_: str, kind: str, keys: dict[str, str], **more: Any) -> Fact:  # noqa: ANN401 - any field
    return Fact(source="crm", id=id_, kind=kind, occurred_at=AT, recorded_at=AT, keys=keys, **more)


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small firm in a home of its own, so that the demo company's stays as it is."""
    home = tmp_path / "home"
    monkeypatch.setattr(settings, "HOME", home)
    monkeypatch.setattr(settings, "STATE", home / "web")
    monkeypatch.setattr(requests, "READERS_END", 0.0)
    firm = {"domain": "acme.example"}
    desk.add(
        home,
        [
            fact("c1", "contact.created", {"email": JANE, "user_id": USER, **firm}, text=NAME),
            fact("c2", "contact.created", {"email": "bob@acme.example", **firm}, text="Bob Ray"),
            fact("v1", "page.viewed", {"user_id": USER}),
            fact(f"{JANE}/1", "deal.won", {"email": JANE}, object_id="d1", amount=Decimal("9.50"), currency="EUR"),
        ],
        name="crm",
        now=NOW,
    )
    return home


def fill_desk(home: Path, mara: User, sol: User) -> HandOff:
    """Let every table of the desk say something about Jane."""
    subject = find_subject(home, JANE)
    start = state.Start(
        type="lead", account=subject.accounts[0], key=f"crm/{JANE}/1", sent_by=mara.email, captured_at=AT,
        person=subject.ids[0], note=f"call {NAME}", context={"contact": NAME, "need": "a demo"},
    )  # fmt: skip
    row = acts.create(start, acts.Known("Acme", f"acme {JANE}", {"domain": "acme.example"}), actor=mara)
    acts.reject(row.pk, sol, reason="no_fit", note=f"{NAME} ({JANE.upper()}) is on leave")
    record(mara, "account.assigned", f"Acme, {JANE}", after={"note": f"{NAME} asked; mail {JANE}"})
    record(mara, "login", mara.email)
    report = {
        "refused": [{"file": "a.csv", "line": 2, "value": JANE, "rule": "x"}],
        "facts": [{"keys": JANE, "text": NAME}],
    }
    Job.objects.create(kind="load", title=f"{JANE}.csv", owner=mara, report=report, state="done")
    mail = EmailMessage()
    mail["Subject"] = "hand-off"
    mail.set_content(f"Bonjour, appelez à {NAME} <{JANE}>, s'il vous plaît.", cte="base64")
    (home / "web" / "mail").mkdir(parents=True)
    (home / "web" / "mail" / "1.log").write_bytes(bytes(mail))
    (home / "web" / "uploads" / "999").mkdir(parents=True)
    (home / "web" / "uploads" / "999" / "left.csv").write_text(ORDERS)
    (home / "web" / "drafts" / "token" / "files").mkdir(parents=True)
    (home / "web" / "drafts" / "token" / "files" / "mapped.csv").write_text(ORDERS)
    return row


def said_in_the_database() -> str:
    """Give all words of all tables."""
    told = []
    for model in apps.get_models():
        told += [f"{model.__name__} {row}" for row in model._default_manager.values_list()]
    return "\n".join(told)


def carried_out(user: User) -> Any:  # noqa: ANN401 - a report of a job
    """Do the work of the newest job in this thread: tests of the desk have one connection."""
    job = Job.objects.filter(kind="erase", owner=user).latest("id")
    told = jobs.KINDS["erase"](job, jobs.Watch({}))
    Job.objects.filter(pk=job.pk).update(state="done")
    return told


def test_a_person_is_found_given_their_data_and_erased(own_home: Path, client_of: ClientOf, persona: Persona) -> None:
    handoff, ida = fill_desk(own_home, persona("mara"), persona("sol")), client_of("ida")
    page = ida.post(FOUND, {"key": JANE}).content.decode()
    for title in ("Refused rows", "Hand-offs about them", "The audit log", "Reports of jobs", "Mails that wait"):
        assert (title in page) == (title != "Refused rows"), title
    assert (Parts(page).inline, Parts(page).unsigned) == ([], [])
    answer = ida.post("/data/personal/export/", {"key": JANE})
    assert answer["Cache-Control"] == "no-store"
    archive = ZipFile(io.BytesIO(answer.content))
    assert {"data.json", "read-me.html", "facts_of_a_person.csv", "people_auditentry.csv"} <= set(archive.namelist())
    everything = "".join(archive.read(name).decode() for name in archive.namelist())
    assert JANE in everything
    assert "bob@" not in everything
    form = {"key": JANE, "why": f"asked by {JANE}", "typed": "jane"}
    refused = ida.post("/data/personal/erase/", form)
    assert (refused.status_code, plan.unfinished(own_home)) == (400, [])
    assert "type the key again" in refused.content.decode()
    assert ida.post("/data/personal/erase/", form | {"typed": JANE}).status_code == 302
    assert suppression.read(own_home).holds("user_id", USER), "kept out at once, whenever the job comes"
    assert "under way" in ida.get("/data/personal/").content.decode()
    counts = carried_out(persona("ida"))["counts"]
    assert counts == {
        "facts_removed": 2, "facts_stripped": 1, "handoffs_of_the_person": 1, "handoffs_handoff": 1, "handoffs_step": 2,
        "handoffs_outbox": 2, "people_auditentry": 1, "work_job": 1, "mails": 1,
    }  # fmt: skip
    words = said_in_the_database().lower().splitlines()
    assert [line for line in words if any(value in line for value in (JANE, NAME.lower(), USER))] == []
    handoff.refresh_from_db()
    assert (handoff.person, handoff.context, handoff.sent_by) == ("", {}, "mara@demo.example")
    known = suppression.erased_id(suppression.secret_of(own_home), suppression.fact_value("crm", f"{JANE}/1"))
    assert handoff.start == f"crm/{known}", "so that the deal starts no other hand-off"
    assert not list((own_home / "web" / "mail").iterdir())
    assert not (own_home / "web" / "uploads" / "999").exists()
    assert not (own_home / "web" / "drafts" / "token").exists()
    assert plan.unfinished(own_home) == []
    done = ida.get("/data/personal/requests/").content.decode()
    assert "asked by [erased]" in done
    assert "Ida Novak" in done
    assert "every 2s" not in done
    check_chain()
    check_uploads(ida, own_home)
    check_coming_back(ida, own_home)


def check_chain() -> None:
    """The audit log tells that entries lost a person, still holds, and nobody else may change one."""
    assert broken_chain() is None
    (told,) = AuditEntry.objects.filter(action="person.erased")
    assert told.after is not None
    (number,) = told.after["entries"]
    entry = AuditEntry.objects.get(pk=int(number))
    assert entry.subject == "Acme, [erased]"
    for guarded in (AuditEntry, Step):
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            guarded.objects.update(**{"action" if guarded is AuditEntry else "act": "x"})
    with transaction.atomic():
        with lifted("people_auditentry"):
            AuditEntry.objects.filter(pk=entry.pk).update(subject="nobody")
        assert broken_chain() == entry
        transaction.set_rollback(True)


def check_uploads(ida: Client, home: Path) -> None:
    """The same export brought in the browser brings nothing back, and its report says nothing of her."""
    form = {"files": SimpleUploadedFile("orders.csv", ORDERS.encode()), "known": "", "load": "1",
            "mapping": SimpleUploadedFile("shop.toml", MAPPING)}  # fmt: skip
    answer = ida.post("/data/upload/", form)
    job = Job.objects.get(pk=int(answer["Location"].strip("/").split("/")[-1]))
    jobs.carry_out(job.pk)
    job.refresh_from_db()
    assert job.state == "done"
    (file,) = job.report["files"]
    assert (file["rows"], file["accepted"], file["refused"], file["added"]) == (3, 2, 1, 3)
    assert JANE not in json.dumps(job.report)
    assert find_subject(home, JANE).ids == ()


def check_coming_back(ida: Client, home: Path) -> None:
    page = ida.post(FOUND, {"key": JANE}).content.decode()
    assert "This person was erased" in page
    assert ida.post("/data/personal/allow/", {"key": JANE, "why": ""}).status_code == 400
    assert ida.post("/data/personal/allow/", {"key": JANE, "why": "signed up"}).status_code == 302
    assert not suppression.read(home)
    assert list(PersonRequest.objects.values_list("sort", "state")) == [
        ("allowed", "done"), ("erasure", "done"), ("access", "done"),
    ]  # fmt: skip
    assert JANE not in said_in_the_database()


def test_a_request_is_noted_and_due_within_a_month(own_home: Path, client_of: ClientOf, persona: Persona) -> None:
    ida, today = client_of("ida"), timezone.now().date()
    form = {"key": USER, "sort": "erasure", "received_on": str(today - timedelta(days=40))}
    assert ida.post("/data/personal/note/", form).status_code == 302
    (noted,) = PersonRequest.objects.all()
    assert noted.due_on == month_after(noted.received_on) < today
    assert ">late<" in ida.get("/data/personal/").content.decode()
    for wrong in (
        {"sort": "x"},
        {"received_on": "never"},
        {"received_on": str(today + timedelta(days=1))},
        {"key": "?"},
    ):
        assert ida.post("/data/personal/note/", form | wrong).status_code == 400, wrong
    ida.post("/data/personal/erase/", {"key": JANE, "typed": JANE, "why": "by letter"})
    assert [(one.pk, one.state) for one in PersonRequest.objects.all()] == [(noted.pk, "under way")]
    requests.finish(own_home, by=persona("ida"))
    assert [(one.pk, one.state) for one in PersonRequest.objects.all()] == [(noted.pk, "done")]
    assert (month_after(date(2026, 1, 31)), month_after(date(2026, 12, 5))) == (date(2026, 2, 28), date(2027, 1, 5))


def test_an_erasure_that_was_ended_is_gone_on_with_from_the_page(
    own_home: Path, client_of: ClientOf, persona: Persona, monkeypatch: pytest.MonkeyPatch
) -> None:
    ida = client_of("ida")
    ida.post("/data/personal/erase/", {"key": JANE, "typed": JANE, "why": "by letter"})

    def ends(*_told: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(rows, "erase", ends)
        with pytest.raises(KeyboardInterrupt):
            carried_out(persona("ida"))
    Job.objects.update(state="failed")
    page = ida.get("/data/personal/").content.decode()
    assert "ended before all of it was done" in page
    assert "under way" in page
    ida.post("/data/personal/resume/")
    assert carried_out(persona("ida"))["counts"]["facts_removed"] == 2
    assert PersonRequest.objects.get().state == "done"
    assert Derived.open(own_home).is_made()


def test_only_who_may_approve_data_sees_the_page_and_no_address_takes_a_key(
    own_home: Path, client_of: ClientOf
) -> None:
    assert own_home.exists()
    for name, status in (("mia", 403), ("otto", 404), ("nobody", 302)):
        client = client_of(name)
        assert client.get("/data/personal/").status_code == status
        assert client.post(FOUND, {"key": JANE}).status_code == status
    ida = client_of("ida")
    for act in ("find", "export", "erase", "allow", "note"):
        assert ida.get(f"/data/personal/{act}/?key={JANE}")["Location"] == "/data/personal/"
    page = ida.post(FOUND, {"key": "<script>nobody"})
    assert page.status_code == 400
    assert "&lt;script&gt;nobody" in page.content.decode()
    assert AuditEntry.objects.exclude(action="login").count() == 0, "looking writes nothing down"


def test_every_table_and_field_of_the_desk_has_a_rule() -> None:
    fields = [
        field for model in apps.get_models(include_auto_created=True) for field in model._meta.local_concrete_fields
    ]
    assert [str(field) for field in fields if rules.rule_of(field) is None] == []
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    assert set(connection.introspection.table_names()) <= tables | set(rules.OUTSIDE)
    new: Any = models.CharField(max_length=10)
    new.set_attributes_from_name("birthplace")
    new.model = HandOff
    assert rules.rule_of(new) is None, "a new field of words fails the test"
    new.model = SimpleNamespace(_meta=SimpleNamespace(label="people.Diary", auto_created=False))
    assert rules.rule_of(new) is None, "and a new table"
    names = {f"{label}.{name}" for label, some in rules.FIELDS.items() for group in some for name in group.split()}
    assert names <= set(map(str, fields)), "a rule for a field that is no longer there"
    assert all(rule.because for some in rules.FIELDS.values() for rule in some.values())


def test_every_file_of_the_demo_company_has_a_rule(home: Path) -> None:
    paths = [path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()]
    assert [path for path in paths if rule_of_file(path) is None] == []
    demo = rule_of_file("demo/exports/contacts.csv")
    assert demo is not None
    assert demo.does == NOTHING


SCRIPT = """
import sys
from pathlib import Path
home = Path(sys.argv[1])
from plait.web import boot
boot.configure(home, local=True)
boot.prepare()
from plait.web.people.models import AuditEntry, User, record, broken_chain
mara = User.objects.create_user("mara@demo.example", name="Mara")
for n in range(200):
    record(mara, "account.assigned", f"Acme {n}", after={"note": "mail JANE, soon" * (n % 5)})
from django.db import connection
connection.close()
from plait.cli import main
main(["--home", str(home), "person", "erase", "JANE", "--why", "asked by JANE", "--yes"], standalone_mode=False)
assert broken_chain() is None
assert AuditEntry.objects.filter(subject__startswith="Acme").count() == 200
"""


@pytest.mark.skipif("PLAIT_DATABASE_URL" in os.environ, reason="a file is SQLite's")
def test_the_database_file_holds_nothing_of_them_afterwards(own_home: Path) -> None:
    script = SCRIPT.replace("JANE", JANE)
    done = subprocess.run([sys.executable, "-c", script, str(own_home)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "2  Facts removed" in done.stdout
    held = [path.name for path in own_home.rglob("*") if path.is_file() and JANE.encode() in path.read_bytes().lower()]
    assert held == []
