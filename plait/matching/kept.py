"""What matching keeps in a home: how it is set, the model of each scope, and the pairs that it proposes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from plait.delta import locked, sync, write_durably
from plait.failure import Misused, Said
from plait.matching.fields import COMPANY, PERSON
from plait.matching.model import Model, as_text, from_text
from plait.stewardship import Key

FOLDER = "matching"
SCOPES = (PERSON, COMPANY)
UPPER, LOWER = 0.95, 0.5


class BadThreshold(Misused, ValueError):
    """Thresholds that part nothing."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How a scope is matched: from `upper` on a pair is sure, from `lower` on people look at it.

    `automatic`: what is sure is merged without anybody looking; the firm has switched that on, `by` whom and `why`.
    """

    upper: float = UPPER
    lower: float = LOWER
    automatic: bool = False
    by: str = ""
    why: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class Trained:
    """A kept model and how right it is believed to be: by its own estimate, at the upper and the lower threshold."""

    model: Model
    trained_at: datetime
    share: float
    precision: float | None
    recall: float | None
    proposed: int
    sure: int


@dataclass(frozen=True, slots=True)
class Likeness:
    """How one field of two compares: both values, the level in words, and what it says (log2, + is alike)."""

    field: str
    left: str
    right: str
    level: str
    weight: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """Two who are probably one: a key and an id of each, the probability, and how their fields compare."""

    scope: str
    left: Key
    right: Key
    left_id: str
    right_id: str
    probability: float | None
    fields: tuple[Likeness, ...] = ()
    because: str = "matched"
    sure: bool = False

    @property
    def number(self) -> str:
        """Give what the pair is known by, whichever of the two is named first."""
        told = "\0".join(sorted("=".join(key) for key in (self.left, self.right)))
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    @property
    def keys(self) -> tuple[Key, Key]:
        """Give the two keys."""
        return self.left, self.right


def read_setting(home: Path, scope: str) -> Setting:
    """Give how a scope is matched."""
    path = home / FOLDER / "settings.json"
    told = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return Setting(**told.get(scope, {}))


def keep_setting(home: Path, scope: str, setting: Setting) -> None:
    """Keep how a scope is matched, durably."""
    if not 0.5 <= setting.lower <= setting.upper < 1:  # noqa: PLR2004 - even odds
        says = "the thresholds are {lower} and {upper}; allowed: 0.5 <= lower <= upper < 1."
        raise BadThreshold(Said(says, lower=setting.lower, upper=setting.upper))
    with locked(home / "locks" / ".matching"):
        path = _folder(home) / "settings.json"
        told = json.loads(path.read_text("utf-8")) if path.exists() else {}
        write_durably(path, json.dumps(told | {scope: asdict(setting)}, indent=1))


def keep_model(home: Path, trained: Trained) -> None:
    """Keep the model of a scope; the one before it stays beside it, by its day."""
    path = _folder(home) / f"model-{trained.model.scope}.json"
    told = {name: value for name, value in asdict(trained).items() if name not in ("model", "trained_at")}
    told |= {"trained_at": trained.trained_at.isoformat(), "model": json.loads(as_text(trained.model))}
    write_durably(path, json.dumps(told, indent=1))


def read_model(home: Path, scope: str) -> Trained | None:
    """Give the model of a scope, None where none was trained."""
    path = home / FOLDER / f"model-{scope}.json"
    if not path.exists():
        return None
    told = json.loads(path.read_text("utf-8"))
    model = from_text(json.dumps(told.pop("model")))
    return Trained(model, datetime.fromisoformat(told.pop("trained_at")), **told)


def keep_proposals(home: Path, scope: str, proposals: Iterable[Proposal]) -> None:
    """Put proposals in the place of those of a scope, durably."""
    lines = "".join(f"{json.dumps(asdict(one), ensure_ascii=False)}\n" for one in proposals)
    with locked(home / "locks" / ".matching"):
        write_durably(_folder(home) / f"proposals-{scope}.jsonl", lines)


def read_proposals(home: Path, scope: str) -> list[Proposal]:
    """Give the proposals of a scope as they were made, the likeliest first."""
    path = home / FOLDER / f"proposals-{scope}.jsonl"
    if not path.exists():
        return []
    return [_proposal(json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def forget(home: Path, keys: Sequence[Key]) -> int:
    """Take the proposals that name an erased person out, in one step; gives how many."""
    gone, values = set(keys), {value for _, value in keys}
    taken = 0
    for scope in SCOPES:
        held = read_proposals(home, scope)
        left = [one for one in held if not (set(one.keys) & gone or _values(one) & values)]
        taken += len(held) - len(left)
        if len(left) < len(held):
            keep_proposals(home, scope, left)
    return taken


def stamp(home: Path) -> tuple[int, ...]:
    """Give what changes when proposals or decisions do; cheap for a request."""
    files = (
        *(home / FOLDER / f"proposals-{scope}.jsonl" for scope in SCOPES),
        home / "stewardship" / "decisions.jsonl",
    )
    return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in files)


def _values(one: Proposal) -> set[str]:
    return {text for likeness in one.fields for text in (likeness.left, likeness.right)}


def _proposal(told: Mapping[str, object]) -> Proposal:
    fields = tuple(Likeness(**one) for one in told["fields"])  # type: ignore[attr-defined]
    keys: dict[str, object] = {name: tuple(told[name]) for name in ("left", "right")}  # type: ignore[arg-type]
    return Proposal(**(dict(told) | keys | {"fields": fields}))  # type: ignore[arg-type]


def _folder(home: Path) -> Path:
    folder = home / FOLDER
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        sync(home)
    return folder
