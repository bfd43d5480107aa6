"""A home's contracts: the versions that were adopted, what was seen of each source's columns, and its drifts.

Everything lies below `contracts/<source>/`: small files, each written whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from plait.delta import locked, sync, write_durably
from plait.facts import SOURCE_NAME, nearest
from plait.failure import Said, Unfit
from plait.sources.contract.drift import ACCEPTED, OPEN, TOLD, Drift, changes_of
from plait.sources.contract.form import IN_FORCE, BadContract, Contract
from plait.sources.contract.reading import read_contract
from plait.sources.contract.seen import Seen

FOLDER = "contracts"
LONGEST_WHY = 500
MOST_DRIFTS = 200  # of a source: what is older is forgotten
Variants = list[dict[str, Seen]]


class Unfounded(Unfit, ValueError):
    """A contract that nobody stands for, or that holds already."""


class NoContract(Unfit, LookupError):
    """A source, or a version, that a home has no contract of."""


@dataclass(frozen=True, slots=True)
class Version:
    """A contract as it was adopted: the how many-th of its source, by whom, why and when (naive UTC)."""

    number: int
    contract: Contract
    by: str
    why: str
    adopted_at: datetime


def folder_of(home: Path, source: str) -> Path:
    """Give the folder of a source."""
    if not SOURCE_NAME.fullmatch(source):
        raise NoContract(Said("{name!r} is no source name: lower case letters, digits and underscores.", name=source))
    return home / FOLDER / source


def sources(home: Path) -> list[str]:
    """Name the sources of which something is kept."""
    folder = home / FOLDER
    return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.exists() else []


def read_versions(home: Path, source: str) -> tuple[Version, ...]:
    """Give the versions of a source's contract, the oldest first; the last one holds."""
    found: list[Version] = []
    while (path := _path(home, source, len(found) + 1)).exists():
        about = json.loads(path.with_suffix(".json").read_text("utf-8"))
        contract = read_contract(path.read_text("utf-8"), path.name)
        at = datetime.fromisoformat(about["adopted_at"])
        found.append(Version(len(found) + 1, contract, about["by"], about["why"], at))
    return tuple(found)


def version_of(home: Path, source: str, number: int | None = None) -> Version:
    """Give a version, or the last one."""
    versions = read_versions(home, source)
    if not versions:
        hint = nearest(source, [name for name in sources(home) if read_versions(home, name)])
        raise NoContract(
            Said("source {name!r} has no contract; {hint}`plait contract propose` writes one.", name=source, hint=hint)
        )
    if number is not None and not 1 <= number <= len(versions):
        raise NoContract(Said("there is no version {n}; allowed: 1 to {most}.", n=number, most=len(versions)))
    return versions[(number or len(versions)) - 1]


def in_force(home: Path, source: str) -> Version | None:
    """Give the version by which loads of a source are judged, if there is one."""
    last = _last(home, source)
    if last is None:
        return None
    version = read_versions(home, source)[-1]
    return version if version.contract.in_force else None


def adopt(home: Path, text: str, *, by: str, why: str, now: datetime) -> Version:
    """Make a contract hold from `now` on (with its zone), durably; one that is unfit or changes nothing is refused."""
    at = now.astimezone(UTC).replace(tzinfo=None)
    contract, by, why = read_contract(text), by.strip(), why.strip()
    if contract.status not in (*IN_FORCE, "retired"):
        allowed = ", ".join((*IN_FORCE, "retired"))
        says = Said("the status is {status}; one that is adopted is {allowed}", status=contract.status, allowed=allowed)
        raise BadContract(contract.name, [says])
    if not by or not why or len(why) > LONGEST_WHY:
        raise Unfounded(
            Said("a version of a contract needs who adopts it and why, in up to {most} letters.", most=LONGEST_WHY)
        )
    with source_lock(home, contract.source):
        versions = read_versions(home, contract.source)
        if versions and versions[-1].contract.text == text:
            raise Unfounded(Said("this is the contract that holds already (version {n}).", n=versions[-1].number))
        path = _path(home, contract.source, len(versions) + 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        about = {"by": by, "why": why, "adopted_at": at.isoformat()}
        write_durably(path.with_suffix(".json"), json.dumps(about, indent=1))  # a version is there once its text is
        write_durably(path, text)
        sync(path.parent.parent)
    return Version(len(versions) + 1, contract, by, why, at)


def source_lock(home: Path, source: str) -> AbstractContextManager[None]:
    """Hold a source's contract, looks and drifts against other writers."""
    return locked(home / "locks" / f".contract-{source}")


def _path(home: Path, source: str, number: int) -> Path:
    return folder_of(home, source) / f"{number:04}.yaml"


def _last(home: Path, source: str) -> Path | None:
    return next(iter(folder_of(home, source).glob("[0-9][0-9][0-9][0-9].yaml")), None)


# -- what was seen


def read_seen(home: Path, source: str) -> dict[str, Variants]:
    """Give, by shape, the columns of the files that the last load of it brought."""
    told = _read(folder_of(home, source) / "seen.json", {})
    return {
        shape: [{name: Seen.of(one) for name, one in columns.items()} for columns in variants]
        for shape, variants in told.items()
    }


def keep_seen(home: Path, source: str, seen: Mapping[str, Sequence[Mapping[str, Seen]]]) -> None:
    """Remember what a load saw of some shapes of a source."""
    with source_lock(home, source):
        told = _read(folder_of(home, source) / "seen.json", {})
        for shape, variants in seen.items():
            told[shape] = [{name: one.told() for name, one in columns.items()} for columns in variants]
        _write(folder_of(home, source) / "seen.json", told)


# -- drifts


def read_drifts(home: Path, source: str) -> list[Drift]:
    """Give the drifts of a source, the newest first."""
    return [_drift(one) for one in _read(folder_of(home, source) / "drift.json", [])]


def keep_drifts(home: Path, source: str, drifts: Iterable[Drift], *, loaded: Iterable[str] = ()) -> None:
    """Keep drifts; what was seen of the same file that day, or before it was open, is replaced.

    `loaded` names shapes that a load went through with: what was open of them waits for nobody any more.
    """
    new, passed = {drift.key: drift for drift in drifts}, set(loaded)
    today = {(one.shape, one.file, one.on) for one in new.values()}
    with source_lock(home, source):
        before = read_drifts(home, source)
        kept = [
            replace(one, state=TOLD) if one.state == OPEN and one.shape in passed else one
            for one in before
            if one.state == ACCEPTED or not ((one.shape, one.file, one.on) in today or one.key in new)
        ]
        if new or kept != before:
            listed = [*sorted(new.values(), key=lambda one: one.file), *kept][:MOST_DRIFTS]
            _write(folder_of(home, source) / "drift.json", [_told(one) for one in listed])


def accept(home: Path, source: str, *, by: str, on: date, file: str = "") -> list[Drift]:
    """Accept what is open of a source (of one file, if named): what was seen then is what is expected from now on."""
    if not by.strip():
        raise Unfounded(Said("accepting a drift needs who does it."))
    with source_lock(home, source):
        drifts = read_drifts(home, source)
        taken = [one for one in drifts if one.state == OPEN and file in ("", one.file)]
        if not taken:
            raise NoContract(Said("source {name!r} has no open drift; nothing to accept.", name=source))
        told = _read(folder_of(home, source) / "seen.json", {})
        for one in taken:
            told[one.shape] = [{name: seen.told() for name, seen in one.seen.items()}, *told.get(one.shape, [])]
        _write(folder_of(home, source) / "seen.json", told)
        accepted = [replace(one, state=ACCEPTED, by=by, accepted_on=on) if one in taken else one for one in drifts]
        _write(folder_of(home, source) / "drift.json", [_told(one) for one in accepted])
    return taken


def _told(drift: Drift) -> dict[str, object]:
    return {
        "shape": drift.shape, "file": drift.file, "on": drift.on.isoformat(), "state": drift.state, "by": drift.by,
        "accepted_on": drift.accepted_on.isoformat() if drift.accepted_on else None,
        "changes": [change.told() for change in drift.changes],
        "seen": {name: one.told() for name, one in drift.seen.items()},
    }  # fmt: skip


def _drift(told: Mapping[str, Any]) -> Drift:
    accepted_on = date.fromisoformat(told["accepted_on"]) if told["accepted_on"] else None
    seen = {name: Seen.of(one) for name, one in told["seen"].items()}
    return Drift(told["shape"], told["file"], date.fromisoformat(told["on"]), changes_of(told["changes"]), seen,
                 told["state"], told["by"], accepted_on)  # fmt: skip


def _read(path: Path, otherwise: object) -> Any:  # noqa: ANN401 - JSON
    return json.loads(path.read_text("utf-8")) if path.exists() else otherwise


def _write(path: Path, told: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, json.dumps(told, ensure_ascii=False))
