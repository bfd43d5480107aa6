"""The reader's own account: name, language, theme, keyboard, sessions; and the language before a login."""

from __future__ import annotations

from contextlib import suppress

from allauth.mfa.utils import is_mfa_enabled
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.urls import path
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from plait.web.handoffs import digests
from plait.web.people.care import end_session
from plait.web.people.forms import AccountForm
from plait.web.people.models import User, record
from plait.web.people.rights import AREAS, may, permit
from plait.web.reader import user_of


def me(request: HttpRequest) -> HttpResponse:
    """Show the reader's own account and let them change what is theirs to choose."""
    user = user_of(request)
    chosen = {"name": user.name, "theme": user.theme, "shortcuts": user.shortcuts}
    form = AccountForm(request.POST or None, initial=chosen)
    if request.method == "POST" and form.is_valid():
        _change(user, form.cleaned_data)
        messages.success(request, _("Saved."))
        return redirect("me")
    levels = user.levels()
    context = {
        "title": _("My account"), "form": form, "roles": user.roles.order_by("title"),
        "levels": [(area, levels[area]) for area in AREAS if area in levels],
        "second_factor": is_mfa_enabled(user), "sessions": UserSession.objects.filter(user=user).count(),
        "tokens_part": _part("parts/tokens.html"), "digest": digests.wanted(user),
        "has_inbox": may(user, "lifecycle.work").allowed,
    }  # fmt: skip
    return render(request, "pages/me.html", context, status=400 if form.errors else 200)


def _change(user: User, chosen: dict[str, object]) -> None:
    before = {name: getattr(user, name) for name in chosen if getattr(user, name) != chosen[name]}
    if not before:
        return
    with transaction.atomic():
        for name in before:
            setattr(user, name, chosen[name])
        user.save(update_fields=list(before))
        record(user, "account.changed", user.email, before=before, after={name: chosen[name] for name in before})


def _part(name: str) -> str | None:
    with suppress(TemplateDoesNotExist):
        get_template(name)
        return name
    return None


@require_POST
def end(request: HttpRequest, number: int) -> HttpResponse:
    """End one of the reader's sessions on another machine."""
    if not end_session(user_of(request), number):
        raise Http404
    messages.success(request, _("That session has ended."))
    return redirect("usersessions_list")


@login_not_required
@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Change the language and go back to where it was changed; a person's choice follows them to every browser."""
    chosen = request.POST.get("language", "")
    back = request.POST.get("next", "/")
    if not url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure()):
        back = "/"
    response = redirect(back)
    if chosen in dict(settings.LANGUAGES):
        if isinstance(request.user, User):
            request.user.language = chosen
            request.user.save(update_fields=["language"])
        translation.activate(chosen)
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME, chosen, max_age=31_536_000, samesite="Lax", secure=not settings.LOCAL
        )
    return response


@require_POST
def digest(request: HttpRequest) -> HttpResponse:
    """Switch the mail of the morning on or off."""
    user, wanted = user_of(request), request.POST.get("digest") == "yes"
    permit(user, "lifecycle.work")
    digests.want(user, wanted=wanted)
    messages.success(request, _("You get it each working morning.") if wanted else _("You get it no more."))
    return redirect("me")


URLS = [
    path("me/", me, name="me"),
    path("me/digest/", digest, name="digest"),
    path("me/sessions/<int:number>/end/", end, name="end_session"),
    path("language/", language, name="language"),
]
