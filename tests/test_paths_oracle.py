"""Attribution on PathData: the answers of other tools where these are right, and of exact arithmetic elsewhere."""

from __future__ import annotations

import csv
import math
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from plait.stats.paths.counting import counted
from plait.stats.paths.credit import credit
from plait.stats.paths.intervals import replicated
from plait.stats.paths.journeys import Journeys, from_paths
from plait.stats.paths.markov import removal_effect_of_set, removal_effects
from plait.stats.paths.models import MODELS, nobody_within, rate_strength
from plait.stats.paths.response import described, effects
from plait.stats.paths.statistics import Statistics

FILE = Path(__file__).parents[2] / "shared" / "data" / "attribution" / "PathData.csv"
pytestmark = [pytest.mark.real_data, pytest.mark.skipif(not FILE.exists(), reason="the public data is not here")]

COUNTS = ("first", "last", "linear", "position", "equal")
# first, last, linear, position, equal split, removal effect, credit, credit without nulls, effect of order 2, rate
# Shapley, response credit
TABLE = {
    "alpha": (6308, 8447, 7574.719, 7444.824, 7627.944, 0.5584, 5344.95, 5260.07, 0.5478, 0.018439, 8419.74),
    "iota": (4606, 3355, 3857.096, 3944.948, 3505.044, 0.4058, 3884.61, 3899.25, 0.3716, 0.018026, 3802.40),
    "eta": (3164, 4167, 3539.951, 3618.796, 3613.656, 0.3490, 3340.85, 3347.77, 0.3308, 0.021181, 3985.41),
    "beta": (2831, 989, 2083.500, 1969.766, 1982.739, 0.2640, 2527.35, 2585.41, 0.2379, 0.021637, 1870.42),
    "theta": (1606, 653, 1022.801, 1092.744, 1190.963, 0.2060, 1971.91, 1938.85, 0.1855, 0.028980, 263.70),
    "lambda": (902, 1207, 1035.258, 1046.904, 987.782, 0.1340, 1282.85, 1295.48, 0.1160, 0.025710, 1042.30),
    "epsilon": (99, 531, 272.170, 301.050, 374.677, 0.0626, 599.57, 604.83, 0.0599, 0.026347, 175.47),
    "zeta": (27, 107, 136.552, 88.623, 199.992, 0.0398, 381.06, 394.52, 0.0365, -0.001016, 6.11),
    "kappa": (74, 230, 137.964, 147.460, 159.057, 0.0287, 274.36, 276.65, 0.0259, 0.021550, 96.64),
    "gamma": (165, 92, 121.042, 125.241, 138.186, 0.0179, 171.15, 176.03, 0.0168, 0.018075, 119.99),
    "delta": (1, 5, 1.725, 2.587, 2.293, 0.0005, 4.61, 4.26, 0.0005, -0.000011, 0.00),
    "mi": (2, 2, 2.222, 2.057, 2.667, 0.0002, 1.72, 1.89, 0.0002, 0.024928, 2.83),
}
VALUES = {  # first, last, linear
    "alpha": (19121.272, 28414.214, 24524.710),
    "iota": (19597.261, 13487.974, 15988.989),
    "eta": (11909.476, 16754.204, 13783.497),
    "beta": (12235.592, 3850.021, 8954.267),
}
THETA = {  # theta, its standard error; delta lies on the bound
    "alpha": (0.1974, 0.0024), "beta": (0.1147, 0.0036), "epsilon": (0.0420, 0.0064), "eta": (0.1688, 0.0032),
    "gamma": (0.0961, 0.0119), "iota": (0.1422, 0.0029), "kappa": (0.0574, 0.0107), "lambda": (0.1371, 0.0053),
    "mi": (0.2196, 0.144), "theta": (0.0207, 0.0041), "zeta": (0.0025, 0.0089), "delta": (0.0, 0.0),
}  # fmt: skip
MICRO = 10**6


def journeys(order: int = 1, renamed: bool = False) -> Journeys:  # noqa: FBT001, FBT002
    """Read the file; `order` -1 turns its rows around, `renamed` numbers the channels the other way."""
    with FILE.open() as file:
        rows = list(csv.DictReader(file))[::order]
    names = sorted(TABLE, reverse=renamed)
    code = {name: place for place, name in enumerate(names)}
    paths = [[code[name.strip()] for name in row["path"].split(">")] for row in rows]
    k = np.array([int(row["total_conversions"]) for row in rows])
    lost = np.array([int(float(row["total_null"])) for row in rows])
    value = [int((Decimal(row["total_conversion_value"]) * MICRO).to_integral_value()) for row in rows]
    starts = np.cumsum([0, *map(len, paths)])
    return from_paths(names, starts, np.concatenate(paths), n=k + lost, k=k, value=np.array(value))


@pytest.fixture(scope="module")
def statistics() -> Statistics:
    return counted(journeys())


def column(number: int, statistics: Statistics) -> list[float]:
    return [TABLE[name][number] for name in statistics.channels]


def test_the_totals_are_those_of_the_file(statistics: Statistics) -> None:
    assert (statistics.conversions, statistics.journeys) == (19_785, 88_387)
    assert statistics.value / MICRO == pytest.approx(74_802.972, abs=1e-3)
    assert len(statistics.sets.masks) == 484


@pytest.mark.parametrize(("number", "rule"), list(enumerate(COUNTS)))
def test_rules_agree_with_the_table(number: int, rule: str, statistics: Statistics) -> None:
    found = credit(statistics, rule, interval="none").credit
    assert found == pytest.approx(column(number, statistics), abs=1e-3)


@pytest.mark.parametrize(("number", "rule"), list(enumerate(("first", "last", "linear"))))
def test_rules_share_the_money_of_the_table(number: int, rule: str, statistics: Statistics) -> None:
    answer = credit(statistics, rule, interval="none")
    assert answer.value is not None
    found = dict(zip(answer.channels, answer.value / MICRO, strict=True))
    for name, values in VALUES.items():
        assert found[name] == pytest.approx(values[number], abs=1.1e-3)
    assert int(answer.value.sum()) == statistics.value


def test_removal_effects_and_their_credit_agree_with_the_table(statistics: Statistics) -> None:
    answer = credit(statistics, "markov", interval="none")
    assert answer.effect == pytest.approx(column(5, statistics), abs=1e-4)
    assert answer.credit == pytest.approx(column(6, statistics), abs=6e-3)


def test_without_nulls_markov_gives_the_other_column() -> None:
    known = journeys()
    only_won = from_paths(known.channels, known.starts, known.channel, n=known.k, k=known.k)
    answer = credit(counted(only_won), "markov", interval="none")
    assert answer.credit == pytest.approx(column(7, counted(only_won)), abs=6e-3)
    assert any("No journey without a conversion" in note for note in answer.notes)


def test_two_orders_have_one_base_rate(statistics: Statistics) -> None:
    steps = statistics.transitions
    assert steps is not None
    second, base = removal_effects(steps.counts, order=2)
    first_base = removal_effects(steps.first_order().counts, order=1)[1]
    assert base[0] == pytest.approx(0.223845135597, abs=1e-12)
    assert base[0] == pytest.approx(first_base[0], abs=1e-12)
    assert second[0] == pytest.approx(column(8, statistics), abs=1e-4)
    assert int(steps.counts[:, :-1].any((0, 2)).sum()) == 124


def test_two_channels_are_removed_together(statistics: Statistics) -> None:
    steps = statistics.transitions
    assert steps is not None
    both = [statistics.channels.index(name) for name in ("alpha", "epsilon")]
    assert removal_effect_of_set(steps.first_order(), both) == pytest.approx(0.585211501835, abs=1e-11)


def test_the_rate_game_agrees_with_the_table(statistics: Statistics) -> None:
    strength = rate_strength(statistics, fill=False)
    assert strength[0] == pytest.approx(column(9, statistics), abs=1e-6)
    assert nobody_within(statistics).sum() == 3  # and the empty set: 4 of 4,096


def test_the_response_model_agrees_with_the_table(statistics: Statistics) -> None:
    sets = statistics.sets
    member = sets.members(len(statistics.channels))
    found = described(member, sets.n[0], sets.k[0])
    assert found.log_likelihood == pytest.approx(-48_507.562, abs=1e-3)
    assert not found.baseline_known
    for name, theta, error, bound in zip(statistics.channels, found.theta, found.error, found.bound, strict=True):
        assert theta == pytest.approx(THETA[name][0], abs=6e-5)
        assert error == pytest.approx(THETA[name][1], abs=1e-4)
        assert bound == (name == "delta")
    assert effects(found.theta[None], member, sets.n.astype(np.float64)).sum() == pytest.approx(19_381.66, abs=5e-3)
    answer = credit(statistics, "response", interval="none")
    assert answer.credit == pytest.approx(column(10, statistics), abs=6e-3)
    assert math.fsum(answer.credit) == 19_785


@pytest.mark.parametrize("model", [name for name in MODELS if name not in ("decay", "last_non_direct")])
def test_order_of_rows_and_names_change_nothing(model: str, statistics: Statistics) -> None:
    answer = credit(statistics, model, interval="none")
    other = credit(counted(journeys(-1, renamed=True)), model, interval="none")
    assert other.credit[::-1] == pytest.approx(answer.credit, abs=1e-9 * answer.conversions, rel=1e-9)
    if answer.effect is not None and other.effect is not None:
        assert other.effect[::-1] == pytest.approx(answer.effect, abs=1e-9)


def test_bootstrap_and_blocks_are_about_as_wide(statistics: Statistics) -> None:
    """sd of the removal effect: alpha .0029 by bootstrap and .0032 by blocks, lambda .0021 by both, .0017 quick."""
    wide = {}
    for method in ("bootstrap", "blocks", "quick"):
        size = 100 if method == "blocks" else None
        replicates = replicated(statistics, method, size=size)
        answer = credit(statistics, "markov", replicates=replicates)
        assert answer.effect_high is not None
        assert answer.effect_low is not None
        wide[method] = dict(zip(answer.channels, (answer.effect_high - answer.effect_low) / 3.29, strict=True))
    assert wide["bootstrap"]["alpha"] == pytest.approx(0.0029, abs=2e-4)
    assert wide["blocks"]["alpha"] == pytest.approx(0.0030, abs=6e-4)
    assert wide["bootstrap"]["lambda"] == pytest.approx(0.0021, abs=2e-4)
    assert wide["blocks"]["lambda"] == pytest.approx(0.0021, abs=4e-4)
    assert wide["quick"]["lambda"] == pytest.approx(0.0017, abs=2e-4)
