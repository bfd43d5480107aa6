"""Programs and definitions: they may read them, and sign none."""

from __future__ import annotations

from http import HTTPStatus

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt


@csrf_exempt
@login_not_required
def sign(_request: HttpRequest, name: str) -> HttpResponse:  # noqa: ARG001 - every measure is refused alike
    """Refuse a program that would sign: a definition is agreed on by people."""
    said = _("A definition is signed by two people of two departments on its page; no program and no token can.")
    return JsonResponse({"error": {"code": "people_only", "message": said}}, status=HTTPStatus.CONFLICT)
