"""What a proposal changes: the numbers of the last year by the definition in force and by the proposed one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.utils.translation import gettext

from plait.measure import DATE_UNITS, Cell, Definition, Measure, Table
from plait.timeline import Scope
from plait.web import charts, formats
from plait.web.blocks import cell_text, is_number
from plait.web.charts import Chart, Series
from plait.web.reader import first_day_not_seen, results
from plait.web.results import Ask

MONTHS, SUBJECTS = 12, 3
SAYS_MOST = ("share", "money", "score", "ratio", "days", "credit", "expected")  # the units that are shown first
Key = tuple[str, ...]
Series12 = dict[tuple[Key, str], tuple[Cell, str | None]]  # by row and month: the cell and its currency


@dataclass(frozen=True, slots=True)
class Row:
    """One number of the year as a page shows it."""

    month: str
    subject: str
    old: str
    new: str
    difference: str


@dataclass(frozen=True, slots=True)
class Compared:
    """A column of a measure over a year by two definitions; `because` says why there is none, or what is left out."""

    column: str
    columns: tuple[str, ...]
    rows: list[Row]
    chart: Chart | None
    because: list[str]


@dataclass(frozen=True, slots=True)
class Sides:
    """A measure by two definitions; `old` is None where plait can no longer compute it."""

    measure: Measure
    old: Definition | None
    new: Definition
    scope: Scope


def compare(sides: Sides, column: str = "") -> Compared:
    """Give the last twelve whole months side by side: of each month where the measure knows it, else as of its end."""
    measure = sides.measure
    numbers = tuple(sorted((c for c, unit in measure.columns.items() if is_number(unit)), key=_rank(measure)))
    if not numbers:
        return Compared("", (), [], None, [gettext("No column of this measure is a number.")])
    chosen = column if column in numbers else numbers[0]
    if measure.names_customers:
        says = gettext("It has a row for each account, which is no series of months; compare its rows on its own page.")
        return Compared(chosen, numbers, [], None, [says])
    because = []
    new = _year(sides, sides.new, chosen)
    old: Series12 = {}
    if sides.old is None:
        because.append(gettext("What the earlier text gave can no longer be computed: plait has changed since."))
    else:
        old = new if sides.old.options == sides.new.options else _year(sides, sides.old, chosen)
        if sides.old.options == sides.new.options:
            because.append(gettext("The options stay as they are, and so do the numbers."))
    subjects = _subjects(new, old)
    if len(subjects) > SUBJECTS:
        says = gettext("Of %(n)d rows the %(some)d with the largest numbers are shown.")
        because.append(says % {"n": len(subjects), "some": SUBJECTS})
    if not new and not old:
        because.append(gettext("Nothing of this kind is known in the last twelve months."))
    return _laid_out(sides, chosen, numbers, subjects[:SUBJECTS], old, new, because)


def _laid_out(
    sides: Sides, column: str, numbers: tuple[str, ...], subjects: list[Key], old: Series12, new: Series12,
    because: list[str],
) -> Compared:  # fmt: skip
    unit = sides.measure.columns[column]
    months = [f"{day:%Y-%m}" for day in _months()]
    rows = [
        _row(subject, month, old.get((subject, month)), new.get((subject, month)), unit)
        for subject in subjects
        for month in months
    ]
    return Compared(column, numbers, rows, _chart(subjects, months, old, new, unit), because)


def _year(sides: Sides, definition: Definition, column: str) -> Series12:
    """Give a column of a measure by row and month."""
    measure = sides.measure
    first, *_ = measure.columns
    by = measure.options.get("by")
    if by is not None and "month" in by.choices:
        table = _table(sides, definition, _by_month(measure))
        return _cells(table, column, month_of=first)
    if measure.columns[first] == "month":
        return _cells(_table(sides, definition, {}), column, month_of=first)
    told: Series12 = {}
    for month in _months():
        table = _table(sides, definition, {}, as_of=_after(month))
        told |= {
            (key, f"{month:%Y-%m}"): cell for (key, _none), cell in _cells(table, column, month_of=None).items()
        }  # fmt: skip
    return told


def _by_month(measure: Measure) -> dict[str, object]:
    given: dict[str, object] = {"by": "month"}
    if "since" in measure.options:
        given |= {"since": _months()[0], "until": _after(_months()[-1])}
    return given


def _table(sides: Sides, definition: Definition, given: Mapping[str, object], as_of: date | None = None) -> Table:
    ask = Ask.of(sides.measure.name, given, as_of=as_of, scope=sides.scope, definition=definition)
    return results().table(ask)


def _cells(table: Table, column: str, *, month_of: str | None) -> Series12:
    """Read a column by row and month; a row is known by its cells that are no numbers."""
    names = [
        name
        for name, unit in table.columns.items()
        if name != month_of and not is_number(unit) and unit not in DATE_UNITS
    ]
    told: Series12 = {}
    for row in table.records():
        currency = str(row["currency"]) if row.get("currency") else None
        key = tuple(cell_text(row[name], table.columns[name], currency) for name in names)
        month = str(row[month_of])[:7] if month_of else ""
        told[key, month] = row[column], currency
    return told


def _subjects(*sides: Series12) -> list[Key]:
    """Give the rows that there are in the year, the one with the largest number first."""
    most: dict[Key, float] = {}
    shown = {f"{month:%Y-%m}" for month in _months()}
    for side in sides:
        for (key, month), (cell, _currency) in side.items():
            if month in shown:
                most[key] = max(most.get(key, 0.0), abs(charts.number(cell) or 0.0))
    return sorted(most, key=lambda key: (-most[key], key))


def _row(
    subject: Key, month: str, old: tuple[Cell, str | None] | None, new: tuple[Cell, str | None] | None, unit: str
) -> Row:
    before, now = (side[0] if side else None for side in (old, new))
    currency = next((side[1] for side in (new, old) if side), None)
    difference: Cell = None
    if isinstance(before, int | float | Decimal) and isinstance(now, int | float | Decimal):
        difference = now - before  # type: ignore[operator]  # of one column: both are of one type
    day = date(int(month[:4]), int(month[5:]), 1)
    change = formats.change(now, before, unit) if unit in ("share", "score") else None
    texts = [formats.shown(cell, unit, currency) for cell in (before, now, difference)]
    return Row(formats.month(day), " · ".join(subject), texts[0], texts[1], change[0] if change else texts[2])


def _chart(subjects: list[Key], months: list[str], old: Series12, new: Series12, unit: str) -> Chart | None:
    """Draw the first row by both definitions."""
    if not subjects:
        return None
    labels = [formats.month(date(int(month[:4]), int(month[5:]), 1)) for month in months]
    sides = [(gettext("in force"), old), (gettext("proposed"), new)]
    series = [
        Series(name, [charts.number((side.get((subjects[0], month)) or (None,))[0]) for month in months])
        for name, side in sides
        if side
    ]
    currency = next((cell[1] for key, cell in new.items() if key[0] == subjects[0]), None)
    return Chart("line", labels, series, unit, currency)


def _months() -> list[date]:
    """Give the first days of the last twelve months that are over."""
    end = first_day_not_seen(None)
    number = end.year * 12 + end.month - 1
    return [date(one // 12, one % 12 + 1, 1) for one in range(number - MONTHS, number)]


def _after(month: date) -> date:
    """Give the first day of the month after."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _rank(measure: Measure) -> Callable[[str], tuple[int, int]]:
    """Give the order of columns: what says most first."""
    places = list(measure.columns)

    def rank(column: str) -> tuple[int, int]:
        unit = measure.columns[column]
        return SAYS_MOST.index(unit) if unit in SAYS_MOST else len(SAYS_MOST), places.index(column)

    return rank
