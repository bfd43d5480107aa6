"""Count journeys: one pass over the touches gives every table of `Statistics`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from plait.stats.paths.journeys import Journeys
from plait.stats.paths.money import Ints
from plait.stats.paths.rules import HALF_LIFE, RULES, weights
from plait.stats.paths.statistics import (
    MONEY_PARTS,
    PARTS,
    WORD,
    Masks,
    RuleSums,
    Sets,
    Statistics,
    Transitions,
    distinct,
    words,
)  # fmt: skip

A_TIME = 1 << 19  # touches that are looked at together: what is in between stays small
PAIRS = 40  # channels up to which pairs of touches are counted: their table has K^3 cells
TABLE = 20  # channels up to which all 2^K sets are looked up in a table


def counted(journeys: Journeys, half_life: float = HALF_LIFE) -> Statistics:
    """Count journeys into the sums from which every model is computed.

    `half_life` is that of the rule decay in days. Pairs of touches (order 2) are counted for up to 40 channels.
    Aggregated paths (one block) are kept for intervals.
    """
    order = order_for(len(journeys.channels))
    kept = journeys if journeys.blocks == 1 else None
    return Statistics(
        journeys.channels,
        count_sets(journeys),
        count_transitions(journeys, order),
        count_rules(journeys, half_life),
        kept,
        journeys.left_open,
    )


def slices(starts: Ints) -> Iterator[tuple[int, int]]:
    """Cut rows into runs of about `A_TIME` touches; gives first row and the row behind the last."""
    low, rows = 0, len(starts) - 1
    while low < rows:
        high = max(low + 1, int(np.searchsorted(starts, starts[low] + A_TIME, "right")) - 1)
        yield low, high
        low = high


def added(place: Ints, weight: Ints, size: int) -> Ints:
    """Add up whole numbers by place [size]."""
    return np.rint(np.bincount(place, weight, size)).astype(np.int64)


def touched(journeys: Journeys, *, converted: bool = False) -> Journeys:
    """Leave out the rows without touches, and if asked those that did not convert."""
    keep = journeys.length > 0
    if converted:
        keep &= journeys.k > 0
    if keep.all():
        return journeys
    length = journeys.length
    of_touch = np.repeat(keep, length) if converted else slice(None)
    return replace(
        journeys,
        starts=np.concatenate([[0], np.cumsum(length[keep])]),
        channel=journeys.channel[of_touch],
        n=journeys.n[keep], k=journeys.k[keep], value=journeys.value[keep], block=journeys.block[keep],
        at=None if journeys.at is None else journeys.at[of_touch],
        ended_at=None if journeys.ended_at is None else journeys.ended_at[keep],
    )  # fmt: skip


# -- sets of channels


def masks_of(journeys: Journeys) -> Masks:
    """Give the set of channels that each row met [J, words]."""
    found = np.zeros((len(journeys), words(len(journeys.channels))), np.uint64)
    some = np.flatnonzero(journeys.length)
    starts = np.append(journeys.starts[some], journeys.starts[-1])
    for low, high in slices(starts):
        code = journeys.channel[starts[low] : starts[high]].astype(np.uint64)
        bit = np.uint64(1) << (code % np.uint64(WORD))
        for word in range(found.shape[1]):
            own = bit if found.shape[1] == 1 else np.where(code // np.uint64(WORD) == word, bit, np.uint64(0))
            found[some[low:high], word] = np.bitwise_or.reduceat(own, starts[low:high] - starts[low])
    return found


def set_places(journeys: Journeys) -> tuple[Masks, Ints]:
    """Give the different sets, sorted, and the place of each row's set among them [J]."""
    masks = masks_of(journeys)
    if len(journeys.channels) > TABLE:
        return distinct(masks)
    mask = masks[:, 0].astype(np.int64)
    there = np.zeros(1 << len(journeys.channels), np.bool_)
    there[mask] = True
    found = np.flatnonzero(there)
    table = np.zeros(len(there), np.int64)
    table[found] = np.arange(len(found))
    return found.astype(np.uint64)[:, None], table[mask]


def count_sets(journeys: Journeys) -> Sets:
    """Count journeys, conversions and money by the set of channels that was met."""
    masks, place = set_places(journeys)
    cell = journeys.block * len(masks) + place
    shape = (journeys.blocks, len(masks))
    columns = (journeys.n, journeys.k, journeys.value)
    return Sets(masks, *(added(cell, column, journeys.blocks * len(masks)).reshape(shape) for column in columns))


# -- steps from touch to touch


def order_for(channels: int) -> int:
    """Give the highest order of steps that is counted."""
    return 2 if channels <= PAIRS else 1


def states_of(channels: int, order: int) -> int:
    """Give the number of states without START."""
    return channels if order == 1 else (channels + 1) * channels


def states_at(code: Ints, first: Ints, channels: int, order: int) -> Ints:
    """Give the state that each touch leads to; `first` are the places of first touches."""
    if order == 1:
        return code
    before = np.empty_like(code)
    before[1:] = code[:-1]
    before[first] = channels
    return before * channels + code


def count_transitions(journeys: Journeys, order: int) -> Transitions:
    """Count the steps of all journeys by block, state and what came next."""
    size = len(journeys.channels)
    states, columns = states_of(size, order), size + 2
    cells = journeys.blocks * (states + 1) * columns
    counts = np.zeros(cells, np.int64)
    last = np.full(len(journeys), states, np.int64)  # an untouched customer ends in START
    some = np.flatnonzero(journeys.length)
    starts = np.append(journeys.starts[some], journeys.starts[-1])
    for low, high in slices(starts):
        code = journeys.channel[starts[low] : starts[high]].astype(np.int64)
        rows, begin = some[low:high], starts[low:high] - starts[low]
        state = states_at(code, begin, size, order)
        last[rows] = state[starts[low + 1 : high + 1] - starts[low] - 1]
        inner = np.empty(len(code), np.bool_)
        inner[:-1], inner[-1], inner[begin[1:] - 1] = True, False, False
        length = np.diff(starts[low : high + 1]) - 1
        cell = (np.repeat(journeys.block[rows] * (states + 1), length) + state[inner]) * columns
        cell += code[1:][inner[:-1]]
        n = journeys.n[rows]
        counts += added(cell, np.repeat(n, length), cells) if (n != 1).any() else np.bincount(cell, minlength=cells)
        start = (journeys.block[rows] * (states + 1) + states) * columns + code[begin]
        counts += added(start, n, cells)
    end = journeys.block * (states + 1) + last
    counts += added(end * columns + size, journeys.k, cells)
    counts += added(end * columns + size + 1, journeys.n - journeys.k, cells)
    shape = (journeys.blocks, states + 1)
    value = added(end, journeys.value, journeys.blocks * (states + 1)).reshape(shape)
    return Transitions(order, counts.reshape(*shape, columns), value)


# -- rules


def count_rules(journeys: Journeys, half_life: float = HALF_LIFE) -> RuleSums:
    """Add up what each rule gives each channel, over the journeys that converted."""
    won = touched(journeys, converted=True)
    size, blocks = len(journeys.channels), journeys.blocks
    length = won.length
    cell = np.repeat(won.block * size, length) + won.channel
    k, value = np.repeat(won.k * PARTS, length), np.repeat(won.value * MONEY_PARTS, length)
    names, sums, money = [], [], []
    for rule in RULES:
        weight = weights(won, rule, half_life)
        if weight is not None:
            names.append(rule)
            sums.append(added(cell, np.rint(weight * k), blocks * size).reshape(blocks, size))
            money.append(added(cell, np.rint(weight * value), blocks * size).reshape(blocks, size))
    return RuleSums(tuple(names), np.stack(sums, 1), np.stack(money, 1))
