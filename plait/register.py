"""The register: which definition of each measure a firm has agreed on, kept in a file of the home.

Two departments sign a definition: what the measure means, and the values of those options that change what is counted.
What they have agreed is used wherever nobody names the option. The file keeps every definition that was ever proposed;
a signed one is never changed, so that an answer of an earlier day can be had by the definition of that day.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from pathlib import Path

from plait.delta import locked, write_durably
from plait.failure import Misused, Said, Unfit
from plait.measure import AXES, UNAGREED, BadOption, Definition, Measure, Signature, State

FILE, FORMAT, SIGNERS = "register.json", 1, 2


class BadRegister(Unfit, ValueError):
    """The home's register cannot be read."""


class NoSuchDefinition(Misused, LookupError):
    """Somebody asked for a definition that the firm has not signed."""


@dataclass(frozen=True, slots=True)
class Version:
    """A definition of a measure as it was proposed, and what became of it.

    `options` are the values that it states; `digest` and `code_version` name plait's own definition at that time, whose
    text is `means`. All instants are naive UTC.
    """

    measure: str
    number: int
    means: str
    code_version: int
    digest: str
    options: Mapping[str, object]
    reason: str
    proposed_by: str
    proposed_at: datetime
    signatures: tuple[Signature, ...] = ()
    withdrawn_at: datetime | None = None

    @property
    def valid_from(self) -> datetime | None:
        """Give the instant from which it holds: that of the second signature."""
        return self.signatures[-1].at if len(self.signatures) == SIGNERS else None

    @property
    def open(self) -> bool:
        """Tell whether it still waits for a signature."""
        return self.withdrawn_at is None and self.valid_from is None


@dataclass(frozen=True, slots=True)
class Register:
    """Every definition that was proposed in a home, by measure in the order of their numbers."""

    versions: Mapping[str, tuple[Version, ...]] = field(default_factory=dict)

    def of(self, measure: str) -> tuple[Version, ...]:
        """Give a measure's definitions, the oldest first."""
        return self.versions.get(measure, ())

    def proposal(self, measure: str) -> Version | None:
        """Give the definition that waits for signatures, if there is one."""
        return next((version for version in reversed(self.of(measure)) if version.open), None)

    def signed(self, measure: str, before: datetime | None = None) -> Version | None:
        """Give the definition that held before an instant (naive UTC), or holds now."""
        return next(
            (one for one in reversed(self.of(measure)) if one.valid_from and (not before or one.valid_from < before)),
            None,
        )

    def in_force(self, measure: Measure, before: datetime | None = None, number: int | None = None) -> Definition:
        """Give the definition to answer by: the one that held before an instant, holds now, or has a number.

        Without any signed one it is what plait came with. 0 names that one too.
        """
        version = self.signed(measure.name, before) if number is None else self._numbered(measure, number)
        if version is not None:
            state: State = "signed" if version.digest == measure.digest else "changed"
            return Definition(version.number, state, _usable(measure, version.options), version.signatures)
        waits = self.proposal(measure.name) if number is None else None
        if waits is None or _usable(measure, waits.options) != _usable(measure, agreed_by(measure)):
            return UNAGREED
        signatures = tuple(one for one in waits.signatures if before is None or one.at < before)
        return Definition(0, "half-signed" if signatures else "unsigned", signatures=signatures)

    def _numbered(self, measure: Measure, number: int) -> Version | None:
        """Find a signed definition by its number."""
        signed = [one for one in self.of(measure.name) if one.valid_from]
        found = next((one for one in signed if one.number == number), None)
        if found is None and number != 0:
            numbers = ", ".join(["0", *(str(one.number) for one in signed)])
            says = "{measure} has no signed definition {number}; it has: {numbers} (0 is the one plait came with)."
            raise NoSuchDefinition(Said(says, measure=measure.name, number=number, numbers=numbers))
        return found

    def state_of(self, version: Version) -> str:
        """Name what became of a definition: proposed, half-signed, signed, superseded or withdrawn."""
        if version.withdrawn_at:
            return "withdrawn"
        if version.valid_from is None:
            return "half-signed" if version.signatures else "proposed"
        newest = self.signed(version.measure)
        return "signed" if newest is not None and newest.number == version.number else "superseded"


def agreed_by(measure: Measure, chosen: Mapping[str, object] | None = None) -> dict[str, object]:
    """Give the options that a definition states: what changes what is counted, as chosen, else as by default."""
    read = measure.read_options(dict(chosen or {}))
    return {name: value for name, value in read.items() if is_agreed(measure, name)}


def is_agreed(measure: Measure, name: str) -> bool:
    """Tell whether an option is one to agree on; days and what only chooses the rows are each reader's own."""
    return name not in AXES and measure.options[name].type is not date


def read_register(home: Path) -> Register:
    """Read a home's register; read again only when its file has changed."""
    path = home / FILE
    try:
        seen = path.stat()
    except FileNotFoundError:
        return Register()
    stamp = (seen.st_mtime_ns, seen.st_size, seen.st_ino)
    kept = _KEPT.get(path)
    if kept is None or kept[0] != stamp:
        kept = _KEPT[path] = stamp, Register(_grouped(_read(path)))
    return kept[1]


_KEPT: dict[Path, tuple[tuple[int, int, int], Register]] = {}  # by file: a process serves one home, a test some


def keep(home: Path, versions: Iterable[Version]) -> bool:
    """Write definitions into a home's register, on disk when this returns; tells whether anything was new.

    What the file holds and nobody names here stays. A signed definition stays as it was signed.
    """
    with locked(home / "locks" / ".register"):
        path = home / FILE
        kept = {(one.measure, one.number): one for one in _read(path)} if path.exists() else {}
        before = dict(kept)
        for version in versions:
            known = kept.get((version.measure, version.number))
            if known is None or known.open:
                kept[version.measure, version.number] = version
        if kept == before:
            return False
        told = {"format": FORMAT, "definitions": [_told(one) for _, one in sorted(kept.items())]}
        write_durably(path, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
        return True


def _grouped(versions: Iterable[Version]) -> dict[str, tuple[Version, ...]]:
    grouped: dict[str, tuple[Version, ...]] = {}
    for one in sorted(versions, key=lambda one: one.number):
        grouped[one.measure] = (*grouped.get(one.measure, ()), one)
    return grouped


def _usable(measure: Measure, options: Mapping[str, object]) -> tuple[tuple[str, object], ...]:
    """Read agreed options by the measure as it is now; one that it no longer takes is left out."""
    usable = []
    for name, value in options.items():
        option = measure.options.get(name)
        try:
            if option is not None:
                usable.append((name, option.read(value)))
        except BadOption:
            continue
    return tuple(sorted(usable))


def _told(version: Version) -> dict[str, object]:
    plain = {name: list(v) if isinstance(v, tuple) else v for name, v in version.options.items()}
    told = asdict(replace(version, options=plain))
    return {name: _plain(value) for name, value in told.items()}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _read(path: Path) -> list[Version]:
    try:
        told = json.loads(path.read_text("utf-8"))
        if told["format"] != FORMAT:
            raise BadRegister(
                Said("{file} is of a newer plait (format {format}); bring plait up to date.",
                     file=str(path), format=told["format"])
            )  # fmt: skip
        return [_version(row) for row in told["definitions"]]
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, BadRegister):
            raise
        says = "{file} cannot be read: {error}; restore it from a backup, or let the desk write it anew by removing it."
        raise BadRegister(Said(says, file=str(path), error=repr(error))) from error


def _version(row: dict[str, object]) -> Version:
    signed = row["signatures"]
    assert isinstance(signed, list)  # noqa: S101 - as `_told` has written it
    signatures = tuple(Signature(one["department"], one["by"], datetime.fromisoformat(one["at"])) for one in signed)
    withdrawn = datetime.fromisoformat(str(row["withdrawn_at"])) if row["withdrawn_at"] else None
    instants = {"proposed_at": datetime.fromisoformat(str(row["proposed_at"])), "withdrawn_at": withdrawn}
    return Version(**{**row, **instants, "signatures": signatures})  # type: ignore[arg-type]
