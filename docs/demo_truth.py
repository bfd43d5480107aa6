"""Write the generated part of docs/attribution.md: the models against the truth of the demo company. `make docs`."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from plait import desk
from plait.demo import END, write_demo
from plait.settings import Settings

HERE = Path(__file__).parent
PAGE = HERE / "attribution.md"
BEGIN, END_OF = "<!-- generated: demo -->", "<!-- end of generated -->"
MODELS = ("first", "last", "linear", "position", "decay", "w", "equal", "markov", "response", "stage_credit")
NOW = datetime.combine(END, datetime.min.time(), UTC)
Shares = dict[str, float]


def write() -> None:
    """Put the generated part in place of the old one."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        mapping = write_demo(home / "demo")
        desk.set_up(home, Settings("Europe/Berlin", "EUR"))
        desk.load(home, home / "demo" / "exports", mapping, now=NOW)
        before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{section(home)}{END_OF}{rest.partition(END_OF)[2]}", "utf-8")


def section(home: Path) -> str:
    """Give the generated part for the home of the demo company."""
    truth = json.loads((home / "demo" / "truth.json").read_text("utf-8"))
    wins = {
        row["channel"]: max(0.0, row["expected_incremental_wins"]) for row in [*truth["channels"], truth["affiliate"]]
    }
    given = {model: credit(home, model) for model in MODELS}
    names = sorted(wins, key=lambda name: (-wins[name], name))
    told = "|".join(f" {model} " for model in MODELS)
    lines = [
        "",
        (
            f"Of {truth['wins']['all']} won deals the channels caused {sum(wins.values()):.1f} in expectation; all "
            "others would have come anyway. Conversions by channel:"
        ),
        "",
        f"| channel | truly caused |{told}|",
        "|---|" + "---:|" * (len(MODELS) + 1),
        *(
            f"| {name} | {wins[name]:.1f} |" + "|".join(f" {given[m].get(name, 0.0):.1f} " for m in MODELS) + "|"
            for name in names
        ),
        "| **credit that goes to the wrong channel** | |"
        + "|".join(f" **{wrong(given[m], wins):.2f}** " for m in MODELS)
        + "|",
        "",
    ]
    return "\n".join(lines)


def credit(home: Path, model: str) -> Shares:
    """Give the conversions that a model credits to each channel."""
    measure, options = (model, {}) if model == "stage_credit" else ("attribution", {"model": model})
    table = desk.show(home, measure, options, now=NOW)
    return {str(row["channel"]): float(str(row["credit"])) for row in table.records()}


def wrong(given: Shares, true: Shares) -> float:
    """Give half the sum of differences between the shares of credit and the true ones, over the channels."""
    whole = sum(given.get(name, 0.0) for name in true)
    return sum(abs(given.get(name, 0.0) / whole - true[name] / sum(true.values())) for name in true) / 2
