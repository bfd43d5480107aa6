"""Live sources and the write keys by which their events come in."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone


class LiveSource(models.Model):
    """A source that sends events as they happen; `quota` bounds them, in events a second (0: no bound)."""

    name = models.CharField(max_length=60, unique=True)
    quota = models.PositiveIntegerField(default=0)
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class WriteKey(models.Model):
    """A key with which a source's events come in; it can only write.

    A `web` key is public, as every visitor's browser has it: it is kept whole and comes only from `origins` (any, where
    there are none). Of a `server` key, which is a secret, only the digest and the first signs are kept.
    """

    class Sort(models.TextChoices):
        """Who holds a key."""

        WEB = "web"
        SERVER = "server"

    source = models.ForeignKey(LiveSource, models.PROTECT, related_name="keys")
    sort = models.CharField(max_length=6, choices=Sort.choices)
    shown = models.CharField(max_length=64)  # the whole key, or its first signs
    digest = models.CharField(max_length=64, unique=True)
    origins = models.JSONField(default=list, blank=True)
    made_at = models.DateTimeField(default=timezone.now)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.shown


class TrackedLink(models.Model):
    """A link that a partner spreads: who follows `/r/<code>` is led to the stored target, and the click is a fact.

    `parameter` is the name under which the target is told the click's id; `hosts` are those to which an address in the
    link itself may lead (none: it may not); `fallback` is where it leads once it has ended. Links are never deleted:
    facts name their codes.
    """

    code = models.CharField(max_length=40, unique=True)
    target = models.CharField(max_length=2000)
    partner = models.CharField(max_length=100)
    campaign = models.CharField(max_length=100, blank=True)
    channel = models.CharField(max_length=100, blank=True)
    source = models.ForeignKey(LiveSource, models.PROTECT, related_name="links")
    parameter = models.CharField(max_length=40, default="click_id")
    hosts = models.JSONField(default=list, blank=True)
    fallback = models.CharField(max_length=2000, blank=True)
    made_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now, db_index=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-made_at", "-id"]

    def __str__(self) -> str:
        return self.code


class PromoCode(models.Model):
    """A code that says which partner brought an order, from the start of `valid_from` until before `valid_to`.

    A code may later go to another partner: validities of one code never overlap.
    """

    code = models.CharField(max_length=40, db_index=True)  # as `plait.sources.conversions.normalised` writes it
    partner = models.CharField(max_length=100)
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField()
    made_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering: ClassVar = ["code", "valid_from"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(valid_to__gt=models.F("valid_from")), name="valid_for_a_time")
        ]

    def __str__(self) -> str:
        return self.code
