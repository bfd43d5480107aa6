"""The inbox: the hand-offs that wait for the reader, by when their answers are due, answered with single keys."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from plait.web import words
from plait.web.handoffs import clock, permits, waiting
from plait.web.handoffs.policies import newest
from plait.web.handoffs.shown import reasons_of, rows_shown
from plait.web.people.rights import permit
from plait.web.rail import Rail
from plait.web.reader import user_of


def inbox(request: HttpRequest) -> HttpResponse:
    """List the hand-offs that are looked for, a page of them."""
    user, policy, now = user_of(request), newest(), clock.present()
    permit(user, "lifecycle.see")
    wanted = waiting.read_wanted(request.GET, user, policy)
    rows, after = waiting.page(waiting.found(user, wanted, now), wanted)
    counts = waiting.counted(user, now)
    context = {
        "title": _("Waiting for me"), "wanted": wanted, "shown": rows_shown(rows, user, now), "most": waiting.MOST,
        "views": [(name, _(waiting.VIEWS[name][0]), counts[name]) for name in waiting.views_of(user)],
        "overdue": counts["overdue"], "states": waiting.STATES, "next": _changed(request, after=after) if after else "",
        "types": [(one.name, _(one.title) if one.title else words.label(one.name)) for one in policy.types.values()],
        "sends": bool(permits.types_of(user, policy)), "first": _changed(request, after="") if wanted.after else None,
        "reasons": reasons_of(policy),
        "page_keys": [("j", _("Next row")), ("k", _("Row before")), ("a", _("Accept")), ("r", _("Refuse")),
                      ("t", _("Touched")), ("o", _("Open the hand-off"))],
    }  # fmt: skip
    return render(request, "pages/inbox.html", context)


def _changed(request: HttpRequest, **changes: str) -> str:
    """Give the query of the same address with some of it changed; what is empty is left out."""
    query = request.GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value:
            query[name] = value
    return str(query.urlencode())


RAIL = Rail("lifecycle.see", "inbox", gettext_noop("Waiting for me"), "i", place=5, count=waiting.waiting_for)
URLS = [path("inbox/", inbox, name="inbox")]
