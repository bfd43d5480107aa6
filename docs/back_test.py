"""Write the generated part of docs/value.md: the forecast tried on what came. `make docs` runs it where the data are.

The data are the public purchases of a shop for CDs (CDNOW: a cohort of the first quarter of 1997, observed until June
1998), beside the checkout; they are no part of plait.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from plait.cli.histories import EPOCH, Asked, read_history
from plait.stats.clv.back_test import FITS, BackTest, Group, back_test, model_error
from plait.stats.clv.rows import Purchases, collapse, summarise
from plait.stats.clv.value import Plan, Total, total_purchases

HERE = Path(__file__).parent
DATA = HERE.parents[1] / "shared" / "data" / "cdnow"
PAGE = HERE / "value.md"
BEGIN, END = "<!-- generated: back-test -->", "<!-- end of generated -->"
BEGAN, SPLIT, UNTIL = date(1997, 1, 1), date(1997, 9, 30), date(1998, 6, 30)
PAST = (139, 181, 223)  # days since BEGAN: ends of the weeks 20, 26, 32
WEEKS = 39
MODELS = ("bg-nbd", "mbg-nbd")


def write() -> None:
    """Put the generated part in place of the old one."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{section()}{END}{rest.partition(END)[2]}", "utf-8")


def section() -> str:
    """Give the generated part."""
    purchases = _purchases()
    tests = {model: back_test(purchases, model, origin=_day(SPLIT), until=_day(UNTIL)) for model in MODELS}
    lines = [
        "",
        f"{tests['bg-nbd'].customers:,} customers of the first quarter of 1997, fitted on what was known on {SPLIT};",
        f"then the {WEEKS} weeks after it, of which the model knew nothing.",
        "",
        *_totals(purchases, tests),
        "",
        *_by_frequency(tests["bg-nbd"]),
        "",
        *_by_tenth(tests["bg-nbd"]),
        "",
    ]
    return "\n".join(lines) + "\n"


def _purchases() -> Purchases:
    read = read_history(DATA / "CDNOW_master.txt", Asked("bg-nbd", until=UNTIL)).purchases
    assert read is not None  # noqa: S101 - it is a log
    return read


def _day(day: date) -> int:
    return day.toordinal() - EPOCH


def _totals(purchases: Purchases, tests: dict[str, BackTest]) -> Iterator[str]:
    """Say what was expected of all together, with both intervals, and what came."""
    past = {
        model: [back_test(purchases, model, origin=_day(BEGAN) + day, until=_day(SPLIT)) for day in PAST]
        for model in MODELS
    }
    yield "| model | expected | came | came by expected | 95 % by chance and parameters | 95 % with model error |"
    yield "|---|---:|---:|---:|---|---|"
    rows = collapse(summarise(purchases, _day(SPLIT)))
    for model, test in tests.items():
        fit, plan = FITS[model](rows), Plan((UNTIL - SPLIT).days / 7)
        blind, told = (total_purchases(fit, rows, plan, model=off) for off in (None, model_error(past[model])))
        yield (
            f"| {model} | {test.expected:,.0f} | {test.actual:,.0f} | {test.actual / test.expected:.3f} | "
            f"{_holds(blind, test)} | {_holds(told, test)} |"
        )
    yield ""
    yield (
        "Model error is how far off the forecast would have been before: made at the ends of the weeks 20, 26 and 32, "
        f"looked at until {SPLIT}. Came by expected was then:"
    )
    yield ""
    for model, ones in past.items():
        ratios, off = ", ".join(f"{one.actual / one.expected:.3f}" for one in ones), model_error(ones)
        yield (
            f"* {model}: {ratios}; root mean square of the logs {off.rms:.4f}, times {off.factor:.2f} (Student's t, "
            f"{off.origins} degrees of freedom) a half width of {off.factor * off.rms:.1%}"
        )
    yield from _money(tests["bg-nbd"])


def _holds(total: Total, test: BackTest) -> str:
    assert total.low is not None  # noqa: S101 - of purchases it always is
    assert total.high is not None  # noqa: S101
    verdict = "holds it" if total.low <= test.actual <= total.high else "**misses it**"
    return f"{total.low:,.0f} to {total.high:,.0f}, {verdict}"


def _money(test: BackTest) -> Iterator[str]:
    if test.money is not None and test.spent is not None:
        yield ""
        yield (
            f"In money (bg-nbd with gamma-gamma): expected {test.money:,.0f}, came {test.spent:,.0f}, came by expected "
            f"{test.spent / test.money:.3f}."
        )


def _by_frequency(test: BackTest) -> Iterator[str]:
    """Draw the calibration: customers by what they had bought before."""
    yield "**Calibration by frequency** (bg-nbd): customers by repeat purchases before the split."
    yield ""
    yield "| repeat purchases before | customers | expected of one | came of one |"
    yield "|---|---:|---:|---:|"
    names = [f"{one.name}{' or more' if one is test.frequency[-1] else ''}" for one in test.frequency]
    for name, one in zip(names, test.frequency, strict=True):
        yield f"| {name} | {one.customers:,} | {one.expected / one.customers:.2f} | {one.actual / one.customers:.2f} |"
    yield ""
    yield "```mermaid"
    yield "xychart-beta"
    yield '    title "Purchases of one customer after the split: came (bars), expected (line)"'
    yield f'    x-axis "repeat purchases before" [{", ".join(chr(34) + name + chr(34) for name in names)}]'
    yield '    y-axis "purchases"'
    yield f"    bar [{', '.join(f'{one.actual / one.customers:.2f}' for one in test.frequency)}]"
    yield f"    line [{', '.join(f'{one.expected / one.customers:.2f}' for one in test.frequency)}]"
    yield "```"


def _by_tenth(test: BackTest) -> Iterator[str]:
    """Say how far off each tenth of the customers was."""
    yield "**Error by tenth** (bg-nbd): customers from the tenth of whom most was expected to that of whom least was."
    yield ""
    yield "| tenth | customers | expected | came | off |"
    yield "|---:|---:|---:|---:|---:|"
    for one in test.tenths:
        yield f"| {one.name} | {one.customers:,} | {one.expected:,.0f} | {one.actual:,.0f} | {_off(one)} |"


def _off(group: Group) -> str:
    return f"{group.expected / group.actual - 1:+.0%}" if group.actual else "none came"


if __name__ == "__main__":
    write()
