"""One of who is who: the keys of a person or a company, why they are one, how it came about, and the split."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from plait import identity
from plait.failure import Misused, Unfit
from plait.matching import acts
from plait.matching.acts import Steward
from plait.matching.history import Change, history
from plait.matching.who import Unknown, find_who, opened, who
from plait.stewardship import Decision, read_decisions
from plait.web import words
from plait.web.likeness import because
from plait.web.pages import identity as queue
from plait.web.people.rights import may

MOST_CHANGES, MOST_KEYS = 100, 6


@require_POST
def find(request: HttpRequest) -> HttpResponse:
    """Find a person or a company by a key; the key stands in no address."""
    user = queue.colleague(request, "data.see")
    try:
        return redirect("identity_who", find_who(settings.HOME, str(request.POST.get("q", ""))).id)
    except (Unfit, Misused) as error:
        return queue.refused(request, user, words.failure(error))


def one(request: HttpRequest, number: str) -> HttpResponse:
    """Show the keys of somebody, why they are one and what happened to the id."""
    user = queue.colleague(request, "data.see")
    try:
        with opened(settings.HOME) as db:
            found = who(db, number)
            joins = identity.joins_of(db, found.id, read_decisions(settings.HOME))
        today, changes = history(settings.HOME, number)
    except Unknown as unknown:
        raise Http404 from unknown
    keys = [(f"{name}={value}", name, value) for name, value in found.keys]
    context = {
        "title": found.shown, "who": found, "old": number if number != today else "",
        "because": [because(join) for join in joins], "changes": [_change(one) for one in changes[:MOST_CHANGES]],
        "works": may(user, "data.work").allowed, "keys": keys,
    }  # fmt: skip
    return render(request, "pages/identity_who.html", context)


@require_POST
def split(request: HttpRequest, number: str) -> HttpResponse:
    """Decide that some keys are somebody apart."""
    user = queue.colleague(request, "data.work")
    keys = [str(key) for key in request.POST.getlist("key")]

    def act(steward: Steward) -> Decision:
        return acts.part(settings.HOME, number, keys, steward)

    if not keys:
        return queue.refused(request, user, _("Choose the keys that are somebody else."))
    return queue.decided(request, user, act, str(request.POST.get("why", "")), _here(number))


@require_POST
def merge(request: HttpRequest, number: str) -> HttpResponse:
    """Decide that somebody is the same as another, named by a key or an id."""
    user = queue.colleague(request, "data.work")
    other = str(request.POST.get("other", ""))

    def act(steward: Steward) -> Decision:
        return acts.merge(settings.HOME, number, other, steward)

    return queue.decided(request, user, act, str(request.POST.get("why", "")), _here(number))


def _here(number: str) -> tuple[str, str]:
    return "identity_who", number


def _change(one: Change) -> dict[str, object]:
    keys = [" ".join(key) for key in one.keys[:MOST_KEYS]]
    more = len(one.keys) - len(keys)
    return {"one": one, "keys": keys, "more": more, "said": _came(one)}


def _came(one: Change) -> str:
    if one.before is None:
        return _("came to %(after)s") % {"after": one.after}
    if one.after is None:
        return _("left %(before)s and joins nobody") % {"before": one.before}
    return _("went from %(before)s to %(after)s") % {"before": one.before, "after": one.after}


URLS = [
    path("data/who/find/", find, name="identity_find"),
    path("data/who/<slug:number>/", one, name="identity_who"),
    path("data/who/<slug:number>/split/", split, name="identity_split"),
    path("data/who/<slug:number>/merge/", merge, name="identity_merge"),
]
