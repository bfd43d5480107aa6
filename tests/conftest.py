"""What every test may ask for."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest
from stories import Story, told

from plait.measures import load_measures

load_measures()

# Where several processes share the work, the longest files come first: one that begins last is waited for alone.
LONGEST = (
    "test_engines", "web/test_rights", "web/test_pages", "web/test_browser", "test_measures", "web/test_api",
    "collector/test_sdks", "web/test_results", "collector/test_contract", "collector/test_links", "test_seal",
    "collector/test_overload", "test_kills", "web/test_postgres", "test_attribution", "web/test_mcp",
    "web/test_worker", "web/test_boards", "web/test_attribution_page", "test_clv", "web/test_value_page",
    "test_paths_truth", "test_ledger", "test_replay", "test_docs", "test_timeline", "test_identity",
)  # fmt: skip
# They ask the same of the demo company's home: one process keeps its answers for all of them.
TOGETHER = {"web/test_rights", "web/test_pages", "web/test_api", "web/test_results", "web/test_boards"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch that sends every story through a real store; without it they are answered from memory."""
    parser.addoption("--stored", action="store_true", help="tell the stories to a store on disk")


def file_of(nodeid: str) -> str:
    """Name the file of a test as above."""
    return nodeid.split("::", 1)[0].removeprefix("tests/").removesuffix(".py")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the longest files first, in a process that shares the work with others."""
    if hasattr(config, "workerinput"):
        places = {name: place for place, name in enumerate(LONGEST)}
        items.sort(key=lambda item: places.get(file_of(item.nodeid), len(places)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:  # noqa: ANN401 - types of the plugin
    """Give each process a file at a time, in the order above, but those that belong together at once."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

    class Together(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return "together" if file_of(nodeid) in TOGETHER else super()._split_scope(nodeid)

    config.option.loadscopereorder = False
    return Together(config, log)


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
