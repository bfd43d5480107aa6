"""Rights: what a person may see, work on and approve, area by area.

A right is written `area.level`, such as `sales.see`. Levels rise: who may approve may work, who may work may see. A
role gives levels in areas; a person with several roles has the highest of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils.translation import gettext, gettext_noop

from plait.facts import DEPARTMENTS, nearest

LEVELS = ("see", "work", "approve")
AREAS: Mapping[str, str] = {
    "company": gettext_noop("the board of the whole company"),
    "marketing": gettext_noop("the board of marketing"),
    "sales": gettext_noop("the board of sales"),
    "service": gettext_noop("the board of service"),
    "product": gettext_noop("the board of product"),
    "finance": gettext_noop("the board of finance"),
    "it": gettext_noop("the board of IT"),
    "hr": gettext_noop("the board of HR"),
    "partners": gettext_noop("the board of partners"),
    "numbers": gettext_noop("measures, lifecycle, revenue and spend"),
    "lifecycle": gettext_noop("stages, owners and hand-offs"),
    "customers": gettext_noop("accounts and their stories"),
    "data": gettext_noop("sources, uploads and refused rows"),
    "people": gettext_noop("people, roles and invitations"),
    "audit": gettext_noop("the audit log"),
}
assert set(DEPARTMENTS) < set(AREAS)  # noqa: S101 - a department without a board would be found here, at import


class UnknownRight(LookupError):
    """A right that nobody has declared."""

    def __init__(self, right: str) -> None:
        known = [f"{area}.{level}" for area in AREAS for level in LEVELS]
        super().__init__(f"no right {right!r}; {nearest(right, known)}areas: {', '.join(AREAS)}.")


class Holder(Protocol):
    """Somebody who has rights."""

    outside: bool

    def levels(self) -> Mapping[str, str]:
        """Give the highest level in each area."""
        ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether somebody may do something, and the sentence that says why not."""

    allowed: bool
    because: str = ""


def may(user: Holder, right: str) -> Verdict:
    """Tell whether a person has a right."""
    area, _, level = right.partition(".")
    if area not in AREAS or level not in LEVELS:
        raise UnknownRight(right)
    has = user.levels().get(area)
    if has is not None and LEVELS.index(has) >= LEVELS.index(level):
        return Verdict(allowed=True)
    wanted = {"see": gettext("see"), "work": gettext("work on"), "approve": gettext("approve")}[level]
    because = gettext(
        "Your roles do not let you %(do)s this: %(area)s. Somebody who looks after people can change that."
    )
    return Verdict(allowed=False, because=because % {"do": wanted, "area": gettext(AREAS[area])})


def permit(user: Holder, right: str) -> None:
    """Go on only with a right: a colleague without it is told why (403), anybody else finds nothing (404)."""
    verdict = may(user, right)
    if verdict.allowed:
        return
    if user.outside:
        raise Http404
    raise PermissionDenied(verdict.because)
