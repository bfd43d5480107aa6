"""Scores: the grid of fit and engagement, the accounts in it, and every point that a score is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import cast

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from plait.measure import Cell, Table
from plait.points.rules import LETTERS
from plait.web import directory, formats, words
from plait.web.people.models import User
from plait.web.people.rights import permit
from plait.web.rail import Rail
from plait.web.reader import answer, ask_of, results, user_of
from plait.web.state import BadState

PAGE = 50
NUMBERS = (1, 2, 3, 4)
SMALL = 0.01  # points of which less is left are told together
PARTS = {
    "group cap": gettext_noop("more than the group counts"),
    "weak": gettext_noop("opened mail that nothing else bears out"),
    "person cap": gettext_noop("more than one person counts"),
    "other persons": gettext_noop("beyond the persons who count"),
}
SORTS = {"engagement": gettext_noop("Engagement"), "fit": gettext_noop("Fit"), "chance": gettext_noop("Chance to win")}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which accounts are looked for: of a cell of the grid (empty: all), the qualified only, and in which order."""

    cell: str
    qualified: bool
    sort: str
    page: int

    def holds(self, row: Mapping[str, Cell]) -> bool:
        """Tell whether an account is shown."""
        return (not self.cell or row["cell"] == self.cell) and (not self.qualified or row["qualified"] == "yes")


@dataclass(frozen=True, slots=True)
class Line:
    """A row of what a score is made of, as the page shows it."""

    what: str
    about: str
    person: str
    day: date | None
    kind: str
    raw: str
    age: str
    points: str
    taken: bool


def page(request: HttpRequest) -> HttpResponse:
    """Show the grid with how many accounts stand where, and the accounts of a cell."""
    user = user_of(request)
    permit(user, "numbers.see")
    permit(user, "customers.see")
    wanted, shared = _wanted(request.GET), _shared(request.GET)
    ask, chance_ask = ask_of(user, "lead_score", shared), ask_of(user, "win_chance", shared)
    table, chances = answer(ask), answer(chance_ask)
    rows = table.records()
    chance = {row["account"]: row for row in chances.records()}
    shown = _sorted([row for row in rows if wanted.holds(row)], wanted.sort, chance)
    pages = max(1, -(-len(shown) // PAGE))
    leaf = shown[(wanted.page - 1) * PAGE : wanted.page * PAGE]
    context = {
        "title": _("Scores"), "ask": ask, "chance_ask": chance_ask, "wanted": wanted, "page": wanted.page,
        "pages": pages, "total": len(shown), "known": len(rows), "grid": _grid(request.GET, rows, wanted),
        "numbers": NUMBERS, "rules": results().timeline().scoring.newest, "as_of": shared.get("as_of", ""),
        "qualified": sum(row["qualified"] == "yes" for row in rows), "rows": _listed(user, leaf, chance, shared),
        "sorts": [(name, _(text)) for name, text in SORTS.items()], "modelled": bool(chance),
        "remarks": [words.said(text) for text in (*table.warnings, *chances.warnings)],
        "toggle": _changed(request.GET, qualified="" if wanted.qualified else "yes", page=""),
    }  # fmt: skip
    return render(request, "pages/scores.html", context)


def account(request: HttpRequest, number: str) -> HttpResponse:
    """Show every point of an account: the fact, the rule and what is left of it; they add up to its scores."""
    user = user_of(request)
    permit(user, "numbers.see")
    permit(user, "customers.see")
    if directory.keys().get(number) is None:
        raise Http404
    shared = _shared(request.GET)
    ask, scored = ask_of(user, "score_points", {"account": number, **shared}), ask_of(user, "lead_score", shared)
    row = next((row for row in answer(scored).records() if row["account"] == number), None)
    if row is None:
        raise Http404
    table = answer(ask)
    sums = [
        {"name": name, "score": row[name], "lines": _lines(table, name)} for name in ("engagement", "fit")
    ]  # fmt: skip
    chance = next((one for one in answer(ask_of(user, "win_chance", shared)).records() if one["account"] == number), {})
    context = {
        "title": _names(user, shared).get(number, number), "number": number, "row": row, "sums": sums, "ask": ask,
        "scored": scored, "as_of": shared.get("as_of", ""), "rules": results().timeline().scoring.newest,
        "chance": _chance(chance) if chance else "", "reasons": _reasons(chance.get("reasons")),
    }  # fmt: skip
    return render(request, "pages/score.html", context)


def _wanted(query: QueryDict) -> Wanted:
    cells = [f"{letter}{number}" for letter in LETTERS for number in NUMBERS]
    page = str(query.get("page") or "1")
    return Wanted(
        _one_of("cell", str(query.get("cell", "")), cells),
        _one_of("qualified", str(query.get("qualified", "")), ["yes"]) == "yes",
        _one_of("sort", str(query.get("sort", "")), list(SORTS)) or "engagement",
        max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 9 else 1,  # noqa: PLR2004
    )


def _one_of(name: str, value: str, allowed: Sequence[str]) -> str:
    if value and value not in allowed:
        said = _("%(name)s cannot be %(value)r; allowed: %(allowed)s.")
        raise BadState(said % {"name": name, "value": value, "allowed": ", ".join(allowed)})
    return value


def _shared(query: QueryDict) -> dict[str, str]:
    return {"as_of": str(query["as_of"])} if query.get("as_of") else {}


def _changed(query: QueryDict, **changes: str) -> str:
    told = query.copy()
    for name, value in changes.items():
        told.pop(name, None)
        if value:
            told[name] = value
    return str(told.urlencode())


def _grid(query: QueryDict, rows: Sequence[Mapping[str, Cell]], wanted: Wanted) -> list[dict[str, object]]:
    """Give the grid, the best fit on top: each cell with its count, how dark it is and the address that picks it."""
    counts = Counter(str(row["cell"]) for row in rows)
    most = max(counts.values(), default=1)
    return [
        {"letter": letter, "cells": [_cell(query, f"{letter}{number}", counts, most, wanted) for number in NUMBERS]}
        for letter in LETTERS
    ]


def _cell(query: QueryDict, name: str, counts: Mapping[str, int], most: int, wanted: Wanted) -> dict[str, object]:
    here, count = wanted.cell == name, counts.get(name, 0)
    shade = 0 if not count else 1 + min(3, int(4 * (count / most) ** 0.5))
    return {"name": name, "count": count, "shade": shade, "here": here,
            "query": _changed(query, cell="" if here else name, page="")}  # fmt: skip


def _sorted(
    rows: list[dict[str, Cell]], sort: str, chance: Mapping[Cell, Mapping[str, Cell]]
) -> list[dict[str, Cell]]:  # fmt: skip
    """Sort, the most first; what has no chance told stands last."""

    def key(row: Mapping[str, Cell]) -> tuple[float, float, float, str]:
        told = chance.get(row["account"], {}).get("chance")
        first = (-1.0 if told is None else float(cast("float", told))) if sort == "chance" else cast("float", row[sort])
        return -float(first), -cast("float", row["engagement"]), -cast("float", row["fit"]), str(row["account"])

    return sorted(rows, key=key)


def _listed(
    user: User, rows: Sequence[Mapping[str, Cell]], chance: Mapping[Cell, Mapping[str, Cell]], shared: Mapping[str, str]
) -> list[dict[str, object]]:  # fmt: skip
    names = _names(user, shared) if rows else {}
    return [
        {
            "row": row, "number": row["account"], "name": names.get(str(row["account"]), str(row["account"])),
            "chance": _chance(chance.get(row["account"])),
            "reasons": _reasons(chance.get(row["account"], {}).get("reasons")),
        }
        for row in rows
    ]  # fmt: skip


def _names(user: User, shared: Mapping[str, str]) -> dict[str, str]:
    ask = ask_of(user, "account_health", shared)
    return {one.id: one.name for one in directory.accounts_of(answer(ask))}


def _chance(row: Mapping[str, Cell] | None) -> str:
    return formats.shown(row["chance"], "share") if row else formats.UNKNOWN


def _reasons(text: Cell) -> list[tuple[str, str]]:
    """Give the reasons of a chance as words and sizes."""
    parts = [part.rpartition(" ") for part in str(text).split(" · ")] if text else []
    return [(words.label(name), size) for name, _blank, size in parts]


def _lines(table: Table, score: str) -> list[Line]:
    """Give the rows of a score, the largest first; points of which little is left are told together."""
    rows = [row for row in table.records() if row["score"] == score]
    points = {id(row): cast("float", row["points"]) for row in rows}
    large = sorted((row for row in rows if abs(points[id(row)]) >= SMALL), key=lambda row: -abs(points[id(row)]))
    small = [row for row in rows if abs(points[id(row)]) < SMALL]
    lines = [_line(row) for row in large if row["part"] == "point"] + [_line(r) for r in large if r["part"] != "point"]
    if small:
        left = sum(points[id(row)] for row in small)
        what = _("%(n)s older points of which less than %(small)s is left") % {"n": len(small), "small": f"{SMALL:g}"}
        lines.append(Line(what, "", "", None, "", "", "", _number(left), taken=False))
    return lines


def _line(row: Mapping[str, Cell]) -> Line:
    taken = row["part"] != "point"
    what = _(PARTS[str(row["part"])]) if taken else str(row["rule"])
    about = str((row["rule"] if taken else row["value"]) or "")
    raw = "" if row["raw"] is None else _number(cast("float", row["raw"]))
    age = "" if row["age_days"] is None else formats.shown(row["age_days"], "days")
    day, left = cast("date | None", row["day"]), _number(cast("float", row["points"]))
    return Line(what, about, str(row["person"] or ""), day, str(row["kind"] or ""), raw, age, left, taken)


def _number(points: float) -> str:
    return formats.shown(points, "points")


RAIL = Rail("customers.see", "scores", gettext_noop("Scores"), "q", place=11)
URLS = [
    path("scores/", page, name="scores"),
    path("scores/of/<slug:number>/", account, name="score"),
]
