"""Money: one currency by the rules, or none."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import ibis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stories import Story, told

from plait.measures._money import each
from plait.measures.spend import spend

NEW_YEAR = date(2027, 1, 1)


def test_a_rate_holds_from_the_first_day_of_the_next_month(story: Story) -> None:
    """
    fx    2026-01-15  fx.rate     1 EUR    object_id=USD  quantity=0.9
    fx    2026-02-02  fx.rate     1 EUR    object_id=USD  quantity=0.5
    fx    2026-04-01  fx.rate     1 EUR    object_id=USD  quantity=0.4
    -     2026-01-20  spend.paid  100 USD  channel=a
    -     2026-02-20  spend.paid  100 USD  channel=a
    -     2026-03-20  spend.paid  100 USD  channel=a
    -     2026-04-20  spend.paid  100 USD  channel=a
    -     2026-12-20  spend.paid  100 USD  channel=a
    """
    story.currency = "EUR"
    assert story.until(NEW_YEAR).table(spend).rows == [
        ("2026-01", Decimal(100), "USD"),  # no rate was known on the first of January
        ("2026-02", Decimal(90), "EUR"),
        ("2026-03", Decimal(50), "EUR"),
        ("2026-04", Decimal(40), "EUR"),
        ("2026-12", Decimal(40), "EUR"),
    ]


def test_a_turned_rate_serves_only_where_there_is_no_other(story: Story) -> None:
    """
    fx    2025-01-01  fx.rate     1 USD    object_id=EUR  quantity=1.25
    fx    2025-01-01  fx.rate     1 CHF    object_id=EUR  quantity=2
    fx    2025-01-01  fx.rate     1 EUR    object_id=CHF  quantity=0.6
    -     2026-01-20  spend.paid  100 USD  channel=a
    -     2026-01-20  spend.paid  100 CHF  channel=b
    -     2026-01-20  spend.paid  100 EUR  channel=c
    """
    story.currency = "EUR"
    assert story.until(NEW_YEAR).table(spend, by="channel").rows == [
        ("a", Decimal(80), "EUR"),
        ("b", Decimal(60), "EUR"),
        ("c", Decimal(100), "EUR"),
    ]


def test_the_last_rate_in_time_wins_and_its_order_is_total(story: Story) -> None:
    """
    fx    2026-01-15T09:00  fx.rate     1 EUR    object_id=USD  quantity=0.1  id=z
    fx    2026-01-15T10:00  fx.rate     1 EUR    object_id=USD  quantity=0.2  id=a
    fx    2026-01-15T10:00  fx.rate     1 EUR    object_id=USD  quantity=0.3  id=b
    -     2026-02-20        spend.paid  100 USD  channel=a
    """
    story.currency = "EUR"
    assert story.until(NEW_YEAR).table(spend).rows == [("2026-02", Decimal(30), "EUR")]


@pytest.mark.parametrize(
    ("amount", "rate"),
    [
        ("0.0001", "0.5"),  # half goes away from zero
        ("0.0003", "0.4999999999"),
        ("0.0001", "0.4999999999"),
        ("99999999999999.9999", "0.0000000001"),
        ("12345678901234.5678", "123.4567890123"),
    ],
)
def test_a_converted_amount_is_rounded_once(amount: str, rate: str) -> None:
    """The 14 digits of the product are exact; only then it is rounded to 4."""
    facts = told(f"""
        fx  2025-01-01  fx.rate     1 EUR         object_id=USD  quantity={rate}
        -   2026-01-20  spend.paid  {amount} USD  channel=a
    """)
    exact = (Decimal(amount) * Decimal(rate)).quantize(Decimal("0.0001"), ROUND_HALF_UP)
    assert Story(facts, currency="EUR").table(spend).rows == [("2026-01", exact, "EUR")]


def test_an_amount_without_a_currency_joins_no_other(story: Story) -> None:
    """
    -     2026-02-20  spend.paid  100 EUR  channel=a
    -     2026-02-20  spend.paid  70 ???   channel=a
    """
    story.facts = [replace(fact, currency=None) if fact.currency == "???" else fact for fact in story.facts]
    table = story.until(NEW_YEAR).table(spend)
    assert table.rows == [("2026-02", Decimal(70), "(unknown)"), ("2026-02", Decimal(100), "EUR")]
    assert table.warnings[0].startswith("Amounts are in 2 currencies ((unknown), EUR)")


@settings(max_examples=50, deadline=None)
@given(amount=st.decimals(0, 10**11, places=4), count=st.integers(1, 10**6))
def test_a_mean_of_money_is_the_exact_one_rounded_half_up(amount: Decimal, count: int) -> None:
    mean = each(ibis.literal(amount, "decimal(38,4)"), ibis.literal(count))
    found = CON.to_pyarrow(mean).as_py()
    assert found == (amount / count).quantize(Decimal("0.0001"), ROUND_HALF_UP)


CON = ibis.duckdb.connect()
