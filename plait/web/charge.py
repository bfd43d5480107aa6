"""Charge: people put a colleague in charge of accounts, and plan the next step with them.

Both are facts. They are kept with the audit entry in one transaction and published when it is over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from plait.facts import Fact
from plait.failure import Unfit
from plait.web import directory
from plait.web.handoffs import clock, outbox
from plait.web.people.models import User, record

MOST = 200  # accounts at once
LONGEST = 500  # signs of a note or a step
YEAR = timedelta(days=366)
NOBODY = gettext_noop("Choose an account first: tick the box before its name.")


class BadCharge(Unfit, ValueError):
    """Accounts, a colleague, a step or a day that will not do."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """Accounts that somebody chose: id and name of each, as pages call them."""

    names: Mapping[str, str]

    def __post_init__(self) -> None:
        """Refuse none, too many, and those that nobody knows."""
        if not self.names:
            raise BadCharge(_(NOBODY))
        if len(self.names) > MOST:
            raise BadCharge(_("These are more than %(most)s accounts; choose fewer at once.") % {"most": MOST})
        if set(self.names) - set(directory.keys()):
            raise BadCharge(_("An account is not known any more; load the page again."))


def colleagues() -> list[User]:
    """Give those who can be put in charge, by name."""
    return sorted(User.objects.filter(is_active=True, outside=False), key=lambda user: directory.fold(str(user)))


def assign(actor: User, accounts: Accounts, *, to: str, note: str) -> User:
    """Put a colleague in charge of accounts; `to` is their address."""
    person = next((one for one in colleagues() if one.email == to), None)
    if person is None:
        raise BadCharge(_("Choose who is in charge: a colleague who can log in."))
    said = {"by": actor.email, "note": _short(note)}
    with transaction.atomic():
        for number, name in accounts.names.items():
            entry = record(actor, "account.assigned", name, after={"owner": person.email, "note": note, "id": number})
            _keep(f"owner-{entry.pk}", "owner.assigned", number, owner=person.email, detail=said)
        transaction.on_commit(_publish)
    return person


def plan(actor: User, accounts: Accounts, *, step: str, due: date | None, note: str) -> date:
    """Plan the next step with accounts, to be done by its day by whoever plans it."""
    today = clock.today()
    if not step.strip():
        raise BadCharge(_("Say what the next step is, such as: call about the offer."))
    if due is None or not today <= due <= today + YEAR:
        raise BadCharge(_("Choose the day by which the step is done, from today to a year ahead."))
    said = {"by": actor.email, "due": due.isoformat(), "note": _short(note)}
    with transaction.atomic():
        for number, name in accounts.names.items():
            after = {"step": _short(step), "due": due.isoformat(), "note": note, "id": number}
            entry = record(actor, "step.planned", name, after=after)
            thing = f"step-{entry.pk}"
            _keep(f"{thing}-planned", "step.planned", number, object_id=thing, owner=actor.email,
                  text=_short(step), detail=said)  # fmt: skip
        transaction.on_commit(_publish)
    return due


def _keep(
    number: str, kind: str, account: str, *, owner: str, detail: Mapping[str, str], text: str | None = None,
    object_id: str | None = None,
) -> None:  # fmt: skip
    """Keep a fact about an account for the timeline; it carries the account's oldest key."""
    its: Sequence[tuple[str, str]] = directory.keys()[account][:1]
    told = {name: value for name, value in detail.items() if value}
    fact = Fact(
        source=outbox.SOURCE, id=number, kind=kind, occurred_at=clock.present(), recorded_at=clock.now(),
        keys=dict(its), object_id=object_id, owner=owner, text=text, detail=told,
    )  # fmt: skip
    outbox.keep([fact])


def _short(text: str) -> str:
    text = " ".join(text.split())
    if len(text) > LONGEST:
        raise BadCharge(_("Write at most %(most)s signs.") % {"most": LONGEST})
    return text


def _publish() -> None:
    outbox.publish(settings.HOME, now=clock.now())
