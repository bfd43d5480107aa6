"""Credit: what the engine counts of journeys, and what the models of `plait.stats.paths` make of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import reduce
from typing import TYPE_CHECKING, Literal

import ibis
import ibis.expr.types as ir
import numpy as np

from plait.facts import CURRENCIES
from plait.failure import Said
from plait.measures._journeys import (
    BLOCKS,
    CENT,
    CONVERTED,
    ENDED,
    RULES,
    START,
    WHOLE,
    Journeys,
    Rule,
    currencies,
    moves,
    sets,
    shares,
)  # fmt: skip
from plait.stats.paths.money import apportioned
from plait.stats.paths.statistics import Rows, Statistics, from_counts

if TYPE_CHECKING:
    import pyarrow as pa

    from plait.stats.paths.credit import Credit

Model = Literal[
    "response", "markov", "markov-2", "shapley", "equal", "first", "last", "last_non_direct", "linear", "position",
    "decay", "w", "full_path",
]  # fmt: skip
ORDERS: dict[str, Literal[1, 2]] = {"markov": 1, "markov-2": 2}
MOVES = {1: "move", 2: "move after another"}
UNTOUCHED, BASELINE = "(no touch)", "(would have come anyway)"
NUMBERS = ("block", "a", "b", "c", "n", "k", "value")
LEAST = 1e-9
Money = list[Decimal | None]
Columns = dict[str, np.ndarray]


def counts(found: Journeys, models: Sequence[Model]) -> ir.Table:
    """Give all that models need of journeys, as rows of one table: what it counts, block, keys, and the counts.

    Every row adds up over units and days. Sets of channels: key `a`; moves: `a` before, `b` from, `c` to; a rule's
    shares: `a` the channel. `n` counts journeys (a rule's parts of `WHOLE`), `k` conversions, `value` money in `CENT`.
    """
    rules: list[Rule] = [rule for rule in RULES if rule in models]
    orders = [ORDERS[model] for model in models if model in ORDERS]
    tables = [
        counted_rows("channel", found.channels, a="code", name="name"),
        counted_rows("running", found.running.aggregate(n=found.running.count())),
        counted_rows("set", sets(found), a="mask"),
        counted_rows("currency", currencies(found.won), name="money_currency"),
        *(counted_rows(rule, shares(found, rule), a="code") for rule in rules),
    ]
    if found.known is not None:
        tables.append(counted_rows("known", found.known))
    if orders:
        order = max(orders)
        tables.append(counted_rows(MOVES[order], moves(found, order=order), a="before", b="origin", c="target"))
    return reduce(ibis.union, tables)


def in_order(rows: ir.Table) -> ir.Table:
    """Put rows of counts in order, so that a question has one answer to the last row."""
    return rows.order_by(["what", "block", "a", "b", "c", "name"])


def counted_rows(what: str, table: ir.Table, **names: str) -> ir.Table:
    """Give rows the columns of all, those that a table has not empty."""
    has = {name: table[names.get(name, name)] for name in (*NUMBERS, "name") if names.get(name, name) in table.columns}
    numbers = {name: has.get(name, ibis.literal(0)).cast("int64") for name in NUMBERS}
    return table.select(what=ibis.literal(what), **numbers, name=has.get("name", ibis.null("string")))


@dataclass(frozen=True, slots=True)
class Sums:
    """What the engine has counted: the sums that models take, and what stands beside them.

    `untouched` and `untouched_value` are conversions that no touch came before, and their money in parts of `CENT`.
    `currency` is that of all money, None where there is none or several.
    """

    statistics: Statistics
    untouched: int
    untouched_value: int
    currency: str | None

    @property
    def conversions(self) -> int:
        """Number of conversions, touched or not."""
        return self.statistics.conversions + self.untouched

    def money(self, parts: Sequence[int]) -> Money:
        """Give the parts of all money (in `CENT`) in the minor unit of its currency; together they are the whole."""
        return in_minor_units(parts, self.currency)

    def rounded(self, parts: Iterable[int | float] | None, size: int) -> Money:
        """Give amounts in parts of `CENT` as money; limits need not add up."""
        if parts is None or self.currency is None:
            return [None] * size
        unit = Decimal(1).scaleb(-CURRENCIES.get(self.currency, 2))
        return [(Decimal(round(part)) / CENT).quantize(unit, ROUND_HALF_UP) for part in parts]


def sums(counted: pa.Table) -> Sums:
    """Read what `counts` has told, in whatever order."""
    told = {
        what: columns_of(counted, what)
        for what in ("channel", "running", "set", "known", "currency", *MOVES.values(), *RULES)
    }
    named, known = told["channel"], len(told["known"]["n"]) > 0
    channels = [str(name) for name in named["name"][np.argsort(named["a"])]]
    groups = {name: np.concatenate([told["set"][name], told["known"][name]]) for name in NUMBERS}
    outside = (groups["a"] == 0) & (not known)
    met = {name: column[~outside] for name, column in groups.items()}
    rules = [rule for rule in RULES if len(told[rule]["n"])]
    statistics = from_counts(
        channels,
        blocks=BLOCKS,
        sets=Rows(met["block"], met["a"], met["n"], met["value"], met["k"]),
        transitions=next(
            (_steps(told, order, len(channels), known=known) for order in MOVES if _any(told, order)), None
        ),
        rules=_shares(told, rules) if rules else None,
        rule_names=rules,
        left_open=int(told["running"]["n"].sum()),
    )
    currencies = told["currency"]["name"]
    only = str(currencies[0]) if len(currencies) == 1 else None
    return Sums(statistics, int(groups["k"][outside].sum()), int(groups["value"][outside].sum()), only)


def columns_of(counted: pa.Table, what: str) -> Columns:
    """Read the rows that count one thing, a column each."""
    import pyarrow.compute as pc

    mine = counted.filter(pc.equal(counted.column("what"), what))
    told = {name: mine.column(name).cast("int64").to_numpy() for name in NUMBERS}  # an engine may add up in wider ones
    return told | {"name": np.array(mine.column("name").to_pylist(), object)}


def _any(told: Mapping[str, Columns], order: int) -> bool:
    return len(told[MOVES[order]]["n"]) > 0


def _steps(counts: Mapping[str, Columns], order: int, size: int, *, known: bool) -> Rows:
    """Give moves with the states numbered as models do: behind the channels stand START, or a conversion and an end."""
    moves = counts[MOVES[order]]
    keep = known | (moves["b"] != START) | (moves["c"] >= 0)
    told = {name: moves[name][keep] for name in NUMBERS}
    start = {START: size, CONVERTED: size, ENDED: size + 1}
    before, origin, target = (
        np.vectorize(lambda code: start.get(code, code), otypes=[np.int64])(told[name]) for name in "abc"
    )
    key = np.column_stack([before, origin, target][2 - order :])
    return Rows(told["block"], key, told["n"], told["value"])


def _shares(told: Mapping[str, Columns], rules: Sequence[Rule]) -> Rows:
    columns = {name: np.concatenate([told[rule][name] for rule in rules]) for name in NUMBERS}
    place = np.repeat(np.arange(len(rules)), [len(told[rule]["n"]) for rule in rules])
    return Rows(columns["block"], np.column_stack([place, columns["a"]]), columns["n"] / WHOLE, columns["value"])


def in_minor_units(parts: Sequence[int], currency: str | None) -> Money:
    """Round amounts in `CENT` to the minor unit, so that they add up to their rounded sum; None without a currency."""
    if currency is None:
        return [None] * len(parts)
    digits = CURRENCIES.get(currency, 2)
    total = int((Decimal(sum(map(int, parts))) / CENT).scaleb(digits).to_integral_value(ROUND_HALF_UP))
    return [Decimal(int(part)).scaleb(-digits) for part in apportioned(total, np.asarray(parts, np.float64))]


def credited(sums: Sums, model: Model, *, level: float | None = None) -> Credit:
    """Share the conversions out by a model; without a `level` there are no intervals. Refuses as `credit` does."""
    from plait.stats.paths.credit import credit  # scipy, which only an answer needs

    if level is None:
        return credit(sums.statistics, model, interval="none")
    return credit(sums.statistics, model, level=level)


def remarks(made: Credit) -> list[str]:
    """Say what must be known beside a model's credit."""
    how = [] if made.interval is None else [Said("Intervals: {how}.", how=made.interval)]
    return [made.caution, *made.notes, *how]


@dataclass(frozen=True, slots=True)
class Part:
    """What one channel earned, by one model: conversions, their limits, money and its limits, and the strength."""

    name: str
    credit: float
    low: float | None
    high: float | None
    value: Decimal | None
    value_low: Decimal | None
    value_high: Decimal | None
    strength: float | None


def parts(sums: Sums, credit: Credit) -> list[Part]:
    """Give what each channel earned, and in rows of their own what nobody earned: together it is all there is."""
    size = len(credit.channels)
    nothing = np.zeros(size, np.int64)
    earned = nothing if credit.value is None else credit.value
    values = sums.money([*earned, credit.baseline_value, sums.untouched_value])
    low, high = (sums.rounded(side, size) for side in (credit.value_low, credit.value_high))
    rows = [
        Part(
            name, float(credit.credit[place]), _at(credit.low, place), _at(credit.high, place), values[place],
            low[place], high[place], _at(credit.effect, place),
        )
        for place, name in enumerate(credit.channels)
    ]  # fmt: skip
    rows.sort(key=lambda part: (-part.credit, part.name))
    if credit.baseline > LEAST:
        rows.append(Part(BASELINE, credit.baseline, None, None, values[-2], None, None, None))
    if sums.untouched:
        rows.append(Part(UNTOUCHED, float(sums.untouched), None, None, values[-1], None, None, None))
    return rows


def _at(column: np.ndarray | None, place: int) -> float | None:
    return None if column is None else float(column[place])
