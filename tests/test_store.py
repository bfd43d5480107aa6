"""The store: a fact once, a load whole or not at all, and what a power cut tears is cut off."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from homes import NOW, stored
from stories import draw_facts, told

from plait import desk
from plait.delta import DurableTable
from plait.facts import Fact
from plait.store import FACTS, Store, UnsafeHome, view_sql

LEAD = Fact(
    source="crm", id="1", kind="lead.mql", occurred_at=datetime(2026, 1, 5, tzinfo=UTC), recorded_at=NOW,
    keys={"account.crm": "A1"},
)  # fmt: skip


def changed(fact: Fact, **fields: object) -> Fact:
    """Give a fact with some fields changed."""
    return Fact(**{name: getattr(fact, name) for name in Fact.__slots__} | fields)


def rows(store: Store) -> list[tuple[object, ...]]:
    """Give the stored facts, less the instant at which we knew."""
    with duckdb.connect() as db:
        db.execute(view_sql("facts", store.snapshot(), FACTS))
        return db.execute("select * exclude (recorded_at) from facts order by source, id").fetchall()


def test_facts_come_back_as_they_went_in(tmp_path: Path) -> None:
    fact = changed(LEAD, kind="deal.won", object_id="d1", amount=Decimal("1234.5678"), currency="EUR", text="안녕")
    store = stored(tmp_path, [fact])
    (row,) = rows(store)
    assert row[:5] == ("1", "crm", "2026-01", "deal.won", datetime(2026, 1, 5))  # noqa: DTZ001
    assert Decimal("1234.5678") in row
    assert "안녕" in row


def test_loading_twice_adds_nothing(tmp_path: Path) -> None:
    facts = draw_facts(3, count=200)
    before = rows(stored(tmp_path, facts))
    again = desk.add(tmp_path, facts, name="test", now=NOW)
    other_name = desk.add(tmp_path, reversed(facts), name="another file", now=NOW)
    assert sum(file.added for file in again + other_name) == 0
    assert sum(file.known for file in other_name) == 200
    assert rows(Store.open(tmp_path)) == before


def test_the_same_id_with_other_content_is_refused_and_the_first_stays(tmp_path: Path) -> None:
    stored(tmp_path, [LEAD])
    (loaded,) = desk.add(tmp_path, [changed(LEAD, channel="social")], name="second", now=NOW)
    assert (loaded.accepted, loaded.refused, loaded.added) == (0, 1, 0)
    (row,) = rows(Store.open(tmp_path))
    assert "social" not in row
    assert desk.info(tmp_path).refused == 1


def test_of_two_contents_in_one_load_the_first_is_kept(tmp_path: Path) -> None:
    twins = [LEAD, changed(LEAD, channel="social"), LEAD]
    (loaded,) = desk.add(tmp_path, twins, name="twins", now=NOW)
    assert (loaded.rows, loaded.accepted, loaded.refused, loaded.added, loaded.known) == (3, 2, 1, 1, 1)


def test_ids_are_unique_per_source_only(tmp_path: Path) -> None:
    store = stored(tmp_path, [LEAD, changed(LEAD, source="billing")])
    assert [count.facts for count in store.count()] == [1, 1]


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"kind": "lead.mqll"}, "unknown kind"),
        ({"occurred_at": datetime(2031, 1, 1, tzinfo=UTC)}, "in the future of the load"),
        ({"occurred_at": datetime(1970, 1, 1, tzinfo=UTC)}, "too early"),
        ({"amount": Decimal(5)}, "amount without currency"),
        ({"amount": Decimal(-5), "currency": "EUR"}, "negative amount"),
        ({"currency": "EURO"}, "unknown currency"),
        ({"kind": "nps.answered", "quantity": Decimal(11)}, "quantity out of bounds"),
        ({"kind": "deal.won"}, "missing object_id"),
        ({"keys": {"e-mail": "a@b.example"}}, "unknown key"),
    ],
)
def test_what_is_no_fact_is_refused_with_its_rule(tmp_path: Path, fields: dict[str, object], rule: str) -> None:
    (loaded,) = desk.add(tmp_path, [LEAD, changed(LEAD, id="2", **fields)], name="test", now=NOW)
    assert (loaded.rows, loaded.accepted, loaded.refused) == (2, 1, 1)
    with duckdb.connect() as db:
        files = list(Store.open(tmp_path).refused().files)
        assert db.execute("select line, rule from read_parquet(?)", [files]).fetchall() == [(2, rule)]


@pytest.mark.parametrize("name", ["a b", "hôme", "x#1", "a'b"])
def test_homes_with_odd_names_work(tmp_path: Path, name: str) -> None:
    assert stored(tmp_path / name, [LEAD]).snapshot().rows == 1
    assert desk.show(tmp_path / name, "funnel", now=NOW).rows[0][2] == 1


@pytest.mark.parametrize("name", ["x[1]", "p%20q", "a{b}", "what?"])
def test_homes_that_engines_misread_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsafeHome, match="engines misread"):
        Store.open(tmp_path / name)


def test_verify_finds_a_missing_file(tmp_path: Path) -> None:
    store = stored(tmp_path, [LEAD])
    assert desk.verify(tmp_path) == []
    Path(store.snapshot().files[0]).unlink()
    assert "is missing" in desk.verify(tmp_path)[0]


def test_compacting_changes_no_fact(tmp_path: Path) -> None:
    for number in range(4):
        store = stored(tmp_path, draw_facts(3, count=80)[number * 20 :][:20], name=str(number))
    before, files = rows(store), len(store.snapshot().files)
    desk.compact(tmp_path)
    assert rows(store) == before
    assert len(store.snapshot().files) < files
    assert desk.verify(tmp_path) == []


def torn(store: Store, fault: str) -> None:
    """Tear the newest commit as a power cut might have."""
    log = store.facts.path / "_delta_log" / f"{store.facts.version():020d}.json"
    store.facts.mark.write_text(f'{{"version": {store.facts.version() - 1}}}')
    if fault == "empty entry":
        log.write_text("")
    elif fault == "half an entry":
        log.write_text(log.read_text()[:150])
    else:
        newest = max(store.snapshot().files, key=lambda name: Path(name).stat().st_mtime_ns)
        Path(newest).write_bytes(Path(newest).read_bytes()[:-10])


@pytest.mark.parametrize("fault", ["empty entry", "half an entry", "short data file"])
def test_a_torn_commit_is_cut_off_and_can_be_loaded_again(tmp_path: Path, fault: str) -> None:
    stored(tmp_path, told("acme 2026-01-05 lead.mql"), name="first")
    store = stored(tmp_path, told("acme 2026-02-05 lead.mql id=x"), name="second")
    expected = rows(store)
    torn(store, fault)
    assert Store.open(tmp_path).snapshot().rows == 1
    stored(tmp_path, told("acme 2026-02-05 lead.mql id=x"), name="second")
    assert rows(Store.open(tmp_path)) == expected


def test_what_is_durable_is_never_cut(tmp_path: Path) -> None:
    store = stored(tmp_path, [LEAD])
    assert DurableTable(store.facts.path, store.facts.mark)._durable() == store.facts.version()
