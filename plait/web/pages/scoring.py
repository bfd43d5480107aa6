"""What scores are made by: the versions of the rules, and the models of chance with their proof."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import accumulate
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _

from plait import desk
from plait.failure import Misused, Said, Unfit
from plait.measures._adoption import Moves, moves
from plait.measures._training import train
from plait.points import kept
from plait.points.reading import BadRules, read_rules
from plait.points.rules import Rules
from plait.stats.chance.back_test import BackTest
from plait.web import formats, words
from plait.web.charts import Chart, Series
from plait.web.people.models import User, record
from plait.web.people.rights import may, permit
from plait.web.reader import results, user_of

MOST_TEXT = 100_000
MOST_FACTS = 3_000_000  # with more, training takes longer than a page may
WITHIN = (30, 60, 90, 180)


def rules(request: HttpRequest) -> HttpResponse:
    """Show a version of the rules in words; try an edited file, or adopt it."""
    user = _reader(request)
    if request.method != "POST":
        return _rules_page(request, user)
    permit(user, "lifecycle.approve")
    text = str(request.POST.get("text", ""))[:MOST_TEXT].replace("\r\n", "\n")
    try:
        found = read_rules(text, 0)
        if "adopt" not in request.POST:
            told = moves(results().timeline(), found)
            return _rules_page(request, user, text=text, moved=told)
        with transaction.atomic():
            before = results().timeline().scoring.newest.number
            made = desk.adopt_scores(settings.HOME, text, by=str(user), why=str(request.POST.get("why", "")),
                                     now=timezone.now())  # fmt: skip
            after = {"version": made.rules.number, "why": made.why}
            record(user, "scores.adopted", f"score rules, version {made.rules.number}", before={"version": before},
                   after=after)  # fmt: skip
    except BadRules as refused:
        return _rules_page(request, user, text=text, problems=[words.said(one) for one in refused.problems])
    messages.success(request, _("Version %(n)s is in force.") % {"n": made.rules.number})
    return redirect("score_rules")


def model(request: HttpRequest) -> HttpResponse:
    """Show the models with their proof; train one, put one in force, or none."""
    user = _reader(request)
    if request.method != "POST":
        return _model_page(request, user)
    permit(user, "lifecycle.approve")
    try:
        if "train" in request.POST:
            number = _train(request, user)
            messages.success(request, _("Model %(n)s was trained; its proof stands below.") % {"n": number})
        else:
            _put_in_force(request, user)
    except (Unfit, Misused) as refused:
        return _model_page(request, user, problem=words.failure(refused))
    return redirect("score_model")


def _reader(request: HttpRequest) -> User:
    user = user_of(request)
    permit(user, "numbers.see")
    permit(user, "customers.see")
    if user.outside:
        raise Http404
    return user


def _rules_page(request: HttpRequest, user: User, **more: Any) -> HttpResponse:  # noqa: ANN401 - for the template
    scoring = kept.read_scoring(settings.HOME)
    asked = str(request.GET.get("version", ""))
    known = {str(number): one for number, one in scoring.versions.items()}
    shown = known.get(asked) or scoring.versions[max(scoring.versions)]
    problems = more.get("problems")
    context = {
        "title": _("Score rules"), "shown": shown, "rules": shown.rules, "in_force": max(scoring.versions),
        "versions": sorted(scoring.versions.items(), reverse=True), "traits": shown.rules.traits,
        "groups": _groups(shown.rules), "may_change": may(user, "lifecycle.approve").allowed, "problems": problems,
        "text": more.get("text", shown.text), "moved": _moved(more.get("moved")), "why": request.POST.get("why", ""),
        "letters": list(zip("ABC", shown.rules.fit_grid, strict=True)),
        "numbers": list(enumerate(shown.rules.engagement_grid, 1)),
    }  # fmt: skip
    status = HTTPStatus.BAD_REQUEST if problems else HTTPStatus.OK
    return render(request, "pages/score_rules.html", context, status=status)


def _groups(found: Rules) -> list[dict[str, object]]:
    return [{"group": group, "acts": [act for act in found.acts if act.group == group.name]} for group in found.groups]


def _moved(told: Moves | None) -> dict[str, object] | None:
    """Give what other rules would change, cell by cell."""
    if told is None:
        return None
    cells = [(cell, told.before.get(cell, 0), told.after.get(cell, 0)) for cell in sorted({*told.before, *told.after})]
    return {"moves": told, "cells": [one for one in cells if one[1] != one[2]]}


def _train(request: HttpRequest, user: User) -> int:
    within = str(request.POST.get("within", "90"))
    if within not in map(str, WITHIN):
        said = Said(
            "{days} is no choice; choose one of {allowed} days.", days=within[:20], allowed=", ".join(map(str, WITHIN))
        )
        raise kept.NoVersion(said)
    opened = results().timeline()
    if sum(source.facts for source in desk.info(settings.HOME).sources) > MOST_FACTS:
        raise kept.NoVersion(Said("This home is large: train on the server with `plait scores train`."))
    told = train(opened, within_days=int(within), in_force=opened.scoring.model)
    with transaction.atomic():
        number = kept.keep_model(settings.HOME, {**told, "by": str(user), "at": timezone.now().isoformat()})
        record(user, "scores.trained", f"model {number}", after={"within_days": int(within)})
    return number


def _put_in_force(request: HttpRequest, user: User) -> None:
    given = str(request.POST.get("number", ""))
    if not given.isascii() or not given.isdigit() or len(given) > 6:  # noqa: PLR2004
        raise kept.NoVersion(Said("{given!r} is no model; choose one of the list.", given=given[:20]))
    number = int(given) or None
    against = _said(kept.read_model(settings.HOME, number)["against_it"]) if number else []
    if against:
        says = Said("Model {n} may not be put in force: {because}", n=number, because=" ".join(against))
        raise kept.NoVersion(says)
    before = results().timeline().scoring.model
    with transaction.atomic():
        record(user, "scores.in_force", f"model {number}" if number else "no model",
               before={"model": before["number"] if before else None}, after={"model": number})  # fmt: skip
        kept.put_in_force(settings.HOME, number, by=str(user), at=timezone.now())
    messages.success(
        request, _("Model %(n)s is in force.") % {"n": number} if number else _("No model is in force.")
    )  # fmt: skip


def _model_page(request: HttpRequest, user: User, problem: str = "") -> HttpResponse:
    every = kept.models(settings.HOME)
    active = kept.read_scoring(settings.HOME).model
    asked = str(request.GET.get("number", ""))
    shown = next((one for one in every if str(one["number"]) == asked), every[0] if every else None)
    context = {
        "title": _("Chance to win"), "models": [_summary(one, active) for one in every], "problem": problem,
        "may_change": may(user, "lifecycle.approve").allowed, "within": WITHIN, "active": active,
        "shown": _proof(shown) if shown else None,
    }  # fmt: skip
    status = HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK
    return render(request, "pages/score_model.html", context, status=status)


def _summary(told: Mapping[str, object], active: Mapping[str, object] | None) -> dict[str, object]:
    figures = BackTest.of(cast("Mapping[str, object]", told["test"])).model
    return {
        "number": told["number"], "by": told["by"], "at": datetime.fromisoformat(str(told["at"])).astimezone(UTC),
        "within": told["within_days"], "auc": formats.shown(figures.auc, "ratio"), "fit": not told["against_it"],
        "lift": formats.shown(figures.lift, "ratio"), "here": bool(active and active["number"] == told["number"]),
    }  # fmt: skip


def _proof(told: Mapping[str, object]) -> dict[str, object]:
    """Give the back-test of a model as the page shows it."""
    test = BackTest.of(cast("Mapping[str, object]", told["test"]))
    every = [(_("This model"), test.model), *((_(name), one) for name, one in test.against.items())]
    lines = [
        {
            "name": name, "auc": f"{one.auc:.3f}", "between": f"{one.auc_low:.3f} – {one.auc_high:.3f}",
            "lift": f"{one.lift:.2f}",
            **{key: formats.UNKNOWN if value is None else format(value, form) for key, value, form in (
                ("slope", one.slope, ".2f"), ("ratio", one.came_to_foretold, ".2f"), ("brier", one.brier, ".4f"))},
        }
        for name, one in every
    ]  # fmt: skip
    return {
        "number": told["number"], "lines": lines, "brier_base": f"{test.model.brier_base:.4f}", "test": test,
        "against": _said(told["against_it"]), "remarks": _said(told["remarks"]), "within": told["within_days"],
        "columns": [words.label(name) for name in cast("list[str]", told["columns"])],
        "gain": _gain(test).told(), "calibration": _calibration(test).told(),
    }  # fmt: skip


def _gain(test: BackTest) -> Chart:
    """Draw how many of all wins stood among those of whom most was foretold."""
    tenths = test.model.tenths
    wins = list(accumulate(one.rows * one.came for one in tenths))
    rows = list(accumulate(one.rows for one in tenths))
    labels = [f"{round(100 * count / rows[-1])} %" for count in rows]
    caught = [count / (wins[-1] or 1.0) for count in wins]
    by_chance = [count / rows[-1] for count in rows]
    return Chart("line", labels, [Series(_("by this model"), caught), Series(_("by chance"), by_chance)], "share")


def _calibration(test: BackTest) -> Chart:
    """Draw what was foretold beside what came, tenth by tenth."""
    tenths = test.model.tenths
    told = [Series(_("foretold"), [one.foretold for one in tenths]), Series(_("came"), [one.came for one in tenths])]
    return Chart("bar", [str(one.number) for one in tenths], told, "share")


def _said(told: object) -> list[str]:
    """Give kept sentences in the reader's language."""
    return [words.said(Said.of(one)) if isinstance(one, dict) else str(one) for one in cast("list[object]", told)]


URLS = [
    path("scores/rules/", rules, name="score_rules"),
    path("scores/model/", model, name="score_model"),
]
