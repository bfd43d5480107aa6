"""Credit for milestones of accounts: who brought a deal in, who moved it on, who closed it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plait.failure import Misused, Said, Unfit
from plait.stats.paths.intervals import limits, normal
from plait.stats.paths.money import Floats, Ints, adding_up, apportioned
from plait.stats.paths.response import credits_of, fitted, prepared, profile_limit
from plait.stats.paths.statistics import Bools, Sets


class UnfitStages(Misused):
    """Tables of stages that do not belong together."""


class NothingWon(Unfit):
    """No deal was won, so nothing can be traced back."""


class NothingLost(Unfit):
    """Everybody was won, so what moved them on cannot be seen."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Accounts that entered a stage long enough ago, by the channels that touched them before they left it.

    `sets`: `n` entered, `k` advanced, `value` [blocks, M] what the won deals among them were worth (minor units); `won`
    [blocks, M] how many these are. A won deal that passed a stage in an instant met no channel there.
    """

    name: str
    sets: Sets
    won: Ints


@dataclass(frozen=True, slots=True)
class StageCredit:
    """What each channel earned of the won deals at each stage.

    `credit` [stages, K] in deals, `low` and `high` [K] the limits of a channel's sum over the stages (None with one
    block), `value` [stages, K] in whole minor units; `baseline` and `baseline_value` are what no channel did. All add
    up to `won` and `total_value`. `entered`, `advanced` [stages] count; `reach` [stages + 1] is the chance of being won
    at the entry of each stage, 1 at the end: a stage earns by how much it raises it.
    """

    channels: tuple[str, ...]
    stages: tuple[str, ...]
    credit: Floats
    low: Floats | None
    high: Floats | None
    value: Ints
    baseline: float
    baseline_value: int
    won: int
    total_value: int
    entered: Ints
    advanced: Ints
    reach: Floats

    def roles(self) -> dict[str, Ints]:
        """Sum the money up by part played [K]: introduce (first stage), influence (between), close (last)."""
        if len(self.stages) == 1:
            none = np.zeros_like(self.value[0])
            return {"introduce": self.value[0], "influence": none, "close": none}
        return {"introduce": self.value[0], "influence": self.value[1:-1].sum(0), "close": self.value[-1]}


def stage_credit(channels: Sequence[str], stages: Sequence[Stage], *, level: float = 0.9) -> StageCredit:
    """Trace won deals back through their stages and share each stage's part among the channels that moved it on.

    With r_i the share that advances at stage i, an account at the entry of stage j is won with chance f_j = r_j r_(j+1)
    ...; stage j earns f_(j+1) - f_j of every won deal, and f_0 would have been won anyway (baseline). Within a stage
    the response model shares. Telescopes to the won value exactly. Lost deals get nothing. Refused: no won deal;
    nobody who entered and was not won; stages that do not hold the same won deals.
    """
    won, value = (int(column.sum()) for column in (stages[0].won, stages[0].sets.value))
    if any(int(s.won.sum()) != won or int(s.sets.value.sum()) != value for s in stages):
        raise UnfitStages(Said("each stage must hold every won deal; count deals that skipped it as untouched there."))
    if not won:
        raise NothingWon(Said("no deal was won, so there is no credit to share; choose a longer window."))
    entered, advanced = (
        np.array([int(column.sum()) for column in told])
        for told in zip(*((stage.sets.n, stage.sets.k) for stage in stages), strict=True)
    )
    if (entered == advanced).all():
        raise NothingLost(
            Said("all that entered a stage were won; what moved them on shows only beside some that were not.")
        )
    deals, reach = _parts(stages, len(channels), whole=True, money=False)
    money, _ = _parts(stages, len(channels), whole=True, money=True)
    credit = adding_up(float(won), deals[0].reshape(-1)).reshape(deals[0].shape)
    whole = apportioned(value, money[0].reshape(-1)).reshape(money[0].shape)
    low, high = _limits(stages, deals[0], reach[0], level) if len(stages[0].won) > 1 else (None, None)
    return StageCredit(
        tuple(channels), tuple(stage.name for stage in stages), credit[:, :-1], low, high, whole[:, :-1],
        float(credit[:, -1].sum()), int(whole[:, -1].sum()), won, value, entered, advanced, reach[0],
    )  # fmt: skip


def _limits(stages: Sequence[Stage], shares: Floats, reach: Floats, level: float) -> tuple[Floats, Floats]:
    """Give the limits of each channel's deals [K] from leaving out each block in turn.

    A channel without any effect found has none in all of these either: its upper limit is what the stages' data allow
    (see `_allowed`), added up in squares, as the stages err apart.
    """
    won, size = int(stages[0].won.sum()), shares.shape[1] - 1
    spread, _ = _parts(stages, size, whole=False, money=False)
    low, high = (side[:-1] for side in limits(shares.sum(0), spread.sum(1), "blocks", level))
    idle = shares[:, :-1].sum(0) <= 0
    if idle.any():
        most = [gain * _allowed(stage, idle, level) for stage, gain in zip(stages, np.diff(reach), strict=True) if gain]
        high = np.maximum(high, np.sqrt(np.square(most).sum(0)))
    return np.maximum(low, 0) * won, np.minimum(high, 1) * won


def _allowed(stage: Stage, idle: Bools, level: float) -> Floats:
    """Give the most that one stage's data allow each `idle` channel, as a share of what was won there [K]; others 0.

    The limit is that of the profile likelihood of its hazard, the share what the hazard then explains.
    """
    size, won = len(idle), stage.won.sum(0)[None].astype(np.float64)
    member = stage.sets.members(size)
    rows, n, k, known = prepared(member, stage.sets.n.sum(0), stage.sets.k.sum(0))
    most = np.zeros(size)
    if not 0 < k.sum() < n.sum():
        return most
    theta = fitted(rows, n[None], k[None])[0]
    for channel in np.flatnonzero(idle & (won @ member > 0)[0]):
        lifted = theta.copy()
        lifted[channel] = profile_limit(rows, n, k, theta, int(channel), normal(level) ** 2 / 2)
        earned = credits_of(lifted[None, :size], member, won, lifted[size] if known else 0.0)
        most[channel] = earned[0, channel] / won.sum()
    return most


def _parts(stages: Sequence[Stage], size: int, *, whole: bool, money: bool) -> tuple[Floats, Floats]:
    """Give shares [R, stages, K + 1], the last column without a channel, adding up to 1; and reach [R, stages + 1].

    R is 1 for all customers, or one for each block that is left out.
    """
    taken = [
        tuple(
            column.sum(0, keepdims=True) - (0 if whole else column)
            for column in (stage.sets.n, stage.sets.k, stage.sets.value if money else stage.won)
        )
        for stage in stages
    ]
    rates = np.stack([k.sum(1) / np.maximum(n.sum(1), 1) for n, k, _ in taken], 1)
    reach = np.ones((len(rates), len(stages) + 1))
    reach[:, :-1] = np.cumprod(rates[:, ::-1], axis=1)[:, ::-1]
    shares = np.zeros((len(rates), len(stages), size + 1))
    for place, (stage, (n, k, worth)) in enumerate(zip(stages, taken, strict=True)):
        total = np.maximum(worth.sum(1, keepdims=True), 1e-300)
        gained = (reach[:, place + 1] - reach[:, place])[:, None]
        shares[:, place] = gained * _within(stage, size, n, k, worth) / total
    shares[:, 0, -1] += reach[:, 0]  # what would have been won anyway
    return shares, reach


def _within(stage: Stage, size: int, n: Ints, k: Ints, worth: Ints) -> Floats:
    """Share what was won by the sets of one stage, [R, K + 1]; where all or none advance nothing can be told apart."""
    member = stage.sets.members(size)
    rows, entered, advanced, known = prepared(member, n, k)
    told = (advanced.sum(1) > 0) & (advanced.sum(1) < entered.sum(1))
    shares = np.zeros((len(n), size + 1))
    shares[:, -1] = worth.sum(1)
    if told.any():
        theta = fitted(rows, entered[told], advanced[told])
        base = theta[:, size] if known else 0.0
        shares[told] = credits_of(theta[:, :size], member, worth[told].astype(np.float64), base)
    return shares
