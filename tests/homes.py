"""Homes with facts in them, made through the public door."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from plait import desk
from plait.delta import locked
from plait.demo import END, write_demo
from plait.facts import Fact
from plait.settings import Settings
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


def demo(folder: Path, folders: pytest.TempPathFactory) -> Path:
    """Give a home of the demo company's exports; processes that share the work make it once and copy it."""
    base = folders.getbasetemp()
    kept = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "demo-home"
    with locked(kept.with_suffix(".lock")):
        if not kept.exists():
            made = kept.with_suffix(".made")
            mapping = write_demo(made / "demo")
            desk.set_up(made, Settings("Europe/Berlin", "EUR", END))
            desk.load(made, made / "demo" / "exports", mapping, now=datetime(2026, 7, 2, tzinfo=UTC))
            made.rename(kept)
    return Path(shutil.copytree(kept, folder, dirs_exist_ok=True))
