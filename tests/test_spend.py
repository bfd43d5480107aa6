"""Spend: what it costs to win customers."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from stories import Story

from plait.measures.spend import acquisition_cost, spend

NEW_YEAR = date(2027, 1, 1)


def test_payouts_are_spend_in_the_channel_partner(story: Story) -> None:
    """
    -  2026-01-05  spend.paid   100 EUR  channel=search
    -  2026-01-06  payout.paid  30 EUR   partner=pat  channel=mail
    -  2026-01-07  cost.booked  7 EUR
    """
    year = story.until(NEW_YEAR)
    assert year.table(spend, by="channel").rows == [("partner", Decimal(30), "EUR"), ("search", Decimal(100), "EUR")]
    assert year.table(spend, include_payouts=False).rows == [("2026-01", Decimal(100), "EUR")]


def test_a_customer_is_new_once_and_costs_its_share(story: Story) -> None:
    """
    -     2026-01-05  spend.paid            900 EUR  channel=search
    -     2026-02-05  spend.paid            500 EUR  channel=search
    acme  2026-01-09  deal.won              10 EUR   object_id=d1
    acme  2026-02-09  deal.won              10 EUR   object_id=d2
    bolt  2026-01-10  deal.won              10 EUR   object_id=d3
    cork  2026-03-10  deal.won              10 EUR   object_id=d4
    acme  2026-01-20  subscription.started  40 EUR   object_id=c1
    acme  2026-01-20  subscription.started  20 EUR   object_id=c2
    acme  2026-05-20  subscription.started  99 EUR   object_id=c3
    """
    table = story.until(NEW_YEAR).table(acquisition_cost, margin=0.75)
    assert table.rows == [
        ("2026-01", Decimal(900), 2, Decimal(450), Decimal(60), 10.0, "EUR"),
        ("2026-02", Decimal(500), 0, None, None, None, "EUR"),
        ("2026-03", None, 1, None, None, None, None),  # nobody told what was spent: unknown, not 0
    ]
    assert {row[5] for row in story.until(NEW_YEAR).table(acquisition_cost).rows} == {None}


def test_spend_meets_the_customers_it_won_later(story: Story) -> None:
    """
    -     2026-01-05  spend.paid  900 EUR  channel=search
    -     2026-12-25  spend.paid  500 EUR  channel=search
    acme  2026-03-09  deal.won    10 EUR   object_id=d1  channel=search
    bolt  2026-03-10  deal.won    10 EUR   object_id=d2
    """
    table = story.until(NEW_YEAR).table(acquisition_cost, by="channel", lag_days=60)
    assert [row[:4] for row in table.rows] == [
        ("(unknown)", None, 1, None),
        ("search", Decimal(900), 1, Decimal(900)),
    ]
    assert [row[:4] for row in story.until(NEW_YEAR).table(acquisition_cost, lag_days=60).rows] == [
        ("2026-03", Decimal(900), 2, Decimal(450))
    ]


def test_a_customer_may_begin_with_an_order(story: Story) -> None:
    """
    -     2026-01-05  spend.paid    100 EUR  channel=search
    acme  2026-01-09  order.placed  10 EUR   object_id=o1
    acme  2026-01-10  order.placed  10 EUR   object_id=o2
    """
    table = story.until(NEW_YEAR).table(acquisition_cost, customer="order", by="all")
    assert [row[:4] for row in table.rows] == [("all", Decimal(100), 1, Decimal(100))]


def test_spend_in_two_currencies_has_no_cost_per_customer(story: Story) -> None:
    """
    -     2026-01-05  spend.paid  900 EUR  channel=search
    -     2026-01-05  spend.paid  900 USD  channel=search
    acme  2026-01-09  deal.won    10 EUR   object_id=d1
    """
    table = story.until(NEW_YEAR).table(acquisition_cost)
    assert [row[:4] for row in table.rows] == [("2026-01", None, 1, None)]
    assert "2 currencies (EUR, USD)" in table.warnings[0]
