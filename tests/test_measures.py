"""What holds for every measure, whoever wrote it."""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

import ibis
import pytest
from homes import NOW, stored
from stories import Story, draw_facts, told

from plait import measures
from plait.facts import DEPARTMENTS
from plait.measure import (
    DATE_UNITS,
    FLOAT_UNITS,
    MONEY_UNIT,
    TEXT_UNITS,
    BadOption,
    Cell,
    Facts,
    Measure,
    Table,
    registry,
)
from plait.measures import load_measures
from plait.timeline import Timeline, open_timeline

CHECKS = Path(__file__).parent / "checks"
AS_OF = datetime(2025, 6, 1)  # noqa: DTZ001 - measures see naive UTC
UNPORTABLE = r"\.(first|last|mode|hash|asof_join)\(|collect\(\s*order_by"

load_measures()
EVERY = [pytest.param(measure, id=name) for name, measure in sorted(registry.items())]
every_measure = pytest.mark.parametrize("measure", EVERY)


@pytest.fixture(scope="module")
def drawn() -> Story:
    """Two thousand facts over forty accounts, some without account, channel or amount, many at the same instant."""
    return Story(draw_facts(7), as_of=AS_OF)


@pytest.fixture(scope="module")
def ask(drawn: Story) -> Callable[[str], Table]:
    """Answer a measure about the drawn facts, once."""
    return cache(lambda name: drawn.table(registry[name]))


@every_measure
def test_it_has_an_owner_a_grain_units_and_a_definition(measure: Measure) -> None:
    assert measure.owner in DEPARTMENTS
    assert measure.grain
    assert measure.columns
    assert all(measure.columns.values())
    assert len(measure.means.splitlines()) > 2, "a definition says more than its title: units, bounds, what is left out"


@every_measure
def test_its_options_have_defaults_that_they_allow(measure: Measure) -> None:
    defaults = {name: option.default for name, option in measure.options.items()}
    assert measure.read_options(defaults) == measure.read_options({})


@every_measure
def test_its_options_refuse_what_is_out_of_bounds(measure: Measure) -> None:
    with pytest.raises(BadOption, match="it has:"):
        measure.read_options({"no_such_option": 1})
    for name, option in measure.options.items():
        if option.choices:
            with pytest.raises(BadOption, match=re.escape(option.allowed())):
                measure.read_options({name: "no such choice"})
        if option.bounds:
            for value in (option.bounds.least - 1, option.bounds.most + 1):
                with pytest.raises(BadOption, match=re.escape(option.allowed())):
                    measure.read_options({name: value})


@every_measure
def test_an_empty_timeline_is_no_error(measure: Measure) -> None:
    rows = Story([], as_of=AS_OF).table(measure).rows
    numbers = [cell for row in rows for cell in row if isinstance(cell, int | float | Decimal)]
    assert not any(numbers)


@every_measure
def test_its_cells_are_what_its_units_say(measure: Measure, drawn: Story, ask: Callable[[str], Table]) -> None:
    assert drawn.measured(measure) == list(measure.columns)
    rows = drawn.unread(measure) or ask(measure.name).rows  # as the engine gives them, where no mathematics follows
    for row in rows:
        for cell, unit in zip(row, measure.columns.values(), strict=True):
            assert cell is None or isinstance(cell, _kind_of(unit)), f"{cell!r} is no {unit}"
    assert len(set(map(repr, rows))) == len(rows), "no two rows say the same"


def _kind_of(unit: str) -> type | tuple[type, ...]:
    if unit in TEXT_UNITS:
        return str
    if unit in DATE_UNITS:
        return date
    if unit in FLOAT_UNITS:
        return float
    return Decimal if unit == MONEY_UNIT else int


@every_measure
def test_its_shares_lie_between_nothing_and_all(measure: Measure, ask: Callable[[str], Table]) -> None:
    for row in ask(measure.name).rows:
        for cell, unit in zip(row, measure.columns.values(), strict=True):
            assert unit != "share" or cell is None or 0 <= Decimal(str(cell)) <= 1


@every_measure
def test_the_order_of_loading_does_not_matter(measure: Measure, drawn: Story, ask: Callable[[str], Table]) -> None:
    shuffled = random.Random(1).sample(drawn.facts, len(drawn.facts))  # noqa: S311 - no secret
    assert Story(shuffled, as_of=AS_OF).table(measure).rows == ask(measure.name).rows


@every_measure
def test_what_comes_later_changes_nothing(measure: Measure, drawn: Story, ask: Callable[[str], Table]) -> None:
    known = [fact for fact in drawn.facts if fact.occurred_at.replace(tzinfo=None) < AS_OF]
    assert len(known) < len(drawn.facts)
    assert Story(known, as_of=AS_OF).table(measure).rows == ask(measure.name).rows


@every_measure
def test_asking_twice_gives_the_same(measure: Measure, drawn: Story, ask: Callable[[str], Table]) -> None:
    one, two = ask(measure.name), replace(drawn, made={}).table(measure)  # made anew, too
    assert (one.rows, one.warnings, one.sql) == (two.rows, two.warnings, two.sql)


MONTHLY = [
    pytest.param(measure, id=name)
    for name, measure in sorted(registry.items())
    if {"by", "since"} <= measure.options.keys() and "month" in measure.options["by"].choices
]


@pytest.mark.parametrize("measure", MONTHLY)
def test_a_period_asked_for_alone_is_the_row_it_has_among_all(measure: Measure, drawn: Story) -> None:
    among_all = drawn.table(measure, by="month").rows
    alone = drawn.table(measure, by="month", since=date(2024, 1, 1), until=date(2024, 10, 1)).rows
    assert alone, "an empty answer proves nothing"
    assert alone == [row for row in among_all if "2024-01" <= str(row[0]) < "2024-10"]


@pytest.mark.parametrize("path", sorted(CHECKS.glob("*.sql")), ids=lambda path: path.stem)
def test_a_query_written_by_hand_agrees(path: Path, drawn: Story) -> None:
    """Lines `-- option: name = value` set the measure's options, `-- without: kind` leaves facts of a kind out."""
    query = path.read_text()
    without = re.findall(r"^-- without: (\S+)$", query, re.MULTILINE)
    drawn = Story([fact for fact in drawn.facts if fact.kind not in without], as_of=AS_OF) if without else drawn
    options = dict(re.findall(r"^-- option: (\w+) = (.*)$", query, re.MULTILINE))
    measure = registry[path.stem.split("-", maxsplit=1)[0]]
    answer = drawn.table(measure, **options).rows
    assert answer, "an empty answer proves nothing"
    assert _rounded(answer) == _rounded(drawn.by_hand(query))


def _rounded(rows: list[tuple[Cell, ...]]) -> list[tuple[Cell, ...]]:
    return [tuple(round(cell, 8) if isinstance(cell, float) else cell for cell in row) for row in rows]


def test_loading_the_measures_twice_changes_nothing() -> None:
    before = dict(registry)
    load_measures()
    assert registry == before


@pytest.mark.parametrize("path", sorted(Path(measures.__path__[0]).glob("*.py")), ids=lambda path: path.stem)
def test_no_measure_uses_what_differs_between_engines(path: Path) -> None:
    source = ast.unparse(ast.parse(path.read_text()))
    found = [line.strip() for line in source.splitlines() if re.search(UNPORTABLE, line)]
    assert not found, "differs or is refused on Spark, see docs/decisions: use row_number or islands"


def test_a_story_reads_as_facts() -> None:
    (fact,) = told("acme  2026-01-05T10:30  deal.won  900.00 EUR  object_id=d1  owner=sol  person=pia")
    assert (fact.amount, fact.currency, fact.object_id, fact.owner) == (Decimal("900.00"), "EUR", "d1", "sol")
    assert fact.keys == {"account.story": "acme", "person.story": "pia"}
    later = replace(fact, occurred_at=fact.occurred_at + timedelta(days=1))
    assert Story([fact, later]).until(date(2026, 1, 6)).facts == [fact, later]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Timeline:
    """The drawn facts in a home."""
    return open_timeline(stored(tmp_path_factory.mktemp("lived") / "home", draw_facts(7)), now=NOW)


@every_measure
def test_a_question_made_once_answers_for_every_day(measure: Measure, lived: Timeline) -> None:
    """The days of one question give what a query gives into which they were written from the beginning."""
    question = None
    for day in (date(2024, 11, 1), date(2025, 6, 1)):
        opened, given = lived.until(day), {"since": date(2024, day.month, 2), "until": day}
        options = measure.read_options({name: value for name, value in given.items() if name in measure.options})
        question = question or opened.ask(measure, options)
        fresh = opened.engine.run(measure.answer(opened.facts(), options).rows)
        again = opened.engine.run_sql(opened.query(question.sql, options))
        assert [_rounded([tuple(row.values())]) for row in again.to_pylist()] == [
            _rounded([tuple(row.values())]) for row in fresh.to_pylist()
        ]


def test_a_measure_cannot_decide_by_a_day_of_its_own(lived: Timeline) -> None:
    """A question must do for all days, so that what is decided outside of the query is refused."""

    def early(facts: Facts) -> ibis.Table:
        return facts.of("deal.won") if facts.today < date(2025, 1, 1) else facts.of("deal.lost")

    odd = replace(registry["bookings"], build=early, options={})
    with pytest.raises(ValueError, match="truth value"):
        lived.ask(odd, {})
