"""Score rules: which facts give an account points, how the points fade, and from where it counts as qualified.

Fit says whether an account is the kind we sell to: traits that do not fade. Engagement says whether its people act:
points that halve every so many days, at most so many from a group of rules, a person and three persons together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from plait.facts import KINDS, SPEND, WORK

NANO = 1_000_000_000  # points are added up in whole billionths: exact, in any order, on any engine
LETTERS = ("A", "B", "C", "D")
COLUMNS = ("channel", "campaign", "partner", "product", "text")
MACHINES = ("message.opened",)  # what machines do unasked: never counted alone
OURS = (
    "message.sent", "invoice.issued", "payment.refunded", "ticket.changed", "ticket.resolved", "trial.ended",
    "deal.changed",
)  # fmt: skip
COUNTED = tuple(kind.name for kind in KINDS.values() if kind.stage not in (SPEND, WORK) and kind.name not in OURS)
"""The kinds that engagement may count: what customers do. Our own acts are none of theirs."""

Repeat = Literal["each", "day", "once"]


@dataclass(frozen=True, slots=True)
class Where:
    """Which facts a rule is about: those whose field has such a value. Without a field it is all of them.

    The field is a `column` of the fact or a key of its `detail`; texts are compared without regard to case.
    """

    column: str = ""
    detail: str = ""
    one_of: tuple[str, ...] = ()
    contains: tuple[str, ...] = ()
    at_least: float | None = None
    below: float | None = None

    @property
    def field(self) -> str:
        """The name of the field, empty where any fact will do."""
        return self.column or self.detail


@dataclass(frozen=True, slots=True)
class TraitRule:
    """What a trait's value is worth."""

    points: float
    where: Where


@dataclass(frozen=True, slots=True)
class Trait:
    """Something that an account is: the last value that its facts tell; the first rule that fits gives the points."""

    name: str
    kinds: tuple[str, ...]
    rules: tuple[TraitRule, ...]

    @property
    def field(self) -> Where:
        """The field that all its rules look at."""
        return self.rules[0].where


@dataclass(frozen=True, slots=True)
class Group:
    """Rules whose points fade alike and are counted up to `cap`; `weak` ones only as far as others bear them out."""

    name: str
    half_life_days: float
    cap: float
    weak: bool = False


@dataclass(frozen=True, slots=True)
class ActRule:
    """Something that a person does: of the rules that fit a fact the first counts.

    `repeat`: `each` fact counts, the first of a local `day`, or the first ever (`once`), by person.
    """

    name: str
    group: str
    kinds: tuple[str, ...]
    points: float
    repeat: Repeat
    where: Where


@dataclass(frozen=True, slots=True)
class Rules:
    """A version of the score rules. `grid` are the points from which a letter or a number is given, the best first.

    An account is qualified from `threshold` on and stays so until it falls below `leave` times it.
    """

    number: int
    title: str
    traits: tuple[Trait, ...]
    fit_grid: tuple[float, float, float]
    groups: tuple[Group, ...]
    acts: tuple[ActRule, ...]
    engagement_grid: tuple[float, float, float]
    threshold: float
    leave: float = 0.8
    top: int = 3
    person_cap: float = 0.5

    @property
    def leaves_below(self) -> float:
        """The points below which a qualified account no longer is."""
        return self.leave * self.threshold

    @property
    def most_a_person(self) -> float:
        """The points that one person can bring at most."""
        return self.person_cap * self.threshold

    def cell(self, fit: float, engagement: float) -> str:
        """Give the cell of the grid: A1 is the best, D4 the rest."""
        letter = sum(fit < least for least in self.fit_grid)
        number = sum(engagement < least for least in self.engagement_grid)
        return f"{LETTERS[letter]}{number + 1}"


@dataclass(frozen=True, slots=True)
class Kept:
    """A version of the rules as a home keeps it: its text, who adopted it, when and why."""

    rules: Rules
    text: str
    by: str = ""
    at: datetime | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Scoring:
    """All that a home scores by: every version of its rules, and the model of chance in force."""

    versions: Mapping[int, Kept]
    model: Mapping[str, object] | None = None

    @property
    def newest(self) -> Rules:
        """The rules in force."""
        return self.versions[max(self.versions)].rules

    @property
    def key(self) -> tuple[int, int]:
        """All that answers depend on: a version is never changed."""
        return max(self.versions), int(str(self.model["number"])) if self.model else 0
