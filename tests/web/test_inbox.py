"""The inbox and the pages of hand-offs: what people see there, and what they can do."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from plait.handoff import state
from plait.web.handoffs import accounts, acts, clock, waiting
from plait.web.handoffs.models import HandOff
from plait.web.people.models import User
from plait.web.reader import results
from plait.web.results import Ask

ClientOf = Callable[[str], Client]
Persona = Callable[[str], User]


def hand_over(sender: User, number: int, *, to: str = "lead") -> HandOff:
    start = state.Start(
        type=to, account=f"a{number}", key=f"k{number}", sent_by=sender.email, captured_at=clock.present()
    )
    return acts.create(start, accounts.known(f"a{number}", [], f"Firm {number:03}"), actor=sender)


def text(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return str(response.content.decode())


def test_pages_of_the_inbox_leave_nothing_out(
    persona: Persona, client_of: ClientOf, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty-three hand-offs, ten a page, three answered while somebody turns the pages: all others are shown once."""
    assert home.exists()
    monkeypatch.setattr(waiting, "PAGE", 10)
    monkeypatch.setattr(waiting.page, "__defaults__", (10,))
    rows = [hand_over(persona("mara"), number) for number in range(23)]
    sol, seen, path = client_of("sol"), [], "/inbox/?view=department"
    for turn in range(3):
        page = text(sol, path)
        seen += re.findall(r'data-key="o">(Firm \d+)<', page)
        (following,) = re.findall(r'href="(\?[^"]*)" rel="next"', page) or [""]
        path = f"/inbox/{following.replace('&amp;', '&')}"
        if turn == 0:
            for name in seen[:3]:
                acts.accept(HandOff.objects.get(account_name=name).pk, persona("sol"))
    assert following == ""
    assert sorted(seen) == [row.account_name for row in rows]
    assert waiting.waiting_for(persona("sol")) + waiting.waiting_for(persona("mia")) == 20
    assert f'<span class="rail-count">{waiting.waiting_for(persona("sol"))}</span>' in page


def test_lists_are_filtered(persona: Persona, client_of: ClientOf) -> None:
    first, second = hand_over(persona("mara"), 1), hand_over(persona("sven"), 2, to="expansion")
    acts.reject(first.pk, persona("sol"), reason="no_fit")
    sol = client_of("sol")
    assert "Firm 002" in text(sol, "/inbox/?view=department&q=firm+2")
    assert "Firm 002" not in text(sol, "/inbox/?view=department&type=lead")
    refused = text(client_of("mara"), "/inbox/?view=sent&state=rejected")
    assert "Firm 001" in refused
    assert "Does not fit what we sell" in refused
    assert sol.get("/inbox/?view=nobody").status_code == 400
    assert sol.get("/inbox/?after=yesterday").status_code == 400
    assert "Firm 002" not in text(sol, "/inbox/?view=department&overdue=yes")
    HandOff.objects.filter(pk=second.pk).update(due_at=second.created_at, order_at=second.created_at)
    assert "late</span>" in text(sol, "/inbox/?view=department&overdue=yes")


def test_answers_by_form_go_back_to_the_list(persona: Persona, client_of: ClientOf) -> None:
    row = hand_over(persona("mara"), 1)
    back = {"next": "/inbox/?view=department"}
    refused = client_of("mia").post(f"/handoffs/{row.pk}/reject/", back, follow=True)
    assert "a hand-off is refused with a reason" in refused.content.decode()
    assert client_of("fin").post(f"/handoffs/{row.pk}/accept/", back).status_code == 403
    done = client_of("mia").post(f"/handoffs/{row.pk}/reject/", {**back, "reason": "no_budget"})
    assert (done.status_code, done["Location"]) == (302, "/inbox/?view=department")
    late = client_of("sol").post(f"/handoffs/{row.pk}/accept/", back, follow=True)
    assert "Mia Weber was first" in late.content.decode()
    taken = hand_over(persona("mara"), 2)
    who = taken.assignee.partition("@")[0]
    client_of(who).post(f"/handoffs/{taken.pk}/accept/", back)
    assert "first touch due" in text(client_of(who), "/inbox/?view=touch")
    client_of(who).post(f"/handoffs/{taken.pk}/touch/", back)
    assert "Nothing waits here" in text(client_of(who), "/inbox/?view=touch")
    elsewhere = client_of("mia").post(f"/handoffs/{row.pk}/touch/", {"next": "https://elsewhere.example/"})
    assert "elsewhere" not in elsewhere["Location"]


def test_an_account_is_handed_over_with_its_card_filled_in(persona: Persona, client_of: ClientOf) -> None:
    """Mara finds an account; the form knows contact and last touch, she says the rest; sent twice it is one."""
    table = results().table(Ask.of("account_health", {}, scope=persona("mara").scope()))
    account = next(str(row["account"]) for row in table.records() if row["stage"] == "nurture" and row["name"])
    mara = client_of("mara")
    form = text(mara, f"/handoffs/new/?account={account}")
    sent = dict(re.findall(r'name="([\w-]+)" value="([^"]*)"', form)) | {"context-need": "a quote", "value": ""}
    assert sent["context-last_touch"]
    wrong = mara.post("/handoffs/new/", sent | {"value": "much"})
    assert (wrong.status_code, "is no amount" in wrong.content.decode()) == (400, True)
    first = mara.post("/handoffs/new/", sent)
    assert mara.post("/handoffs/new/", sent)["Location"] == first["Location"]
    row = HandOff.objects.get()
    assert (row.type, row.context["need"], row.sent_by) == ("lead", "a quote", "mara@demo.example")
    page = text(client_of("sol"), first["Location"])
    assert "a quote" in page
    assert "Last touches" in page
    assert row.account_name in text(mara, f"/accounts/{account}/")
    assert "Lead" in text(mara, f"/accounts/{account}/handoffs/")


def test_a_policy_is_refused_with_all_its_problems(client_of: ClientOf) -> None:
    bad = '[types.lead]\nsender = "sails"\nreceiver = "sales"\nstarts = ["lead.mqll"]\n'
    said = client_of("sol").post("/handoffs/rules/", {"doing": "check", "text": bad})
    assert said.status_code == 400
    page = said.content.decode()
    assert "sails" in page
    assert "lead.mqll" in page
    assert client_of("mia").post("/handoffs/rules/", {"doing": "check", "text": bad}).status_code == 403
    away = client_of("mia").post("/handoffs/away/", {"first": "2026-07-02", "last": "2026-07-01"}, follow=True)
    assert "An absence needs a first and a last day" in away.content.decode()
    assert "Nobody is away" in away.content.decode()
