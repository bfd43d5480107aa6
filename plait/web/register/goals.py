"""Goals of the stages: what is set, what a number stands at beside its target, and how it came there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from plait import desk
from plait.facts import STAGES
from plait.failure import Misused
from plait.measure import DATE_UNITS, FLOAT_UNITS, Cell, Measure, Table, known_measure
from plait.timeline import Scope
from plait.web import charts, formats, words
from plait.web.blocks import is_number
from plait.web.charts import Chart, Series
from plait.web.people.models import User, record
from plait.web.people.rights import permit
from plait.web.reader import first_day_not_seen, results
from plait.web.register.models import Goal
from plait.web.results import Ask

TREND = 6  # months before today
FIELDS = ("stage", "sort", "text", "due_on", "measure", "column", "where", "months", "up", "target", "verdict")


class BadGoal(Misused, ValueError):
    """A goal that could not be judged."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a goal stands: `state` is reached, open, missed or unknown, `because` says why it is unknown."""

    goal: Goal
    state: str
    ask: Ask | None = None
    actual: str = ""
    target: str = ""
    because: str = ""
    trend: Chart | None = None


@dataclass(frozen=True, slots=True)
class StageGoals:
    """The goals of a stage, and which sort of goal it has none of."""

    stage: str
    numbers: list[Standing]
    judged: list[Standing]

    @property
    def missing(self) -> list[str]:
        """Name the sorts of goal that the stage lacks: it needs one of each."""
        has = {"quantitative": self.numbers, "qualitative": self.judged}
        return [sort for sort, goals in has.items() if not goals]


def goals_of(stage: str, scope: Scope) -> StageGoals:
    """Give the goals of a stage as they stand."""
    known = list(Goal.objects.filter(stage=stage, ended_at=None).select_related("owner"))
    numbers = [standing(one, scope) for one in known if one.sort == Goal.Sort.QUANTITATIVE]
    judged = [Standing(one, one.verdict) for one in known if one.sort == Goal.Sort.QUALITATIVE]
    return StageGoals(stage, numbers, judged)


def missing() -> dict[str, list[str]]:
    """Name the sorts of goal that each stage lacks, without counting anything."""
    has = set(Goal.objects.filter(ended_at=None).values_list("stage", "sort"))
    return {stage: [sort for sort in Goal.Sort.values if (stage, sort) not in has] for stage in STAGES}


def standing(goal: Goal, scope: Scope) -> Standing:
    """Give where a number stands beside its target, and where it stood when each of the last months began."""
    desk.measures()
    measure = known_measure(goal.measure)
    end = first_day_not_seen(None)
    ask = ask_of(goal, measure, scope, end, None)
    cell, currency, because = value_of(goal, results().table(ask))
    unit = measure.columns[goal.column]
    target = formats.shown(_like(goal.target, unit), unit, currency)
    days = [*_month_begins(end), end]
    earlier = [value_of(goal, results().table(ask_of(goal, measure, scope, day, day)))[0] for day in days[:-1]]
    series = Series(words.label(goal.column), [charts.number(one) for one in (*earlier, cell)])
    trend = Chart("spark", [formats.day(day) for day in days], [series], unit, currency)
    shown = formats.shown(cell, unit, currency)
    return Standing(goal, _state(goal, cell, end), ask, shown, target, because, trend)


def ask_of(goal: Goal, measure: Measure, scope: Scope, end: date, as_of: date | None) -> Ask:
    """Ask a goal's measure over the goal's months up to a day, in one row where it can."""
    given: dict[str, object] = {}
    by = measure.options.get("by")
    if by is not None and "all" in by.choices:
        given["by"] = "all"
    if goal.months and "since" in measure.options:
        number = end.year * 12 + end.month - 1 - goal.months
        given |= {"since": date(number // 12, number % 12 + 1, min(end.day, 28)), "until": end}
    return Ask.of(measure.name, given, as_of=as_of, scope=scope)


def value_of(goal: Goal, table: Table) -> tuple[Cell, str | None, str]:
    """Give the cell that a goal is about with its currency, or why there is none."""
    rows = _rows(goal, table)
    if not rows:
        return None, None, gettext("Nothing of this kind is known yet.")
    if len(rows) > 1:
        return None, None, _several(table, rows)
    currency = str(rows[0]["currency"]) if rows[0].get("currency") else None
    cell = rows[0][goal.column]
    return cell, currency, "" if cell is not None else gettext("The measure does not know it yet.")


def keep(user: User, goal: Goal) -> Goal:
    """Keep a goal, new or changed; one that could not be judged is refused."""
    permit(user, "lifecycle.work")
    if goal.sort == Goal.Sort.QUANTITATIVE:
        _check(goal, user.scope())
    with transaction.atomic():
        before = Goal.objects.select_for_update().filter(pk=goal.pk).first() if goal.pk else None
        goal.save()
        action = "goal.changed" if before else "goal.set"
        record(user, action, goal.text, before=_told(before) if before else None, after=_told(goal))
    return goal


def end(user: User, goal: Goal) -> None:
    """Take a goal off the page; its row stays."""
    permit(user, "lifecycle.work")
    with transaction.atomic():
        if Goal.objects.filter(pk=goal.pk, ended_at=None).update(ended_at=timezone.now()):
            record(user, "goal.ended", goal.text, before=_told(goal))


def figures() -> list[tuple[str, str]]:
    """Give the numbers that a goal can be about: columns of measures that have no row for each account."""
    return [
        (f"{name}.{column}", f"{words.label(name)}: {words.label(column)}")
        for name, measure in sorted(desk.measures().items())
        if not measure.names_customers
        for column, unit in measure.columns.items()
        if is_number(unit)
    ]


def _check(goal: Goal, scope: Scope) -> None:
    """Refuse a goal whose number is several, or none that the measure has."""
    measure = known_measure(goal.measure)
    unknown = sorted(set(goal.where) - set(measure.columns))
    if unknown:
        said = gettext("%(measure)s has no column %(name)s; it has: %(has)s.")
        told = {"measure": words.label(measure.name), "name": ", ".join(unknown), "has": ", ".join(measure.columns)}
        raise BadGoal(said % told)
    table = results().table(ask_of(goal, measure, scope, first_day_not_seen(None), None))
    rows = _rows(goal, table)
    if len(rows) > 1:
        raise BadGoal(_several(table, rows))


def _rows(goal: Goal, table: Table) -> list[dict[str, Cell]]:
    """Give the rows that a goal names; of a series of days or months the newest."""
    rows = [row for row in table.records() if all(str(row.get(name)) == text for name, text in goal.where.items())]
    first = next(iter(table.columns))
    if table.columns[first] in DATE_UNITS and rows:
        newest = max(str(row[first]) for row in rows)
        rows = [row for row in rows if str(row[first]) == newest]
    return rows


def _several(table: Table, rows: Sequence[Mapping[str, Cell]]) -> str:
    said = gettext("There are %(n)d such rows; name one, such as %(example)s.")
    return said % {"n": len(rows), "example": _example(table, rows)}


def _example(table: Table, rows: Sequence[Mapping[str, Cell]]) -> str:
    """Give the columns in which rows differ, as a goal would name one of them."""
    texts = [name for name, unit in table.columns.items() if not is_number(unit)]
    return ", ".join(f"{name}={rows[0][name]}" for name in texts if len({str(row[name]) for row in rows}) > 1)


def _state(goal: Goal, cell: Cell, end: date) -> str:
    if not isinstance(cell, int | float | Decimal) or goal.target is None:
        return "unknown"
    reached = Decimal(str(cell)) >= goal.target if goal.up else Decimal(str(cell)) <= goal.target
    if reached:
        return "reached"
    return "missed" if goal.due_on < end else "open"


def _like(target: Decimal | None, unit: str) -> Cell:
    """Give a target as a cell of its column: counts have no digits after the point."""
    if target is None or unit == "money":
        return target
    return int(target) if target == target.to_integral_value() and unit not in FLOAT_UNITS else float(target)


def _month_begins(day: date) -> list[date]:
    """Give the first days of the months before a day, the oldest first."""
    number = day.year * 12 + day.month - 1
    months = range(number - TREND + (day.day > 1), number + (day.day > 1))
    return [date(one // 12, one % 12 + 1, 1) for one in months]


def _told(goal: Goal) -> dict[str, object]:
    """Give a goal as the audit log keeps it."""
    told: dict[str, object] = {"owner": str(goal.owner)}
    for name in FIELDS:
        value = getattr(goal, name)
        told[name] = value if isinstance(value, dict | bool | int) else str(value or "")
    return told
