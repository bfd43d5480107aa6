"""What people read when a page cannot be shown: what happened, what is allowed, what to do next."""

from __future__ import annotations

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern
from django.utils.translation import gettext as _

from plait.web import words


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001 - Django's own shape
    """Say that there is nothing here, whatever the reason."""
    said = _("There is nothing at this address, or it is not yours to see.")
    return _fault(request, HTTPStatus.NOT_FOUND, _("Not found"), said)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Say which right is missing."""
    said = (words.failure(exception) if exception else "") or _("You may not do this.")
    return _fault(request, HTTPStatus.FORBIDDEN, _("Not allowed"), said)


def misread(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Say what of the address cannot be understood and what is allowed."""
    said = (words.failure(exception) if exception else "") or _("This address cannot be read.")
    return _fault(request, HTTPStatus.BAD_REQUEST, _("This cannot be shown"), said)


def broken(request: HttpRequest) -> HttpResponse:
    """Say that the fault is ours."""
    said = _("The fault is ours and has been written to the log; nothing was changed. Try again, or go back.")
    return _fault(request, HTTPStatus.INTERNAL_SERVER_ERROR, _("Something went wrong"), said)


def unsigned(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001 - Django's own shape
    """Refuse a form without its token: the page is older than the login, or the form comes from another site."""
    said = _("This form is older than your login, or was not sent from here. Nothing was changed: open its page anew.")
    return _fault(request, HTTPStatus.FORBIDDEN, _("Not allowed"), said)


def _fault(request: HttpRequest, status: HTTPStatus, title: str, said: str) -> HttpResponse:
    return render(request, "pages/fault.html", {"title": title, "said": said, "status": int(status)}, status=status)


URLS: list[URLPattern] = []  # shown in the place of other pages
