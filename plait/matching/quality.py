"""Precision and recall of pairs: measured where somebody knows, estimated by the model where nobody does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

Z = 1.96  # of an interval that holds the truth in 95 of 100 cases


@dataclass(frozen=True, slots=True)
class Quality:
    """How right pairs are: `found` pairs, of which `right` are one, of `all` that are one."""

    found: float
    right: float
    all: float

    @property
    def precision(self) -> float | None:
        """The share of pairs found that are one; None where none was found."""
        return self.right / self.found if self.found else None

    @property
    def recall(self) -> float | None:
        """The share of pairs that are one that were found; None where there is none."""
        return self.right / self.all if self.all else None

    @property
    def f(self) -> float | None:
        """The harmonic mean of both."""
        one, other = self.precision, self.recall
        return None if one is None or other is None else 2 * one * other / (one + other) if one + other else 0.0


def pairs_in(sizes: np.ndarray) -> int:
    """Count the pairs in groups of these sizes."""
    return int((sizes.astype(np.int64) * (sizes.astype(np.int64) - 1) // 2).sum())


def measured(clusters: np.ndarray, truth: np.ndarray) -> Quality:
    """Compare clusters with the true ones, both as numbers from 0; every pair within a cluster counts."""
    both = np.unique(np.stack([clusters, truth]), axis=1, return_counts=True)[1]
    return Quality(pairs_in(np.bincount(clusters)), pairs_in(both), pairs_in(np.bincount(truth)))


def estimated(probability: np.ndarray, together: np.ndarray) -> Quality:
    """Say what the model itself expects: `together` marks the pairs that are taken as one.

    It counts on independent fields and on its keys having found every pair, so it is rather too sure of itself.
    """
    chosen = probability[together]
    return Quality(float(len(chosen)), float(chosen.sum()), float(probability.sum()))


def interval(right: int, all_: int) -> tuple[float, float] | None:
    """Give Wilson's interval of a share; None where nobody looked."""
    if not all_:
        return None
    share, wide = right / all_, Z * Z / all_
    middle = (share + wide / 2) / (1 + wide)
    half = Z / (1 + wide) * sqrt(share * (1 - share) / all_ + wide / (4 * all_))
    return max(0.0, middle - half), min(1.0, middle + half)


def numbered(names: Sequence[object]) -> np.ndarray:
    """Give each name a number from 0, the same for the same name."""
    known: dict[object, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)
