"""A log of touches whose truth is known: what models should find, with and without people who had decided before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plait.stats.paths.journeys import DAY, Conversions, Touches
from plait.stats.paths.money import Floats, Ints
from plait.stats.paths.response import effects

CHANCES = (0.020, 0.012, 0.003, 0.015, 0.006, 0.004, 0.018, 0.025, 0.010, 0.030, 0.022, 0.004)
STOPS, LONGEST = 0.2, 40
STRENGTHS = {"none": 0.0, "weak": 0.5, "middling": 1.0, "strong": 2.0}
INTENDS = 0.25  # of people, where there is intent at all
OWN_CHANCE = 0.02  # to convert without any touch, per unit of strength
BEGIN = 1_700_000_000  # seconds


@dataclass(frozen=True, slots=True)
class Truth:
    """A log and what is true of it.

    `touches` and `conversions` (seconds, money in cents) as `from_touches` takes them. `shares` [K] is what each
    channel truly caused, adding up to 1 over channels; `baseline` the share of conversions that no channel caused.
    `as_of` lies so late that no journey is open.
    """

    channels: tuple[str, ...]
    touches: Touches
    conversions: Conversions
    shares: Floats
    baseline: float
    as_of: int


def simulated(people: int, *, strength: float = 0.0, seed: int = 1, chances: tuple[float, ...] = CHANCES) -> Truth:
    """Make a log in which each channel adds an independent chance of converting, and intent may mislead.

    Each of `people` meets a chain of channels (first ~ Dirichlet(3), moves ~ Dirichlet(12 x first), length geometric
    0.2, at most 40) and converts with 1 - (1 - own) x product of (1 - chance) over the different channels met. With
    `strength` s > 0 a quarter of them have intent: their own chance is 0.02 s, they meet more touches, and channels in
    order of their place up to e^s times as often (intent raises exposure and conversion). The truth is the exact
    Shapley value of the chance, summed over people.
    """
    chance = np.random.default_rng(seed)
    size = len(chances)
    base = chance.dirichlet(np.full(size, 3.0))
    moves = np.stack([chance.dirichlet(12 * base) for _ in range(size)])
    tilt = np.exp(strength * chance.permutation(np.linspace(-1, 1, size)))
    intends = chance.random(people) < (INTENDS if strength else 0)
    stop = np.where(intends, STOPS / (1 + strength / 2), STOPS)
    length = np.minimum(chance.geometric(stop), LONGEST)
    code = _walked(chance, length, intends, (base, base * tilt), (moves, moves * tilt))
    starts = np.concatenate([[0], np.cumsum(length)])
    member = np.zeros((people, size), np.bool_)
    member[np.repeat(np.arange(people), length), code] = True
    own = np.where(intends, OWN_CHANCE * strength, 0.0)
    stays = (1 - own) * np.where(member, 1 - np.array(chances), 1.0).prod(1)
    won = np.flatnonzero(chance.random(people) >= stays)
    unit = np.repeat(np.arange(people, dtype=np.int64), length)
    gap = chance.integers(60, 4 * DAY, len(code))
    gap[starts[:-1]] += chance.integers(0, 90 * DAY, people)
    at = np.cumsum(gap)
    at += BEGIN - np.repeat(at[starts[:-1]] - gap[starts[:-1]], length)
    converted = Conversions(won, at[starts[won + 1] - 1] + 3600, chance.integers(1_000, 100_000, len(won)))
    caused, expected = _caused(member, own, chances)
    return Truth(
        tuple(f"channel {number:02d}" for number in range(size)),
        Touches(unit, at, code),
        converted,
        caused / caused.sum(),
        max(0.0, float(1 - caused.sum() / expected)),
        int(at.max()) + 400 * DAY,
    )


def _walked(
    chance: np.random.Generator,
    length: Ints,
    intends: np.ndarray,
    first: tuple[Floats, Floats],
    moves: tuple[Floats, Floats],
) -> np.ndarray:
    """Draw the channels of everybody, touch by touch; weights of people with and without intent."""
    starts = np.concatenate([[0], np.cumsum(length)])
    code = np.empty(starts[-1], np.uint8)
    opening, onward = (np.stack([w / w.sum(-1, keepdims=True) for w in pair]).cumsum(-1) for pair in (first, moves))
    now = np.zeros(len(length), np.int64)
    for turn in range(int(length.max())):
        here = np.flatnonzero(length > turn)
        kind = intends[here].astype(np.int64)
        ladder = onward[kind, now[here]] if turn else opening[kind]
        now[here] = (chance.random(len(here))[:, None] > ladder[:, :-1]).sum(1)
        code[starts[here] + turn] = now[here]
    return code


def _caused(member: np.ndarray, own: Floats, chances: tuple[float, ...]) -> tuple[Floats, float]:
    """Give what each channel caused in expectation [K], and all that is expected to convert."""
    bits = member @ (1 << np.arange(member.shape[1], dtype=np.int64))
    theta = -np.log1p(-np.array(chances))
    caused, expected = np.zeros(member.shape[1]), 0.0
    for mine in np.unique(own):
        found, n = np.unique(bits[own == mine], return_counts=True)
        sets = (found[:, None] >> np.arange(member.shape[1])) & 1 == 1
        caused += effects(theta[None], sets, n[None].astype(np.float64), -np.log1p(-mine))[0]
        expected += float((n * -np.expm1(-(sets @ theta) + np.log1p(-mine))).sum())
    return caused, expected


def misallocated(found: Floats, truth: Floats) -> float:
    """Give the share of credit that went to the wrong channel: half the L1 distance of shares [K]."""
    return float(np.abs(found / found.sum() - truth / truth.sum()).sum() / 2)
