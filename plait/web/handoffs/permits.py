"""Permits: who may see a hand-off, answer it, take it back, make one, and change the policy."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils.translation import gettext

from plait.handoff.policy import HandOffType, Policy
from plait.web import words
from plait.web.handoffs.models import HandOff
from plait.web.people.models import User
from plait.web.people.rights import Verdict, may, permit

ANSWERS = ("accept", "reject", "touch", "pause", "resume", "assign")


def handoff_for(user: User, number: str) -> HandOff:
    """Load a hand-off that somebody may see."""
    permit(user, "lifecycle.see")
    row = HandOff.objects.filter(pk=number).first()
    if row is None:
        raise Http404
    return row


def may_act(user: User, row: HandOff, act: str) -> Verdict:
    """Tell whether somebody may do something with a hand-off: its receivers answer, its senders take it back."""
    verdict = may(user, "lifecycle.work")
    if not verdict.allowed:
        return verdict
    if act == "touch":  # only who reached out can say so
        said = gettext("Only whoever the hand-off was given to can note that they reached out.")
        return verdict if user.email == row.assignee else Verdict(allowed=False, because=said)
    if act in ANSWERS:
        if user.email == row.assignee or user.department == row.receiver:
            return verdict
        said = gettext("Only %(department)s may answer this hand-off, or whoever it was given to.")
        return Verdict(allowed=False, because=said % {"department": words.label(row.receiver)})
    if user.email == row.sent_by or user.department == row.sender:
        return verdict
    said = gettext("Only %(department)s may take this hand-off back, or whoever sent it.")
    return Verdict(allowed=False, because=said % {"department": words.label(row.sender)})


def permit_act(user: User, row: HandOff, act: str) -> None:
    """Go on only when somebody may do something with a hand-off."""
    verdict = may_act(user, row, act)
    if not verdict.allowed:
        raise PermissionDenied(verdict.because)


def types_of(user: User, policy: Policy) -> Sequence[HandOffType]:
    """Give the types of hand-off that somebody may send: those of their own department."""
    if not may(user, "lifecycle.work").allowed:
        return []
    return [one for one in policy.types.values() if one.sender == user.department]


def permit_type(user: User, policy: Policy, name: str) -> HandOffType:
    """Go on only with a type that somebody may send."""
    permit(user, "lifecycle.work")
    known = policy.type(name)
    if known.sender != user.department:
        said = gettext("Only %(department)s hands over accounts as %(type)s.")
        raise PermissionDenied(said % {"department": words.label(known.sender), "type": known.title})
    return known
