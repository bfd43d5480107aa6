"""Access: what a program may read with a token. It never sees more than the person who made the token."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop

from plait.measure import known_measure
from plait.web.people.models import Token, User, digest_of, new_secret, record
from plait.web.people.rights import may, permit

SCOPES: Mapping[str, str] = {
    "numbers": gettext_noop("measures, their definitions and their tables"),
    "customers": gettext_noop("accounts and their stories"),
    "data": gettext_noop("sources and loads"),
    "lifecycle": gettext_noop("hand-offs, and answers to those that you may answer"),
}
USE_NOTED_EVERY = timedelta(minutes=1)
LONGEST_NAME = 80


class BadToken(ValueError):
    """A token that cannot be made."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: a person, by a program with a token's scopes, or in a browser (`scopes` is None)."""

    user: User
    scopes: frozenset[str] | None = None

    def permit(self, scope: str) -> User:
        """Go on only when the person may see an area and the token is for it too; gives the person."""
        permit(self.user, f"{scope}.see")
        if self.scopes is not None and scope not in self.scopes:
            has = ", ".join(sorted(self.scopes)) or gettext("none")
            raise PermissionDenied(
                gettext("This token is for %(has)s, not for %(scope)s; make one that is, on the page My account.")
                % {"has": has, "scope": scope}
            )
        return self.user

    def permit_measure(self, name: str) -> User:
        """Go on only when a measure may be asked; one that names customers needs more."""
        user = self.permit("numbers")
        return self.permit("customers") if known_measure(name).names_customers else user


def reader_of(secret: str) -> Reader | None:
    """Give who reads with a token; None when there is no such token, it was revoked or the person may not come in."""
    known = Token.objects.select_related("user").filter(digest=digest_of(secret), revoked_at=None)
    token = known.filter(user__is_active=True).first()
    if token is None:
        return None
    _note_use(token, timezone.now())
    return Reader(token.user, frozenset(token.scopes))


def scopes_for(user: User) -> dict[str, str]:
    """Give the scopes that a person's tokens can have: those of the areas that they may see."""
    return {name: says for name, says in SCOPES.items() if may(user, f"{name}.see").allowed}


def make_token(user: User, name: str, scopes: Collection[str]) -> str:
    """Make a token and give its secret, which is kept nowhere."""
    name, allowed = name.strip(), scopes_for(user)
    if not name or len(name) > LONGEST_NAME:
        raise BadToken(gettext("A token needs a name of up to %(most)d letters.") % {"most": LONGEST_NAME})
    if not scopes or not set(scopes) <= set(allowed):
        raise BadToken(
            gettext("Choose what the token may read: %(allowed)s.") % {"allowed": ", ".join(allowed) or gettext("none")}
        )
    secret, digest = new_secret()
    with transaction.atomic():
        Token.objects.create(user=user, name=name, digest=digest, scopes=sorted(scopes))
        record(user, "token.made", name, after={"scopes": sorted(scopes)})
    return secret


def revoke_token(token: Token) -> None:
    """End a token at once; who uses it is refused from now on."""
    with transaction.atomic():
        changed = Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())
        if changed:
            record(token.user, "token.revoked", token.name, before={"scopes": token.scopes})


def _note_use(token: Token, now: datetime) -> None:
    """Remember when a token was last used, at most once a minute: reading must not wait for writing."""
    if token.used_at is None or now - token.used_at >= USE_NOTED_EVERY:
        Token.objects.filter(pk=token.pk).update(used_at=now)
