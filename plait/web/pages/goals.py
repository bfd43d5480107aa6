"""Goals: what each stage of the cycle is to reach, in numbers and in words, and how far it is."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from django.views.decorators.http import require_POST

from plait.facts import STAGES
from plait.failure import Misused
from plait.web import words
from plait.web.people.models import User
from plait.web.people.rights import may, permit
from plait.web.rail import Rail
from plait.web.reader import user_of
from plait.web.register.goals import end, figures, goals_of, keep, missing
from plait.web.register.models import Goal

MONTHS = {
    "0": gettext_noop("as it stands, or of all time"), "1": gettext_noop("over the last month"),
    "3": gettext_noop("over the last 3 months"), "12": gettext_noop("over the last 12 months"),
}  # fmt: skip
WAYS = {"up": gettext_noop("at least the target"), "down": gettext_noop("at most the target")}
SORTS = {"quantitative": gettext_noop("a number"), "qualitative": gettext_noop("in words")}


def _choices(texts: dict[str, str]) -> Iterator[tuple[str, str]]:
    yield from ((name, _(text)) for name, text in texts.items())


def _stages() -> Iterator[tuple[str, str]]:
    yield from ((name, words.label(name)) for name in STAGES)


def _figures() -> Iterator[tuple[str, str]]:
    yield "", "–"
    yield from figures()


class Target(forms.CharField):
    """A number, or a share written in percent."""

    def clean(self, value: Any) -> Decimal | None:  # noqa: ANN401 - Django's own shape
        """Read `0.25` or `25 %`."""
        text = str(super().clean(value) or "").replace(" ", "").replace(",", ".")
        if not text:
            return None
        try:
            number = Decimal(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite() or abs(number) >= 10**14:
            raise forms.ValidationError(_("A target is a number such as 120000 or 0.25; a share may be written 25 %."))
        return number


class People(forms.ModelChoiceField):  # type: ignore[type-arg]
    """A colleague who answers for the goal."""

    def label_from_instance(self, obj: User) -> str:
        """Give the name, with the department."""
        return f"{obj.name} · {words.label(obj.department)}" if obj.department else obj.name


class NumberForm(forms.Form):
    """A goal that a measure tells."""

    stage = forms.ChoiceField(label=gettext_lazy("Stage"), choices=_stages)
    text = forms.CharField(label=gettext_lazy("Goal"), max_length=300)
    figure = forms.ChoiceField(label=gettext_lazy("Number"), choices=_figures)
    where = forms.CharField(
        label=gettext_lazy("Of which row"), required=False, max_length=200,
        help_text=gettext_lazy("Where there are several, name one: survey=nps, currency=EUR."),
    )  # fmt: skip
    months = forms.ChoiceField(label=gettext_lazy("Counted"), choices=lambda: _choices(MONTHS), initial="12")
    way = forms.ChoiceField(label=gettext_lazy("Reached with"), choices=lambda: _choices(WAYS))
    target = Target(label=gettext_lazy("Target"), max_length=30)
    due_on = forms.DateField(label=gettext_lazy("By"), widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    owner = People(
        label=gettext_lazy("Who answers for it"),
        queryset=User.objects.filter(is_active=True, outside=False).order_by("name"),
    )

    def clean_where(self) -> dict[str, str]:
        """Read `survey=nps, currency=EUR`."""
        parts = [part.partition("=") for part in self.cleaned_data["where"].split(",") if part.strip()]
        if any(not sign or not name.strip() or not value.strip() for name, sign, value in parts):
            raise forms.ValidationError(_("Write column=value, several with commas: survey=nps, currency=EUR."))
        return {name.strip(): value.strip() for name, _sign, value in parts}

    def fill(self, goal: Goal) -> Goal:
        """Write what was said into a goal."""
        told = self.cleaned_data
        goal.sort, goal.up, goal.months = Goal.Sort.QUANTITATIVE, told["way"] == "up", int(told["months"])
        goal.measure, _dot, goal.column = told["figure"].partition(".")
        for name in ("stage", "text", "where", "target", "due_on", "owner"):
            setattr(goal, name, told[name])
        return goal

    @staticmethod
    def initial_of(goal: Goal) -> dict[str, object]:
        """Give what the form says of a goal."""
        return {
            "stage": goal.stage, "text": goal.text, "figure": f"{goal.measure}.{goal.column}" if goal.measure else "",
            "where": ", ".join(f"{name}={value}" for name, value in goal.where.items()), "months": str(goal.months),
            "way": "up" if goal.up else "down", "due_on": goal.due_on, "owner": goal.owner_id,
            "target": f"{goal.target.normalize():f}" if goal.target is not None else "",
        }  # fmt: skip


class WordsForm(forms.Form):
    """A goal that people judge."""

    stage = forms.ChoiceField(label=gettext_lazy("Stage"), choices=_stages)
    text = forms.CharField(label=gettext_lazy("Goal"), max_length=300)
    due_on = forms.DateField(label=gettext_lazy("By"), widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    owner = People(
        label=gettext_lazy("Who answers for it"),
        queryset=User.objects.filter(is_active=True, outside=False).order_by("name"),
    )
    verdict = forms.ChoiceField(
        label=gettext_lazy("Where it stands"), choices=lambda: [(n, words.label(n)) for n in Goal.Verdict.values]
    )

    def fill(self, goal: Goal) -> Goal:
        """Write what was said into a goal."""
        goal.sort = Goal.Sort.QUALITATIVE
        for name, value in self.cleaned_data.items():
            setattr(goal, name, value)
        return goal

    @staticmethod
    def initial_of(goal: Goal) -> dict[str, object]:
        """Give what the form says of a goal."""
        names = ("stage", "text", "due_on", "verdict")
        return {name: getattr(goal, name) for name in names} | {"owner": goal.owner_id}


FORMS: dict[str, type[NumberForm | WordsForm]] = {"quantitative": NumberForm, "qualitative": WordsForm}


def goals(request: HttpRequest) -> HttpResponse:
    """Show the goals of every stage; what a stage lacks is said."""
    user = user_of(request)
    permit(user, "lifecycle.see")
    lacks = missing()
    context = {
        "title": _("Goals"), "stages": lacks, "lacking": sum(map(bool, lacks.values())),
        "changes": may(user, "lifecycle.work").allowed,
    }  # fmt: skip
    return render(request, "pages/goals.html", context)


def stage(request: HttpRequest, name: str) -> HttpResponse:
    """Show the goals of one stage as they stand."""
    user = user_of(request)
    permit(user, "lifecycle.see")
    permit(user, "numbers.see")
    if name not in STAGES:
        raise Http404
    context = {"found": goals_of(name, user.scope()), "changes": may(user, "lifecycle.work").allowed}
    return render(request, "parts/stage_goals.html", context)


def new(request: HttpRequest, sort: str) -> HttpResponse:
    """Set a goal."""
    user = user_of(request)
    permit(user, "lifecycle.work")
    if sort not in FORMS:
        raise Http404
    asked = request.GET.get("stage", "")
    initial = {"stage": asked if asked in STAGES else STAGES[0], "owner": user.pk, "months": "12"}
    form = FORMS[sort](request.POST or None, initial=initial)
    return _kept(request, form, Goal(sort=sort), _("New goal"))


def goal(request: HttpRequest, number: int) -> HttpResponse:
    """Change a goal."""
    user = user_of(request)
    permit(user, "lifecycle.work")
    found = get_object_or_404(Goal, pk=number, ended_at=None)
    kind = FORMS[found.sort]
    form = kind(request.POST or None, initial=kind.initial_of(found))
    return _kept(request, form, found, found.text)


@require_POST
def ended(request: HttpRequest, number: int) -> HttpResponse:
    """Take a goal off the page."""
    user = user_of(request)
    permit(user, "lifecycle.work")
    end(user, get_object_or_404(Goal, pk=number, ended_at=None))
    messages.success(request, _("The goal is taken off; the audit log keeps it."))
    return redirect("goals")


def _kept(request: HttpRequest, form: NumberForm | WordsForm, found: Goal, title: str) -> HttpResponse:
    """Keep what a form says of a goal, or show the form."""
    if request.method == "POST" and form.is_valid():
        try:
            keep(user_of(request), form.fill(found))
        except Misused as refused:
            form.add_error(None, words.failure(refused))
        else:
            messages.success(request, _("Saved."))
            return redirect("goals")
    status = 400 if form.errors or (request.method == "POST" and not request.POST) else 200
    context = {"title": title, "form": form, "goal": found if found.pk else None, "sort": _(SORTS[found.sort])}
    return render(request, "pages/goal.html", context, status=status)


RAIL = Rail("lifecycle.see", "goals", gettext_noop("Goals"), "e", place=8)
URLS = [
    path("goals/", goals, name="goals"),
    path("goals/new/<slug:sort>/", new, name="new_goal"),
    path("goals/stage/<slug:name>/", stage, name="stage_goals"),
    path("goals/<int:number>/", goal, name="goal"),
    path("goals/<int:number>/end/", ended, name="end_goal"),
]
