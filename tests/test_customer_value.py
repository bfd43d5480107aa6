"""Customer value over a home's facts: what the engine tells of customers, and that the sums are the published ones."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from homes import NOW
from stories import Story

from plait.facts import Fact
from plait.measure import Table
from plait.measures._purchases import histories, read
from plait.measures._worth import worth
from plait.measures.alive import alive
from plait.measures.customer_value import customer_value, value_by_origin

CDNOW = Path(__file__).parents[2] / "shared" / "data" / "cdnow" / "CDNOW_sample.txt"
END_OF_39_WEEKS = datetime(1997, 10, 1)  # noqa: DTZ001 - the first instant not seen


def records(table: Table) -> list[dict[str, Any]]:
    """Give the rows by the names of their columns."""
    return list(table.records())


@pytest.fixture(scope="module")
def cdnow() -> Story:
    """Purchases of 2,357 customers of a shop in its first 78 weeks, as orders."""
    if not CDNOW.exists():
        pytest.skip("CDNOW is not here")
    rows = [line.split() for line in CDNOW.read_text().splitlines()]
    facts = [
        Fact(
            source="shop", id=f"{number}", kind="order.placed", recorded_at=NOW, object_id=f"o{number}",
            occurred_at=datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC) + timedelta(hours=12),
            keys={"account.story": f"c{customer}"}, amount=Decimal(amount), currency="USD",
        )
        for number, (_, customer, day, _, amount) in enumerate(rows)
    ]  # fmt: skip
    return Story(facts, as_of=END_OF_39_WEEKS)


def test_customers_of_cdnow_are_told_as_published(cdnow: Story) -> None:
    """2,357 customers, of whom 946 bought again, 2,457 times (Fader, Hardie & Lee 2005)."""
    told = read(cdnow.con.to_pyarrow(histories(cdnow.seen(), "order")))
    assert (len(told.account), int((told.x > 0).sum()), int(told.x.sum())) == (2357, 946, 2457)
    assert told.currency == "USD"


def test_parameters_and_forecast_of_cdnow_are_the_published_ones(cdnow: Story) -> None:
    told = read(cdnow.con.to_pyarrow(histories(cdnow.seen(), "order")))
    found = worth(told, "bg-nbd", horizon_days=273, discount=0.0, margin=1.0)
    assert found.fit.values == pytest.approx([0.24259, 4.41353, 0.79289, 2.42575], rel=1e-4)
    assert found.forecast.purchases.sum() == pytest.approx(1653.42, abs=0.05)
    assert found.forecast.alive.sum() == pytest.approx(1917.28, abs=0.05)


def test_the_best_customers_come_first_and_all_together_in_the_remarks(cdnow: Story) -> None:
    table = cdnow.table(customer_value, horizon_days=273, most=5)
    rows = records(table)
    assert [row["value"] for row in rows] == sorted((row["value"] for row in rows), reverse=True)
    assert all(row["value_low"] <= row["value"] <= row["value_high"] for row in rows)
    assert any("All 2357 customers together" in warning for warning in table.warnings)
    assert any("Tried from 3 days in the past" in warning for warning in table.warnings)


def test_values_by_origin_add_up_to_the_value_of_all(cdnow: Story) -> None:
    (everybody,) = records(cdnow.table(value_by_origin, by="all"))
    quarters = records(cdnow.table(value_by_origin, by="quarter"))
    assert sum(row["customers"] for row in quarters) == everybody["customers"] == 2357
    assert float(sum(row["value"] for row in quarters)) == pytest.approx(float(everybody["value"]), abs=0.02)
    assert everybody["value_low"] < everybody["value"] < everybody["value_high"]


def test_alive_counts_customers_and_their_chances(cdnow: Story) -> None:
    (row,) = records(cdnow.table(alive, by="all", lately_days=90))
    assert row["customers"] == 2357
    assert row["alive"] == pytest.approx(1917.28, abs=0.05)
    assert row["bought_again"] == 946
    assert 0 < row["bought_lately"] < 2357


def buyers(number: int, *, currency: str = "EUR", seed: int = 3) -> list[Fact]:
    """Make customers who buy at their own rates for a year and leave when they like."""
    chance = np.random.default_rng(seed)
    facts = []
    for customer in range(number):
        rate, stays, day = chance.gamma(2.0, 1 / 60), True, int(chance.integers(0, 100))
        while stays and day < 400:
            amount = Decimal(int(100 * chance.gamma(4, 25))) / 100
            at, name = datetime(2025, 1, 1, 9, tzinfo=UTC) + timedelta(day), f"{customer}-{day}"
            facts.append(
                Fact(
                    source="shop", id=name, kind="order.placed", occurred_at=at, recorded_at=NOW, object_id=name,
                    keys={"account.story": f"c{customer}"}, amount=amount, currency=currency,
                )
            )  # fmt: skip
            stays, day = bool(chance.random() > 0.15), day + 1 + int(chance.exponential(1 / rate))
    return facts


AFTERWARDS = datetime(2026, 3, 1)  # noqa: DTZ001


def test_two_purchases_of_a_day_are_one_and_today_is_not_over(story: Story) -> None:
    """
    acme  2026-01-01T09:00  order.placed  10.00 EUR object_id=o1
    acme  2026-01-01T15:00  order.placed  30.00 EUR object_id=o2
    acme  2026-01-11        order.placed  50.00 EUR object_id=o3
    acme  2026-01-21        order.placed   0.00 EUR object_id=o4
    acme  2026-01-31        order.placed  70.00 EUR object_id=o5
    """
    now = story.until(datetime(2026, 1, 31, 12))  # noqa: DTZ001
    told = read(now.con.to_pyarrow(histories(now.seen(), "order")))
    assert (told.x.tolist(), told.t_x.tolist(), told.age.tolist()) == ([2], [20], [29])
    assert (told.valued.tolist(), told.spend.tolist()) == ([1], [500_000])


def test_too_few_customers_are_refused_with_the_number_that_is_needed(story: Story) -> None:
    """
    acme  2026-01-01  order.placed  10.00 EUR object_id=o1
    acme  2026-01-11  order.placed  50.00 EUR object_id=o2
    """
    for measure in (customer_value, value_by_origin, alive):
        table = story.table(measure)
        assert table.rows == []
        assert "1 of 1 customers bought again; bg-nbd needs 30" in table.warnings[0]


def test_in_several_currencies_purchases_are_expected_and_no_money() -> None:
    facts = buyers(150)
    facts[0] = Fact(**{name: getattr(facts[0], name) for name in Fact.__slots__} | {"currency": "USD"})
    row = records(Story(facts, as_of=AFTERWARDS).table(customer_value))[0]
    assert row["expected_purchases"] > 0
    assert (row["value"], row["per_purchase"], row["currency"]) == (None, None, None)


def test_where_all_leave_alike_the_simpler_model_is_taken_and_said() -> None:
    table = Story(buyers(150), as_of=AFTERWARDS).table(customer_value)
    assert table.rows
    assert table.estimates.startswith("geometric-nbd")
    assert any("same chance" in warning for warning in table.warnings)


def test_customers_belong_to_the_channel_of_their_first_touch(story: Story) -> None:
    """
    c0  2024-12-01  ad.clicked     channel=search
    c0  2024-12-02  visit.started  channel=mail partner=pat
    c1  2024-12-01  visit.started  channel=mail
    """
    both = Story([*buyers(150), *story.facts], as_of=AFTERWARDS)
    channels = {row["origin"]: row["customers"] for row in records(both.table(value_by_origin, by="channel"))}
    assert channels == {"search": 1, "mail": 1, "(unknown)": 148}
    partners = {row["origin"]: row["customers"] for row in records(both.table(value_by_origin, by="partner"))}
    assert partners == {"pat": 1, "(none)": 149}


def test_first_and_last_purchase_are_days(story: Story) -> None:
    """
    zoe  2025-02-01  order.placed  10.00 EUR object_id=z1
    zoe  2025-05-01  order.placed  20.00 EUR object_id=z2
    """
    both = Story([*buyers(150), *story.facts], as_of=AFTERWARDS)
    (row,) = [row for row in records(both.table(customer_value, most=1000)) if row["account"] == "zoe"]
    assert (row["first_purchase"], row["last_purchase"], row["purchases"]) == (date(2025, 2, 1), date(2025, 5, 1), 2)
