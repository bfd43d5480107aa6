"""People: who they are, what they may do, and the page on which somebody who looks after people changes that."""

from __future__ import annotations

from collections.abc import Callable

from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.db.models import Exists, Max, OuterRef, QuerySet
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_POST

from plait.web.people.care import Details, Unwise, change_person, deactivate, details_of, reactivate, reset_factor
from plait.web.people.forms import PersonForm
from plait.web.people.inviting import open_invitations
from plait.web.people.models import User
from plait.web.people.rights import AREAS, may, permit
from plait.web.rail import Rail
from plait.web.reader import user_of


def people(request: HttpRequest) -> HttpResponse:
    """List everybody who may come in, or could once."""
    reader = user_of(request)
    permit(reader, "people.see")
    context = {
        "title": _("People"), "people": _seen().prefetch_related("roles").order_by("name", "email"),
        "invited": open_invitations().count(), "changes": may(reader, "people.approve").allowed,
    }  # fmt: skip
    return render(request, "pages/people.html", context)


def person(request: HttpRequest, number: int) -> HttpResponse:
    """Show somebody, and let whoever looks after people change their details."""
    reader = user_of(request)
    permit(reader, "people.see" if request.method in ("GET", "HEAD") else "people.approve")
    found = get_object_or_404(_seen(), pk=number)
    form = PersonForm(request.POST or None, initial=_filled(details_of(found)))
    if request.method == "POST" and form.is_valid():
        try:
            change_person(reader, found, form.details())
        except Unwise as refused:
            form.add_error(None, str(refused))
            found = get_object_or_404(_seen(), pk=number)
        else:
            messages.success(request, _("Saved."))
            return redirect("person", number)
    levels = found.levels()
    context = {
        "title": found.name, "person": found, "form": form, "changes": may(reader, "people.approve").allowed,
        "audits": may(reader, "audit.see").allowed, "itself": found.pk == reader.pk,
        "levels": [(area, levels[area]) for area in AREAS if area in levels],
    }  # fmt: skip
    return render(request, "pages/person.html", context, status=400 if form.errors else 200)


def _filled(details: Details) -> dict[str, object]:
    return details.told() | {"partners": ", ".join(details.partners)}


def _seen() -> QuerySet[User]:
    """Give people with when they were last seen and whether they have a second factor."""
    factor = Authenticator.objects.filter(user=OuterRef("pk"), type=Authenticator.Type.TOTP)
    return User.objects.annotate(
        seen_at=Coalesce(Max("usersession__last_seen_at"), "last_login"), second_factor=Exists(factor)
    )


def _act(request: HttpRequest, number: int, act: Callable[[User, User], None], said: str) -> HttpResponse:
    """Do something about a person and go back to their page."""
    reader = user_of(request)
    permit(reader, "people.approve")
    found = get_object_or_404(User, pk=number)
    try:
        act(reader, found)
    except Unwise as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, said)
    return redirect("person", number)


@require_POST
def close(request: HttpRequest, number: int) -> HttpResponse:
    """Keep somebody out from now on."""
    return _act(request, number, deactivate, _("This account is closed; all sessions have ended."))


@require_POST
def reopen(request: HttpRequest, number: int) -> HttpResponse:
    """Let somebody in again."""
    return _act(request, number, reactivate, _("This account is open again."))


@require_POST
def without_factor(request: HttpRequest, number: int) -> HttpResponse:
    """Take away a second factor that somebody has lost."""
    return _act(request, number, reset_factor, _("The second factor is gone; the password alone opens the desk."))


RAIL = Rail("people.see", "people", gettext_noop("People"), "w", place=80)
URLS = [
    path("people/", people, name="people"),
    path("people/<int:number>/", person, name="person"),
    path("people/<int:number>/deactivate/", close, name="deactivate"),
    path("people/<int:number>/reactivate/", reopen, name="reactivate"),
    path("people/<int:number>/reset-factor/", without_factor, name="reset_factor"),
]
