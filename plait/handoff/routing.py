"""Routing: which colleague of the receiving department gets a hand-off, and why nobody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from plait.failure import Said
from plait.handoff.record import HandOff
from plait.handoff.terms import Policy, Route

LONG_AGO = datetime(1970, 1, 2, tzinfo=UTC)


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

    Somebody without room is passed over. Where those whom a rule or the account names have left or are away, and where
    nobody of the department is left, it goes to the type's fallback, or to the `head` of the receiving department, and
    `fallback` is told, which is worth an alert.
    """
    return _Search({one.name: one for one in colleagues}).find(handoff, policy, owner, head)


@dataclass(slots=True)
class _Search:
    """Those who were passed over so far, while somebody is looked for."""

    known: Mapping[str, Colleague]
    passed_over: list[str] = field(default_factory=list)

    def find(self, handoff: HandOff, policy: Policy, owner: str | None, head: str | None) -> Assignment:
        """Look in the order of the policy."""
        rule = next((rule for rule in policy.routes if _fits(rule, handoff)), None)
        if rule and (found := self._first(rule.to)):
            return self._given(found, Said("rule {rule!r}", rule=rule.name))
        if rule and not any(self._here(name) for name in rule.to):
            return self._fall_back(handoff, policy, head, Said("nobody of the rule {rule!r} is there", rule=rule.name))
        if owner and (found := self._first((owner,))):
            return self._given(found, Said("owner of the account"))
        if owner and not self._here(owner):
            return self._fall_back(handoff, policy, head, Said("the account's owner {name} is not there", name=owner))
        named = {*(rule.to if rule else ()), owner}
        team = [one.name for one in self.known.values() if one.department == handoff.receiver and one.name not in named]
        if found := self._first(team):
            return self._given(found, Said("served longest ago in {department}", department=handoff.receiver))
        nobody = Said("nobody of {department} is there with room for it", department=handoff.receiver)
        return self._fall_back(handoff, policy, head, nobody)

    def _first(self, names: Sequence[str]) -> str | None:
        """Give the one of these who was served longest ago, noting why others cannot have it."""
        fit = []
        for name in names:
            if why := _why_not(self.known.get(name)):
                self.passed_over.append(Said("{name}: {why}", name=name, why=why))
            else:
                fit.append(self.known[name])
        first = min(fit, key=lambda one: (one.last_assigned_at or LONG_AGO, one.name), default=None)
        return first.name if first else None

    def _here(self, name: str) -> bool:
        one = self.known.get(name)
        return one is not None and one.active and one.away_until is None

    def _fall_back(self, handoff: HandOff, policy: Policy, head: str | None, because: str) -> Assignment:
        """Give it to the fallback: not even room is asked for, but somebody must be there."""
        for name in (policy.type(handoff.type).fallback, head):
            if name and self._here(name):
                return self._given(name, Said("fallback: {why}", why=because), fallback=True)
            if name:
                why = _why_not(self.known.get(name)) or ""
                self.passed_over.append(Said("{name}: {why}", name=name, why=why))
        return self._given(None, Said("nobody, not even a fallback: {why}", why=because), fallback=True)

    def _given(self, name: str | None, because: str, *, fallback: bool = False) -> Assignment:
        return Assignment(name, because, tuple(dict.fromkeys(self.passed_over)), fallback)


def _fits(rule: Route, handoff: HandOff) -> bool:
    """Tell whether a rule speaks of this hand-off; a value that nobody knows is not large enough for any."""
    if rule.types and handoff.type not in rule.types:
        return False
    if rule.at_least is not None and (handoff.value is None or handoff.value < rule.at_least):
        return False
    return all(
        handoff.context.get(name, "").strip().lower() in {text.lower() for text in texts}
        for name, texts in rule.where.items()
    )


def _why_not(one: Colleague | None) -> str | None:
    """Say why somebody cannot get a hand-off; None when nothing stands against it."""
    if one is None:
        return Said("nobody of this name has an account here")
    if not one.active:
        return Said("has left")
    if one.away_until is not None:
        return Said("is away until {day}", day=one.away_until.isoformat())
    if one.capacity is not None and one.open >= one.capacity:
        return Said("has {open} open hand-offs, and room for {capacity}", open=one.open, capacity=one.capacity)
    return None
