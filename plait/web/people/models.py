"""Users, roles, invitations, tokens for programs, and the audit log that nobody can rewrite."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.db import models, transaction
from django.utils import timezone

from plait.facts import DEPARTMENTS
from plait.timeline import Scope
from plait.web.people.rights import AREAS, LEVELS

INVITATION_DAYS = 7
ERASED = "person.erased"  # what the audit log calls it when somebody was erased


class Role(models.Model):
    """A named set of rights."""

    name = models.SlugField(unique=True)
    title = models.CharField(max_length=80)

    def __str__(self) -> str:
        return self.title


class RoleRight(models.Model):
    """The level that a role gives in one area."""

    role = models.ForeignKey(Role, models.CASCADE, related_name="rights")
    area = models.CharField(max_length=20, choices=[(area, area) for area in AREAS])
    level = models.CharField(max_length=10, choices=[(level, level) for level in LEVELS])

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["role", "area"], name="one_level_per_area")]

    def __str__(self) -> str:
        return f"{self.area}.{self.level}"


class UserManager(BaseUserManager["User"]):
    """Makes users, who are known by their e-mail address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:  # noqa: ANN401 - Django's own shape
        """Make a user; without a password nobody can log in as them."""
        user: User = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractUser):
    """Somebody who looks at the desk.

    `outside` are people who do not work for the firm: they find nothing where a colleague is told why not. They see
    only the facts of their `partners`.
    """

    username = None  # type: ignore[assignment]
    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120)
    department = models.CharField(max_length=20, blank=True, choices=[(name, name) for name in DEPARTMENTS])
    roles = models.ManyToManyField(Role, blank=True, related_name="users")
    outside = models.BooleanField(default=False)
    partners = models.JSONField(default=list, blank=True)
    language = models.CharField(max_length=5, blank=True)
    theme = models.CharField(max_length=5, blank=True, choices=[("light", "light"), ("dark", "dark")])
    shortcuts = models.BooleanField(default=True)

    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        """Give the name that people see."""
        return str(self)

    def levels(self) -> Mapping[str, str]:
        """Give the highest level in each area that one of the roles gives."""
        if not hasattr(self, "_levels"):
            found: dict[str, str] = {}
            rights = RoleRight.objects.filter(role__users=self) if self.is_active else RoleRight.objects.none()
            for area, level in rights.values_list("area", "level"):
                found[area] = max(level, found.get(area, LEVELS[0]), key=LEVELS.index)
            self._levels = found
        return self._levels

    def scope(self) -> Scope:
        """Give the rows that this person may see."""
        return Scope(tuple(sorted(self.partners))) if self.outside else Scope()

    def open_tokens(self) -> models.QuerySet[Token]:
        """Give the tokens that still work, the newest first."""
        return Token.objects.filter(user=self, revoked_at=None).order_by("-made_at", "-id")


class Invitation(models.Model):
    """An offer to come in, sent to an address; it can be taken once, until it expires or is withdrawn."""

    email = models.EmailField()
    name = models.CharField(max_length=120)
    department = models.CharField(max_length=20, blank=True, choices=[(name, name) for name in DEPARTMENTS])
    roles = models.ManyToManyField(Role, blank=True)
    outside = models.BooleanField(default=False)
    partners = models.JSONField(default=list, blank=True)
    digest = models.CharField(
        max_length=64, unique=True
    )  # of the secret in the link: the link itself is only in the mail
    invited_by = models.ForeignKey(User, models.PROTECT, related_name="invitations")
    invited_at = models.DateTimeField(default=timezone.now)
    taken_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.email

    @property
    def expires_at(self) -> datetime:
        """Give the instant from which the link no longer works."""
        return self.invited_at + timedelta(days=INVITATION_DAYS)

    def is_open(self, now: datetime) -> bool:
        """Tell whether it can still be taken."""
        return self.taken_at is None and self.withdrawn_at is None and now < self.expires_at


class Token(models.Model):
    """A key with which a program reads under a person's rights; only its digest is kept."""

    user = models.ForeignKey(User, models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)  # names of `plait.web.access.SCOPES`
    made_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


def new_secret() -> tuple[str, str]:
    """Make a secret and its digest."""
    secret = secrets.token_urlsafe(32)
    return secret, digest_of(secret)


def digest_of(secret: str) -> str:
    """Give what is kept of a secret: with 32 random bytes a plain hash cannot be turned back."""
    return hashlib.sha256(secret.encode()).hexdigest()


class AuditEntry(models.Model):
    """Something that somebody did: who, what, to whom, before and after. Rows are never changed or deleted.

    Each row carries the hash of the row before it, so that a row changed behind the database's back breaks the chain.
    """

    at = models.DateTimeField()
    actor = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=200)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    previous = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.action} {self.subject}"

    def computed_hash(self) -> str:
        """Give the hash that the row must carry."""
        told = [self.at.isoformat(), self.actor_id, self.action, self.subject, self.before, self.after, self.previous]
        return hashlib.sha256(json.dumps(told, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def record(
    actor: User | None, action: str, subject: object, *, before: object = None, after: object = None
) -> AuditEntry:
    """Write down what somebody did, in the transaction in which it is done."""
    with transaction.atomic():
        last = AuditEntry.objects.select_for_update().order_by("-id").first()
        entry = AuditEntry(
            at=timezone.now(),
            actor=actor,
            action=action,
            subject=str(subject)[:200],
            before=before,
            after=after,
            previous=last.hash if last else "",
        )
        entry.hash = entry.computed_hash()
        entry.save(force_insert=True)
    return entry


def broken_chain() -> AuditEntry | None:
    """Give the first entry of the audit log that was changed, or whose predecessor was; None when all is well.

    An entry from which an erased person was taken out reads as the entry of the erasure says, which is in the chain.
    """
    previous, told = "", _told_anew()
    for entry in AuditEntry.objects.order_by("id").iterator():
        content = entry.computed_hash()
        if entry.previous != previous or content not in (entry.hash, told.get(str(entry.pk))):
            return entry
        previous = entry.hash
    return None


def _told_anew() -> Mapping[str, str]:
    """Give the hashes of entries as they read since a person was taken out of them, the newest of each."""
    found: dict[str, str] = {}
    for after in AuditEntry.objects.filter(action=ERASED).order_by("id").values_list("after", flat=True):
        found.update((after or {}).get("entries", {}))
    return found
