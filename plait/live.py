"""Live events: what people and processes do with them, one function each, as `plait.desk` is for everything else."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from plait import duck, inbox, intake
from plait.delta import locked, write_durably
from plait.derived import Derived, refresh
from plait.sources.clicks import Clicked, counted
from plait.sources.events import EventMapping
from plait.sources.live import (
    event_mapping,
    mapping_or_default,
    mapping_path,
    read_event_mapping,
    stage_again,
    stage_refused,
    stage_segment,
)
from plait.store import Loaded, Store

SEGMENTS_AT_ONCE = 12  # some 100 MB of events


def seal(home: Path, *, now: datetime) -> list[Loaded]:
    """Store the live events that wait in the inbox, each once, and take them out of it; gives what became of them.

    What is killed in between is done again: a segment that was stored is known by its name.
    """
    work = home / "sealing"
    with locked(home / "locks" / ".seal"):
        segments = inbox.closed(home)[:SEGMENTS_AT_ONCE]
        if not segments:
            return []
        work.mkdir(exist_ok=True)
        store = Store.open(home)
        with duck.connect(store.spill) as db:
            parts = [part for segment in segments for part in stage_segment(db, segment, home, work=work, now=now)]
        sealed = store.append(parts, recorded_at=now) if parts else []
        inbox.remove(segments)
        _empty(work)
    return sealed


def check_events(source: str, text: str) -> int:
    """Check a mapping of a live source's events, changing nothing; gives how many track calls it names."""
    return len(read_event_mapping(text, source).tracks)


def events_mapping(home: Path, source: str) -> str:
    """Give the mapping that a live source's events are read by, as it was written; empty where there is none."""
    path = mapping_path(home, source)
    return path.read_text("utf-8") if path.exists() else ""


def map_events(home: Path, source: str, text: str) -> int:
    """Let a live source's events be read by a mapping; gives how many track calls it names."""
    mapping = read_event_mapping(text, source)
    path = mapping_path(home, source)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, text)
    return len(mapping.tracks)


def unmapped_tracks(home: Path, source: str) -> list[intake.Track]:
    """Give the track calls that a live source has sent and that no mapping names, the most frequent first."""
    mapping, other = mapping_or_default(home, source), "event.other"
    return [one for one in intake.other_tracks(Store.open(home), source) if mapping.rule(one.name).kind == other]


def arrivals(home: Path, source: str, *, now: datetime) -> intake.Arrivals:
    """Count what came in of a live source, lately and ever, and how long it took until it was stored."""
    return intake.arrivals(Store.open(home), source, now=now)


def clicks(home: Path, *, since: datetime, partners: Collection[str] | None = None) -> Mapping[str, Clicked]:
    """Count the clicks on tracked links since an instant, by the links' codes; of some partners' links, or of all."""
    return counted(Store.open(home), since=since, partners=partners)


def backlog(home: Path) -> tuple[int, datetime | None]:
    """Give how many bytes of live events wait to be stored, and since when (UTC; None when nothing waits)."""
    size, since = inbox.backlog(home)
    return size, None if since is None else datetime.fromtimestamp(since, UTC)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What reading a live source's events again has done: of `events` so many `changed`, and so many could not.

    An event could not change where its new kind needs a field that it does not have; it stays as it was. Of
    `quarantined` events, which were refused, so many were `admitted` and are facts now; the others are `refused` still,
    among them `lost` ones, of which an older plait did not keep what it takes to read them again.
    """

    events: int
    changed: int
    unfit: int
    quarantined: int = 0
    admitted: int = 0
    refused: int = 0
    lost: int = 0


def replay(home: Path, source: str) -> Replayed:
    """Read the events of a live source again, by its present mapping: the stored ones and those that were refused.

    Ids stay as they are, so do the instants of what is stored.
    """
    store, work = Store.open(home), home / "replaying"
    mapping = event_mapping(home, source)
    work.mkdir(exist_ok=True)
    with locked(home / "locks" / ".replay"), store.writing({source}):
        events, changed, unfit = _replay_stored(store, mapping, work)
        quarantined, admitted, lost = _replay_refused(store, mapping, work)
        _empty(work)
    refresh(store, Derived.open(home))
    return Replayed(events, changed, unfit, quarantined, admitted, quarantined - admitted, lost)


def _replay_stored(store: Store, mapping: EventMapping, work: Path) -> tuple[int, int, int]:
    """Read a source's facts again; gives how many are events, how many changed and how many could not."""
    with duck.connect(store.spill) as db:
        if not store.view_stored(db, {mapping.source}):
            return 0, 0, 0
        parts, events, unfit = stage_again(db, mapping, work)
    changed = sum(part.accepted for part in parts)
    if changed:
        store.rewrite(mapping.source, [part.facts for part in parts])
    return events, changed, unfit


def _replay_refused(store: Store, mapping: EventMapping, work: Path) -> tuple[int, int, int]:
    """Read a source's refused events again; gives how many there are, how many came in, how many nobody can read."""
    with duck.connect(store.spill) as db:
        store.view_refused(db, mapping.source)
        parts, events, lost = stage_refused(db, mapping, work)
    return events, store.admit(parts) if parts else 0, lost


def _empty(work: Path) -> None:
    """Remove what was staged, and what a killed one has left."""
    for left in work.iterdir():
        left.unlink()
