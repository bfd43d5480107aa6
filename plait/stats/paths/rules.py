"""Rules: conventions by which the touches of a conversion share it, by their order and age alone."""

from __future__ import annotations

import numpy as np

from plait.stats.paths.journeys import Journeys
from plait.stats.paths.money import Floats, Ints

RULES = ("first", "last", "last_non_direct", "linear", "position", "decay")
ENDS = 0.4
HALF_LIFE = 7.0


def weights(journeys: Journeys, rule: str, half_life: float = HALF_LIFE) -> Floats | None:
    """Give each touch its share in the conversion of its journey [T]; they add up to 1 in each.

    Touch j of n. first: the first; last: the last; last_non_direct: the last outside `journeys.direct`, if
    there is none the last; linear: 1/n each; position: 0.4 for each end and 0.2/(n - 2) between (one touch 1, two 0.5
    each); decay: in proportion to 2^(-age / `half_life`), ages in days before the conversion; None where instants
    are unknown. No journey may be empty.
    """
    length, begin = journeys.length, journeys.starts[:-1]
    if rule == "first":
        return _one(journeys, begin)
    if rule == "last":
        return _one(journeys, journeys.starts[1:] - 1)
    if rule == "last_non_direct":
        return _one(journeys, _last_outside(journeys))
    if rule == "linear":
        return np.repeat(1.0 / length, length)
    if rule == "position":
        between = np.repeat(np.where(length > 2, (1 - 2 * ENDS) / np.maximum(length - 2, 1), 0), length)  # noqa: PLR2004
        edge = np.where(length == 1, 1.0, np.where(length == 2, 0.5, ENDS))  # noqa: PLR2004
        between[begin] = between[journeys.starts[1:] - 1] = edge
        return between
    if journeys.at is None or journeys.ended_at is None:
        return None
    age = (np.repeat(journeys.ended_at, length) - journeys.at) / journeys.per_day
    age -= np.repeat(np.minimum.reduceat(age, begin), length)  # relative to the latest: very old ones do not vanish
    worth = np.exp2(-age / half_life)
    return np.asarray(worth / np.repeat(np.add.reduceat(worth, begin), length))


def _one(journeys: Journeys, place: Ints) -> Floats:
    worth = np.zeros(len(journeys.channel))
    worth[place] = 1.0
    return worth


def _last_outside(journeys: Journeys) -> Ints:
    outside = ~np.isin(journeys.channel, journeys.direct)
    place = np.where(outside, np.arange(len(outside)), -1)
    found = np.maximum.reduceat(place, journeys.starts[:-1])
    return np.where(found >= 0, found, journeys.starts[1:] - 1)
