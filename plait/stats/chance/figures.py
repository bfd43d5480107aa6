"""Figures of a forecast: how well it ranks, how much better than chance its best tenth is, whether its chances hold."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from plait.stats.chance.design import Array
from plait.stats.chance.fit import Z95, line

TENTHS = 10
LEAST_IN_GROUP = 1


@dataclass(frozen=True, slots=True)
class Tenth:
    """A tenth of the rows, 1 those of whom most was foretold: rows, what was foretold on average, what came."""

    number: int
    rows: int
    foretold: float
    came: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What a forecast was worth on rows that it had not seen.

    `auc` with the limits that hold it in 95 of 100 cases; `lift` of the best tenth; `slope` and `intercept` of what
    came on the foretold logit (1 and 0 are calibrated; None for a score that is no chance), `came_to_foretold` the
    ratio of the two with its limits; `brier` and that of foretelling everybody the rate of the rows learned from.
    """

    rows: int
    events: int
    auc: float
    auc_low: float
    auc_high: float
    lift: float
    slope: float | None
    intercept: float | None
    came_to_foretold: float | None
    ratio_low: float | None
    ratio_high: float | None
    brier: float | None
    brier_base: float
    tenths: tuple[Tenth, ...]


def figures(happened: Array, score: Array, *, base: float, chance: bool = True) -> Figures:
    """Compare what was foretold with what came; `base` is the rate of the rows learned from.

    `score` is a chance, or with `chance=False` any number of which more means likelier.
    """
    auc, low, high = auc_interval(happened, score)
    tenths = _tenths(happened, score)
    lift = tenths[0].came / float(happened.mean()) if happened.sum() else 0.0
    told = Figures(
        happened.size, int(happened.sum()), auc, low, high, lift, None, None, None, None, None, None,
        float(np.mean((base - happened) ** 2)), tenths,
    )  # fmt: skip
    return _calibrated(told, happened, score) if chance else told


def _calibrated(told: Figures, happened: Array, score: Array) -> Figures:
    """Add how far chances hold."""
    kept = np.clip(score, 1e-9, 1 - 1e-9)
    slope, intercept = line(np.log(kept / (1 - kept)), happened)
    came, foretold = float(happened.sum()), float(kept.sum())
    width = Z95 * float(np.sqrt((kept * (1 - kept)).sum()))
    low, high = max(0.0, came - width) / foretold, (came + width) / foretold
    return replace(
        told, slope=slope, intercept=intercept, came_to_foretold=came / foretold, ratio_low=low, ratio_high=high,
        brier=float(np.mean((score - happened) ** 2)),
    )  # fmt: skip


def auc_interval(happened: Array, score: Array) -> tuple[float, float, float]:
    """Give the area under the ROC curve and its 95 % limits (DeLong, DeLong & Clarke-Pearson 1988)."""
    positive, negative = score[happened == 1], score[happened == 0]
    if not positive.size or not negative.size:
        return 0.5, 0.0, 1.0
    ranks = midranks(np.concatenate([positive, negative]))
    m, n = positive.size, negative.size
    above = (ranks[:m] - midranks(positive)) / n
    below = 1.0 - (ranks[m:] - midranks(negative)) / m
    auc = float(above.mean())
    variance = (above.var(ddof=1) / m if m > 1 else 0.25) + (below.var(ddof=1) / n if n > 1 else 0.25)
    width = Z95 * float(np.sqrt(variance))
    return auc, max(0.0, auc - width), min(1.0, auc + width)


def auc_within(happened: Array, score: Array, block: npt.NDArray[np.int64]) -> float:
    """Give the area under the ROC curve of pairs of the same block only: what moves between blocks tells nothing."""
    pairs = rightly = 0.0
    for one in np.unique(block):
        mine = block == one
        events = float(happened[mine].sum())
        count = events * (mine.sum() - events)
        if count:
            pairs += count
            rightly += count * auc_interval(happened[mine], score[mine])[0]
    return rightly / pairs if pairs else 0.5


def midranks(values: Array) -> Array:
    """Give ranks from 1; equal values share the mean of theirs."""
    _values, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[place], np.float64)


def _tenths(happened: Array, score: Array) -> tuple[Tenth, ...]:
    """Group rows by what was foretold; equal forecasts are shared out evenly, so that their order tells nothing."""
    _values, place, counts = np.unique(-score, return_inverse=True, return_counts=True)
    came = (np.bincount(place, happened) / counts)[place]  # of equal forecasts each counts their mean
    order = np.argsort(-score, kind="stable")
    parts = np.array_split(order, TENTHS)
    return tuple(
        Tenth(number, len(rows), float(score[rows].mean()), float(came[rows].mean()))
        for number, rows in enumerate(parts, 1)
        if len(rows) >= LEAST_IN_GROUP
    )
