"""What happens around every request: the content security policy and the reader's language."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from time import monotonic

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation

from plait.measure import BadOption, UnknownMeasure
from plait.register import NoSuchDefinition
from plait.timeline import UnknownAccount
from plait.web.pages import fault
from plait.web.state import BadState

ACTIVITY_EVERY = 60.0  # seconds
SESSIONS_NOTED = 10_000
Answer = Callable[[HttpRequest], HttpResponse]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def content_security_policy(answer: Answer) -> Answer:
    """Let a page load only what the desk itself serves: no inline script, no style attribute, no other host."""

    def respond(request: HttpRequest) -> HttpResponse:
        response = answer(request)
        response["Content-Security-Policy"] = POLICY
        response["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
        if response.status_code == HTTPStatus.OK and not request.path.startswith(settings.STATIC_URL):
            response.headers.setdefault("Cache-Control", "private, no-store")
        return response

    return respond


def language_of_the_reader(answer: Answer) -> Answer:
    """Speak the language that the person has chosen, wherever they log in; before that the cookie or the browser's."""

    def respond(request: HttpRequest) -> HttpResponse:
        chosen = getattr(request.user, "language", "")
        if chosen and chosen != translation.get_language():
            translation.activate(chosen)
            request.LANGUAGE_CODE = chosen
        response = answer(request)
        response.headers.setdefault("Content-Language", translation.get_language() or settings.LANGUAGE_CODE)
        return response

    return respond


def note_activity(answer: Answer) -> Answer:
    """Write down when and from where a session was last seen, once a minute at most: a page that only reads writes not.

    A write at every request would make readers wait for one another where the database is a file.
    """
    noted: dict[str, float] = {}

    def respond(request: HttpRequest) -> HttpResponse:
        session, now = request.session.session_key, monotonic()
        if session and request.user.is_authenticated and now - noted.get(session, -ACTIVITY_EVERY) >= ACTIVITY_EVERY:
            if len(noted) > SESSIONS_NOTED:
                noted.clear()
            noted[session] = now
            UserSession.objects.create_from_request(request)
        return answer(request)

    return respond


class Plainly:
    """Turn what somebody asked wrongly into a page that says so, instead of a fault of ours."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a request."""
        return self.answer(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer 404 to an unknown name and 400 to a value that is not allowed."""
        if isinstance(exception, UnknownMeasure | UnknownAccount):
            return fault.not_found(request)
        if isinstance(exception, BadState | BadOption | NoSuchDefinition):
            return fault.misread(request, exception)
        return None
