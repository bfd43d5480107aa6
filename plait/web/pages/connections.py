"""Connections: systems whose data plait fetches itself: how each fares, and the forms to make and change them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext
from django.views.decorators.http import require_POST

from plait.failure import Unfit
from plait.sources.pull.asking import Pace
from plait.sources.pull.description import Login
from plait.sources.pull.rest import FILE
from plait.web import words
from plait.web.connections import changing, reaching, running, schedule
from plait.web.connections.changing import UNITS, BadConnection, Wanted
from plait.web.connections.models import Connection, Run, told
from plait.web.connections.reaching import sort_of, sorts
from plait.web.people.models import User
from plait.web.people.rights import may, permit
from plait.web.rail import Rail
from plait.web.reader import user_of
from plait.web.work import uploads

RUNS = 20  # that a page shows
QUICK = Pace(sleep=lambda _seconds: None)  # somebody waits for the answer to a test
STATES = {
    "open": (gettext_noop("being asked"), ""),
    "done": (gettext_noop("done"), "good"),
    "refused": (gettext_noop("refused"), "bad"),
    "failed": (gettext_noop("failed"), "bad"),
    "cancelled": (gettext_noop("cancelled"), "warn"),
}
EXAMPLES = {
    "reads": '[[read]]\nname = "orders"\ntable = "public.orders"\ncursor = "updated_at"\n',
    "system": "",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A connection as pages show it: its state in a word and a colour, its last run, and when it is asked next."""

    connection: Connection
    title: str
    last: Run | None
    state: str
    verdict: str
    next_at: datetime | None
    every: str
    why: str


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form made from a description."""

    name: str
    title: str
    value: str
    example: str
    needed: bool
    secret: bool = False


def listing(request: HttpRequest) -> HttpResponse:
    """List the connections."""
    user = _colleague(request, "data.see")
    running.settle()
    following = schedule.next_runs()
    shown = [_shown(one, following) for one in Connection.objects.select_related("owner")]
    context = {"title": _("Connections"), "connections": shown, "changes": may(user, "data.work").allowed,
               "sorts": _titled()}  # fmt: skip
    return render(request, "pages/connections.html", context)


def new(request: HttpRequest) -> HttpResponse:
    """Make a connection: choose the system, then fill in what its description asks for."""
    user = _colleague(request, "data.work")
    if request.method != "POST" or {"go_on", "way"} & set(request.POST):
        return _form(request)
    try:
        made = changing.add(_wanted(request), actor=user)
    except (Unfit, uploads.BadUpload) as refused:
        return _form(request, words.failure(refused), HTTPStatus.BAD_REQUEST)
    if "run" in request.POST:
        job = running.start(made, actor=user)
        return redirect("job", job.pk)
    messages.success(request, _("The connection is made."))
    return redirect("connection", made.name)


@require_POST
def test_new(request: HttpRequest) -> HttpResponse:
    """Try a connection that is not made yet, and say in words what works."""
    _colleague(request, "data.work")
    try:
        works = reaching.test(changing.draft(_wanted(request)), pace=QUICK)
    except (Unfit, uploads.BadUpload) as refused:
        return _tested(request, problem=words.failure(refused))
    return _tested(request, works)


def connection(request: HttpRequest, name: str) -> HttpResponse:
    """Show a connection: how it fares, its runs, up to where its data is loaded, and the ways to change it."""
    user = _colleague(request, "data.see")
    running.settle()
    found = _found(name)
    sort = sort_of(found.system, found.description)
    way = next((one for one in sort.logins if one.name == found.login), sort.logins[0])
    number, unit = _split(found.every)
    cursors = [pair for pair in sorted(found.cursors.items()) if not pair[0].startswith(FILE)]
    context = {
        "title": found.name, "shown": _shown(found, schedule.next_runs()), "changes": may(user, "data.work").allowed,
        "runs": [(run, *_state(run), _sees(user, run)) for run in found.runs.select_related("job")[:RUNS]],
        "settings": [(_(one.title), found.settings.get(one.name) or "") for one in sort.settings],
        "secrets": _secret_fields(way), "cursors": cursors[:50],
        "files": found.system in ("folder", "bucket"), "number": number, "unit": unit, "units": _units(),
    }  # fmt: skip
    return render(request, "pages/connection.html", context)


@require_POST
def test(request: HttpRequest, name: str) -> HttpResponse:
    """Try a connection and say in words what works."""
    _colleague(request, "data.work")
    try:
        return _tested(request, reaching.test(_found(name), pace=QUICK))
    except Unfit as refused:
        return _tested(request, problem=words.failure(refused))


@require_POST
def run(request: HttpRequest, name: str) -> HttpResponse:
    """Ask a connection now; `full` reads all of it again."""
    user = _colleague(request, "data.work")
    try:
        job = running.start(_found(name), full="full" in request.POST, actor=user)
    except Unfit as refused:
        messages.error(request, words.failure(refused))
        return redirect("connection", name)
    return redirect("job", job.pk)


@require_POST
def change(request: HttpRequest, name: str) -> HttpResponse:
    """Pause a connection or go on with it, change how often it is asked, or its secret."""
    user = _colleague(request, "data.work")
    found = _found(name)
    try:
        said = _changed(request, found, user)
    except Unfit as refused:
        messages.error(request, words.failure(refused))
    else:
        messages.success(request, said)
    return redirect("connection", name)


@require_POST
def remove(request: HttpRequest, name: str) -> HttpResponse:
    """Remove a connection; its facts stay."""
    user = _colleague(request, "data.work")
    try:
        changing.remove(_found(name), actor=user)
    except Unfit as refused:
        messages.error(request, words.failure(refused))
        return redirect("connection", name)
    messages.success(request, _("The connection is removed; its facts stay."))
    return redirect("connections")


def _changed(request: HttpRequest, found: Connection, user: User) -> str:
    if "pause" in request.POST:
        changing.pause(found, actor=user)
        return _("The connection is paused.")
    if "resume" in request.POST:
        changing.resume(found, actor=user)
        return _("The connection is asked again.")
    if "schedule" in request.POST:
        changing.reschedule(found, _every(request), actor=user)
        return _("The schedule is changed.")
    changing.change_secrets(found, _secrets(request), actor=user)
    return _("The secret is changed.")


def _colleague(request: HttpRequest, right: str) -> User:
    """Give who may see or change connections; nobody from outside."""
    user = user_of(request)
    permit(user, right)
    if user.outside:
        raise Http404
    return user


def _found(name: str) -> Connection:
    return get_object_or_404(Connection.objects.select_related("owner", "mapping"), name=name)


def _titled() -> list[tuple[str, str, str]]:
    return [(sort.name, _(sort.title), _(sort.about)) for sort in sorts().values()]


def _shown(one: Connection, following: dict[int, datetime]) -> Shown:
    last = one.runs.select_related("job").first()
    state, verdict = _state(last) if last else (_("never asked"), "warn")
    if last and last.state == Run.State.DONE:
        state = _("works")
    if one.paused and not (last and last.state == Run.State.OPEN):
        state, verdict = _("paused"), "bad" if one.why else "warn"
    title = _(sort_of(one.system, one.description).title)
    why = _("It failed %(n)s times in a row.") % {"n": one.failures} if one.why == "fault" else told(one.why)
    return Shown(one, title, last, state, verdict, following.get(one.pk), _often(one.every), why)


def _state(run: Run) -> tuple[str, str]:
    said, verdict = STATES[run.state]
    return _(said), verdict


def _sees(user: User, run: Run) -> bool:
    """Tell whether somebody may open the job of a run."""
    own = run.job is not None and run.job.owner_id == user.pk
    return run.job is not None and may(user, "data.approve" if not own else "data.work").allowed


def _often(every: int | None) -> str:
    if every is None:
        return _("only by hand")
    number, unit = _split(every)
    if unit == "days":
        return ngettext("every day", "every %(n)s days", number) % {"n": number}
    if unit == "hours":
        return ngettext("every hour", "every %(n)s hours", number) % {"n": number}
    return ngettext("every minute", "every %(n)s minutes", number) % {"n": number}


def _split(every: int | None) -> tuple[int, str]:
    """Give a number of minutes in the largest unit that it is whole in."""
    unit = next(name for name in ("days", "hours", "minutes") if not (every or 60) % UNITS[name])
    return (every or 60) // UNITS[unit], unit


def _units() -> list[tuple[str, str]]:
    return [("minutes", _("minutes")), ("hours", _("hours")), ("days", _("days")), ("", _("only by hand"))]


def _form(request: HttpRequest, problem: str = "", status: HTTPStatus = HTTPStatus.OK) -> HttpResponse:
    """Show the form of the chosen system, or the systems to choose from; secrets are never shown again."""
    given = request.POST if request.method == "POST" else request.GET
    name = str(given.get("system") or "")
    if name not in sorts():
        choose = {"title": _("Connect a system"), "sorts": _titled()}
        return render(request, "pages/connection_new.html", choose, status=status)
    description = str(given.get("description") or "")
    try:
        sort = sort_of(name, description)
    except Unfit:
        sort = sorts()[name]
    chosen = given.get("way") or given.get("login")
    way = next((one for one in sort.logins if one.name == chosen), sort.logins[0] if sort.logins else None)
    context: dict[str, object] = {
        "title": _("Connect %(system)s") % {"system": _(sort.title)}, "sort": sort, "about": _(sort.about),
        "problem": problem, "given": given, "way": way, "ways": [(one.name, _(one.title)) for one in sort.logins],
        "fields": [
            Field(f"set-{one.name}", _(one.title), str(given.get(f"set-{one.name}") or ""), one.example,
                  one.default is None) for one in sort.settings
        ],
        "secrets": _secret_fields(way) if way else [], "description": description or EXAMPLES.get(sort.describes, ""),
        "choices": uploads.choices(), "units": _units(), "number": given.get("number") or 1,
        "unit": given.get("unit") if "unit" in given else "hours",
    }  # fmt: skip
    return render(request, "pages/connection_new.html", context, status=status)


def _secret_fields(way: Login) -> list[Field]:
    return [Field(f"secret-{name}", _(title), "", "", needed=True, secret=True) for name, title in way.secrets.items()]


def _wanted(request: HttpRequest) -> Wanted:
    known, brought = str(request.POST.get("known") or ""), request.FILES.get("mapping")
    mapping = None
    if known or brought is not None:
        name, content = uploads.mapping_of(known, brought)
        try:
            mapping = name, content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise BadConnection(_("The mapping is not UTF-8; save it as UTF-8.")) from error
    settings = {name[4:]: str(value) for name, value in request.POST.items() if name.startswith("set-")}
    return Wanted(
        str(request.POST.get("name") or "").strip(), str(request.POST.get("system") or ""), settings, _secrets(request),
        str(request.POST.get("login") or ""), _description(request), mapping, _every(request),
    )  # fmt: skip


def _description(request: HttpRequest) -> str:
    brought = request.FILES.get("file")
    if brought is None:
        return str(request.POST.get("description") or "").replace("\r\n", "\n")
    try:
        return str(brought.read(changing.LONGEST_DESCRIPTION + 1), "utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadConnection(_("The description is not UTF-8; save it as UTF-8.")) from error


def _secrets(request: HttpRequest) -> dict[str, str]:
    return {name[7:]: str(value) for name, value in request.POST.items() if name.startswith("secret-")}


def _every(request: HttpRequest) -> int | None:
    unit, number = str(request.POST.get("unit") or ""), str(request.POST.get("number") or "")
    if unit not in UNITS:
        return None
    if not (number.isascii() and number.isdigit() and 0 < int(number) < 100_000):  # noqa: PLR2004
        raise BadConnection(_("Say how often as a whole number."))
    return int(number) * UNITS[unit]


def _tested(request: HttpRequest, works: Sequence[str] = (), problem: str = "") -> HttpResponse:
    said = [words.said(one) for one in works]
    return render(request, "pages/connection_tested.html", {"works": said, "problem": problem})


RAIL = Rail("data.see", "connections", gettext_noop("Connections"), "", place=32, within="data")
URLS = [
    path("data/connections/", listing, name="connections"),
    path("data/connections/new/", new, name="connection_new"),
    path("data/connections/new/test/", test_new, name="connection_test_new"),
    path("data/connections/<slug:name>/", connection, name="connection"),
    path("data/connections/<slug:name>/test/", test, name="connection_test"),
    path("data/connections/<slug:name>/run/", run, name="connection_run"),
    path("data/connections/<slug:name>/change/", change, name="connection_change"),
    path("data/connections/<slug:name>/remove/", remove, name="connection_remove"),
]
