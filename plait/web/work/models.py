"""Jobs: long work that a person started, with its progress and its outcome."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone


class KnownMapping(models.Model):
    """A mapping that somebody brought in the browser, kept so that the next export needs no second upload of it."""

    name = models.CharField(max_length=120)
    digest = models.CharField(max_length=64, unique=True)  # of the text: the same mapping is kept once
    text = models.TextField()
    used_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["-used_at"]

    def __str__(self) -> str:
        return self.name


class Job(models.Model):
    """One piece of long work.

    `done` of `total` is its progress in bytes (0 of 0 until it is known), `step` the file that is being read;
    `report` what it led to, as the page shows it.
    A job that is `refused` met data that will not do; one that `failed` met an error of ours.
    """

    class State(models.TextChoices):
        """Where a job stands."""

        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        REFUSED = "refused"
        CANCELLED = "cancelled"
        FAILED = "failed"

    kind = models.CharField(max_length=20)
    title = models.CharField(max_length=200)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="jobs")
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    step = models.CharField(max_length=200, blank=True)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    cancel_asked = models.BooleanField(default=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    pid = models.PositiveIntegerField(null=True)  # of the process that works on it
    mapping = models.ForeignKey(KnownMapping, models.PROTECT, null=True, related_name="jobs")
    report = models.JSONField(default=dict)
    folder = models.CharField(max_length=500, blank=True)
    made_at = models.DateTimeField(default=timezone.now)
    began_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return self.title

    @property
    def over(self) -> bool:
        """Tell whether nothing more will happen."""
        return self.state not in (self.State.WAITING, self.State.RUNNING)

    @property
    def seconds(self) -> float:
        """Give how long it has worked, or did."""
        if self.began_at is None:
            return 0.0
        return ((self.ended_at or timezone.now()) - self.began_at).total_seconds()
