"""The examples, on the public data that they are written for."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from plait.sources.mapping import read_mapping
from plait.sources.staging import Staging, stage

DATA = Path(__file__).parents[2] / "shared" / "data"
EXAMPLES = Path(__file__).parents[1] / "examples"
pytestmark = [pytest.mark.real_data, pytest.mark.skipif(not DATA.exists(), reason="the public data is not here")]


def staged(example: str, folder: str, work: Path) -> Staging:
    mapping = read_mapping(EXAMPLES / f"{example}.toml")
    return stage(DATA / folder, mapping, work=work, recorded_at=datetime(2026, 1, 1, tzinfo=UTC))


def rows(staging: Staging, query: str) -> list[tuple[Any, ...]]:
    files = ", ".join(f"'{file.facts}'" for file in staging.files)
    return duckdb.sql(query.format(facts=f"read_parquet([{files}])")).fetchall()


def test_olist_gives_its_published_funnel(tmp_path: Path) -> None:
    staging = staged("olist_funnel", "olist", tmp_path)
    by_kind = rows(staging, "select kind, count(*), count(amount) from {facts} group by kind order by kind")
    assert by_kind == [("deal.won", 842, 0), ("lead.mql", 8000, 0)]
    won: dict[str | None, int] = dict(
        rows(staging, "select channel, count(*) from {facts} where kind = 'deal.won' group by channel")
    )
    assert (won["organic_search"], won["unknown"], won["email"], won[None]) == (271, 179, 15, 14)
    assert sum(file.refused_rows for file in staging.files) == 0
    assert "olist_sellers_dataset.csv" in staging.not_read


def test_the_crm_gives_its_known_sums(tmp_path: Path) -> None:
    staging = staged("maven_crm", "crm_sales_opportunities", tmp_path)
    by_kind = rows(
        staging, "select kind, count(*), count(nullif(keys, '{{}}')) from {facts} group by kind order by kind"
    )
    assert by_kind == [
        ("deal.lost", 2473, 2473), ("deal.opened", 8800, 7375), ("deal.won", 4238, 4238),
    ]  # fmt: skip
    assert rows(staging, "select sum(amount) from {facts} where kind = 'deal.won'") == [(Decimal(10005534),)]
    dated = "select count(*) from {facts} where detail like '%\"dated\":\"export\"%' and occurred_at = '2017-12-31'"
    assert rows(staging, dated) == [(500,)]
    marxen = "select sum(amount) from {facts} where kind = 'deal.won' and detail like '%Melvin Marxen%'"
    assert rows(staging, marxen) == [(Decimal(2251930),)]
    assert staging.not_read == ["accounts.csv", "data_dictionary.csv"]
