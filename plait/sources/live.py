"""Live sources: how their events are read, and the segments of the inbox on their way into the store."""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import duckdb
import msgspec
import pyarrow as pa

from plait import duck
from plait.facts import CURRENCIES, KEY_NAME, KINDS, is_account_key, nearest
from plait.failure import Said, Unfit
from plait.inbox import Segment
from plait.sources import clicks, conversions, rules
from plait.sources.events import (
    FIELDS,
    Clock,
    Envelope,
    EventMapping,
    Quarantined,
    Row,
    TrackRule,
    kept_fact,
    read_again,
    read_events,
    reread,
)  # fmt: skip
from plait.sources.expression import Check
from plait.sources.records import STAGED, judge
from plait.sources.refusal import RefusedRows
from plait.store import ID_CONFLICT, LIVE, Part

FOLDER = "live"
UNREADABLE = "inbox"  # the source of lines that nobody can read
SETTINGS = ("account_key", "currency", "clock", "trust", "most_kib", "track")
MOST_KIB = 4096
OWN = {clicks.KEY: clicks.read_clicks, conversions.KEY: conversions.read_conversions}  # what no sender can write

NEVER = datetime.fromtimestamp(0, UTC)  # stands where the row that is judged again has its own instant
BATCH, FEW = 50_000, 2_000  # refused events may be large
READ_AGAIN = ("kind", "keys", *FIELDS)
FINAL = (ID_CONFLICT, rules.KEY_MISMATCH)  # why an event is refused whatever the mapping says

Reader = msgspec.json.Decoder(Envelope)


class BadEventMapping(Unfit, ValueError):
    """A file of `live/` that cannot be followed."""


@dataclass
class _Source:
    """What one segment holds of one source; `asked` are the requests that brought the rows, without their events."""

    rows: list[Row] = field(default_factory=list)
    asked: list[Envelope] = field(default_factory=list)
    wrong: list[tuple[int, Quarantined]] = field(default_factory=list)
    count: int = 0
    received_at: datetime | None = None

    def take(self, told: Row | Quarantined, asked: Envelope | None) -> None:
        """Take an event; its place in the segment is its line."""
        self.count += 1
        if self.received_at is None and asked is not None:
            self.received_at = datetime.fromtimestamp(asked.at / 1e6, UTC).replace(tzinfo=None)
        if isinstance(told, Quarantined):
            self.wrong.append((self.count, told))
        elif asked is not None:
            told["line"] = self.count
            self.rows.append(told)
            self.asked.append(asked)


class _Quarantine(RefusedRows):
    """Refused events, each with what it takes to read it again."""

    def __init__(self, part: Part, held: _Source, now: datetime) -> None:
        super().__init__(part.refused, source=part.source, file=part.file, recorded_at=now)
        self.held = held

    def add_judged(self, rows: Iterable[tuple[int, int, int, str | None, str]], checks: Sequence[Check]) -> None:
        """Add events that break a rule of facts."""
        broken = list(rows)
        lines = {line for line, *_ in broken}
        told = zip(self.held.rows, self.held.asked, strict=True)
        kept = {fact["line"]: kept_fact(fact, asked) for fact, asked in told if fact["line"] in lines}
        super().add_judged([(line, n, more, value, kept[line] or row) for line, n, more, value, row in broken], checks)


def mapping_path(home: Path, source: str) -> Path:
    """Give the file that says how a source's events are read."""
    return home / FOLDER / f"{source}.toml"


def event_mapping(home: Path, source: str) -> EventMapping:
    """Read how a source's events become facts; without a file of its own it is what the protocol says."""
    path = mapping_path(home, source)
    return read_event_mapping(path.read_text("utf-8"), source) if path.exists() else EventMapping(source)


def read_event_mapping(text: str, source: str) -> EventMapping:
    """Read a mapping of events from TOML, or raise `BadEventMapping` with what is allowed."""
    try:
        told = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, lists in lists in lists
        raise BadEventMapping(Said("{source}: not TOML: {error}.", source=source, error=str(error))) from error
    for name in told:
        if name not in SETTINGS:
            raise _refusal(
                source, name, Said("{hint}allowed: {all}", hint=nearest(name, list(SETTINGS)), all=", ".join(SETTINGS))
            )
    tracks = {
        name.strip().lower(): _track(source, name, rule) for name, rule in _table(source, told.get("track", {})).items()
    }
    mapping = EventMapping(source, tracks, **{name: told[name] for name in told if name != "track"})
    _check(mapping)
    return mapping


def _table(source: str, told: object) -> Mapping[str, Any]:
    if not isinstance(told, dict):
        raise _refusal(source, "track", Said('write a table for each name, such as [track."Signed Up"]'))
    return told


def _track(source: str, name: str, told: object) -> TrackRule:
    """Read what a track call of a name is."""
    rule = dict(_table(source, told))
    kind = rule.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise _refusal(
            source, f"track.{name}.kind", Said("{hint}use a kind of the vocabulary", hint=nearest(str(kind), KINDS))
        )
    for target, path in rule.items():
        if target not in FIELDS or not isinstance(path, str):
            raise _refusal(
                source,
                f"track.{name}.{target}",
                Said("fields are {fields}, each the path of a value such as properties.plan", fields=", ".join(FIELDS)),
            )
    return TrackRule(str(kind), rule)


def _check(mapping: EventMapping) -> None:
    source = mapping.source
    if not KEY_NAME.fullmatch(str(mapping.account_key)) or not is_account_key(mapping.account_key):
        raise _refusal(source, "account_key", Said("use domain or account.<system>"))
    if mapping.currency is not None and str(mapping.currency) not in CURRENCIES:
        raise _refusal(source, "currency", Said("use a code of ISO 4217 such as EUR"))
    if mapping.clock not in get_args(Clock):
        raise _refusal(source, "clock", Said("allowed: {all}", all=", ".join(get_args(Clock))))
    if not isinstance(mapping.trust, bool):
        raise _refusal(source, "trust", Said("allowed: {all}", all="true, false"))
    if not isinstance(mapping.most_kib, int) or not 1 <= mapping.most_kib <= MOST_KIB:
        raise _refusal(source, "most_kib", Said("a whole number from 1 to {most}", most=MOST_KIB))


def _refusal(source: str, name: str, allowed: Said) -> BadEventMapping:
    return BadEventMapping(
        Said("{source}: {name} cannot be followed; {allowed}.", source=source, name=name, allowed=allowed)
    )


def stage_segment(
    db: duckdb.DuckDBPyConnection, segment: Segment, home: Path, *, work: Path, now: datetime
) -> list[Part]:
    """Read a segment of the inbox and stage its facts, a part for each source that it holds.

    An event that is no fact is refused with its reason; so is a line that cannot be read at all.
    """
    found: dict[str, _Source] = {}
    mappings: dict[str, EventMapping] = {}
    for line in segment.lines():
        for source, told, asked in _told(line, home, mappings):
            found.setdefault(source, _Source()).take(told, asked)
    return [_stage(db, segment, source, held, work, now) for source, held in sorted(found.items())]


def stage_again(db: duckdb.DuckDBPyConnection, mapping: EventMapping, work: Path) -> tuple[list[Part], int, int]:
    """Read the events of the view `stored` again and stage those that became another fact.

    Gives the parts, how many events there are and how many could not become what the mapping says.
    """
    reader = db.cursor().execute("select * from stored").to_arrow_reader(BATCH)
    parts, events = [], 0
    for number, batch in enumerate(reader):
        changed: list[Row] = []
        for fact in batch.to_pylist():
            again = reread(fact, mapping)
            events += again is not None
            if again is not None and any(fact[name] != again[name] for name in READ_AGAIN):
                changed.append(again | {"file": "", "line": len(changed) + 1})
        if changed:
            parts.append(_stage_changed(db, changed, mapping.source, work / f"{number}"))
    return parts, events, sum(part.refused_rows for part in parts)


def stage_refused(db: duckdb.DuckDBPyConnection, mapping: EventMapping, work: Path) -> tuple[list[Part], int, int]:
    """Read the live events of the view `barred` again, by a mapping that may have changed, and stage what they are now.

    A row's `number` stands as its line. Gives the parts, how many events there are and how many of them cannot be read
    again: what that takes was not kept.
    """
    live = f"from barred where starts_with(file, '{LIVE}')"
    (events,) = db.execute(f"select count(*) {live}").fetchall()[0]
    sql = f"select number, row {live} and rule not in (select unnest({duck.text_list(FINAL)})) order by number"
    parts, lost = [], 0
    for place, batch in enumerate(db.cursor().execute(sql).to_arrow_reader(FEW)):
        held = _Source()
        for number, row in zip(*(batch.column(name).to_pylist() for name in ("number", "row")), strict=True):
            told = read_again(row, mapping.source, mapping)
            if isinstance(told, Quarantined):
                held.wrong.append((number, told))
            elif told is not None:
                held.rows.append(told | {"file": "", "line": number})
            lost += told is None
        if held.rows or held.wrong:
            draft = _draft(mapping.source, work / f"refused-{place}")
            refused = RefusedRows(draft.refused, source=mapping.source, file="", recorded_at=NEVER)
            parts.append(_judged(db, draft, held, refused))
    return parts, events, lost


def _stage_changed(db: duckdb.DuckDBPyConnection, rows: list[Row], source: str, stem: Path) -> Part:
    draft = _draft(source, stem)
    refused = RefusedRows(draft.refused, source=source, file="", recorded_at=rows[0]["recorded_at"])
    return _judged(db, draft, _Source(rows), refused)


def _draft(source: str, stem: Path) -> Part:
    """Name a part of what is read again."""
    facts, barred = (stem.with_suffix(f".{what}.parquet") for what in ("facts", "refused"))
    return Part(source, "", stem.name, facts, barred, 0, 0, 0, 0)


def _judged(db: duckdb.DuckDBPyConnection, draft: Part, held: _Source, refused: RefusedRows) -> Part:
    """Stage what is a fact and what is none, and count it."""
    for line, wrong in held.wrong:
        refused.add(line, wrong)
    count = len(held.rows) + len(held.wrong)
    bad = judge(db, pa.Table.from_pylist(held.rows, STAGED), draft, refused) + len(held.wrong)
    refused.close()
    return replace(draft, rows=count, accepted=count - bad, refused_rows=bad)


def _told(
    line: bytes, home: Path, mappings: dict[str, EventMapping]
) -> Iterator[tuple[str, Row | Quarantined, Envelope | None]]:
    """Read a line: what each of its events is, with the request that brought it, less its events."""
    source, asked = UNREADABLE, None
    try:
        envelope = Reader.decode(line)
        source, asked = envelope.source, msgspec.structs.replace(envelope, events=[])
        if source not in mappings:
            mappings[source] = mapping_or_default(home, source)
        for told in OWN.get(envelope.key, read_events)(envelope, mappings[source]):
            yield source, told, asked
    except msgspec.MsgspecError:
        wrong = Quarantined("", None, rules.UNREADABLE, rules.TELL_US, line.decode("utf-8", "replace"))
        yield source, wrong, asked


def mapping_or_default(home: Path, source: str) -> EventMapping:
    """Read a source's mapping; one that was broken by hand must not hold up what others send."""
    try:
        return event_mapping(home, source)
    except BadEventMapping as error:
        logging.getLogger(__name__).warning("%s Its events are read as if it had no mapping.", error)
        return EventMapping(source)


def _stage(
    db: duckdb.DuckDBPyConnection, segment: Segment, source: str, held: _Source, work: Path, now: datetime
) -> Part:
    stem, file = f"{segment.name}.{source}", f"{LIVE}{segment.name}"
    draft = Part(
        source, file, segment.name, work / f"{stem}.facts.parquet", work / f"{stem}.refused.parquet",
        held.count, 0, 0, 0, segment.boot, segment.number, held.received_at,
    )  # fmt: skip
    for row in held.rows:
        row["file"] = file
    return _judged(db, draft, held, _Quarantine(draft, held, now))
