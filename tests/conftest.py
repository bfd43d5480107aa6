"""What every test may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest
from stories import Story, told

from plait.measures import load_measures

load_measures()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch that sends every story through a real store; without it they are answered from memory."""
    parser.addoption("--stored", action="store_true", help="tell the stories to a store on disk")


@pytest.fixture
def story(request: pytest.FixtureRequest, tmp_path: Path) -> Story:
    """Give the facts told in the test's docstring, a line each.

    A line reads `account  day[Thh:mm]  kind  [amount CUR] [field=value ...]`.
    """
    home = tmp_path / "home" if request.config.getoption("--stored") else None
    return Story(told(request.function.__doc__ or ""), home=home)
