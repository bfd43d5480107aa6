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
