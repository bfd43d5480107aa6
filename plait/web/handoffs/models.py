"""Hand-offs as the inbox sorts and filters them, their steps, who is away, and facts on their way to the timeline."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from plait.facts import DEPARTMENTS

NAMES = [(name, name) for name in DEPARTMENTS]


class HandOff(models.Model):
    """An account that one department offers to another, as `plait.handoff.state.HandOff` says it.

    People are kept by their addresses, as in the steps. `account` is the account's id when it was made, `keys` what it
    was known by then: ids change when accounts merge, keys do not. `start` is what it was made from, once each: a fact,
    or a form. `order_at` is by what lists are in order: when the answer is due, or when it was given. `next_at` is when
    its clock next wants something: an escalation or the end of its time.
    """

    class State(models.TextChoices):
        """Where a hand-off stands."""

        OPEN = "open"
        ACCEPTED = "accepted"
        REJECTED = "rejected"
        EXPIRED = "expired"

    id = models.CharField(max_length=64, primary_key=True)
    type = models.CharField(max_length=40)
    account = models.CharField(max_length=80, db_index=True)
    account_name = models.CharField(max_length=200)
    folded = models.CharField(max_length=400)  # what search looks through
    keys = models.JSONField(default=dict)
    start = models.CharField(max_length=600, blank=True)
    person = models.CharField(max_length=200, blank=True)
    sender = models.CharField(max_length=20, choices=NAMES)
    receiver = models.CharField(max_length=20, choices=NAMES)
    mode = models.CharField(max_length=10)
    sent_by = models.CharField(max_length=254)
    assignee = models.CharField(max_length=254, blank=True)
    fallback_used = models.BooleanField(default=False)
    because = models.TextField(blank=True)
    captured_at = models.DateTimeField()
    created_at = models.DateTimeField()
    assigned_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    touch_due_at = models.DateTimeField(null=True)
    first_touch_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    answered_by = models.CharField(max_length=254, blank=True)
    changed_at = models.DateTimeField()
    pauses = models.JSONField(default=list)
    touches = models.JSONField(default=list)
    escalated = models.JSONField(default=list)
    policy_version = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State.choices)
    reason = models.CharField(max_length=60, blank=True)
    note = models.TextField(blank=True)
    recycle_to = models.CharField(max_length=60, blank=True)
    wake_at = models.DateTimeField(null=True)
    value = models.DecimalField(max_digits=18, decimal_places=4, null=True)
    currency = models.CharField(max_length=3, blank=True)
    previous = models.CharField(max_length=64, blank=True, db_index=True)
    context = models.JSONField(default=dict)
    completeness = models.FloatField(null=True)
    order_at = models.DateTimeField()
    next_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["order_at", "id"]
        indexes: ClassVar = [  # with what search looks through: a word that no name holds is not looked for row by row
            models.Index(fields=["state", "order_at", "id", "folded"], name="handoff_by_due"),
            models.Index(fields=["assignee", "state", "order_at", "id", "folded"], name="handoff_mine"),
            models.Index(fields=["receiver", "state", "order_at", "id", "folded"], name="handoff_received"),
            models.Index(fields=["sender", "state", "order_at", "id", "folded"], name="handoff_sent"),
            models.Index(fields=["sent_by", "state", "order_at", "id", "folded"], name="handoff_sent_by"),
            models.Index(fields=["assignee", "assigned_at"], name="handoff_given"),
            models.Index(fields=["next_at"], name="handoff_next", condition=models.Q(state="open")),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["type", "start"], name="one_handoff_a_start", condition=~models.Q(start=""))
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.account_name}"


class Step(models.Model):
    """Something that happened with a hand-off. Rows are never changed or deleted; the id says what it is."""

    id = models.CharField(max_length=120, primary_key=True)
    handoff = models.ForeignKey(HandOff, models.PROTECT, related_name="steps")
    number = models.PositiveIntegerField()  # its place in the hand-off's history
    act = models.CharField(max_length=20)
    at = models.DateTimeField()
    by = models.CharField(max_length=254)
    reason = models.TextField(blank=True)
    note = models.TextField(blank=True)
    minutes = models.DecimalField(max_digits=18, decimal_places=6, null=True)
    detail = models.JSONField(default=dict)
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["handoff", "number"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["handoff", "number"], name="one_step_a_place")]

    def __str__(self) -> str:
        return f"{self.act} {self.handoff_id}"


class Outbox(models.Model):
    """A fact that an act has made, kept with the act in one transaction until the timeline has it.

    `fact` is its id: published twice it is one fact.
    """

    fact = models.CharField(max_length=512, unique=True)
    told = models.JSONField()
    made_at = models.DateTimeField(default=timezone.now)
    published_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [
            models.Index(fields=["id"], name="outbox_waiting", condition=models.Q(published_at=None)),
        ]

    def __str__(self) -> str:
        return self.fact


class Absence(models.Model):
    """Days on which somebody is away, both included: what would come to them goes to somebody else."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="absences")
    first = models.DateField()
    last = models.DateField()

    class Meta:
        ordering: ClassVar = ["first", "id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(last__gte=models.F("first")), name="away_for_a_time")
        ]

    def __str__(self) -> str:
        return f"{self.person} {self.first} {self.last}"


class Digest(models.Model):
    """Whether somebody wants the morning's mail, and the day on which they had the last one."""

    person = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="digest")
    wanted = models.BooleanField(default=True)
    sent_on = models.DateField(null=True)

    def __str__(self) -> str:
        return str(self.person)


class Looked(models.Model):
    """How far something has looked through the facts, so that it need not look again."""

    name = models.CharField(max_length=40, unique=True)
    until = models.DateTimeField()
    mark = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return self.name


class Answered(models.Model):
    """What a program was answered under a key of its own: asked again with the key, it gets the same answer."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    asked = models.CharField(max_length=64)  # digest of what it asked for
    status = models.PositiveSmallIntegerField()
    body = models.TextField()
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["person", "key"], name="one_answer_a_key")]

    def __str__(self) -> str:
        return self.key
