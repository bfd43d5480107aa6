"""A firm's policy of hand-offs: who hands what to whom, how soon it is answered, and what both sides owe.

A policy is data: a file in the home for each version, who adopted it, when and why beside it; none ever changes. A
hand-off keeps the version under which it was made, so a later policy or calendar never alters what was due before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from plait.delta import locked, sync, write_durably
from plait.failure import Misused, Said
from plait.handoff.reading import read_terms
from plait.handoff.terms import (
    DISQUALIFY,
    JOINT,
    MERGE,
    MODES,
    NURTURE,
    ONE_TEAM,
    REROUTE,
    SEPARATE,
    TAKEN_BACK,
    TARGETS,
    UNREACHABLE,
    WITHDRAWN,
    BadPolicy,
    HandOffType,
    ModeRow,
    Policy,
    Problem,
    Reason,
    Route,
    Terms,
    UnknownReason,
    UnknownType,
)
from plait.settings import read_settings

__all__ = [
    "DISQUALIFY", "JOINT", "MERGE", "MODES", "NURTURE", "ONE_TEAM", "REROUTE", "SEPARATE", "TAKEN_BACK", "TARGETS",
    "UNREACHABLE", "WITHDRAWN", "BadPolicy", "HandOffType", "ModeRow", "Policy", "Problem", "Reason", "Route",
    "UnknownPolicy", "UnknownReason", "UnknownType", "adopt_policy", "check_policy", "policies", "read_policy",
    "with_mode",
]  # fmt: skip

FOLDER = "handoffs"
SHIPPED = Path(__file__).parent / "shipped.toml"
LONG_AGO = datetime(1970, 1, 2, tzinfo=UTC)


class UnknownPolicy(Misused, LookupError):
    """A version of the policy that this home does not have."""


@dataclass(frozen=True, slots=True)
class _Adopted:
    """What stands beside a version: who, why, when, and the zone of calendars that name none."""

    by: str
    why: str
    at: str
    zone: str


def check_policy(text: str, zone: str = "UTC") -> tuple[Problem, ...]:
    """Give all problems that a text has as a policy of a home in this zone; none when it can be adopted."""
    try:
        read_terms(text, zone)
    except BadPolicy as error:
        return error.problems
    return ()


def read_policy(home: Path, version: int | None = None) -> Policy:
    """Read a version of the home's policy, the newest when none is named; plait's own before there is one."""
    known = _versions(home)
    wanted = known[-1] if version is None else version
    if wanted not in known:
        raise UnknownPolicy(
            Said(
                "this home has no version {version} of its policy of hand-offs; it has {known}.",
                version=version, known=", ".join(str(number) for number in known),
            )
        )  # fmt: skip
    if wanted == 0:
        return _policy(0, shipped_text(), _Adopted("plait", "", LONG_AGO.isoformat(), read_settings(home).zone))
    path = home / FOLDER / f"{wanted:04d}.toml"
    beside = json.loads(path.with_suffix(".json").read_text("utf-8"))
    return _policy(wanted, path.read_text("utf-8"), _Adopted(**beside))


def policies(home: Path) -> Mapping[int, Policy]:
    """Give all versions of the home's policy, plait's own (0) first."""
    return {version: read_policy(home, version) for version in _versions(home)}


def adopt_policy(home: Path, text: str, *, by: str, why: str, now: datetime) -> Policy:
    """Make a text the home's newest policy, durably; with problems it is refused, naming all of them (`BadPolicy`)."""
    missing = [Problem(name, Said("it is empty; say who adopts the policy, and why.")) for name, said in
               (("by", by), ("why", why)) if not said.strip()]  # fmt: skip
    zone = read_settings(home).zone
    problems = [*missing, *check_policy(text, zone)]
    if problems:
        raise BadPolicy(problems)
    folder = home / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    sync(home)
    beside = _Adopted(by.strip(), why.strip(), now.astimezone(UTC).isoformat(), zone)
    with locked(home / "locks" / ".handoffs"):
        version = _versions(home)[-1] + 1
        path = folder / f"{version:04d}.toml"
        write_durably(path.with_suffix(".json"), json.dumps(asdict(beside), ensure_ascii=False, indent=1))
        write_durably(path, text)  # the version is there from now on
    return _policy(version, text, beside)


def with_mode(policy: Policy, departments: tuple[str, str], mode: str, since: datetime) -> str:
    """Give the text of a policy to which one row is added: how two departments work together from an instant on.

    What is no department or mode is found when the text is adopted. The rows before stay: they are history.
    """
    pair = json.dumps(list(departments), ensure_ascii=False)
    begins = f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    row = f"[[modes]]\nbetween = {pair}\nmode = {json.dumps(mode)}\nsince = {begins}\n"
    return f"{policy.text.rstrip()}\n\n{row}"


@cache
def shipped_text() -> str:
    """Give the text of plait's own policy."""
    return SHIPPED.read_text("utf-8")


def _policy(version: int, text: str, beside: _Adopted) -> Policy:
    terms = read_terms(text, beside.zone)
    told = {one.name: getattr(terms, one.name) for one in fields(Terms)}
    at = datetime.fromisoformat(beside.at)
    return Policy(**told, version=version, by=beside.by, why=beside.why, at=at, text=text)


def _versions(home: Path) -> list[int]:
    """Give the versions in order, plait's own first."""
    found = (home / FOLDER).glob("[0-9]*.toml")
    return [0, *sorted(int(path.stem) for path in found if path.stem.isdigit())]
