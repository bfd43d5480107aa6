"""Leaks: columns that know the outcome, since they are filled in only once it is known.

Two signs. A column by itself foretells the outcome better than all others together. A value stands almost only beside
one outcome, as a date of signature does. Both are looked for among rows of the same time: what rises or falls over the
years, as rates of interest do, foretells between times and tells nothing within one; that is no leak. No figure can
tell a leak from an honest column that is just as good: who knows that a column is known before says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.failure import Said
from plait.stats.chance.design import Array, Columns, Flags, Texts, learn, matrix, take
from plait.stats.chance.figures import auc_interval, auc_within, midranks
from plait.stats.chance.fit import PENALTY, Z95

BLOCKS, BINS, PRIOR = 10, 10, 10.0
LEAST_EVENTS = 40  # to judge by
LEAST_ALONE, TOO_GOOD, MARGIN = 0.75, 0.95, 0.05
TWINS = 0.8  # rank correlation from which two columns say the same
LEAST_ROWS, ALMOST_ALL, TIMES, EXPECTED, HARDLY = 20, 0.9, 20.0, 30.0, 0.02
MOST = 8
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Leak:
    """A column that seems to know the outcome: `alone` and `others` are areas under ROC curves within one time.

    They are None where a value gave the column away.
    """

    column: str
    alone: float | None
    others: float | None
    says: str


def find_leaks(
    columns: Columns, happened: Array, block: Whole, *, cut: int, known_before: Collection[str] = ()
) -> list[Leak]:
    """Look for leaks in rows in the order of time; `block` names each row's time, `cut` the first row held out.

    `known_before` names columns of which somebody says that they are known before the outcome. With fewer than 40
    outcomes, early or late, nothing can be told, and nothing is found.
    """
    found = [leak for name in columns if name not in known_before
             for leak in _only_beside(name, columns[name], happened, block)]  # fmt: skip
    left = {name: column for name, column in columns.items() if name not in {leak.column for leak in found}}
    splits = _splits(happened, cut)
    while splits and len(left) > 1 and len(found) < MOST:
        leak = _strongest(left, happened, block, splits, known_before)
        if leak is None:
            break
        found.append(leak)
        left = {name: column for name, column in left.items() if name != leak.column}
    return found


def times(size: int, blocks: int = BLOCKS) -> Whole:
    """Give each of some rows in the order of time a block of rows that lie together."""
    return np.arange(size) * blocks // max(1, size)


def can_look(happened: Array, cut: int) -> bool:
    """Tell whether there are outcomes enough to tell columns that know them."""
    return bool(_splits(happened, cut))


def _splits(happened: Array, cut: int) -> list[tuple[Whole, Whole]]:
    """Give rows to learn from and to judge by: early and late ones, and every other row."""
    every = np.arange(happened.size)
    splits = [(every[:cut], every[cut:]), (every[::2], every[1::2])]
    return [] if any(_events(happened[rows]) < LEAST_EVENTS for pair in splits for rows in pair) else splits


def _events(happened: Array) -> float:
    return float(min(happened.sum(), happened.size - happened.sum()))


def _strongest(
    columns: Columns, happened: Array, block: Whole, splits: list[tuple[Whole, Whole]], known: Collection[str]
) -> Leak | None:
    """Give the column that foretells best by itself, if it is better than all others together in every split."""
    scores = {name: [_alone(columns[name], happened, *pair) for pair in splits] for name in columns}
    judged = [rows for _learned, rows in splits]
    within = {
        name: [auc_within(happened[rows], score, block[rows]) for score, rows in zip(told, judged, strict=True)]
        for name, told in scores.items()
    }
    best = [name for name in sorted(columns, key=lambda name: (-min(within[name]), name)) if name not in known]
    if not best or min(within[best[0]]) < LEAST_ALONE:
        return None
    name = best[0]
    twins = {other for other in columns if _alike(scores[name][0], scores[other][0]) >= TWINS}
    others = {other: column for other, column in columns.items() if other not in twins}
    together, clear = [], True
    for pair, alone, score in zip(splits, within[name], scores[name], strict=True):
        rest = _together(others, happened, block, *pair)
        _auc, low, high = auc_interval(happened[pair[1]], score)
        margin = max(MARGIN, (high - low) / 2)
        clear = clear and (alone >= rest + margin or alone >= TOO_GOOD)
        together.append(rest)
    return _dominant(name, within[name][0], together[0]) if clear else None


def _dominant(name: str, alone: float, others: float) -> Leak:
    says = Said(
        "{column!r} by itself foretells the outcome better than all other columns together (AUC {alone:.3f} against "
        "{others:.3f}, among later rows of the same time): that is what a column looks like that is known only after "
        "the outcome.",
        column=name, alone=alone, others=others,
    )  # fmt: skip
    return Leak(name, alone, others, says)


def _alone(column: Array | Texts, happened: Array, learned: Whole, judged: Whole) -> Array:
    """Foretell by one column: the rate of its tenth, or of its text, among the rows learned from."""
    group = _groups(column, learned)
    size = int(group.max()) + 1
    rows, came = np.bincount(group[learned], minlength=size), np.bincount(group[learned], happened[learned], size)
    rates = (came + PRIOR * happened[learned].mean()) / (rows + PRIOR)
    return np.asarray(rates[group[judged]], np.float64)


def _groups(column: Array | Texts, learned: Whole) -> Whole:
    if column.dtype == object:
        return np.asarray(np.unique(column.astype(str), return_inverse=True)[1], np.int64)
    numbers = column.astype(np.float64)
    seen = numbers[learned][~np.isnan(numbers[learned])]
    limits = np.unique(np.quantile(seen, np.linspace(0, 1, BINS + 1)[1:-1])) if seen.size else np.zeros(0)
    return np.where(np.isnan(numbers), limits.size + 1, np.searchsorted(limits, numbers, side="right"))


def _together(columns: Columns, happened: Array, block: Whole, learned: Whole, judged: Whole) -> float:
    """Tell how well columns together foretell within one time."""
    from sklearn.linear_model import LogisticRegression

    before = take(columns, learned)
    features = learn(before)
    if not features:
        return 0.5
    fitted = LogisticRegression(C=PENALTY, solver="newton-cholesky").fit(matrix(before, features), happened[learned])
    score = matrix(take(columns, judged), features) @ fitted.coef_[0]
    return auc_within(happened[judged], score, block[judged])


def _alike(one: Array, other: Array) -> float:
    """Give the size of the rank correlation of two scores."""
    ranks = [midranks(score) for score in (one, other)]
    spread = [float(rank.std()) for rank in ranks]
    if not all(spread):
        return 0.0
    product = float(((ranks[0] - ranks[0].mean()) * (ranks[1] - ranks[1].mean())).mean())
    return abs(product / (spread[0] * spread[1]))


def _only_beside(name: str, column: Array | Texts, happened: Array, block: Whole) -> Iterator[Leak]:
    """Give the first value that stands almost only beside one outcome."""
    base = np.bincount(block, happened) / np.maximum(np.bincount(block), 1)
    for value, mine in _values(column):
        rows, came = int(mine.sum()), float(happened[mine].sum())
        if rows < LEAST_ROWS or rows == mine.size:
            continue
        expected, elsewhere = float(base[block[mine]].sum()), float(happened[~mine].mean())
        low = _wilson(came, rows)
        only_won = low >= ALMOST_ALL and low * (1 - elsewhere) >= TIMES * elsewhere * (1 - low)
        if only_won or (expected >= EXPECTED and came <= HARDLY * expected):
            says = Said(
                "{column!r}: of {rows} rows with {value}, {came} have the outcome, where {expected:.0f} were to be "
                "expected: that is what a column looks like that is filled in only once the outcome is known.",
                column=name, rows=rows, value=value, came=int(came), expected=expected,
            )  # fmt: skip
            yield Leak(name, None, None, says)
            return


def _values(column: Array | Texts) -> Iterator[tuple[str, Flags]]:
    """Give the groups of rows that a column's being filled in may make."""
    if column.dtype != object:
        numbers = column.astype(np.float64)
        missing = np.isnan(numbers)
        if missing.any():
            yield Said("a number"), ~missing
        values, counts = np.unique(numbers[~missing], return_counts=True)
        if values.size > 2 and counts.max() * 2 > numbers.size:  # noqa: PLR2004 - a number that stands for "none"
            usual = values[counts.argmax()]
            yield Said("another number than {usual:g}", usual=float(usual)), ~missing & (numbers != usual)
        return
    texts = column.astype(str)
    empty = texts == ""
    if empty.any():
        yield Said("a text"), ~empty
    values, counts = np.unique(texts[~empty], return_counts=True)
    for value in values[counts >= LEAST_ROWS]:
        yield repr(str(value)), texts == value


def _wilson(came: float, rows: int) -> float:
    """Give the lower limit of a share, sure in 97.5 of 100 cases."""
    share, z2 = came / rows, Z95**2
    middle = share + z2 / (2 * rows)
    width = Z95 * np.sqrt(share * (1 - share) / rows + z2 / (4 * rows**2))
    return float((middle - width) / (1 + z2 / rows))
