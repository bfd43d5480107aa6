"""The judge of a load: every file against the contract of its source and against what it looked like before.

A load makes one judge, gives it to the staging, asks it for its verdict before anything is stored, and lets it keep
what was found once the facts are there.
"""

from __future__ import annotations

import os
import secrets
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from plait.delta import write_durably
from plait.failure import Said
from plait.sources.contract import home as kept
from plait.sources.contract.drift import ACCEPTED, OPEN, TOLD, Drift, Drifted, Uses, changes, said_day
from plait.sources.contract.form import NUMBERED, TIMED
from plait.sources.contract.held import Held, Judgement, read_judgement
from plait.sources.contract.records import Record, keep_record
from plait.sources.contract.seen import Seen, look
from plait.sources.contract.verdict import ROWS, Broken, Brought, Verdict, verdicts
from plait.sources.file import Found
from plait.sources.form import FileMapping
from plait.sources.table import Table
from plait.store import Store

MOST_KEY_FILES = 32


@dataclass(frozen=True, slots=True)
class Terms:
    """How a load is judged: when, by whom a drift is accepted (nobody: it is asked about), or only tried out."""

    now: datetime
    accepted_by: str = ""
    trial: bool = False


class Judge:
    """Judges the files of one load."""

    def __init__(self, home: Path, terms: Terms) -> None:
        self.home, self.terms = home, terms
        self.at = terms.now.astimezone(UTC).replace(tzinfo=None)
        self._versions: dict[str, kept.Version | None] = {}
        self._before: dict[str, dict[str, kept.Variants]] = {}
        self._seen: dict[str, dict[str, list[dict[str, Seen]]]] = defaultdict(lambda: defaultdict(list))
        self._keys: dict[tuple[str, str], list[Path]] = defaultdict(list)
        self._judged: list[tuple[Path, Path]] = []
        self.drifts: dict[str, list[Drift]] = defaultdict(list)
        self.verdicts: dict[str, list[Verdict]] = {}

    # -- before staging

    def held(self, found: Found) -> Held | None:
        """Give the contract's part that a file is held against; None where no contract speaks of it."""
        version = self._version(found.mapping.source)
        shape = version.contract.shape_of(found.name, found.mapping.shape) if version else None
        if version is None or shape is None:
            return None
        keys = self._keys[found.mapping.source, shape.name]
        if not keys and not shape.whole:
            keys += sorted(_keys_folder(self.home, found.mapping.source, shape.name).glob("*.parquet"))
        return Held(version, shape, found.name, found.digest, _salt(self.home), keys)

    def _version(self, source: str) -> kept.Version | None:
        if source not in self._versions:
            self._versions[source] = kept.in_force(self.home, source)
        return self._versions[source]

    def look(self, found: Found, table: Table, held: Held | None) -> None:
        """See what a file's columns look like, and how they have changed since the last load of such a file."""
        source, shape = found.mapping.source, _shape_of(found)
        seen = look(table, decimal=found.mapping.decimal)
        self._seen[source][shape].append(seen)
        if source not in self._before:
            self._before[source] = kept.read_seen(self.home, source)
        variants = self._before[source].get(shape, [])
        if not variants:
            return
        uses = _uses(found.mapping, held)
        found_changes = min((changes(before, seen, uses) for before in variants), key=len)
        if found_changes:
            drift = Drift(shape, found.name, self.terms.now.date(), found_changes, seen, TOLD)
            self.drifts[source].append(drift)

    def explain(self, found: Found, table: Table) -> list[Said]:
        """Say how a file that lacks a column of its mapping has changed since the last load of such a file."""
        self.look(found, table, None)
        drifts = self.drifts[found.mapping.source]
        if not drifts:
            return []
        kept.keep_drifts(self.home, found.mapping.source, drifts[-1:])
        return [change.words(said_day(drifts[-1].on)) for change in drifts[-1].changes if change.asks]

    def ask(self) -> None:
        """Stop a load whose files have changed where it matters, unless somebody accepts it; the question is kept."""
        asking = [drift for drifts in self.drifts.values() for drift in drifts if drift.asks]
        if not asking or self.terms.accepted_by or self.terms.trial:
            return
        for source, drifts in self.drifts.items():
            kept.keep_drifts(self.home, source, [replace(one, state=OPEN) for one in drifts if one.asks])
        raise Drifted(asking)

    # -- while and after staging

    def finished(self, held: Held, facts: Path, source: str) -> None:
        """Take note of a staged file: what was found of it lies beside its facts."""
        self._judged.append((judgement_path(facts), facts))
        keys = keys_path(facts)
        if keys.exists():
            self._keys[source, held.shape.name].append(keys)

    def judge(self, store: Store) -> None:
        """Judge the load by each contract; one that refuses broken loads raises before anything is stored."""
        by_source: dict[str, list[tuple[Judgement, Path]]] = defaultdict(list)
        for path, facts in self._judged:
            judgement = read_judgement(path)
            by_source[judgement.source].append((judgement, facts))
        for source, judged in by_source.items():
            version = self._versions[source]
            assert version is not None  # noqa: S101 - else nothing of it was held
            brought = Brought([one for one, _ in judged], [facts for _, facts in judged], self.at)
            self.verdicts[source] = verdicts(version.contract, brought, store)
            broken = [verdict for verdict in self.verdicts[source] if not verdict.kept]
            if version.contract.refuses and broken and not self.terms.trial:
                self._record(source, refused=True)
                raise Broken(version, broken)

    def keep(self, sources: Collection[str]) -> None:
        """Keep what was found, once the facts are stored: verdicts, keys, looks and drifts."""
        for source in self.verdicts:
            self._record(source, refused=False)
        for (source, shape), paths in self._keys.items():
            _keep_keys(_keys_folder(self.home, source, shape), [path for path in paths if path.parent.name != shape])
        for source in set(sources) & set(self._seen):
            kept.keep_seen(self.home, source, self._seen[source])
            drifts = self.drifts.get(source, [])
            by, on = self.terms.accepted_by, self.terms.now.date()
            kept.keep_drifts(
                self.home, source,
                [replace(one, state=ACCEPTED, by=by, accepted_on=on) if one.asks else one for one in drifts],
                loaded=self._seen[source],
            )  # fmt: skip

    def broken(self) -> list[Said]:
        """Say what the load broke of its contracts."""
        return [
            Said("contract of {source}: {rule}: {found}", source=source, rule=one.rule, found=one.found)
            for source, found in self.verdicts.items()
            for one in found
            if not one.kept and one.of != ROWS  # those stand among the refused rows
        ]

    def changed(self) -> list[Said]:
        """Say how the exports have changed since the last load."""
        return [
            Said("{file}: {problem}", file=drift.file, problem=change.words(said_day(drift.on)))
            for drifts in self.drifts.values()
            for drift in drifts
            for change in drift.changes
        ]

    def _record(self, source: str, *, refused: bool) -> None:
        version = self._versions[source]
        judgements = [one for path, _facts in self._judged if (one := read_judgement(path)).source == source]
        if version is not None:
            record = Record(self.at, version.number, refused, tuple(judgements), tuple(self.verdicts[source]))
            keep_record(self.home, source, record)


def keys_path(facts: Path) -> Path:
    """Name the file that holds what is there once in a staged file."""
    return facts.with_name(f"{facts.name.split('.')[0]}.keys.parquet")


def judgement_path(facts: Path) -> Path:
    """Name the file that tells what a contract found of a staged file."""
    return facts.with_name(f"{facts.name.split('.')[0]}.judged.json")


def _shape_of(found: Found) -> str:
    mapping = found.mapping
    return mapping.shape or " ".join((*mapping.patterns, *([mapping.member] if mapping.member else [])))


def _uses(mapping: FileMapping, held: Held | None) -> Uses:
    """Tell what the columns of a file are needed for, by its mapping and by its contract."""
    numbers, times = set[str](), set[str]()
    for fact in mapping.facts:
        for name, value in fact.fields.items():
            if len(value.columns()) == 1 and not value.map and value.lookup is None:
                numbers |= set(value.columns()) if name in ("amount", "quantity") else set()
                times |= set(value.columns()) if name == "occurred_at" else set()
    needed = {*mapping.named(), *mapping.columns}
    if held is not None:
        numbers |= {column.name for column in held.shape.columns if column.type in NUMBERED}
        times |= {column.name for column in held.shape.columns if column.type in TIMED}
        needed |= {column.name for column in held.shape.columns}
    return Uses(frozenset(numbers), frozenset(times), frozenset(needed))


def _salt(home: Path) -> str:
    """Give what keeps the hashes of keys from being looked up by whoever has only them."""
    path = home / kept.FOLDER / "salt"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, secrets.token_hex(16))
    return path.read_text("utf-8")


def _keys_folder(home: Path, source: str, shape: str) -> Path:
    from hashlib import sha256

    return kept.folder_of(home, source) / "keys" / sha256(shape.encode()).hexdigest()[:16]


def _keep_keys(folder: Path, paths: Sequence[Path]) -> None:
    """Move the keys of staged files to those that are kept; many small files become one."""
    if not paths:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        if path.exists():
            path.replace(folder / path.name)
    files = sorted(folder.glob("*.parquet"))
    if len(files) > MOST_KEY_FILES:
        import duckdb

        from plait.duck import literal, text_list

        joined = folder / f"{os.getpid()}.tmp"
        listed = text_list(map(str, files))
        with duckdb.connect() as db:
            db.execute(
                f"copy (select distinct * from read_parquet({listed})) to {literal(str(joined))} (format parquet)"
            )
        joined.replace(folder / f"joined-{files[-1].name}")
        for file in files:
            file.unlink()
