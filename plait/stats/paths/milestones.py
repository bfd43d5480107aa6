"""Credit for milestones of accounts: who brought a deal in, who moved it on, who closed it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plait.failure import Misused, Said, Unfit
from plait.stats.paths.intervals import limits
from plait.stats.paths.journeys import Journeys
from plait.stats.paths.money import Floats, Ints, apportioned
from plait.stats.paths.response import credits_of, fitted, prepared
from plait.stats.paths.statistics import Bools, Sets

W = {"first": 0.30, "lead": 0.30, "opportunity": 0.30}
FULL_PATH = {"first": 0.225, "lead": 0.225, "opportunity": 0.225, "won": 0.225}
NOWHERE = -1


class UnfitStages(Misused):
    """Tables of stages that do not belong together."""


class NothingWon(Unfit):
    """No deal was won, so nothing can be traced back."""


def touch_at(journeys: Journeys, instant: Ints, *, known: Bools) -> Ints:
    """Find the touch of a milestone: the last one at or before it in its journey [J], -1 where there is none.

    `instant` [J] in the units of the journeys, `known` [J] False where the milestone was never reached.
    """
    if journeys.at is None:
        raise UnfitStages(Said("milestones ask when the touches were, and these journeys have no instants."))
    length = journeys.length
    before = journeys.at <= np.repeat(np.where(known, instant, np.iinfo(np.int64).min), length)
    count = np.concatenate([[0], np.cumsum(before)])
    found = count[journeys.starts[1:]] - count[journeys.starts[:-1]]
    return np.where(found > 0, journeys.starts[:-1] + found - 1, NOWHERE)


def role_weights(journeys: Journeys, roles: dict[str, float], places: dict[str, Ints]) -> Floats:
    """Give each touch its share in a won deal by the part that it played: the W rule, or the full path [T].

    `roles` are `W` or `FULL_PATH`: a share for each milestone; `places` [J] the touch of each (NOWHERE where it is
    missing; first and won need none). What the roles leave, 10 %, goes to the other touches in equal parts; without
    others, to the milestones' touches in proportion. A missing milestone is as if it had no share. One touch may play
    several parts. Shares add up to 1 in each journey; no journey may be empty. Trade conventions, not measurements.
    """
    ends = {"first": journeys.starts[:-1], "won": journeys.starts[1:] - 1}
    given = np.zeros(len(journeys.channel))
    for role, share in roles.items():
        place = ends[role] if role in ends else places[role]
        np.add.at(given, place[place != NOWHERE], share)
    begin, length = journeys.starts[:-1], journeys.length
    others = np.add.reduceat((given == 0).astype(np.int64), begin)
    left = np.where(others > 0, (1 - sum(roles.values())) / np.maximum(others, 1), 0)
    given = np.where(given == 0, np.repeat(left, length), given)
    return np.asarray(given / np.repeat(np.add.reduceat(given, begin), length))


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

    `credit` [stages, K] in deals with limits (None with one block), `value` [stages, K] in whole minor units;
    `baseline` and `baseline_value` are what no channel did. All add up to `won` and `total_value`. `reach` [stages + 1]
    is the chance of being won at the entry of each stage, 1 at the end: a stage earns by how much it raises it.
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
    the response model shares. Telescopes to the won value exactly. Lost deals get nothing. Refused: no won deal; stages
    that do not hold the same won deals.
    """
    won, value = (int(column.sum()) for column in (stages[0].won, stages[0].sets.value))
    if any(int(s.won.sum()) != won or int(s.sets.value.sum()) != value for s in stages):
        raise UnfitStages(Said("each stage must hold every won deal; count deals that skipped it as untouched there."))
    if not won:
        raise NothingWon(Said("no deal was won, so there is no credit to share; choose a longer window."))
    deals, reach = _parts(stages, len(channels), whole=True, money=False)
    money, _ = _parts(stages, len(channels), whole=True, money=True)
    low = high = None
    if len(stages[0].won) > 1:
        spread, _ = _parts(stages, len(channels), whole=False, money=False)
        low, high = limits(deals[0], spread, "blocks", level)
        low, high = np.maximum(low, 0)[:, :-1] * won, np.minimum(high, 1)[:, :-1] * won
    whole = apportioned(value, money[0].reshape(-1)).reshape(money[0].shape)
    return StageCredit(
        tuple(channels), tuple(stage.name for stage in stages), deals[0][:, :-1] * won, low, high, whole[:, :-1],
        float(deals[0][:, -1].sum() * won), int(whole[:, -1].sum()), won, value, reach[0],
    )  # fmt: skip


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
    told = (k.sum(1) > 0) & (k.sum(1) < n.sum(1))
    shares = np.zeros((len(n), size + 1))
    shares[:, -1] = worth.sum(1)
    if told.any():
        rows, entered, advanced, known = prepared(member, n[told], k[told])
        theta = fitted(rows, entered, advanced)
        base = theta[:, size] if known else 0.0
        shares[told] = credits_of(theta[:, :size], member, worth[told].astype(np.float64), base)
    return shares
