from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from stories import RECORDED, Story

from plait.facts import Fact
from plait.measure import BadOption
from plait.measures.funnel import conversion_estimate, funnel, stage_velocity

OLIST = Path(__file__).parents[2] / "shared" / "data" / "olist"
needs_olist = pytest.mark.skipif(not OLIST.exists(), reason="the public data sets are not beside the checkout")
SIGNED = ("lead.mql", "deal.won")


def test_a_funnel_counts_each_account_once_per_step(story: Story) -> None:
    """
    acme  2026-01-05  lead.mql
    acme  2026-01-07  lead.mql
    acme  2026-01-09  lead.sal
    acme  2026-01-12  lead.sal
    bolt  2026-01-09  lead.mql
    """
    rows = story.table(funnel, chain=("lead.mql", "lead.sal")).rows
    assert rows == [
        ("all", "lead.mql", 2, None, 1.0, 0, 0, None),
        ("all", "lead.sal", 1, 0.5, 0.5, 0, 1, 0.5),
    ]


def test_the_window_is_half_open_and_counted_from_the_first_step(story: Story) -> None:
    """
    acme  2026-01-01T10:00  lead.mql
    acme  2026-01-30T10:00  lead.sal
    acme  2026-01-31T10:00  deal.won  object_id=d1
    bolt  2026-01-01T10:00  lead.mql
    bolt  2026-01-31T09:59  deal.won  object_id=d2
    """
    rows = story.table(funnel, chain=("lead.mql", "lead.sal", "deal.won"), within_days=30).rows
    assert [row[2] for row in rows] == [2, 2, 1]


def test_open_are_those_whose_time_is_not_over(story: Story) -> None:
    """
    acme  2026-01-01  lead.mql
    bolt  2026-01-02  lead.mql
    cole  2026-01-02  lead.mql
    cole  2026-01-03  deal.won  object_id=d1
    """
    answer = story.until(date(2026, 1, 31)).table(funnel, chain=SIGNED, within_days=30)
    assert answer.rows[1] == ("all", "deal.won", 1, 1 / 3, 1 / 3, 1, 1, 0.0)
    assert answer.warnings == ["1 rows are provisional, more than a fifth of their units are still open: all."]


def test_without_a_window_all_that_are_not_there_are_open(story: Story) -> None:
    """
    acme  2016-01-01  lead.mql
    bolt  2016-01-02  lead.mql
    bolt  2026-01-03  deal.won  object_id=d1
    """
    rows = story.table(funnel, chain=SIGNED, within_days=None).rows
    assert rows[1] == ("all", "deal.won", 1, 0.5, 0.5, 1, 0, None)


def test_a_skipped_step_is_passed_unless_strict(story: Story) -> None:
    """
    acme  2026-01-01  lead.mql
    acme  2026-01-05  deal.won  object_id=d1
    """
    chain = ("lead.mql", "lead.sal", "deal.won")
    assert [row[2] for row in story.table(funnel, chain=chain).rows] == [1, 1, 1]
    assert [row[2] for row in story.table(funnel, chain=chain, strict=True).rows] == [1, 0, 0]


def test_a_win_before_the_first_step_counts_and_is_named(story: Story) -> None:
    """
    acme  2026-01-02  lead.mql
    acme  2026-01-01  deal.won  object_id=d1  id=early
    """
    answer = story.table(funnel, chain=SIGNED)
    assert answer.rows[1][2] == 1
    assert answer.warnings == ["1 deal.won before its first lead.mql: early."]


def test_the_first_fact_of_the_first_step_decides_the_cohort(story: Story) -> None:
    """
    acme  2025-12-31  lead.mql  channel=mail
    acme  2026-01-01  lead.mql  channel=search
    bolt  2026-01-01  lead.mql
    """
    assert [row[0] for row in story.table(funnel, chain=SIGNED, by="month").rows[::2]] == ["2025-12", "2026-01"]
    assert [row[0] for row in story.table(funnel, chain=SIGNED, by="channel").rows[::2]] == ["(unknown)", "mail"]


def test_units_may_be_deals_and_facts_without_a_unit_are_named(story: Story) -> None:
    """
    -  2026-01-01  deal.opened  object_id=d1  id=o1
    -  2026-01-02  deal.won     object_id=d1  id=w1
    """
    chain = ("deal.opened", "deal.won")
    assert [row[2] for row in story.table(funnel, chain=chain, unit="object").rows] == [1, 1]
    by_account = story.table(funnel, chain=chain)
    assert by_account.rows == []
    assert by_account.warnings == ["2 facts name no account and are left out: o1, w1."]


@pytest.mark.parametrize("chain", [("lead.mql",), ("lead.mql", "lead.mql"), ("lead.mql", "lead.won")])
def test_a_chain_needs_two_known_kinds(chain: tuple[str, ...]) -> None:
    with pytest.raises(BadOption):
        Story([]).table(funnel, chain=chain)


def test_the_median_counts_those_that_still_wait(story: Story) -> None:
    """
    acme  2026-01-01  lead.mql
    acme  2026-01-11  deal.won  object_id=d1
    bolt  2026-01-01  lead.mql
    bolt  2026-01-21  deal.won  object_id=d2
    cole  2026-01-01  lead.mql
    dora  2026-01-01  lead.mql
    """
    assert story.table(stage_velocity).rows == [("all", 4, 2, 2, 20.0, 15.0)]


def test_a_median_is_unknown_when_fewer_than_half_convert(story: Story) -> None:
    """
    acme  2026-01-01  lead.mql
    acme  2026-01-11  deal.won  object_id=d1
    bolt  2026-01-01  lead.mql
    cole  2026-01-01  lead.mql
    """
    assert story.table(stage_velocity).rows == [("all", 3, 1, 2, None, 10.0)]


def test_a_negative_duration_is_no_duration(story: Story) -> None:
    """
    acme  2026-01-02  lead.mql
    acme  2026-01-01  deal.won  object_id=d1  id=early
    bolt  2026-01-02  lead.mql
    bolt  2026-01-05T12:00  deal.won  object_id=d2
    """
    answer = story.table(stage_velocity)
    assert answer.rows == [("all", 2, 2, 0, 3.5, 3.5)]
    assert answer.warnings == ["1 deal.won before its first lead.mql: early."]


def test_an_estimate_is_unknown_beyond_what_was_watched(story: Story) -> None:
    """
    acme  2026-01-01  lead.mql
    acme  2026-01-03  deal.won  object_id=d1
    bolt  2026-01-01  lead.mql
    """
    at = story.until(date(2026, 1, 11))
    assert at.table(conversion_estimate, within_days=10).rows == [("all", 2, 1, 0, 1, 0.5, 0.5, 0.5)]
    assert at.table(conversion_estimate, within_days=11).rows == [("all", 2, 1, 1, 0, 0.5, None, None)]


def olist() -> Story:
    """Leads and won deals of the Olist marketplace: a lead is an account here, as each becomes one seller."""
    with (OLIST / "olist_marketing_qualified_leads_dataset.csv").open() as file:
        rows = list(csv.DictReader(file))
    facts = [_olist(row["mql_id"], row["first_contact_date"], "lead.mql", row["origin"]) for row in rows]
    with (OLIST / "olist_closed_deals_dataset.csv").open() as file:
        facts += [_olist(row["mql_id"], row["won_date"], "deal.won", None) for row in csv.DictReader(file)]
    return Story(facts)


def _olist(lead: str, at: str, kind: str, channel: str | None) -> Fact:
    return Fact(
        source="olist",
        id=f"{kind}:{lead}",
        kind=kind,
        occurred_at=datetime.fromisoformat(at).replace(tzinfo=UTC),
        recorded_at=RECORDED,
        keys={"account.story": lead},
        object_id=lead,
        channel=channel or None,
    )


@needs_olist
@pytest.mark.real_data
def test_the_olist_funnel_is_reproduced() -> None:
    story = olist()
    won = {
        days: story.table(funnel, chain=SIGNED, within_days=days).rows[1][2] for days in (7, 30, 60, 90, 180, 365, None)
    }
    assert won == {7: 249, 30: 547, 60: 644, 90: 691, 180: 774, 365: 838, None: 842}
    ever = story.table(funnel, chain=SIGNED, within_days=None)
    assert [row[:5] for row in ever.rows] == [
        ("all", "lead.mql", 8000, None, 1.0),
        ("all", "deal.won", 842, 0.10525, 0.10525),
    ]
    assert "1 deal.won before its first lead.mql" in ever.warnings[0]
    april = story.table(funnel, chain=SIGNED, within_days=None, by="month").rows
    assert [row[2] for row in april if row[0] == "2018-04"] == [1352, 183]
    (velocity,) = story.table(stage_velocity).rows
    assert velocity[1:5] == (8000, 842, 7158, None)
    assert velocity[5] == pytest.approx(14.68, abs=0.1)


@needs_olist
@pytest.mark.real_data
def test_the_olist_funnel_as_of_june_2018_is_reproduced() -> None:
    then = olist().until(date(2018, 6, 1))
    row = then.table(funnel, chain=SIGNED).rows[1]
    assert (row[2], row[5], row[6], row[7]) == (634, 3391, 3975, 283 / 4258)
    estimates = [then.table(conversion_estimate, within_days=days).rows[0] for days in (30, 60, 90, 180)]
    assert [round(100 * float(str(row[7])), 2) for row in estimates] == [6.88, 8.14, 8.73, 9.53]
    assert estimates[2][1:5] == (8000, 634, 3391, 3975)
    assert estimates[2][6] == 283 / 4258
