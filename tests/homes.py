"""Homes with facts in them, made through the public door."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from plait import desk
from plait.facts import Fact
from plait.store import Store

NOW = datetime(2030, 1, 2, tzinfo=UTC)


def stored(home: Path, facts: Iterable[Fact], name: str = "test") -> Store:
    """Add facts to a home and give its store."""
    loaded = desk.add(home, facts, name=name, now=NOW)
    assert all(file.refused == 0 for file in loaded), loaded
    return Store.open(home)
