"""Personal data: what is kept of a person, given to them or erased, and what persons have asked for.

A key is only ever sent in a form: no address, no log and no audit entry names anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import wraps
from http import HTTPStatus

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from plait.erasure.plan import unfinished
from plait.erasure.rules import ERASE
from plait.failure import Misused, Said, Unfit
from plait.web import words
from plait.web.erasing import acts
from plait.web.erasing.models import PersonRequest
from plait.web.people.models import User
from plait.web.people.rights import permit
from plait.web.rail import Rail
from plait.web.reader import user_of
from plait.web.state import BadState, day_of
from plait.web.work.models import Job

SHOWN = 100
SORTS = {
    "access": gettext_noop("to have what is kept"),
    "erasure": gettext_noop("to be erased"),
    "allowed": gettext_noop("let in again"),
}
STATES = {
    "open": (gettext_noop("open"), "warn"),
    "under way": (gettext_noop("under way"), "warn"),
    "done": (gettext_noop("done"), "good"),
}
BECOMES = {
    "facts_of_a_person": gettext_noop("Removed. What only concerns them has no reason to stay."),
    "facts_of_an_account": gettext_noop(
        "Commercial and tax law keep money and contracts, and the account's history adds up. The person's keys, the "
        "text and the details go."
    ),
    "facts_naming": gettext_noop("Stay; their addresses and ids in others' words are taken out."),
    "refused_rows": gettext_noop("Say nothing any more, and are still counted, so that every file adds up."),
    "decisions": gettext_noop("Lose their keys; number and day stay."),
    "people_auditentry": gettext_noop("Values are taken out; the log says so, and its chain still holds."),
    "timeline": gettext_noop("Made again without them."),
    "keys": gettext_noop("Made again without them; keyed hashes keep them out of later loads."),
}
ERASED, STRIPPED = gettext_noop("Deleted."), gettext_noop("Stay; the person's values are taken out.")


@dataclass(frozen=True, slots=True)
class Shown:
    """A table as the page shows it: how people call it, how much there is, and what an erasure does."""

    title: str
    count: int
    becomes: str
    goes: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A request as the list shows it."""

    request: PersonRequest
    sort: str
    state: str
    verdict: str
    late: bool
    counts: list[tuple[str, int]]


def personal_data(request: HttpRequest) -> HttpResponse:
    """Search for a person, and list what persons have asked for."""
    _officer(request)
    return _listing(request)


def requests(request: HttpRequest) -> HttpResponse:
    """Give the list of requests; the page asks for it again while an erasure is under way."""
    _officer(request)
    return render(request, "parts/person_requests.html", _told())


def _form(view: Callable[[HttpRequest, User, str], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Let a view take a form with a key from who may; what is wrong with it is said beside the search."""

    @wraps(view)
    def taken(request: HttpRequest) -> HttpResponse:
        user = _officer(request)
        if request.method != "POST":
            return redirect("personal_data")
        try:
            return view(request, user, _given(request, "key"))
        except (Misused, Unfit, BadState) as refused:
            problem = words.failure(refused) if isinstance(refused, Misused | Unfit) else str(refused)
            return _listing(request, problem)

    return taken


@_form
def find(request: HttpRequest, _user: User, key: str) -> HttpResponse:
    """Show what is kept of a person."""
    return _found(request, key)


@_form
def export(_request: HttpRequest, user: User, key: str) -> HttpResponse:
    """Give what is kept of a person as an archive for them."""
    archive = acts.hand_out(settings.HOME, key, by=user, now=timezone.now())
    response = HttpResponse(archive, content_type="application/zip")
    response["Content-Disposition"] = 'attachment; filename="personal-data.zip"'
    response["Cache-Control"] = "no-store"
    return response


@_form
def note(request: HttpRequest, user: User, key: str) -> HttpResponse:
    """Write down that somebody has asked for something that is done later."""
    sort = _given(request, "sort")
    if sort not in ("access", "erasure"):
        raise Misused(Said("say what they ask for: {allowed}.", allowed="access, erasure"))
    day = day_of("received_on", _given(request, "received_on"))
    if day > timezone.now().date():
        raise Misused(Said("the day on which they asked lies in the future; correct it."))
    made = acts.note(settings.HOME, key, sort, by=user, received_on=day, why=_given(request, "why"))
    messages.success(
        request, _("Noted as request %(n)s; it is due on %(day)s.") % {"n": made.pk, "day": f"{made.due_on:%Y-%m-%d}"}
    )
    return redirect("personal_data")


@_form
def erase(request: HttpRequest, user: User, key: str) -> HttpResponse:
    """Begin to erase a person whose key was typed again: from now on they are kept out, the rest is a job."""
    problem = ""
    if _given(request, "typed") != key:
        problem = _("To erase them type the key again, exactly: nothing brings it back.")
    elif not _given(request, "why"):
        problem = _("Say why they are erased; the reason is kept with the request.")
    if problem:
        return _found(request, key, problem)
    made = acts.begin(settings.HOME, key, why=_given(request, "why"), by=user, now=timezone.now())
    acts.start(user, made)
    messages.success(request, _("They are kept out from now on, and what is stored is being erased."))
    return redirect("personal_data")


@_form
def allow(request: HttpRequest, user: User, key: str) -> HttpResponse:
    """Let a person in again who has come back and agrees."""
    keys = acts.allow(settings.HOME, key, why=_given(request, "why"), by=user, now=timezone.now())
    said = ngettext("Let in again, with %(n)d key.", "Let in again, with %(n)d keys.", keys)
    messages.success(request, said % {"n": keys})
    return redirect("personal_data")


def resume(request: HttpRequest) -> HttpResponse:
    """Go on with erasures that ended in between."""
    user = _officer(request)
    if request.method == "POST":
        for one in unfinished(settings.HOME)[:1]:
            acts.start(user, PersonRequest(pk=one.number))
    return redirect("personal_data")


def _officer(request: HttpRequest) -> User:
    """Give who may look after personal data: nobody from outside."""
    user = user_of(request)
    permit(user, "data.approve")
    if user.outside:
        raise Http404
    return user


def _given(request: HttpRequest, name: str) -> str:
    return str(request.POST.get(name, "")).strip()


def _listing(request: HttpRequest, problem: str = "") -> HttpResponse:
    context = {"title": _("Personal data"), "problem": problem, "key": _given(request, "key"), **_told()}
    status = HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK
    return _unkept(render(request, "pages/personal_data.html", context, status=status))


def _found(request: HttpRequest, key: str, problem: str = "") -> HttpResponse:
    found = acts.look(settings.HOME, key)
    context = {
        "title": _("Personal data"), "key": key, "problem": problem, "found": found, "today": timezone.now().date(),
        "kept": [_shown(one.name, one.count, one.becomes) for one in found.sections],
        "why": _given(request, "why"),
    }  # fmt: skip
    status = HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK
    return _unkept(render(request, "pages/personal_data_found.html", context, status=status))


def _unkept(response: HttpResponse) -> HttpResponse:
    """Let no browser keep a page that names somebody."""
    response["Cache-Control"] = "no-store"
    return response


def _shown(name: str, count: int, becomes: str) -> Shown:
    goes = becomes == ERASE
    return Shown(acts.title_of(name), count, _(BECOMES.get(name, ERASED if goes else STRIPPED)), goes)


def _told() -> Mapping[str, object]:
    waiting = {one.number for one in unfinished(settings.HOME)}
    running = Job.objects.filter(kind="erase", state__in=(Job.State.WAITING, Job.State.RUNNING)).exists()
    today = timezone.now().date()
    lines = [_line(one, today) for one in PersonRequest.objects.select_related("by", "done_by")[:SHOWN]]
    return {"lines": lines, "running": running, "left": bool(waiting) and not running}


def _line(one: PersonRequest, today: date) -> Line:
    said, verdict = STATES[one.state]
    late = one.state != "done" and one.due_on < today
    counts = [(acts.title_of(name), count) for name, count in one.counts.items()]
    return Line(one, _(SORTS[one.sort]), _(said), "bad" if late else verdict, late, counts)


RAIL = Rail("data.approve", "personal_data", gettext_noop("Personal data"), "", place=36, within="data")
URLS = [
    path("data/personal/", personal_data, name="personal_data"),
    path("data/personal/requests/", requests, name="personal_data_requests"),
    path("data/personal/find/", find, name="personal_data_find"),
    path("data/personal/export/", export, name="personal_data_export"),
    path("data/personal/note/", note, name="personal_data_note"),
    path("data/personal/erase/", erase, name="personal_data_erase"),
    path("data/personal/allow/", allow, name="personal_data_allow"),
    path("data/personal/resume/", resume, name="personal_data_resume"),
]
