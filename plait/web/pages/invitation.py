"""Invitations: sending them, the list of those still open, and the page behind the link in the mail."""

from __future__ import annotations

from http import HTTPStatus

from allauth.account.utils import perform_login
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from plait.web.people import inviting
from plait.web.people.forms import InvitationForm, PasswordForm
from plait.web.people.models import Invitation
from plait.web.people.rights import permit
from plait.web.reader import user_of


def invite(request: HttpRequest) -> HttpResponse:
    """Invite somebody, and list the invitations that are still open."""
    reader = user_of(request)
    permit(reader, "people.approve")
    form = InvitationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            invitation, secret = inviting.invite(reader, form.cleaned_data["email"], form.details())
        except inviting.CannotInvite as refused:
            form.add_error("email", str(refused))
        else:
            return _sent(request, invitation, secret)
    context = {"title": _("Invite somebody"), "form": form, "invitations": inviting.open_invitations()}
    return render(request, "pages/invite.html", context, status=400 if form.errors else 200)


@require_POST
def again(request: HttpRequest, number: int) -> HttpResponse:
    """Send an invitation again, with a new link."""
    permit(user_of(request), "people.approve")
    invitation = get_object_or_404(inviting.open_invitations(), pk=number)
    return _sent(request, invitation, inviting.renew(user_of(request), invitation))


@require_POST
def withdraw(request: HttpRequest, number: int) -> HttpResponse:
    """Take an invitation back."""
    permit(user_of(request), "people.approve")
    inviting.withdraw(user_of(request), get_object_or_404(inviting.open_invitations(), pk=number))
    messages.success(request, _("The invitation is withdrawn; its link no longer works."))
    return redirect("invite")


def _sent(request: HttpRequest, invitation: Invitation, secret: str) -> HttpResponse:
    """Send the mail and say whether it went out."""
    link = request.build_absolute_uri(reverse("invitation", args=[secret]))
    if inviting.send(invitation, link):
        messages.success(request, _("The invitation to %(email)s is sent.") % {"email": invitation.email})
    else:
        said = _("The mail server did not take the mail to %(email)s. Look at its settings, then send it again.")
        messages.error(request, said % {"email": invitation.email})
    return redirect("invite")


@login_not_required
def invitation(request: HttpRequest, secret: str) -> HttpResponse:
    """Let the invited person choose a password and come in; whatever is wrong with a link, it is no longer open."""
    try:
        found = inviting.find_open(secret)
        form = PasswordForm(request.POST or None, user=inviting.person_of(found))
        if request.method == "POST" and form.is_valid():
            user = inviting.take(secret, form.cleaned_data["password1"])
            logout(request)
            response: HttpResponse = perform_login(request, user)
            return response
    except inviting.NotOpen:
        return render(request, "pages/invitation.html", {"found": None}, status=HTTPStatus.NOT_FOUND)
    return render(request, "pages/invitation.html", {"found": found, "form": form}, status=400 if form.errors else 200)


URLS = [
    path("people/invite/", invite, name="invite"),
    path("people/invitations/<int:number>/again/", again, name="invite_again"),
    path("people/invitations/<int:number>/withdraw/", withdraw, name="withdraw_invitation"),
    path("invitation/<str:secret>/", invitation, name="invitation"),
]
