"""Hand over: choose an account, say why and what the next owner must know; the line of time fills in what it knows."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from http import HTTPStatus

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _

from plait import desk
from plait.failure import Misused, Said, Unfit
from plait.handoff import state
from plait.handoff.policy import HandOffType
from plait.web import directory, words
from plait.web.directory import Account
from plait.web.handoffs import accounts, acts, card, clock, permits
from plait.web.handoffs.policies import newest
from plait.web.people.models import User
from plait.web.people.rights import permit
from plait.web.reader import answer, results, user_of
from plait.web.results import Ask

FOUND = 12  # accounts that a search shows
LONGEST = 2_000


class BadValue(Unfit, ValueError):
    """An amount that cannot be read."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A field of the card as the form shows it; `known` tells that the line of time has filled it in."""

    name: str
    label: str
    text: str
    known: bool


def new(request: HttpRequest) -> HttpResponse:
    """Choose an account and a type, then hand over."""
    user, policy = user_of(request), newest()
    permit(user, "lifecycle.work")
    permit(user, "customers.see")
    types = permits.types_of(user, policy)
    if not types:
        said = _("%(department)s hands over no accounts by the policy; somebody who leads a department can add a type.")
        raise PermissionDenied(said % {"department": words.label(user.department) if user.department else "–"})
    given = request.POST if request.method == "POST" else request.GET
    number, wanted = str(given.get("account") or ""), str(given.get("type") or types[0].name)
    if not number:
        return _choose(request, user, types)
    type_ = permits.permit_type(user, policy, wanted)
    one = _account(user, number)
    if request.method != "POST":
        return _form(request, one, type_, types)
    try:
        row = _make(request, user, one, type_)
    except (Unfit, Misused) as refused:
        return _form(request, one, type_, types, problem=words.failure(refused))
    messages.success(request, _("%(name)s is handed over to %(department)s.")
                     % {"name": one.name, "department": words.label(type_.receiver)})  # fmt: skip
    return redirect("handoff", row)


def _choose(request: HttpRequest, user: User, types: object) -> HttpResponse:
    """Look for an account."""
    search = str(request.GET.get("q") or "").strip()
    found = []
    if search:
        found = directory.find(_known(user), directory.Wanted(search=search, sort="name")).accounts[:FOUND]
    context = {"title": _("Hand over"), "found": found, "search": search, "types": types, "one": None}
    return render(request, "pages/handoff_new.html", context)


def _form(
    request: HttpRequest, one: Account, type_: HandOffType, types: object, problem: str = ""
) -> HttpResponse:  # fmt: skip
    """Show the form: filled in from the line of time, or as it was sent."""
    sent = request.POST if request.method == "POST" else {}
    facts = results().story(one.id, None, user_of(request).scope())
    worth, known = card.worth_of(facts), card.filled(facts, type_.required)
    context = {
        "title": _("Hand over"), "one": one, "type": type_, "types": types, "problem": problem, "found": [],
        "fields": [_field(name, sent, known) for name in type_.required], "because": worth.because,
        "value": sent.get("value", "" if worth.amount is None else f"{worth.amount:.2f}"),
        "currency": sent.get("currency", worth.currency or results().timeline().settings.currency or ""),
        "note": sent.get("note", ""), "key": sent.get("key") or secrets.token_urlsafe(16),
        "receiver": words.label(type_.receiver),
    }  # fmt: skip
    return render(
        request, "pages/handoff_new.html", context, status=HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK
    )


def _field(name: str, sent: Mapping[str, object], known: Mapping[str, str]) -> Wanted:
    text = str(sent.get(f"context-{name}", known.get(name, "")))
    return Wanted(name, words.label(name), text, known=name in known and f"context-{name}" not in sent)


def _make(request: HttpRequest, user: User, one: Account, type_: HandOffType) -> str:
    """Make the hand-off of a form; a form that is sent twice makes one."""
    sent = request.POST
    told = {name: str(sent.get(f"context-{name}", "")).strip()[:LONGEST] for name in type_.required}
    value = _amount(str(sent.get("value", "")).strip())
    facts = results().story(one.id, None, user.scope())
    start = state.Start(
        type=type_.name, account=one.id, key=f"form/{str(sent.get('key', ''))[:60]}", sent_by=user.email,
        captured_at=clock.present(), note=str(sent.get("note", "")).strip()[:LONGEST], value=value,
        currency=(str(sent.get("currency", "")).strip().upper() or None) if value is not None else None,
        owner=accounts.owner_of(facts), context={name: text for name, text in told.items() if text},
    )  # fmt: skip
    return acts.create(start, accounts.known(one.id, facts, one.name), actor=user).pk


def _amount(text: str) -> Decimal | None:
    if not text:
        return None
    try:
        value = Decimal(text.replace(" ", "").replace("\u202f", "").replace(",", "."))
    except InvalidOperation:
        raise BadValue(Said("{text!r} is no amount; write it as 12000.50, or leave it empty.", text=text)) from None
    return value


def _known(user: User) -> list[Account]:
    desk.measures()
    return directory.accounts_of(answer(Ask.of("account_health", {}, scope=user.scope())))


def _account(user: User, number: str) -> Account:
    found = next((one for one in _known(user) if one.id == number), None)
    if found is None:
        raise Http404
    return found


URLS = [path("handoffs/new/", new, name="handoff_new")]
