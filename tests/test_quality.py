from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from stories import RECORDED, Story

from plait.facts import Fact, Refusal
from plait.measures.quality import source_health

MAVEN = Path(__file__).parents[2] / "shared" / "data" / "crm_sales_opportunities" / "sales_pipeline.csv"
LOADED = date(2030, 1, 2)


def test_each_source_tells_what_it_delivered_and_how_fresh_it_is(story: Story) -> None:
    """
    acme  2026-01-01  lead.mql     source=crm
    -     2026-01-05  deal.opened  source=crm  object_id=d1
    acme  2026-01-06  deal.won     source=crm  object_id=d1
    -     2026-01-07  deal.opened  source=crm  object_id=d2
    -     2026-01-08  deal.lost    source=crm  object_id=d2
    -     2026-01-02  spend.paid  5 EUR  source=ads  channel=search
    """
    assert story.until(date(2026, 1, 31)).table(source_health).rows == [
        ("ads", 1, date(2026, 1, 2), date(2026, 1, 2), LOADED, 29.0, 0, 0, 0),
        ("crm", 5, date(2026, 1, 1), date(2026, 1, 8), LOADED, 23.0, 3, 1, 0),
    ]


def test_a_source_that_only_has_refused_rows_is_shown(story: Story) -> None:
    """
    acme  2026-01-01  lead.mql  source=crm
    """
    refused = Refusal("shop", "orders.csv", 2, "amount", "x", "is no number", "correct it", "{}")
    rows = Story(story.facts, [refused, refused]).table(source_health).rows
    assert rows[1] == ("shop", 0, None, None, None, None, 0, 0, 2)


@pytest.mark.skipif(not MAVEN.exists(), reason="the public data sets are not beside the checkout")
@pytest.mark.real_data
def test_the_opportunities_without_an_account_are_counted() -> None:
    with MAVEN.open() as file:
        facts = [
            Fact(
                source="crm",
                id=row["opportunity_id"],
                kind="deal.opened",
                occurred_at=datetime.fromisoformat(row["engage_date"] or "2017-01-01").replace(tzinfo=UTC),
                recorded_at=RECORDED,
                keys={"account.story": row["account"]} if row["account"] else {},
                object_id=row["opportunity_id"],
            )
            for row in csv.DictReader(file)
        ]
    (row,) = Story(facts).table(source_health).rows
    assert (row[1], row[6], row[7]) == (8800, 1425, 1425)
