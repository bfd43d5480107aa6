"""What every test of the collector may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .served import Served, collected


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve a collector."""
    with collected(tmp_path_factory.mktemp("collector") / "home") as served:
        yield served
