"""`plait score`: how well the outcome in a file can be foretold from its other columns, without loading anything."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from plait.cli.plainly import JSON, Misuse, Refusal, plainly

if TYPE_CHECKING:
    from plait.cli.columns import Columns as File
    from plait.stats.chance.back_test import BackTest
    from plait.stats.chance.design import Array, Columns
    from plait.stats.chance.figures import Figures
    from plait.stats.chance.fit import Model

HAPPENED = ("yes", "true", "1", "won", "y")
SHOWN = 12
LATE = 0.01  # of the rows: less are slips of the pen


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks of a file."""

    outcome: str
    happened: str | None
    time: str | None
    share: float
    later: Sequence[str]
    before: Sequence[str]


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--outcome", required=True, metavar="NAME", help="The column of what is to be foretold.")
@click.option("--is", "happened", metavar="VALUE", help="The value that means yes (default: yes, true, 1 or won).")
@click.option("--time", metavar="NAME", help="The column that puts rows in order (default: the order of the file).")
@click.option(
    "--train-share", "share", type=click.FloatRange(0.1, 0.95), default=0.7, show_default=True,
    help="The part of the rows, the earliest, that is learned from; the others judge.",
)  # fmt: skip
@click.option("--known-later", "later", multiple=True, metavar="NAME", help="Leave out: known only after the outcome.")
@click.option(
    "--known-before", "before", multiple=True, metavar="NAME", help="Keep: known before, however well it fits."
)
@JSON
def score(file: Path, *, as_json: bool, **given: Any) -> None:  # noqa: ANN401 - as clicked
    """Say how well the outcome in FILE is foretold: learned from early rows, judged by later ones.

    A column that is known only once the outcome is would make any model look good; it is looked for and refused until
    you say which it is. Nothing is loaded and no home is needed: docs/scores.md.
    """
    with plainly():
        from plait.stats.chance.back_test import back_test
        from plait.stats.chance.leaks import find_leaks, times

        asked = Asked(**given)
        columns, happened, late = read(file, asked)
        cut = int(happened.size * asked.share)
        early = {name: column for name, column in columns.items() if name not in late}
        leaks = find_leaks(early, happened, times(happened.size), cut=cut, known_before=asked.before)
        found = {**late, **{leak.column: leak.says for leak in leaks}}
        if found:
            said = "\n".join(f"- {says}" for says in found.values())
            names = " ".join(f"--known-later {column!r}" for column in found)
            raise Refusal(
                f"{file.name}: {len(found)} of {len(columns)} columns look as if they were known only after the "
                f"outcome; no model is made of them.\n{said}\nLeave them out: {names}. Or, where you are sure that it "
                "is known before, say so: --known-before NAME."
            )
        test, model = back_test(columns, happened, cut=cut)
    told = _told(test, model, columns, happened)
    if as_json:
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        for line in in_words(test, told):
            click.echo(line)


def read(path: Path, asked: Asked) -> tuple[Columns, Array, dict[str, str]]:
    """Read a file: numbers where all of a column are, else texts; and whether the outcome happened in each row.

    Also what must be said of the columns whose instants lie after the row's own, where `time` names one.
    """
    from plait.cli.columns import opened

    with opened(path, numbered=False) as file:
        outcome = file.named(asked.outcome)
        time = file.named(asked.time) if asked.time else None
        left_out = {outcome, time, *(file.named(name) for name in asked.later)}
        for name in asked.before:
            file.named(name)
        order = _order(file, time)
        happened = _happened(file, outcome, asked.happened)[order]
        columns = {name: _column(file, name)[order] for name in file.names if name not in left_out}
        late = _late(file, time, [name for name in columns if name not in asked.before]) if time else {}
    if not columns:
        raise Misuse(f"{path.name} has no column but the outcome; nothing to foretell it from.")
    return columns, happened, late


def _late(file: File, time: str, names: Sequence[str]) -> dict[str, str]:
    """Find columns of instants that lie after the instant of their row: they were written once it was over."""
    from plait.duck import identifier

    found, row_at = {}, f"try_cast(trim({identifier(time)}) as timestamp)"
    for name in names:
        text = f"nullif(trim({identifier(name)}), '')"
        filled, dated, after = file.engine.execute(
            f"select count({text}), count(try_cast({text} as timestamp)), "
            f"count(*) filter (try_cast({text} as timestamp) > {row_at}) from lines"
        ).fetchall()[0]
        if filled and dated == filled and after > LATE * filled:
            found[name] = (
                f"{name!r} lies after {time!r} in {after:,} of {filled:,} rows that have it: it was not known then."
            )
    return found


def _order(file: File, time: str | None) -> Any:  # noqa: ANN401 - an array of places
    import numpy as np

    if time is None:
        return slice(None)
    column = _column(file, time)
    return np.argsort(column if column.dtype != object else column.astype(str), kind="stable")


def _column(file: File, name: str) -> Any:  # noqa: ANN401 - numbers or texts
    import numpy as np

    from plait.duck import identifier

    number = file.number(name)
    texts = file.engine.execute(
        f"select count(*) from lines where nullif(trim({identifier(name)}), '') is not null and {number} is null"
    ).fetchall()[0][0]
    if texts:
        return np.array([str(one or "").strip() for one in file.texts(name).to_pylist()], object)
    return np.asarray(file.arrow(f"select {number} from lines order by rowid").to_numpy(zero_copy_only=False), float)


def _happened(file: File, outcome: str, happened: str | None) -> Array:
    """Tell of each row whether the outcome happened; a column without a clear yes is refused."""
    import numpy as np

    told = [str(one or "").strip().lower() for one in file.texts(outcome).to_pylist()]
    values = sorted(set(told))
    wanted = [happened.strip().lower()] if happened else [one for one in HAPPENED if one in values]
    if len(wanted) != 1 or wanted[0] not in values:
        shown = ", ".join(repr(one) for one in values[:SHOWN]) + (", ..." if len(values) > SHOWN else "")
        raise Misuse(f"{outcome!r} has the values {shown}; say which of them means that it happened: --is VALUE.")
    if len(values) == 1:
        raise Refusal(f"{outcome!r} is {values[0]!r} in every row; there is nothing to tell apart.")
    return np.array([one == wanted[0] for one in told], np.float64)


def _told(test: BackTest, model: Model, columns: Columns, happened: Array) -> dict[str, Any]:
    """Give it as JSON."""
    import numpy as np

    from plait.stats.chance.back_test import gate

    parts = {name: float(np.std(part)) for name, part in model.contributions(columns).items()}
    return {
        **test.told(), "rows": int(happened.size), "events": int(happened.sum()), "parameters": len(model.features),
        "calibration": {"slope": model.slope, "shift": model.shift}, "against_it": [str(one) for one in gate(test)],
        "columns": dict(sorted(parts.items(), key=lambda part: (-part[1], part[0]))),
    }  # fmt: skip


def in_words(test: BackTest, told: Mapping[str, Any]) -> Iterator[str]:
    """Say it as people read it."""
    from plait.cli.value import _aligned

    later = told["rows"] - test.learned_from
    yield (
        f"{told['rows']:,} rows in order: learned from the first {test.learned_from:,} ({test.base:.1%} yes, "
        f"{told['parameters']} parameters), judged by the last {later:,} ({test.model.events / later:.1%} yes)"
    )
    yield ""
    yield from figures_in_words(test)
    yield ""
    most = list(told["columns"].items())[:SHOWN]
    yield from _aligned([("column", "moves the log-odds by"), *((name, f"{size:.3f}") for name, size in most)])
    yield ""
    if not told["against_it"]:
        yield "nothing stands against putting this model to use"
    yield from (f"! not to be used as it is: {one}" for one in told["against_it"])


def figures_in_words(test: BackTest) -> Iterator[str]:
    """Say what a model was worth beside other ways to foretell."""
    from plait.cli.value import _aligned

    head = ("", "AUC", "95 % interval", "lift", "slope", "intercept", "came/foretold", "Brier")
    rate = ("one rate for all", "0.500", "", "1.00", "", "", "", f"{test.model.brier_base:.4f}")
    lines = [_line("this model", test.model), *(_line(name, one) for name, one in test.against.items()), rate]
    yield from _aligned([head, *lines])
    yield "lift: how often it came in the tenth of whom most was foretold, against all"
    yield "calibrated: slope 1, intercept 0, as much came as was foretold"
    yield ""
    tenths = [(f"{one.number}", f"{one.rows:,}", f"{one.foretold:.1%}", f"{one.came:.1%}") for one in test.model.tenths]
    yield from _aligned([("tenth", "rows", "foretold", "came"), *tenths])


def _line(name: str, one: Figures) -> tuple[str, ...]:
    between = f"{one.auc_low:.3f} to {one.auc_high:.3f}"
    told = [("", ".2f"), ("", ".2f"), ("", ".2f"), ("", ".4f")]
    numbers = (one.slope, one.intercept, one.came_to_foretold, one.brier)
    shown = ["" if number is None else format(number, form) for number, (_n, form) in zip(numbers, told, strict=True)]
    return (name, f"{one.auc:.3f}", between, f"{one.lift:.2f}", *shown)
