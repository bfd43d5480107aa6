"""How points fade: the days after which accounts fall below a threshold if nothing more happens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.points.rules import NANO, Rules

MOST_DAYS = 3660
Whole = npt.NDArray[np.int64]
Float = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """What is left of the points of each account, person and group today, in billionths: one entry each.

    `account` and `person` number them from 0, `person` over all accounts; `group` is a place in `Rules.groups`.
    """

    account: Whole
    person: Whole
    group: Whole
    nano: Whole


def engagement(sums: Sums, rules: Rules, days: float = 0.0) -> Float:
    """Give the engagement of each account in so many days if nothing happens, in points."""
    if not sums.account.size:
        return np.zeros(0)
    half_lives = np.array([group.half_life_days for group in rules.groups])
    caps = np.array([group.cap for group in rules.groups])
    weak = np.array([group.weak for group in rules.groups])[sums.group]
    left = np.minimum(sums.nano / NANO * 2.0 ** (-days / half_lives[sums.group]), caps[sums.group])
    people = int(sums.person.max()) + 1
    strong = np.bincount(sums.person[~weak], left[~weak], people)
    borne = np.minimum(np.bincount(sums.person[weak], left[weak], people), np.maximum(strong, 0.0))
    each = np.minimum(strong + borne, rules.most_a_person)
    whose = np.zeros(people, np.int64)
    whose[sums.person] = sums.account
    order = np.lexsort((-each, whose))
    firsts = np.searchsorted(whose[order], whose[order], side="left")
    counted = np.arange(people) - firsts < rules.top
    return np.bincount(whose[order][counted], each[order][counted], int(sums.account.max()) + 1).astype(np.float64)


def days_above(sums: Sums, rules: Rules, threshold: float) -> list[int | None]:
    """Give the whole days after which each account is below a threshold for the first time if nothing happens.

    0 where it is below today; None where it is not within ten years.
    """
    now = engagement(sums, rules)
    days: list[int | None] = [None if one >= threshold else 0 for one in now]
    waiting = now >= threshold
    for day in range(1, MOST_DAYS + 1):
        if not waiting.any():
            break
        fallen = waiting & (engagement(sums, rules, day) < threshold)
        for place in np.flatnonzero(fallen):
            days[place] = day
        waiting &= ~fallen
    return days
