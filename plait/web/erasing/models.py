"""What persons have asked for. Who they are is kept as a keyed hash only: the list outlives what it is about."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone


class PersonRequest(models.Model):
    """Something that a person asked for, or that was done for them: access, erasure, or to be let in again.

    `digest` is the keyed hash of the key that was given (`plait.suppression`). `received_on` is when they asked,
    `due_on` a month later. `counts` says how much was handed out or erased, by table. `by` is nobody at the command
    line.
    """

    class Sort(models.TextChoices):
        """What is asked for."""

        ACCESS = "access"
        ERASURE = "erasure"
        ALLOWED = "allowed"

    class State(models.TextChoices):
        """How far it is."""

        OPEN = "open"
        UNDER_WAY = "under way"
        DONE = "done"

    sort = models.CharField(max_length=10, choices=Sort.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    digest = models.CharField(max_length=64, db_index=True)
    why = models.TextField(blank=True)
    received_on = models.DateField()
    due_on = models.DateField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    done_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    made_at = models.DateTimeField(default=timezone.now)
    done_at = models.DateTimeField(null=True)
    counts = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"request {self.pk}"
