"""Benchmarks: published figures as dated context beside own values, and the self-check of seven challenges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext
from django.views.decorators.http import require_POST

from plait import desk
from plait.measure import Table
from plait.web import formats, words
from plait.web.benchmarks import challenges
from plait.web.benchmarks.challenges import CHALLENGES, FEWEST, Challenge
from plait.web.benchmarks.models import Opinion
from plait.web.benchmarks.own import ENOUGH, OWN, Own, Value, value_of
from plait.web.benchmarks.reading import PUBLISHED, BadBenchmarks, Benchmark, benchmarks, read_benchmarks
from plait.web.panel import Between, Panel, grid_between, panels_of
from plait.web.people.models import User
from plait.web.people.rights import permit
from plait.web.rail import Rail
from plait.web.reader import answer, results, user_of
from plait.web.results import Ask

PAIRS = {"rev_existing_ratio_published": "rev_existing_ratio_recomputed"}  # side by side on one card
IN_CHECK = frozenset(one.benchmark for one in CHALLENGES.values())


@dataclass(frozen=True, slots=True)
class Card:
    """A published figure as it is shown, with the recomputed one where there is, and the own value."""

    figure: Benchmark
    value: str
    unit: str
    year: str
    beside: tuple[str, str] | None = None  # recomputed: value and how
    own: Value | None = None
    ask: Ask | None = None
    column: str = ""


def page(request: HttpRequest) -> HttpResponse:
    """Show the self-check, and below it the figures that have a value of our own, then all others."""
    user = _colleague(request)
    problem = ""
    try:
        known = benchmarks(settings.HOME)
    except BadBenchmarks as bad:
        known, problem = read_benchmarks(PUBLISHED), words.failure(bad)
    shown = [one for one in known if one.checked]
    parts = [
        Panel("check", "panels/self_check.html", _asks(user, list(CHALLENGES.values())), partial(_check, user, known)),
        Panel("own", "panels/benchmark_cards.html", _asks(user, list(OWN.values())),
              partial(_own_cards, user, shown)),
        Panel("proxies", "panels/proxies.html", [_proxies(user)], partial(_vanity, user)),
    ]  # fmt: skip
    others = [one for one in shown if one.id not in OWN and one.id not in IN_CHECK]
    context = {
        "title": _("Benchmarks"), "problem": problem, "panels": panels_of(parts, request.GET),
        "cards": _cards(others, lambda _one: None), "hidden": len(known) - len(shown), "query": request.GET.urlencode(),
        "own_answer": Opinion.objects.filter(person=user).first(), "fewest": FEWEST,
        "challenges": [(name, _(one.title)) for name, one in CHALLENGES.items()],
    }  # fmt: skip
    return render(request, "pages/benchmarks.html", context)


def panel(request: HttpRequest, name: str) -> HttpResponse:
    """Show one panel of the page."""
    user = _colleague(request)
    try:
        known = benchmarks(settings.HOME)
    except BadBenchmarks:
        known = read_benchmarks(PUBLISHED)
    found = {
        "check": ("panels/self_check.html", partial(_check, user, known)),
        "own": ("panels/benchmark_cards.html", partial(_own_cards, user, [one for one in known if one.checked])),
    }
    found["proxies"] = ("panels/proxies.html", partial(_vanity, user))
    if name not in found:
        raise Http404
    template, load = found[name]
    return HttpResponse(Panel(name, template, [], load).drawn())


@require_POST
def opinion(request: HttpRequest) -> HttpResponse:
    """Keep what somebody answers to the self-check, or take it back."""
    user = _colleague(request)
    if "back" in request.POST:
        challenges.take_back(user)
        messages.success(request, _("Your answer is forgotten."))
        return redirect("benchmarks")
    try:
        challenges.answer(user, request.POST.getlist("challenge"))
        messages.success(request, _("Your answer is kept; it is only shown together with those of others."))
    except challenges.BadOpinion as refused:
        messages.error(request, words.failure(refused))
    return redirect("benchmarks")


def _colleague(request: HttpRequest) -> User:
    user = user_of(request)
    permit(user, "lifecycle.see")
    permit(user, "numbers.see")
    desk.measures()
    return user


def _asks(user: User, told: Sequence[Challenge] | Sequence[Own]) -> list[Ask]:
    return list(dict.fromkeys(Ask.of(one.measure, one.options, scope=user.scope()) for one in told))


# -- cards


def _cards(
    figures: Sequence[Benchmark], own: Callable[[Benchmark], tuple[Value | None, Ask, str] | None]
) -> list[Card]:
    by_id = {one.id: one for one in figures}
    again = set(PAIRS.values())
    return [_card(one, by_id.get(PAIRS.get(one.id, "")), own(one)) for one in figures if one.id not in again]


def _card(one: Benchmark, recomputed: Benchmark | None, own: tuple[Value | None, Ask, str] | None) -> Card:
    year = one.year.removeprefix("<=")
    value, unit = _figure(one)
    beside = None
    if recomputed is not None:
        beside = _figure(recomputed)[0], recomputed.statement
    found, ask, column = own or (None, None, "")
    return Card(one, value, unit, _("%(year)s or before") % {"year": year} if year != one.year else year, beside, found,
                ask, column)  # fmt: skip


def _figure(one: Benchmark) -> tuple[str, str]:
    """Give a published figure as people write it, and what it counts."""
    number = formats.plain(one.value)
    if one.unit.startswith("%"):
        return f"{number} %", one.unit.removeprefix("%").strip()
    return number, one.unit


def _own_cards(user: User, shown: Sequence[Benchmark]) -> dict[str, object]:
    """Give the figures beside which a measure of ours stands, those of one measure together."""
    tables: dict[Ask, Table] = {}

    def own(one: Benchmark) -> tuple[Value | None, Ask, str]:
        told = OWN[one.id]
        ask = Ask.of(told.measure, told.options, scope=user.scope())
        table = tables.setdefault(ask, answer(ask))
        return value_of(told, table, _today(ask)), ask, told.column

    figures = [one for one in shown if one.id in OWN]
    return {"cards": _cards(figures, own), "enough": ENOUGH}


def _today(ask: Ask) -> date:
    return results().local_day(answer(ask).as_of)


# -- proxies


def _proxies(user: User) -> Ask:
    return Ask.of("proxy_validation", {}, scope=user.scope())


def _vanity(user: User) -> dict[str, object]:
    """Give each proxy with how closely it goes along with revenue, what is validated first."""
    ask = _proxies(user)
    table = answer(ask)
    columns: list[str | Between] = [
        "proxy", "lag", "n", "pearson", Between("pearson_low", "pearson_high", _("95 % interval")), "spearman",
        "p_corrected", "verdict",
    ]  # fmt: skip
    return {
        "title": _("Proxies beside later revenue"), "ask": ask, "table": table, "grid": grid_between(table, columns),
        "remarks": [words.said(text) for text in table.warnings],
    }  # fmt: skip


# -- the self-check


def _check(user: User, known: Sequence[Benchmark]) -> dict[str, object]:
    """Give each challenge with what others answered, what we answer, and what was measured."""
    published = {one.id: one for one in known}
    people, shares = challenges.answered()
    rows = []
    for name, challenge in CHALLENGES.items():
        figure, share = published[challenge.benchmark], shares.get(name)
        ask = Ask.of(challenge.measure, challenge.options, scope=user.scope())
        rows.append({
            "title": _(challenge.title), "published": f"{formats.plain(figure.value)} %", "width": float(figure.value),
            "own": None if share is None else formats.shown(share, "share"), "own_width": 100 * (share or 0),
            "fact": challenge.tell(answer(ask)), "ask": ask, "column": challenge.column,
        })  # fmt: skip
    figure = published[next(iter(CHALLENGES.values())).benchmark]
    said = ngettext("%(n)s colleague has answered", "%(n)s colleagues have answered", people) % {"n": people}
    return {"rows": rows, "people": people, "enough": bool(shares), "fewest": FEWEST, "answered": said,
            "figure": figure, "year": figure.year.removeprefix("<=")}  # fmt: skip


RAIL = Rail("lifecycle.see", "benchmarks", gettext_noop("Benchmarks"), "b", place=28)
URLS = [
    path("benchmarks/", page, name="benchmarks"),
    path("benchmarks/opinion/", opinion, name="benchmarks_opinion"),
    path("benchmarks/<slug:name>/", panel, name="benchmarks_panel"),
]
