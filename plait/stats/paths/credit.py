"""Credit: who earned the conversions and the money, by one model, with its interval and what it estimates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plait.failure import Said, Unfit
from plait.stats.paths import response
from plait.stats.paths.intervals import Replicates, limits, normal, replicated
from plait.stats.paths.models import Model, Shares, known_model, nobody_within
from plait.stats.paths.money import Floats, Ints, adding_up, apportioned
from plait.stats.paths.response import NothingToCompare
from plait.stats.paths.statistics import Statistics

VERSION = "1"
Pair = tuple[Floats, Floats]
ENOUGH = 0.95  # of the replicates must have a conversion to share
MOST_WORK = 2e11  # multiplications of one step of all replicates: some ten seconds


class NoConversions(Unfit):
    """There is nothing to share out."""


@dataclass(frozen=True, slots=True)
class Credit:
    """Who earned what, by one model.

    [K] each, in the order of `channels`: `credit` in conversions with `low` and `high`, `value` in whole minor units
    with its limits (None without money), `effect` (named by `effect_means`, None for rules) with its limits. Limits are
    None where no interval is known, and stay within 0 and the total: the total is known, how it divides is not.
    `credit` and `baseline` add up to `conversions`, `value` and `baseline_value` to `total_value`, exactly.
    `estimates` and `caution` say what the numbers are and are not, `interval` how limits are made, `notes` what else
    must be known. Everything that decides the numbers is kept: `level`, `seed`, `version`.
    """

    model: str
    channels: tuple[str, ...]
    credit: Floats
    low: Floats | None
    high: Floats | None
    value: Ints | None
    value_low: Ints | None
    value_high: Ints | None
    effect: Floats | None
    effect_low: Floats | None
    effect_high: Floats | None
    effect_means: Said | None
    baseline: float
    baseline_value: int
    conversions: int
    journeys: int
    total_value: int
    left_open: int
    estimates: Said
    caution: Said
    interval: Said | None
    level: float
    seed: int | None
    notes: tuple[Said, ...]
    version: str = VERSION


def credit(
    statistics: Statistics,
    model: str = "response",
    *,
    level: float = 0.9,
    interval: str = "auto",
    replicates: Replicates | None = None,
) -> Credit:
    """Share out all conversions and their money by one model.

    `model` is a name of `models.MODELS`. `interval`: auto, blocks, bootstrap, quick (Markov only) or none; `replicates`
    made before are taken as they are, so that several models share them. Refused: no conversions; what a model needs
    and the sums have not (NothingToCompare, NoInstants).
    """
    chosen = known_model(model)
    if not statistics.conversions:
        raise NoConversions(
            Said("nothing converted, so there is no credit to share; choose another milestone or window.")
        )
    total = statistics.total()
    point = chosen.share(total, None)
    if replicates is None and interval != "none":
        replicates = replicated(statistics, interval)
    spread = _spread(chosen, replicates, point)
    known = replicates if spread is not None else None
    shares, money, effect = _intervals(total, point, spread, known.method if known else "", level)
    parts = adding_up(float(total.conversions), point.credit[0])
    value = None if point.value is None else apportioned(total.value, point.value[0])
    return Credit(
        model=model,
        channels=statistics.channels,
        credit=parts[:-1],
        low=shares and shares[0][:-1] * total.conversions,
        high=shares and shares[1][:-1] * total.conversions,
        value=None if value is None else value[:-1],
        value_low=money and _whole(money[0][:-1] * total.value),
        value_high=money and _whole(money[1][:-1] * total.value),
        effect=None if point.effect is None else point.effect[0],
        effect_low=effect and effect[0],
        effect_high=effect and effect[1],
        effect_means=None if point.effect is None else chosen.effect,
        baseline=float(parts[-1]),
        baseline_value=0 if value is None else int(value[-1]),
        conversions=total.conversions,
        journeys=total.journeys,
        total_value=total.value,
        left_open=total.left_open,
        estimates=chosen.estimates,
        caution=chosen.caution,
        interval=known.says if known else None,
        level=level,
        seed=known.seed if known else None,
        notes=_notes(total, chosen, point, interval=known is not None),
    )


def _whole(column: Floats) -> Ints:
    return np.rint(column).astype(np.int64)


def _spread(model: Model, replicates: Replicates | None, point: Shares) -> Shares | None:
    """Ask the model about every replicate; None where too many of them have nothing to say."""
    if replicates is None:
        return None
    data = replicates.statistics
    work = len(data.sets.masks) * len(data.channels) ** 2 * data.blocks
    told = data.sets.k.sum(1) > 0
    too_much = model.name == "response" and work > MOST_WORK
    if told.mean() < ENOUGH or too_much or (replicates.method == "quick" and model.name != "markov"):
        return None
    if not told.all():
        data = data.over_blocks(lambda column: column[told])
    try:
        return model.share(data, None if point.theta is None else point.theta[0])
    except NothingToCompare:
        return None


def _intervals(
    total: Statistics, point: Shares, spread: Shares | None, method: str, level: float
) -> tuple[Pair | None, Pair | None, Pair | None]:
    """Give lower and upper limits of shares of conversions, of shares of money, and of effects."""
    shares = _limits(point.credit, spread.credit if spread else None, method, level)
    money = _limits(point.value, spread.value if spread else None, method, level)
    effect = _limits(point.effect, spread.effect if spread else None, method, level)
    if shares and effect and point.theta is not None and not point.theta[0, : len(total.channels)].all():
        highs = _bound_highs(total, point.theta[0], level)
        shares = shares[0], np.maximum(shares[1], highs[0])
        money = money and (money[0], np.maximum(money[1], highs[1]))
        effect = effect[0], np.maximum(effect[1], highs[2][:-1])
    if point.effect is not None and point.sampled is not None:
        half = normal(level) * point.sampled
        effect = point.effect[0] - half, point.effect[0] + half
    return shares, money, effect


def _limits(point: Floats | None, spread: Floats | None, method: str, level: float) -> Pair | None:
    """Give lower and upper limits of shares or effects, None where there are none."""
    if point is None or spread is None:
        return None
    low, high = limits(point[0], spread, method, level)
    return np.maximum(low, min(0.0, float(point.min()))), np.minimum(high, 1.0)


def _bound_highs(total: Statistics, theta: Floats, level: float) -> Floats:
    """Give the most that the data allow each channel without any effect found, 0 for the others [3, K + 1].

    Rows: share of conversions, of money, strength. Draws of the same customers cannot tell: a channel that never helped
    helps in none of them. The limit is that of the profile likelihood, the credit that of its hazard there.
    """
    sets, size = total.sets, len(total.channels)
    member = sets.members(size)
    rows, n, won, _ = response.prepared(member, sets.n[0], sets.k[0], known=len(theta) > size)
    highs = np.zeros((3, size + 1))
    for channel in np.flatnonzero(theta[:size] <= 0):
        lifted = theta.copy()
        lifted[channel] = response.profile_limit(rows, n, won, theta, int(channel), normal(level) ** 2 / 2)
        base = lifted[size] if len(theta) > size else 0.0
        for row, worth in enumerate((sets.k[0].astype(np.float64), sets.value[0].astype(np.float64))):
            earned = response.credits_of(lifted[None, :size], member, worth[None], base)[0, channel]
            highs[row, channel] = earned / max(worth.sum(), 1)
        highs[2, channel] = -np.expm1(-lifted[channel])
    return highs


def _notes(total: Statistics, model: Model, point: Shares, *, interval: bool) -> tuple[Said, ...]:
    said = []
    if total.left_open:
        said.append(Said("{count} journeys may still convert and are left out.", count=total.left_open))
    if point.theta is not None and point.theta.shape[1] == len(total.channels):
        said.append(Said("No untouched customers are known, so what would have converted anyway is not told apart."))
    if total.journeys == total.conversions and model.effect:
        said.append(
            Said("No journey without a conversion is known: the model sees who was there, not who made a difference.")
        )
    if point.sampled is not None:
        said.append(Said("The strength is sampled over orders of channels; its limits are those of sampling alone."))
    elif model.name == "shapley" and point.effect is not None:
        holes = int(nobody_within(total).sum())
        if holes:
            said.append(Said("{count} sets of channels that nobody met alone take the fitted rate.", count=holes))
    if not interval:
        said.append(
            Said("No interval: too few conversions, one block of customers only, or too many channels for replicates.")
        )
    return tuple(said)
