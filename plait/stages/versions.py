"""The versions of a home's stage rules: each is written once and never changed, with who adopted it, when and why."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from plait.delta import locked, sync, write_durably
from plait.failure import Said, Unfit
from plait.stages.reading import read_rules, shipped
from plait.stages.rule import RuleSet

FOLDER = "lifecycle"
LONGEST_WHY = 500


class Unfounded(Unfit, ValueError):
    """Rules that nobody stands for, or that are those which hold already."""


@dataclass(frozen=True, slots=True)
class Version:
    """Stage rules and how they came to hold: who adopted them, why, and when (naive UTC); 0 are those of plait."""

    number: int
    rules: RuleSet
    by: str = ""
    why: str = ""
    adopted_at: datetime | None = None


def read_versions(home: Path) -> tuple[Version, ...]:
    """Give all versions of a home's rules, the oldest first; the last one holds."""
    found = [Version(0, shipped())]
    while (path := _path(home, len(found))).exists():
        about = json.loads(path.with_suffix(".json").read_text("utf-8"))
        adopted_at = datetime.fromisoformat(about["adopted_at"])
        rules = read_rules(path.read_text("utf-8"))
        found.append(Version(len(found), rules, about["by"], about["why"], adopted_at))
    return tuple(found)


def keep_version(home: Path, text: str, *, by: str, why: str, now: datetime) -> Version:
    """Make rules hold from now on, durably; rules that are unfit or change nothing are refused."""
    rules, by, why = read_rules(text), by.strip(), why.strip()
    if not by or not why or len(why) > LONGEST_WHY:
        says = "a version of the rules needs who adopts it and why, in up to {most} letters."
        raise Unfounded(Said(says, most=LONGEST_WHY))
    with locked(home / "locks" / ".lifecycle"):
        versions = read_versions(home)
        if versions[-1].rules == rules:
            raise Unfounded(Said("these are the rules that hold already (version {n}).", n=versions[-1].number))
        path = _path(home, len(versions))
        path.parent.mkdir(parents=True, exist_ok=True)
        about = {"by": by, "why": why, "adopted_at": now.isoformat()}
        write_durably(path.with_suffix(".json"), json.dumps(about, indent=1))  # a version is there once its rules are
        write_durably(path, text)
        sync(path.parent.parent)
    return Version(len(versions), rules, by, why, now)


def _path(home: Path, number: int) -> Path:
    return home / FOLDER / f"{number:04}.toml"
