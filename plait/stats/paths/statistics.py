"""What paths add up to: the few sums from which every model is computed, additive over customers and days."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from plait.failure import Misused, Said
from plait.stats.paths.journeys import Journeys, Whole
from plait.stats.paths.money import Floats, Ints

Masks = NDArray[np.uint64]
Bools = NDArray[np.bool_]
WORD = 64
PARTS = 2**30  # of a conversion: rules give parts of one, whole parts add up the same in any order
MONEY_PARTS = 2**16  # of a minor unit


class UnfitStatistics(Misused):
    """Sums that do not belong together, or a question that they do not answer."""


@dataclass(frozen=True, slots=True)
class Transitions:
    """How often journeys stepped from what they had seen last to the next channel, a conversion, or nothing.

    `counts` [blocks, states + 1, K + 2]: rows are states and START (last), columns the K channels, CONV, NULL.
    Order 1: the state is the last channel, states = K. Order 2: it is `before * K + last`, where `before` is K for the
    first touch, states = (K + 1) K. `value` [blocks, states + 1]: money of the conversions that followed each state.
    """

    order: int
    counts: Ints
    value: Ints

    @property
    def states(self) -> int:
        """Number of states without START."""
        return int(self.counts.shape[1]) - 1

    def first_order(self) -> Transitions:
        """Forget all but the last touch."""
        if self.order == 1:
            return self
        k = self.counts.shape[2] - 2

        def merged(column: Ints) -> Ints:
            inner = column[:, :-1].reshape(len(column), k + 1, k, *column.shape[2:]).sum(1)
            return np.concatenate([inner, column[:, -1:]], axis=1)

        return Transitions(1, merged(self.counts), merged(self.value))


@dataclass(frozen=True, slots=True)
class Sets:
    """How many journeys met just these channels, how many of them converted, and for how much.

    `masks` [M, words], sorted: bit c % 64 of word c // 64 says that channel c was met; only sets that occur have a row.
    `n`, `k`, `value` [blocks, M].
    """

    masks: Masks
    n: Ints
    k: Ints
    value: Ints

    def members(self, channels: int) -> Bools:
        """Say which channel is in which set [M, K]."""
        number = np.arange(channels)
        bits = self.masks[:, number // WORD] >> (number % WORD).astype(np.uint64)
        return np.asarray(bits & np.uint64(1) == 1)


@dataclass(frozen=True, slots=True)
class RuleSums:
    """What each rule gives each channel: `k` [blocks, rules, K] in 1/PARTS conversions, `value` in 1/MONEY_PARTS."""

    names: tuple[str, ...]
    k: Ints
    value: Ints


@dataclass(frozen=True, slots=True)
class Statistics:
    """What paths add up to; `+` joins the customers or days of two, `-` takes them out again, exactly.

    `blocks` divide the customers by chance for intervals. `transitions` (the highest order counted) and `rules` are
    None where they were not counted. `paths` holds the collapsed paths of an aggregated file, from which intervals are
    drawn when there is one block. `left_open` journeys may still convert and are not counted.
    """

    channels: tuple[str, ...]
    sets: Sets
    transitions: Transitions | None = None
    rules: RuleSums | None = None
    paths: Journeys | None = None
    left_open: int = 0

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return len(self.sets.n)

    @property
    def journeys(self) -> int:
        """Number of journeys, untouched customers included."""
        return int(self.sets.n.sum())

    @property
    def conversions(self) -> int:
        """Number of conversions."""
        return int(self.sets.k.sum())

    @property
    def value(self) -> int:
        """Worth of all conversions in minor units."""
        return int(self.sets.value.sum())

    def __add__(self, other: Self) -> Statistics:
        return self._with(other, np.add)

    def __sub__(self, other: Self) -> Statistics:
        return self._with(other, np.subtract)

    def _with(self, other: Statistics, how: Callable[[Ints, Ints], Ints]) -> Statistics:
        if self.channels != other.channels or self.blocks != other.blocks:
            raise UnfitStatistics(Said("these sums have other channels or blocks; count both with the same ones."))
        made = Statistics(
            self.channels,
            _joined_sets(self.sets, other.sets, how),
            _joined_transitions(self.transitions, other.transitions, how),
            _joined_rules(self.rules, other.rules, how),
            None,
            int(how(np.array([self.left_open]), np.array([other.left_open]))[0]),
        )
        if made.sets.n.size and int(made.sets.n.min()) < 0:
            raise UnfitStatistics(Said("more journeys would be taken out than there are; take out what was put in."))
        return made

    def total(self) -> Statistics:
        """Join all blocks into one."""
        return self.over_blocks(lambda column: column.sum(0, keepdims=True))

    def without_each_block(self) -> Statistics:
        """Leave out each block in turn: block g of the answer has all customers but those of block g."""
        return self.over_blocks(lambda column: column.sum(0, keepdims=True) - column)

    def over_blocks(self, change: Callable[[Ints], Ints]) -> Statistics:
        """Change every table along its blocks."""
        steps, rules, sets = self.transitions, self.rules, self.sets
        return replace(
            self,
            sets=Sets(sets.masks, change(sets.n), change(sets.k), change(sets.value)),
            transitions=steps and Transitions(steps.order, change(steps.counts), change(steps.value)),
            rules=rules and RuleSums(rules.names, change(rules.k), change(rules.value)),
        )


def _joined_sets(one: Sets, other: Sets, how: Callable[[Ints, Ints], Ints]) -> Sets:
    if np.array_equal(one.masks, other.masks):
        joined = one.masks, how(one.n, other.n), how(one.k, other.k), how(one.value, other.value)
    else:
        masks, place = distinct(np.concatenate([one.masks, other.masks]))
        here, there = place[: len(one.masks)], place[len(one.masks) :]

        def aligned(mine: Ints, theirs: Ints) -> Ints:
            wide = np.zeros((2, len(mine), len(masks)), np.int64)
            wide[0][:, here], wide[1][:, there] = mine, theirs
            return how(wide[0], wide[1])

        joined = masks, aligned(one.n, other.n), aligned(one.k, other.k), aligned(one.value, other.value)
    used = joined[1].any(0)  # a set that nobody has any more is gone, as if it had never been
    return Sets(joined[0][used], *(column[:, used] for column in joined[1:]))


def _joined_transitions(
    one: Transitions | None, other: Transitions | None, how: Callable[[Ints, Ints], Ints]
) -> Transitions | None:
    if one is None or other is None:
        return None
    if one.order != other.order:
        one, other = one.first_order(), other.first_order()
    return Transitions(one.order, how(one.counts, other.counts), how(one.value, other.value))


def _joined_rules(one: RuleSums | None, other: RuleSums | None, how: Callable[[Ints, Ints], Ints]) -> RuleSums | None:
    if one is None or other is None:
        return None
    names = tuple(name for name in one.names if name in other.names)

    def chosen(rules: RuleSums, column: Ints) -> Ints:
        return column[:, [rules.names.index(name) for name in names]]

    return RuleSums(
        names, how(chosen(one, one.k), chosen(other, other.k)), how(chosen(one, one.value), chosen(other, other.value))
    )


def distinct(masks: Masks) -> tuple[Masks, Ints]:
    """Give the different rows of `masks` [rows, words], sorted, and for each row its place among them."""
    if masks.shape[1] == 1:
        found, place = np.unique(masks[:, 0], return_inverse=True)
        return found[:, None], place.astype(np.int64)
    found, place = np.unique(masks, axis=0, return_inverse=True)
    return found, place.astype(np.int64).reshape(-1)


def words(channels: int) -> int:
    """Give how many words of 64 bits a set of channels takes."""
    return -(-channels // WORD)


def of_members(member: Bools) -> Masks:
    """Give the masks of sets that are told channel by channel [M, K]."""
    masks = np.zeros((len(member), words(member.shape[1])), np.uint64)
    for number in range(member.shape[1]):
        masks[:, number // WORD] |= member[:, number].astype(np.uint64) << np.uint64(number % WORD)
    return masks


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one table of counts as an engine gives them, a column each.

    Sets: `key` is the mask [rows] or [rows, words]. Transitions of order 1: `key` [rows, 2] is from, to; of order 2
    [rows, 3] before, from, to; START is K as a from (and as a before), CONV is K and NULL is K + 1 as a to. Rules:
    `key` [rows, 2] is the rule's place among the names, and the channel.
    """

    block: Whole
    key: Whole
    n: Floats | Whole
    value: Floats | Whole
    k: Floats | Whole | None = None


def from_counts(
    channels: Sequence[str],
    *,
    blocks: int,
    sets: Rows,
    transitions: Rows | None = None,
    rules: Rows | None = None,
    rule_names: Sequence[str] = (),
    left_open: int = 0,
) -> Statistics:
    """Take counts that an engine has made; rows of one key are added up.

    Sets need `n` and `k`; of transitions `n` counts and `value` counts in rows to CONV; of rules `n` is the sum of the
    weights (parts of a conversion) and `value` that of weight times money. Money in minor units throughout. Refused:
    numbers out of range, and tables that count different conversions.
    """
    size = len(channels)
    key = np.asarray(sets.key).astype(np.uint64)
    masks, place = distinct(key[:, None] if key.ndim == 1 else key)
    cell = (blocks, len(masks))

    def added(column: Floats | Whole | None, flat: Ints, shape: tuple[int, ...], scale: int = 1) -> Ints:
        if column is None or (len(flat) and not 0 <= int(flat.min()) <= int(flat.max()) < int(np.prod(shape))):
            raise UnfitStatistics(Said("a row of counts has a block, channel or rule that does not exist."))
        exact = np.rint(np.asarray(column, np.float64) * scale)
        return np.bincount(flat, exact, int(np.prod(shape))).astype(np.int64).reshape(shape)

    flat = np.asarray(sets.block, np.int64) * len(masks) + place
    found = Sets(masks, *(added(column, flat, cell) for column in (sets.n, sets.k, sets.value)))
    steps = None if transitions is None else _steps_of(transitions, size, blocks, added)
    sums = None if rules is None else _rules_of(rules, tuple(rule_names), size, blocks, added)
    made = Statistics(tuple(channels), found, steps, sums, None, left_open)
    if steps is not None and int(steps.counts[:, :, size].sum()) != made.conversions:
        raise UnfitStatistics(Said("sets and transitions count different conversions; count both from the same facts."))
    return made


def _steps_of(rows: Rows, size: int, blocks: int, added: Callable[..., Ints]) -> Transitions:
    key = np.asarray(rows.key, np.int64)
    order = key.shape[1] - 1
    states = size if order == 1 else (size + 1) * size
    state = key[:, 0] if order == 1 else np.where(key[:, 1] == size, states, key[:, 0] * size + key[:, 1])
    row = np.asarray(rows.block, np.int64) * (states + 1) + state
    won = key[:, -1] == size
    counts = added(rows.n, row * (size + 2) + key[:, -1], (blocks, states + 1, size + 2))
    return Transitions(order, counts, added(np.where(won, rows.value, 0), row, (blocks, states + 1)))


def _rules_of(rows: Rows, names: tuple[str, ...], size: int, blocks: int, added: Callable[..., Ints]) -> RuleSums:
    key = np.asarray(rows.key, np.int64)
    flat = (np.asarray(rows.block, np.int64) * len(names) + key[:, 0]) * size + key[:, 1]
    shape = (blocks, len(names), size)
    return RuleSums(names, added(rows.n, flat, shape, PARTS), added(rows.value, flat, shape, MONEY_PARTS))
