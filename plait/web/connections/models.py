"""Connections and their runs."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from plait.failure import Said
from plait.web import words
from plait.web.work.models import Job, KnownMapping


def told(kept: object) -> str:
    """Give a sentence that was kept, in the reader's language."""
    return words.said(Said.of(kept)) if isinstance(kept, dict) else str(kept or "")


class Connection(models.Model):
    """A system that is asked for what is new, every `every` minutes (None: only when somebody says so).

    `system` is the name of a description, or `rest` (with a description of its own), a kind of database, `folder` or
    `bucket`; `description` is that own description, or what is read of a database. `secrets` are encrypted. `cursors`
    say up to where its data is loaded. `why` is why it is paused, empty where a person did it.
    """

    name = models.SlugField(max_length=60, unique=True)
    system = models.CharField(max_length=60)
    settings = models.JSONField(default=dict)
    login = models.CharField(max_length=60, blank=True)
    secrets = models.TextField(blank=True)
    description = models.TextField(blank=True)
    mapping = models.ForeignKey(KnownMapping, models.PROTECT, null=True, related_name="connections")
    every = models.PositiveIntegerField(null=True)
    paused = models.BooleanField(default=False)
    why = models.JSONField(default=str, blank=True)
    failures = models.PositiveSmallIntegerField(default=0)  # in a row
    cursors = models.JSONField(default=dict)
    owner = models.ForeignKey("people.User", models.PROTECT, null=True, related_name="connections")
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class Run(models.Model):
    """One time that a connection was asked: how much was read, what became of it, and what went wrong.

    One that is open is in work, or waits for it: there is one of a connection at most. `pid` is the process that works
    on one without a job.
    """

    class State(models.TextChoices):
        """How a run ended."""

        OPEN = "open"
        DONE = "done"
        REFUSED = "refused"
        FAILED = "failed"
        CANCELLED = "cancelled"

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="runs")
    job = models.ForeignKey(Job, models.SET_NULL, null=True, related_name="runs")
    full = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    pid = models.PositiveIntegerField(null=True)
    began_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    read = models.JSONField(default=dict)  # rows of each file
    not_read = models.JSONField(default=list)  # files that no mapping knows
    added = models.BigIntegerField(default=0)
    refused = models.BigIntegerField(default=0)
    requests = models.PositiveIntegerField(default=0)
    problem = models.JSONField(default=str, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["connection"], condition=models.Q(state="open"), name="one_run_of_a_connection"
            )
        ]

    def __str__(self) -> str:
        return f"{self.connection}, {self.began_at:%Y-%m-%d %H:%M}"

    @property
    def says(self) -> str:
        """What went wrong, in the reader's language."""
        return told(self.problem)

    @property
    def rows(self) -> int:
        """Count the rows that were read."""
        return sum(self.read.values())
