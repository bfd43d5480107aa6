"""The timeline: what was known by a day stays what was known, and a refresh gives what a rebuild would give."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from homes import NOW, stored
from stories import draw_facts, told

from plait import derived, desk, identity
from plait.delta import DurableTable, mark_of
from plait.derived import TIMELINE, Derived
from plait.engine import QueryFailed
from plait.facts import Fact
from plait.measure import measure, registry
from plait.settings import Settings
from plait.store import Store, view_sql
from plait.timeline import open_timeline


def seen(home: Path, **until: date | datetime) -> list[str]:
    """Give the ids of the facts that a timeline shows."""
    opened = open_timeline(Store.open(home), now=NOW)
    for name, day in until.items():
        opened = getattr(opened, name)(day)
    facts = opened.facts().table
    return sorted(opened.engine.run(facts.select("id")).column("id").to_pylist())


def rows(home: Path) -> list[tuple[Any, ...]]:
    """Give all resolved facts, the key sets and the keys, less the day on which we knew."""
    made = Derived.open(Store.open(home).home)
    with duckdb.connect() as db:
        db.execute(view_sql("timeline", made.timeline.snapshot(), TIMELINE))
        db.execute(view_sql("identity", made.identity.snapshot(), identity.IDENTITY))
        db.execute(view_sql("nodes", made.nodes.snapshot(), identity.NODES))
        names = ("timeline", "identity", "nodes")
        return [row for name in names for row in db.execute(f"from {name} order by all").fetchall()]


@pytest.fixture(scope="module")
def seoul(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("seoul") / "home"
    desk.set_up(home, Settings("Asia/Seoul", "KRW"))
    text = """
    acme 2026-02-28T14:59 lead.mql  id=february
    acme 2026-02-28T15:00 lead.sal  id=march
    acme 2026-03-01T15:00 lead.sql  id=second
    """
    stored(home, told(text))
    return home


def test_a_day_begins_in_the_zone_of_the_home(seoul: Path) -> None:
    """In Seoul the first of March begins at 15:00 UTC of the 28th of February."""
    assert seen(seoul, until=date(2026, 3, 1)) == ["february"]
    assert seen(seoul, until=date(2026, 3, 2)) == ["february", "march"]


def test_an_instant_is_an_instant_in_every_zone(seoul: Path) -> None:
    assert seen(seoul, until=datetime(2026, 2, 28, 15, tzinfo=UTC)) == ["february"]
    assert seen(seoul, until=datetime(2026, 2, 28, 15, 0, 1, tzinfo=UTC)) == ["february", "march"]
    assert seen(seoul, until=datetime.fromisoformat("2026-03-01T00:00+09:00")) == ["february"]


def test_a_fact_stands_on_its_local_day(seoul: Path) -> None:
    days = {fact["id"]: fact["occurred_on"] for fact in desk.story(seoul, "acme", now=NOW).facts}
    assert days == {"february": date(2026, 2, 28), "march": date(2026, 3, 1), "second": date(2026, 3, 2)}


def test_clocks_that_change_move_no_day(tmp_path: Path) -> None:
    """Berlin puts clocks forward on 2026-03-29 and back on 2026-10-25: 23:30 UTC is next day in summer and winter."""
    desk.set_up(tmp_path, Settings("Europe/Berlin", None))
    text = """
    acme 2026-03-28T22:59 lead.mql  id=28
    acme 2026-03-28T23:00 lead.mql  id=29
    acme 2026-03-29T22:00 lead.mql  id=30
    acme 2026-10-24T22:00 lead.mql  id=o25
    acme 2026-10-25T22:59 lead.mql  id=o25b
    acme 2026-10-25T23:00 lead.mql  id=o26
    """
    stored(tmp_path, told(text))
    days = {str(f["id"]): f["occurred_on"] for f in desk.story(tmp_path, "acme", now=NOW).facts}
    assert {name: (day.month, day.day) for name, day in days.items() if isinstance(day, date)} == {
        "28": (3, 28), "29": (3, 29), "30": (3, 30), "o25": (10, 25), "o25b": (10, 25), "o26": (10, 26),
    }  # fmt: skip
    assert seen(tmp_path, until=date(2026, 3, 30)) == ["28", "29"]


def test_a_changed_zone_moves_the_days_by_itself(tmp_path: Path) -> None:
    stored(tmp_path, told("acme 2026-02-28T15:00 lead.mql"))
    (tmp_path / "plait.toml").write_text('zone = "Asia/Seoul"\ncurrency = ""\n')
    (fact,) = desk.story(tmp_path, "acme", now=NOW).facts
    assert fact["occurred_on"] == date(2026, 3, 1)


def test_what_came_later_changes_nothing_before(tmp_path: Path) -> None:
    """Whole answers by the first of 2025, before and after a load of later facts of the same accounts."""
    facts = draw_facts(5, count=300, accounts=12)
    split = datetime(2025, 1, 1, tzinfo=UTC)
    stored(tmp_path, [fact for fact in facts if fact.occurred_at < split], name="early")

    def answers() -> list[tuple[object, ...]]:
        names = ("funnel", "recurring_revenue", "stage_stock")
        tables = [desk.show(tmp_path, name, now=NOW, as_of=date(2025, 1, 1)) for name in names]
        return [(table.measure.name, table.rows, table.warnings) for table in tables]

    before = answers()
    assert all(rows for _, rows, _ in before)
    stored(tmp_path, [fact for fact in facts if fact.occurred_at >= split], name="late")
    assert answers() == before


def test_what_was_known_is_another_question(tmp_path: Path) -> None:
    """A lead of January came to us in March."""
    first, second = told("acme 2026-01-01 lead.mql id=a\nacme 2026-01-02 lead.sal id=b")
    desk.add(tmp_path, [second], name="february", now=datetime(2026, 2, 1, tzinfo=UTC))
    desk.add(tmp_path, [first], name="march", now=datetime(2026, 3, 1, tzinfo=UTC))
    assert seen(tmp_path, until=date(2026, 2, 2)) == ["a", "b"]
    assert seen(tmp_path, until=date(2026, 2, 2), known_at=date(2026, 2, 2)) == ["b"]


def test_an_answer_names_the_version_of_its_facts(tmp_path: Path) -> None:
    stored(tmp_path, told("acme 2026-01-01 lead.mql"), name="a")
    one = desk.show(tmp_path, "funnel", now=NOW)
    stored(tmp_path, told("bolt 2026-01-01 lead.mql id=b"), name="b")
    two = desk.show(tmp_path, "funnel", now=NOW)
    assert one.facts_version < two.facts_version == desk.info(tmp_path).version


# -- a refresh gives what a rebuild gives


def page(number: int, **keys: str) -> Fact:
    named = {name.replace("__", "."): value for name, value in keys.items()}
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
    return Fact(source="web", id=f"{number:04}", kind="page.viewed", occurred_at=at, recorded_at=NOW, keys=named)


def pages(first: int, count: int) -> list[Fact]:
    return [
        page(n, anonymous_id=f"c{n % 37}", account__crm=f"A{n % 23}") if n % 7 else page(n)
        for n in range(first, first + count)
    ]


MERGE = [page(900, account__crm="A1", account__billing="B"), page(901, account__crm="A2", account__billing="B")]
NOBODY = [page(902)]
LOADS: Sequence[tuple[str, Sequence[Fact]]] = (
    ("a", pages(0, 40)), ("b", pages(40, 5)), ("merge", MERGE), ("known", pages(0, 5)), ("nobody", NOBODY),
    ("c", pages(50, 30)),
)  # fmt: skip


@pytest.mark.parametrize(("most", "buckets"), [(10, 16), pytest.param(1, 256, marks=pytest.mark.slow)])
def test_a_refresh_gives_what_a_rebuild_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, buckets: int
) -> None:
    monkeypatch.setattr(derived, "FACTS_A_BUCKET", most)
    for day, (name, facts) in enumerate(LOADS):
        desk.add(tmp_path, facts, name=name, now=NOW + timedelta(day))
        if name == "known":
            desk.compact(tmp_path)
        refreshed = rows(tmp_path)
        if name in ("merge", "c"):
            desk.rebuild(tmp_path)
            assert rows(tmp_path) == refreshed
    place = TIMELINE.get_field_index("bucket")
    (digits,) = {len(row[place]) - 1 for row in refreshed if len(row) == len(TIMELINE) and row[0]}
    assert 16**digits == buckets
    assert desk.verify(tmp_path) == []


def test_a_refresh_adds_what_is_new_and_rewrites_only_what_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(derived, "FACTS_A_BUCKET", 10)
    store = stored(tmp_path, pages(0, 60))

    def files() -> set[str]:
        return set(Derived.open(store.home).timeline.snapshot().files)

    before = files()
    stored(tmp_path, [page(903, account__crm="A1")], name="b")
    added = files()
    assert len(added - before) == 1
    assert before < added, "a fact of a known account moves nothing"
    desk.compact(tmp_path)
    assert files() == added
    stored(tmp_path, MERGE, name="merge")
    assert 5 < len(added & files()) < len(added)


def test_a_bucket_of_many_small_files_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derived, "MOST_FILES", 3)
    for number in range(6):
        stored(tmp_path, [page(number, account__crm="A1")], name=str(number))
    assert len(Derived.open(tmp_path).timeline.snapshot().files) <= 4
    refreshed = rows(tmp_path)
    desk.rebuild(tmp_path)
    assert rows(tmp_path) == refreshed


def killed(*_given: object) -> int:
    raise KeyboardInterrupt


def test_a_refresh_killed_in_the_middle_is_made_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys were written, the timeline was not: what the next load must move is known from neither."""
    monkeypatch.setattr(derived, "FACTS_A_BUCKET", 10)
    stored(tmp_path, pages(0, 40))
    with monkeypatch.context() as patch:
        patch.setattr(DurableTable, "adopt", killed)
        with pytest.raises(KeyboardInterrupt):
            desk.add(tmp_path, MERGE, name="merge", now=NOW)
    stored(tmp_path, NOBODY, name="next")
    refreshed = rows(tmp_path)
    desk.rebuild(tmp_path)
    assert rows(tmp_path) == refreshed


def test_compacting_leaves_the_timeline_as_it_is(tmp_path: Path) -> None:
    for number in range(3):
        stored(tmp_path, pages(number * 10, 10), name=str(number))
    before = rows(tmp_path)
    desk.compact(tmp_path)
    assert rows(tmp_path) == before
    version = Derived.open(tmp_path).timeline.version()
    desk.show(tmp_path, "source_health", now=NOW)
    assert Derived.open(tmp_path).timeline.version() == version  # nothing was built again


# -- a question reads the timeline and nothing else


@pytest.mark.parametrize(
    "sql",
    [
        "from read_csv('{secret}')", "from read_text('{secret}')", "from '{secret}'", "from glob('{folder}/*')",
        "copy (select 1) to '{folder}/out.csv'", "attach '{folder}/x.db'",
        "install httpfs", "set enable_external_access = true", "set allowed_paths = ['{secret}']",
    ],
)  # fmt: skip
def test_a_question_reads_nothing_but_facts(seoul: Path, tmp_path: Path, sql: str) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    engine = open_timeline(Store.open(seoul), now=NOW).engine
    with pytest.raises(duckdb.Error):
        engine.run_sql(sql.format(secret=tmp_path / "secret.csv", folder=tmp_path))


def test_a_query_that_fails_is_told_with_its_text(seoul: Path) -> None:
    @measure(owner="it", grain="row", columns={"n": "facts"})
    def broken(facts: Any) -> Any:  # noqa: ANN401
        """Ask for what is not there."""
        return facts.table.select(n=facts.table.text.cast("int64"))

    try:
        opened = open_timeline(Store.open(seoul), now=NOW)
        (fact,) = told("acme 2026-01-01 stage.set id=z text=word")
        assert fact.text == "word"
        assert opened.table(broken).rows == [(None,)] * 3
        stored(seoul, [fact], name="z")
        with pytest.raises(QueryFailed, match=r"(?s)broken could not be answered.*The query was:\nSELECT"):
            open_timeline(Store.open(seoul), now=NOW).table(broken)
    finally:
        del registry["broken"]


def test_a_timeline_of_an_older_layout_is_made_again(tmp_path: Path) -> None:
    """A home whose timeline has other columns answers as before: the facts are all that it needs."""
    store = stored(tmp_path, told("acme 2026-01-01 lead.mql\nacme 2026-01-02 deal.won 5 EUR object_id=d1"))
    before = desk.show(tmp_path, "bookings", now=NOW).rows
    shutil.rmtree(tmp_path / "timeline")
    mark_of(tmp_path / "timeline").unlink()
    older = pa.schema([field for field in TIMELINE if field.name != "often"])
    DurableTable.open(tmp_path / "timeline", older, ("bucket",))
    assert desk.show(tmp_path, "bookings", now=NOW).rows == before
    assert before
    assert desk.verify(store.home) == []
