"""What people do with definitions: propose one, sign it for their department, withdraw it.

Each act is one transaction: the rows, the audit log, and the fact on its way to the timeline. After it the home's
register file is written; the worker brings the fact into the timeline, and does what a killed process left undone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from plait.facts import Fact
from plait.failure import Misused, Unfit
from plait.measure import Measure, Signature, known_measure
from plait.register import SIGNERS, Version, agreed_by, is_agreed, keep, read_register
from plait.settings import read_settings
from plait.web import words
from plait.web.handoffs import outbox
from plait.web.people.models import User, record
from plait.web.people.rights import permit
from plait.web.register import models
from plait.web.register.models import Proposal


class Contested(Unfit, RuntimeError):
    """An act that is at odds with what others have done, or with who may do it."""


class Unclear(Misused, ValueError):
    """A proposal that says too little, or nothing new."""


def propose(user: User, name: str, chosen: Mapping[str, object], reason: str, *, now: datetime) -> Proposal:
    """Propose a definition of a measure: plait's own text of today with these options, for a reason."""
    permit(user, "numbers.work")
    measure = known_measure(name)
    reason = " ".join(reason.split())
    if not reason:
        raise Unclear(_("Say why: a reason in a sentence helps those who are asked to sign."))
    options = agreed_by(measure, {one: value for one, value in chosen.items() if is_agreed(measure, one)})
    held = read_register(settings.HOME).in_force(measure)
    if held.state == "signed" and held.options == tuple(sorted(options.items())):
        raise Unclear(_("This is the definition that is in force. Change an option, or leave it as it is."))
    before = {one: _plain(value) for one, value in held.options}
    at = _present(now)
    try:
        with transaction.atomic():
            made = Proposal.objects.create(
                measure=name, number=_next_number(name), means=measure.means, code_version=measure.version,
                digest=measure.digest, options={one: _plain(value) for one, value in options.items()}, reason=reason,
                proposed_by=user, proposed_at=at,
            )  # fmt: skip
            record(user, "definition.proposed", made, before=before, after={"options": made.options, "reason": reason})
            _tell(made, "definition.proposed", "proposed", user, at, {"reason": reason})
    except IntegrityError:
        says = _("There is a proposal for this measure already: sign it, or have it withdrawn, then propose another.")
        raise Contested(says) from None
    return made


def sign(user: User, number: int, *, now: datetime) -> Proposal:
    """Sign a proposal for one's own department; with the second signature it is in force."""
    permit(user, "numbers.approve")
    at = _present(now)
    try:
        with transaction.atomic():
            found = Proposal.objects.select_for_update().get(pk=number)
            measure = known_measure(found.measure)
            signed = list(found.signatures.select_related("by"))
            _check(user, found, measure, signed)
            models.Signature.objects.create(proposal=found, department=user.department, by=user, at=at)
            found.settled = len(signed) + 1 == SIGNERS
            found.save(update_fields=["settled"])
            state = "signed" if found.settled else "half-signed"
            record(user, "definition.signed", found, after={"department": user.department, "state": state})
            _tell(found, "definition.signed", user.department, user, at, {"department": user.department})
    except IntegrityError:
        raise Contested(_("Somebody signed at the same moment. Open the page anew.")) from None
    return found


def withdraw(user: User, number: int, *, now: datetime) -> Proposal:
    """Withdraw one's own proposal while it waits for a signature."""
    permit(user, "numbers.work")
    with transaction.atomic():
        found = Proposal.objects.select_for_update().get(pk=number)
        if found.settled:
            raise Contested(_("This proposal is settled: it was signed by both departments, or withdrawn."))
        if found.proposed_by_id != user.pk:
            raise PermissionDenied(_("Only %(who)s, who proposed it, can withdraw it.") % {"who": found.proposed_by})
        found.withdrawn_at, found.settled = _present(now), True
        found.save(update_fields=["withdrawn_at", "settled"])
        record(user, "definition.withdrawn", found)
        transaction.on_commit(write, robust=True)
    return found


def may_sign(user: User, found: Proposal) -> str:
    """Say why somebody cannot sign a proposal; empty when they can."""
    try:
        permit(user, "numbers.approve")
        _check(user, found, known_measure(found.measure), list(found.signatures.select_related("by")))
    except (PermissionDenied, Contested) as refused:
        return words.failure(refused)
    return ""


def publish(*, now: datetime) -> None:
    """Bring the home's register file and the timeline up to what the database holds; done twice it changes nothing."""
    write()
    outbox.publish(settings.HOME, now=now)


def versions(rows: Iterable[Proposal] | None = None) -> list[Version]:
    """Give every definition of the database as the register file keeps it."""
    known = Proposal.objects.select_related("proposed_by").prefetch_related("signatures__by") if rows is None else rows
    return [_version(one) for one in known]


def _check(user: User, found: Proposal, measure: Measure, signed: list[models.Signature]) -> None:
    """Refuse a signature that would not be that of another person of another department."""
    if found.settled:
        raise Contested(_("This proposal is settled: it was signed by both departments, or withdrawn."))
    if found.digest != measure.digest:
        raise Contested(_("Plait's own definition has changed since this was proposed: withdraw it, propose it anew."))
    if any(one.by_id == user.pk for one in signed):
        raise Contested(
            _("You have signed already: the second signature is another person's, of the other department.")
        )
    if user.department not in measure.signers:
        both = " · ".join(words.label(name) for name in measure.signers)
        raise PermissionDenied(_("This definition is signed by people of two departments: %(both)s.") % {"both": both})
    if any(one.department == user.department for one in signed):
        who = next(str(one.by) for one in signed if one.department == user.department)
        raise Contested(_("%(who)s has signed for your department already.") % {"who": who})


def _tell(found: Proposal, kind: str, act: str, user: User, at: datetime, detail: Mapping[str, str]) -> None:
    """Keep the act's fact for the timeline, and write the register file when the act is committed."""
    told = {"definition": str(found.number), **detail}
    name = f"definition/{found.measure}/{found.number}/{act}"
    fact = Fact(
        source=outbox.SOURCE, id=name, kind=kind, occurred_at=at, recorded_at=at, text=found.measure, owner=str(user),
        detail=told,
    )  # fmt: skip
    outbox.keep([fact])
    transaction.on_commit(write, robust=True)


def write() -> None:
    """Write what the database holds into the home's register file; written twice it is the same."""
    keep(settings.HOME, versions())


def _version(row: Proposal) -> Version:
    signatures = tuple(Signature(one.department, str(one.by), _naive(one.at)) for one in row.signatures.all())
    return Version(
        row.measure, row.number, row.means, row.code_version, row.digest, row.options, row.reason,
        str(row.proposed_by), _naive(row.proposed_at), signatures,
        _naive(row.withdrawn_at) if row.withdrawn_at else None,
    )  # fmt: skip


def _next_number(measure: str) -> int:
    """Give the next number of a measure's definitions: the file may know some that this database does not."""
    known = [*Proposal.objects.filter(measure=measure).values_list("number", flat=True)]
    known += [one.number for one in read_register(settings.HOME).of(measure)]
    return max(known, default=0) + 1


def _present(now: datetime) -> datetime:
    return read_settings(settings.HOME).present(now).replace(tzinfo=UTC)


def _naive(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None)


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
