"""Blocks: what boards are made of. A figure, a drawing and a listing are each a measure, asked for the page's state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Literal

from plait.measure import Cell, Definition, Table, known_measure
from plait.timeline import Scope
from plait.web import charts, formats, words
from plait.web.charts import Chart, Series
from plait.web.results import Ask, Results
from plait.web.state import State

Good = Literal["up", "down", ""]  # which way is good news; empty where neither is
SPARK_MONTHS = 13


@dataclass(frozen=True, slots=True)
class Question:
    """A measure as a block asks it: over the page's period, or how things stand at the page's moment.

    `options` are the block's own. `over` is `period` where the measure takes since and until, else `now`.
    """

    measure: str
    options: Mapping[str, object] = field(default_factory=dict)
    over: Literal["period", "now"] = "period"

    def ask(self, state: State, scope: Scope) -> Ask:
        """Ask for what the page shows."""
        return self._ask(state, scope, (state.since, state.until), state.as_of)

    def ask_before(self, state: State, scope: Scope) -> Ask | None:
        """Ask for what the page compares with."""
        earlier = state.earlier()
        if earlier is None:
            return None
        moment = state.as_of if self.over == "period" else state.moment_before()
        # By one definition, even if another held then: what is compared must be the same number.
        return self._ask(state, scope, earlier, moment, self.ask(state, scope).definition)

    def _ask(
        self,
        state: State,
        scope: Scope,
        period: tuple[date, date],
        as_of: date | None,
        definition: Definition | None = None,
    ) -> Ask:
        within = {"since": period[0], "until": period[1]} if self.over == "period" else {}
        given = {**within, **self.options}
        return Ask.of(self.measure, given, as_of=as_of, currency=state.currency, scope=scope, definition=definition)


@dataclass(frozen=True, slots=True)
class Figure:
    """One number with its comparison and, where the measure can be split by month, a sparkline.

    `where` picks the row; `good` says which way is good news; `title` names the figure (the column's label if empty).
    """

    question: Question
    column: str
    good: Good = ""
    title: str = ""
    where: Mapping[str, str] = field(default_factory=dict)
    spark: str = "month"  # how the sparkline splits the measure; empty for none

    span = 2
    template = "blocks/figure.html"

    def asks(self, state: State, scope: Scope) -> list[Ask]:
        """Give the questions behind it: now, before, and the line."""
        asks = [self.question.ask(state, scope), self.question.ask_before(state, scope), self._line(state, scope)]
        return [ask for ask in asks if ask is not None]

    def load(self, results: Results, state: State, scope: Scope) -> dict[str, object]:
        """Answer the figure as its template shows it."""
        ask, before_ask = self.question.ask(state, scope), self.question.ask_before(state, scope)
        table = results.table(ask)
        row = self._row(table)
        before = self._row(results.table(before_ask)) if before_ask else {}
        unit, currency = table.columns[self.column], row.get("currency")
        now = row.get(self.column)
        change = formats.change(now, before.get(self.column), unit)
        return {
            "title": words.label(self.title or self.column),
            "ask": ask,
            "column": self.column,
            "value": formats.shown(now, unit, str(currency) if currency else None, compact=True),
            "change": change[0] if change else "",
            "way": change[1] if change else 0,
            "good": self._verdict(change[1] if change else 0),
            "before": formats.shown(before.get(self.column), unit, str(currency) if currency else None, compact=True),
            "before_ask": before_ask,
            "remarks": [words.said(text) for text in table.warnings],
            "spark": self._spark(results, state, scope),
        }

    def _row(self, table: Table) -> Mapping[str, Cell]:
        """Give the row that the figure is about: the one that `where` picks, of several currencies the largest."""
        rows = [row for row in table.records() if all(str(row[name]) == text for name, text in self.where.items())]
        if not rows:
            return {}
        if len(rows) == 1 or "currency" not in table.columns:
            return rows[-1]
        numbers = [row for row in rows if isinstance(row[self.column], int | float | Decimal)]
        return max(numbers or rows, key=lambda row: charts.number(row[self.column]) or 0)

    def _verdict(self, way: int) -> str:
        if not way or not self.good:
            return ""
        return "good" if (way > 0) == (self.good == "up") else "bad"

    def _line(self, state: State, scope: Scope) -> Ask | None:
        """Ask for the months up to the page's moment."""
        measure = known_measure(self.question.measure)
        by = measure.options.get("by")
        if not self.spark or by is None or self.spark not in by.choices:
            return None
        options = {**self.question.options, "by": self.spark}
        if "since" in measure.options:
            number = state.end.year * 12 + state.end.month - 1 - SPARK_MONTHS
            over = state.end.replace(day=1)  # the running month would look like a fall
            options |= {"since": date(number // 12, number % 12 + 1, 1), "until": over}
        return Ask.of(measure.name, options, as_of=state.as_of, currency=state.currency, scope=scope)

    def _spark(self, results: Results, state: State, scope: Scope) -> Chart | None:
        ask = self._line(state, scope)
        if ask is None:
            return None
        table = results.table(ask)
        first, *_ = table.columns
        rows = [row for row in table.records() if all(str(row[name]) == text for name, text in self.where.items())]
        if len(rows) < 3:  # noqa: PLR2004 - two points are no line
            return None
        labels = [charts.label_of(row[first], table.columns[first]) for row in rows]
        values = [charts.number(row[self.column]) for row in rows]
        return Chart("spark", labels, [Series(words.label(self.column), values)], table.columns[self.column])


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart of a measure. `x` is the column of the axis; `split` the column that makes the series."""

    question: Question
    title: str
    kind: charts.Kind
    columns: Sequence[str]
    x: str = "cohort"
    split: str | None = None
    last: int = 0  # only the last rows
    span: int = 6

    template = "blocks/drawing.html"

    def asks(self, state: State, scope: Scope) -> list[Ask]:
        """Give the question behind it."""
        return [self.question.ask(state, scope)]

    def load(self, results: Results, state: State, scope: Scope) -> dict[str, object]:
        """Answer the drawing as its template shows it."""
        ask = self.question.ask(state, scope)
        table = results.table(ask)
        if self.kind == "heatmap":
            chart = charts.heatmap_of(table, row=self.x, column=str(self.split), value=self.columns[0])
        else:
            some = _last(table, self.last)
            today = results.local_day(table.as_of)
            chart = charts.chart_of(some, self.kind, self.columns, x=self.x, split=self.split, today=today)
        return _shown(self, ask, table) | {"chart": chart.told() if chart else None, "kind": self.kind}


@dataclass(frozen=True, slots=True)
class Listing:
    """A table of a measure: its columns, and how many of its last rows (0 for all)."""

    question: Question
    title: str
    columns: Sequence[str] = ()
    last: int = 12
    span: int = 6

    template = "blocks/listing.html"

    def asks(self, state: State, scope: Scope) -> list[Ask]:
        """Give the question behind it."""
        return [self.question.ask(state, scope)]

    def load(self, results: Results, state: State, scope: Scope) -> dict[str, object]:
        """Answer the listing as its template shows it."""
        ask = self.question.ask(state, scope)
        table = results.table(ask)
        return _shown(self, ask, table) | {"grid": grid_of(_last(table, self.last), self.columns)}


Block = Figure | Drawing | Listing


@dataclass(frozen=True, slots=True)
class Board:
    """A page of blocks. `area` is what somebody must be allowed to see; `lead` says what the page is for.

    `department` is set where it is the home of one; `place` orders the boards in the rail; `key` is the letter that
    leads to it on the keyboard.
    """

    name: str
    title: str
    lead: str
    area: str
    blocks: Sequence[Block]
    place: int
    department: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """A cell as a page shows it."""

    text: str
    column: str
    number: bool
    row: int


@dataclass(frozen=True, slots=True)
class Grid:
    """A table as a page shows it: headings with their unit, and rows of cells."""

    heads: list[tuple[str, str, bool]]
    rows: list[list[Shown]]


def grid_of(table: Table, columns: Sequence[str] = ()) -> Grid:
    """Lay out a table for a page."""
    names = list(columns or table.columns)
    units = {name: table.columns[name] for name in names}
    heads = [(words.label(name), words.label(unit), is_number(unit)) for name, unit in units.items()]
    rows = []
    for place, row in enumerate(table.records()):
        currency = row.get("currency")
        rows.append(
            [
                Shown(cell_text(row[name], unit, str(currency) if currency else None), name, is_number(unit), place)
                for name, unit in units.items()
            ]
        )
    return Grid(heads, rows)


def cell_text(cell: Cell, unit: str, currency: str | None) -> str:
    """Give a cell as a page shows it."""
    if isinstance(cell, str):
        return words.value(cell, unit)
    return formats.shown(cell, unit, currency)


def is_number(unit: str) -> bool:
    """Tell whether a unit's cells are numbers, which stand to the right."""
    return unit not in ("text", "id", "cohort", "stage", "currency", "day", "month")


def _last(table: Table, last: int) -> Table:
    return replace(table, rows=table.rows[-last:]) if last else table


def _shown(block: Drawing | Listing, ask: Ask, table: Table) -> dict[str, object]:
    return {
        "title": words.label(block.title),
        "ask": ask,
        "table": table,
        "remarks": [words.said(text) for text in table.warnings],
        "empty": not table.rows,
        "needs": known_measure(ask.measure),
    }
