"""Invitations: the only way in. An address gets a secret link; whoever opens it in time chooses a password."""

from __future__ import annotations

from datetime import timedelta
from smtplib import SMTPException

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _

from plait.web.people.care import Details
from plait.web.people.models import INVITATION_DAYS, Invitation, Role, User, digest_of, new_secret, record


class CannotInvite(ValueError):
    """An address that cannot be invited."""


class NotOpen(LookupError):
    """An invitation that is unknown, taken, withdrawn or too old; nobody is told which."""


def open_invitations() -> QuerySet[Invitation]:
    """Give the invitations that can still be taken, the newest first."""
    since = timezone.now() - timedelta(days=INVITATION_DAYS)
    waiting = Invitation.objects.filter(taken_at=None, withdrawn_at=None, invited_at__gt=since)
    return waiting.select_related("invited_by").prefetch_related("roles").order_by("-invited_at", "-id")


def invite(actor: User, email: str, details: Details) -> tuple[Invitation, str]:
    """Invite an address; gives the invitation and the secret of its link, which is kept nowhere."""
    address = email.strip().lower()
    if User.objects.filter(email=address).exists():
        raise CannotInvite(_("Somebody with this address is here already; change their roles on their own page."))
    if open_invitations().filter(email=address).exists():
        raise CannotInvite(_("This address has an open invitation; send that one again, or withdraw it first."))
    secret, digest = new_secret()
    with transaction.atomic():
        invitation = Invitation.objects.create(
            email=address, name=details.name, department=details.department, outside=details.outside,
            partners=list(details.partners), digest=digest, invited_by=actor,
        )  # fmt: skip
        invitation.roles.set(Role.objects.filter(name__in=details.roles))
        record(actor, "person.invited", address, after=details.told())
    return invitation, secret


def renew(actor: User, invitation: Invitation) -> str:
    """Give an invitation a new secret and its full time; the old link works no more."""
    secret, digest = new_secret()
    with transaction.atomic():
        invitation.digest, invitation.invited_at = digest, timezone.now()
        invitation.save(update_fields=["digest", "invited_at"])
        record(actor, "invitation.sent_again", invitation.email)
    return secret


def withdraw(actor: User, invitation: Invitation) -> None:
    """Take an invitation back."""
    with transaction.atomic():
        invitation.withdrawn_at = timezone.now()
        invitation.save(update_fields=["withdrawn_at"])
        record(actor, "invitation.withdrawn", invitation.email)


def send(invitation: Invitation, link: str) -> bool:
    """Send the mail with the link; tells whether the mail server took it."""
    told = {"invitation": invitation, "link": link, "days": INVITATION_DAYS}
    text = render_to_string("account/email/invitation_message.txt", told).strip() + "\n"
    subject = " ".join(render_to_string("account/email/invitation_subject.txt", told).split())
    try:
        send_mail(subject, text, settings.DEFAULT_FROM_EMAIL, [invitation.email])
    except (OSError, SMTPException):
        return False
    return True


def find_open(secret: str) -> Invitation:
    """Find the invitation of a link that can still be taken."""
    invitation = Invitation.objects.filter(digest=digest_of(secret)).first()
    if invitation is None or not invitation.is_open(timezone.now()):
        raise NotOpen
    if User.objects.filter(email=invitation.email).exists():
        raise NotOpen
    return invitation


def take(secret: str, password: str) -> User:
    """Make the invited person, with exactly what the invitation says; a link works once."""
    with transaction.atomic():
        Invitation.objects.select_for_update().filter(digest=digest_of(secret)).first()
        invitation = find_open(secret)
        user = person_of(invitation)
        validate_password(password, user)
        user.set_password(password)
        user.save()
        user.roles.set(invitation.roles.all())
        invitation.taken_at = timezone.now()
        invitation.save(update_fields=["taken_at"])
        record(user, "invitation.taken", user.email)
    return user


def person_of(invitation: Invitation) -> User:
    """Give the person that an invitation would make, not stored yet."""
    return User(
        email=invitation.email, name=invitation.name, department=invitation.department, outside=invitation.outside,
        partners=list(invitation.partners),
    )  # fmt: skip
