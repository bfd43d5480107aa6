"""Live sources: what sends events as they happen, with its keys, how it sends, how it is read and what came in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from http import HTTPStatus

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from plait import live
from plait.failure import Said, Unfit
from plait.sources.events import B2B
from plait.web import words
from plait.web.collector import sources
from plait.web.collector.models import LiveSource, WriteKey
from plait.web.collector.snippets import SERVER_KEY, Snippet, snippets
from plait.web.collector.sources import BadSource, Made
from plait.web.people.models import AuditEntry, User, record
from plait.web.people.rights import may, permit
from plait.web.reader import user_of
from plait.web.work import jobs

TRACKS = 50  # names without a kind that are shown
LONGEST_MAPPING = 100_000
STARTER = """\
# account_key = "account.product"
# currency = "EUR"

# [track."Order Completed"]
# kind = "order.placed"
# object_id = "properties.order_id"
# amount = "properties.total"
# currency = "properties.currency"
"""


@dataclass(frozen=True, slots=True)
class ShownKey:
    """A key as the page shows it, with who made it (empty: the command line)."""

    key: WriteKey
    maker: str


@dataclass(frozen=True, slots=True)
class ShownSource:
    """A source as the page shows it, with who made it and the keys that work."""

    source: LiveSource
    maker: str
    keys: list[ShownKey]


def _colleague(request: HttpRequest, right: str = "data.see") -> User:
    """Give who may look after live sources; nobody from outside."""
    user = user_of(request)
    permit(user, right)
    if user.outside:
        raise Http404
    return user


def _sent(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Let a view take a form from who may work on data; who opens its address is led to the source."""

    @wraps(view)
    def taken(request: HttpRequest, name: str, **more: int) -> HttpResponse:
        if request.method != "POST":
            _colleague(request)
            return redirect("live_source", name)
        return view(request, _colleague(request, "data.work"), name, **more)

    return taken


def listing(request: HttpRequest) -> HttpResponse:
    """List the live sources; add one."""
    user = _colleague(request, "data.see" if request.method in ("GET", "HEAD") else "data.work")
    if request.method == "POST":
        try:
            return _made(request, _given_name(request), _added(request, user, new=True))
        except BadSource as refused:
            return _listing(request, user, words.failure(refused))
    return _listing(request, user)


def source(request: HttpRequest, name: str) -> HttpResponse:
    """Show a live source: how to send, how its events are read, what came in."""
    return _page(request, _colleague(request), name)


@_sent
def add_key(request: HttpRequest, user: User, name: str) -> HttpResponse:
    """Give a source another key; a secret one is in this answer and nowhere else."""
    get_object_or_404(LiveSource, name=name)
    try:
        return _made(request, name, _added(request, user, name=name))
    except BadSource as refused:
        return _page(request, user, name, problem=words.failure(refused))


@_sent
def end_key(request: HttpRequest, user: User, name: str, number: int) -> HttpResponse:
    """End a key."""
    sources.end_key(_key(name, number), actor=user)
    messages.success(request, _("The key has ended. What comes with it is refused within seconds."))
    return redirect("live_source", name)


@_sent
def origins(request: HttpRequest, user: User, name: str, number: int) -> HttpResponse:
    """Say from which pages a key may come."""
    key = _key(name, number)
    return _changed(request, user, name, lambda: sources.set_origins(key, _given_origins(request), actor=user))


@_sent
def quota(request: HttpRequest, user: User, name: str) -> HttpResponse:
    """Say how many events a second a source may bring."""
    found = get_object_or_404(LiveSource, name=name)
    return _changed(
        request, user, name, lambda: sources.set_quota(found, sources.read_quota(_given(request, "quota")), actor=user)
    )


@_sent
def mapping(request: HttpRequest, user: User, name: str) -> HttpResponse:
    """Check the mapping of a source's events, or save it."""
    get_object_or_404(LiveSource, name=name)
    text = str(request.POST.get("mapping", "")).replace("\r\n", "\n")
    try:
        if len(text) > LONGEST_MAPPING:
            raise BadSource(Said("the mapping is longer than {most} characters.", most=LONGEST_MAPPING))
        if "save" not in request.POST:
            return _page(request, user, name, mapping=text, checked=_named(live.check_events(name, text)))
        _save_mapping(user, name, text)
    except Unfit as refused:
        return _page(request, user, name, mapping=text, misread=words.failure(refused))
    messages.success(request, _("Saved. Events that come in from now on are read by it."))
    return redirect("live_source", name)


@_sent
def replay(_request: HttpRequest, user: User, name: str) -> HttpResponse:
    """Begin the job that reads a source's events, stored and refused, again by its present mapping."""
    get_object_or_404(LiveSource, name=name)
    return redirect("job", jobs.start_replay(name, user).pk)


def _save_mapping(user: User, name: str, text: str) -> None:
    """Save a mapping and write down who did; of one that cannot be followed nothing is kept."""
    before = live.events_mapping(settings.HOME, name)
    if text != before:
        with transaction.atomic():
            record(user, "mapping.changed", name, before={"mapping": before}, after={"mapping": text})
            live.map_events(settings.HOME, name, text)


def _named(tracks: int) -> str:
    said = ngettext(
        "It can be followed and names %(n)d track call. Nothing is saved yet.",
        "It can be followed and names %(n)d track calls. Nothing is saved yet.",
        tracks,
    )
    return said % {"n": tracks}


def _key(name: str, number: int) -> WriteKey:
    found: WriteKey = get_object_or_404(
        WriteKey.objects.select_related("source"), source__name=name, pk=number, revoked_at=None
    )
    return found


def _given(request: HttpRequest, name: str) -> str:
    return str(request.POST.get(name, "")).strip()


def _given_name(request: HttpRequest) -> str:
    return _given(request, "name")


def _given_origins(request: HttpRequest) -> list[str]:
    return _given(request, "origins").replace(",", " ").split()


def _added(request: HttpRequest, user: User, *, name: str = "", new: bool = False) -> Made:
    """Make a source with its first key, or another key of a source."""
    name = name or _given_name(request)
    if new and LiveSource.objects.filter(name=name).exists():
        raise BadSource(Said("there is a source {name!r} already; add another key on its page.", name=name))
    sort = _given(request, "sort")
    if sort not in WriteKey.Sort.values:
        raise BadSource(Said("say who holds the key: {allowed}.", allowed=", ".join(WriteKey.Sort.values)))
    given = sources.read_quota(_given(request, "quota") or "0") if new else 0
    return sources.add(name, sort=sort, origins=_given_origins(request), quota=given, actor=user)


def _made(request: HttpRequest, name: str, made: Made) -> HttpResponse:
    """Lead to a source whose key was made; a secret key is shown in the answer itself, for it is kept nowhere."""
    if made.sort == WriteKey.Sort.SERVER:
        return _page(request, user_of(request), name, secret=made.text)
    messages.success(request, _("The key works from now on."))
    return redirect("live_source", name)


def _changed(request: HttpRequest, user: User, name: str, change: Callable[[], None]) -> HttpResponse:
    try:
        change()
    except BadSource as refused:
        return _page(request, user, name, problem=words.failure(refused))
    messages.success(request, _("Saved."))
    return redirect("live_source", name)


def _listing(request: HttpRequest, user: User, problem: str = "") -> HttpResponse:
    makers = _makers()
    waiting, since = live.backlog(settings.HOME)
    context = {
        "title": _("Live sources"), "problem": problem, "given": request.POST, "waiting": waiting, "since": since,
        "sources": [_shown(one, makers) for one in LiveSource.objects.all()],
        "changes": may(user, "data.work").allowed,
    }  # fmt: skip
    return render(request, "pages/live.html", context, status=HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK)


def _page(request: HttpRequest, user: User, name: str, **said: str) -> HttpResponse:
    """Show a source, with what the answer to a form adds.

    That is `secret`, `problem`, or `mapping` as it was sent with `checked` or `misread`.
    """
    one = _shown(get_object_or_404(LiveSource, name=name), _makers())
    kept = live.events_mapping(settings.HOME, name)
    tracks = live.unmapped_tracks(settings.HOME, name)
    waiting, since = live.backlog(settings.HOME)
    context = {
        "title": name, "one": one, "misread": "" if said else _broken(name, kept), "mapping": kept or STARTER,
        "changes": may(user, "data.work").allowed, "arrived": live.arrivals(settings.HOME, name, now=timezone.now()),
        "tracks": tracks[:TRACKS], "more": len(tracks) - TRACKS, "known": sorted(B2B.items()),
        "snippets": _snippets(request, one, said.get("secret", "")), "left_open": SERVER_KEY, "waiting": waiting,
        "has": {shown.key.sort for shown in one.keys}, "since": since,
        "ended": one.source.keys.exclude(revoked_at=None).order_by("-revoked_at"),
    }  # fmt: skip
    bad = "problem" in said or "misread" in said
    status = HTTPStatus.BAD_REQUEST if bad else HTTPStatus.OK
    return render(request, "pages/live_source.html", context | said, status=status)


def _broken(name: str, kept: str) -> str:
    """Say what is wrong with a mapping that was broken by hand."""
    try:
        live.check_events(name, kept)
    except Unfit as error:
        return words.failure(error)
    return ""


def _snippets(request: HttpRequest, one: ShownSource, secret: str) -> list[Snippet]:
    """Give the snippets with the source's newest web key, and a server key that was made just now.

    Those for which the source has a key come first.
    """
    web = next((shown.key.shown for shown in reversed(one.keys) if shown.key.sort == WriteKey.Sort.WEB), "")
    has = {"", *(shown.key.sort for shown in one.keys)}
    found = snippets(request.get_host(), str(request.scheme), web=web, server=secret)
    return sorted(found, key=lambda snippet: snippet.sort not in has)


def _makers() -> Mapping[tuple[str, str], str]:
    """Give who made each source and key, as the audit log tells it: by source, and by source and first signs."""
    told = AuditEntry.objects.filter(action__in=("source.added", "key.added"), actor__isnull=False)
    makers = {}
    for entry in told.select_related("actor").order_by("id"):
        assert entry.actor  # noqa: S101 - filtered just before
        makers[entry.subject, str((entry.after or {}).get("key", ""))] = entry.actor.name
        if entry.action == "source.added":
            makers[entry.subject, ""] = entry.actor.name
    return makers


def _shown(one: LiveSource, makers: Mapping[tuple[str, str], str]) -> ShownSource:
    keys = one.keys.filter(revoked_at=None).order_by("id")
    shown = [ShownKey(key, makers.get((one.name, key.shown[: sources.SHOWN]), "")) for key in keys]
    return ShownSource(one, makers.get((one.name, ""), ""), shown)


URLS = [
    path("data/live/", listing, name="live"),
    path("data/live/<slug:name>/", source, name="live_source"),
    path("data/live/<slug:name>/keys/", add_key, name="live_key"),
    path("data/live/<slug:name>/keys/<int:number>/end/", end_key, name="live_key_end"),
    path("data/live/<slug:name>/keys/<int:number>/origins/", origins, name="live_origins"),
    path("data/live/<slug:name>/quota/", quota, name="live_quota"),
    path("data/live/<slug:name>/mapping/", mapping, name="live_mapping"),
    path("data/live/<slug:name>/replay/", replay, name="live_replay"),
]
