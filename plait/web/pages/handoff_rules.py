"""The policy of hand-offs: who hands what to whom, how soon it is answered, how departments work together, versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from http import HTTPStatus

from babel.dates import get_day_names
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_POST

from plait.facts import DEPARTMENTS
from plait.failure import Misused, Unfit
from plait.handoff.policy import MODES, BadPolicy, HandOffType, ModeRow, Policy, check_policy, policies
from plait.web import formats, words
from plait.web.handoffs import changing, clock, colleagues, shown
from plait.web.handoffs.models import Absence
from plait.web.handoffs.policies import newest
from plait.web.people.models import User, record
from plait.web.people.rights import may, permit
from plait.web.reader import user_of
from plait.working_time import Calendar

LARGEST = 200_000  # letters of a policy
MODES_SAY: Mapping[str, str] = {
    "separate": gettext_noop("Separate teams: the receiver owes an answer"),
    "joint": gettext_noop("Joint agreement: both sides owe, both heads are told"),
    "one_team": gettext_noop("One team: nothing waits, the owner goes on"),
}


@dataclass(frozen=True, slots=True)
class Given:
    """What somebody sent with a form, and what is wrong with it."""

    text: str = ""
    why: str = ""
    problems: Sequence[tuple[str, str]] = ()
    fine: bool = False


def rules(request: HttpRequest) -> HttpResponse:
    """Show the policy; who leads a department may try another one, adopt it, or change how two departments work."""
    user = user_of(request)
    if request.method != "POST":
        permit(user, "lifecycle.see")
        return _page(request, Given())
    permit(user, "lifecycle.approve")
    doing = request.POST.get("doing")
    if doing == "mode":
        return _mode(request, user)
    text, why = _text(request), str(request.POST.get("why", "")).strip()[:500]
    if doing == "since" and newest().since is None:
        text = changing.started_by_facts(newest().text, clock.present())
    if doing not in ("adopt", "since"):
        problems = [(one.where, words.said(one.says)) for one in check_policy(text)]
        return _page(request, Given(text, why, problems, fine=not problems), refused=bool(problems))
    return _adopted(request, user, text, why)


@require_POST
def away(request: HttpRequest) -> HttpResponse:
    """Write down that somebody is away: themselves, or a colleague of a department that the reader leads."""
    user = user_of(request)
    permit(user, "lifecycle.work")
    person = _person(user, str(request.POST.get("person") or user.email))
    try:
        first, last = (date.fromisoformat(str(request.POST.get(name, ""))) for name in ("first", "last"))
        if last < first:
            raise ValueError  # noqa: TRY301 - said once below
    except ValueError:
        messages.error(request, _("An absence needs a first and a last day, such as 2026-01-31, the last not before."))
        return redirect("handoff_rules")
    if person is None:
        messages.error(request, _("You may say this of yourself, or of colleagues in a department that you lead."))
        return redirect("handoff_rules")
    with transaction.atomic():
        _noted(user, Absence.objects.create(person=person, first=first, last=last), "absence.added")
    messages.success(request, _("%(name)s is away from %(first)s to %(last)s: hand-offs go to others.")
                     % {"name": person.name, "first": formats.day(first), "last": formats.day(last)})  # fmt: skip
    return redirect("handoff_rules")


@require_POST
def back(request: HttpRequest, number: int) -> HttpResponse:
    """Take an absence away: that of the reader, or of a colleague of a department that they lead."""
    user = user_of(request)
    permit(user, "lifecycle.work")
    one = Absence.objects.select_related("person").filter(pk=number).first()
    if one is not None and _person(user, one.person.email) is None:
        raise PermissionDenied(_("You may say this of yourself, or of colleagues in a department that you lead."))
    if one is not None:
        _noted(user, one, "absence.removed")
        one.delete()
        messages.success(request, _("%(name)s is not away then.") % {"name": one.person.name})
    return redirect("handoff_rules")


def _noted(user: User, one: Absence, action: str) -> None:
    record(user, action, one.person.email, after={"first": one.first.isoformat(), "last": one.last.isoformat()})


def _person(user: User, email: str) -> User | None:
    if email == user.email:
        return user
    if not may(user, "lifecycle.approve").allowed:
        return None
    return colleagues.working_in(user.department).filter(email=email, is_active=True).first()


def _text(request: HttpRequest) -> str:
    file = request.FILES.get("file")
    given = file.read(LARGEST + 1).decode("utf-8", "replace") if file else str(request.POST.get("text", ""))
    return given.replace("\r\n", "\n")[:LARGEST]


def _adopted(request: HttpRequest, user: User, text: str, why: str) -> HttpResponse:
    try:
        policy = changing.adopt(text, by=user.email, why=why)
    except BadPolicy as bad:
        problems = [(one.where, words.said(one.says)) for one in bad.problems]
        return _page(request, Given(text, why, problems), refused=True)
    messages.success(request, _("Version %(n)s holds from now on; what is open keeps its own.") % {"n": policy.version})
    return redirect("handoff_rules")


def _mode(request: HttpRequest, user: User) -> HttpResponse:
    given = {name: str(request.POST.get(name, "")) for name in ("one", "other", "mode", "why")}
    try:
        changing.work_as((given["one"], given["other"]), given["mode"], by=user.email, why=given["why"].strip()[:500])
    except BadPolicy as bad:
        messages.error(request, " ".join(words.said(one.says) for one in bad.problems))
    except (Unfit, Misused) as refused:
        messages.error(request, words.failure(refused))
    else:
        messages.success(request, _("From now on: %(mode)s") % {"mode": _(MODES_SAY[given["mode"]])})
    return redirect("handoff_rules")


def _page(request: HttpRequest, given: Given, *, refused: bool = False) -> HttpResponse:
    user, policy = user_of(request), newest()
    known = list(policies(settings.HOME).values())
    names = colleagues.names_of(one.by for one in known)
    context = {
        "title": _("Rules of hand-offs"), "policy": policy, "types": [_type(one) for one in policy.types.values()],
        "reasons": shown.reasons_of(policy), "calendars": _calendars(policy), "modes": _modes(policy),
        "versions": [(one, names.get(one.by, one.by)) for one in reversed(known)], "given": given,
        "text": given.text or policy.text, "approves": may(user, "lifecycle.approve").allowed,
        "works": may(user, "lifecycle.work").allowed, "departments": DEPARTMENTS, "all_modes": MODES_SAY.items(),
        "away": Absence.objects.filter(last__gte=clock.today()).select_related("person").order_by("first")[:100],
        "team": colleagues.working_in(user.department).filter(is_active=True) if user.department else [],
        "since": shown.local(policy.since, clock.zone()),
    }  # fmt: skip
    status = HTTPStatus.BAD_REQUEST if refused else HTTPStatus.OK
    return render(request, "pages/handoff_rules.html", context, status=status)


def _type(one: HandOffType) -> dict[str, object]:
    """Give a type as the page says it."""
    owed = [
        _("%(n)s a month") % {"n": one.volume} if one.volume is not None else "",
        _("%(share)s of the card filled in") % {"share": shown.percent(one.completeness)}
        if one.completeness is not None else "",
        _("%(share)s accepted") % {"share": shown.percent(one.acceptance)}
        if one.acceptance is not None else "",
    ]  # fmt: skip
    return {
        "title": _(one.title) if one.title else words.label(one.name), "one": one,
        "starts": [words.label(kind) for kind in one.starts], "required": [words.label(name) for name in one.required],
        "answer": shown.minutes(one.answer_minutes), "touch": shown.minutes(one.touch_minutes),
        "owed": [text for text in owed if text],
    }  # fmt: skip


def _modes(policy: Policy) -> list[tuple[ModeRow, str, str, datetime | None, bool]]:
    """Give how pairs of departments work together, the newest first; the last says whether it holds now."""
    now = clock.present()
    rows = sorted(policy.modes, key=lambda row: row.since, reverse=True)
    return [
        (row, " · ".join(words.label(name) for name in sorted(row.departments)), _(MODES_SAY[row.mode]),
         shown.local(row.since, clock.zone()), policy.mode(*_both(row), now) == row.mode and row.since <= now)
        for row in rows
    ]  # fmt: skip


def _both(row: ModeRow) -> tuple[str, str]:
    one, other = sorted(row.departments)
    return one, other


def _calendars(policy: Policy) -> list[tuple[str, Calendar, list[str]]]:
    """Give each calendar once, with its departments and its hours from Monday to Sunday."""
    found: dict[int, tuple[list[str], Calendar]] = {}
    for department, calendar in policy.calendars.items():
        found.setdefault(hash((calendar.zone, calendar.week, tuple(sorted(calendar.days)))), ([], calendar))[0].append(
            words.label(department)
        )
    return [(", ".join(names), calendar, _week(calendar)) for names, calendar in found.values()]


def _week(calendar: Calendar) -> list[str]:
    """Give the hours of a week, days with the same hours together."""
    names = get_day_names("abbreviated", locale=formats.locale())
    told: list[tuple[list[str], str]] = []
    for day, periods in enumerate(calendar.week):
        hours = ", ".join(f"{one.begins:%H:%M}–{one.ends:%H:%M}" for one in periods) or _("no work")
        if told and told[-1][1] == hours:
            told[-1][0].append(names[day])
        else:
            told.append(([names[day]], hours))
    return [f"{days[0]}–{days[-1]} {hours}" if len(days) > 1 else f"{days[0]} {hours}" for days, hours in told]


assert set(MODES_SAY) == set(MODES)  # noqa: S101 - a mode without words would be found here, at import
URLS = [
    path("handoffs/rules/", rules, name="handoff_rules"),
    path("handoffs/away/", away, name="handoff_away"),
    path("handoffs/away/<int:number>/end/", back, name="handoff_back"),
]
