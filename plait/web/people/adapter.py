"""How the login library meets our people: nobody signs up by themselves, and what they do is written down."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    """People come in by invitation only."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002 - the library's own shape
        """Nobody signs up: somebody who looks after people invites them."""
        return False
