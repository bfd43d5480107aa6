"""Journeys: what touched a customer before a conversion, or without one, out of a log or an aggregated file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from plait.failure import Misused, Said
from plait.stats.paths.money import Ints

Whole = NDArray[np.integer]
DAY = 86_400
BLOCKS = 100
BLOCKS_OF_MANY, MANY = 20, 16  # sets of many channels are many: fewer blocks keep the tables small
WORD = 64
LAG = 0.9  # a journey is open until so many of the conversions would have come


class UnfitJourneys(Misused):
    """Arrays that describe no journeys."""


@dataclass(frozen=True, slots=True)
class Journeys:
    """What touched whom in which order, and what came of it; equal paths may be one row.

    J rows, T touches, K channels. Row j has the touches `channel[starts[j]:starts[j + 1]]` (codes 0..K-1, in order of
    time), stands for `n[j]` journeys of which `k[j]` converted, worth `value[j]` in all (minor units), and belongs to
    block `block[j]` of `blocks` (all rows of a customer to the same). A row without touches is an untouched customer.
    `at` [T] and `ended_at` [J] are instants in units of which `per_day` make a day; None where they are not known.
    `left_open` journeys were left out because they may still convert. `direct` are the channels that the rule
    last_non_direct passes over.
    """

    channels: tuple[str, ...]
    starts: Ints
    channel: Whole
    n: Ints
    k: Ints
    value: Ints
    block: Ints
    blocks: int = 1
    at: Whole | None = None
    ended_at: Ints | None = None
    per_day: int = DAY
    left_open: int = 0
    direct: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.n)

    @property
    def length(self) -> Ints:
        """Touches of each row [J]."""
        return np.diff(self.starts)


@dataclass(frozen=True, slots=True)
class Touches:
    """A log of touches, sorted by customer, then instant, then whatever orders touches of one instant.

    `unit` [T] are whole numbers that stay the same from day to day, `at` [T] instants, `channel` [T] codes 0..K-1.
    """

    unit: Whole
    at: Whole
    channel: Whole


@dataclass(frozen=True, slots=True)
class Conversions:
    """A log of conversions, sorted by customer, then instant; `value` [C] in whole minor units, or None."""

    unit: Whole
    at: Whole
    value: Whole | None = None


def in_order(unit: Whole, at: Whole, tie: Whole | None = None) -> Ints:
    """Give the places of a log's rows in the order that `Touches` asks for: customer, instant, then `tie`.

    `unit`, `at` whole numbers [T]; `tie` [T] orders rows of one customer and instant, such as the rank of the fact's id
    (default: their order in the log). Customer and instant are sorted as one number where they fit into one.
    """
    if not len(unit):
        return np.zeros(0, np.int64)
    who, when = unit.astype(np.int64) - int(unit.min()), at.astype(np.int64) - int(at.min())
    bits = int(when.max()).bit_length()
    if int(who.max()).bit_length() + bits >= WORD:
        return np.lexsort((at, unit) if tie is None else (tie, at, unit))
    who <<= bits
    who |= when
    order = np.argsort(who)
    key = who[order]
    again = key[1:] == key[:-1]
    if again.any():
        rows = np.flatnonzero(np.append(again, False) | np.append(False, again))
        tied = order[rows]
        order[rows] = tied[np.lexsort((tied, tied if tie is None else tie[tied], key[rows]))]
    return order


def sorted_touches(unit: Whole, at: Whole, channel: Whole, tie: Whole | None = None) -> Touches:
    """Sort a log of touches; arguments as for `in_order`, `channel` [T] codes 0..K-1.

    Customer, instant and channel are sorted as one number where they fit into one, which is several times as fast as
    finding the order first; rows of one customer and instant are then put in the order of `tie`.
    """
    code = int(channel.max()).bit_length() if len(unit) else 0
    who, when = (column.astype(np.int64) - int(column.min() if len(unit) else 0) for column in (unit, at))
    bits = int(when.max()).bit_length() if len(unit) else 0
    if not len(unit) or int(who.max()).bit_length() + bits + code >= WORD:
        order = in_order(unit, at, tie)
        return Touches(unit[order], at[order], channel[order])
    who <<= bits
    who |= when
    key = who << code
    key |= channel.astype(np.int64)
    key.sort()
    found = (key & ((1 << code) - 1)).astype(channel.dtype)
    key >>= code
    again = np.flatnonzero(key[1:] == key[:-1])
    if len(again):
        places = np.union1d(again, again + 1)
        rows = np.flatnonzero(np.isin(who, key[places]))
        rows = rows[np.lexsort((rows if tie is None else tie[rows], who[rows]))]
        found[places] = channel[rows]
    sorted_at = (key & ((1 << bits) - 1)) + int(at.min())
    key >>= bits
    key += int(unit.min())
    return Touches(key.astype(unit.dtype), sorted_at, found)


def blocks_for(channels: int) -> int:
    """Give the number of blocks into which customers are divided for intervals."""
    return BLOCKS if channels <= MANY else BLOCKS_OF_MANY


def block_of(unit: Whole, blocks: int) -> Ints:
    """Give each customer's block, 0..blocks-1, by a hash that depends on the number only (splitmix64)."""
    mixed = unit.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((mixed ^ (mixed >> np.uint64(31))) % np.uint64(blocks)).astype(np.int64)


def from_paths(
    channels: Sequence[str],
    starts: Whole,
    channel: Whole,
    *,
    n: Whole,
    k: Whole,
    value: Whole | None = None,
    direct: Sequence[int] = (),
) -> Journeys:
    """Take paths that somebody has aggregated: each row a path, how many took it, how many converted, for how much.

    Shapes as in `Journeys`; `value` is the sum of the row in minor units. Refused: 0 channels, codes outside 0..K-1,
    k above n, negative numbers.
    """
    money = np.zeros(len(n), np.int64) if value is None else np.asarray(value, np.int64)
    made = Journeys(
        tuple(channels), np.asarray(starts, np.int64), np.asarray(channel), np.asarray(n, np.int64),
        np.asarray(k, np.int64), money, np.zeros(len(n), np.int64), direct=tuple(direct),
    )  # fmt: skip
    _check(made)
    return made


def from_touches(
    channels: Sequence[str],
    touches: Touches,
    conversions: Conversions,
    *,
    lookback: int | None = 90,
    open_days: float | None = None,
    as_of: int | None = None,
    untouched: int = 0,
    blocks: int | None = None,
    per_day: int = DAY,
    direct: Sequence[int] = (),
) -> Journeys:
    """Cut each customer's touches into journeys: a conversion closes one, later touches open the next.

    A journey has the touches strictly before its conversion and at most `lookback` days old then (None: any age). One
    that has not converted up to `as_of` (default: the log's last instant) has the touches of the `lookback` days up to
    its last, and is left out as still open when its last touch is younger than `open_days` (default: the time within
    which 90 % of the conversions followed their last touch). A conversion without a touch, and `untouched` customers,
    make rows without touches. Refused: logs that are not sorted, codes outside 0..K-1, touches after `as_of`.
    """
    _check_sorted(touches, conversions)
    blocks = blocks or blocks_for(len(channels))
    last = max((int(log.at.max()) for log in (touches, conversions) if len(log.at)), default=0)
    as_of = last if as_of is None else as_of
    if last > as_of:
        raise UnfitJourneys(Said("the log goes on after the moment asked for; leave out what is later."))
    window = None if lookback is None else lookback * per_day
    won = _converted(touches, conversions, window)
    tails = _tails(touches, conversions, won, window)
    lag = conversions.at - touches.at[np.maximum(won[1] - 1, 0)] if len(touches.at) else np.zeros(0)
    lag = lag[won[1] > won[0]]
    patience = open_days * per_day if open_days is not None else np.quantile(lag, LAG) if len(lag) else 0
    closed = as_of - touches.at[tails[1] - 1] >= patience
    tails, left_open = (tails[0][closed], tails[1][closed]), int((~closed).sum())
    made = _joined(tuple(channels), touches, conversions, won, tails, untouched, blocks)
    return replace(made, per_day=per_day, left_open=left_open, direct=tuple(direct))


def _joined(
    channels: tuple[str, ...],
    touches: Touches,
    conversions: Conversions,
    won: tuple[Ints, Ints],
    tails: tuple[Ints, Ints],
    untouched: int,
    blocks: int,
) -> Journeys:
    """Put journeys that converted and that did not into one order of touches, and untouched customers behind them."""
    begins, ends = (np.concatenate(pair) for pair in zip(won, tails, strict=True))
    order = np.argsort(begins, kind="stable")  # an empty journey stands before the one that begins where it stands
    value = np.zeros(len(won[0]), np.int64) if conversions.value is None else conversions.value
    unit = np.concatenate([conversions.unit, touches.unit[tails[0]]])
    lost = np.zeros(len(tails[0]), np.int64)
    spread = np.full(blocks if untouched else 0, untouched // blocks, np.int64)
    spread[: untouched % blocks] += 1
    nothing = np.zeros(len(spread), np.int64)
    channel, at = _kept(begins, ends, touches.channel), _kept(begins, ends, touches.at)
    rows = np.concatenate([np.cumsum((ends - begins)[order]), np.full(len(spread), len(channel))])
    made = Journeys(
        channels,
        np.concatenate([[0], rows]),
        channel,
        np.concatenate([np.ones(len(order), np.int64), spread]),
        np.concatenate([np.concatenate([np.ones(len(won[0]), np.int64), lost])[order], nothing]),
        np.concatenate([np.concatenate([value, lost])[order], nothing]),
        np.concatenate([block_of(unit, blocks)[order], np.arange(len(spread))]),
        blocks,
        at,
        np.concatenate([np.concatenate([conversions.at, touches.at[tails[1] - 1]])[order], nothing]),
    )
    _check(made)
    return made


def _kept(begins: Ints, ends: Ints, column: Whole) -> Whole:
    """Leave out the touches that are in no journey."""
    some = ends > begins
    if int((ends - begins).sum()) == len(column):
        return column
    step = np.zeros(len(column) + 1, np.int8)
    step[begins[some]] += 1
    step[ends[some]] -= 1
    return column[np.cumsum(step[:-1], dtype=np.int8).view(np.bool_)]


def _converted(touches: Touches, conversions: Conversions, window: int | None) -> tuple[Ints, Ints]:
    """Give begin and end of each conversion's touches [C]."""
    begin = np.searchsorted(touches.unit, conversions.unit, "left").astype(np.int64)
    behind = np.searchsorted(touches.unit, conversions.unit, "right").astype(np.int64)
    end = _first_since(touches.at, begin, behind, conversions.at)
    again = np.flatnonzero(conversions.unit[1:] == conversions.unit[:-1]) + 1
    begin[again] = end[again - 1]
    if window is not None:
        begin = _first_since(touches.at, begin, end, conversions.at - window)
    return begin, end


def _tails(touches: Touches, conversions: Conversions, won: tuple[Ints, Ints], window: int | None) -> tuple[Ints, Ints]:
    """Give begin and end of each customer's touches after the last conversion, where there are any."""
    if not len(touches.unit):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    begin = np.concatenate([[0], np.flatnonzero(touches.unit[1:] != touches.unit[:-1]) + 1])
    end = np.append(begin[1:], len(touches.unit))
    units = touches.unit[begin]
    place = np.minimum(np.searchsorted(units, conversions.unit), len(units) - 1)
    known = units[place] == conversions.unit
    np.maximum.at(begin, place[known], won[1][known])
    begin, end = begin[begin < end], end[begin < end]
    if window is not None:
        begin = _first_since(touches.at, begin, end, touches.at[end - 1] - window)
    return begin, end


def _first_since(at: Whole, low: Ints, high: Ints, when: Whole) -> Ints:
    """Find the first touch at or after an instant within each sorted [low, high); high where there is none."""
    low, high = low.copy(), high.copy()
    while (todo := np.flatnonzero(low < high)).size:
        middle = (low[todo] + high[todo]) // 2
        late = at[middle] >= when[todo]
        high[todo[late]] = middle[late]
        low[todo[~late]] = middle[~late] + 1
    return low


def _check_sorted(touches: Touches, conversions: Conversions) -> None:
    for name, log in ((Said("touches"), touches), (Said("conversions"), conversions)):
        if len(log.unit) != len(log.at):
            raise UnfitJourneys(Said("the columns of the {log} differ in length.", log=name))
        back = log.unit[1:] < log.unit[:-1]
        if back.any() or ((log.unit[1:] == log.unit[:-1]) & (log.at[1:] < log.at[:-1])).any():
            raise UnfitJourneys(Said("the {log} are not sorted; sort them by customer, then instant.", log=name))


def _check(journeys: Journeys) -> None:
    """Refuse rows that cannot be: codes out of range, more conversions than journeys, negative numbers."""
    if not journeys.channels:
        raise UnfitJourneys(Said("there is no channel; name at least one."))
    if len(journeys.channel) and not 0 <= int(journeys.channel.min()) <= int(journeys.channel.max()) < len(
        journeys.channels
    ):
        raise UnfitJourneys(Said("a channel has a code without a name; allowed are 0 to the number of names less 1."))
    if len(journeys.n) and (min(journeys.k.min(), journeys.value.min()) < 0 or (journeys.k > journeys.n).any()):
        raise UnfitJourneys(Said("a path has more conversions than journeys, or a negative number."))
