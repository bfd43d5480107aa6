"""What a firm's stage rules consist of: signals, stages with owners, and the order in which they are asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal, TypeAlias

from plait.failure import Said

SignalSort: TypeAlias = Literal["lasts", "latest", "runs", "ever"]


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that the facts of an account say at an instant, or do not.

    `lasts`: each fact of `kinds` keeps it up for `days` days; with `first` the first fact of all does too; after the
    end of a thing of the signal `cut_by` only later facts do. `latest`: the last fact of `kinds` came later than the
    last of `over`, within `days` where they are stated, after the last fact of the signal `newer_than` and not before
    the stage `after_leaving` was left. `runs`: of the things that `kinds` begin and `over` end, one is on. `ever`:
    there was a fact of `kinds` once.
    """

    name: str
    title: str
    sort: SignalSort
    kinds: tuple[str, ...]
    over: tuple[str, ...] = ()
    days: int | None = None
    first: bool = False
    cut_by: str | None = None
    newer_than: str | None = None
    after_leaving: str | None = None

    def called(self, title: str | None = None) -> str:
        """Give its title, or a translation of it, with the days that it stands for."""
        return (self.title if title is None else title).replace("{days}", str(self.days))

    def told(self) -> Said:
        """Say in a sentence what it looks at; the kinds stand apart, in `kinds` and `over`."""
        if self.sort == "lasts":
            return Said("each of these facts keeps it up for {days} days", days=self.days)
        if self.sort == "runs":
            return Said("one thing that these facts begin was not ended")
        if self.sort == "ever":
            return Said("there was one of these facts once")
        return Said("the last of these facts came after the last of those that take it back")


@dataclass(frozen=True, slots=True)
class Alternative:
    """One way to be in a stage: all of `all` hold, none of `none`, and the stage `left` was left before."""

    name: str
    all: tuple[str, ...] = ()
    none: tuple[str, ...] = ()
    left: str | None = None

    @property
    def always(self) -> bool:
        """Tell whether it asks for nothing."""
        return not (self.all or self.none or self.left)


@dataclass(frozen=True, slots=True)
class Owner:
    """Who answers for a stage in [since, until); None is open."""

    department: str
    person: str | None = None
    since: date | None = None
    until: date | None = None

    @property
    def called(self) -> str:
        """Name the person, or the department where no person is named."""
        return self.person or self.department


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of the cycle: when an account is in it, and who answers for it. Owners are in the order of time."""

    name: str
    title: str
    owners: tuple[Owner, ...]
    when: tuple[Alternative, ...]

    def owner_on(self, day: date) -> Owner:
        """Give the one owner of a day; rules that were read have exactly one for every day."""
        return next(owner for owner in reversed(self.owners) if owner.since is None or owner.since <= day)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A firm's stage rules. `stages` are in the order in which they are asked; the first that holds is the stage.

    `ring` names those of the cycle in its direction, `outside` the others.
    """

    lead: str
    ring: tuple[str, ...]
    outside: tuple[str, ...]
    signals: tuple[Signal, ...]
    stages: tuple[Stage, ...]
    text: str = field(compare=False, repr=False, default="")

    @property
    def order(self) -> tuple[str, ...]:
        """Name all stages in the order in which they are shown."""
        return *self.ring, *self.outside

    def code(self, name: str) -> int:
        """Give the number of a stage, its place in `order`."""
        return self.order.index(name)

    def stage(self, name: str) -> Stage:
        """Give a stage by name."""
        return next(stage for stage in self.stages if stage.name == name)

    def signal(self, name: str) -> Signal:
        """Give a signal by name."""
        return next(signal for signal in self.signals if signal.name == name)

    @property
    def alternatives(self) -> tuple[tuple[Stage, Alternative], ...]:
        """Give every way to be in a stage, in the order in which they are asked."""
        return tuple((stage, one) for stage in self.stages for one in stage.when)
