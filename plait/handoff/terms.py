"""What a policy of hand-offs says: types, reasons, calendars, modes of working together and routing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from plait.facts import nearest
from plait.failure import Misused, Said, Unfit
from plait.working_time import Calendar

SEPARATE, JOINT, ONE_TEAM = MODES = ("separate", "joint", "one_team")
NURTURE, MERGE, REROUTE, DISQUALIFY, WITHDRAWN = TARGETS = ("nurture", "merge", "reroute", "disqualify", "withdrawn")
TAKEN_BACK = "withdrawn"  # the code of a reason, which every policy has: the sender withdrew it
UNREACHABLE = "unreachable"  # the code that is allowed only after the attempts that the type asks for


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a policy: where, what, and what to do next."""

    where: str
    says: Said

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.where}: {self.says}"


class BadPolicy(Unfit, ValueError):
    """A policy that says what cannot be done; `problems` has everything that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        listed = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(
            Said(
                "this policy of hand-offs will not do; nothing was changed. Problems: {n}\n{listed}",
                n=len(problems), listed=listed,
            )
        )  # fmt: skip


class UnknownType(Misused, LookupError):
    """A type of hand-off that the policy does not name."""


class UnknownReason(Misused, LookupError):
    """A reason that the policy does not name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOffType:
    """One kind of hand-off between two departments.

    `starts` are the kinds of facts that start one; `required` the fields of the context card that the next owner
    cannot do without. The receiver owes an answer within `answer_minutes` and a touch within `touch_minutes`, both of
    its working time; somebody is unreachable after `attempts` touches within `attempt_days`. `escalate` are the
    percents of the time to answer at which somebody is told. `fallback` is the colleague (address) whose hand-off it
    becomes when nobody answered, empty for the head of the receiving department. `tells` maps "accepted" and the
    targets of reasons to the kind of fact that they are for the account's stage. The sender owes `volume` hand-offs a
    month, of which `completeness` is the share of required fields filled in on average, and `acceptance` the share that
    is accepted; None where nothing is owed.
    """

    name: str
    title: str
    sender: str
    receiver: str
    starts: tuple[str, ...]
    required: tuple[str, ...]
    answer_minutes: int
    touch_minutes: int
    attempts: int = 1
    attempt_days: int = 14
    escalate: tuple[int, ...] = (50, 80, 100)
    fallback: str = ""
    tells: Mapping[str, str]
    volume: int | None = None
    completeness: float | None = None
    acceptance: float | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a hand-off is refused, and what becomes of the account: `target` is one of `TARGETS`.

    `delay_days` is after how many days it wakes again; None where it does not.
    """

    code: str
    title: str
    target: str
    delay_days: int | None = None


@dataclass(frozen=True, slots=True)
class ModeRow:
    """How two departments work together since an instant (aware UTC): one of `MODES`."""

    departments: frozenset[str]
    mode: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A rule of routing: hand-offs of these types whose context card says one of these texts go to `to`.

    `types` empty means all; `where` maps fields of the card to the texts allowed; `at_least` is the least value at
    stake, in its own currency. `to` are colleagues (addresses), of whom the one served longest ago gets it.
    """

    name: str
    types: tuple[str, ...] = ()
    where: Mapping[str, tuple[str, ...]]
    at_least: Decimal | None = None
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a policy says; `since` is the instant from which facts start hand-offs by themselves, None for never.

    `calendars` has one for each department that receives.
    """

    since: datetime | None
    types: Mapping[str, HandOffType]
    reasons: Mapping[str, Reason]
    calendars: Mapping[str, Calendar]
    modes: tuple[ModeRow, ...]
    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy(Terms):
    """One version of a firm's policy; `version` 0 is plait's own, which holds until a firm adopts one.

    `text` is the file as it was given; `by`, `why` and `at` (aware UTC) tell who adopted it.
    """

    version: int
    by: str
    why: str
    at: datetime
    text: str

    def mode(self, sender: str, receiver: str, at: datetime) -> str:
        """Tell how two departments worked together at an instant; separately where nothing was agreed."""
        pair = frozenset((sender, receiver))
        rows = [row for row in self.modes if row.departments == pair and row.since <= at]
        return max(rows, key=lambda row: row.since).mode if rows else SEPARATE

    def type(self, name: str) -> HandOffType:
        """Give a type by name, or raise `UnknownType` with those there are."""
        if name in self.types:
            return self.types[name]
        raise UnknownType(
            Said(
                "no type of hand-off {name!r}; {hint}version {version} of the policy has: {known}.",
                name=name, hint=nearest(name, list(self.types)), version=self.version, known=", ".join(self.types),
            )
        )  # fmt: skip

    def reason(self, code: str) -> Reason:
        """Give a reason by its code, or raise `UnknownReason` with those there are."""
        if code in self.reasons:
            return self.reasons[code]
        raise UnknownReason(
            Said(
                "no reason {code!r}; {hint}version {version} of the policy has: {known}.",
                code=code, hint=nearest(code, list(self.reasons)), version=self.version, known=", ".join(self.reasons),
            )
        )  # fmt: skip

    def started_by(self, kind: str) -> tuple[HandOffType, ...]:
        """Give the types that a kind of fact starts."""
        return tuple(one for one in self.types.values() if kind in one.starts)
