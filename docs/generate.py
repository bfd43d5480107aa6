"""Write the pages that are generated. `make docs` runs it; a test fails when a page is behind."""

from __future__ import annotations

from pathlib import Path

from plait.facts import KINDS, Kind
from plait.measure import Measure, registry
from plait.measures import load_measures

HERE = Path(__file__).parent
KINDS_INTRO = (
    "A fact is of one of these {} kinds. An unknown kind is refused with the nearest name. Besides what a kind needs, "
    "every fact has `source`, `id`, `kind`, `occurred_at`, `recorded_at`; the amount is always positive, the kind "
    "tells the direction."
)
MEASURES_INTRO = (
    "Generated from the measures' docstrings by `make docs`. Ask one with `plait show NAME`; every answer carries its "
    "definition, version and query."
)


def kinds_page() -> str:
    """Give docs/kinds.md."""
    lines = [
        "# Kinds: what can happen",
        "",
        "Generated from `plait/facts.py` by `make docs`.",
        "",
        KINDS_INTRO.format(len(KINDS)),
    ]
    for stage in dict.fromkeys(kind.stage for kind in KINDS.values()):
        lines += ["", f"## {stage.capitalize()}", "", "| kind | means | owner | needs |", "|---|---|---|---|"]
        lines += [_kind_row(kind) for kind in KINDS.values() if kind.stage == stage]
    return "\n".join(lines) + "\n"


def _kind_row(kind: Kind) -> str:
    needs = ", ".join(f"`{name}`" for name in kind.needs)
    if kind.between:
        needs += f" from {kind.between[0]} to {kind.between[1]}"
    return f"| `{kind.name}` | {kind.means} | {kind.owner} | {needs} |"


def measures_page() -> str:
    """Give docs/measures.md."""
    load_measures()
    lines = [
        "# Measures: questions with a definition",
        "",
        MEASURES_INTRO,
        "",
    ]
    measures = [measure for _, measure in sorted(registry.items())]
    lines += [f"* [{measure.name}](#{measure.name}): {measure.means.partition(chr(10))[0]}" for measure in measures]
    for measure in measures:
        lines += ["", *_measure_lines(measure)]
    return "\n".join(lines) + "\n"


def _measure_lines(measure: Measure) -> list[str]:
    lines = [f"## {measure.name}", "", measure.means, ""]
    one, other = measure.signers
    head = f"Owner: {measure.owner}. Version {measure.version}. One row per {measure.grain}. "
    parent = f" Helps to explain [{measure.parent}](#{measure.parent})." if measure.parent else ""
    lines += [f"{head}Class: {measure.sort}; to be signed by {one} and {other}.{parent}", ""]
    lines += ["| column | unit |", "|---|---|", *(f"| `{name}` | {unit} |" for name, unit in measure.columns.items())]
    if measure.options:
        lines += ["", "| option | allowed | default |", "|---|---|---|"]
    for option in measure.options.values():
        default = ",".join(option.default) if isinstance(option.default, tuple) else option.default
        default = "none" if default is None else default
        lines.append(f"| `--{option.name.replace('_', '-')}` | {option.allowed()} | {default} |")
    if measure.origin:
        lines += ["", f"After {measure.origin}."]
    return lines


if __name__ == "__main__":
    (HERE / "kinds.md").write_text(kinds_page(), "utf-8")
    (HERE / "measures.md").write_text(measures_page(), "utf-8")
    import back_test
    import demo_truth
    import known_exports

    known_exports.write()
    demo_truth.write()
    if back_test.DATA.exists():
        back_test.write()
