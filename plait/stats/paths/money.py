"""Divide a whole number, such as an amount in cents, so that the parts are whole numbers and add up to it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def apportioned(total: int, shares: Floats) -> Ints:
    """Divide an amount by shares, to the cent: the parts are whole and add up to it.

    `shares` [parts] are at least 0 and are taken relative to their sum. Largest remainder: each part gets its whole
    minor units, what is left goes one by one to the largest remainders, ties to the lower number. Shares of 0 get 0;
    if all are 0 only a total of 0 can be divided.
    """
    weight = float(shares.sum())
    if weight <= 0:
        assert total == 0, "nobody has a share in the amount"  # noqa: S101 - callers give what has no owner its own share
        return np.zeros(len(shares), np.int64)
    exact = np.where(shares > 0, shares / weight * abs(total), 0.0)
    parts = np.floor(exact).astype(np.int64)
    order = np.lexsort((np.arange(len(shares)), parts - exact, shares <= 0))
    left = abs(total) - int(parts.sum())  # beyond 2**53 the floats themselves may be some units off
    owed, rest = divmod(left, int((shares > 0).sum()))
    parts[shares > 0] += owed
    parts[order[:rest]] += 1
    return parts if total >= 0 else -parts


def adding_up(total: float, shares: Floats) -> Floats:
    """Multiply shares with a total so that the parts add up to it in the last digit too.

    `shares` [parts] add up to 1 but for rounding; the largest part takes what rounding leaves.
    """
    parts = shares * total
    largest = int(np.argmax(parts))
    for _ in range(3):  # what is left of the first correction is some digits below
        parts[largest] += math.fsum([total, *-parts])
    return parts
