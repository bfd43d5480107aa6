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
    assert [row[0] for row in found(story, "no_next_step", days=10)] == ["acme", "hotl"]


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


def test_a_hand_off_or_a_step_past_its_day_is_a_crack() -> None:
    """Also a hand-off that expired and none followed; one that is paused has no day."""
    at = datetime(2026, 2, 1, tzinfo=UTC)

    def told(account: str, kind: str, number: str, days: int = 0, **detail: str) -> Fact:
        return Fact(source="desk", id=f"{number}-{kind}", kind=kind, occurred_at=at + timedelta(days=days), owner="sol",
                    recorded_at=NOW, keys={"account.story": account}, object_id=number, detail=detail)  # fmt: skip

    gone, due, late = "handoff.created", "2026-02-03 12:00:00", "2026-03-01 00:00:01"
    facts = [
        told("late", gone, "h1", due=due),
        told("soon", gone, "h2", due=late),
        told("kept", gone, "h3", due=due), told("kept", "handoff.accepted", "h3", 1, due=""),
        told("held", gone, "h4", due=due), told("held", "handoff.paused", "h4", 1, due=""),
        told("gone", gone, "h5", due=""), told("gone", "handoff.expired", "h5", 9, due=""),
        told("next", gone, "h6", due=""), told("next", "handoff.expired", "h6", 9, due=""),
        told("next", gone, "h7", 9, due=late, previous="h6"),
        told("plan", "deal.opened", "d1"), told("plan", "step.planned", "s1", due="2026-02-10"),
        told("good", "deal.opened", "d2"), told("good", "step.planned", "s2", due="2026-03-01"),
    ]  # fmt: skip
    assert found(Story(facts, as_of=datetime(2026, 3, 1))) == [  # noqa: DTZ001 - naive UTC
        ("gone", "lost_in_handoff", date(2026, 2, 10), None), ("late", "lost_in_handoff", date(2026, 2, 3), None),
        ("plan", "no_next_step", date(2026, 2, 10), None),
    ]  # fmt: skip
