"""Charts: what a chart shows, as plain values. The browser draws it; nothing here knows the drawing library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal

from plait.measure import DATE_UNITS, MONEY_UNIT, TEXT_UNITS, Cell, Table
from plait.web import formats, words

Kind = Literal["line", "bar", "stacked", "ranked", "funnel", "heatmap", "spark", "interval"]
MOST_RANKED = 12
MOST_PARTS = 12


@dataclass(frozen=True, slots=True)
class Series:
    """One series: its name and a value for each label of the axis; None is unknown and draws a gap."""

    name: str
    values: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: its kind, the labels of its axis, its series, and the unit that all values share.

    `partial` marks labels whose period is not over: they are drawn paler. `rows` labels the second axis of a heatmap.
    """

    kind: Kind
    labels: Sequence[str]
    series: Sequence[Series]
    unit: str
    currency: str | None = None
    partial: Sequence[bool] = ()
    rows: Sequence[str] = field(default_factory=list)

    def told(self) -> dict[str, object]:
        """Give what the browser needs to draw it."""
        return {
            "kind": self.kind,
            "labels": list(self.labels),
            "unit": self.unit,
            "currency": self.currency,
            "partial": list(self.partial),
            "rows": list(self.rows),
            "series": [
                {"name": one.name, "values": list(one.values), "low": list(one.low), "high": list(one.high)}
                for one in self.series
            ],
        }


def chart_of(
    table: Table, kind: Kind, columns: Sequence[str], *, x: str, split: str | None = None, today: date
) -> Chart | None:
    """Draw columns of a table over its column `x`; `split` makes a series of each value of a text column.

    None when there is nothing to draw, or more series than an eye can tell apart. Money is drawn in one currency: that
    of the most rows. The month, quarter and year of `today` are not over.
    """
    records, currency = _in_one_currency(table)
    if not records:
        return None
    unit = table.columns[columns[0]]
    x_unit = table.columns[x]
    places = list(dict.fromkeys(record[x] for record in records))
    labels = [label_of(place, x_unit) for place in places]
    if split is None:
        series = [_series(words.label(name), records, places, x, name) for name in columns]
    else:
        parts = list(dict.fromkeys(str(record[split]) for record in records))
        if len(parts) > MOST_PARTS:
            return None
        series = [
            _series(
                words.value(part, table.columns[split]),
                [record for record in records if str(record[split]) == part],
                places,
                x,
                columns[0],
            )
            for part in parts
        ]
    if kind == "ranked":
        labels, series = _ranked(labels, series)
    running = _running(today)
    return Chart(kind, labels, series, unit, currency, [str(place) in running for place in places])


def heatmap_of(table: Table, *, row: str, column: str, value: str) -> Chart | None:
    """Draw a table's values over two of its columns: cohorts downward, time since to the right."""
    records = table.records()
    if not records:
        return None
    rows = list(dict.fromkeys(record[row] for record in records))
    columns = list(dict.fromkeys(record[column] for record in records))
    cells = {(record[row], record[column]): number(record[value]) for record in records}
    series = [Series(label_of(one, table.columns[row]), [cells.get((one, other)) for other in columns]) for one in rows]
    labels = [label_of(one, table.columns[column]) for one in columns]
    return Chart("heatmap", labels, series, table.columns[value], rows=[one.name for one in series])


def intervals_of(table: Table, *, x: str, value: str, low: str, high: str, faint: Sequence[str] = ()) -> Chart | None:
    """Draw a column of a table with the interval of each value, in the order of the table; `faint` is drawn paler."""
    records, currency = _in_one_currency(table)
    records = [record for record in records if number(record[value]) is not None][:MOST_RANKED]
    if not records:
        return None
    values, lows, highs = ([number(record[name]) for record in records] for name in (value, low, high))
    labels = [label_of(record[x], table.columns[x]) for record in records]
    pale = [str(record[x]) in faint for record in records]
    return Chart(
        "interval", labels, [Series(words.label(value), values, lows, highs)], table.columns[value], currency, pale
    )


def _running(today: date) -> frozenset[str]:
    """Name the month, quarter and year that are not over on a day."""
    return frozenset((f"{today:%Y-%m}", f"{today:%Y}-Q{(today.month + 2) // 3}", f"{today:%Y}"))


def label_of(cell: Cell, unit: str) -> str:
    """Give the label of an axis."""
    if unit == "cohort" or unit in TEXT_UNITS:
        return words.value(cell, unit)
    return formats.shown(cell, unit) if unit in DATE_UNITS else str(cell)


def number(cell: Cell) -> float | None:
    """Give a cell as the number that is drawn."""
    return float(cell) if isinstance(cell, int | float | Decimal) else None


def _series(name: str, records: Sequence[Mapping[str, Cell]], places: Sequence[Cell], x: str, column: str) -> Series:
    found = {record[x]: number(record[column]) for record in records}
    return Series(name, [found.get(place) for place in places])


def _ranked(labels: list[str], series: list[Series]) -> tuple[list[str], list[Series]]:
    """Put the largest first, and keep those that can be read."""
    order = sorted(range(len(labels)), key=lambda k: -(series[0].values[k] or 0))[:MOST_RANKED]
    ranked = [Series(one.name, [one.values[k] for k in order]) for one in series]
    return [labels[k] for k in order], ranked


def _in_one_currency(table: Table) -> tuple[list[dict[str, Cell]], str | None]:
    records = table.records()
    if "currency" not in table.columns or MONEY_UNIT not in table.columns.values():
        return records, None
    seen = [str(record["currency"]) for record in records if record["currency"] is not None]
    if not seen:
        return records, None
    one = max(sorted(set(seen)), key=seen.count)
    return [record for record in records if record["currency"] in (one, None)], one
