"""The result cache: an answer that is kept is the answer that would be given, and nobody gets another reader's."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import ibis.expr.types as ir
import pytest

from plait import desk
from plait.facts import Fact
from plait.measure import Facts, Table, known_measure, measure, registry
from plait.settings import read_settings, write_settings
from plait.timeline import Scope, Timeline
from plait.web.results import Ask, Kept, Results

NOW = datetime(2026, 7, 2, tzinfo=UTC)
ALL, PARTNER, OTHER, NONE = Scope(), Scope(("P-01",)), Scope(("P-02", "P-03")), Scope(())


@pytest.fixture
def own_home(home: Path, tmp_path: Path) -> Path:
    """Give a copy of the demo's home, to change."""
    return Path(shutil.copytree(home, tmp_path / "copy", ignore=shutil.ignore_patterns("web", "demo", "spill")))


@pytest.fixture
def temporary() -> Iterator[None]:
    """Forget the measures that a test defines."""
    before = dict(registry)
    yield
    registry.clear()
    registry.update(before)


def won(name: str, *, occurred_at: datetime = datetime(2026, 6, 30, tzinfo=UTC)) -> Fact:
    """Give a deal that was won."""
    return Fact(
        id=name, source="later", kind="deal.won", occurred_at=occurred_at, recorded_at=NOW, object_id=name,
        keys={"account.domain": "later.example"}, amount=Decimal(1000), currency="EUR",
    )  # fmt: skip


def results_of(home: Path) -> Results:
    return Results(home, lambda: NOW)


def uncached(timeline: Timeline, ask: Ask) -> Table:
    """Answer a question with nothing kept at all."""
    seen = timeline.within(ask.scope).reporting_in(ask.currency)
    if ask.as_of:
        seen = seen.until(ask.as_of)
    return seen.table(known_measure(ask.measure), **dict(ask.options))


def bookings(by: str = "all", scope: Scope = ALL) -> Ask:
    return Ask.of("bookings", {"by": by}, scope=scope)


def total(table: Table) -> int:
    """Give the number of deals of an answer in one row."""
    return int(str(table.records()[0]["deals"]))


def test_what_is_kept_is_what_would_be_answered(home: Path) -> None:
    kept, newest = results_of(home), desk.open_home(home, now=NOW)
    for name in sorted(desk.measures()):
        ask = Ask.of(name, {}, scope=PARTNER)
        first, second, fresh = kept.table(ask), kept.table(ask), uncached(newest, ask)
        assert second is first, name
        assert (first.rows, list(first.warnings)) == (fresh.rows, list(fresh.warnings)), name
    assert kept.hits == kept.misses


def test_one_readers_rows_never_reach_another(home: Path) -> None:
    """Readers of three scopes ask the same questions in random order on eight threads; each gets what is theirs."""
    questions: list[tuple[str, dict[str, object]]] = [
        ("bookings", {"by": "month"}), ("win_rate", {"by": "partner"}), ("spend", {"by": "all"}), ("source_health", {}),
    ]  # fmt: skip
    asks = [
        Ask.of(name, options, as_of=as_of, currency=currency, scope=scope)
        for name, options in questions
        for currency, as_of in ((None, None), ("USD", date(2026, 3, 1)))
        for scope in (ALL, PARTNER, OTHER)
    ]
    newest = desk.open_home(home, now=NOW)
    expected = {ask: uncached(newest, ask).rows for ask in asks}
    theirs = {scope: [rows for ask, rows in expected.items() if ask.scope == scope] for scope in (ALL, PARTNER, OTHER)}
    assert theirs[ALL] != theirs[PARTNER] != theirs[OTHER]

    kept, chance = results_of(home), random.Random(7)  # noqa: S311 - the order of a test
    order = [chance.choice(asks) for _ in range(1_000)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(kept.table, order))
    wrong = [ask for ask, table in zip(order, answers, strict=True) if table.rows != expected[ask]]
    assert wrong == []
    assert kept.misses == len(set(order))


def test_a_reader_without_partners_sees_no_fact(home: Path) -> None:
    assert results_of(home).table(Ask.of("bookings", {"by": "month"}, scope=NONE)).rows == []


def test_new_facts_end_old_answers(own_home: Path) -> None:
    kept = results_of(own_home)
    before, partner = kept.table(bookings()), kept.table(bookings(scope=PARTNER))
    desk.add(own_home, [won("new-1"), won("new-2")], name="later", now=NOW)
    assert kept.peek(bookings()) is None
    after = kept.table(bookings())
    assert total(after) == total(before) + 2
    assert after.facts_version > before.facts_version
    assert after.rows == uncached(desk.open_home(own_home, now=NOW), bookings()).rows
    assert kept.table(bookings(scope=PARTNER)).rows == partner.rows


def test_facts_that_come_while_a_question_is_answered_are_in_the_next_answer(own_home: Path, temporary: None) -> None:  # noqa: ARG001
    """While the first answer is made a deal is won; what was made of the older facts is not kept for the newer ones."""

    @measure(owner="sales", grain="all", columns={"deals": "deals"})
    def deals_won(facts: Facts) -> ir.Table:
        """Deals won."""
        if not came:
            came.append(won("meanwhile"))
            desk.add(own_home, came, name="later", now=NOW)
        table: ir.Table = facts.of("deal.won").aggregate(deals=lambda told: told.count())
        return table

    came: list[Fact] = []
    kept = results_of(own_home)
    ask = Ask.of("deals_won", {}, scope=ALL)
    first, second = kept.table(ask), kept.table(ask)
    assert (total(second) - total(first), second.facts_version > first.facts_version) == (1, True)


def test_a_rebuilt_timeline_is_asked_again(own_home: Path) -> None:
    kept = results_of(own_home)
    before = kept.table(bookings())
    desk.rebuild(own_home)
    assert kept.peek(bookings()) is None
    assert kept.table(bookings()).rows == before.rows


def test_changed_settings_end_old_answers(own_home: Path) -> None:
    kept, dollars = results_of(own_home), Ask.of("bookings", {"by": "all"}, currency="USD", scope=ALL)
    before = kept.table(bookings())
    settings = read_settings(own_home)
    write_settings(own_home, type(settings)(settings.zone, "USD", settings.as_of))
    assert kept.table(bookings()).rows != before.rows
    assert kept.table(bookings()).rows == kept.table(dollars).rows


def test_a_new_day_is_a_new_question(own_home: Path) -> None:
    """A home that looks from today sees on the next day what happened then."""
    settings = read_settings(own_home)
    write_settings(own_home, type(settings)(settings.zone, settings.currency))
    desk.add(
        own_home,
        [won("today", occurred_at=datetime(2026, 7, 2, 12, tzinfo=UTC))],
        name="later",
        now=NOW.replace(hour=13),
    )
    clock = [NOW - timedelta(days=1)]
    kept = Results(own_home, lambda: clock[0])
    yesterday = kept.table(bookings())
    clock[0] = NOW.replace(hour=13)
    assert total(kept.table(bookings())) == total(yesterday) + 1


def test_one_question_has_one_key() -> None:
    desk.measures()
    told = Ask.of("win_rate", {"denominator": "closed", "by": "month"}, scope=ALL)
    assert told == Ask.of("win_rate", {"by": "month"}, scope=ALL)
    assert told != Ask.of("win_rate", {"by": "month"}, scope=PARTNER)


def test_what_was_not_used_for_longest_makes_room() -> None:
    kept: Kept[str] = Kept(10, len)
    for key, value in enumerate(("aaaa", "bbbb", "cc")):
        kept.put(key, value)
    kept.get(0)
    kept.put(3, "dddd")
    assert [kept.get(key) for key in range(4)] == ["aaaa", None, "cc", "dddd"]
    kept.put(0, "a")
    assert (kept.weight, len(kept)) == (7, 3)
