"""A hand-off's page: what the next owner must know, both clocks, its steps and successors, and what may be done now."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_POST

from plait import desk
from plait.failure import Misused, Unfit
from plait.measure import Cell
from plait.web import directory, words
from plait.web.blocks import cell_text
from plait.web.handoffs import accounts, acts, card, clock, colleagues, history, permits, shown
from plait.web.handoffs.models import HandOff
from plait.web.handoffs.policies import newest, policy_of
from plait.web.people.models import User
from plait.web.people.rights import may, permit
from plait.web.reader import answer, results, user_of
from plait.web.results import Ask

MOST = 20  # hand-offs of an account that its page shows
SCORE = "lead_score"  # its row of the account is part of the card
SCORED = ("cell", "fit", "engagement", "qualified", "leaves_on")  # what the next owner must know of it
SAYS: Mapping[str, str] = {
    "accept": gettext_noop("%(name)s is yours."),
    "reject": gettext_noop("%(name)s was refused."),
    "touch": gettext_noop("Noted: somebody reached out to %(name)s."),
    "pause": gettext_noop("The clock of %(name)s is stopped."),
    "resume": gettext_noop("The clock of %(name)s runs again."),
    "assign": gettext_noop("%(name)s was given on."),
    "withdraw": gettext_noop("%(name)s was taken back."),
}


def handoff(request: HttpRequest, number: str) -> HttpResponse:
    """Show a hand-off."""
    user, now = user_of(request), clock.present()
    row = permits.handoff_for(user, number)
    (one,) = shown.rows_shown([row], user, now)
    account = accounts.account_now(row)
    sees = may(user, "customers.see").allowed
    facts = results().story(account, None, user.scope()) if sees else []
    chain = history.chain_of(row)
    context = {
        "title": row.account_name, "row": row, "one": one, "account": account if sees else "",
        "fields": history.fields_of(row), "card": card.card_of(facts) if sees else None,
        "clocks": history.clocks_of(row, now), "steps": history.steps_of(row),
        "chain": [(other, shown.title_of(other), other.pk == row.pk) for other in chain] if len(chain) > 1 else [],
        "sent_by": shown.called(row.sent_by, shown.names_in([row])), "score": SCORE in desk.measures() and sees,
        "reasons": shown.reasons_of(policy_of(row.policy_version)),
        "created": shown.local(row.created_at, clock.zone()),
        "receivers": _receivers(row) if "assign" in one.acts else [],
        "touch_due": shown.local(row.touch_due_at, clock.zone()), "wakes": shown.local(row.wake_at, clock.zone()),
    }  # fmt: skip
    return render(request, "pages/handoff.html", context)


@require_POST
def act(request: HttpRequest, number: str, act: str) -> HttpResponse:
    """Do something with a hand-off and go back to where it was asked; what cannot be done is said there."""
    user = user_of(request)
    row = permits.handoff_for(user, number)
    if act not in ACTS:
        raise Http404
    permits.permit_act(user, row, act)
    try:
        done = ACTS[act](row.pk, user, request.POST)
    except (Unfit, Misused) as refused:
        messages.error(request, words.failure(refused))
    else:
        messages.success(request, _(SAYS[act]) % {"name": done.row.account_name})
    back = str(request.POST.get("next") or "")
    if url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure()):
        return redirect(back)
    return redirect("handoff", row.pk)


def score(request: HttpRequest, number: str) -> HttpResponse:
    """Show an account's score, where the firm has a measure of it; fetched by the page, as it may take its time."""
    user = user_of(request)
    row = permits.handoff_for(user, number)
    permit(user, "customers.see")
    rows: list[tuple[str, str]] = []
    if SCORE in desk.measures():
        table = answer(Ask.of(SCORE, {}, scope=user.scope()))
        account = accounts.account_now(row)
        found = next((one for one in table.records() if one["account"] == account), None)
        rows = [_cell(name, value, table.columns[name]) for name, value in (found or {}).items() if name in SCORED]
    return render(request, "parts/handoff_score.html", {"rows": rows})


def of_account(request: HttpRequest, number: str) -> HttpResponse:
    """List an account's hand-offs, for the page of its story."""
    user, now = user_of(request), clock.present()
    permit(user, "lifecycle.see")
    known_by = dict(directory.keys().get(number, []))
    rows = HandOff.objects.filter(Q(account=number) | Q(keys__in=[{name: key} for name, key in known_by.items()]))
    shown_rows = shown.rows_shown(list(rows.order_by("-created_at")[:MOST]), user, now)
    sends = bool(permits.types_of(user, newest()))
    return render(request, "parts/account_handoffs.html", {"shown": shown_rows, "number": number, "sends": sends})


def _cell(name: str, value: Cell, unit: str) -> tuple[str, str]:
    return words.label(name), cell_text(value, unit, None)


def _receivers(row: HandOff) -> list[User]:
    """Give those to whom a hand-off can be given on."""
    able = colleagues.working_in(row.receiver).filter(is_active=True).exclude(email=row.assignee)
    return list(able)


ACTS: Mapping[str, Callable[[str, User, Mapping[str, str]], acts.Done]] = {
    "accept": lambda number, user, given: acts.accept(number, user, note=_given(given, "note")),
    "reject": lambda number, user, given: acts.reject(
        number, user, reason=_given(given, "reason"), note=_given(given, "note")
    ),
    "touch": lambda number, user, given: acts.touch(number, user, note=_given(given, "note")),
    "pause": lambda number, user, given: acts.pause(number, user, why=_given(given, "why")),
    "resume": lambda number, user, _given: acts.resume(number, user),
    "assign": lambda number, user, given: acts.assign(
        number, user, to=_given(given, "to"), because=_given(given, "note")
    ),
    "withdraw": lambda number, user, given: acts.withdraw(number, user, note=_given(given, "note")),
}


def _given(given: Mapping[str, str], name: str) -> str:
    return str(given.get(name, "")).strip()[:2_000]


URLS = [
    path("accounts/<slug:number>/handoffs/", of_account, name="account_handoffs"),
    path("handoffs/<slug:number>/", handoff, name="handoff"),
    path("handoffs/<slug:number>/score/", score, name="handoff_score"),
    path("handoffs/<slug:number>/<slug:act>/", act, name="handoff_act"),
]
