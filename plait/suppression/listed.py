"""The list: the keys of erased persons as keyed hashes, and how a text is looked through for one of their values."""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

from plait.delta import locked, sync, write_durably
from plait.failure import Said, Unfit

FOLDER, KEY, LIST = "suppression", "key", "list.json"
FACT = "fact"  # under this name stand facts that no key of an erased person tells: what was done at a shared browser
BLOCK = 64  # bytes, of SHA-256
SHORTEST = 6  # signs: a shorter value is looked for only where a column says that it holds an id

PERSON_RULE = "of a person who was erased"
PERSON_STEP = "nothing; if the person is a customer again and agrees, let them in: plait person allow"
MARK = "plait.erased"  # what a fact's detail, or a refused row, says that has lost a person
BLANK = json.dumps({MARK: "yes"}, separators=(",", ":"))
ERASED_ID = "erased:"  # how an id begins that held a personal value

_TOKENS = re.compile(r"[\s\"'<>(){}\[\],;|=&?/\\:]+")
_HOLDS_IDS = re.compile(r"\b(id|ids|key|user|person|contact|customer|member|visitor|phone|mobile|tel|cookie)\b")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|[_.\-]")


class LostKey(Unfit, RuntimeError):
    """The secret of the list of erased persons is gone: nobody can say any more who is on it."""


@dataclass(frozen=True)
class Suppression:
    """The list of erased persons: under the name of each key the hashes of its values."""

    secret: bytes
    hashes: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, home: Path, keys: Iterable[tuple[str, str]]) -> Suppression:
        """Give a list of these keys alone, as if they were erased, to look for them the same way."""
        secret = secret_of(home)
        found: dict[str, set[str]] = {}
        for name, value in keys:
            found.setdefault(name, set()).add(digest(secret, value))
        return cls(secret, {name: frozenset(some) for name, some in found.items()})

    def __bool__(self) -> bool:
        return any(self.hashes.values())

    def holds(self, name: str, value: str) -> bool:
        """Tell whether a key is on the list."""
        some = self.hashes.get(name, frozenset())
        return bool(some) and digest(self.secret, value) in some

    def concerns(self, keys: Mapping[str, str]) -> bool:
        """Tell whether a fact with these keys concerns an erased person."""
        return any(self.holds(name, value) for name, value in keys.items() if name != FACT)

    def is_told_in(self, text: str) -> bool:
        """Tell whether a text, or any cell of a JSON row, holds a value that is on the list."""
        return any(self._is_value(told) for column, cell in _cells(text) for told in _values(column, cell))

    def _is_value(self, told: str) -> bool:
        seen = self._seen.get(told)
        if seen is None:
            if len(self._seen) > 1_000_000:  # noqa: PLR2004 - some hundred megabytes
                self._seen.clear()
            seen = self._seen[told] = digest(self.secret, told) in self._values
        return seen

    @cached_property
    def _values(self) -> frozenset[str]:
        return frozenset().union(*(some for name, some in self.hashes.items() if name != FACT))

    @cached_property
    def _seen(self) -> dict[str, bool]:
        return {}


def read(home: Path) -> Suppression:
    """Read the list of a home; it is empty where nobody was erased."""
    path = home / FOLDER / LIST
    if not path.exists():
        return Suppression(b"")
    if not (home / FOLDER / KEY).exists():
        says = "{file} is missing: without it nobody can tell who was erased; restore it from a backup, then try again."
        raise LostKey(Said(says, file=str(home / FOLDER / KEY)))
    told = json.loads(path.read_text("utf-8"))
    return Suppression(secret_of(home), {name: frozenset(some) for name, some in told["hashes"].items()})


def suppress(home: Path, keys: Iterable[tuple[str, str]], *, number: int, now: datetime) -> None:
    """Put the keys of one person on the list; those that are there stay as they are. Of `FACT` it is `fact_value`.

    `number` is that of the request: by it the keys of one person are let in again together.
    """
    secret = secret_of(home)
    new = [(name, digest(secret, value)) for name, value in keys]
    with locked(home / "locks" / ".suppression"):
        told = _told(home)
        for name, hashed in new:
            told.setdefault(name, {}).setdefault(hashed, f"{number} {now:%Y-%m-%d}")
        _write(home, told)


def allow(home: Path, keys: Iterable[tuple[str, str]]) -> int:
    """Take the persons who have these keys off the list, all keys of theirs; gives how many stood on it."""
    secret = secret_of(home)
    with locked(home / "locks" / ".suppression"):
        told = _told(home)
        met = [told.get(name, {}).get(digest(secret, value), "") for name, value in keys]
        numbers = {one.partition(" ")[0] for one in met if one}
        left = {
            name: {hashed: one for hashed, one in some.items() if one.partition(" ")[0] not in numbers}
            for name, some in told.items()
        }
        if numbers:
            _write(home, left)
    return sum(map(len, told.values())) - sum(map(len, left.values()))


def fact_value(source: str, id_: str) -> str:
    """Give what stands for one fact on the list."""
    return f"{source}\x1f{id_}"


def normalised(value: str) -> str:
    """Write a value the one way in which it is hashed."""
    return unicodedata.normalize("NFKC", value).strip().lower()


def digest(secret: bytes, value: str) -> str:
    """Give the keyed hash of a value."""
    return hmac.digest(secret, normalised(value).encode(), "sha256").hex()


def erased_id(secret: bytes, text: str) -> str:
    """Give what stands in the place of an id that held a personal value, as `erased_id_sql` does."""
    return ERASED_ID + hmac.digest(secret, text.lower().encode(), "sha256").hex()[:32]


def secret_of(home: Path) -> bytes:
    """Read the secret of a home's hashes, or make one where there is none."""
    path = home / FOLDER / KEY
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return bytes.fromhex(path.read_text("ascii"))
    made = secrets.token_bytes(32)
    with os.fdopen(number, "w") as file:
        file.write(made.hex())
    sync(path)
    sync(path.parent)
    return made


def _told(home: Path) -> dict[str, dict[str, str]]:
    path = home / FOLDER / LIST
    told: dict[str, dict[str, str]] = json.loads(path.read_text("utf-8"))["hashes"] if path.exists() else {}
    return told


def _write(home: Path, told: Mapping[str, Mapping[str, str]]) -> None:
    write_durably(home / FOLDER / LIST, json.dumps({"format": 1, "hashes": told}, indent=1, sort_keys=True))


def _cells(text: str, column: str = "") -> Iterator[tuple[str, str]]:
    """Give the cells of a JSON text, each with its column; of any other text the text itself."""
    if text[:1] in "{[" and text[1:]:
        try:
            told = json.loads(text)
        except ValueError:
            told = text
        if not isinstance(told, str):
            yield from _leaves(told, column)
            return
    yield column, text


def _leaves(told: object, column: str) -> Iterator[tuple[str, str]]:
    if isinstance(told, dict):
        for name, value in told.items():
            yield from _leaves(value, str(name))
    elif isinstance(told, list):
        for value in told:
            yield from _leaves(value, column)
    elif isinstance(told, str):
        yield from _cells(told, column)  # an event may be kept as a text in a text
    elif told is not None and not isinstance(told, bool):
        yield column, str(told)


def _values(column: str, cell: str) -> Iterator[str]:
    """Give what in a cell may be a key's value: the whole cell, and each of its words that is no number."""
    whole = cell.strip()
    telling = _HOLDS_IDS.search(_CAMEL.sub(" ", column).lower()) is not None
    if telling or (len(whole) >= SHORTEST and not whole.isdigit()):
        yield whole
    for text in {cell, unquote(cell)} if "%" in cell else (cell,):
        for word in _TOKENS.split(text):
            one = word.strip(".!")
            if len(one) >= SHORTEST and one != whole and not one.isdigit():
                yield one
