"""A person's own tokens: made here, shown once, ended here."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from plait.web.access import LONGEST_NAME, BadToken, make_token, revoke_token, scopes_for
from plait.web.reader import user_of


def tokens(request: HttpRequest) -> HttpResponse:
    """Show the reader's tokens; make one, whose secret is in this answer and nowhere else."""
    user = user_of(request)
    allowed = scopes_for(user)
    chosen = request.POST.getlist("scopes") if request.method == "POST" else list(allowed)[:1]
    context: dict[str, object] = {
        "title": _("My tokens"), "most": LONGEST_NAME, "name": request.POST.get("name", ""),
        "scopes": [(scope, _(says), scope in chosen) for scope, says in allowed.items()],
    }  # fmt: skip
    status = 200
    if request.method == "POST":
        try:
            context |= {"secret": make_token(user, str(context["name"]), chosen), "made": context["name"], "name": ""}
        except BadToken as refused:
            context["refused"], status = refused, 400
    return render(request, "pages/tokens.html", context | {"tokens": user.open_tokens()}, status=status)


@require_POST
def revoke(request: HttpRequest, number: int) -> HttpResponse:
    """End one of the reader's tokens."""
    revoke_token(get_object_or_404(user_of(request).open_tokens(), pk=number))
    return redirect("tokens")


URLS = [path("me/tokens/", tokens, name="tokens"), path("me/tokens/<int:number>/revoke/", revoke, name="token-revoke")]
