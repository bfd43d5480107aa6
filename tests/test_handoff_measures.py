"""Hand-offs in numbers: what became of them, why they were refused, and whether both sides kept their word."""

from collections import Counter
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from handing import MONDAY, at, played, started, two_policies
from stories import Story

from plait.facts import Fact
from plait.handoff.state import HandOff, accept, assign, create, expire, facts_of, reject, touch, withdraw
from plait.measures.handoffs import handoff_compliance, handoff_reasons, handoffs

LATER = date(2027, 6, 1)
POLICIES = two_policies()


def row_of(table: object) -> dict[str, object]:
    (row,) = table.records()  # type: ignore[attr-defined]
    return dict(row)


def test_leads_of_the_crm_are_hand_offs_too(story: Story) -> None:
    """
    acme  2026-01-05  lead.mql
    acme  2026-01-07  lead.sal
    acme  2026-01-09  lead.sql
    bolt  2026-01-05  lead.mql
    bolt  2026-01-25  lead.recycled      text=too_early
    cork  2026-01-06  lead.mql
    dart  2026-01-06  lead.mql
    dart  2026-01-05  lead.sal
    """
    row = row_of(story.until(LATER).table(handoffs))
    assert (row["cohort"], row["created"], row["accepted"], row["rejected"], row["open"]) == (
        "marketing > sales",
        4,
        1,
        1,
        2,
    )
    assert (row["acceptance"], row["answer_days"], row["answer_minutes"]) == (0.5, 11.0, None)
    assert story.until(LATER).table(handoff_reasons).rows == [("all", "too_early", "nurture", 1, 1.0)]
    limited = row_of(story.until(LATER).table(handoffs, crm_days=10))
    assert (limited["accepted"], limited["rejected"], limited["expired"], limited["open"]) == (1, 0, 3, 0)
    kept = row_of(story.until(LATER).table(handoff_compliance, crm_days=10))
    assert (kept["answers_due"], kept["answered_in_time"], kept["breached"]) == (4, 0.25, 3)


def test_an_answer_about_one_person_is_none_about_another(story: Story) -> None:
    """
    acme  2026-01-05  lead.mql           person=ada
    acme  2026-01-05  lead.mql           person=bob
    acme  2026-01-07  lead.disqualified  person=bob  text=left
    acme  2026-01-08  lead.sal
    """
    row = row_of(story.until(LATER).table(handoffs))
    assert (row["created"], row["accepted"], row["rejected"]) == (2, 1, 1)


def test_a_lead_handed_over_in_the_desk_counts_once(story: Story) -> None:
    """
    acme  2026-11-20  lead.mql
    bolt  2026-11-20  lead.mql
    bolt  2026-11-22  lead.mql
    """
    facts = [*story.facts, *told("acme", "1"), *told("bolt", "2")]
    table = Story(facts).until(LATER).table(handoffs, by="type")
    by_origin = [
        row_of(Story(facts).until(LATER).table(handoffs, by="type", origin=o))["created"] for o in ("desk", "crm")
    ]
    assert (row_of(table)["created"], by_origin) == (3, [2, 1])


def told(account: str, key: str, *, answer: str = "") -> list[Fact]:
    """The facts of a hand-off that Sol has, and has answered if `answer` is given."""
    policy = POLICIES[0]
    new = create(started(account=account, key=key, captured_at=at("2026-11-23 08:00")), policy, now=MONDAY)
    given = assign(new.handoff, policy, to="sol@x.eu", by="plait", now=at("2026-11-23 09:30"))
    changes, now = [new, given], at("2026-11-23 10:30")
    handoff = given.handoff
    if answer == "late":
        changes.append(expire(handoff, policy, now=at("2026-11-23 15:00")))
    elif answer == "accepted":
        changes.append(touch(handoff, policy, by="sol@x.eu", now=at("2026-11-23 10:00")))
        changes.append(accept(changes[-1].handoff, policy, by="sol@x.eu", now=now))
    elif answer == "withdrawn":
        changes.append(withdraw(handoff, policy, by="mara@x.eu", now=now))
    elif answer:
        changes.append(reject(handoff, policy, by="sol@x.eu", reason=answer, now=now))
    keys = {"account.story": account}
    return [fact for one in changes for step in one.steps for fact in facts_of(step, one.handoff, policy, keys)]


def test_what_became_of_hand_offs_with_their_delays_and_what_is_at_stake() -> None:
    """Accepted, rejected, withdrawn, one expired whose successor is open, one open: 24,000 EUR wait."""
    answers = ("accepted", "no_fit", "withdrawn", "late", "")
    facts = [fact for n, answer in enumerate(answers) for fact in told(f"a{n}", str(n), answer=answer)]
    assert row_of(Story(facts).until(date(2026, 11, 25)).table(handoffs)) == {
        "cohort": "marketing > sales", "sender": "marketing", "receiver": "sales",
        "created": 6, "accepted": 1, "rejected": 2, "withdrawn": 1, "expired": 1, "open": 2, "overdue": 1,
        "acceptance": 0.5, "value_open": Decimal(24000), "without_value": 0, "currency": "EUR",
        "answer_minutes": 60.0, "answer_days": 0.0625, "system_delay": 90.0, "human_delay": 30.0,
    }  # fmt: skip
    assert row_of(Story(facts).until(date(2026, 11, 24)).table(handoffs))["overdue"] == 0, "it was due on that very day"
    kept = row_of(Story(facts).until(date(2026, 11, 25)).table(handoff_compliance))
    assert (kept["sent"], kept["completeness"], kept["acceptance"]) == (6, 0.75, 0.5)
    assert (kept["answers_due"], kept["answered_in_time"], kept["breached"]) == (4, 0.5, 2)
    assert (kept["touches_due"], kept["touched_in_time"]) == (1, 1.0)
    reasons = Story(facts).until(date(2026, 11, 25)).table(handoff_reasons, by="type").rows
    assert reasons == [("lead", "no_fit", "disqualify", 1, 0.5), ("lead", "withdrawn", "withdrawn", 1, 0.5)]


def test_each_person_has_a_row_on_either_side() -> None:
    facts = [*told("a1", "1", answer="accepted"), *told("a2", "2", answer="late")]
    story = Story(facts).until(date(2026, 11, 24))
    receivers = {row["cohort"]: row["breached"] for row in story.table(handoff_compliance, by="assignee").records()}
    senders = {row["cohort"]: row["sent"] for row in story.table(handoff_compliance, by="sent_by").records()}
    assert (receivers, senders) == ({"(unknown)": 0, "sol@x.eu": 1}, {"mara@x.eu": 3})


def test_a_step_without_its_beginning_is_left_out_and_said() -> None:
    facts = [fact for fact in told("a1", "1", answer="accepted") if fact.kind != "handoff.created"]
    table = Story(facts).until(LATER).table(handoffs)
    assert table.rows == []
    assert "1 hand-offs have steps and were never made" in table.warnings[0]


@pytest.fixture(scope="module")
def lived() -> tuple[dict[str, HandOff], list[Fact], datetime]:
    """Hundreds of random acts, and the facts that they are."""
    known: dict[str, HandOff] = {}
    facts: list[Fact] = []
    for _, change in played(700, 11, POLICIES):
        for one in filter(None, (change.handoff, change.successor)):
            known[one.id] = one
        for step in change.steps:
            one = known[step.handoff]
            facts += facts_of(step, one, POLICIES[one.policy_version], {"account.story": one.account})
    return known, facts, max(fact.occurred_at for fact in facts) + timedelta(days=40)


def test_the_matrix_counts_what_the_desk_has(lived: tuple[dict[str, HandOff], list[Fact], datetime]) -> None:
    """Its total is the number of hand-off facts, its states and its money are those of the desk's own objects."""
    known, facts, now = lived
    story = Story(facts).until(now)
    rows = story.table(handoffs, by="type").records()
    assert sum(int(str(row["created"])) for row in rows) == sum(fact.kind == "handoff.created" for fact in facts)
    counted = Counter((one.type, one.state) for one in known.values())
    assert {(row["cohort"], state): row[state] for row in rows for state in ("accepted", "rejected", "expired", "open")
            if row[state]} == counted  # fmt: skip
    for row in rows:
        waiting = [one for one in known.values() if one.type == row["cohort"] and one.state == "open"]
        assert row["value_open"] == (12000 * len(waiting) or None)
        assert row["overdue"] == sum(one.due_at is not None and one.due_at < now for one in waiting)


def test_compliance_is_what_the_clocks_say(lived: tuple[dict[str, HandOff], list[Fact], datetime]) -> None:
    known, facts, now = lived
    for row in Story(facts).until(now).table(handoff_compliance, by="type").records():
        owed = [one for one in known.values() if one.type == row["cohort"] and one.reason != "withdrawn"]
        clocked = [one for one in owed if one.due_at and one.mode != "one_team"]
        answered = [one for one in clocked if one.answered_at]
        late = [one for one in clocked if one.due_at and (one.answered_at or now) > one.due_at]
        assert (row["answers_due"], row["breached"]) == (len({id(one) for one in answered + late}), len(late))
        assert float(str(row["answered_in_time"])) == pytest.approx(
            1 - len(late) / len({id(one) for one in answered + late})
        )
