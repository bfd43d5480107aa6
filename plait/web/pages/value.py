"""Value: what customers will buy and are worth, by where they came from, with what the model does not know."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import cast

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from plait.measure import BadOption, Cell, Table
from plait.web import charts, directory, formats, words
from plait.web.blocks import cell_text
from plait.web.panel import (
    Between,
    Panel,
    Wanted,
    between,
    changed,
    fields_of,
    grid_between,
    panels_of,
    read_wanted,
)
from plait.web.people.rights import may, permit
from plait.web.rail import Rail
from plait.web.reader import answer, results, user_of
from plait.web.results import Ask
from plait.web.state import BadState

MEASURES = ("value_by_origin", "customer_value", "alive")
FIELDS = ("model", "basis", "horizon_days", "discount", "margin")
ORIGINS = ("channel", "campaign", "partner", "product", "quarter", "year")
DEFAULT_ORIGIN = "channel"
MOST = 20
TEXTS = {
    "order": gettext_noop("Orders"),
    "invoice": gettext_noop("Invoices"),
    "deal": gettext_noop("Won deals"),
}


def page(request: HttpRequest) -> HttpResponse:
    """Show what all customers are worth, then by origin, by time and the most valuable ones."""
    user = user_of(request)
    permit(user, "finance.see")
    permit(user, "numbers.see")
    context: dict[str, object] = {"title": _("Customer value"), "query": request.GET.urlencode()}
    try:
        wanted = read_wanted(request, *MEASURES)
        panels = _panels(wanted, request.GET)
        ask = wanted.ask("value_by_origin", by="all")
    except (BadOption, BadState) as refused:
        context |= {"refused": words.failure(refused), **_form(request.GET)}
        return render(request, "pages/value.html", context, status=400)
    context |= _form(request.GET) | _together(ask, request.GET)
    context |= {"panels": panels_of(panels, request.GET), "may_load": may(user, "data.work").allowed}
    return render(request, "pages/value.html", context)


def panel(request: HttpRequest, name: str) -> HttpResponse:
    """Show one panel of the page."""
    permit(user_of(request), "finance.see")
    panels = {one.name: one for one in _panels(read_wanted(request, *MEASURES), request.GET)}
    if name not in panels:
        raise Http404
    return HttpResponse(panels[name].drawn())


def _form(query: QueryDict) -> dict[str, object]:
    return {"fields": fields_of(query, "value_by_origin", FIELDS, TEXTS)}


def _panels(wanted: Wanted, query: QueryDict) -> list[Panel]:
    """Give the panels below the figures; who may not see customers is shown none."""
    origins = wanted.ask("value_by_origin")
    lively = wanted.ask("alive", by="quarter")
    found = [
        Panel("origins", "panels/origins.html", [origins], partial(_origins, origins, query)),
        Panel("alive", "panels/alive.html", [lively], partial(_alive, lively)),
    ]
    if may(wanted.user, "customers.see").allowed:
        best, names = wanted.ask("customer_value", most=MOST), wanted.ask("account_health")
        found.append(Panel("customers", "panels/customers.html", [best, names], partial(_customers, best, names)))
    return found


def _together(ask: Ask, query: QueryDict) -> dict[str, object]:
    """Answer for all customers together; where the model has nothing to say, give its reason and other ways."""
    table = answer(ask)
    remarks, options = [words.said(text) for text in table.warnings], dict(ask.options)
    told: dict[str, object] = {
        "ask": ask, "table": table, "estimates": words.said(table.estimates), "model": words.label(options["model"]),
        "day": results().local_day(table.as_of),
    }  # fmt: skip
    if table.rows:
        return told | {"figures": _figures(table, options), "remarks": remarks}
    bases = [
        (_(text), changed(query, basis=name, whole="")) for name, text in TEXTS.items() if name != options["basis"]
    ]
    return told | {
        "reasons": remarks or [_("Nothing of this kind has been bought yet.")],
        "bases": bases,
        "remarks": [],
    }


def _figures(table: Table, options: Mapping[str, object]) -> list[dict[str, object]]:
    """Give the figures of all customers together."""
    row = table.records()[0]
    currency = str(row["currency"]) if row["currency"] else None
    spread = between(row["value_low"], row["value_high"], "money", currency)
    no_money = _("no money: see the notes below")
    days = _("in the next %(days)s days") % {"days": options["horizon_days"]}
    share = formats.shown(cast("float", row["alive"]) / max(1, cast("int", row["customers"])), "share")
    told = (
        (_("Value of all customers"), "value", _("95 %% interval %(between)s") % {"between": spread})
        if row["value"] is not None
        else (_("Value of all customers"), "value", no_money),
        (_("Customers alive"), "alive", _("%(share)s of %(all)s who ever bought")
         % {"share": share, "all": formats.shown(row["customers"], "accounts")}),
        (_("Purchases to expect"), "expected_purchases", days),
        (_("Value of a customer"), "value_per_customer", _("on average, over all who ever bought")),
    )  # fmt: skip
    return [
        {"title": title, "column": column, "about": about,
         "value": formats.shown(row[column], table.columns[column], currency, compact=True)}
        for title, column, about in told
    ]  # fmt: skip


def _origins(ask: Ask, query: QueryDict) -> dict[str, object]:
    """Show what customers are worth by where they came from."""
    table, by = answer(ask), str(dict(ask.options)["by"])
    money = any(row["value"] is not None for row in table.records())
    chart = (
        charts.intervals_of(table, x="origin", value="value", low="value_low", high="value_high")
        if money
        else charts.chart_of(
            table, "ranked", ["expected_purchases"], x="origin", today=results().local_day(table.as_of)
        )
    )
    columns: list[str | Between] = ["origin", "customers", "alive", "expected_purchases"]
    if money:
        columns += ["value", Between("value_low", "value_high", _("95 % interval")), "value_per_customer"]
    tabs = [
        {"title": words.label(name), "here": name == by,
         "query": changed(query, by="" if name == DEFAULT_ORIGIN else name, whole="")}
        for name in ORIGINS
    ]  # fmt: skip
    return {
        "title": _("Value by origin"), "ask": ask, "table": table, "chart": chart.told() if chart else None,
        "kind": chart.kind if chart else "", "grid": grid_between(table, columns, first=by), "tabs": tabs,
    }  # fmt: skip


def _alive(ask: Ask) -> dict[str, object]:
    """Show how many customers of each quarter still are customers."""
    table = answer(ask)
    chart = charts.chart_of(
        table, "bar", ["customers", "alive", "bought_lately"], x="cohort", today=results().local_day(table.as_of)
    )
    grid = grid_between(table, list(table.columns))
    return {"title": _("Customers alive, by the quarter of their first purchase"), "ask": ask, "table": table,
            "chart": chart.told() if chart and len(table.rows) > 1 else None, "grid": grid}  # fmt: skip


def _customers(ask: Ask, names: Ask) -> dict[str, object]:
    """List the most valuable customers by name."""
    table = answer(ask)
    known = {one.id: one.name for one in directory.accounts_of(answer(names))} if table.rows else {}
    money = any(row["value"] is not None for row in table.records())
    columns = ["purchases", "last_purchase", "alive", "expected_purchases"]
    columns += ["per_purchase", "value"] if money else []
    heads = [words.label(column) for column in columns] + ([_("95 % interval")] if money else [])
    return {
        "title": _("The most valuable customers"), "ask": ask, "table": table, "heads": heads, "money": money,
        "as_of": ask.as_of.isoformat() if ask.as_of else "",
        "rows": [_customer(table, row, columns, known, money=money) for row in table.records()],
    }  # fmt: skip


def _customer(
    table: Table, row: Mapping[str, Cell], columns: list[str], known: Mapping[str, str], *, money: bool
) -> dict[str, object]:
    currency = str(row["currency"]) if row["currency"] else None
    cells = [(name, cell_text(row[name], table.columns[name], currency)) for name in columns]
    if money:
        cells.append(("value_low", between(row["value_low"], row["value_high"], "money", currency)))
    number = str(row["account"])
    return {"number": number, "name": known.get(number, number), "cells": cells}


RAIL = Rail("finance.see", "value", gettext_noop("Customer value"), "v", place=24)
URLS = [
    path("value/", page, name="value"),
    path("value/<slug:name>/", panel, name="value_panel"),
]
