"""Data health: how fresh each source is, what was loaded, which rows were refused, whether control totals hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from plait import desk, report
from plait.intake import RefusedRow
from plait.measure import Cell
from plait.web.collector.models import LiveSource
from plait.web.people.models import User
from plait.web.people.rights import may, permit
from plait.web.rail import Rail
from plait.web.reader import answer, user_of
from plait.web.results import Ask
from plait.web.state import day_of

MEASURE = "source_health"
FRESH, LATE = 7, 35  # days: what comes weekly is fresh, what comes monthly late, anything older silent
PAGE, LOADS = 50, 25
FILTERS = ("source", "rule", "file")
CSV = ("source", "file", "line", "field", "value", "rule", "next_step", "row", "loaded_at")


@dataclass(frozen=True, slots=True)
class Source:
    """A source as the page shows it: its row of `source_health` and how fresh it is, in a word and a colour."""

    row: Mapping[str, Cell]
    fresh: str
    verdict: str


def data(request: HttpRequest) -> HttpResponse:
    """Show every source, the loads, the control totals and the refused rows by rule."""
    user = _colleague(request)
    desk.measures()
    as_of = day_of("as_of", str(request.GET["as_of"])) if request.GET.get("as_of") else None
    ask = Ask.of(MEASURE, {}, as_of=as_of, scope=user.scope())
    page = _page(request)
    loads, count = desk.loads(settings.HOME, limit=LOADS, offset=(page - 1) * LOADS)
    context = {
        "title": _("Data health"), "ask": ask, "sources": [_source(row) for row in answer(ask).records()],
        "as_of": request.GET.get("as_of", ""), "loads": loads, "count": count, "page": page,
        "pages": max(1, -(-count // LOADS)), "controls": desk.controls(settings.HOME),
        "groups": desk.refused_groups(settings.HOME), "fresh_days": FRESH, "late_days": LATE,
        "may_load": may(user, "data.work").allowed,
        "live_names": set(LiveSource.objects.values_list("name", flat=True)),
    }  # fmt: skip
    return render(request, "pages/data.html", context)


def refused(request: HttpRequest) -> HttpResponse:
    """Show refused rows, a page of them: where each stands, what is wrong and what to do."""
    _colleague(request)
    page, wanted = _page(request), _wanted(request)
    found = desk.refused_rows(settings.HOME, wanted, limit=PAGE, offset=(page - 1) * PAGE)
    groups = desk.refused_groups(settings.HOME)
    context = {
        "title": _("Refused rows"), "found": found, "page": page, "pages": max(1, -(-found.count // PAGE)),
        "wanted": wanted, "sources": sorted({group.source for group in groups}),
        "rules": sorted({group.rule for group in groups}),
    }  # fmt: skip
    return render(request, "pages/refused.html", context)


def refused_csv(request: HttpRequest) -> HttpResponse:
    """Give exactly the refused rows that are asked for as CSV, all pages."""
    _colleague(request)
    found = desk.refused_rows(settings.HOME, _wanted(request))
    response = HttpResponse(report.csv_text(CSV, map(_cells, found.rows)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="refused-rows.csv"'
    return response


def _colleague(request: HttpRequest) -> User:
    """Give who may see whole files and refused rows: nobody from outside, whose rows are not told apart in them."""
    user = user_of(request)
    permit(user, "data.see")
    if user.outside:
        raise Http404
    return user


def _source(row: Mapping[str, Cell]) -> Source:
    days = row["days_since"]
    if not isinstance(days, float):
        return Source(row, _("gave no fact yet"), "warn")
    if days <= FRESH:
        return Source(row, _("fresh"), "good")
    return Source(row, _("late"), "warn") if days <= LATE else Source(row, _("silent"), "bad")


def _wanted(request: HttpRequest) -> dict[str, str]:
    return {name: str(request.GET[name]) for name in FILTERS if request.GET.get(name)}


def _page(request: HttpRequest) -> int:
    page = str(request.GET.get("page") or "1")
    return max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 9 else 1  # noqa: PLR2004


def _cells(row: RefusedRow) -> list[Cell]:
    at = f"{row.at:%Y-%m-%dT%H:%M:%S}Z"
    return [row.source, row.file, row.line, row.field, row.value, row.rule, row.next_step, row.row, at]


RAIL = Rail("data.see", "data", gettext_noop("Data health"), "d", place=30)
URLS = [
    path("data/", data, name="data"),
    path("data/refused/", refused, name="refused"),
    path("data/refused/csv/", refused_csv, name="refused_csv"),
]
