"""Deals: won, lost, open, and how fast they move."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from stories import Story

from plait.facts import Fact
from plait.measures.pipeline import bookings, pipeline, pipeline_velocity, win_rate

NEW_YEAR = date(2027, 1, 1)


def test_a_deal_reopened_and_won_after_it_was_lost_is_won_once(story: Story) -> None:
    """
    acme  2026-01-05  deal.opened  500 EUR  object_id=d1
    acme  2026-02-01  deal.lost    500 EUR  object_id=d1
    acme  2026-03-01  deal.won     400 EUR  object_id=d1
    bolt  2026-01-05  deal.lost    100 EUR  object_id=d2
    """
    table = story.until(NEW_YEAR).table(win_rate)
    assert table.rows == [("all", 1, 1, None, 0.5, Decimal(400), Decimal(100), 0.8, "EUR")]


def test_a_lost_deal_is_worth_what_was_last_quoted(story: Story) -> None:
    """
    acme  2026-01-05  deal.opened   500 EUR  object_id=d1
    acme  2026-01-09  deal.changed  300 EUR  object_id=d1
    acme  2026-02-01  deal.lost              object_id=d1
    bolt  2026-02-01  deal.won      900 EUR  object_id=d1 source=other
    """
    table = story.until(NEW_YEAR).table(win_rate)
    assert table.records()[0]["lost_amount"] == Decimal(300)
    assert table.records()[0]["win_rate_amount"] == 0.75


def test_lost_deals_without_any_amount_leave_the_rate_by_amount_unknown(story: Story) -> None:
    """
    acme  2026-01-05  deal.won   500 EUR  object_id=d1
    bolt  2026-02-01  deal.lost           object_id=d2
    """
    table = story.until(NEW_YEAR).table(win_rate)
    assert table.rows == [("all", 1, 1, None, 0.5, Decimal(500), None, None, "EUR")]
    assert table.warnings == ["1 deals have no amount (d2): they count as deals and add nothing to the amounts."]


def test_a_deal_belongs_to_the_month_it_closed_or_was_opened(story: Story) -> None:
    """
    acme  2026-01-05  deal.opened  500 EUR  object_id=d1
    acme  2026-02-01  deal.won     500 EUR  object_id=d1
    bolt  2026-01-31  deal.opened  500 EUR  object_id=d2
    cork  2026-02-01  deal.lost    300 EUR  object_id=d3
    """
    closed = story.until(NEW_YEAR).table(win_rate, by="month")
    created = story.until(NEW_YEAR).table(win_rate, by="month", denominator="created")
    assert [row[:5] for row in closed.rows] == [("2026-02", 1, 1, None, 0.5)]
    assert [row[:5] for row in created.rows] == [("(unknown)", 0, 1, 0, 0.0), ("2026-01", 1, 0, 1, 0.5)]
    assert created.warnings == ["1 rows are provisional (2026-01): over a fifth of their deals is still open."]


def test_two_currencies_never_split_the_count_and_never_add_up(story: Story) -> None:
    """
    acme  2026-02-01  deal.won   500 EUR  object_id=d1
    bolt  2026-02-01  deal.won   500 USD  object_id=d2
    cork  2026-02-01  deal.lost  500 USD  object_id=d3
    """
    table = story.until(NEW_YEAR).table(win_rate)
    assert table.rows == [("all", 2, 1, None, 2 / 3, None, None, None, None)]
    assert "2 currencies (EUR, USD)" in table.warnings[0]
    assert "load `fx.rate` facts" in table.warnings[0]


def test_what_is_open_is_what_was_not_closed_since_it_was_last_opened(story: Story) -> None:
    """
    acme  2026-12-05  deal.opened   500 EUR  object_id=d1
    bolt  2026-12-05  deal.opened            object_id=d2
    cork  2026-12-05  deal.lost     100 EUR  object_id=d3
    cork  2026-12-06  deal.opened   100 EUR  object_id=d3
    cork  2026-12-07  deal.changed  200 EUR  object_id=d3
    dart  2026-12-05  deal.won      800 EUR  object_id=d4
    elan  2026-12-05  deal.lost     800 EUR  object_id=d5
    """
    table = story.until(NEW_YEAR).table(pipeline)
    assert table.rows == [("all", 3, 1, Decimal(700), 2, 0.5, Decimal(350), 2.0, "EUR")]


def test_a_win_at_the_instant_of_opening_closes_the_deal(story: Story) -> None:
    """
    acme  2026-12-05  deal.won     500 EUR  object_id=d1  id=a
    acme  2026-12-05  deal.opened  500 EUR  object_id=d1  id=b
    """
    assert [row[:3] for row in story.until(NEW_YEAR).table(win_rate).rows] == [("all", 1, 0)]


def test_deals_closed_long_ago_say_nothing_about_the_pipeline(story: Story) -> None:
    """
    acme  2025-12-31  deal.won     500 EUR  object_id=d1
    bolt  2026-12-05  deal.opened  500 EUR  object_id=d2
    """
    table = story.until(NEW_YEAR).table(pipeline)
    assert table.rows == [("all", 1, 0, Decimal(500), 0, None, None, None, "EUR")]
    assert story.until(NEW_YEAR).table(pipeline, trailing_days=366).records()[0]["expected"] == Decimal(500)


def test_velocity_is_open_times_rate_times_average_by_cycle(story: Story) -> None:
    """
    acme  2026-12-01  deal.opened  100 EUR  object_id=d1
    acme  2026-12-05  deal.won     100 EUR  object_id=d1
    bolt  2026-12-01  deal.opened  300 EUR  object_id=d2
    bolt  2026-12-07  deal.won     300 EUR  object_id=d2
    cork  2026-12-05  deal.lost    100 EUR  object_id=d3
    dart  2026-12-05  deal.opened  100 EUR  object_id=d4
    elan  2026-12-05  deal.opened           object_id=d5
    elan  2026-12-03  deal.won     200 EUR  object_id=d6
    elan  2026-12-04  deal.opened  200 EUR  object_id=d6
    elan  2026-12-02  deal.won              object_id=d7
    elan  2026-12-04  deal.opened           object_id=d7
    elan  2026-12-05  deal.won              object_id=d7
    """
    table = story.until(NEW_YEAR).table(pipeline_velocity)
    # 3 of 4 closed deals were won, 200 EUR on average, after 1, 4 or 6 days; d6 is open again: 3 open
    assert table.rows == [("all", 3, 0.75, Decimal(200), 4.0, Decimal("112.5"), "EUR")]


def test_bookings_keep_currencies_apart(story: Story) -> None:
    """
    acme  2026-01-05  deal.won  100 EUR    object_id=d1
    bolt  2026-01-06  deal.won  50.01 EUR  object_id=d2
    cork  2026-01-07  deal.won  70 USD     object_id=d3
    dart  2026-01-07  deal.won             object_id=d4
    """
    table = story.until(NEW_YEAR).table(bookings)
    assert table.rows == [
        ("2026-01", 2, Decimal("150.01"), Decimal("75.005"), "EUR"),
        ("2026-01", 1, Decimal(70), Decimal(70), "USD"),
        ("2026-01", 1, None, None, None),
    ]


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("price", "amount", "rate"), [("close_value", 10_005_534, 0.6272), ("list", 10_023_482, 0.6276)]
)
def test_the_crm_sample_has_its_published_win_rate(price: str, amount: int, rate: float) -> None:
    won = crm_story(price).table(win_rate).records()[0]
    assert (won["won"], won["lost"], won["won_amount"]) == (4_238, 2_473, amount)
    assert (round(won["win_rate"], 4), round(won["win_rate_amount"], 4)) == (0.6315, rate)  # type: ignore[arg-type]


@pytest.mark.real_data
def test_the_crm_sample_has_its_published_pipeline() -> None:
    crm = crm_story("close_value")
    assert crm.table(pipeline).records()[0]["open"] == 1_589 + 500
    engaging = Story([fact for fact in crm.facts if fact.text != "Prospecting"], as_of=crm.as_of)
    assert round(engaging.table(pipeline_velocity).rows[0][5], 2) == Decimal("41562.54")  # type: ignore[arg-type]


def crm_story(price: str) -> Story:
    """Read the public CRM sample: list price on what is opened or lost, the named price on what is won."""
    folder = Path(__file__).parents[2] / "shared" / "data" / "crm_sales_opportunities"
    if not folder.exists():
        pytest.skip("no ../shared/data")
    rows = duckdb.sql(f"""
        select p.*, l.sales_price as list
        from '{folder}/sales_pipeline.csv' p
        left join '{folder}/products.csv' l on replace(p.product, ' ', '') = replace(l.product, ' ', '')
    """).arrow()
    facts = []
    for row in rows.read_all().to_pylist():
        told = {"object_id": row["opportunity_id"], "product": row["product"], "text": row["deal_stage"]}
        opened_on = row["engage_date"] or date(2017, 12, 31)
        facts.append(crm_fact("deal.opened", opened_on, row["list"], told))
        if row["deal_stage"] == "Won":
            facts.append(crm_fact("deal.won", row["close_date"], row[price], told))
        if row["deal_stage"] == "Lost":
            facts.append(crm_fact("deal.lost", row["close_date"], row["list"], told))
    return Story(facts, as_of=datetime(2018, 1, 1))  # noqa: DTZ001


def crm_fact(kind: str, day: date, price: int, told: dict[str, str]) -> Fact:
    """Give one fact of the sample."""
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return Fact(
        source="crm",
        id=f"{told['object_id']}-{kind}",
        kind=kind,
        occurred_at=at,
        recorded_at=at,
        object_id=told["object_id"],
        amount=Decimal(price),
        currency="USD",
        product=told["product"],
        text=told["text"],
    )
