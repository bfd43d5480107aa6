"""The list of what fell through: filters, its CSV, and the acts that bring accounts back into somebody's hands."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from pathlib import Path

from django.test import Client

from plait import desk
from plait.web.handoffs import clock, outbox
from plait.web.handoffs.models import Outbox
from plait.web.people.models import AuditEntry, User

ClientOf = Callable[[str], Client]


def rows(client: Client, query: str = "") -> list[dict[str, str]]:
    """Give the list as its CSV has it."""
    return list(csv.DictReader(io.StringIO(client.get(f"/cracks/csv/{query}").content.decode())))


def test_the_list_is_filtered_and_says_what_is_at_stake(client_of: ClientOf) -> None:
    mara = client_of("mara")
    every = rows(mara)
    page = unescape(mara.get("/cracks/").content.decode())
    assert f"{len(every)} cracks at {len({row['account'] for row in every})} accounts" in page
    stalled = rows(mara, "?crack=stalled&stage=nurture")
    assert stalled
    assert {(row["crack"], row["stage"]) for row in stalled} == {("stalled", "nurture")}
    assert rows(mara, "?owner=-") == [row for row in every if not row["owner"]] != []
    assert rows(mara, "?least=9000") == [row for row in every if row["value"] and float(row["value"]) >= 9000] != []
    worth = [float(row["value"] or -1) for row in every]
    assert worth == sorted(worth, reverse=True)
    assert "crack cannot be 'gap'; allowed: no_owner, no_next_step" in unescape(
        mara.get("/cracks/?crack=gap").content.decode()
    )
    assert "least cannot be 'much'" in unescape(mara.get("/cracks/?least=much").content.decode())
    cleo = client_of("cleo")  # sees, and does not work on it
    assert "formaction" not in cleo.get("/cracks/").content.decode()
    assert cleo.post("/cracks/assign/", {"account": every[0]["account"], "to": "mia@demo.example"}).status_code == 403
    assert client_of("pat").get("/cracks/").status_code == 404


def test_an_account_that_is_assigned_and_planned_is_no_crack_any_more(
    client_of: ClientOf, home: Path, tmp_path: Path
) -> None:
    """Two at once; each is written to the audit log; published they are facts, and the cracks are closed."""
    mia = client_of("mia")
    nobodys = [row["account"] for row in rows(mia, "?crack=no_owner")][:2]
    idle = [row["account"] for row in rows(mia, "?crack=no_next_step")][:1]
    assert "Choose an account first" in refused(mia, "assign", [], to="mia@demo.example")
    assert "Choose who is in charge" in refused(mia, "assign", nobodys, to="otto@elsewhere.example")
    assert "Say what the next step is" in refused(mia, "plan", idle, due=clock.today().isoformat())
    assert "from today to a year ahead" in refused(mia, "plan", idle, step="call", due="2020-01-01")
    assert "not known any more" in refused(mia, "assign", ["a0"], to="mia@demo.example")
    assert not Outbox.objects.exists()

    told = {"account": nobodys, "to": "mia@demo.example", "note": "from the list", "query": "crack=no_owner"}
    answered = mia.post("/cracks/assign/", told, follow=True)
    assert answered.redirect_chain == [("/cracks/?crack=no_owner", 302)]
    assert "Mia Weber is in charge of 2 accounts." in answered.content.decode()
    due = (clock.today() + timedelta(days=3)).isoformat()
    mia.post("/cracks/plan/", {"account": idle, "step": "call  about the offer", "due": due})
    acts = AuditEntry.objects.filter(
        action__in=("account.assigned", "step.planned"), actor=User.objects.get(name="Mia Weber")
    )
    assert acts.count() == 3

    facts = [outbox.fact_of(one.told) for one in Outbox.objects.all()]
    assert {(fact.kind, fact.owner, fact.text) for fact in facts} == {
        ("owner.assigned", "mia@demo.example", None), ("step.planned", "mia@demo.example", "call about the offer"),
    }  # fmt: skip
    copied = shutil.copytree(home, tmp_path / "home", ignore=shutil.ignore_patterns("web", "demo"))
    assert outbox.publish(copied, now=clock.now()) == 3
    left = {(row["account"], row["crack"]) for row in desk.show(copied, "cracks", now=clock.now()).records()}
    closed = {(account, "no_owner") for account in nobodys} | {(account, "no_next_step") for account in idle}
    assert left == {(row["account"], row["crack"]) for row in rows(mia)} - closed


def refused(client: Client, act: str, accounts: list[str], **given: str) -> str:
    """Give what the page says to an act that will not do."""
    return unescape(client.post(f"/cracks/{act}/", {"account": accounts, **given}, follow=True).content.decode())
