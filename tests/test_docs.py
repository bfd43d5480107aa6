"""Docs: what is public is documented, what is documented runs, what is generated is up to date."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import click
import pytest
from click.testing import CliRunner
from stories import Story, told

from plait import desk
from plait.cli import main
from plait.demo import END, write_demo
from plait.facts import KINDS
from plait.measure import registry
from plait.settings import Settings

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")]


def blocks(page: Path, language: str) -> list[str]:
    """Give the code blocks of a page in one language."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text("utf-8"), re.DOTALL)


def console_examples(page: Path) -> Iterator[tuple[str, str]]:
    """Give each `$ command` of a page with what it is said to print."""
    for block in blocks(page, "console"):
        if block.startswith("$ plait"):
            command, _, printed = block.partition("\n")
            yield command[2:], printed


def load_module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the home that `make demo` makes."""
    home = tmp_path_factory.mktemp("demo")
    mapping = write_demo(home / "demo")
    desk.set_up(home, Settings("Europe/Berlin", "EUR"))
    desk.load(home, home / "demo" / "exports", mapping, now=datetime.combine(END, datetime.min.time(), UTC))
    return home


def test_generated_pages_are_up_to_date() -> None:
    generate = load_module(DOCS / "generate.py")
    assert (DOCS / "kinds.md").read_text("utf-8") == generate.kinds_page(), "run `make docs`"
    assert (DOCS / "measures.md").read_text("utf-8") == generate.measures_page(), "run `make docs`"


def test_the_page_on_attribution_tells_the_demos_truth(demo: Path) -> None:
    told = load_module(DOCS / "demo_truth.py")
    page = (DOCS / "attribution.md").read_text("utf-8")
    assert told.section(demo) in page, "run `make docs`"


@pytest.mark.parametrize("name", sorted(registry))
def test_every_measure_is_documented(name: str) -> None:
    assert f"\n## {name}\n" in (DOCS / "measures.md").read_text("utf-8"), f"{name} is missing: run `make docs`"


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_kind_is_documented(name: str) -> None:
    assert f"| `{name}` |" in (DOCS / "kinds.md").read_text("utf-8"), f"{name} is missing: run `make docs`"


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_is_documented(name: str) -> None:
    text = "".join(page.read_text("utf-8") for page in PAGES)
    assert re.search(rf"plait (--home \S+ )?{name}\b", text), f"no page shows `plait {name}`"
    command = main.commands[name]
    assert command.help
    if isinstance(command, click.Group) and name != "show":
        assert all(child.help for child in command.commands.values())


@pytest.mark.parametrize(("command", "printed"), list(console_examples(ROOT / "README.md")))
def test_the_readme_tells_the_truth(command: str, printed: str, demo: Path) -> None:
    result = CliRunner().invoke(main, shlex.split(command)[1:], env={"PLAIT_HOME": str(demo)})
    assert result.exit_code == 0, result.output
    assert [line.rstrip() for line in result.output.rstrip().splitlines()] == printed.rstrip().splitlines()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_measure_of_the_walk_through_works(tmp_path: Path) -> None:
    measure, test = blocks(DOCS / "add-a-measure.md", "python")
    path = tmp_path / "answer_time.py"
    path.write_text(measure)
    try:
        module = load_module(path)
        test = test.replace("from plait.measures.answer_time import answer_time\n", "")
        namespace: dict[str, object] = {"answer_time": module.answer_time}
        exec(compile(test, "walk-through", "exec"), namespace)  # noqa: S102 - our own docs
        run = namespace["test_a_ticket_without_an_answer_is_open"]
        assert callable(run)
        run(Story(told(run.__doc__ or "")))
    finally:
        registry.pop("answer_time", None)


def test_the_source_of_the_walk_through_works(tmp_path: Path) -> None:
    (export,) = blocks(DOCS / "add-a-source.md", "csv")
    (mapping,) = blocks(DOCS / "add-a-source.md", "toml")
    (tmp_path / "tickets.csv").write_text(export)
    (tmp_path / "desk.toml").write_text(mapping)
    arguments = ["--home", str(tmp_path / "mine"), "load", str(tmp_path / "tickets.csv")]
    result = CliRunner().invoke(main, [*arguments, "--mapping", str(tmp_path / "desk.toml")])
    assert result.exit_code == 0, result.output
    assert "tickets.csv line 4: quantity '6': quantity out of bounds" in result.output
    assert "control total desk ticket.opened: 2 facts holds" in result.output
    assert "4 facts added" in result.output


def test_the_mapping_of_the_five_minutes_is_valid(tmp_path: Path) -> None:
    (mapping,) = blocks(DOCS / "getting-started.md", "toml")
    (tmp_path / "crm.toml").write_text(mapping)
    header, row = "deal_id,created,account_id,amount,stage,closed", "1,2026-01-05,A1,900,Won,2026-02-01"
    (tmp_path / "deals.csv").write_text(f"{header}\n{row}\n")
    home = tmp_path / "mine"
    desk.load(home, tmp_path / "deals.csv", tmp_path / "crm.toml", now=datetime(2026, 3, 1, tzinfo=UTC))
    table = desk.show(home, "win_rate", {"by": "month"}, now=datetime(2026, 3, 1, tzinfo=UTC))
    assert [(row["cohort"], row["won"], row["win_rate"]) for row in table.records()] == [("2026-02", 1, 1.0)]
