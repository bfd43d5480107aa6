"""Attribution: which channels earned the milestones, by the model that somebody chooses, and how far to trust it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import cast

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from plait.measure import BadOption, Cell, Table, known_measure
from plait.web import charts, formats, trust, words
from plait.web.blocks import grid_of
from plait.web.panel import (
    Between,
    Field,
    Panel,
    Wanted,
    between,
    changed,
    fields_of,
    grid_between,
    panels_of,
    read_wanted,
)
from plait.web.people.rights import permit
from plait.web.rail import Rail
from plait.web.reader import answer, results, user_of
from plait.web.results import Ask
from plait.web.state import PERIODS, BadState

MEASURES = ("attribution", "attribution_models", "channel_return", "paths")
FIRST = ("model", "milestone", "by", "lookback_days", "own_touches")
MORE = ("unit", "open_days", "known_accounts", "level")
OF_RETURN = ("margin", "months", "include_payouts")
NOBODY = ("(no touch)", "(would have come anyway)")
PATHS_SHOWN = 10
TEXTS = {
    "out": gettext_noop("left out"),
    "in": gettext_noop("in the channel they carry"),
    "own": gettext_noop("as a channel of their own"),
}
HOW_STRONG = {
    "none": gettext_noop("No intent"),
    "weak": gettext_noop("Weak intent"),
    "middling": gettext_noop("Middling intent"),
    "strong": gettext_noop("Strong intent"),
}
NO_ORDER = gettext_noop("This model asks for leads and opportunities on the way, which the simulation does not have.")


def page(request: HttpRequest) -> HttpResponse:
    """Show who earned the conversions by one model, beside what other models say and what it cost."""
    permit(user_of(request), "marketing.see")
    permit(user_of(request), "numbers.see")
    context: dict[str, object] = {"title": _("Attribution"), "periods": PERIODS, "query": request.GET.urlencode()}
    try:
        wanted = read_wanted(request, *MEASURES)
        ask = wanted.ask("attribution")
        panels = _panels(wanted, request.GET)
    except (BadOption, BadState) as refused:
        context |= {"refused": words.failure(refused), **_form(request.GET)}
        return render(request, "pages/attribution.html", context, status=400)
    context |= _form(request.GET) | _credited(ask, wanted) | {"panels": panels_of(panels, request.GET)}
    return render(request, "pages/attribution.html", context)


def panel(request: HttpRequest, name: str) -> HttpResponse:
    """Show one panel of the page."""
    permit(user_of(request), "marketing.see")
    panels = {one.name: one for one in _panels(read_wanted(request, *MEASURES), request.GET)}
    if name not in panels:
        raise Http404
    return HttpResponse(panels[name].drawn())


def _form(query: QueryDict) -> dict[str, object]:
    first: list[Field] = fields_of(query, "attribution", FIRST, TEXTS)
    more = fields_of(query, "attribution", MORE, TEXTS) + fields_of(query, "channel_return", OF_RETURN, TEXTS)
    names = (*MORE, *OF_RETURN, "from", "to", "as_of", "currency")
    return {"first": first, "more": more, "open": any(query.get(name) for name in names)}


def _panels(wanted: Wanted, query: QueryDict) -> list[Panel]:
    """Give the panels below the credit."""
    models, model = wanted.ask("attribution_models"), str(dict(wanted.ask("attribution").options)["model"])
    by = str(dict(models.options)["by"])
    ways = wanted.ask("paths", show="path", most=PATHS_SHOWN)
    length, lag = (wanted.ask("paths", show=show) for show in ("length", "lag"))
    found = [Panel("models", "panels/models.html", [models], partial(_models, models, model, query))]
    if by == "content":
        found.append(Panel("return", "panels/no_return.html", [], dict))
    else:
        spent = wanted.ask("channel_return")
        found.append(Panel("return", "panels/return.html", [spent], partial(_returned, spent, by)))
    return [
        *found,
        Panel("paths", "panels/paths.html", [ways], partial(_ways, ways, gettext_noop("Top paths"))),
        Panel("length", "panels/paths.html", [length], partial(_ways, length, gettext_noop("How many touches")), 6),
        Panel("lag", "panels/paths.html", [lag], partial(_ways, lag, gettext_noop("How long it took")), 6),
        Panel("trust", "panels/trust.html", [], partial(_trusted, model), waits=not trust.known()),
    ]


def _credited(ask: Ask, wanted: Wanted) -> dict[str, object]:
    """Answer the chosen model: sentence, figures, chart and table."""
    from plait.stats.paths.models import known_model

    table, options = answer(ask), dict(ask.options)
    model, by = known_model(str(options["model"])), str(options["by"])
    chart = charts.intervals_of(table, x="channel", value="credit", low="credit_low", high="credit_high", faint=NOBODY)
    interval = _("%(level)s %% interval") % {"level": options["level"]}
    columns = ("channel", "credit", Between("credit_low", "credit_high", interval), "credit_share", "value",
               Between("value_low", "value_high", interval), "strength")  # fmt: skip
    shown = [name for name in columns if name != "strength" or any(row["strength"] for row in table.records())]
    return {
        "ask": ask, "table": table, "model": words.label(model.name), "estimates": words.said(model.estimates),
        "caution": words.said(model.caution), "figures": _figures(table, ask) if table.rows else [],
        "chart": chart.told() if chart else None, "grid": grid_between(table, shown, first=by),
        "by": words.label(by).lower(),
        "remarks": [words.said(text) for text in table.warnings if text != model.caution],
        "unsure": _unsure(table), "period": formats.period(wanted.since, wanted.until)
        if wanted.since and wanted.until else _("All time"), "milestone": words.label(options["milestone"]),
    }  # fmt: skip


def _figures(table: Table, ask: Ask) -> list[dict[str, object]]:
    """Give the figures above the chart: conversions, their money, what nobody earned, and who earned most."""
    rows, currency = table.records(), _currency(table)
    nobody = [row for row in rows if row["channel"] in NOBODY]
    best = next((row for row in rows if row["channel"] not in NOBODY), None)
    worth, lost = _sum(rows, "value"), _sum(nobody, "value")
    milestone, unknown = words.label(dict(ask.options)["milestone"]), _("No money, or several currencies")
    told = [
        _figure(_("Conversions"), "credit", _rounded(_sum(rows, "credit")), milestone),
        _figure(
            _("Their money"), "value", formats.shown(cast("Cell", worth), "money", currency, compact=True),
            _("shared out to the cent") if worth is not None else unknown,
        ),
        _figure(
            _("Credited to nobody"), "credit_share", formats.shown(_sum(nobody, "credit_share") or 0.0, "share"),
            _("%(n)s conversions, %(money)s") % {
                "n": _rounded(_sum(nobody, "credit") or 0.0),
                "money": formats.shown(cast("Cell", lost), "money", currency, compact=True),
            },
        ),
    ]  # fmt: skip
    if best:
        spread = between(best["credit_low"], best["credit_high"], "credit", None)
        told.append(
            _figure(
                _("Earned most"), "credit", str(words.value(best["channel"])),
                _("%(credit)s conversions (%(between)s)")
                % {"credit": formats.shown(best["credit"], "credit"), "between": spread},
            )
        )  # fmt: skip
    return told


def _figure(title: str, column: str, value: str, about: str) -> dict[str, object]:
    return {"title": title, "column": column, "value": value, "about": about}


def _rounded(number: float | Decimal | None) -> str:
    """Give a sum of credits: a whole number where it is one."""
    whole = number is not None and abs(float(number) - round(number)) < 0.005  # noqa: PLR2004 - no digit is shown
    return formats.shown(round(number) if whole and number is not None else cast("Cell", number), "credit")


def _sum(rows: Sequence[Mapping[str, Cell]], column: str) -> float | Decimal | None:
    """Add up what is known of a column; None where nothing is."""
    cells = [cast("float | Decimal", row[column]) for row in rows if row[column] is not None]
    return sum(cells[1:], cells[0]) if cells else None


def _currency(table: Table) -> str | None:
    return next((str(row["currency"]) for row in table.records() if row["currency"]), None)


def _unsure(table: Table) -> str:
    """Say of how many channels the data cannot tell whether they earned anything."""
    spread = [row for row in table.records() if row["credit_low"] is not None]
    none = [words.value(row["channel"]) for row in spread if cast("float", row["credit_low"]) <= 0]
    if not none:
        return ""
    said = _("%(n)s of %(all)s intervals begin at zero. The data cannot tell these from none: %(names)s.")
    return said % {"n": len(none), "all": len(spread), "names": ", ".join(none)}


def _models(ask: Ask, model: str, query: QueryDict) -> dict[str, object]:
    """Set the models side by side, and name what they disagree about most."""
    table = answer(ask)
    names = [name for name in table.columns if name not in ("channel", "disagreement")]
    default = known_measure("attribution").options["model"].default
    heads = [
        {"name": name, "title": words.label(name), "here": name == model,
         "query": changed(query, model="" if name == default else name, whole="")}
        for name in names
    ]  # fmt: skip
    grid = grid_of(table)
    return {
        "title": _("Models side by side"), "ask": ask, "heads": heads, "grid": grid, "table": table,
        "by": words.label(dict(ask.options)["by"]), "widest": _widest(table, names),
        "remarks": [words.said(text) for text in (table.warnings[1:] if table.rows else table.warnings)],
        "other": words.label(model) if model not in names else "",
        "chosen": names.index(model) + 1 if model in names else 0,
    }  # fmt: skip


def _widest(table: Table, names: Sequence[str]) -> str:
    """Say what the models disagree about most."""
    if not table.rows:
        return ""
    row = table.records()[0]
    most, least = (pick(names, key=lambda name: cast("float", row[name])) for pick in (max, min))
    said = _("The models disagree most about %(name)s: %(most)s gives it %(high)s conversions, %(least)s %(low)s.")
    return said % {
        "name": words.value(row["channel"]), "most": words.label(most), "least": words.label(least),
        "high": formats.shown(row[most], "credit"), "low": formats.shown(row[least], "credit"),
    }  # fmt: skip


def _returned(ask: Ask, by: str) -> dict[str, object]:
    """Set what was earned against what was spent."""
    table = answer(ask)
    rows, currency, options = table.records(), _currency(table), dict(ask.options)
    worth, cost = _sum(rows, "value"), _sum(rows, "cost")
    lost = _sum([row for row in rows if row["channel"] in NOBODY], "value") or Decimal(0)
    unmet = _sum([row for row in rows if row["credit"] is None], "cost")
    chart = charts.chart_of(table, "ranked", ["value", "cost"], x="channel", today=results().local_day(table.as_of))
    columns: list[str | Between] = ["channel", "value", "cost", "profit", "roi"]
    columns += [Between("roi_low", "roi_high", _("ROI interval")), "cost_per_conversion"]
    if options["margin"] is not None:
        columns.append("payback_months")
    share = formats.shown(float(lost / worth), "share") if worth else formats.UNKNOWN  # type: ignore[operator]
    return {
        "title": _("Return on spend"), "ask": ask, "table": table, "chart": chart.told() if chart else None,
        "grid": grid_between(table, columns, first=by), "share": share,
        "lost": formats.shown(cast("Cell", lost), "money", currency),
        "worth": formats.shown(cast("Cell", worth), "money", currency),
        "cost": formats.shown(cast("Cell", cost), "money", currency) if cost is not None else "",
        "unmet": formats.shown(cast("Cell", unmet), "money", currency) if unmet else "",
        "remarks": [] if table.rows else [words.said(text) for text in table.warnings],
    }  # fmt: skip


def _ways(ask: Ask, title: str) -> dict[str, object]:
    """Show the ways to a conversion, by path, by length or by time."""
    table = answer(ask)
    show = str(dict(ask.options)["show"])
    first = {"path": "path", "length": "touches", "lag": "days"}[show]
    more = ["mean_touches", "mean_days"] if show == "path" else []
    grid = grid_between(table, ["path", "journeys", "converted", "conversion_rate", "value", *more], first=first)
    return {"title": _(title), "ask": ask, "table": table, "grid": grid}


def _trusted(model: str) -> dict[str, object]:
    """Tell how much credit each model gives to the wrong channel where the truth is known."""
    made = trust.trials()
    names = list(made[0].wrong)
    rows = [
        {"title": words.label(name), "here": name == model,
         "cells": [formats.shown(one.wrong[name], "share") for one in made]}
        for name in sorted(names, key=lambda name: made[0].wrong[name])
    ]  # fmt: skip
    return {
        "title": _("How far this model can be trusted"), "heads": [_(HOW_STRONG[one.strength]) for one in made],
        "rows": rows, "people": trust.PEOPLE, "baselines": [formats.shown(one.baseline, "share") for one in made],
        "said": _verdict(model, made) if model in names else _(NO_ORDER),
    }  # fmt: skip


def _verdict(model: str, made: Sequence[trust.Trial]) -> str:
    """Say in words how far the chosen model is off, and whether another is less so."""
    first, last = made[0], made[-1]
    best = min(last.wrong, key=lambda name: last.wrong[name])
    said = _(
        "%(model)s gives %(none)s of the credit to the wrong channel where nobody had decided before, and %(strong)s "
        "where many had and were seen more often for it."
    )
    told = said % {
        "model": words.label(model), "none": formats.shown(first.wrong[model], "share"),
        "strong": formats.shown(last.wrong[model], "share"),
    }  # fmt: skip
    if best == model:
        nearest = _("No other model is closer to the truth there.")
        return f"{told} {nearest}"
    other = _("Closest to the truth there is %(model)s with %(share)s.")
    other = other % {"model": words.label(best), "share": formats.shown(last.wrong[best], "share")}
    return f"{told} {other}"


RAIL = Rail("marketing.see", "attribution", gettext_noop("Attribution"), "c", place=23)
URLS = [
    path("attribution/", page, name="attribution"),
    path("attribution/<slug:name>/", panel, name="attribution_panel"),
]
