"""Hand-offs in the desk: made, answered once, timed, handed on, published as facts, never lost."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from django.core import mail
from django.db import DatabaseError, connection, transaction
from django.test import Client

from plait import desk
from plait.cli import main
from plait.handoff import state
from plait.handoff.policy import read_policy
from plait.web import directory
from plait.web.access import make_token
from plait.web.handoffs import accounts, acts, changing, clock, digests, outbox, policies, starting, timers
from plait.web.handoffs.models import Absence, Digest, HandOff, Looked, Outbox, Step
from plait.web.people.models import AuditEntry, User
from plait.web.reader import results
from plait.web.results import Ask

ClientOf = Callable[[str], Client]
Persona = Callable[[str], User]
Made = Callable[..., HandOff]
At = Callable[[datetime], None]
NOW = datetime(2026, 6, 30, 8, 0, tzinfo=UTC)  # a Tuesday, 10:00 in Berlin: the demo looks from 2026-07-01


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, home: Path, db: None) -> At:  # noqa: ARG001
    """Set the clock of acts."""

    def set_to(instant: datetime) -> None:
        monkeypatch.setattr(clock, "present", lambda: instant)

    set_to(NOW)
    return set_to


@pytest.fixture
def made(at: At, persona: Persona) -> Made:  # noqa: ARG001
    """Give a maker of hand-offs from marketing to sales, each of another account."""
    table = results().table(Ask.of("account_health", {}, scope=persona("cleo").scope()))
    known = iter([one for one in directory.accounts_of(table) if one.domain])

    def make(**told: Any) -> HandOff:  # noqa: ANN401 - the fields of a start
        one = next(known)
        start: dict[str, Any] = {
            "type": "lead", "account": one.id, "key": f"test/{one.id}", "sent_by": "mara@demo.example",
            "captured_at": clock.present(), "context": {"contact": "Ann"},
        }  # fmt: skip
        return acts.create(state.Start(**(start | told)), accounts.known(one.id, [], one.name), actor=persona("mara"))

    return make


def balanced() -> bool:
    """Tell whether every hand-off that was created is in one state, and its steps say so."""
    created = set(Step.objects.filter(act="created").values_list("handoff", flat=True))
    ended = {"accepted": 0, "rejected": 0, "expired": 0}
    for one in HandOff.objects.all():
        ends = one.steps.filter(act__in=ended)
        assert [step.act for step in ends] == ([one.state] if one.state != "open" else [])
    return created == set(HandOff.objects.values_list("pk", flat=True))


def test_a_hand_off_goes_to_somebody_and_is_answered_once(made: Made, persona: Persona) -> None:
    """Sol is served longest ago of sales, Mia next. Whoever answers second is told who was first."""
    row = made()
    other = made()
    assert {row.assignee, other.assignee} == {"sol@demo.example", "mia@demo.example"}
    assert row.due_at is not None
    assert row.due_at.replace(microsecond=0) == NOW + timedelta(hours=5)  # 240 working minutes, lunch between
    acts.accept(row.pk, persona("mia"))
    with pytest.raises(acts.AlreadyAnswered, match="Mia Weber was first: this hand-off is accepted already"):
        acts.reject(row.pk, persona("sol"), reason="no_fit")
    assert [step.act for step in row.steps.all()] == ["created", "assigned", "accepted"]
    assert balanced()


def test_time_that_runs_out_is_told_and_goes_to_the_head(made: Made, at: At, persona: Persona) -> None:
    """240 working minutes from 10:00: at 12:00 half is over, at 15:01 all. Who leads the department gets the next."""
    Absence.objects.create(person=persona("sol"), first=NOW.date(), last=NOW.date())
    row = made()
    assert row.assignee == "mia@demo.example"
    with pytest.raises(state.NotAllowedNow, match=r"only mia.* can note a touch"):
        acts.touch(row.pk, persona("sol"))
    at(NOW + timedelta(hours=2, seconds=1))
    assert timers.run_clocks() == 1
    assert [(m.to, "50 %" in m.subject) for m in mail.outbox] == [(["sol@demo.example"], True)]

    at(NOW + timedelta(hours=5, minutes=1))
    with pytest.raises(state.TimeIsOver):
        acts.accept(row.pk, persona("mia"))
    row.refresh_from_db()
    assert row.state == "expired"
    successor = HandOff.objects.get(previous=row.pk)
    assert (successor.assignee, successor.fallback_used, successor.state) == ("sol@demo.example", True, "open")
    acts.accept(successor.pk, persona("sol"))
    assert balanced()


def test_what_waits_with_somebody_who_leaves_or_is_away_goes_on(made: Made) -> None:
    rows = [made() for _ in range(4)]
    assert {row.assignee for row in rows} == {"sol@demo.example", "mia@demo.example"}
    User.objects.filter(email="mia@demo.example").update(is_active=False)
    with_mia = sum(row.assignee == "mia@demo.example" for row in rows)
    assert timers.hand_on() == with_mia
    assert set(HandOff.objects.values_list("assignee", flat=True)) == {"sol@demo.example"}
    assert timers.hand_on() == 0


def test_a_wrong_person_is_rerouted_to_somebody_else(made: Made, persona: Persona) -> None:
    row = made()
    refused_by = persona(row.assignee.partition("@")[0])
    done = acts.reject(row.pk, refused_by, reason="wrong_person", note="not mine")
    assert done.successor is not None
    assert done.successor.assignee not in ("", row.assignee)
    kinds = [one.told["kind"] for one in Outbox.objects.filter(told__object_id=row.pk)]
    assert kinds == ["handoff.created", "handoff.assigned", "handoff.rejected"]
    assert "lead.recycled" not in Outbox.objects.values_list("told__kind", flat=True)  # rerouted: it stays a lead


def test_a_refused_lead_is_recycled_for_its_stage(made: Made, persona: Persona) -> None:
    row = made(value=Decimal(1200), currency="EUR")
    acts.reject(row.pk, persona("mia"), reason="no_timing")
    row.refresh_from_db()
    assert row.answered_at is not None
    assert (row.reason, row.recycle_to, row.wake_at) == ("no_timing", "nurture", row.answered_at + timedelta(days=60))
    told = {one.told["kind"]: outbox.fact_of(one.told) for one in Outbox.objects.all()}
    assert told["lead.recycled"].text == "no_timing"
    assert told["handoff.created"].amount == Decimal(1200)
    assert told["handoff.rejected"].keys == row.keys
    entry = AuditEntry.objects.filter(action="handoff.rejected").latest("id")
    assert (entry.actor, entry.before) == (persona("mia"), {"state": "open"})


def test_steps_cannot_be_rewritten(made: Made) -> None:
    step = made().steps.get(act="created")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Step.objects.filter(pk=step.pk).update(by="somebody else")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("delete from handoffs_step")


@pytest.fixture
def own_policy(home: Path) -> Iterator[Path]:
    """Give the home's folder of policies, and take it away afterwards."""
    yield home / "handoffs"
    shutil.rmtree(home / "handoffs", ignore_errors=True)
    policies._version.cache_clear()
    policies._newest.cache_clear()


def test_facts_start_hand_offs_once_each_from_a_day_on(own_policy: Path, at: At) -> None:
    """Of the demo's qualified leads of the last ten days those are handed over that sales has not answered."""
    at(NOW)
    assert starting.look() == 0  # nobody has switched it on
    text = changing.started_by_facts(read_policy(own_policy.parent).text, NOW - timedelta(days=10))
    changing.adopt(text, by="sol@demo.example", why="try it")
    made = starting.look()
    rows = HandOff.objects.filter(type="lead")
    assert 0 < made == HandOff.objects.count()
    assert {row.sent_by for row in rows} == {"plait"}
    assert all(row.captured_at >= NOW - timedelta(days=10) and row.context["why_now"] for row in rows)
    Looked.objects.all().delete()
    assert starting.look() == 0  # every fact is known
    assert AuditEntry.objects.filter(action="lifecycle.changed", subject="hand-offs, version 1").count() == 1

    Outbox.objects.filter(told__kind="lifecycle.changed").delete()  # as if the process had ended before
    assert changing.catch_up() == 1
    assert changing.catch_up() == 0


def test_what_the_crm_answers_is_answered_here_without_telling_the_stage_twice(
    own_policy: Path, at: At, made: Made, home: Path
) -> None:
    """A lead waits here; its seller accepts it in the CRM: the hand-off is accepted by them, then."""
    facts = desk.open_home(home, now=NOW).facts().of("lead.sal").order_by("occurred_at").to_pyarrow().to_pylist()
    fact = next(one for one in reversed(facts) if one["account"] and one["owner"])
    taken_at = fact["occurred_at"].replace(tzinfo=UTC)
    at(taken_at - timedelta(hours=1))
    row = made(account=fact["account"])
    at(NOW)
    text = changing.started_by_facts(read_policy(own_policy.parent).text, NOW)
    changing.adopt(text, by="sol@demo.example", why="try it")
    starting.look()
    row.refresh_from_db()
    assert (row.state, row.answered_by) == ("accepted", fact["owner"])
    assert row.answered_at == taken_at
    assert "lead.sal" not in Outbox.objects.values_list("told__kind", flat=True)


def test_one_team_goes_on_and_what_was_open_stays(own_policy: Path, made: Made, persona: Persona) -> None:
    assert own_policy.name == "handoffs"
    before = made()
    changing.work_as(("sales", "marketing"), "one_team", by="sol@demo.example", why="one quarter together")
    after = made(owner="mia@demo.example")
    assert (after.state, after.answered_by, after.assignee) == ("accepted", "one team", "mia@demo.example")
    before.refresh_from_db()
    assert before.state == "open"
    acts.accept(before.pk, persona("mia"))
    assert balanced()


def test_the_morning_mail_comes_once_and_can_be_switched_off(made: Made, at: At, client_of: ClientOf) -> None:
    for _ in range(3):
        made()
    at(NOW.replace(hour=4))  # 6 in the morning: nobody works
    assert digests.send() == 0
    at(NOW)
    assert digests.send() == 2
    assert digests.send() == 0
    told = next(one for one in mail.outbox if one.to == ["mia@demo.example"])
    assert "waits for you" in told.subject or "wait for you" in told.subject
    assert "/inbox/" in told.body
    assert isinstance(told, mail.EmailMultiAlternatives)
    assert told.alternatives[0][1] == "text/html"
    assert client_of("mia").post("/me/digest/", {"digest": "no"}).status_code == 302
    Digest.objects.update(sent_on=None)
    mail.outbox.clear()
    assert digests.send() == 1
    assert [one.to for one in mail.outbox] == [["sol@demo.example"]]


def test_a_program_answers_once_with_a_key(made: Made, persona: Persona, client_of: ClientOf) -> None:
    def program(name: str, *scopes: str) -> Client:
        return Client(headers={"Authorization": f"Bearer {make_token(persona(name), 'test', scopes)}"})

    row, other = sorted((made(), made()), key=lambda one: one.pk)  # due at one instant: by id
    mia = program("mia", "lifecycle")
    listed = mia.get("/api/handoffs?receiver=sales&limit=1").json()
    assert [one["id"] for one in listed["handoffs"]] == [row.pk]
    following = mia.get("/api/handoffs", {"limit": 1, "after": listed["next"]}).json()
    assert [one["id"] for one in following["handoffs"]] == [other.pk]
    assert following["next"] is None

    path, body = f"/api/handoffs/{row.pk}/reject", {"reason": "no_budget", "note": "next year"}
    answers = [
        mia.post(path, body, content_type="application/json", headers={"Idempotency-Key": "one"}) for _ in range(2)
    ]
    assert [one.status_code for one in answers] == [200, 200]
    assert answers[0].content == answers[1].content
    assert answers[0].json()["state"] == "rejected"
    again = mia.post(path, {"reason": "no_fit"}, content_type="application/json", headers={"Idempotency-Key": "one"})
    assert (again.status_code, "another question" in again.content.decode()) == (409, True)
    assert mia.post(path, body, content_type="application/json").status_code == 409
    assert program("fin", "lifecycle").generic("POST", f"/api/handoffs/{other.pk}/accept").status_code == 403
    assert program("mia", "numbers").get("/api/handoffs").status_code == 403
    assert (
        client_of("mia").generic("POST", f"/api/handoffs/{other.pk}/accept").status_code == 401
    )  # a login is not enough
    assert mia.generic("POST", f"/api/handoffs/{other.pk}/accept").json()["state"] == "accepted"


def test_the_command_line_lists_and_answers(made: Made, home: Path, tmp_path: Path) -> None:
    row = made()
    listed = json.loads(CliRunner().invoke(main, ["--home", str(home), "handoff", "list", "--json"]).output)
    assert [one["id"] for one in listed] == [row.pk]
    refused = CliRunner().invoke(main, ["--home", str(home), "handoff", "accept", row.pk, "--by", "fin@demo.example"])
    assert (refused.exit_code, "Only Sales may answer" in refused.output) == (1, True)
    bad = tmp_path / "bad.toml"
    bad.write_text('[types.lead]\nsender = "sales"\nreceiver = "sales"\n')
    checked = CliRunner().invoke(main, ["--home", str(home), "handoff", "policy", "check", str(bad)])
    assert checked.exit_code == 1
    assert "types.lead" in checked.output
