"""Handing over: hand-offs for tests, and people who do something with them at random."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path

from plait.handoff.policy import Policy, read_policy, with_mode
from plait.handoff.reading import read_terms
from plait.handoff.state import (
    Change,
    HandOff,
    IncompleteAct,
    NotAllowedNow,
    Start,
    accept,
    allowed,
    assign,
    create,
    escalations_due,
    expire,
    pause,
    reject,
    resume,
    touch,
    withdraw,
)

CARD = {"contact": "Ada", "why_now": "asked for a price", "last_touch": "webinar"}


def at(text: str) -> datetime:
    """Read an instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


MONDAY = at("2026-11-23 09:00")  # 10 working minutes later: 09:10; the day has 480, with lunch from 12:30 to 13:30


def started(**changes: object) -> Start:
    """What a lead that marketing offers to sales is made from."""
    start = Start(type="lead", account="acme", key="crm-1", sent_by="mara@x.eu", captured_at=MONDAY, context=CARD,
                  value=Decimal(12000), currency="EUR")  # fmt: skip
    return replace(start, **changes)  # type: ignore[arg-type]


def two_policies() -> dict[int, Policy]:
    """Plait's own, and one under which marketing and sales become one team after two months."""
    own = read_policy(Path("/nowhere"))
    text = with_mode(own, ("marketing", "sales"), "one_team", MONDAY + timedelta(days=60))
    return {0: own, 1: replace(own, version=1, modes=read_terms(text, "UTC").modes)}


def played(steps: int, seed: int, policies: dict[int, Policy] | None = None) -> Iterator[tuple[int, Change]]:
    """Do something at random so many times, while clocks jump back, too; gives what was not refused."""
    chance, policies = random.Random(seed), policies or two_policies()  # noqa: S311 - to be repeated
    handoffs: dict[str, HandOff] = {}
    now = MONDAY
    for number in range(steps):
        now += timedelta(minutes=chance.choice((-60, 0, 1, 7, 45, 300)))
        policy = policies[1 if number > steps / 2 else 0]
        if not handoffs or chance.random() < 0.2:
            kind = chance.choice(list(policy.types))
            change = create(started(type=kind, key=str(number), owner="mia@x.eu"), policy, now=now)
        else:
            tried = _tried(chance, handoffs, policies, now)
            if tried is None:
                continue
            change = tried
        for one in filter(None, (change.handoff, change.successor)):
            handoffs[one.id] = one
        yield number, change


def _tried(
    chance: random.Random, handoffs: dict[str, HandOff], policies: dict[int, Policy], now: datetime
) -> Change | None:
    """Something that somebody does; None where it was refused, or did nothing."""
    handoff = chance.choice(list(islice(reversed(handoffs.values()), 40)))
    policy, who = policies[handoff.policy_version], chance.choice((handoff.assignee or "sol@x.eu", "sam@x.eu"))
    acts = {
        "assign": lambda: assign(handoff, policy, to=who, by="plait", now=now, fallback=chance.random() < 0.1),
        "touch": lambda: touch(handoff, policy, by=who, now=now, automatic=chance.random() < 0.2),
        "pause": lambda: pause(handoff, policy, by=who, why="waits", now=now),
        "resume": lambda: resume(handoff, policy, by=who, now=now),
        "accept": lambda: accept(handoff, policy, by=who, now=now),
        "reject": lambda: reject(handoff, policy, by=who, reason=chance.choice(list(policy.reasons)), now=now),
        "withdraw": lambda: withdraw(handoff, policy, by=who, now=now),
        "expire": lambda: expire(handoff, policy, now=now, latest=policies[1]),
        "escalate": lambda: escalations_due(handoff, policy, now=now),
    }
    act = chance.choice(list(acts))
    may = allowed(handoff, max(now, handoff.changed_at + timedelta(microseconds=1)))
    try:
        change = acts[act]()
    except NotAllowedNow:
        assert act not in may or act in ("touch", "expire"), (act, may)
        return None
    except IncompleteAct:
        return None
    assert act in may or act == "escalate", (act, may)
    return change if change.steps else None
