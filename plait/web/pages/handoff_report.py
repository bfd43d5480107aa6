"""The report of both sides: what is handed over and what becomes of it, why it is refused, who keeps what is owed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from plait.measure import BadOption, known_measure
from plait.web import words
from plait.web.panel import Panel, Wanted, changed, fields_of, grid_between, panels_of, read_wanted
from plait.web.people.rights import permit
from plait.web.rail import Rail
from plait.web.reader import answer, user_of
from plait.web.results import Ask
from plait.web.state import BadState

TITLES: Mapping[str, str] = {
    "handoffs": gettext_noop("From department to department"),
    "handoff_compliance": gettext_noop("What both sides owe, and keep"),
    "handoff_reasons": gettext_noop("Why hand-offs are refused"),
}
FIELDS = ("by", "origin", "type")


def report(request: HttpRequest) -> HttpResponse:
    """Show the measures of hand-offs, each a panel."""
    user = user_of(request)
    permit(user, "lifecycle.see")
    permit(user, "numbers.see")
    context: dict[str, object] = {"title": _("Hand-offs"), "query": request.GET.urlencode()}
    try:
        panels = _panels(read_wanted(request, *TITLES), request.GET)
    except (BadOption, BadState) as refused:
        return render(request, "pages/handoffs.html", context | {"refused": words.failure(refused)}, status=400)
    context |= {"panels": panels_of(panels, request.GET), "fields": _fields(request.GET)}
    return render(request, "pages/handoffs.html", context)


def panel(request: HttpRequest, name: str) -> HttpResponse:
    """Show one panel of the report."""
    permit(user_of(request), "lifecycle.see")
    panels = {one.name: one for one in _panels(read_wanted(request, *TITLES), request.GET)}
    if name not in panels:
        raise Http404
    return HttpResponse(panels[name].drawn())


def _fields(query: QueryDict) -> list[object]:
    known = known_measure("handoffs").options
    return list(fields_of(query, "handoffs", [name for name in FIELDS if name in known and name != "by"], {}))


def _panels(wanted: Wanted, query: QueryDict) -> list[Panel]:
    found = []
    for name in TITLES:
        ask = wanted.ask(name, **_by(query, name))
        found.append(Panel(name, "panels/handoffs.html", [ask], partial(_panel, ask, query)))
    return found


def _by(query: QueryDict, measure: str) -> dict[str, str]:
    """Give how a panel is divided: each has an option of its own in the address."""
    given = str(query.get(f"{measure}-by", ""))
    return {"by": given} if given else {}


def _panel(ask: Ask, query: QueryDict) -> dict[str, object]:
    table, options = answer(ask), dict(ask.options)
    known = known_measure(ask.measure).options
    tabs = [
        {"title": words.label(name), "here": name == options["by"],
         "query": changed(query, **{f"{ask.measure}-by": "" if name == known["by"].default else name})}
        for name in (known["by"].choices if "by" in known else ())
    ]  # fmt: skip
    return {
        "title": _(TITLES[ask.measure]), "ask": ask, "table": table, "tabs": tabs,
        "grid": grid_between(table, list(table.columns)), "remarks": [words.said(text) for text in table.warnings],
    }  # fmt: skip


RAIL = Rail("lifecycle.see", "handoffs", gettext_noop("Hand-offs"), "o", place=6)
URLS = [
    path("handoffs/", report, name="handoffs"),
    path("handoffs/report/<slug:name>/", panel, name="handoffs_panel"),
]
