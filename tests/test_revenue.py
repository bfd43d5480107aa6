"""Revenue: of new and of existing customers."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stories import RECORDED, Story

from plait.facts import Fact
from plait.measures.revenue import existing_revenue_share, revenue

NEW_YEAR = date(2027, 1, 1)


def test_a_customer_is_new_in_the_period_of_its_first_purchase(story: Story) -> None:
    """
    acme  2026-01-05  order.placed  100 EUR  object_id=o1
    acme  2026-01-25  order.placed  10 EUR   object_id=o2
    acme  2026-02-05  order.placed  30 EUR   object_id=o3
    bolt  2026-02-06  order.placed  50 EUR   object_id=o4
    -     2026-02-07  order.placed  7 EUR    object_id=o5
    """
    table = story.until(NEW_YEAR).table(revenue)
    assert table.rows == [
        ("2026-01", Decimal(110), Decimal(110), Decimal(0), Decimal(0), "EUR"),
        ("2026-02", Decimal(87), Decimal(50), Decimal(30), Decimal(7), "EUR"),
    ]
    assert table.warnings == [
        "1 sales belong to no known account (f0005), so nobody can say whether the customer is new."
    ]


def test_the_longer_the_period_the_fewer_are_existing(story: Story) -> None:
    """
    acme  2026-01-05  order.placed  100 EUR  object_id=o1
    acme  2026-02-05  order.placed  25 EUR   object_id=o2
    acme  2026-04-05  order.placed  25 EUR   object_id=o3
    bolt  2026-04-05  order.placed  75 EUR   object_id=o4
    """
    year = story.until(NEW_YEAR)
    assert [row[:2] for row in year.table(existing_revenue_share).rows] == [
        ("2026-01", 0.0),
        ("2026-02", 1.0),
        ("2026-04", 0.25),
    ]
    assert [row[:2] for row in year.table(existing_revenue_share, by="quarter").rows] == [
        ("2026-Q1", 0.0),
        ("2026-Q2", 0.25),
    ]
    repeats = year.table(existing_revenue_share, by="year", rule="any_repeat")
    assert repeats.rows == [("2026", 50 / 225, Decimal(225), Decimal(50), "EUR")]


def test_a_period_of_any_length_knows_who_bought_before_it(story: Story) -> None:
    """
    acme  2026-01-05  order.placed  100 EUR  object_id=o1
    acme  2026-02-10  order.placed  30 EUR   object_id=o2
    bolt  2026-02-11  order.placed  50 EUR   object_id=o3
    bolt  2026-02-16  order.placed  5 EUR    object_id=o4
    -     2026-02-12  order.placed  7 EUR    object_id=o5  id=in
    -     2026-02-17  order.placed  9 EUR    object_id=o6  id=out
    """
    week = {"by": "all", "since": date(2026, 2, 10), "until": date(2026, 2, 17)}
    table = story.until(NEW_YEAR).table(revenue, **week)
    assert table.rows == [("all", Decimal(92), Decimal(55), Decimal(30), Decimal(7), "EUR")]
    assert [warning.split(" (")[1][:2] for warning in table.warnings] == ["in"], "only what lies in the period"
    share = story.until(NEW_YEAR).table(existing_revenue_share, **week)
    assert [row[:2] for row in share.rows] == [("all", 30 / 85)]


def test_an_order_of_nothing_begins_a_customer_too(story: Story) -> None:
    """
    acme  2026-01-05  order.placed  0 EUR   object_id=o1
    acme  2026-02-05  order.placed  25 EUR  object_id=o2
    """
    rows = story.until(NEW_YEAR).table(existing_revenue_share).rows
    assert [row[:2] for row in rows] == [("2026-01", None), ("2026-02", 1.0)]


def test_invoices_are_revenue_where_there_are_any(story: Story) -> None:
    """
    acme  2026-01-05  order.placed    100 EUR  object_id=o1
    acme  2026-02-05  invoice.issued  90 EUR   object_id=i1
    """
    year = story.until(NEW_YEAR)
    assert [row[:2] for row in year.table(revenue).rows] == [("2026-02", Decimal(90))]
    assert [row[:2] for row in year.table(revenue, basis="order").rows] == [("2026-01", Decimal(100))]
    assert [row[:2] for row in story.until(date(2026, 2, 1)).table(revenue).rows] == [("2026-01", Decimal(100))]


def test_refunds_are_taken_off_on_the_day_they_were_made(story: Story) -> None:
    """
    acme  2026-01-05  payment.received  100 EUR
    acme  2026-02-05  payment.refunded  30 EUR
    bolt  2026-02-06  payment.received  50 EUR
    bolt  2026-02-07  payment.refunded  50 EUR
    """
    assert story.until(NEW_YEAR).table(revenue, basis="payment").rows == [
        ("2026-01", Decimal(100), Decimal(100), Decimal(0), Decimal(0), "EUR"),
        ("2026-02", Decimal(-30), Decimal(0), Decimal(-30), Decimal(0), "EUR"),
    ]


def test_currencies_have_rows_of_their_own_but_no_share(story: Story) -> None:
    """
    acme  2026-01-05  order.placed  100 EUR  object_id=o1
    acme  2026-01-06  order.placed  100 USD  object_id=o2
    """
    year = story.until(NEW_YEAR)
    assert [(row[1], row[-1]) for row in year.table(revenue).rows] == [(Decimal(100), "EUR"), (Decimal(100), "USD")]
    assert year.table(existing_revenue_share).rows == [("2026-01", None, None, None, None)]
    assert "2 currencies (EUR, USD)" in year.table(existing_revenue_share).warnings[0]


sales = st.lists(
    st.tuples(st.sampled_from(["acme", "bolt", None]), st.integers(1, 700), st.integers(0, 10_000)), max_size=30
)


@settings(max_examples=10, deadline=None)
@given(sales)
def test_the_parts_add_up_to_the_whole(sold: list[tuple[str | None, int, int]]) -> None:
    facts = [order(n, account, day, Decimal(cents) / 100) for n, (account, day, cents) in enumerate(sold)]
    rows = Story(facts, con=CON).table(revenue, by="quarter").rows
    assert all(whole == new + existing + nobody for _, whole, new, existing, nobody, _ in rows)  # type: ignore[operator]
    assert sum(row[1] for row in rows) == sum(fact.amount for fact in facts)  # type: ignore[misc]


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("by", "period", "existing"),
    [
        ("month", "1997-02", 0.1608),
        ("month", "1997-03", 0.2881),
        ("quarter", "1997-Q1", 0.0),
        ("quarter", "1997-Q2", 1.0),
    ],
)
def test_the_cd_shop_has_its_known_share_of_existing_customers(by: str, period: str, existing: float) -> None:
    rows = cd_shop().table(existing_revenue_share, by=by).rows
    assert [round(float(str(row[1])), 4) for row in rows if row[0] == period] == [existing]


CON = Story([]).con


@cache
def cd_shop() -> Story:
    """Read the public purchases of a CD shop; its 80 orders of nothing are kept."""
    file = Path(__file__).parents[2] / "shared" / "data" / "cdnow" / "CDNOW_master.txt"
    if not file.exists():
        pytest.skip("no ../shared/data")
    lines = [line.split() for line in file.read_text().splitlines()[1:] if line.strip()]
    return Story([order(n, line[0], days_from(line[1]), Decimal(line[3])) for n, line in enumerate(lines)])


def days_from(day: str) -> int:
    """Count the days from 1997 to a day like 19970131."""
    return (date(int(day[:4]), int(day[4:6]), int(day[6:])) - date(1997, 1, 1)).days


def order(number: int, account: str | None, day: int, amount: Decimal) -> Fact:
    """Give an order `day` days after the first of 1997."""
    at = datetime.fromordinal(date(1997, 1, 1).toordinal() + day).replace(tzinfo=UTC)
    keys = {"account.story": account} if account else {}
    return Fact(
        source="shop",
        id=str(number),
        kind="order.placed",
        occurred_at=at,
        recorded_at=RECORDED,
        keys=keys,
        object_id=str(number),
        amount=amount,
        currency="USD",
    )
