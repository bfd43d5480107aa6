"""Who is who: pairs that are probably one, decided one by one, and every decision in force with the way back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_POST

from plait import desk, identity
from plait.failure import Misused, Unfit
from plait.matching import acts, kept, review
from plait.matching.acts import Steward
from plait.matching.kept import SCOPES, Proposal, Setting, Trained
from plait.matching.model import NoSplink, require_splink
from plait.stewardship import BLOCK, LIMIT, Decision, read_decisions
from plait.web import formats, words
from plait.web.likeness import Row, rows_of
from plait.web.people.models import User, record
from plait.web.people.rights import may, permit
from plait.web.rail import Rail
from plait.web.reader import user_of
from plait.web.results import Kept
from plait.web.work import jobs
from plait.web.work.models import Job

LATER, MOST_LATER = "identity_later", 200
SHOWN, MOST_DECISIONS = 12, 200
SCOPE_TITLES = {"person": gettext_noop("People"), "account": gettext_noop("Companies")}
KINDS = {
    "merge": gettext_noop("are one"),
    "part": gettext_noop("stand apart"),
    "apart": gettext_noop("are two"),
    "block": gettext_noop("joins nobody"),
    "allow": gettext_noop("joins"),
    "limit": gettext_noop("limit"),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A pair as the page shows it: field by field, and how sure matching is, in words."""

    pair: Proposal
    rows: Sequence[Row]
    percent: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of matching people or companies: the model, its settings, how right it is."""

    scope: str
    title: str
    trained: Trained | None
    setting: Setting
    figures: Sequence[tuple[str, str, str]]


def page(request: HttpRequest) -> HttpResponse:
    """Show the next pair, those after it, the decisions in force and how matching does."""
    user = colleague(request, "data.see")
    return _page(request, user)


@require_POST
def answer(request: HttpRequest) -> HttpResponse:
    """Decide on a pair: the same, not the same, or later; two colleagues at once make one decision."""
    user = colleague(request, "data.work")
    number, said = str(request.POST.get("pair", "")), str(request.POST.get("answer", ""))
    if said == "later":
        later = [one for one in request.session.get(LATER, []) if one != number]
        request.session[LATER] = [*later, number][-MOST_LATER:]
        return redirect("identity")
    if said not in ("same", "different"):
        return refused(request, user, _("Say whether they are the same, not the same, or later."))
    why = str(request.POST.get("why", "")).strip() or _("reviewed side by side")

    def act(steward: Steward) -> Decision:
        return review.answer(settings.HOME, number, same=said == "same", steward=steward)

    return decided(request, user, act, why)


@require_POST
def undo(request: HttpRequest, number: int) -> HttpResponse:
    """Take a decision back, with why."""
    user = colleague(request, "data.work")
    return decided(
        request, user, lambda steward: acts.undo(settings.HOME, number, steward), str(request.POST.get("why", ""))
    )


@require_POST
def rule(request: HttpRequest) -> HttpResponse:
    """Block a value, let one join, or limit a sort of identifier."""
    user = colleague(request, "data.work")
    given = request.POST
    key, doing = f"{given.get('name', '')}={given.get('value', '')}", str(given.get("doing", ""))

    def act(steward: Steward) -> Decision:
        if doing == "limit":
            most = str(given.get("value", "")).strip()
            return acts.limit(
                settings.HOME,
                str(given.get("name", "")),
                int(most) if most.isascii() and most.isdigit() else 0,
                steward,
            )
        return (acts.allow if doing == "allow" else acts.block)(settings.HOME, key, steward)

    return decided(request, user, act, str(given.get("why", "")))


@require_POST
def match(request: HttpRequest) -> HttpResponse:
    """Look for people or companies who are probably one, as a job."""
    user = colleague(request, "data.work")
    scope = str(request.POST.get("scope", ""))
    if scope not in SCOPES:
        return refused(request, user, _("Choose people or companies."))
    try:
        require_splink()
    except NoSplink as missing:
        return refused(request, user, words.failure(missing))
    with transaction.atomic():
        job = Job.objects.create(kind="match", owner=user, title=scope)
        record(user, "identity.matched", scope)
        jobs.start(job)
    return redirect("job", job.pk)


@require_POST
def tune(request: HttpRequest) -> HttpResponse:
    """Change from where on a pair is sure, and whether what is sure is merged without anybody looking."""
    user = colleague(request, "data.approve")
    given, scope = request.POST, str(request.POST.get("scope", ""))
    why = str(given.get("why", "")).strip()
    if scope not in SCOPES or not why:
        return refused(request, user, _("Say of what, and why it is changed."))
    before = kept.read_setting(settings.HOME, scope)
    try:
        upper, lower = (float(str(given.get(name, "")).replace(",", ".")) for name in ("upper", "lower"))
        setting = Setting(upper, lower, given.get("automatic") == "yes", user.name, why, _now().isoformat())
        with transaction.atomic():
            record(user, "identity.tuned", scope, before=_told(before), after=_told(setting) | {"why": why})
            kept.keep_setting(settings.HOME, scope, setting)
    except ValueError as error:
        said = words.failure(error) if isinstance(error, Misused) else _("A threshold is a number such as 0.95.")
        return refused(request, user, said)
    messages.success(request, _("The next run uses these thresholds."))
    return redirect("identity")


def waiting_for(user: User) -> int:
    """Count the pairs that wait for somebody who may decide."""
    return 0 if user.outside or not may(user, "data.work").allowed else len(_waiting())


@cache
def _kept() -> Kept[list[Proposal]]:
    return Kept(2)


def _waiting() -> list[Proposal]:
    """Give the pairs that wait; looked up again only when facts, proposals or decisions have changed."""
    stamp = (settings.HOME, kept.stamp(settings.HOME), desk.stamp(settings.HOME))
    found = _kept().get(stamp)
    if found is None:
        found = review.waiting(settings.HOME)
        _kept().put(stamp, found)
    return found


def decided(
    request: HttpRequest, user: User, act: Callable[[Steward], Decision], why: str, back: Sequence[str] = ("identity",)
) -> HttpResponse:
    """Decide, with its entry in the audit log, which names a decision by its number and nobody by a key."""
    now = datetime.now(UTC)  # noqa: TID251 - the desk is an edge where the clock is read
    try:
        with transaction.atomic():
            one = act(Steward(user.name, why, now))
            if one.at == now.replace(tzinfo=None) and one.by == user.name:
                record(user, f"identity.{one.kind}", _("decision %(n)s") % {"n": one.number}, after=_after(one))
                said = _("Decision %(n)s is made; it can be undone.")
            else:
                said = _("Decision %(n)s had been made already.")
    except (Unfit, Misused) as error:
        return refused(request, user, words.failure(error))
    messages.success(request, said % {"n": one.number})
    return redirect(*back)


def _after(one: Decision) -> dict[str, object]:
    told: dict[str, object] = {"kind": one.kind, "scope": one.scope, "why": one.why, "keys": len(one.keys)}
    return told | ({"undoes": one.undoes} if one.undoes else {})


def refused(request: HttpRequest, user: User, said: str) -> HttpResponse:
    """Show the page with what is wrong."""
    return _page(request, user, problem=said, status=HTTPStatus.BAD_REQUEST)


def _page(request: HttpRequest, user: User, problem: str = "", status: HTTPStatus = HTTPStatus.OK) -> HttpResponse:
    later = request.session.get(LATER, [])
    found = sorted(_waiting(), key=lambda one: later.index(one.number) + 1 if one.number in later else 0)
    held = read_decisions(settings.HOME)
    shown = list(held.in_force[::-1])
    context = {
        "title": _("Who is who"), "problem": problem, "total": len(found), "next": _shown(found[0]) if found else None,
        "after": [_shown(one) for one in found[1 : 1 + SHOWN]], "cards": [_card(scope) for scope in SCOPES],
        "decisions": [(one, _(KINDS[one.kind])) for one in shown if one.kind not in (BLOCK, LIMIT)][:MOST_DECISIONS],
        "rules": [(one, _(KINDS[one.kind])) for one in shown if one.kind in (BLOCK, LIMIT)][:MOST_DECISIONS],
        "limits": [("person", identity.PERSON_LIMIT), ("account", identity.ACCOUNT_LIMIT)],
        "works": may(user, "data.work").allowed, "approves": may(user, "data.approve").allowed,
        "names": ["email", "phone", "user_id", "anonymous_id", "domain", "person.crm", "account.crm"],
    }  # fmt: skip
    return render(request, "pages/identity.html", context, status=status)


def _shown(pair: Proposal) -> Shown:
    if pair.probability is None:
        return Shown(pair, rows_of(pair), "", _("a system said so; both are known users"))
    verdict = _("sure") if pair.sure else _("for somebody to look at")
    return Shown(pair, rows_of(pair), _percent(pair.probability), verdict)


def _card(scope: str) -> Card:
    setting, trained = kept.read_setting(settings.HOME, scope), kept.read_model(settings.HOME, scope)
    figures = _figures(trained, review.measure(settings.HOME, scope, setting.upper)) if trained else []
    return Card(scope, _(SCOPE_TITLES[scope]), trained, setting, figures)


def _figures(trained: Trained, seen: review.Measured) -> list[tuple[str, str, str]]:
    """Give precision, recall and the last run, each with what it rests on: what people reviewed, else an estimate."""
    estimate, unknown = _("by the model's own estimate; nobody has reviewed a pair yet"), _("too few pairs are alike")
    precision = _percent(trained.precision), unknown if trained.precision is None else estimate
    if seen.precision is not None and seen.precision_within:
        low, high = map(_percent, seen.precision_within)
        said = _("on %(n)s reviewed pairs; the truth is between %(low)s and %(high)s in 95 of 100 cases")
        precision = _percent(seen.precision), said % {"n": seen.reviewed, "low": low, "high": high}
    recall = _percent(trained.recall), unknown if trained.recall is None else estimate
    if seen.recall is not None and seen.recall_within:
        low, high = map(_percent, seen.recall_within)
        said = _("of the proposed pairs that people found to be one; between %(low)s and %(high)s")
        recall = _percent(seen.recall), said % {"low": low, "high": high}
    run = _("sure, of %(n)s proposed") % {"n": formats.shown(trained.proposed, "rows")}
    last = _("Last run"), formats.shown(trained.sure, "rows"), run
    return [(_("Precision"), *precision), (_("Recall"), *recall), last]


def _percent(share: float | None) -> str:
    return "–" if share is None else formats.shown(share, "share")


def _told(setting: Setting) -> dict[str, object]:
    return {"upper": setting.upper, "lower": setting.lower, "automatic": setting.automatic}


def colleague(request: HttpRequest, right: str) -> User:
    """Give who may see the people of all customers: nobody from outside."""
    user = user_of(request)
    permit(user, right)
    if user.outside:
        raise Http404
    return user


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the desk is an edge where the clock is read


RAIL = Rail("data.see", "identity", gettext_noop("Who is who"), "", place=34, count=waiting_for, within="data")
URLS = [
    path("data/who/", page, name="identity"),
    path("data/who/answer/", answer, name="identity_answer"),
    path("data/who/rule/", rule, name="identity_rule"),
    path("data/who/match/", match, name="identity_match"),
    path("data/who/tune/", tune, name="identity_tune"),
    path("data/who/undo/<int:number>/", undo, name="identity_undo"),
]
