"""Outbox: facts that acts have made, on their way from the database into the timeline.

An act keeps its facts here in its own transaction; what was committed is published afterwards, in order, by one process
at a time. A process killed in between loses nothing: the next publishes again, and a fact of a known id adds nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.utils import timezone

from plait import desk
from plait.delta import locked
from plait.facts import Fact
from plait.web.handoffs import clock
from plait.web.handoffs.models import Outbox

SOURCE = "desk"
MOST = 2_000  # facts in one go
INSTANTS, NUMBERS = ("occurred_at", "recorded_at"), ("amount", "quantity")


def keep(facts: Iterable[Fact]) -> None:
    """Keep facts for the timeline, in the transaction of the act that made them."""
    Outbox.objects.bulk_create((Outbox(fact=fact.id, told=told(fact)) for fact in facts), ignore_conflicts=True)


def publish(home: Path, *, now: datetime | None = None) -> int:
    """Put into the timeline what waits for it, not known before `now`; gives how many facts that were.

    What waits is read first and the clock afterwards: a fact that is younger than its publication would be refused.
    """
    if not Outbox.objects.filter(published_at=None).exists():
        return 0
    with locked(home / "locks" / ".outbox"):
        waiting = list(Outbox.objects.filter(published_at=None)[:MOST])
        if not waiting:
            return 0
        facts = [fact_of(one.told) for one in waiting]
        known_at = max((clock.now(), now or clock.now(), *(fact.occurred_at for fact in facts)))
        loaded = desk.add(home, facts, name=f"desk/{known_at:%Y-%m-%d}", now=known_at)
        refused = sum(part.refused for part in loaded)
        if refused:
            logging.getLogger(__name__).error(
                "the timeline refused %s facts of the desk: see the refused rows", refused
            )
        Outbox.objects.filter(pk__in=[one.pk for one in waiting]).update(published_at=timezone.now())
    return len(waiting)


def told(fact: Fact) -> dict[str, Any]:
    """Give a fact as its row keeps it."""
    return {name: _plain(value) for name, value in asdict(fact).items() if value not in (None, {})}


def fact_of(kept: Mapping[str, Any]) -> Fact:
    """Give the fact that a row keeps."""
    values = dict(kept)
    values |= {name: datetime.fromisoformat(values[name]) for name in INSTANTS if name in values}
    values |= {name: Decimal(values[name]) for name in NUMBERS if name in values}
    return Fact(**values)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    return dict(value) if isinstance(value, Mapping) else value
