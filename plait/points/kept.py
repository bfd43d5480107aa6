"""What a home keeps of scoring: versions of the rules, never changed, and models of chance with their proof."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path

from plait.delta import locked, write_durably
from plait.facts import Fact
from plait.failure import Said, Unfit
from plait.points.reading import BadRules, read_rules
from plait.points.rules import Kept, Rules, Scoring
from plait.settings import Settings

FOLDER, ACTIVE, MODELS = "scores", "active.json", "model-*.json"


class NoVersion(Unfit, LookupError):
    """A version of the rules or a model that the home does not keep."""


@cache
def default() -> Kept:
    """Give the rules to begin with, version 0."""
    text = files("plait.points").joinpath("default.toml").read_text("utf-8")
    return Kept(read_rules(text, 0), text, "plait")


@cache
def beginning() -> Scoring:
    """Give what a home scores by that has adopted nothing."""
    return Scoring({0: default()})


def read_scoring(home: Path) -> Scoring:
    """Read what a home scores by."""
    folder = home / FOLDER
    if not folder.is_dir():
        return beginning()
    kept = {int(path.stem): _read(path) for path in sorted(folder.glob("[0-9]*.toml"))}
    number = _active(folder)
    model = read_model(home, number) if number else None
    return Scoring({0: default(), **kept}, model)


def rules_of(scoring: Scoring, number: int | None) -> Rules:
    """Give a version of the rules; None is the one in force."""
    if number is None:
        return scoring.newest
    if number not in scoring.versions:
        known = ", ".join(map(str, sorted(scoring.versions)))
        raise NoVersion(Said("there is no version {n} of the score rules; there are: {known}.", n=number, known=known))
    return scoring.versions[number].rules


def adopt(home: Path, text: str, *, by: str, why: str, at: datetime) -> Kept:
    """Keep a new version of the rules, which is in force from now on; what is wrong with it is refused."""
    by, why = by.strip(), why.strip()
    missing = [name for name, given in (("by", by), ("why", why)) if not given]
    if missing:
        raise BadRules([Said("Say who adopts the rules and why; {name} is empty.", name=name) for name in missing])
    folder = home / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    newest = read_scoring(home)
    if newest.versions[max(newest.versions)].text.strip() == text.strip():
        raise BadRules([Said("These are the rules in force; there is nothing to adopt.")])
    with locked(home / "locks" / ".scores"):
        number = max((int(path.stem) for path in folder.glob("[0-9]*.toml")), default=0) + 1
        rules = read_rules(text, number)
        told = {"by": by, "why": why, "at": at.astimezone(UTC).isoformat()}
        write_durably(folder / f"{number:04}.json", json.dumps(told))  # first: a version is there when its rules are
        write_durably(folder / f"{number:04}.toml", text)
    return Kept(rules, text, by, at, why)


def told(home: Path, settings: Settings, now: datetime) -> Iterator[Fact]:
    """Give the fact of every version of the rules, dated as people act in the home; told again it is the same fact."""
    for number, one in sorted(read_scoring(home).versions.items()):
        if one.at is not None:
            yield Fact(
                source="desk", id=f"score-rules-{number}", kind="lifecycle.changed",
                occurred_at=settings.present(one.at).replace(tzinfo=UTC), recorded_at=now, owner=one.by,
                text=f"score rules, version {number}: {one.why}",
            )  # fmt: skip


def keep_model(home: Path, told: Mapping[str, object]) -> int:
    """Keep a trained model with its proof; gives its number. It is not in force until somebody activates it."""
    folder = home / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with locked(home / "locks" / ".scores"):
        number = max(_numbers(folder), default=0) + 1
        write_durably(folder / f"model-{number:04}.json", json.dumps({**told, "number": number}))
    return number


def models(home: Path) -> list[Mapping[str, object]]:
    """Give the models that a home keeps, the newest first."""
    return [read_model(home, number) for number in sorted(_numbers(home / FOLDER), reverse=True)]


def read_model(home: Path, number: int) -> Mapping[str, object]:
    """Give a model with its proof."""
    path = home / FOLDER / f"model-{number:04}.json"
    if not path.exists():
        known = ", ".join(map(str, sorted(_numbers(home / FOLDER)))) or Said("none")
        raise NoVersion(Said("there is no model {n}; there are: {known}.", n=number, known=known))
    told: Mapping[str, object] = json.loads(path.read_text("utf-8"))
    return told


def put_in_force(home: Path, number: int | None, *, by: str, at: datetime) -> None:
    """Put a model in force, or none. Whether it may be is for the caller to have asked."""
    if number is not None:
        read_model(home, number)
    told = {"number": number, "by": by, "at": at.astimezone(UTC).isoformat()}
    (home / FOLDER).mkdir(parents=True, exist_ok=True)
    write_durably(home / FOLDER / ACTIVE, json.dumps(told))


def stamp(home: Path) -> int:
    """Give what changes when the rules or the model in force do."""
    folder = home / FOLDER
    return folder.stat().st_mtime_ns if folder.is_dir() else 0


def _read(path: Path) -> Kept:
    beside = path.with_suffix(".json")
    told = json.loads(beside.read_text("utf-8")) if beside.exists() else {}
    at = datetime.fromisoformat(told["at"]) if "at" in told else None
    text = path.read_text("utf-8")
    try:
        rules = read_rules(text, int(path.stem))
    except BadRules as error:  # somebody edited the file of a version, or a newer plait wrote it
        says = "{file} cannot be read: {because} Versions are never edited: restore it, or take it away."
        raise BadRules([Said(says, file=str(path), because=error.args[0])]) from error
    return Kept(rules, text, str(told.get("by", "")), at, str(told.get("why", "")))


def _active(folder: Path) -> int | None:
    path = folder / ACTIVE
    number = json.loads(path.read_text("utf-8")).get("number") if path.exists() else None
    return int(number) if number else None


def _numbers(folder: Path) -> list[int]:
    return [int(path.stem.removeprefix("model-")) for path in folder.glob(MODELS)]
