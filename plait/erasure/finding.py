"""Finding: all that a home's tables and files keep of a person, each with what becomes of it when they are erased."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from plait import duck, inbox, stewardship
from plait.derived import Derived
from plait.erasure import facts, rejects
from plait.erasure.rules import ERASE, STRIP
from plait.erasure.subject import Subject
from plait.matching import kept
from plait.store import FACTS, Store, view_sql
from plait.suppression import ONLY_OF_A_PERSON, Suppression

OTHERS_ONLY = ("owner",)  # of a fact: who of the firm was in charge is told to nobody else
LEFT = ("staging", "sealing", "replaying", "spill")
PIECE = 8_000_000  # bytes of a file that are looked through at once


@dataclass(frozen=True, slots=True)
class Section:
    """What one table, or one family of files, keeps of a person.

    `rows` is what they are given of it; `count` is how much there is, of which some may be others' words that only
    name them. `becomes` is `erase` or `strip`, as in `plait.erasure.rules`.
    """

    name: str
    becomes: str
    count: int
    rows: Sequence[Mapping[str, object]] = field(default_factory=list)


def sections(home: Path, subject: Subject) -> list[Section]:
    """Give all that the home's tables and files keep of a person; what keeps nothing is left out."""
    sought = Suppression.of(home, subject.keys)
    store, derived = Store.open(home), Derived.open(home)
    found = [
        *_facts(store, subject),
        _refused(store, subject, sought),
        _keys(subject),
        _timeline(store, derived, subject),
    ]
    found += [_decisions(home, subject), _proposals(home, subject), _waiting(home, sought), _left(home, subject)]
    return [one for one in found if one.count]


def _facts(store: Store, subject: Subject) -> Iterator[Section]:
    """Give the person's facts, those that are removed and those that stay without them, and others' that name them."""
    columns = ", ".join(name for name in FACTS.names if name not in (*OTHERS_ONLY, "month"))
    with duck.connect(store.spill) as db:
        db.execute(view_sql("facts", store.snapshot(), FACTS))
        counted = facts.prepare(db, store, subject)
        rows = db.execute(
            f"""
            select {columns} from facts semi join (select source, month, id from hit where concerned)
                using (source, month, id)
            order by occurred_at, source, id
            """
        )
        told: list[dict[str, Any]] = rows.to_arrow_table().to_pylist()
    yield Section("facts_of_a_person", ERASE, counted.removed, [r for r in told if r["kind"] in ONLY_OF_A_PERSON])
    yield Section(
        "facts_of_an_account", STRIP, counted.stripped, [r for r in told if r["kind"] not in ONLY_OF_A_PERSON]
    )
    yield Section("facts_naming", STRIP, counted.mended)


def _refused(store: Store, subject: Subject, sought: Suppression) -> Section:
    rows = rejects.found(store, subject, sought)
    return Section("refused_rows", STRIP, len(rows), rows)


def _keys(subject: Subject) -> Section:
    if not subject.ids:
        return Section("keys", ERASE, 0)
    rows = [{"name": name, "value": value} for name, value in subject.keys]
    return Section("keys", ERASE, len(rows), rows)


def _timeline(store: Store, derived: Derived, subject: Subject) -> Section:
    """Count the person's facts as they stand resolved; they are the same facts, so no row is told twice."""
    if not subject.ids:
        return Section("timeline", ERASE, 0)
    with duck.connect(store.spill) as db:
        names = derived.timeline.snapshot().files
        sql = f"select count(*) from read_parquet({duck.text_list(names)}) where person in (select unnest(?))"
        (count,) = db.execute(sql, [list(subject.ids)]).fetchall()[0] if names else (0,)
    return Section("timeline", ERASE, count)


def _decisions(home: Path, subject: Subject) -> Section:
    mine = set(subject.keys)
    rows = [
        {
            "number": one.number,
            "at": one.at.isoformat(),
            "kind": one.kind,
            "keys": sorted(mine & {*one.keys, *one.rest}),
        }
        for one in stewardship.read_decisions(home).all
        if mine & {*one.keys, *one.rest}
    ]
    return Section("decisions", STRIP, len(rows), rows)


def _proposals(home: Path, subject: Subject) -> Section:
    """Count the pairs that somebody is asked about; what stands there of the other one is not theirs to have."""
    mine = set(subject.keys)
    named = [one for scope in kept.SCOPES for one in kept.read_proposals(home, scope) if mine & set(one.keys)]
    rows = [{"because": one.because, "keys": sorted(mine & set(one.keys))} for one in named]
    return Section("proposals", ERASE, len(rows), rows)


def _waiting(home: Path, sought: Suppression) -> Section:
    """Count the live events that wait to be stored and name the person; each is told as it came."""
    rows: list[dict[str, object]] = []
    for path in sorted(inbox.folder_of(home).glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            rows += [{"event": told} for told in _events(line) if sought.is_told_in(told)]
    return Section("waiting_events", ERASE, len(rows), rows)


def _events(line: bytes) -> Iterator[str]:
    """Give the events of a request as texts; of a line that nobody can read the line."""
    try:
        told = msgspec.json.decode(line)
        events = told["events"] if isinstance(told, dict) else [told]
    except (msgspec.DecodeError, KeyError):
        events = [line.decode("utf-8", "replace")]
    for event in events if isinstance(events, list) else [events]:
        yield event if isinstance(event, str) else msgspec.json.encode(event).decode()


def _left(home: Path, subject: Subject) -> Section:
    """Count the files that killed loads have left and that hold one of the person's values as it is."""
    files = [path for folder in LEFT for path in sorted((home / folder).rglob("*")) if path.is_file()]
    return Section("left_files", ERASE, sum(holds(path, subject.values) for path in files))


def holds(path: Path, values: Sequence[str]) -> bool:
    """Tell whether a file holds one of these values (in lower case) as plain bytes, however they are capitalised."""
    wanted = [value.encode() for value in values]
    longest = max(map(len, wanted), default=0)
    try:
        with path.open("rb") as file:
            kept = b""
            while piece := file.read(PIECE):
                looked = (kept + piece).lower()
                if any(value in looked for value in wanted):
                    return True
                kept = looked[-longest:]
    except FileNotFoundError:  # a load that ran has cleaned up
        return False
    return False
