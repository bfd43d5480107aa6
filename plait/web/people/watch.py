"""What happens at the door is written down: logins, failed logins, passwords and second factors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allauth.account import signals as account
from allauth.mfa import signals as factor
from allauth.mfa.models import Authenticator
from django.contrib.auth import signals as auth
from django.http import HttpRequest
from django.utils.translation import gettext_noop

from plait.web.people.models import User, record

ACTIONS = (
    gettext_noop("Login"), gettext_noop("Login failed"), gettext_noop("Login locked"), gettext_noop("Logout"),
    gettext_noop("Password changed"), gettext_noop("Password reset"), gettext_noop("Session ended"),
    gettext_noop("Second factor on"), gettext_noop("Second factor off"), gettext_noop("Second factor failed"),
    gettext_noop("Second factor reset"), gettext_noop("Recovery codes made"), gettext_noop("Person added"),
    gettext_noop("Person changed"), gettext_noop("Person deactivated"), gettext_noop("Person reactivated"),
    gettext_noop("Person invited"), gettext_noop("Invitation sent again"), gettext_noop("Invitation withdrawn"),
    gettext_noop("Invitation taken"), gettext_noop("Role changed"), gettext_noop("Role made"),
    gettext_noop("Account changed"),
)  # fmt: skip


def connect() -> None:
    """Listen to the login library."""
    account.user_logged_in.connect(_login)
    auth.user_logged_out.connect(_logout)
    auth.user_login_failed.connect(_failed)
    account.password_changed.connect(_password_changed)
    account.password_reset.connect(_password_reset)
    factor.authenticator_added.connect(_factor_added)
    factor.authenticator_reset.connect(_factor_added)
    factor.authenticator_removed.connect(_factor_removed)
    factor.authentication_failed.connect(_factor_failed)


def _from(request: HttpRequest | None) -> dict[str, str] | None:
    return {"address": str(request.META.get("REMOTE_ADDR", ""))} if request else None


def _login(request: HttpRequest, user: User, **_more: Any) -> None:  # noqa: ANN401 - Django's own shape
    record(user, "login", user.email, after=_from(request))


def _logout(request: HttpRequest, user: User | None, **_more: Any) -> None:  # noqa: ANN401 - Django's own shape
    if isinstance(user, User):
        record(user, "logout", user.email, after=_from(request))


def _failed(credentials: Mapping[str, Any], request: HttpRequest | None = None, **_more: Any) -> None:  # noqa: ANN401 - Django's own shape
    record(None, "login.failed", str(credentials.get("email", "")).lower(), after=_from(request))


def _password_changed(user: User, **_more: Any) -> None:  # noqa: ANN401 - Django's own shape
    record(user, "password.changed", user.email)


def _password_reset(user: User, **_more: Any) -> None:  # noqa: ANN401 - Django's own shape
    record(user, "password.reset", user.email)


def _factor_added(user: User, authenticator: Authenticator, **_more: Any) -> None:  # noqa: ANN401 - Django's own shape
    made = authenticator.type == Authenticator.Type.RECOVERY_CODES
    record(user, "recovery_codes.made" if made else "second_factor.on", user.email)


def _factor_removed(user: User, authenticator: Authenticator, **_more: Any) -> None:  # noqa: ANN401 - Django's own shape
    if authenticator.type != Authenticator.Type.RECOVERY_CODES:  # they go with the factor
        record(user, "second_factor.off", user.email)


def _factor_failed(user: User, **_more: Any) -> None:  # noqa: ANN401 - Django's own shape
    record(None, "second_factor.failed", user.email)
