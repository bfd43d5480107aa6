"""Correlation: how two monthly series go together, how sure that is, and what is left of it when many are tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import atanh, sqrt, tanh
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from plait.failure import Misused, Said

Floats = NDArray[np.float64]
FEWEST = 4  # pairs, in effect: with three the z of Fisher has no variance
RANKS = 1.06  # by how much the variance of z is larger for ranks
CERTAIN = 1 - 1e-12  # a correlation of 1 has no finite z


class UnfitSeries(Misused, ValueError):
    """Somebody gave two series that are not of one length."""


@dataclass(frozen=True, slots=True)
class Correlation:
    """How two series go together: `r`, -1 to 1, from `n` pairs that are worth `effective` ones without memory.

    `error` is the standard deviation of atanh(r), `p` how often chance alone gives as much.
    """

    r: float
    n: int
    effective: float
    error: float
    p: float

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Give the interval that holds the truth in so large a share of samples (Fisher, Metron 1, 1921)."""
        half = NormalDist().inv_cdf((1 + level) / 2) * self.error
        z = atanh(max(-CERTAIN, min(CERTAIN, self.r)))
        return tanh(z - half), tanh(z + half)


def pearson(x: Floats, y: Floats) -> Correlation | None:
    """Correlate two series, both of shape (months,); None where one never changes or too little is known.

    Months have a memory: what is high stays high. The variance of atanh(r) is therefore 1 / (n' - 3), where n' is the
    number of pairs without memory that would tell as much (`effective_pairs`).
    """
    return _correlated(x, y, inflation=1.0)


def spearman(x: Floats, y: Floats) -> Correlation | None:
    """Correlate the ranks of two series, which outliers and bends do not move (variance: Fieller et al. 1957)."""
    from scipy.stats import rankdata

    return _correlated(rankdata(x), rankdata(y), inflation=RANKS)


def effective_pairs(x: Floats, y: Floats) -> float:
    """Give how many pairs without memory would tell as much: n (1 - a b) / (1 + a b), at most n.

    a and b are the series' correlations with themselves one month before (Bretherton et al., J. Climate 12, 1999).
    """
    memory = _memory(x) * _memory(y)
    return float(len(x) * min(1.0, max(0.0, (1 - memory) / (1 + memory))))


def holm(chances: Sequence[float]) -> list[float]:
    """Correct the p of many tries so that one false find among all is as seldom as it says (Holm 1979).

    The i-th smallest of m is multiplied by m - i + 1; none becomes smaller than the one before it, nor larger than 1.
    """
    ordered = sorted(range(len(chances)), key=lambda place: chances[place])
    corrected, largest = [0.0] * len(chances), 0.0
    for turn, place in enumerate(ordered):
        largest = max(largest, min(1.0, chances[place] * (len(chances) - turn)))
        corrected[place] = largest
    return corrected


def holm_level(chances: Sequence[float], place: int, level: float = 0.95) -> float:
    """Give the level at which the interval of one of many tries leaves out 0 where Holm's corrected p is small enough.

    Holm tests the i-th smallest p of m at (1 - level) / (m - i + 1).
    """
    turn = sorted(range(len(chances)), key=lambda one: chances[one]).index(place)
    return 1 - (1 - level) / (len(chances) - turn)


def _correlated(x: Floats, y: Floats, *, inflation: float) -> Correlation | None:
    if x.shape != y.shape:
        says = Said("two series of {one} and {other} months; give as many of each.", one=len(x), other=len(y))
        raise UnfitSeries(says)
    if len(x) < FEWEST or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    effective = effective_pairs(x, y)
    if effective < FEWEST:
        return None
    r = float(np.clip(_cosine(x - x.mean(), y - y.mean()), -1.0, 1.0))
    error = sqrt(inflation / (effective - 3))
    z = atanh(max(-CERTAIN, min(CERTAIN, r)))
    return Correlation(r, len(x), effective, error, 2 * NormalDist().cdf(-abs(z) / error))


def _memory(x: Floats) -> float:
    """Give the correlation of a series with itself one step before."""
    off = x - x.mean()
    whole = float(off @ off)
    return float(off[1:] @ off[:-1]) / whole if whole > 0 else 0.0


def _cosine(x: Floats, y: Floats) -> float:
    return float(x @ y / sqrt(float(x @ x) * float(y @ y)))
