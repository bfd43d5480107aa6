"""The catalogue of measures, the page of each, the drawer that says where a number comes from, and its CSV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from plait import desk, report
from plait.facts import DEPARTMENTS
from plait.measure import DATE_UNITS, UNAGREED, BadOption, Cell, Definition, Measure, Option, Table
from plait.web import charts, words
from plait.web.blocks import cell_text, grid_of, is_number
from plait.web.charts import Chart
from plait.web.people.rights import may, permit
from plait.web.rail import Rail
from plait.web.reader import answer, ask_of, measure_for, results, user_of

ROWS_BEHIND = 50
DRAWN = ("credit", "money", "share", "ratio", "days", "points", "months")  # the units that say most, before counts
MOST_SERIES, MOST_BARS = 4, 2
ROWS_SHOWN = 500
HISTORY = 7  # months back


def catalogue(request: HttpRequest) -> HttpResponse:
    """List every measure by the department that owns it."""
    permit(user_of(request), "numbers.see")
    known = sorted(desk.measures().values(), key=lambda measure: measure.name)
    owned = [(owner, [one for one in known if one.owner == owner]) for owner in DEPARTMENTS]
    groups = [(owner, [(one, words.paragraphs(one)[0]) for one in members]) for owner, members in owned if members]
    return render(request, "pages/measures.html", {"title": _("Measures"), "groups": groups})


def page(request: HttpRequest, name: str) -> HttpResponse:
    """Show a measure: what it means, its options, its numbers, its query."""
    measure = measure_for(user_of(request), name)
    context: dict[str, object] = {"title": words.label(measure.name), "measure": measure, **_about(measure)}
    try:
        ask = ask_of(user_of(request), name, request.GET)
    except BadOption as refused:
        return render(
            request,
            "pages/measure.html",
            context | {"refused": words.failure(refused), "form": _form(measure, request)},
            status=400,
        )
    table = answer(ask)
    chart = drawn(table, results().local_day(table.as_of))
    context |= {
        "ask": ask, "table": table, "grid": grid_of(_first(table)), "chart": chart.told() if chart else None,
        "form": _form(measure, request, ask.definition), "remarks": [words.said(text) for text in table.warnings],
        "estimates": words.said(table.estimates), "more": max(0, len(table.rows) - ROWS_SHOWN),
    }  # fmt: skip
    return render(request, "pages/measure.html", context)


def drawer(request: HttpRequest, name: str) -> HttpResponse:
    """Say where a number comes from."""
    user = user_of(request)
    measure = measure_for(user, name)
    ask = ask_of(user, name, request.GET)
    table = answer(ask)
    context = {
        "title": words.label(measure.name), "measure": measure, "ask": ask, "table": table,
        "grid": grid_of(_first(table)), "column": request.GET.get("column", ""),
        "remarks": [words.said(text) for text in table.warnings], "estimates": words.said(table.estimates),
        **_about(measure),
    }  # fmt: skip
    return render(request, "parts/drawer.html", context)


def rows(request: HttpRequest, name: str) -> HttpResponse:
    """Show a measure's rows alone, as the table beside a chart."""
    ask = ask_of(user_of(request), name, request.GET)
    return render(request, "parts/grid.html", {"ask": ask, "grid": grid_of(_first(answer(ask)))})


def history(request: HttpRequest, name: str) -> HttpResponse:
    """Show what the newest row of an answer was as of the first day of each month before."""
    ask = ask_of(user_of(request), name, request.GET)
    now = answer(ask)
    numbers = [column for column, unit in now.columns.items() if is_number(unit)]
    told = [(day, _subject(answer(replace(ask, as_of=day)), now)) for day in _month_begins(now)]
    context = {
        "heads": [words.label(column) for column in numbers], "subject": _named(now),
        "rows": [(day, [_told(row, column, now) for column in numbers]) for day, row in told],
    }  # fmt: skip
    return render(request, "parts/history.html", context)


def behind(request: HttpRequest, name: str) -> HttpResponse:
    """Show the facts that a number was read from, the newest first."""
    user = user_of(request)
    ask = ask_of(user, name, request.GET)
    page = max(1, int(request.GET.get("page", "1") or 1) if request.GET.get("page", "1").isdigit() else 1)
    found = results().behind(ask, limit=ROWS_BEHIND, offset=(page - 1) * ROWS_BEHIND)
    context = {
        "title": words.label(name), "ask": ask, "found": found, "page": page,
        "pages": -(-found.count // ROWS_BEHIND), "private": may(user, "customers.see").allowed,
    }  # fmt: skip
    return render(request, "pages/behind.html", context)


def csv(request: HttpRequest, name: str) -> HttpResponse:
    """Give exactly the rows of a page as CSV."""
    table = answer(ask_of(user_of(request), name, request.GET))
    response = HttpResponse(report.as_csv(table), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{table.measure.name}-{table.as_of:%Y-%m-%d}.csv"'
    return response


def drawn(table: Table, today: date) -> Chart | None:
    """Draw any measure by the units of its columns: months as lines, names as ranked bars, shares over two as heat."""
    units, names = table.columns, list(table.columns)
    first = names[0]
    if units[first] == "month" and len(names) > 1 and units[names[1]] == "whole months":
        return charts.heatmap_of(table, row=first, column=names[1], value="share")
    numbers = [name for name in names if units[name] in DRAWN] or [name for name in names if is_number(units[name])]
    if not numbers:
        return None
    split = next((name for name in names[1:] if units[name] in ("text", "stage")), None)
    alike = [numbers[0]] if split else [name for name in numbers if units[name] == units[numbers[0]]][:MOST_SERIES]
    places = {row[0] for row in table.rows}
    in_time = units[first] in DATE_UNITS or any(str(place)[:2] in ("19", "20") for place in places)
    kind: charts.Kind = (
        "line" if in_time and len(places) > MOST_BARS else "ranked" if not split and len(places) > 1 else "bar"
    )
    return charts.chart_of(table, kind, alike, x=first, split=split, today=today)


def _month_begins(table: Table) -> list[date]:
    """Give the first days of the months before the moment of a table, the newest first."""
    day = results().local_day(table.as_of)
    months = [day.year * 12 + day.month - 1 - back for back in range(HISTORY)]
    return [first for number in months if (first := date(number // 12, number % 12 + 1, 1)) <= day]


def _keys(table: Table) -> list[str]:
    return [column for column, unit in table.columns.items() if not is_number(unit)]


def _named(table: Table) -> str:
    """Name the newest row of a table."""
    if not table.rows:
        return ""
    row = table.records()[-1]
    return ", ".join(cell_text(row[column], table.columns[column], None) for column in _keys(table))


def _subject(table: Table, now: Table) -> Mapping[str, Cell]:
    """Find the row of an earlier answer that is the newest row of today's."""
    if not now.rows:
        return {}
    wanted = now.records()[-1]
    same = [row for row in table.records() if all(row[column] == wanted[column] for column in _keys(now))]
    return same[0] if same else {}


def _told(row: Mapping[str, Cell], column: str, table: Table) -> str:
    currency = row.get("currency")
    return cell_text(row.get(column), table.columns[column], str(currency) if currency else None)


def _about(measure: Measure) -> dict[str, object]:
    return {"paragraphs": words.paragraphs(measure), "units": list(measure.columns.items())}


def _form(measure: Measure, request: HttpRequest, held: Definition = UNAGREED) -> list[dict[str, object]]:
    """Give the fields of the options form as the measure's signature states them, and as the firm has agreed."""
    unnamed = measure.read_options({}, held.options)
    return [
        {
            "name": option.name, "kind": _kind_of(option), "choices": option.choices,
            "value": request.GET.get(option.name, ""), "default": default_text(unnamed[option.name]),
            "optional": option.optional,
        }
        for option in measure.options.values()
    ]  # fmt: skip


def _kind_of(option: Option) -> str:
    if option.choices:
        return "choice"
    return {"bool": "yes", "date": "date", "int": "number", "float": "number"}.get(option.type.__name__, "text")


def default_text(value: object) -> str:
    """Give an option's value as an address says it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _first(table: Table) -> Table:
    return replace(table, rows=table.rows[:ROWS_SHOWN])


RAIL = Rail("numbers.see", "measures", gettext_noop("Measures"), "m", place=20)
URLS = [
    path("measures/", catalogue, name="measures"),
    path("measures/<slug:name>/", page, name="measure"),
    path("measures/<slug:name>/drawer/", drawer, name="drawer"),
    path("measures/<slug:name>/rows/", rows, name="rows"),
    path("measures/<slug:name>/history/", history, name="history"),
    path("measures/<slug:name>/facts/", behind, name="behind"),
    path("measures/<slug:name>/csv/", csv, name="csv"),
]
