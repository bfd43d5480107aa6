"""Two engines, one answer: every registered measure gives exactly equal rows on DuckDB and on a Spark cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
from cluster import spark_cluster
from homes import stored, waited
from stories import draw_facts

from plait.measure import Measure
from plait.measures import load_measures
from plait.timeline import Timeline, open_timeline

pytestmark = [
    pytest.mark.spark,
    # Spark's Python driver leaves the closing of its sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
NOW = datetime(2030, 1, 2, tzinfo=UTC)
AS_OF = date(2025, 7, 1)
EVERYTHING = "PLAIT_SPARK_ALL" in os.environ  # the long run: minutes of planning for paths that resemble each other
# Options beyond the defaults that take another path through a measure.
VARIANTS: dict[str, list[dict[str, object]]] = {
    "funnel": [{"within_days": None, "by": "channel"}, {"unit": "person", "by": "quarter"}, {"strict": True}],
    "stage_stock": [{"by": "month"}],
    "win_rate": [{"by": "product"}, {"denominator": "created", "by": "month"}],
    "revenue": [{"basis": "payment"}],
    "retention": [{"basis": "order"}],
    "spend": [{"by": "campaign"}],
    "attribution": [{"model": "position"}],
}


WAITS = [
    ("web", 10, "2024-11-01T10:00:00", "2024-11-01T10:00:05"),
    ("web", 7, "2024-11-01T10:00:02", "2024-11-01T10:00:09"),
    ("web", 100, "2024-11-02T23:00:00", "2024-11-05T01:00:00"),  # nobody sealed for two days
]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Timeline, Timeline]]:
    work = tmp_path_factory.mktemp("cluster")
    store = stored(work / "a home with spaces", draw_facts(11))
    waited(store.home, WAITS)
    with spark_cluster(work, compiling=EVERYTHING) as address:
        spark = open_timeline(store, now=NOW, engine=address)
        yield open_timeline(store, now=NOW), spark
        spark.engine.backend._session.stop()


# They add up what `attribution`, `spend`, `customer_value` and `stage_ledger` add up, by the same expressions: planning
# takes minutes.
SAME_SUMS = {"attribution_models", "channel_return", "value_by_origin", "alive", "stage_flow", "stage_stock"}
TRIED = [pytest.param(m, id=name) for name, m in load_measures().items() if EVERYTHING or name not in SAME_SUMS]


@pytest.mark.parametrize("measure", TRIED)
def test_spark_gives_the_rows_of_duckdb(both: tuple[Timeline, Timeline], measure: Measure) -> None:
    duckdb, spark = (timeline.until(AS_OF) for timeline in both)
    for options in [{}, *(VARIANTS.get(measure.name, []) if EVERYTHING else [])]:
        here, there = duckdb.table(measure, **options), spark.table(measure, **options)
        assert there.rows == here.rows, options
        assert there.warnings == here.warnings, options
