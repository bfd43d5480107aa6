"""Definitions that somebody proposed, the signatures under them, and the goals of the stages."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from plait.facts import DEPARTMENTS, STAGES

NAMES = [(name, name) for name in DEPARTMENTS]


class Proposal(models.Model):
    """A definition of a measure: signed by two departments it holds, until then what held before goes on.

    `settled` is true when it waits for nobody: signed by both, or withdrawn. `proposed_at` and `withdrawn_at` are when
    people acted in the home, which may look from a day of the past; `made_at` is when it was written.
    """

    measure = models.SlugField(max_length=80)
    number = models.PositiveIntegerField()
    means = models.TextField()
    code_version = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    options = models.JSONField(default=dict)
    reason = models.TextField()
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True)
    settled = models.BooleanField(default=False)
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["measure", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["measure", "number"], name="one_definition_a_number"),
            models.UniqueConstraint(
                fields=["measure"], name="one_open_proposal", condition=models.Q(settled=False)
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.measure} {self.number}"


class Signature(models.Model):
    """One department's agreement, by one person. Rows are never changed or deleted."""

    proposal = models.ForeignKey(Proposal, models.PROTECT, related_name="signatures")
    department = models.CharField(max_length=20, choices=NAMES)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    at = models.DateTimeField()
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["proposal", "department"], name="one_signature_a_department"),
            models.UniqueConstraint(fields=["proposal", "by"], name="one_signature_a_person"),
        ]

    def __str__(self) -> str:
        return f"{self.proposal} {self.department}"


class Goal(models.Model):
    """What a stage is to reach by a day: a number of a measure, or something that people judge.

    A quantitative goal has a measure, a column of it and a target; `where` picks the row, `months` is over how long it
    is counted (0: as it stands), `up` tells whether more is better. A qualitative one has a text, and a `verdict`.
    """

    class Sort(models.TextChoices):
        """How it is judged."""

        QUANTITATIVE = "quantitative"
        QUALITATIVE = "qualitative"

    class Verdict(models.TextChoices):
        """What people say of a qualitative goal."""

        OPEN = "open"
        REACHED = "reached"
        MISSED = "missed"

    stage = models.CharField(max_length=20, choices=[(name, name) for name in STAGES])
    sort = models.CharField(max_length=12, choices=Sort.choices)
    text = models.CharField(max_length=300)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    due_on = models.DateField()
    measure = models.CharField(max_length=80, blank=True)
    column = models.CharField(max_length=80, blank=True)
    where = models.JSONField(default=dict)
    months = models.PositiveSmallIntegerField(default=0)
    up = models.BooleanField(default=True)
    target = models.DecimalField(max_digits=18, decimal_places=4, null=True)
    verdict = models.CharField(max_length=8, choices=Verdict.choices, default=Verdict.OPEN)
    made_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)  # when somebody took it off the page; the row stays

    class Meta:
        ordering: ClassVar = ["due_on", "id"]

    def __str__(self) -> str:
        return self.text
