"""The register in the desk: a definition is proposed with its numbers, signed by two people of two departments, and
only then used and no longer marked.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from plait import desk
from plait.measure import known_measure, registry
from plait.register import FILE, read_register
from plait.web import boot
from plait.web.people.models import AuditEntry, User
from plait.web.reader import results
from plait.web.register import acts, demo
from plait.web.register.models import Goal, Proposal, Signature

pytestmark = pytest.mark.usefixtures("own_home")
ClientOf = Callable[[str], Client]
Persona = Callable[[str], User]
PAGE = "/register/win_rate/"
NOW = datetime(2026, 7, 2, tzinfo=UTC)
REASON = "Open deals count too."
MARK = 'class="agreed"'
TEMPLATES = Path(boot.__file__).parent / "templates"


@pytest.fixture
def own_home(home: Path, tmp_path: Path, settings: Any, db: None) -> Iterator[Path]:  # noqa: ARG001, ANN401
    """Give the desk a copy of the demo's home, to change."""
    copy = Path(shutil.copytree(home, tmp_path / "own", ignore=shutil.ignore_patterns("web", "demo", "spill")))
    settings.HOME = copy
    results.cache_clear()
    yield copy
    results.cache_clear()


@pytest.fixture
def committed(django_capture_on_commit_callbacks: Any) -> Callable[[], Any]:  # noqa: ANN401
    """Do after an act what is done when it is committed."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


def propose(client: Client, denominator: str, reason: str = REASON) -> int:
    return client.post(f"{PAGE}propose/", {"denominator": denominator, "reason": reason}).status_code


def sign(client: Client, number: int = 1) -> int:
    return client.post(f"{PAGE}{number}/sign/").status_code


def api(client: Client, **query: str) -> dict[str, Any]:
    answer: dict[str, Any] = client.get("/api/measures/win_rate/table", query).json()
    return answer


def text(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, path
    return response.content.decode()


def test_a_definition_is_used_when_two_people_of_two_departments_have_signed(
    client_of: ClientOf, committed: Callable[[], Any]
) -> None:
    """Sol proposes and signs for sales; alone he cannot go on. Fin signs for finance: then it is used everywhere."""
    sol, fin = client_of("sol"), client_of("fin")
    before = api(sol)
    assert before["definition"] == {"version": 0, "state": "unsigned", "signed_by": [], "departs": []}
    assert "unsigned" in text(sol, "/boards/sales/0/")
    with committed():
        assert propose(sol, "created") == 302
        assert sign(sol) == 302
    assert sign(sol) == 409, "one person never signs twice"
    assert propose(fin, "closed") == 409, "one proposal at a time"
    page = text(fin, PAGE)
    assert "<del>Closed</del>" in page
    assert "<ins>Created</ins>" in page
    assert "Sign for Finance" in page
    assert "Waits for your signature" in text(fin, "/register/")
    assert api(sol)["rows"] == before["rows"], "with one signature no number changes"

    with committed():
        assert sign(fin) == 302
    after = api(sol)
    assert after["rows"] == api(sol, denominator="created")["rows"] != before["rows"]
    assert (after["definition"]["version"], after["definition"]["state"]) == (1, "signed")
    assert [one["department"] for one in after["definition"]["signed_by"]] == ["sales", "finance"]
    assert api(sol, denominator="closed")["definition"]["departs"] == ["denominator"]
    assert api(sol, definition="0")["rows"] == before["rows"], "the old definition can still be asked"
    assert "csv/?definition=0" in text(sol, "/measures/win_rate/?definition=0"), "and its links lead to it"
    assert "definition=" not in text(sol, "/measures/win_rate/drawer/")
    assert api(sol, as_of="2026-06-01")["definition"]["state"] == "unsigned", "an earlier day keeps what held then"
    assert sol.get("/api/measures/win_rate/table", {"definition": "7"}).status_code == 400
    assert MARK not in text(sol, "/measures/win_rate/drawer/")
    assert "Definition 1, signed:" in text(sol, "/measures/win_rate/")
    assert "Not as definition 1 was signed" in text(sol, "/measures/win_rate/drawer/?denominator=closed")
    done = list(AuditEntry.objects.order_by("id").values_list("action", flat=True))[-3:]
    assert done == ["definition.proposed", "definition.signed", "definition.signed"]


def test_boards_and_drawers_carry_the_mark(client_of: ClientOf, committed: Callable[[], Any], persona: Persona) -> None:
    """A block of a board and the drawer say it; a measure that both signed carries no mark."""
    sol = client_of("sol")
    places = {block.question.measure: number for number, block in enumerate(blocks_of("sales"))}
    with committed():
        agree("bookings", persona)
    with CaptureQueriesContext(connection) as asked:
        assert MARK in text(sol, f"/boards/sales/{places['win_rate']}/")
    assert [one["sql"] for one in asked if "register_" in one["sql"]] == [], "the mark asks no database"
    assert MARK not in text(sol, f"/boards/sales/{places['bookings']}/")
    assert "Unsigned: two departments have not agreed" in text(sol, "/measures/win_rate/drawer/")


def blocks_of(board: str) -> Any:  # noqa: ANN401
    from plait.web.board import all_boards

    return all_boards()[board].blocks


def agree(name: str, persona: Persona, **options: object) -> Proposal:
    """Let two heads sign a definition of a measure."""
    heads = {"marketing": "mara", "sales": "sol", "finance": "fin", "service": "sven", "it": "ida", "partners": "paul"}
    one, other = (persona(heads[department]) for department in known_measure(name).signers)
    made = acts.propose(one, name, options, REASON, now=NOW)
    acts.sign(one, made.pk, now=NOW)
    return acts.sign(other, made.pk, now=NOW)


def test_every_template_that_leads_to_a_definition_carries_the_mark() -> None:
    """Whoever shows a number with the way to where it comes from says too whether its definition is signed."""
    heads = ("{% agreed ", '"parts/panel_head.html"', '"parts/block_head.html"')
    bare = [
        page.name
        for folder in ("pages", "panels", "blocks")
        for page in (TEMPLATES / folder).glob("*.html")
        if "{% drawer " in page.read_text("utf-8") and not any(head in page.read_text("utf-8") for head in heads)
    ]
    assert bare == []


def test_who_may_not_is_told_why(client_of: ClientOf, committed: Callable[[], Any], persona: Persona) -> None:
    sol, fin, mara = client_of("sol"), client_of("fin"), client_of("mara")
    assert propose(client_of("mia"), "created") == 403, "a member only sees numbers"
    assert propose(sol, "sideways") == 400
    assert propose(sol, "created", reason=" ") == 400
    with committed():
        assert propose(fin, "created") == 302
    assert sign(client_of("mia")) == 403, "a member may not approve"
    refused = mara.post(f"{PAGE}1/sign/")
    assert (refused.status_code, "Sales · Finance" in refused.content.decode()) == (403, True)
    assert mara.post(f"{PAGE}1/withdraw/").status_code == 403, "only who proposed it withdraws it"
    for who in ("pat", "otto"):
        assert client_of(who).get(PAGE).status_code == 404
    program = Client()
    assert program.post("/api/measures/win_rate/sign", headers={"authorization": "Bearer x"}).status_code == 409
    with committed():
        assert fin.post(f"{PAGE}1/withdraw/").status_code == 302
    assert sign(sol) == 409, "what is withdrawn cannot be signed"
    with committed():
        agree("win_rate", persona)
    assert propose(sol, "closed") == 400, "what is in force already is no proposal"


def test_another_definition_of_plaits_must_be_proposed_anew(
    client_of: ClientOf, own_home: Path, committed: Callable[[], Any], persona: Persona, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new version of the code falls back to unsigned; the proposal shows the changed text, no invented numbers."""
    sol = client_of("sol")
    with committed():
        agree("win_rate", persona, denominator="created")
        acts.propose(persona("fin"), "win_rate", {"denominator": "closed"}, REASON, now=NOW)
    old = known_measure("win_rate")
    changed = replace(old, version=2, means=old.means.replace("Share of deals", "Part of deals"))
    monkeypatch.setitem(registry, "win_rate", changed)
    told = api(sol)["definition"]
    assert (told["version"], told["state"]) == (1, "changed")
    assert sign(sol, 2) == 409, "it was proposed for another text"
    fin = client_of("fin")
    with committed():
        fin.post(f"{PAGE}2/withdraw/")
        assert propose(fin, "created") == 302
    page = text(sol, PAGE)
    assert "<del>Share of deals that were won" in page
    assert "<ins>Part of deals that were won" in page
    assert "can no longer be computed" in text(sol, f"{PAGE}3/numbers/")
    with committed():
        assert (sign(sol, 3), sign(fin, 3)) == (302, 302)
    assert api(sol)["definition"]["state"] == "signed"
    assert [v.number for v in read_register(own_home).of("win_rate")] == [1, 2, 3], "the old signature stays"


def test_a_proposal_shows_the_last_year_by_both_definitions(
    client_of: ClientOf, own_home: Path, committed: Callable[[], Any]
) -> None:
    """Twelve months; each number is the one that the measure gives with that option."""
    sol = client_of("sol")
    with committed():
        propose(sol, "created")
        sol.post("/register/stage_stock/propose/", {"reason": REASON})
        sol.post("/register/account_health/propose/", {"ticket_days": "7", "reason": REASON})
    page = text(sol, f"{PAGE}1/numbers/?column=won")
    rows = page.split("<tbody>")[1].split("</tbody>")[0].split("<tr>")[1:]
    shown = [[cell.split("</td>")[0].split(">")[-1] for cell in row.split("<td")[1:]] for row in rows]
    assert [row[0] for row in shown][:1] + [row[0] for row in shown][-1:] == ["Jul 2025", "Jun 2026"]
    sides = [
        desk.show(own_home, "win_rate", {"by": "month", "denominator": name}, now=NOW) for name in ("closed", "created")
    ]
    expected = [{row["cohort"]: row["won"] for row in table.records()}.get("2026-06") for table in sides]
    assert [shown[-1][1], shown[-1][2]] == [str(value) for value in expected]
    assert "so do the numbers" in text(sol, "/register/stage_stock/1/numbers/")
    assert "a row for each account" in text(sol, "/register/account_health/1/numbers/")


def test_a_killed_process_leaves_nothing_undone(
    own_home: Path,
    persona: Persona,
    django_capture_on_commit_callbacks: Any,  # noqa: ANN401
) -> None:
    """Committed, and killed before the file was written: the next look of the worker writes file and facts, once."""
    with django_capture_on_commit_callbacks():
        agree("win_rate", persona, denominator="created")
    assert not (own_home / FILE).exists()
    facts = desk.info(own_home).facts
    for _ in range(2):
        acts.publish(now=NOW)
    assert read_register(own_home).in_force(known_measure("win_rate")).state == "signed"
    assert desk.info(own_home).facts == facts + 3, "one proposed, two signed"
    seen = results().timeline().facts().of("definition.proposed", "definition.signed").text.count()
    assert results().timeline().engine.run(seen.name("n").as_table()).to_pylist() == [{"n": 3}]


def test_signatures_cannot_be_changed_even_past_the_desk(persona: Persona) -> None:
    agree("win_rate", persona)
    for change in (lambda: Signature.objects.update(department="it"), lambda: Signature.objects.all().delete()):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            change()


def test_both_departments_read_the_same_bytes(client_of: ClientOf) -> None:
    for name in ("funnel", "revenue"):
        one, other = (client_of(who).get(f"/measures/{name}/csv/?as_of=2026-05-01") for who in ("mara", "sol"))
        assert one.content == other.content != b""
    assert text(client_of("mara"), "/register/funnel/same/") == text(client_of("sol"), "/register/funnel/same/")


def test_the_list_can_be_searched_by_state_class_and_as_a_tree(
    client_of: ClientOf, committed: Callable[[], Any], persona: Persona
) -> None:
    mara = client_of("mara")
    with committed():
        agree("win_rate", persona)
    assert 'href="/register/win_rate/"' not in text(mara, "/register/?state=unsigned")
    assert 'href="/register/win_rate/"' in text(mara, "/register/?state=signed")
    proxies = text(mara, "/register/?class=proxy")
    assert 'href="/register/satisfaction/"' in proxies
    assert 'href="/register/revenue/"' not in proxies
    tree = text(mara, "/register/?view=tree")
    assert (
        tree.index('"/register/revenue/"') < tree.index('"/register/bookings/"') < tree.index('"/register/win_rate/"')
    )
    assert mara.get("/register/?class=vanity").status_code == 400


def goal_of(client: Client, sort: str = "quantitative", **changes: str) -> tuple[int, str]:
    """Set a goal; gives the status and the page."""
    told = {
        "quantitative": {"figure": "win_rate.win_rate", "target": "25 %", "months": "12", "way": "up", "where": ""},
        "qualitative": {"verdict": "open"},
    }[sort] | {"stage": "convert", "text": "Win every fourth deal", "due_on": "2026-12-31"}
    answer = client.post(f"/goals/new/{sort}/", told | changes)
    return answer.status_code, answer.content.decode()


def test_each_stage_needs_a_goal_in_numbers_and_one_in_words(client_of: ClientOf, persona: Persona) -> None:
    sol = client_of("sol")
    who = str(persona("sol").pk)
    assert "5 stages lack a goal" in text(sol, "/goals/")
    assert goal_of(sol, owner=who)[0] == 302
    convert = text(sol, "/goals/").split("stage-convert")[-1].split("</section>")[0]
    assert ("No goal in numbers" in convert, "No goal in words" in convert) == (False, True)
    assert goal_of(sol, "qualitative", owner=who)[0] == 302
    assert "4 stages lack a goal" in text(sol, "/goals/")

    shown = text(sol, "/goals/stage/convert/")
    table = desk.show(results().home, "win_rate", {"since": "2025-07-01", "until": "2026-07-01"}, now=NOW)
    assert f"{table.records()[0]['win_rate']:.1%}" in shown
    assert "target: at least 25.0%" in shown
    assert "Reached" in shown
    assert MARK in shown, "a goal's number carries the mark too"


def test_a_goal_that_could_not_be_judged_is_refused_with_what_to_name(client_of: ClientOf, persona: Persona) -> None:
    sol = client_of("sol")
    who = str(persona("sol").pk)
    status, page = goal_of(sol, owner=who, figure="satisfaction.score")
    assert status == 400
    assert "name one, such as survey=" in page
    assert "has no column colour" in goal_of(sol, owner=who, where="colour=red")[1]
    assert "A target is a number" in goal_of(sol, owner=who, target="many")[1]
    assert "Write column=value" in goal_of(sol, owner=who, where="nps")[1]
    assert client_of("cleo").get("/goals/new/quantitative/").status_code == 403, "the chief only looks"
    assert client_of("pat").get("/goals/").status_code == 404
    assert (
        goal_of(sol, owner=who, figure="satisfaction.score", where="survey=nps", stage="expand", target="0.9")[0] == 302
    )
    number = Goal.objects.get().pk
    form = sol.get(f"/goals/{number}/").context["form"]
    assert sol.post(f"/goals/{number}/", {**form.initial, "due_on": "2026-03-01"}).status_code == 302
    assert "Missed" in text(sol, "/goals/stage/expand/")
    assert sol.post(f"/goals/{number}/end/").status_code == 302
    assert "5 stages lack a goal" in text(sol, "/goals/")
    done = list(AuditEntry.objects.order_by("id").values_list("action", flat=True))[-3:]
    assert done == ["goal.set", "goal.changed", "goal.ended"]


def test_the_demo_company_has_agreed_on_something(own_home: Path, committed: Callable[[], Any]) -> None:
    for _ in range(2):
        with committed():
            demo.seed()
    kept = read_register(own_home)
    states = {name: kept.in_force(known_measure(name)).state for name in ("revenue", "recurring_revenue", "win_rate")}
    assert states == {"revenue": "signed", "recurring_revenue": "signed", "win_rate": "unsigned"}
    assert len(Goal.objects.all()) == 6
