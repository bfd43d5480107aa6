"""The log of decisions: one JSON line each, on disk before anybody is told that it is made."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from plait.delta import locked, sync, write_durably
from plait.failure import Misused, Said, Unfit
from plait.stewardship.decision import (
    ALLOW,
    APART,
    BLOCK,
    KINDS,
    LIMIT,
    MERGE,
    NOTHING_DECIDED,
    PART,
    UNDO,
    Decision,
    Decisions,
    Draft,
    Key,
    same_pair,
    scope_of,
)

FOLDER, FILE = "stewardship", "decisions.jsonl"
LONGEST_WHY = 500
ERASED = "erased"


class Contradiction(Unfit, ValueError):
    """A decision against another that is in force, or against what identity can do; the sentence says what to undo."""


class BadDecision(Misused, ValueError):
    """A decision that cannot be understood: who, why, keys of different sorts."""


class BrokenLog(Unfit, RuntimeError):
    """A log of decisions that somebody has changed by hand so that it cannot be read."""


def read_decisions(home: Path) -> Decisions:
    """Give all decisions of a home; a line that a power cut has torn was told nobody and is none."""
    path = home / FOLDER / FILE
    try:
        about = path.stat()
    except FileNotFoundError:
        return NOTHING_DECIDED
    return _read(path, about.st_mtime_ns, about.st_size)


@lru_cache(4)
def _read(path: Path, _changed: int, _size: int) -> Decisions:
    found: list[Decision] = []
    whole, _, _ = path.read_text("utf-8").rpartition("\n")
    for number, line in enumerate(whole.splitlines() if whole else (), 1):
        try:
            one = Decision.of(line)
        except (ValueError, TypeError, KeyError) as error:
            says = "line {n} of {file} is no decision: {error}; put back the copy of your backup."
            raise BrokenLog(Said(says, n=number, file=str(path), error=str(error))) from error
        if one.number != number:
            says = "line {n} of {file} has the number {number}; lines were removed or moved, put back your backup."
            raise BrokenLog(Said(says, n=number, file=str(path), number=one.number))
        found.append(one)
    return Decisions(tuple(found))


def decide(
    home: Path, drafts: Sequence[Draft], *, by: str, why: str, now: datetime, rule: bool = False
) -> list[Decision]:
    """Make decisions, durably and all together; one that contradicts another in force is refused with the reason.

    `now` is naive UTC. `rule` marks what matching decides by the firm's thresholds. What is decided in the very same
    way already is not decided twice: two people who press the same button make one decision, and both are given it.
    """
    by, why = by.strip(), why.strip()
    if not by or not why or len(why) > LONGEST_WHY:
        raise BadDecision(Said("a decision needs who makes it and why, in up to {most} letters.", most=LONGEST_WHY))
    with locked(home / "locks" / ".stewardship"):
        before = held = read_decisions(home)
        made: list[Decision] = []
        for draft in drafts:
            _check_shape(draft)
            one = _already(held, draft)
            if one is None:
                _check_against(held, draft)
                one = Decision(
                    number=len(held.all) + 1, at=now, by=by, why=why, kind=draft.kind, keys=draft.keys,
                    rest=draft.rest, most=draft.most, undoes=draft.undoes, rule=rule, evidence=draft.evidence,
                )  # fmt: skip
                held = Decisions((*held.all, one))
            made.append(one)
        _append(home / FOLDER / FILE, held.all[len(before.all) :])
    return made


def forget(home: Path, keys: Iterable[Key]) -> int:
    """Take the values of an erased person out of the log, in one step; gives how many decisions named them.

    Numbers stay. A decision that has lost a key holds nothing together any more: what it was about is gone.
    """
    gone, touched = set(keys), 0
    with locked(home / "locks" / ".stewardship"):
        lines = []
        for one in read_decisions(home).all:
            kept = _without(one, gone)
            touched += kept is not one
            lines.append(kept.line())
        if touched:
            write_durably(home / FOLDER / FILE, "".join(f"{line}\n" for line in lines))
    return touched


def _without(one: Decision, gone: set[Key]) -> Decision:
    if not gone & {*one.keys, *one.rest} and not any(value in text for _, value in gone for text in _texts(one)):
        return one
    left = tuple(key for key in one.keys if key not in gone)
    rest = tuple(key for key in one.rest if key not in gone)
    if one.kind in (MERGE, APART) and len(left) < 2:  # noqa: PLR2004 - a pair
        left = ()
    return replace(one, keys=left, rest=rest, why=ERASED, evidence={})


def _texts(one: Decision) -> list[str]:
    return [one.why, *one.evidence.values()]


def _append(path: Path, new: Sequence[Decision]) -> None:
    """Add lines, cutting off what a power cut has left of one, and wait until they are on disk."""
    if not new:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not (text := path.read_bytes()).endswith(b"\n"):
        os.truncate(path, text.rfind(b"\n") + 1)
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(f"{one.line()}\n" for one in new))
        file.flush()
        os.fsync(file.fileno())
    sync(path.parent)
    sync(path.parent.parent)


def _already(held: Decisions, draft: Draft) -> Decision | None:
    """Give the decision in force that says the same."""
    for one in held.in_force:
        if one.kind == draft.kind and same_pair(one.keys, draft.keys) and one.most == draft.most and draft.keys:
            return one
    return held.undone_by(draft.undoes) if draft.kind == UNDO and draft.undoes is not None else None


def _check_shape(draft: Draft) -> None:
    """Refuse a draft that no decision could be."""
    if draft.kind not in KINDS:
        raise BadDecision(Said("no decision {kind!r}; allowed: {kinds}.", kind=draft.kind, kinds=", ".join(KINDS)))
    if draft.kind == UNDO:
        return
    scopes = {scope_of(name) for name, _ in (*draft.keys, *draft.rest)}
    if len(scopes) > 1:
        raise BadDecision(Said("a person and a company are never one; give two people or two companies."))
    wanted = 2 if draft.kind in (MERGE, APART) else 1
    if len(set(draft.keys)) < wanted or (wanted == 2 and len(draft.keys) != wanted):  # noqa: PLR2004 - a pair
        raise BadDecision(Said("a {kind} needs {n} different keys.", kind=draft.kind, n=wanted))
    if draft.kind == PART and (not draft.rest or set(draft.keys) & set(draft.rest)):
        raise BadDecision(Said("to part keys from somebody, leave that somebody at least one other key."))
    if draft.kind == LIMIT and (draft.most is None or not 1 <= draft.most <= 1_000_000):  # noqa: PLR2004
        raise BadDecision(Said("a limit is a whole number from 1 to 1,000,000."))


def _check_against(held: Decisions, draft: Draft) -> None:
    """Refuse a draft that contradicts a decision in force; what follows over others is judged with identity at hand."""
    if draft.kind == UNDO:
        return _check_undo(held, draft.undoes)
    for one in held.in_force:
        if not _against(one, draft):
            continue
        says = "this contradicts decision {n} ({kind}, by {by}); undo that first: plait identity undo {n}."
        raise Contradiction(Said(says, n=one.number, kind=one.kind, by=one.by))
    return None


def _check_undo(held: Decisions, number: int | None) -> None:
    one = held.numbered(number or 0)
    if one is None:
        raise BadDecision(Said("there is no decision {n}; there are {all}.", n=number, all=len(held.all)))
    if one.kind == UNDO:
        says = "decision {n} took decision {other} back; decide that anew instead."
        raise Contradiction(Said(says, n=number, other=one.undoes))


def _against(one: Decision, draft: Draft) -> bool:
    """Tell whether a decision in force and a draft cannot both hold."""
    kinds = {one.kind, draft.kind}
    if kinds == {MERGE, APART}:
        return same_pair(one.keys, draft.keys)
    if kinds in ({MERGE, PART}, {MERGE}, {PART}) and PART in kinds:
        parted, other = (one, draft) if one.kind == PART else (draft, one)
        if other.kind == MERGE:
            return any(_on_both_sides(parted, pair) for pair in (other.keys, other.keys[::-1]))
        return False
    if kinds == {BLOCK, ALLOW}:
        return one.keys == draft.keys
    return kinds == {LIMIT} and one.keys[0][0] == draft.keys[0][0]


def _on_both_sides(parted: Decision | Draft, pair: Sequence[Key]) -> bool:
    return pair[0] in parted.keys and pair[1] in parted.rest


def as_json(decision: Decision) -> dict[str, object]:
    """Give a decision as programs read it."""
    told: dict[str, object] = json.loads(decision.line())
    return told
