"""Homes with facts in them, made through the public door."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from plait import desk
from plait.facts import Fact
from plait.store import LOADS, Store

NOW = datetime(2030, 1, 2, tzinfo=UTC)
Wait = tuple[str, int, str, str]  # source, events, from when, until when


def stored(home: Path, facts: Iterable[Fact], name: str = "test") -> Store:
    """Add facts to a home and give its store."""
    loaded = desk.add(home, facts, name=name, now=NOW)
    assert all(file.refused == 0 for file in loaded), loaded
    return Store.open(home)


def waited(home: Path, waits: Sequence[Wait]) -> None:
    """Write down segments as sealing does."""
    rows = [
        dict.fromkeys(LOADS.names, 0)
        | {"source": source, "file": f"inbox/{number}", "digest": str(number), "rows": events}
        | {"received_at": datetime.fromisoformat(since), "recorded_at": datetime.fromisoformat(until)}
        for number, (source, events, since, until) in enumerate(waits)
    ]
    Store.open(home).loads.append(pa.Table.from_pylist(rows, LOADS), {})
