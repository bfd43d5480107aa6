"""Drift: what changed in the columns of an export since the last load, in words, and whether it may go on unasked.

A change asks where the contract, or the mapping, needs what changed: nothing is loaded until somebody accepts it. Any
other change is told and the load goes on. A drift never loses rows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import SequenceMatcher
from typing import Any

from plait.failure import Said, Unfit
from plait.sources.contract.seen import DAY, EMPTY, INSTANT, NUMBER, ORDERS, TEXT, UNSURE, WHOLE, WIDER, YES_NO, Seen

FEWEST = 3  # filled cells that a change of type needs before and after: fewer tell nothing of a column
ALIKE = 0.6
TOLD, OPEN, ACCEPTED = STATES = ("told", "open", "accepted")
NUMBERS, TIMES = (NUMBER, WHOLE), (DAY, INSTANT)
RENAMED = "column `{column}` is gone since {day}; renamed? `{other}` looks like it"
GONE = "column `{column}` is gone since {day}"
NEW = "new column `{column}` since {day}"
EMPTIED = "column `{column}` is empty since {day}; before {n} of {rows} rows had it"
BECAME = "column `{column}` became {now} on {day}; before it was {before} ({fits} of {filled} rows)"
REORDERED = "column `{column}` is written {order} since {day}; before it was {was}"
NAMES = {
    EMPTY: "empty", WHOLE: "a whole number", NUMBER: "a number", DAY: "a day", INSTANT: "an instant",
    YES_NO: "yes or no", TEXT: "text",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changed in a column: what it is, said with holes for what differs, and whether it asks."""

    column: str
    says: str
    values: Mapping[str, Any]
    asks: bool

    def words(self, day: str) -> Said:
        """Say it of a day."""
        values = {name: Said(value) if name in ("now", "before", "order", "was") else value
                  for name, value in self.values.items()}  # fmt: skip
        return Said(self.says, **values, column=self.column, day=day)

    def told(self) -> dict[str, object]:
        """Give it as JSON keeps it."""
        return {"column": self.column, "says": self.says, "values": dict(self.values), "asks": self.asks}


@dataclass(frozen=True, slots=True)
class Uses:
    """What a shape's columns are needed for: read as numbers or times, or needed at all."""

    numbers: frozenset[str] = frozenset()
    times: frozenset[str] = frozenset()
    needed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Drift:
    """What changed in a file against the last load of its shape: the changes, what was seen, and how it stands."""

    shape: str
    file: str
    on: date
    changes: tuple[Change, ...]
    seen: Mapping[str, Seen]
    state: str
    by: str = ""
    accepted_on: date | None = None

    @property
    def asks(self) -> bool:
        """Tell whether a load must not go on unasked."""
        return any(change.asks for change in self.changes)

    @property
    def key(self) -> str:
        """What makes it the same drift when the file comes again."""
        return json.dumps([self.shape, [change.told() for change in self.changes]], sort_keys=True)


class Drifted(Unfit, RuntimeError):
    """An export has changed where the contract or the mapping needs it; nothing was loaded."""

    def __init__(self, drifts: Sequence[Drift]) -> None:
        says = Said("the export has changed; nothing was loaded.")
        for drift in drifts:
            for change in sorted(drift.changes, key=lambda change: not change.asks):
                words = change.words(said_day(drift.on))
                says = Said("{above}\n- {file}: {problem}", above=says, file=drift.file, problem=words)
        super().__init__(
            Said(
                "{above}\nIf that is as it should be, load with --accept-drift, or accept it on the page Contracts and "
                "load again; else ask the owner of the source to mend the export.",
                above=says,
            )
        )
        self.drifts = tuple(drifts)


def said_day(day: date) -> str:
    """Write a day as people say it."""
    return f"{day.day} {day:%B} {day.year}"


def changes(before: Mapping[str, Seen], now: Mapping[str, Seen], uses: Uses) -> tuple[Change, ...]:
    """Name what changed between two looks at the columns of a shape."""
    gone, new = [name for name in before if name not in now], [name for name in now if name not in before]
    found = []
    for name in gone:
        other = _renamed(name, before[name], {one: now[one] for one in new})
        asks = name in uses.needed | uses.numbers | uses.times
        if other:
            new.remove(other)
            found.append(Change(name, RENAMED, {"other": other}, asks))
        else:
            found.append(Change(name, GONE, {}, asks))
    found += [Change(name, NEW, {}, asks=False) for name in new]
    for name, was in before.items():
        if name in now and (change := _changed(name, was, now[name], uses)):
            found.append(change)
    return tuple(found)


def _changed(name: str, was: Seen, now: Seen, uses: Uses) -> Change | None:
    """Tell how a column that is still there has changed."""
    if now.filled < FEWEST or was.filled < FEWEST:
        if now.type == EMPTY and was.filled >= FEWEST and now.rows >= FEWEST:
            asks = name in uses.needed
            return Change(name, EMPTIED,
                          {"n": was.filled, "rows": was.rows}, asks)  # fmt: skip
        return None
    if was.type != now.type and now.type not in _narrower(was.type):
        values = {"now": NAMES[now.type], "before": NAMES[was.type], "fits": was.fit(was.type), "filled": was.filled}
        typed = (name in uses.numbers and was.type in NUMBERS) or (name in uses.times and was.type in TIMES)
        unfit = now.fit(NUMBER if was.type == WHOLE else INSTANT if was.type == DAY else was.type) * 2 < now.filled
        return Change(name, BECAME, values, asks=typed and unfit)
    if now.order and was.order and now.order != was.order and UNSURE not in (now.order, was.order):
        return Change(name, REORDERED, {"order": now.order, "was": was.order}, asks=name in uses.times)
    return None


def _narrower(kind: str) -> tuple[str, ...]:
    """Give the types whose values all fit a type: a number that happens to be whole is no change."""
    return tuple(narrow for narrow, wide in WIDER.items() if kind in wide and kind != TEXT)


def _renamed(name: str, was: Seen, new: Mapping[str, Seen]) -> str:
    """Give the new column that a gone one may have become: a name like it and cells that fit."""
    plain = _plain(name)
    best, likeness = "", ALIKE
    for other, seen in new.items():
        there = _plain(other)
        held = bool(plain and there) and (plain in there or there in plain)
        ratio = max(SequenceMatcher(None, plain, there).ratio(), 0.9 if held else 0)
        if ratio > likeness and (EMPTY in (was.type, seen.type) or seen.fit(was.type) * 2 >= seen.filled):
            best, likeness = other, ratio
    return best


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


def changes_of(told: Sequence[Mapping[str, Any]]) -> tuple[Change, ...]:
    """Give the changes that `Change.told` has told."""
    return tuple(Change(one["column"], one["says"], one["values"], one["asks"]) for one in told)


def texts() -> Iterator[str]:
    """Give the English texts that say a change, so that every language has them."""
    yield from (RENAMED, GONE, NEW, EMPTIED, BECAME, REORDERED)
    yield from NAMES.values()
    yield from ORDERS
