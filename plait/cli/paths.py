"""`plait paths`: who earned the conversions of a file of paths; needs no home."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from plait.cli.plainly import JSON, Misuse, plainly

if TYPE_CHECKING:
    from plait.cli.path_file import Read
    from plait.failure import Unfit
    from plait.stats.paths.credit import Credit
    from plait.stats.paths.statistics import Statistics

MODELS = (
    "response", "markov", "markov-2", "shapley", "equal", "first", "last", "last-non-direct", "linear", "position",
    "decay", "all",
)  # fmt: skip
WIDTH = 120
SHOWN = 4  # digits of a credit


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--model", type=click.Choice(MODELS), default="response", show_default=True, help="What credits; all: side by side."
)
@click.option(
    "--level", type=click.FloatRange(0.5, 0.999), default=0.9, show_default=True, help="Level of the intervals."
)
@click.option(
    "--interval",
    type=click.Choice(["auto", "bootstrap", "blocks", "quick", "none"]),
    default="auto",
    show_default=True,
    help="How intervals are made; quick: markov only, too narrow.",
)
@click.option("--seed", type=click.IntRange(0), help="Chance of the intervals begins here (default: always the same).")
@click.option("--path", default="path", show_default=True, help="Column: the path, with --separator between channels.")
@click.option("--separator", default=">", show_default=True, help="What stands between the channels of a path.")
@click.option(
    "--conversions",
    help="Column: conversions of the path [total_conversions]; of a log: 1 where it converted [converted].",
)
@click.option("--value", help="Column: worth of the conversions [total_conversion_value; of a log: value].")
@click.option("--nulls", help="Column: how often the path did not convert [total_null].")
@click.option("--direct", multiple=True, metavar="NAME", help="A channel that last-non-direct passes over.")
@click.option("--unit", help="Column of a log of touches: the customer. Makes FILE a log, a row for each touch.")
@click.option("--at", default="at", show_default=True, help="Column of a log: when.")
@click.option("--channel", default="channel", show_default=True, help="Column of a log: the channel.")
@click.option(
    "--lookback", type=click.IntRange(1), default=90, show_default=True, help="Log: days that a touch counts."
)
@click.option(
    "--open-days",
    type=click.FloatRange(0),
    help="Log: days that a journey may still convert (default: what 90 % took).",
)
@click.option(
    "--half-life",
    type=click.FloatRange(0, min_open=True),
    default=7.0,
    show_default=True,
    help="Log: days in which decay halves.",
)
@JSON
def paths(
    file: Path,
    *,
    model: str,
    level: float,
    interval: str,
    seed: int | None,
    half_life: float,
    as_json: bool,
    **told: Any,  # noqa: ANN401 - the other options, as `_read` takes them
) -> None:
    """Say who earned the conversions of FILE: aggregated paths, or with --unit a log of touches.

    docs/attribution.md tells what each model estimates.
    """
    from plait.stats.paths.counting import counted

    if interval == "quick" and model != "markov":
        raise Misuse("--interval quick draws the steps of a walk; it goes with --model markov only.")
    with plainly():
        read = _read(file, **told)
        statistics = counted(read.journeys, half_life)
        names = (
            (model,)
            if model != "all"
            else tuple(name for name in MODELS[:-1] if told["direct"] or "direct" not in name)
        )
        found, refused = _credits(statistics, names, level, interval, seed)
        if not found:
            raise refused[names[0]]
    if as_json:
        import simplejson

        one = model != "all"
        record = _record(found[model], read) if one else _records(found, refused, read)
        click.echo(simplejson.dumps(record, indent=2, ensure_ascii=False))
    elif model == "all":
        _print_all(found, refused)
    else:
        _print(found[model], read)


def _read(
    file: Path,
    *,
    separator: str,
    direct: tuple[str, ...],
    lookback: int,
    open_days: float | None,
    **names: Any,  # noqa: ANN401 - names of columns, or None
) -> Read:
    from plait.cli.path_file import Columns, read_paths, read_touches

    conversions = names.pop("conversions") or ("converted" if names["unit"] else "total_conversions")
    columns = Columns(conversions=conversions, **names)
    if columns.unit is None:
        return read_paths(file, columns, separator=separator, direct=direct)
    return read_touches(file, columns, lookback=lookback, open_days=open_days, direct=direct)


def _credits(
    statistics: Statistics, names: tuple[str, ...], level: float, interval: str, seed: int | None
) -> tuple[dict[str, Credit], dict[str, Unfit]]:
    """Ask each model; give its credit, or why it has none."""
    from plait.failure import Unfit
    from plait.stats.paths.credit import NoConversions, credit
    from plait.stats.paths.intervals import SEED, replicated

    found: dict[str, Credit] = {}
    refused: dict[str, Unfit] = {}
    drawn = None
    if statistics.conversions and interval != "none":
        drawn = replicated(statistics, interval, seed=SEED if seed is None else seed)
    for name in names:
        try:
            found[name] = credit(
                statistics,
                name.replace("last-non-direct", "last_non_direct"),
                level=level,
                interval="none",
                replicates=drawn,
            )
        except NoConversions:
            raise
        except Unfit as error:
            refused[name] = error
    return found, refused


# -- JSON


def _record(found: Credit, read: Read) -> dict[str, object]:
    def money(amount: Any) -> Decimal | None:  # noqa: ANN401 - a numpy number
        return None if amount is None or read.decimals is None else Decimal(int(amount)).scaleb(-read.decimals)

    return {
        "model": found.model.replace("_", "-"),
        "estimates": found.estimates,
        "caution": found.caution,
        "rows": [_row(found, place, money) for place in _ordered(found)],
        "baseline": {"credit": found.baseline, "value": money(found.baseline_value)},
        "total_conversions": found.conversions,
        "total_conversion_value": money(found.total_value),
        "total_journeys": found.journeys,
        "left_open": found.left_open,
        "interval": {"level": found.level, "method": found.interval, "seed": found.seed},
        "notes": list(found.notes),
        "version": found.version,
    }


def _row(found: Credit, place: int, money: Any) -> dict[str, object]:  # noqa: ANN401
    def at(column: Any) -> Any:  # noqa: ANN401
        return None if column is None else column[place]

    def number(column: Any) -> float | None:  # noqa: ANN401
        return None if column is None else float(column[place])

    row: dict[str, object] = {
        "channel": found.channels[place],
        "credit": float(found.credit[place]), "low": number(found.low), "high": number(found.high),
        "share": float(found.credit[place]) / found.conversions,
        "value": money(at(found.value)),
        "value_low": money(at(found.value_low)), "value_high": money(at(found.value_high)),
    }  # fmt: skip
    if found.effect_means is not None:
        name = found.effect_means.replace(" ", "_")
        row |= {
            name: number(found.effect),
            f"{name}_low": number(found.effect_low),
            f"{name}_high": number(found.effect_high),
        }
    return row


def _records(found: dict[str, Credit], refused: dict[str, Unfit], read: Read) -> dict[str, object]:
    any_ = next(iter(found.values()))
    return {
        "model": "all",
        "models": [_record(one, read) for one in found.values()],
        "refused": {name: str(error.args[0]) for name, error in refused.items()},
        "disagreement": _disagreement(found),
        "total_conversions": any_.conversions,
        "total_journeys": any_.journeys,
    }


def _ordered(found: Credit) -> list[int]:
    return sorted(range(len(found.channels)), key=lambda place: (-found.credit[place], found.channels[place]))


def _disagreement(found: dict[str, Credit]) -> dict[str, object]:
    """Name the channel on which models differ most, in conversions."""
    some = next(iter(found.values()))

    def apart(place: int) -> float:
        return float(max(c.credit[place] for c in found.values()) - min(c.credit[place] for c in found.values()))

    place = max(range(len(some.channels)), key=apart)
    least = min(found, key=lambda name: found[name].credit[place])
    most = max(found, key=lambda name: found[name].credit[place])
    return {
        "channel": some.channels[place],
        "least": {"model": least, "credit": float(found[least].credit[place])},
        "most": {"model": most, "credit": float(found[most].credit[place])},
    }


# -- a terminal


def _print(found: Credit, read: Read) -> None:
    out, grid = _grid(found.model.replace("_", "-"), f": {found.estimates}")
    effect = found.effect_means
    interval = found.low is not None and found.high is not None
    for name in (
        "credit",
        *(["interval"] if interval else []),
        "share",
        *(["value"] if found.value is not None else []),
        *([effect] if effect else []),
    ):
        grid.add_column(name, justify="right")
    for place in _ordered(found):
        cells = [found.channels[place], _shown(found.credit[place])]
        if found.low is not None and found.high is not None:
            cells.append(f"{_shown(found.low[place])} to {_shown(found.high[place])}")
        cells.append(f"{found.credit[place] / found.conversions:.1%}")
        if found.value is not None and read.decimals is not None:
            cells.append(f"{Decimal(int(found.value[place])).scaleb(-read.decimals):,.{min(read.decimals, 3)}f}")
        if found.effect is not None:
            cells.append(f"{found.effect[place]:.4f}")
        grid.add_row(*cells)
    out.print(grid)
    if found.baseline > 0:
        out.print(f"no channel: {_shown(found.baseline)} of {found.conversions:,} conversions")
    out.print(f"{found.conversions:,} conversions of {found.journeys:,} journeys. {found.caution}", style="dim")
    if found.interval:
        out.print(f"{found.level:.0%} intervals: {found.interval}.", style="dim")
    for note in found.notes:
        out.print(f"! {note}", style="yellow")


def _print_all(found: dict[str, Credit], refused: dict[str, Unfit]) -> None:
    out, grid = _grid("all models", ": credit in conversions")
    for name in found:
        grid.add_column(name, justify="right")
    some = next(iter(found.values()))
    for place in _ordered(some):
        grid.add_row(some.channels[place], *(_shown(one.credit[place]) for one in found.values()))
    if any(one.baseline > 0 for one in found.values()):
        grid.add_row("no channel", *(_shown(one.baseline) for one in found.values()))
    out.width = max(out.width, 30 + 12 * len(found))
    out.print(grid)
    apart: Any = _disagreement(found)
    out.print(
        f"They differ most on {apart['channel']}: {_shown(apart['least']['credit'])} by {apart['least']['model']}, "
        f"{_shown(apart['most']['credit'])} by {apart['most']['model']}."
    )
    for name, one in found.items():
        out.print(f"{name}: {one.estimates}", style="dim")
    for name, error in refused.items():
        out.print(f"! {name}: {error.args[0]}", style="yellow")


def _grid(title: str, means: str) -> tuple[Any, Any]:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    out = Console(highlight=False, markup=False, emoji=False)
    out.width = out.width if out.is_terminal else WIDTH
    out.print(Text.assemble((title, "bold"), (means, "dim")))
    grid = Table(box=box.SIMPLE_HEAD)
    grid.add_column("channel")
    return out, grid


def _shown(number: Any) -> str:  # noqa: ANN401 - a numpy number
    return f"{number:,.1f}" if number >= 10 else f"{number:.{SHOWN - 2}f}"  # noqa: PLR2004
