"""The process map: where time goes between the steps, drawn, with every number beneath."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from plait.measure import BadOption, Cell, Table
from plait.web import flow, formats, words
from plait.web.flow import Line, Step
from plait.web.panel import Panel, Wanted, fields_of, grid_between, panels_of, read_wanted
from plait.web.people.rights import permit
from plait.web.rail import Rail
from plait.web.reader import answer, results, user_of
from plait.web.results import Ask
from plait.web.state import BadState

MEASURES = ("process_map", "process_steps", "process_variants")
FIELDS = ("case", "yearly_percent")
USUAL, LEAST, MOST = 75, 10, 100  # percent of all ways that are drawn
WAY = "way-"  # of the rows of the table, which the lines of the drawing open
WORTH_TELLING = 50  # a box tells where one case in so many begins or ends
MOST_STEPS = 40  # beyond which nobody reads a drawing
LONGEST = 25  # signs of a step's name in its box
MINUTE, HOUR = 1 / 1440, 1 / 24
TEXTS = {
    "account": gettext_noop("Account: from lead to cash"), "ticket": gettext_noop("Request for help"),
    "deal": gettext_noop("Deal"), "handoff": gettext_noop("Hand-off"),
}  # fmt: skip


def page(request: HttpRequest) -> HttpResponse:
    """Show the map, then its ways, steps and variants as tables."""
    user = user_of(request)
    permit(user, "lifecycle.see")
    permit(user, "numbers.see")
    query, context = request.GET.copy(), {"title": _("Process"), "given": bool(request.GET)}
    try:
        shown = _shown(str(query.pop("shown", [""])[0]))
        request.GET = query  # type: ignore[assignment]
        wanted = read_wanted(request, *MEASURES)
        map_ask, steps_ask = wanted.ask("process_map"), wanted.ask("process_steps")
    except (BadOption, BadState) as refused:
        context |= {"refused": words.failure(refused), "fields": fields_of(query, "process_map", FIELDS, TEXTS)}
        return render(request, "pages/process.html", context | {"shown": USUAL, "query": query}, status=400)
    table, steps = answer(map_ask), answer(steps_ask)
    told = _drawing(table, steps, shown)
    context |= {
        "fields": fields_of(query, "process_map", FIELDS, TEXTS), "shown": shown, "least": LEAST, "most": MOST,
        "ask": map_ask, "table": table, "query": query, "panel_query": query.urlencode(),
        "day": results().local_day(table.as_of), "remarks": [words.said(text) for text in table.warnings],
        "panels": panels_of(_panels(wanted), query), "figures": _figures(table, steps), "steps_ask": steps_ask, **told,
    }  # fmt: skip
    return render(request, "pages/process.html", context)


def panel(request: HttpRequest, name: str) -> HttpResponse:
    """Show one panel of the page."""
    permit(user_of(request), "lifecycle.see")
    panels = {one.name: one for one in _panels(read_wanted(request, *MEASURES))}
    if name not in panels:
        raise Http404
    return HttpResponse(panels[name].drawn())


def _shown(text: str) -> int:
    """Read which percent of all ways is drawn."""
    if text == "":
        return USUAL
    if not (text.isascii() and text.isdigit() and LEAST <= int(text[:4]) <= MOST):
        said = _("%(name)s cannot be %(value)r; allowed: %(allowed)s.")
        allowed = _("a whole number from %(least)s to %(most)s") % {"least": LEAST, "most": MOST}
        raise BadState(said % {"name": "shown", "value": text, "allowed": allowed})
    return int(text)


def _panels(wanted: Wanted) -> list[Panel]:
    steps, variants = wanted.ask("process_steps"), wanted.ask("process_variants")
    return [
        Panel("steps", "panels/process_steps.html", [steps], partial(_steps, steps)),
        Panel("variants", "panels/process_variants.html", [variants], partial(_variants, variants)),
    ]


def _figures(table: Table, steps: Table) -> list[dict[str, str]]:
    """Give what the map says in a few numbers."""
    counts = steps.records()
    cases, times = (sum(int(str(row[name])) for row in counts) for name in ("starts", "times"))
    repeated = sum(int(str(row["repeated"])) for row in counts)
    costs = {str(row["currency"]): 0 for row in table.records() if row["waiting_cost"] is not None}
    cost = formats.UNKNOWN
    if len(costs) == 1:
        (currency,) = costs
        amount = sum(row["waiting_cost"] for row in table.records() if row["waiting_cost"] is not None)  # type: ignore[misc]
        cost = formats.shown(amount, "money", currency, compact=True)
    days = sum(float(str(row["waiting_days"])) for row in table.records())
    return [
        {"title": _("Cases"), "value": formats.shown(cases, "cases", compact=True), "column": "starts"},
        {"title": _("Steps in a case, on average"), "column": "times",
         "value": formats.shown(times / cases, "touches") if cases else formats.UNKNOWN},
        {"title": _("Steps taken again"), "column": "rework",
         "value": formats.shown(repeated / times, "share") if times else formats.UNKNOWN},
        {"title": _("Waiting in a case, on average"), "column": "waited_days",
         "value": wait(days / cases) if cases else formats.UNKNOWN},
        {"title": _("Cost of all waiting"), "value": cost, "column": "waiting_cost"},
    ]  # fmt: skip


# -- the drawing


def _drawing(table: Table, steps: Table, shown: int) -> dict[str, object]:
    """Draw the most frequent ways."""
    records = table.records()
    lines = [_line(row, number) for number, row in enumerate(records)]
    cases = sum(int(str(row["starts"])) for row in steps.records())
    boxes = {str(row["step"]): _box(row, cases) for row in steps.records()}
    kept = flow.frequent(lines, boxes, shown)
    named = {line.one for line in kept} | {line.other for line in kept}
    drawing = flow.drawn(boxes, kept) if kept and len(named) <= MOST_STEPS else None
    drawn = {int(line.target.removeprefix(WAY)) for line in kept} if drawing else set()
    return {"flow": drawing, "too_many": len(named) > MOST_STEPS, "rows": _rows(table, drawn),
            "hidden": len(records) - len(drawn)}  # fmt: skip


def _line(row: Mapping[str, Cell], number: int) -> Line:
    one, other = str(row["from_step"]), str(row["to_step"])
    label = wait(row["wait_days"])
    means = _("%(one)s to %(other)s: %(times)s times in %(cases)s cases, median wait %(wait)s") % {
        "one": words.value(one), "other": words.value(other), "wait": label,
        "times": formats.shown(row["times"], "times"), "cases": formats.shown(row["cases"], "cases"),
    }  # fmt: skip
    return Line(one, other, int(str(row["times"])), label, means, f"{WAY}{number}")


def _box(row: Mapping[str, Cell], cases: int) -> Step:
    """Give the box of a step; where few cases begin or end is left to the table."""
    name = str(row["step"])
    text = words.value(name)
    short = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    small = _("%(times)s times") % {"times": formats.shown(row["times"], "times")}
    if row["repeated"]:
        small += " · " + _("%(share)s again") % {"share": formats.shown(row["rework"], "share")}
    told = {}
    for column, says in (("starts", _("%(n)s begin")), ("ends", _("%(n)s end"))):
        number = int(str(row[column]))
        told[column] = says % {"n": formats.shown(number, "cases")} if number * WORTH_TELLING >= cases else ""
    return Step(name, float(str(row["place"])), short, small, told["starts"], told["ends"])


def wait(days: Cell) -> str:
    """Give a wait in the unit in which people say it."""
    if days is None:
        return formats.UNKNOWN
    number = float(str(days))
    if number >= 1:
        return _("%(n)s d") % {"n": formats.shown(number, "days")}
    if number >= HOUR:
        return _("%(n)s h") % {"n": formats.shown(number * 24, "days")}
    if number >= MINUTE:
        return _("%(n)s min") % {"n": formats.shown(round(number * 1440), "times")}
    return _("%(n)s s") % {"n": formats.shown(round(number * 86_400), "times")}


# -- tables


def _rows(table: Table, drawn: set[int]) -> list[dict[str, object]]:
    """Give the rows of the map for people, those that are drawn marked."""
    told = []
    for number, row in enumerate(table.records()):
        currency = str(row["currency"]) if row["currency"] else None
        cells = [
            ("cases", formats.shown(row["cases"], "cases")), ("times", formats.shown(row["times"], "times")),
            *((name, wait(row[name])) for name in ("wait_days", "wait_p90_days", "waiting_days")),
            ("waiting_cost", formats.shown(row["waiting_cost"], "money", currency)),
        ]  # fmt: skip
        told.append({
            "number": number, "one": words.value(row["from_step"]), "other": words.value(row["to_step"]),
            "cells": cells, "drawn": number in drawn, "loop": row["from_step"] == row["to_step"],
        })  # fmt: skip
    return told


def _steps(ask: Ask) -> dict[str, object]:
    table = answer(ask)
    return {"title": _("Steps and rework"), "ask": ask, "table": table,
            "grid": grid_between(table, list(table.columns))}  # fmt: skip


def _variants(ask: Ask) -> dict[str, object]:
    """Give the ways with their steps apart, so that a long one wraps."""
    table = answer(ask)
    rows = [
        {
            "number": row["variant"], "steps": [words.value(step) for step in str(row["path"]).split(" > ")],
            "cells": [("cases", formats.shown(row["cases"], "cases")), ("share", formats.shown(row["share"], "share")),
                      ("days", wait(row["days"]))],
        }
        for row in table.records()
    ]  # fmt: skip
    return {"title": _("Ways from first to last"), "ask": ask, "table": table, "rows": rows}


RAIL = Rail("lifecycle.see", "process", gettext_noop("Process"), "x", place=27)
URLS = [
    path("process/", page, name="process"),
    path("process/<slug:name>/", panel, name="process_panel"),
]
