"""Opinions: which of the seven challenges a colleague has, one answer a person, several challenges allowed."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class Opinion(models.Model):
    """What one colleague answered last; nobody is shown a single answer but their own."""

    person = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="opinion")
    challenges = models.JSONField(default=list)  # ids of `plait.web.benchmarks.challenges.CHALLENGES`
    answered_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"opinion of {self.person}"
