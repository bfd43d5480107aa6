"""Routing: which colleague of the receiving department gets a hand-off, and why nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from plait.handoff.policy import Policy
from plait.handoff.state import HandOff


@dataclass(frozen=True, slots=True, kw_only=True)
class Colleague:
    """Somebody who may get hand-offs.

    `name` is the address by which people sign in; `active` is False for a leaver; `away_until` is the last day of an
    absence that holds now; `capacity` how many open hand-offs somebody takes, None without bound; `open` how many there
    are; `last_assigned_at` when the last one came.
    """

    name: str
    department: str
    active: bool = True
    away_until: date | None = None
    capacity: int | None = None
    open: int = 0
    last_assigned_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who gets a hand-off and why: `passed_over` says of each colleague before why not.

    `assignee` is None where nobody is left, not even the fallback; `fallback` tells that it goes to the fallback, which
    is worth an alert.
    """

    assignee: str | None
    because: str
    passed_over: tuple[str, ...] = ()
    fallback: bool = False


def route(
    handoff: HandOff,
    policy: Policy,
    colleagues: Sequence[Colleague],
    *,
    owner: str | None = None,
    head: str | None = None,
) -> Assignment:
    """Find who gets a hand-off: the first rule that fits, then the account's owner, then who was served longest ago.

    Who has left, is away or has no room is passed over; where nobody is left it goes to the type's fallback, or to the
    `head` of the receiving department where the type names none.
    """
    raise NotImplementedError
