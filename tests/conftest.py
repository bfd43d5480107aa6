"""What every test may ask for."""

from __future__ import annotations

import pytest
from stories import Story, told

from plait.measures import load_measures

load_measures()


@pytest.fixture
def story(request: pytest.FixtureRequest) -> Story:
    """Give the facts told in the test's docstring, a line each.

    A line reads `account  day[Thh:mm]  kind  [amount CUR] [field=value ...]`.
    """
    return Story(told(request.function.__doc__ or ""))
