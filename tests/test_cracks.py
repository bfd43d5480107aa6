"""Cracks: what falls between departments is found, all of it, and nothing else."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from homes import NOW
from stories import Story

from plait.facts import Fact
from plait.measure import Cell
from plait.measures.cracks import cracks


def found(story: Story, crack: str = "all", **options: object) -> list[tuple[Cell, ...]]:
    """Give account, crack, since and value of each row on 1 March."""
    records = story.until(date(2026, 3, 1)).table(cracks, crack=crack, **options).records()
    return [(row["account"], row["crack"], row["since"], row["value"]) for row in records]


def test_an_account_that_is_worked_on_without_a_colleague_is_nobodys(story: Story) -> None:
    """
    acme  2026-02-01  lead.mql
    bolt  2026-02-01  lead.mql
    bolt  2026-02-02  owner.assigned  owner=sol
    cord  2026-02-01  form.submitted
    dart  2026-02-01  subscription.started  90.00 EUR  object_id=c1
    echo  2026-02-01  lead.mql  owner=mara
    """
    day = date(2026, 2, 1)
    assert found(story) == [
        ("acme", "no_owner", day, None), ("dart", "no_owner", day, Decimal("90.0000")), ("echo", "no_owner", day, None),
    ]  # fmt: skip


def test_a_deal_without_a_next_step_shows_after_so_many_days(story: Story) -> None:
    """
    acme  2026-01-01  deal.opened  500.00 EUR  object_id=d1  owner=sol
    bolt  2026-01-01  deal.opened  100.00 EUR  object_id=d2  owner=sol
    bolt  2026-02-27  step.planned  object_id=s1  text=call
    cord  2026-01-01  deal.opened  200.00 EUR  object_id=d3  owner=sol
    cord  2026-01-05  step.planned  object_id=s2  text=offer
    cord  2026-02-20  step.done     object_id=s2
    dart  2026-01-01  deal.opened  300.00 EUR  object_id=d4  owner=sol
    dart  2026-02-25  deal.won     300.00 EUR  object_id=d4  owner=sol
    echo  2026-02-26  deal.opened  object_id=d5  owner=sol
    golf  2026-01-01  lead.sal  owner=sol
    golf  2026-02-01  handoff.created  object_id=h1
    hotl  2026-01-01  lead.sal  owner=sol
    hotl  2026-02-01  handoff.created   object_id=h2
    hotl  2026-02-10  handoff.accepted  object_id=h2
    """
    assert found(story) == [
        ("acme", "no_next_step", date(2026, 1, 1), Decimal("500.0000")),
        ("cord", "no_next_step", date(2026, 2, 20), Decimal("200.0000")),
        ("hotl", "no_next_step", date(2026, 2, 10), None),
    ]
    assert [row[0] for row in found(story, "no_next_step", days=0)] == ["acme", "cord", "echo", "hotl"]
    assert [row[0] for row in found(story, "no_next_step", days=10)] == ["acme", "hotl"]


def test_a_planned_step_whose_day_has_passed_is_no_plan() -> None:
    """Since that day nothing is planned, until it is done or planned anew."""
    at = datetime(2026, 1, 1, tzinfo=UTC)

    def told(account: str, kind: str, number: str, **detail: str) -> Fact:
        return Fact(source="desk", id=f"{kind}-{number}", kind=kind, occurred_at=at, recorded_at=NOW, owner="sol",
                    keys={"account.story": account}, object_id=number, detail=detail)  # fmt: skip

    facts = [
        told("acme", "deal.opened", "d1"), told("acme", "step.planned", "s1", due="2026-02-10"),
        told("bolt", "deal.opened", "d2"), told("bolt", "step.planned", "s2", due="2026-03-01"),
    ]  # fmt: skip
    assert found(Story(facts, as_of=datetime(2026, 3, 1))) == [("acme", "no_next_step", date(2026, 2, 10), None)]  # noqa: DTZ001


def test_stalled_is_longer_than_three_of_four_that_ended() -> None:
    """Twenty stays in nurture ended after 1 to 20 days, so 15 are usual; with nineteen nothing can be called usual."""
    accepted = [handled(f"a{n:02}", date(2026, 1, 1), n) for n in range(1, 21)]
    waiting = [handled("slow", date(2026, 2, 13), None), handled("same", date(2026, 2, 14), None)]
    facts = [fact for told in (*accepted, *waiting) for fact in told]
    table = Story(facts, as_of=datetime(2026, 3, 1)).table(cracks, crack="stalled")  # noqa: DTZ001 - naive UTC
    nurtured = [row for row in table.records() if row["stage"] == "nurture"]
    assert [(row["account"], row["days"], row["usual_days"]) for row in nurtured] == [("slow", 16.0, 15.0)]
    few = Story(facts[3:], as_of=datetime(2026, 3, 1)).table(cracks, crack="stalled")  # noqa: DTZ001
    assert few.rows == []
    assert any("no usual time can be told" in text and "nurture" in text for text in few.warnings)


def handled(account: str, day: date, days: int | None) -> list[Fact]:
    """Give a lead that sales accepted after so many days and gave up at once, or that still waits."""
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    told = [("lead.mql", at)]
    if days is not None:
        told += [("lead.sal", at + timedelta(days=days)), ("lead.disqualified", at + timedelta(days=days, hours=1))]
    return [
        Fact(source="crm", id=f"{account}-{kind}", kind=kind, occurred_at=when, recorded_at=NOW,
             keys={"account.story": account}, owner="sol")
        for kind, when in told
    ]  # fmt: skip


def test_a_hand_off_past_due_or_expired_without_a_successor_is_lost() -> None:
    at = datetime(2026, 2, 1, tzinfo=UTC)

    def told(account: str, act: str, number: str, days: int, **detail: str) -> Fact:
        return Fact(source="desk", id=f"{number}-{act}", kind=f"handoff.{act}", occurred_at=at + timedelta(days=days),
                    recorded_at=NOW, keys={"account.story": account}, object_id=number, detail=detail)  # fmt: skip

    facts = [
        told("late", "created", "h1", 0, due="2026-02-03 12:00:00"),
        told("soon", "created", "h2", 0, due="2026-03-01 00:00:01"),
        told("kept", "created", "h3", 0, due="2026-02-03 12:00:00"), told("kept", "accepted", "h3", 1, due=""),
        told("held", "created", "h4", 0, due="2026-02-03 12:00:00"), told("held", "paused", "h4", 1, due=""),
        told("gone", "created", "h5", 0, due=""), told("gone", "expired", "h5", 9, due=""),
        told("next", "created", "h6", 0, due=""), told("next", "expired", "h6", 9, due=""),
        told("next", "created", "h7", 9, due="2026-04-01 00:00:00", previous="h6"),
    ]  # fmt: skip
    rows = Story(facts, as_of=datetime(2026, 3, 1)).table(cracks, crack="lost_in_handoff").records()  # noqa: DTZ001
    assert [(row["account"], row["since"]) for row in rows] == [("gone", date(2026, 2, 10)), ("late", date(2026, 2, 3))]
