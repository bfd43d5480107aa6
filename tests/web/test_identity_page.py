"""Who is who in the browser: a pair decided with one key, never twice, undone, split, and felt by the numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Barrier, Thread

import pytest
from django.test import Client

from plait import desk
from plait.matching import acts, kept, review
from plait.matching.acts import Steward
from plait.matching.kept import Likeness, Proposal
from plait.matching.who import Who, find_who
from plait.stewardship import read_decisions
from plait.web.people.models import AuditEntry

from .conftest import NOW

ClientOf = Callable[[str], Client]
EMAILS = ("noemi.carraro@lagocarta.example", "noemi.carraro640@lagocarta.example")


@pytest.fixture
def pair(home: Path) -> Iterator[Proposal]:
    """Propose two people of the demo company as one; afterwards all is as it was."""
    one, other = (find_who(home, f"email={email}") for email in EMAILS)
    made = Proposal("person", ("email", EMAILS[0]), ("email", EMAILS[1]), one.id, other.id, 0.97, (
        Likeness("given", "Noemi Carraro", "Noemi", "equal", 6.5), Likeness("phone", "1", "2", "different", -4.2),
    ), sure=True)  # fmt: skip
    before = len(read_decisions(home).all)
    kept.keep_proposals(home, "person", [made])
    yield made
    kept.keep_proposals(home, "person", [])
    for decision in read_decisions(home).in_force:
        if decision.number > before:
            acts.undo(home, decision.number, Steward("test", "tidy up", NOW))


def people(home: Path) -> tuple[Who, Who]:
    return find_who(home, f"email={EMAILS[0]}"), find_who(home, f"email={EMAILS[1]}")


@pytest.mark.django_db
def test_a_pair_is_looked_at_decided_told_and_undone(client_of: ClientOf, home: Path, pair: Proposal) -> None:
    ida = client_of("ida")
    page = ida.get("/data/who/").content.decode()
    for said in (
        "Is this one person?",
        "97.0",
        "given name",
        "different",
        'data-page-key="y"',
        "1 pair waits",
        EMAILS[1],
    ):
        assert said in page, said
    ida.post("/data/who/answer/", {"pair": pair.number, "answer": "later"})
    assert ida.get("/data/who/").status_code == 200, "later is no decision"
    assert "Say whether" in ida.post("/data/who/answer/", {"pair": pair.number}).content.decode()
    before = AuditEntry.objects.count()
    told = ida.post("/data/who/answer/", {"pair": pair.number, "answer": "same", "why": "one phone"}, follow=True)
    assert "is made; it can be undone" in told.content.decode()
    number = read_decisions(home).in_force[-1].number
    entry = AuditEntry.objects.order_by("-id")[0]
    assert (entry.action, entry.subject, AuditEntry.objects.count()) == (
        "identity.merge", f"decision {number}", before + 1,
    )  # fmt: skip
    assert EMAILS[0] not in str(entry.after), "the log names nobody"
    again = ida.post("/data/who/answer/", {"pair": pair.number, "answer": "same"}, follow=True).content.decode()
    assert ("had been made already" in again, AuditEntry.objects.count()) == (True, before + 1)
    one, other = people(home)
    assert one.id == other.id
    shown = ida.get(f"/data/who/{one.id}/").content.decode()
    assert f"Ida Novak merged {EMAILS[0]} and {EMAILS[1]}" in shown
    assert "one phone" in shown
    refused = ida.post(f"/data/who/undo/{number}/", {"why": ""})
    assert (refused.status_code, "who makes it and why" in refused.content.decode()) == (400, True)
    ida.post(f"/data/who/undo/{number}/", {"why": "two people"})
    one, other = people(home)
    assert one.id != other.id
    assert ida.get("/data/who/").content.decode().count("Is this one person?") == 1, "it waits again"


@pytest.mark.django_db
@pytest.mark.usefixtures("pair")
def test_keys_are_split_values_blocked_and_somebody_found(client_of: ClientOf, home: Path) -> None:
    ida = client_of("ida")
    found = ida.post("/data/who/find/", {"q": EMAILS[0]})
    who = find_who(home, EMAILS[0])
    assert found.headers["Location"] == f"/data/who/{who.id}/"
    assert "nobody is known by" in ida.post("/data/who/find/", {"q": "zz"}).content.decode()
    page = ida.get(f"/data/who/{who.id}/").content.decode()
    assert ("Split" in page, "were in one row of" in page) == (True, True)
    nothing = ida.post(f"/data/who/{who.id}/split/", {"why": "x"})
    assert (nothing.status_code, "Choose the keys" in nothing.content.decode()) == (400, True)
    cookie = next(key for key in who.keys if key[0] == "anonymous_id")
    ida.post(f"/data/who/{who.id}/split/", {"key": "=".join(cookie), "why": "a shared laptop"})
    assert find_who(home, "=".join(cookie)).id != find_who(home, EMAILS[0]).id
    ida.post("/data/who/rule/", {"doing": "block", "name": "email", "value": EMAILS[1], "why": "a shared desk"})
    shown = ida.get("/data/who/").content.decode()
    assert ("a shared desk" in shown, "No pair waits" in shown) == (True, True)
    wrong = ida.post("/data/who/rule/", {"doing": "limit", "name": "email", "value": "many", "why": "w"})
    assert "from 1 to 1,000,000" in wrong.content.decode()
    tuned = ida.post("/data/who/tune/", {"scope": "person", "upper": "0,4", "lower": "0.5", "why": "w"})
    assert "0.5 &lt;= lower &lt;= upper" in tuned.content.decode()
    assert ida.get("/data/who/p0000000000000000/").status_code == 404


@pytest.mark.django_db
def test_who_may_look_may_not_decide_and_nobody_outside_sees(client_of: ClientOf, pair: Proposal) -> None:
    cleo = client_of("cleo")
    page = cleo.get("/data/who/")
    assert (page.status_code, b"data-page-key" in page.content) == (200, False)
    assert cleo.post("/data/who/answer/", {"pair": pair.number, "answer": "same"}).status_code == 403
    assert client_of("pat").get("/data/who/").status_code == 404


@pytest.mark.django_db
def test_an_account_is_found_by_the_id_of_before_a_merge(client_of: ClientOf, home: Path) -> None:
    one, other = sorted(desk.account_keys(home))[:2]
    made = acts.merge(home, one, other, Steward("Mara", "one firm", NOW))
    try:
        gone = other if find_who(home, other).id == one else one
        answer = client_of("cleo").get(f"/accounts/{gone}/")
        assert (answer.status_code, answer.headers["Location"]) == (302, f"/accounts/{find_who(home, gone).id}/")
        assert client_of("cleo").get("/accounts/a0000000000000000/").status_code == 404
    finally:
        acts.undo(home, made.number, Steward("Mara", "tidy up", NOW))


def test_two_people_at_once_make_one_decision(home: Path, pair: Proposal) -> None:
    """Both press Same at the same moment: one decision, and both are told of it."""
    before, start, made = len(read_decisions(home).all), Barrier(2), []

    def press(name: str) -> None:
        start.wait()
        made.append(review.answer(home, pair.number, same=True, steward=Steward(name, "same", NOW)))

    both = [Thread(target=press, args=(name,)) for name in ("Mara", "Sol")]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert (len(read_decisions(home).all) - before, len(made), made[0] == made[1]) == (1, 2, True)
