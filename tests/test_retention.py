"""Retention: who stays, and what becomes of recurring revenue."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from stories import RECORDED, Story

from plait.facts import Fact
from plait.measures.retention import recurring_revenue, retention

JAN, FEB, MAR, APR = (date(2026, month, 1) for month in (1, 2, 3, 4))


def test_mrr_moves_by_the_published_formulas(story: Story) -> None:
    """
    a  2025-01-05  subscription.started  100 EUR  object_id=a
    a  2026-01-05  subscription.changed  130 EUR  object_id=a
    b  2025-01-05  subscription.started  200 EUR  object_id=b
    b  2026-01-31  subscription.changed  150 EUR  object_id=b
    c  2025-01-05  subscription.started  50 EUR   object_id=c
    c  2026-01-01  subscription.ended             object_id=c
    d  2025-01-05  subscription.started  150 EUR  object_id=d
    e  2026-01-05  subscription.started  80 EUR   object_id=e
    f  2024-01-05  subscription.started  70 EUR   object_id=f
    f  2024-06-05  subscription.ended             object_id=f
    f  2026-01-05  subscription.started  60 EUR   object_id=f2
    """
    moves = (500, 80, 30, 50, 50, 60, 570)
    for months in (1, 12):
        (row,) = story.until(FEB).table(recurring_revenue, months=months).records()[-1:]
        assert list(row.values())[:8] == [JAN, *map(Decimal, moves)]
        assert list(row.values())[8:] == [430 / 500, 0.8, 4, 1, 0.25, 1.7, "EUR"]


def test_an_account_is_the_sum_of_its_contracts(story: Story) -> None:
    """
    a  2025-12-05  subscription.started  100 EUR  object_id=a1
    a  2026-01-05  subscription.ended             object_id=a1
    a  2026-01-05  subscription.started  120 EUR  object_id=a2
    """
    row = story.until(FEB).table(recurring_revenue, months=1).records()[-1]
    assert (row["expansion"], row["churn"], row["new"], row["logo_churn"]) == (Decimal(20), 0, 0, 0.0)


def test_growth_is_not_exchange_rate(story: Story) -> None:
    """
    x  2025-11-01  fx.rate               1 EUR    object_id=USD  quantity=1
    x  2026-01-01  fx.rate               1 EUR    object_id=USD  quantity=2
    a  2025-12-05  subscription.started  100 USD  object_id=a
    a  2025-12-05  subscription.started  50 EUR   object_id=b
    """
    story.currency = "EUR"
    december, january = story.until(FEB).table(recurring_revenue, months=1).records()
    assert (december["end"], january["start"], january["end"]) == (Decimal(150), Decimal(250), Decimal(250))
    assert january["net_retention"] == 1.0


def test_the_running_month_is_left_out(story: Story) -> None:
    """
    a  2026-01-05  subscription.started  100 EUR  object_id=a
    a  2026-02-05  subscription.ended             object_id=a
    """
    assert [row[0] for row in story.until(date(2026, 2, 28)).table(recurring_revenue, months=1).rows] == [JAN]
    assert [row[0] for row in story.until(APR).table(recurring_revenue, months=1).rows] == [JAN, FEB]


def test_a_cohort_has_every_month_that_is_over_and_no_other(story: Story) -> None:
    """
    acme  2026-01-05  order.placed  1 EUR  object_id=o1
    acme  2026-01-06  order.placed  1 EUR  object_id=o2
    acme  2026-03-05  order.placed  1 EUR  object_id=o3
    bolt  2026-01-05  order.placed  1 EUR  object_id=o4
    cork  2026-02-05  order.placed  1 EUR  object_id=o5
    dart  2026-04-01  order.placed  1 EUR  object_id=o6
    -     2026-02-05  order.placed  1 EUR  object_id=o7
    """
    assert story.until(date(2026, 4, 5)).table(retention, basis="order").rows == [
        (JAN, 0, 2, 2, 1.0),
        (JAN, 1, 2, 0, 0.0),
        (JAN, 2, 2, 1, 0.5),
        (FEB, 0, 1, 1, 1.0),
        (FEB, 1, 1, 0, 0.0),
    ]


def test_a_subscriber_is_active_when_a_contract_pays_at_the_months_end(story: Story) -> None:
    """
    acme  2026-01-05  subscription.started  10 EUR  object_id=c1
    acme  2026-02-05  subscription.ended            object_id=c1
    acme  2026-03-05  subscription.started  10 EUR  object_id=c2
    bolt  2026-01-05  subscription.started  10 EUR  object_id=c3
    bolt  2026-01-09  subscription.ended            object_id=c3
    cork  2026-01-05  subscription.started  0 EUR   object_id=c4
    """
    assert story.until(APR).table(retention).rows == [(JAN, 0, 2, 1, 0.5), (JAN, 1, 2, 0, 0.0), (JAN, 2, 2, 1, 0.5)]


def test_a_contract_of_nobody_counts_as_an_account_of_its_own(story: Story) -> None:
    """
    -  2026-01-05  subscription.started  10 EUR  object_id=c1
    -  2026-01-05  subscription.started  10 EUR  object_id=c2
    """
    assert story.until(FEB).table(retention).rows == [(JAN, 0, 2, 2, 1.0)]


moves = st.lists(
    st.tuples(
        st.sampled_from(["started", "changed", "ended"]),
        st.sampled_from(["acme", "bolt", "cork"]),
        st.integers(0, 3),
        st.integers(0, 400),
        st.integers(0, 9_999),
        st.sampled_from(["EUR", "EUR", "USD"]),
    ),
    max_size=25,
)


@settings(max_examples=10, deadline=None)
@given(moves, st.sampled_from([1, 3, 12]))
def test_what_moved_adds_up_to_the_end(told: list[tuple[str, str, int, int, int, str]], months: int) -> None:
    facts = [move(number, *one) for number, one in enumerate(told)]
    rows = Story(facts, con=CON).table(recurring_revenue, months=months).records()
    for row in rows:
        parts = [row[name] for name in ("start", "new", "expansion", "contraction", "churn", "reactivation")]
        start, new, expansion, contraction, churn, reactivation = (Decimal(str(part)) for part in parts)
        assert row["end"] == start - churn - contraction + expansion + new + reactivation
        assert row["gross_retention"] is None or 0 <= row["gross_retention"] <= 1  # type: ignore[operator]


CON = Story([]).con


def move(number: int, what: str, account: str, contract: int, day: int, cents: int, currency: str) -> Fact:
    """Give one fact about a contract, `day` days after the first of 2025."""
    return Fact(
        source="crm",
        id=str(number),
        kind=f"subscription.{what}",
        occurred_at=datetime.fromordinal(date(2025, 1, 1).toordinal() + day).replace(tzinfo=UTC),
        recorded_at=RECORDED,
        keys={"account.story": account},
        object_id=f"{account}-{contract}",
        amount=Decimal(cents) / 100,
        currency=currency,
    )
