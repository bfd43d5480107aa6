"""How the login library meets our people: nobody signs up by themselves, and what they do is written down."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from allauth.account.adapter import DefaultAccountAdapter
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy

from plait.web.people.models import AuditEntry, record

LOCKED_FOR = timedelta(minutes=15)  # as `ACCOUNT_RATE_LIMITS` says
LOCKED = gettext_lazy(
    "Too many failed logins. This address is locked for 15 minutes: wait, or reset the password to come in at once."
)


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    """People come in by invitation only."""

    error_messages: ClassVar = {**DefaultAccountAdapter.error_messages, "too_many_login_attempts": LOCKED}

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002 - the library's own shape
        """Nobody signs up: somebody who looks after people invites them."""
        return False

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:  # noqa: ARG002 - the library's own shape
        """Lead back to the person's own account."""
        return reverse("me")

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Write to people in the language they have chosen, whatever browser asked for the mail."""
        chosen = getattr(context.get("user"), "language", "")
        with translation.override(chosen or translation.get_language()):
            super().send_mail(template_prefix, email, context)

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:  # noqa: ANN401 - the library's own shape
        """Refuse a locked address; that it is locked is written down once, not at every try."""
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError:
            subject = str(credentials.get("email", "")).lower()[:200]
            known = AuditEntry.objects.filter(
                action="login.locked", subject=subject, at__gt=timezone.now() - LOCKED_FOR
            )
            if not known.exists():
                record(None, "login.locked", subject)
            raise
