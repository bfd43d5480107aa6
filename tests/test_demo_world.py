"""The simulated world behaves as its parameters say, within the interval that its own size allows."""

from datetime import date
from itertools import pairwise

import numpy as np
import pytest

from plait.demo.channels import BUYING, CHANNELS, ORDERING, PRODUCTS, STAYING
from plait.demo.funnel import AT_MQL, AT_SAL, AT_SQL, LOST, NO_MQL, WON
from plait.demo.world import World, chance_without, simulate

TWO_SIDED = 2.6  # standard errors; a false alarm in a hundred, and the seed is fixed


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(11, accounts=20_000, until=date(2026, 7, 1))


def near(share: float, expected: float, number: int) -> bool:
    return bool(abs(share - expected) < TWO_SIDED * np.sqrt(expected * (1 - expected) / number) + 0.01)


def test_stages_convert_as_often_as_planted(world: World) -> None:
    stop = world.attempts.stop
    reached = [int((stop >= stage).sum()) for stage in (AT_MQL, AT_SAL, AT_SQL, LOST)]
    rates = [after / before for before, after in pairwise(reached)]
    assert (stop == NO_MQL).any()
    assert rates == pytest.approx([BUYING.accepted, BUYING.taken_up, BUYING.opened], abs=0.03)
    assert (stop == WON).sum() / reached[-1] == pytest.approx(0.30, abs=0.04)


def test_deals_take_about_fifty_days(world: World) -> None:
    won = world.attempts.stop == WON
    days = world.attempts.closed[won] - world.attempts.opened[won]
    assert np.median(days) == pytest.approx(BUYING.cycle, rel=0.05)


def test_accounts_are_won_by_their_hazard(world: World) -> None:
    assert near(world.outcome.won.mean(), world.outcome.chance.mean(), len(world.accounts))
    for number in range(len(CHANNELS)):
        met = world.met[:, number]
        assert near(world.outcome.won[met].mean(), world.outcome.chance[met].mean(), int(met.sum()))


def test_a_channel_that_harvests_looks_good_and_adds_nothing(world: World) -> None:
    lift = {}
    for number, channel in enumerate(CHANNELS):
        met = world.met[:, number]
        added = (world.outcome.chance - chance_without(world, number))[met].mean()
        lift[channel.name] = (world.outcome.won[met].mean() - world.outcome.won[~met].mean(), added)
    apparent, true = lift["branded_search"]
    assert true == pytest.approx(0, abs=1e-12)
    assert apparent > 0.04
    apparent, true = lift["event"]
    assert apparent == pytest.approx(true, abs=0.03)


def test_a_service_failure_multiplies_the_hazard_of_leaving(world: World) -> None:
    """The interval of the logarithm of a ratio of two rates: 1.96 * sqrt(1/left + 1/left)."""
    months, left = world.life.exposure.months, world.life.exposure.left
    ratio = left["failure"] / months["failure"] / (left["none"] / months["none"])
    spread = 1.96 * np.sqrt(1 / left["failure"] + 1 / left["none"])
    assert abs(np.log(ratio / STAYING.failure_multiplier)) < spread
    overall = sum(left.values()) / sum(months.values())
    assert 0.008 < overall < 0.016


def test_recurring_revenue_grows_and_keeps_the_planted_retention(world: World) -> None:
    customers, changes = world.life.customers, world.life.changes

    def monthly(day: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        paid = customers.monthly.copy()
        past = changes.day <= day
        paid[changes.customer[past]] = changes.monthly[past]
        return np.where((customers.starts <= day) & (day < customers.ends), paid, 0.0)

    end, start = monthly(729.9), monthly(364.9)
    cohort = start > 0
    assert end[cohort].sum() / start.sum() == pytest.approx(1.05, abs=0.05)
    assert np.minimum(start, end)[cohort].sum() / start.sum() == pytest.approx(0.88, abs=0.04)


def test_orders_follow_the_planted_values(world: World) -> None:
    """The mean of a Gamma-Gamma is p * gamma / (q - 1); over a first week E[X] is about r / alpha."""
    orders = world.life.orders
    first = orders.eur[orders.rank == 0]
    expected = ORDERING.p * ORDERING.gamma / (ORDERING.q - 1)
    assert first.mean() == pytest.approx(expected, abs=TWO_SIDED * first.std() / np.sqrt(len(first)))
    signed = orders.day[orders.rank == 0]
    long_enough = signed < world.calendar.days - 7
    second = orders.rank == 1
    soon = orders.day[second] - signed[orders.customer[second]] < 7
    chance = 1 - (ORDERING.alpha / (ORDERING.alpha + 1)) ** ORDERING.r
    counted = soon & long_enough[orders.customer[second]]
    assert near(counted.sum() / long_enough.sum(), chance, int(long_enough.sum()))


def test_what_goes_with_a_product_is_ordered_next(world: World) -> None:
    orders = world.life.orders
    order = np.lexsort((orders.rank, orders.customer))
    customer, product = orders.customer[order], orders.product[order]
    pairs = customer[1:] == customer[:-1]
    before, after = product[:-1][pairs], product[1:][pairs]
    connected = before == PRODUCTS.index("Data Connector")
    assert (after[connected] == PRODUCTS.index("API Pack")).mean() > 0.5


def test_the_mix_of_channels_shifts(world: World) -> None:
    touches = world.touches
    first = np.full(len(world.accounts), -1)
    opening = touches.day == world.accounts.arrives[touches.account]
    first[touches.account[opening]] = touches.channel[opening]
    late = world.accounts.arrives >= world.calendar.days - 120
    paid = [channel.name for channel in CHANNELS].index("paid_search")
    assert (first[~late] == paid).mean() == pytest.approx(0.24, abs=0.02)
    assert (first[late] == paid).mean() == pytest.approx(0.12, abs=0.03)
