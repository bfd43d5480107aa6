"""Rates: the share of cases that had an event, in a group and in matched others, and how the two compare."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from plait.failure import Misused, Said

Floats = NDArray[np.float64]


class UnfitStrata(Misused, ValueError):
    """Somebody gave counts that cannot be counts: more events than cases, or less than nothing."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number, and the interval that holds the truth in so large a share of samples as the `level` says."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Strata:
    """Cases and events of an exposed group and of others, side by side in groups that are alike.

    All of shape (strata,). `cases` (n1) and `events` (a) are those of the exposed, `other_cases` (n0) and
    `other_events` (c) those of the others. Events lie in [0, cases]; counts need not be whole (see `thinned`).
    """

    cases: Floats
    events: Floats
    other_cases: Floats
    other_events: Floats

    def __post_init__(self) -> None:
        """Refuse counts that cannot be."""
        for cases, events in ((self.cases, self.events), (self.other_cases, self.other_events)):
            if not (cases.shape == events.shape == self.cases.shape and np.all((events >= 0) & (events <= cases))):
                says = Said("counts do not fit: events must lie between 0 and the cases of their stratum.")
                raise UnfitStrata(says)

    @property
    def matched(self) -> Strata:
        """The strata that hold cases of both groups; the others say nothing about a difference."""
        return self._only((self.cases > 0) & (self.other_cases > 0))

    def thinned(self, times: float) -> Strata:
        """Count the others as if there were `times` fewer of them, where each was looked at up to so many times."""
        return Strata(self.cases, self.events, self.other_cases / times, self.other_events / times)

    def _only(self, keep: NDArray[np.bool_]) -> Strata:
        return Strata(self.cases[keep], self.events[keep], self.other_cases[keep], self.other_events[keep])


def wilson(events: float, cases: float, *, level: float = 0.95) -> Estimate | None:
    """Share of cases that had the event, with its interval; None without cases.

    The interval of Wilson (JASA 22, 1927): the shares p that the observed one does not contradict,
    |events / cases - p| <= z sqrt(p (1 - p) / cases). It stays within [0, 1] and says something where nothing happened.
    """
    if cases <= 0:
        return None
    z, share = _z(level), events / cases
    middle = (share + z * z / (2 * cases)) / (1 + z * z / cases)
    half = z * sqrt(share * (1 - share) / cases + (z / (2 * cases)) ** 2) / (1 + z * z / cases)
    return Estimate(share, max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))


def standardised(strata: Strata, *, level: float = 0.95) -> Estimate | None:
    """Share of the others that would have had the event, were they spread over the strata as the exposed are.

    Sum of w_k c_k / n0_k with w_k = n1_k / n1, over strata that hold both groups; None where there is none. The
    interval is Wilson's for the number of cases that a sample without weights would need to know as much, 1 / sum of
    (w_k^2 / n0_k) (Kish, Survey Sampling 1965, 11.7: one share behind all strata).
    """
    both = strata.matched
    if not len(both.cases):
        return None
    weights = both.cases / both.cases.sum()
    share = min(1.0, float((weights * both.other_events / both.other_cases).sum()))
    cases = float(1 / (weights**2 / both.other_cases).sum())
    return wilson(share * cases, cases, level=level)


def risk_difference(strata: Strata, *, level: float = 0.95) -> Estimate | None:
    """How much larger the share with the event is among the exposed than among others alike, -1 to 1.

    Mantel and Haenszel's: sum of (a n0 - c n1) / N over sum of n1 n0 / N, one difference behind all strata. The
    interval is by the variance of Sato (Biometrics 45, 1989), right for few large strata and for many small ones. None
    where no stratum holds both groups, or the cases do not differ within any: then nothing tells how sure it is.
    """
    both = strata.matched
    if not len(both.cases):
        return None
    n1, a, n0, c = both.cases, both.events, both.other_cases, both.other_events
    n = n1 + n0
    weight = float((n1 * n0 / n).sum())
    value = float(((a * n0 - c * n1) / n).sum()) / weight
    p = float(((n1**2 * c - n0**2 * a + n1 * n0 * (n0 - n1) / 2) / n**2).sum())
    q = float(((a * (n0 - c) + c * (n1 - a)) / (2 * n)).sum())
    variance = (value * p + q) / weight**2
    if variance <= 0:
        return None
    half = _z(level) * sqrt(variance)
    return Estimate(value, max(-1.0, value - half), min(1.0, value + half))


def risk_ratio(strata: Strata, *, level: float = 0.95) -> Estimate | None:
    """How many times as large the share with the event is among the exposed as among others alike.

    Mantel and Haenszel's: sum of a n0 / N over sum of c n1 / N, one ratio behind all strata. The interval is by the
    variance of its logarithm of Greenland and Robins (Biometrics 41, 1985), sum of ((a + c) n1 n0 - a c N) / N^2 over
    the product of the two sums. None where no stratum holds both groups, in one of them it never happened, or it
    happened to all.
    """
    both = strata.matched
    n1, a, n0, c = both.cases, both.events, both.other_cases, both.other_events
    n = n1 + n0
    above, below = float((a * n0 / n).sum()), float((c * n1 / n).sum())
    if above <= 0 or below <= 0:
        return None
    variance = float((((a + c) * n1 * n0 - a * c * n) / n**2).sum()) / (above * below)
    if variance <= 0:
        return None
    half, middle = _z(level) * sqrt(variance), log(above / below)
    return Estimate(above / below, exp(middle - half), exp(middle + half))


def _z(level: float) -> float:
    return NormalDist().inv_cdf((1 + level) / 2)
