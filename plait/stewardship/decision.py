"""What a decision about identity is, and which of them are in force."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from plait.facts import is_account_key

MERGE, PART, APART, BLOCK, ALLOW, LIMIT, UNDO = KINDS = ("merge", "part", "apart", "block", "allow", "limit", "undo")
DECIDED = "plait.decisions"  # what the derived tables remember of the decisions that they were made by
Key = tuple[str, str]  # the name of an identifier, such as email or account.crm, and its value


def scope_of(name: str) -> str:
    """Tell whether an identifier names a company or a person: `account` or `person`."""
    return "account" if is_account_key(name) else "person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What somebody wants to decide.

    `merge`, `apart`: the two `keys` are one, or are reviewed and not one. `part`: the `keys` are somebody apart from
    `rest`, the other keys of the one they were. `block`, `allow`: of one key. `limit`: `most` for the identifiers of
    the name `keys[0][0]`. `undo`: the decision with the number `undoes`. `evidence` is what it rests on, as texts.
    """

    kind: str
    keys: tuple[Key, ...] = ()
    rest: tuple[Key, ...] = ()
    most: int | None = None
    undoes: int | None = None
    evidence: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided, with its number, who decided it, why and when (naive UTC). `rule` marks one by matching."""

    number: int
    at: datetime
    by: str
    why: str
    kind: str
    keys: tuple[Key, ...] = ()
    rest: tuple[Key, ...] = ()
    most: int | None = None
    undoes: int | None = None
    rule: bool = False
    evidence: Mapping[str, str] = field(default_factory=dict)

    @property
    def scope(self) -> str:
        """Tell whether it is about companies or people, empty for an undo."""
        return scope_of(self.keys[0][0]) if self.keys else ""

    def line(self) -> str:
        """Give it as the log keeps it."""
        told = {
            "number": self.number, "at": self.at.isoformat(), "by": self.by, "why": self.why, "kind": self.kind,
            "keys": self.keys, "rest": self.rest, "most": self.most, "undoes": self.undoes, "rule": self.rule,
            "evidence": dict(self.evidence),
        }  # fmt: skip
        return json.dumps({name: value for name, value in told.items() if value or name == "number"})

    @classmethod
    def of(cls, line: str) -> Decision:
        """Read it from a line of the log."""
        told = json.loads(line)
        for name in ("keys", "rest"):
            told[name] = tuple((key, value) for key, value in told.get(name, ()))
        return cls(**{"by": "", "why": "", **told, "at": datetime.fromisoformat(told["at"])})


@dataclass(frozen=True)
class Decisions:
    """All decisions of a home in the order in which they were made."""

    all: tuple[Decision, ...] = ()

    @cached_property
    def in_force(self) -> tuple[Decision, ...]:
        """Give those that nobody has taken back."""
        undone = {one.undoes for one in self.all}
        return tuple(one for one in self.all if one.kind != UNDO and one.number not in undone)

    @cached_property
    def stamp(self) -> str:
        """Give what changes when what is in force does; empty where nothing is."""
        if not self.in_force:
            return ""
        told = [(one.kind, one.keys, one.rest, one.most, one.rule) for one in self.in_force]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]

    def of(self, kind: str) -> list[Decision]:
        """Give those of a kind that are in force."""
        return [one for one in self.in_force if one.kind == kind]

    def numbered(self, number: int) -> Decision | None:
        """Give the decision with a number, taken back or not."""
        return self.all[number - 1] if 0 < number <= len(self.all) else None

    def undone_by(self, number: int) -> Decision | None:
        """Give the decision that took another back."""
        return next((one for one in self.all if one.undoes == number), None)

    def verdicts(self) -> Mapping[Key, str]:
        """Give the values that are blocked or allowed, with which of both."""
        return {one.keys[0]: one.kind for one in self.in_force if one.kind in (BLOCK, ALLOW) and one.keys}

    def limits(self) -> Mapping[str, int]:
        """Give the limits that are not those of plait, by the identifiers' name."""
        return {one.keys[0][0]: one.most for one in self.in_force if one.kind == LIMIT and one.most is not None}

    def until(self, number: int) -> Decisions:
        """Give what had been decided once the decision with a number was."""
        return Decisions(self.all[:number])


NOTHING_DECIDED = Decisions()


def same_pair(one: Sequence[Key], other: Sequence[Key]) -> bool:
    """Tell whether two pairs of keys are the same, in whichever order."""
    return set(one) == set(other)
