"""The models: what each estimates, what it does not, and how it shares conversions and money out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from plait.failure import Misused, Said, Unfit
from plait.stats.paths import markov, response, shapley
from plait.stats.paths.money import Floats, Ints
from plait.stats.paths.statistics import Bools, Statistics, UnfitStatistics

A_TIME = 4_000_000
SEED = 20_251_122  # of orders of channels


class UnknownModel(Misused):
    """Somebody asked for a model that nobody has defined."""


class TooManyChannels(Unfit):
    """A model looks at pairs of channels, and there are too many."""


class NoInstants(Unfit):
    """A rule asks when the touches were, and nobody knows."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How a model shares conversions and money: each row adds up to 1, the last column has no channel.

    `credit`, `value` [R, K + 1] for R sets of data (`value` None where no money is known); the last column are
    untouched conversions, or the response model's baseline. `effect` [R, K]: what the model measures before it is
    shared out (removal effect, strength), None for rules. `theta` [R, C] of the response model.
    `sampled` [K]: standard error of an effect that is sampled.
    """

    credit: Floats
    value: Floats | None
    effect: Floats | None = None
    theta: Floats | None = None
    sampled: Floats | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """A model: `estimates` says what its credit is, `caution` what it is not, `effect` names its effect."""

    name: str
    estimates: Said
    caution: Said
    share: Callable[[Statistics, Floats | None], Shares]
    effect: Said | None = None


def known_model(name: str) -> Model:
    """Give a model by its name."""
    known = MODELS | BY_ROLE
    if name not in known:
        raise UnknownModel(Said("no model {name!r}; allowed: {all}.", name=name, all=", ".join(known)))
    return known[name]


def _untouched(statistics: Statistics) -> tuple[Ints, Ints]:
    """Give conversions and money of customers that met no channel [R]."""
    empty = ~statistics.sets.masks.any(1)
    return statistics.sets.k[:, empty].sum(1), statistics.sets.value[:, empty].sum(1)


def _parted(parts: Floats | Ints, untouched: Ints, total: Ints) -> Floats:
    """Make shares of parts [R, K] that are worth `total` less `untouched` [R] together."""
    parts = np.maximum(np.asarray(parts, np.float64), 0)
    sums, total = parts.sum(1, keepdims=True), np.maximum(total, 1)
    outside = untouched / total
    inner = np.divide(parts, sums, out=np.zeros_like(parts), where=sums > 0) * (1 - outside)[:, None]
    return np.column_stack([inner, np.where((sums[:, 0] > 0) & (untouched == 0), 0.0, 1 - inner.sum(1))])


def _both(statistics: Statistics, parts: Floats | Ints, money: Floats | Ints) -> tuple[Floats, Floats | None]:
    k, value = _untouched(statistics)
    worth = statistics.sets.value.sum(1)
    shared = _parted(parts, k, statistics.sets.k.sum(1))
    return shared, _parted(money, value, worth) if worth.any() else None


def _rule(name: str) -> Callable[[Statistics, Floats | None], Shares]:
    def share(statistics: Statistics, _start: Floats | None) -> Shares:
        rules = statistics.rules
        if rules is None or name not in rules.names:
            if name == "decay":
                raise NoInstants(
                    Said("decay asks how old each touch was, and these paths have no instants; give a log of touches.")
                )
            raise UnfitStatistics(Said("the rule {name} was not counted; count it first.", name=name))
        place = rules.names.index(name)
        return Shares(*_both(statistics, rules.k[:, place], rules.value[:, place]))

    return share


def _equal(statistics: Statistics, _start: Floats | None) -> Shares:
    member = statistics.sets.members(len(statistics.channels))
    k, value = (shapley.equal_split(member, column) for column in (statistics.sets.k, statistics.sets.value))
    return Shares(*_both(statistics, k, value))


def _markov(order: int) -> Callable[[Statistics, Floats | None], Shares]:
    def share(statistics: Statistics, _start: Floats | None) -> Shares:
        steps = statistics.transitions
        if steps is not None and order == 1:
            steps = steps.first_order()
        if steps is None or steps.order != order:
            raise TooManyChannels(
                Said("steps of order {order} were not counted; that takes up to 40 channels.", order=order)
            )
        effect, _ = markov.removal_effects(steps.counts, order=order)
        money = effect
        if statistics.sets.value.any():
            money, _ = markov.removal_effects(steps.counts, order=order, worth=steps.value.astype(np.float64))
        return Shares(*_both(statistics, effect, money), effect)

    return share


def _shapley(statistics: Statistics, start: Floats | None) -> Shares:
    equal = _equal(statistics, None)
    if not (statistics.sets.n > statistics.sets.k).any():
        return equal
    if len(statistics.channels) > shapley.EXACT:
        if statistics.blocks > 1:
            return equal
        sets = statistics.sets
        member = sets.members(len(statistics.channels))
        effect, error = shapley.sampled_rate_shapley(member, sets.n[0], sets.k[0], seed=SEED)
        return Shares(equal.credit, equal.value, effect[None], sampled=error)
    return Shares(equal.credit, equal.value, rate_strength(statistics, start))


def nobody_within(statistics: Statistics) -> Bools:
    """Say for each set of channels but the empty one whether no journey lies within it [2^K]."""
    reached = np.zeros(1 << len(statistics.channels))
    reached[statistics.sets.masks[:, 0].astype(np.int64)] = statistics.sets.n.sum(0)
    found = shapley.subset_sums(reached) <= 0
    found[0] = False
    return np.asarray(found)


def rate_strength(statistics: Statistics, start: Floats | None = None, *, fill: bool = True) -> Floats:
    """Give the exact Shapley value of the rate game for each channel [R, K], for up to 20 channels.

    v(S) is the conversion rate of journeys that met only channels of S. Sets that nobody lies within take the rate of
    the fitted response model, or 0 with `fill` False. It ignores reach: a strength, never a credit.
    """
    sets, size = statistics.sets, len(statistics.channels)
    places = sets.masks[:, 0].astype(np.int64)
    thetas = _response(statistics, start).theta if fill and nobody_within(statistics).any() else None
    _, n, k, _ = response.prepared(sets.members(size), sets.n, sets.k)
    member = (np.arange(1 << size)[:, None] >> np.arange(size)) & 1 == 1
    found = np.zeros((statistics.blocks, size))
    a_time = max(1, A_TIME >> size)
    for low in range(0, statistics.blocks, a_time):
        part = slice(low, low + a_time)
        reached, won = (np.zeros((len(n[part]), 1 << size)) for _ in range(2))
        reached[:, places], won[:, places] = n[part], k[part]
        fills: Floats | float = 0.0
        if thetas is not None:
            base = thetas[part, size] if thetas.shape[1] > size else 0.0
            fills = response.chances(thetas[part, :size], member, base)
        found[part] = shapley.shapley(shapley.rates(reached, won, fills))
    return found


def _response(statistics: Statistics, start: Floats | None) -> Shares:
    sets, size = statistics.sets, len(statistics.channels)
    member = sets.members(size)
    rows, n, k, known = response.prepared(member, sets.n, sets.k, known=None if start is None else len(start) > size)
    theta = response.fitted(rows, n, k, start)
    base = theta[:, size] if known else 0.0
    own = theta[:, :size]

    def shared(worth: Ints) -> Floats:
        parts = response.credits_of(own, member, worth.astype(np.float64), base)
        return np.asarray(parts / np.maximum(parts.sum(1, keepdims=True), 1e-300))

    value = shared(sets.value) if sets.value.sum(1).all() else None
    return Shares(shared(sets.k), value, -np.expm1(-own), theta)


RULE_WORDS = {
    "first": Said("who opened: the first touch takes the whole conversion"),
    "last": Said("who closed: the last touch takes the whole conversion"),
    "last_non_direct": Said("who closed, direct visits passed over: the last other touch takes the whole conversion"),
    "linear": Said("presence by touches: each touch takes an equal part of the conversion"),
    "position": Said("a convention: first and last touch take 40 % each, those between share 20 %"),
    "decay": Said("a convention: a touch counts half as much for every 7 days that it is older"),
}
CONVENTION = Said("A stated convention: it sees order and presence, not whether the touch changed anything.")
MODELS: dict[str, Model] = {
    **{name: Model(name, words, CONVENTION, _rule(name)) for name, words in RULE_WORDS.items()},
    "equal": Model(
        "equal", Said("presence: each different channel of the journey takes an equal part of the conversion"),
        CONVENTION, _equal,
    ),
    "markov": Model(
        "markov",
        Said("presence on the way to conversions: what a first-order walk loses without the channel"),
        Said("Presence, not response: a channel that is met often and does nothing has a high effect."),
        _markov(1), Said("removal effect"),
    ),
    "markov-2": Model(
        "markov-2", Said("presence on the way to conversions, in a walk that remembers the last two touches"),
        Said("Presence, not response: with growing memory it becomes the share of conversions that met the channel."),
        _markov(2), Said("removal effect"),
    ),
    "shapley": Model(
        "shapley",
        Said("presence: the exact Shapley value of summed conversions, an equal split over the channels met"),
        Said("No more than presence. The strength, the Shapley value of the rate, ignores reach: it is no credit."),
        _shapley, Said("strength"),
    ),
    "response": Model(
        "response", Said("extra conversions caused, if who meets a channel does not depend on intent"),
        Said("Where intent brings people to a channel, its credit is too high; only an experiment tells."),
        _response, Said("strength"),
    ),
}  # fmt: skip
ROLE_WORDS = {
    "w": Said("a convention: first touch, lead and opportunity take 30 % each, all others 10 %"),
    "full_path": Said("a convention: first touch, lead, opportunity and win take 22.5 % each, all others 10 %"),
}
BY_ROLE = {name: Model(name, words, CONVENTION, _rule(name)) for name, words in ROLE_WORDS.items()}
"""Rules that need the milestones on the way, so that only who knows these can count them."""
