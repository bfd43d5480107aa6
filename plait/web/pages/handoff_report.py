"""The report of both sides: what is handed over and what becomes of it, why it is refused, who keeps what is owed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from plait.measure import BadOption, Table
from plait.web import words
from plait.web.blocks import Grid
from plait.web.handoffs import colleagues
from plait.web.handoffs.shown import called, reason_title, type_title
from plait.web.panel import Panel, Wanted, changed, fields_of, grid_between, panels_of, read_wanted
from plait.web.people.rights import permit
from plait.web.rail import Rail
from plait.web.reader import answer, user_of
from plait.web.results import Ask
from plait.web.state import BadState

MEASURES = ("handoffs", "handoff_compliance", "handoff_reasons")
FIELDS = ("origin", "crm_days")
BY = ("pair", "type", "month")
DEPARTMENTS = ("sender", "receiver")
PEOPLE = ("assignee", "sent_by")


def report(request: HttpRequest) -> HttpResponse:
    """Show the measures of hand-offs, each a panel."""
    user = user_of(request)
    permit(user, "lifecycle.see")
    permit(user, "numbers.see")
    context: dict[str, object] = {"title": _("Hand-offs"), "query": request.GET.urlencode()}
    try:
        panels = _panels(read_wanted(request, *MEASURES), request.GET)
    except (BadOption, BadState) as refused:
        return render(request, "pages/handoffs.html", context | {"refused": words.failure(refused)}, status=400)
    here = str(request.GET.get("by") or BY[0])
    tabs = [
        {"title": words.label(name), "here": name == here,
         "query": changed(request.GET, by="" if name == BY[0] else name, whole="")}
        for name in BY
    ]  # fmt: skip
    fields = fields_of(request.GET, MEASURES[0], FIELDS, {})
    context |= {"panels": panels_of(panels, request.GET), "fields": fields, "tabs": tabs}
    return render(request, "pages/handoffs.html", context)


def panel(request: HttpRequest, name: str) -> HttpResponse:
    """Show one panel of the report."""
    permit(user_of(request), "lifecycle.see")
    panels = {one.name: one for one in _panels(read_wanted(request, *MEASURES), request.GET)}
    if name not in panels:
        raise Http404
    return HttpResponse(panels[name].drawn())


def _panels(wanted: Wanted, query: QueryDict) -> list[Panel]:
    """Give the panels: what became of hand-offs, both sides of the agreement, each person, and the reasons."""
    by = {} if query.get("by") else {"by": "pair"}
    told = (
        ("handoffs", "handoffs", _("From department to department"), by),
        ("both", "handoff_compliance", _("What both sides owe, and keep"), by),
        ("receivers", "handoff_compliance", _("Who answers"), {"by": "assignee"}),
        ("senders", "handoff_compliance", _("Who sends"), {"by": "sent_by"}),
        ("reasons", "handoff_reasons", _("Why hand-offs are refused"), by if query.get("by") else {"by": "all"}),
    )
    return [_asked(name, wanted.ask(measure, **own), title) for name, measure, title, own in told]


def _asked(name: str, ask: Ask, title: str) -> Panel:
    return Panel(name, "panels/handoffs.html", [ask], partial(_panel, ask, title))


def _panel(ask: Ask, title: str) -> dict[str, object]:
    """Lay out a measure; departments stand in columns of their own only where the rows are not pairs of them."""
    table, by = answer(ask), str(dict(ask.options)["by"])
    left_out = {*DEPARTMENTS, "currency"} if by == "pair" else {"currency"}
    columns = [name for name in table.columns if name not in left_out]
    if ask.measure == "handoff_reasons" and by == "all":
        columns.remove("cohort")
    grid = grid_between(table, columns, first=by if columns[0] == "cohort" else "")
    return {
        "title": title, "ask": ask, "table": table, "grid": _readable(grid, columns, table, by),
        "remarks": [words.said(text) for text in table.warnings],
    }  # fmt: skip


def _said(table: Table, column: str, by: str) -> Mapping[str, str]:
    """Give how the texts of a column read: departments, reasons and people have names."""
    texts = {str(row[column]) for row in table.records() if row[column] is not None}
    if column == "cohort" and by in PEOPLE:
        known = colleagues.names_of(texts)
        return {one: called(one, known) for one in texts}
    if column == "cohort" and by == "pair":
        return {one: " → ".join(words.label(name) for name in one.split(" > ")) for one in texts}
    if column == "cohort" and by == "type":
        return {one: type_title(one) for one in texts}
    if column == "reason":
        return {one: reason_title(one) for one in texts}
    return {one: words.label(one) for one in texts} if column in (*DEPARTMENTS, "target") else {}


def _readable(grid: Grid, columns: Sequence[str], table: Table, by: str) -> Grid:
    """Let the texts of a grid read as people say them."""
    said = [_said(table, column, by) for column in columns]
    rows = [[replace(cell, text=said[n].get(cell.text, cell.text)) for n, cell in enumerate(row)] for row in grid.rows]
    return replace(grid, rows=rows)


RAIL = Rail("lifecycle.see", "handoffs", gettext_noop("Hand-offs"), "o", place=6)
URLS = [
    path("handoffs/", report, name="handoffs"),
    path("handoffs/report/<slug:name>/", panel, name="handoffs_panel"),
]
