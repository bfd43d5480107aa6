"""A firm's policy of hand-offs: who hands what to whom, how soon it is answered, and what both sides owe.

A policy is data: a file in the home for each version, which never changes once it is there. A hand-off keeps the
version under which it was made, so a later policy or calendar never alters what was due before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from plait.failure import Misused, Unfit
from plait.working_time import Calendar

SEPARATE, JOINT, ONE_TEAM = MODES = ("separate", "joint", "one_team")
NURTURE, MERGE, REROUTE, DISQUALIFY, WITHDRAWN = TARGETS = ("nurture", "merge", "reroute", "disqualify", "withdrawn")
TAKEN_BACK = "withdrawn"  # the code of a reason, which every policy has: the sender withdrew it
UNREACHABLE = "unreachable"  # the code that is allowed only after the attempts that the type asks for


class BadPolicy(Unfit, ValueError):
    """A policy that says what cannot be done; `problems` has all of its mistakes."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class UnknownPolicy(Misused, LookupError):
    """A version of the policy that this home does not have."""


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
    attempt_days: int = 7
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
    stake. `to` are colleagues (addresses), of whom the one that was assigned least recently gets it.
    """

    name: str
    types: tuple[str, ...] = ()
    where: Mapping[str, tuple[str, ...]]
    at_least: Decimal | None = None
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One version of a firm's policy; `version` 0 is plait's own, which holds until a firm adopts one.

    `since` is the instant (aware UTC) from which facts start hand-offs: older ones make none; None starts none by
    rule. `calendars` has one for each department that receives. `text` is the file as it was given.
    """

    version: int
    by: str
    why: str
    at: datetime
    since: datetime | None
    types: Mapping[str, HandOffType]
    reasons: Mapping[str, Reason]
    calendars: Mapping[str, Calendar]
    modes: tuple[ModeRow, ...]
    routes: tuple[Route, ...]
    text: str

    def mode(self, sender: str, receiver: str, at: datetime) -> str:
        """Tell how two departments worked together at an instant; separately where nothing was agreed."""
        raise NotImplementedError

    def type(self, name: str) -> HandOffType:
        """Give a type by name, or raise `UnknownType` with those there are."""
        raise NotImplementedError

    def started_by(self, kind: str) -> tuple[HandOffType, ...]:
        """Give the types that a kind of fact starts."""
        raise NotImplementedError


def check_policy(text: str) -> tuple[str, ...]:
    """Give all problems of a policy's text; none when it can be adopted."""
    raise NotImplementedError


def read_policy(home: Path, version: int | None = None) -> Policy:
    """Read a version of the home's policy, the newest when none is named; plait's own before there is one."""
    raise NotImplementedError


def policies(home: Path) -> Mapping[int, Policy]:
    """Give all versions of the home's policy, plait's own (0) first."""
    raise NotImplementedError


def adopt_policy(home: Path, text: str, *, by: str, why: str, now: datetime) -> Policy:
    """Make a text the home's newest policy, durably; with problems it is refused, naming all of them (`BadPolicy`)."""
    raise NotImplementedError


def with_mode(policy: Policy, departments: tuple[str, str], mode: str, since: datetime) -> str:
    """Give the text of a policy to which one row is added: how two departments work together from an instant on."""
    raise NotImplementedError
