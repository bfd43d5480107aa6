"""What every test may ask for."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from stories import Story, told

from plait.measures import load_measures

load_measures()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch that sends every story through a real store; without it they are answered from memory."""
    parser.addoption("--stored", action="store_true", help="tell the stories to a store on disk")


def pytest_collection_finish() -> None:
    """Look for garbage seldom: a query is made of many thousand small objects, and what was imported stays anyway."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Find what a file left open while its own say on warnings holds, not in a later one that has none."""
    if item.get_closest_marker("filterwarnings") and (nextitem is None or nextitem.path != item.path):
        gc.collect()


@pytest.fixture
def story(request: pytest.FixtureRequest, tmp_path: Path) -> Story:
    """Give the facts told in the test's docstring, a line each.

    A line reads `account  day[Thh:mm]  kind  [amount CUR] [field=value ...]`.
    """
    home = tmp_path / "home" if request.config.getoption("--stored") else None
    return Story(told(request.function.__doc__ or ""), home=home)
