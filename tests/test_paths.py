"""Paths: what is a journey, what adds up, and what must hold of every model whatever the data."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.failure import Misused, Unfit
from plait.stats.paths import shapley
from plait.stats.paths.counting import counted
from plait.stats.paths.credit import NoConversions, credit
from plait.stats.paths.intervals import normal, replicated, student
from plait.stats.paths.journeys import (
    DAY,
    Conversions,
    Journeys,
    Touches,
    from_paths,
    from_touches,
    in_order,
    sorted_touches,
)
from plait.stats.paths.markov import removal_effect_of_set, removal_effects
from plait.stats.paths.milestones import Stage, stage_credit
from plait.stats.paths.models import MODELS, NoInstants
from plait.stats.paths.money import apportioned
from plait.stats.paths.response import NothingToCompare, credits_of, described, design, effects, fitted, slopes
from plait.stats.paths.rules import weights
from plait.stats.paths.statistics import Rows, Sets, Statistics, UnfitStatistics, from_counts, of_members
from plait.stats.paths.truth import simulated

TIMELESS = [name for name in MODELS if name != "decay"]


def aggregated(*rows: tuple[str, int, int, int]) -> Journeys:
    """Make paths of one letter a channel: path, conversions, nulls, money."""
    names = sorted({letter for path, *_ in rows for letter in path})
    starts = np.cumsum([0, *(len(path) for path, *_ in rows)])
    code = np.array([names.index(letter) for path, *_ in rows for letter in path], np.int64)
    k, lost, value = (np.array([row[place] for row in rows]) for place in (1, 2, 3))
    return from_paths(names or ["a"], starts, code, n=k + lost, k=k, value=value)


def log(*rows: tuple[int, int, str], won: tuple[tuple[int, int, int], ...] = (), **terms: float | None) -> Journeys:
    """Make journeys of a log: touches (customer, day, letter), conversions (customer, day, money); instants in days."""
    unit, day, letter = (np.array(column) for column in zip(*rows, strict=True))
    names = sorted(set(letter.tolist()))
    who, when, money = (np.array([one[place] for one in won], np.int64) for place in range(3))
    touches = Touches(unit, day, np.array([names.index(one) for one in letter]))
    given = {"lookback": 90, "open_days": 0, "blocks": 4} | terms
    return from_touches(names, touches, Conversions(who, when, money), per_day=1, **given)  # type: ignore[arg-type]


def told(journeys: Journeys) -> list[tuple[str, int]]:
    """Tell each row's path in letters, and how many converted."""
    paths = np.split(journeys.channel, journeys.starts[1:-1])
    return [
        ("".join(journeys.channels[code] for code in path), int(k)) for path, k in zip(paths, journeys.k, strict=True)
    ]


# -- journeys


def test_a_conversion_closes_a_journey_and_later_touches_open_the_next() -> None:
    found = log((1, 0, "a"), (1, 1, "b"), (1, 3, "c"), (1, 9, "a"), (2, 4, "b"), won=((1, 2, 5), (1, 5, 7)))
    assert told(found) == [("ab", 1), ("c", 1), ("a", 0), ("b", 0)]
    assert found.value.tolist() == [5, 7, 0, 0]


def test_a_touch_at_the_instant_of_the_conversion_belongs_to_the_next_journey() -> None:
    assert told(log((1, 0, "a"), (1, 2, "b"), won=((1, 2, 0),))) == [("a", 1), ("b", 0)]


def test_touches_older_than_the_lookback_are_left_out() -> None:
    rows = ((1, 0, "a"), (1, 95, "b"), (2, 0, "a"), (2, 95, "b"))
    assert told(log(*rows, won=((1, 100, 0),))) == [("b", 1), ("b", 0)]
    assert told(log(*rows, won=((1, 100, 0),), lookback=None)) == [("ab", 1), ("ab", 0)]


def test_a_journey_that_may_still_convert_is_not_counted_as_lost() -> None:
    rows = [(unit, 0, "a") for unit in range(10)] + [(20, 90, "a"), (21, 98, "a")]
    won = tuple((unit, 5, 0) for unit in range(10))
    found = log(*rows, won=won, open_days=None, as_of=100)
    assert (len(found), found.left_open) == (11, 1)  # all converted within 5 days: only the last is open


def test_conversions_without_a_touch_and_untouched_customers_have_empty_journeys() -> None:
    found = log((5, 0, "a"), won=((3, 1, 10), (5, 1, 20), (5, 2, 30), (9, 9, 40)), untouched=7)
    assert sorted(told(found)[:4]) == [("", 1), ("", 1), ("", 1), ("a", 1)]
    statistics = counted(found)
    assert (statistics.conversions, statistics.journeys, statistics.value) == (4, 11, 100)
    answer = credit(statistics, "linear")
    assert (answer.credit.tolist(), answer.baseline) == ([1.0], 3.0)


def test_logs_that_are_not_sorted_are_refused() -> None:
    with pytest.raises(Misused, match="touches are not sorted"):
        log((2, 0, "a"), (1, 0, "a"))
    with pytest.raises(Misused, match="touches are not sorted"):
        log((1, 5, "a"), (1, 0, "a"))


@given(
    st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 5), st.integers(0, 50)), max_size=40),
    st.sampled_from([1, 2**50]),
)
def test_a_log_is_put_in_order_by_customer_instant_and_tie(rows: list[tuple[int, int, int]], wide: int) -> None:
    unit, at, tie = np.array(rows, np.int64).reshape(-1, 3).T
    order = in_order(unit, at * wide, tie)
    assert sorted(order.tolist()) == list(range(len(rows)))
    assert [rows[place] for place in order] == sorted(rows)
    kept = in_order(unit, at * wide)
    assert kept.tolist() == sorted(range(len(rows)), key=lambda place: (rows[place][:2], place))
    channel = np.arange(len(rows)) * 7 % 5
    for by in (tie, None):
        touches, order = sorted_touches(unit, at * wide, channel, by), in_order(unit, at * wide, by)
        assert touches.unit.tolist() == unit[order].tolist()
        assert touches.at.tolist() == (at * wide)[order].tolist()
        assert touches.channel.tolist() == channel[order].tolist()


# -- what adds up


@pytest.fixture(scope="module")
def firm() -> Statistics:
    made = simulated(20_000, seed=5)
    return counted(from_touches(made.channels, made.touches, made.conversions, as_of=made.as_of))


def part(share: slice | np.ndarray) -> Statistics:
    """Count some customers of the firm only."""
    made = simulated(20_000, seed=5)
    keep, won = (np.isin(log.unit, np.arange(20_000)[share]) for log in (made.touches, made.conversions))
    touches = Touches(made.touches.unit[keep], made.touches.at[keep], made.touches.channel[keep])
    value = made.conversions.value
    assert value is not None
    some = Conversions(made.conversions.unit[won], made.conversions.at[won], value[won])
    return counted(from_touches(made.channels, touches, some, as_of=made.as_of, open_days=0))


def same(one: Statistics, other: Statistics) -> bool:
    assert one.transitions is not None
    assert other.transitions is not None
    assert one.rules is not None
    assert other.rules is not None
    pairs = [
        (one.sets.masks, other.sets.masks), (one.sets.n, other.sets.n), (one.sets.k, other.sets.k),
        (one.sets.value, other.sets.value), (one.transitions.counts, other.transitions.counts),
        (one.transitions.value, other.transitions.value), (one.rules.k, other.rules.k),
        (one.rules.value, other.rules.value),
    ]  # fmt: skip
    return all(np.array_equal(here, there) for here, there in pairs)


def test_a_days_changes_give_the_tables_of_a_full_count() -> None:
    everybody, changed = part(slice(None)), slice(0, 200)
    rest = everybody - part(changed)
    assert same(rest, part(slice(200, None)))
    assert same(rest + part(changed), everybody)


def test_more_than_there_is_cannot_be_taken_out() -> None:
    with pytest.raises(UnfitStatistics, match="more journeys would be taken out"):
        part(slice(0, 10)) - part(slice(0, 20))


def test_the_counts_of_an_engine_give_the_same_statistics(firm: Statistics) -> None:
    """Rows as SQL would give them: block and keys, with counts."""
    size, sets, steps, rules = len(firm.channels), firm.sets, firm.transitions, firm.rules
    assert steps is not None
    assert rules is not None
    block, place = np.nonzero(sets.n)
    set_rows = Rows(block, sets.masks[place], sets.n[block, place], sets.value[block, place], sets.k[block, place])
    of, state, to = np.nonzero(steps.counts)
    start = state == steps.states
    before, last = np.where(start, size, state // size), np.where(start, size, state % size)
    money = np.where(to == size, steps.value[of, state], 0)
    step_rows = Rows(of, np.column_stack([before, last, to]), steps.counts[of, state, to], money)
    own, rule, channel = np.nonzero(rules.k)
    parts = rules.k[own, rule, channel] / 2**30, rules.value[own, rule, channel] / 2**16
    rule_rows = Rows(own, np.column_stack([rule, channel]), *parts)
    made = from_counts(
        firm.channels, blocks=firm.blocks, sets=set_rows, transitions=step_rows, rules=rule_rows, rule_names=rules.names
    )
    assert same(made, firm)
    doubled = steps.counts[of, state, to] * 2
    with pytest.raises(UnfitStatistics, match="different conversions"):
        from_counts(
            firm.channels, blocks=firm.blocks, sets=set_rows,
            transitions=Rows(of, np.column_stack([before, last, to]), doubled, money),
        )  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
def test_credit_adds_up_to_all_conversions_and_money(model: str, firm: Statistics) -> None:
    answer = credit(firm, model)
    assert math.fsum([*answer.credit, answer.baseline]) == firm.conversions
    assert answer.value is not None
    assert int(answer.value.sum()) + answer.baseline_value == firm.value
    assert answer.low is not None
    assert answer.high is not None
    assert (answer.low <= answer.credit + 1e-9).all()
    assert (answer.credit <= answer.high + 1e-9).all()
    assert (answer.high > answer.low).all()
    assert answer.effect is None or (answer.effect_high is not None and (answer.effect_high > answer.effect).all())
    assert answer.estimates
    assert answer.interval == "jackknife over 100 blocks of customers"


def test_names_and_order_of_channels_change_nothing() -> None:
    made = simulated(20_000, seed=8)
    turned = Touches(made.touches.unit, made.touches.at, 11 - made.touches.channel)
    one, other = (
        counted(from_touches(made.channels, touches, made.conversions, as_of=made.as_of))
        for touches in (made.touches, turned)
    )
    for model in MODELS:
        here, there = credit(one, model), credit(other, model)
        assert there.credit[::-1] == pytest.approx(here.credit, abs=1e-7)
        assert there.low is not None
        assert here.low is not None
        assert there.low[::-1] == pytest.approx(here.low, abs=1e-6)


# -- money


@given(st.integers(0, 10**12), st.lists(st.floats(0, 1), min_size=1, max_size=30).filter(any))
def test_money_is_divided_to_the_last_cent(total: int, shares: list[float]) -> None:
    weight = np.array(shares)
    parts = apportioned(total, weight)
    assert int(parts.sum()) == total
    assert (parts[weight == 0] == 0).all()
    assert np.abs(parts - weight / weight.sum() * total).max() <= 1 + 1e-9 * total


def test_a_tie_goes_to_the_lower_channel() -> None:
    assert apportioned(100, np.array([1.0, 1.0, 1.0])).tolist() == [34, 33, 33]


# -- rules


def test_rules_weigh_touches_as_they_say() -> None:
    won = aggregated(("abca", 1, 0, 0), ("ab", 1, 0, 0), ("c", 1, 0, 0))
    expected = {
        "first": [1, 0, 0, 0, 1, 0, 1],
        "last": [0, 0, 0, 1, 0, 1, 1],
        "linear": [0.25] * 4 + [0.5, 0.5, 1],
        "position": [0.4, 0.1, 0.1, 0.4, 0.5, 0.5, 1],
    }
    for rule, parts in expected.items():
        assert weights(won, rule) == pytest.approx(parts)
    assert credit(counted(won), "equal").credit == pytest.approx([1 / 3 + 0.5, 1 / 3 + 0.5, 1 / 3 + 1])


def test_direct_visits_are_passed_over_unless_there_is_nothing_else() -> None:
    starts, code = np.array([0, 3, 5]), np.array([0, 1, 2, 2, 2])
    won = from_paths("abd", starts, code, n=np.array([1, 1]), k=np.array([1, 1]), direct=[2])
    assert weights(won, "last_non_direct") == pytest.approx([0, 1, 0, 0, 1])


def test_decay_halves_every_seven_days() -> None:
    won = log((1, 0, "a"), (1, 7, "b"), (1, 14, "c"), won=((1, 14 + 1, 0),))
    assert weights(won, "decay") == pytest.approx([1 / 7, 2 / 7, 4 / 7])
    with pytest.raises(NoInstants, match="no instants"):
        credit(counted(aggregated(("a", 1, 0, 0))), "decay")


# -- Markov


def test_removal_is_what_solving_again_without_the_channel_gives(firm: Statistics) -> None:
    """Brute force: who comes to the channel is lost."""
    steps = firm.total().transitions
    assert steps is not None
    for tables in (steps.first_order(), steps):
        effect, base = removal_effects(tables.counts, order=tables.order)
        brute = [removal_effect_of_set(tables, [channel]) for channel in range(len(firm.channels))]
        assert effect[0] == pytest.approx(brute, abs=1e-12)
        assert ((effect >= 0) & (effect <= 1)).all()
        assert base[0] == pytest.approx(firm.conversions / firm.journeys, abs=1e-12)


def test_repeats_of_a_channel_change_no_removal_effect() -> None:
    one = credit(counted(aggregated(("ab", 3, 1, 0), ("b", 1, 4, 0), ("ca", 0, 2, 0))), "markov").effect
    more = credit(counted(aggregated(("aabbb", 3, 1, 0), ("bb", 1, 4, 0), ("cca", 0, 2, 0))), "markov").effect
    assert one is not None
    assert more is not None
    assert more == pytest.approx(one, abs=1e-12)


def test_single_touches_give_every_model_of_presence_the_won_counts() -> None:
    statistics = counted(aggregated(("a", 271, 2025, 0), ("b", 195, 1391, 0), ("c", 376, 3742, 0)))
    for model in TIMELESS:
        assert credit(statistics, model, interval="none").credit == pytest.approx([271, 195, 376], abs=1e-6)
    effect = credit(statistics, "markov").effect
    assert effect is not None
    assert effect[:2] == pytest.approx([271 / 842, 195 / 842])


# -- Shapley


@given(st.lists(st.floats(-5, 5), min_size=16, max_size=16))
@settings(max_examples=25, deadline=None)
def test_shapley_is_the_average_over_all_orders(worth: list[float]) -> None:
    game = np.array(worth)
    slow = np.zeros(4)
    for order in itertools.permutations(range(4)):
        mask = 0
        for player in order:
            slow[player] += game[mask | 1 << player] - game[mask]
            mask |= 1 << player
    found = shapley.shapley(game)
    assert found == pytest.approx(slow / 24, abs=1e-9)
    assert found.sum() == pytest.approx(game[-1] - game[0], abs=1e-9)
    assert shapley.subset_sums(game)[-1] == pytest.approx(game.sum())


def test_summed_conversions_are_an_equal_split() -> None:
    k = np.arange(8.0)
    k[0] = 0
    member = (np.arange(8)[:, None] >> np.arange(3)) & 1 == 1
    assert shapley.shapley(shapley.subset_sums(k)) == pytest.approx(shapley.equal_split(member, k[None])[0])


def test_by_reach_every_journey_counts_its_own_subsets() -> None:
    game, n = np.random.default_rng(1).random(8), np.arange(8)
    slow = np.zeros(3)
    for mask in range(8):
        inside = [channel for channel in range(3) if mask >> channel & 1]
        parts = [sum(1 << c for place, c in enumerate(inside) if bits >> place & 1) for bits in range(1 << len(inside))]
        sub = game[parts]
        for place, gain in enumerate(shapley.shapley(sub) if inside else []):
            slow[inside[place]] += n[mask] * gain
    assert shapley.shapley_by_reach(game, n) == pytest.approx(slow)


def test_many_channels_are_sampled_and_say_how_surely(firm: Statistics) -> None:
    total = firm.total()
    member = total.sets.members(12)
    found, error = shapley.sampled_rate_shapley(member, total.sets.n[0], total.sets.k[0], seed=3)
    n, k = np.zeros(4096), np.zeros(4096)
    places = total.sets.masks[:, 0].astype(np.int64)
    n[places], k[places] = total.sets.n[0], total.sets.k[0]
    exact = shapley.shapley(shapley.rates(n, k))
    assert (np.abs(found - exact) <= 4 * error + 1e-12).all()
    assert (error > 0).all()


# -- the response model


def test_slopes_are_those_of_the_log_likelihood() -> None:
    from plait.stats.paths.response import log_likelihood

    chance = np.random.default_rng(2)
    member = (np.arange(1, 8)[:, None] >> np.arange(3)) & 1 == 1
    rows, n = design(member, baseline=True), chance.integers(50, 90, (1, 7)).astype(np.float64)
    k, theta = np.floor(n * 0.3), np.array([[0.1, 0.2, 0.3, 0.05]])
    gradient, information = slopes(theta, rows, n, k)
    for column in range(4):
        step = np.zeros(4)
        step[column] = 1e-5
        up, down = (log_likelihood(theta + sign * step, rows, n, k)[0] for sign in (1, -1))
        assert (up - down) / 2e-5 == pytest.approx(gradient[0, column], abs=1e-5)
        rise = slopes(theta + step, rows, n, k)[0] - slopes(theta - step, rows, n, k)[0]
        assert -rise[0] / 2e-5 == pytest.approx(information[0, column], rel=1e-5)


def test_effects_are_the_exact_shapley_value_of_the_fitted_chance() -> None:
    theta, base = np.array([0.1, 0.0, 0.7, 0.3]), 0.2
    member = np.ones((1, 4), np.bool_)
    every = (np.arange(16)[:, None] >> np.arange(4)) & 1 == 1
    game = -np.expm1(-(every @ theta + base))
    assert effects(theta[None], member, np.ones((1, 1)), base)[0] == pytest.approx(shapley.shapley(game), abs=1e-14)
    shares = credits_of(theta[None], member, np.array([[10.0]]), base)[0]
    assert shares.sum() == pytest.approx(10)
    assert shares[-1] == pytest.approx(10 * -np.expm1(-base) / game[-1])


def test_untouched_customers_tell_what_would_have_come_anyway() -> None:
    """Of the untouched 10 % convert, of those who met `a` 19 %: nine of these nineteen would not have without it."""
    answer = credit(counted(aggregated(("", 1000, 9000, 0), ("a", 1900, 8100, 0))))
    assert answer.effect == pytest.approx([0.1], abs=1e-9)
    assert answer.credit == pytest.approx([900], abs=1e-6)
    assert answer.baseline == pytest.approx(2000, abs=1e-6)


def test_untouched_conversions_alone_tell_nothing_of_those_who_did_not_convert() -> None:
    """Whoever buys without a touch is seen, whoever does not is not: no chance without a touch follows from it."""
    alone = credit(counted(aggregated(("a", 30, 70, 0), ("ab", 20, 80, 0))))
    found = credit(counted(aggregated(("", 50, 0, 0), ("a", 30, 70, 0), ("ab", 20, 80, 0))))
    assert found.credit == pytest.approx(alone.credit, abs=1e-6)
    assert found.baseline == 50
    assert any("No untouched customers are known" in note for note in found.notes)


def test_a_channel_that_never_helps_lies_on_the_bound_with_a_limit() -> None:
    statistics = counted(aggregated(("a", 100, 900, 0), ("ab", 50, 950, 0), ("b", 0, 1000, 0)))
    found = described(statistics.sets.members(2), statistics.sets.n[0], statistics.sets.k[0])
    assert found.bound.tolist() == [False, True]
    assert found.theta[1] == 0
    assert 0 < found.upper[1] < 0.01
    answer = credit(statistics)
    assert answer.credit[1] == 0
    assert answer.high is not None
    assert 0 < answer.high[1] < 10


def test_a_bound_is_found_from_any_start() -> None:
    member = (np.arange(1, 16)[:, None] >> np.arange(4)) & 1 == 1
    chance = np.random.default_rng(4)
    n = chance.integers(1, 200, (50, 15))
    k = chance.binomial(n, 0.2 * member[:, 0] + 0.01)
    rows = design(member, baseline=False)
    one, other = fitted(rows, n, k), fitted(rows, n, k, np.array([1.0, 0.5, 0.0, 0.0]))
    assert other == pytest.approx(one, abs=1e-7)
    assert (one[:, 1:] == 0).any()


def test_twins_of_one_channel_share_equally() -> None:
    answer = credit(counted(aggregated(("ab", 30, 70, 0), ("c", 10, 90, 0))))
    assert answer.credit == pytest.approx([15, 15, 10], abs=1e-6)


def test_where_everybody_converted_there_is_nothing_to_compare() -> None:
    with pytest.raises(NothingToCompare, match="both are needed"):
        credit(counted(aggregated(("a", 3, 0, 0), ("ab", 2, 0, 0))))


# -- bad input


def test_without_conversions_there_is_no_credit() -> None:
    statistics = counted(aggregated(("ab", 0, 5, 0)))
    for model in MODELS:
        with pytest.raises(Unfit):
            credit(statistics, model)
    with pytest.raises(NoConversions, match="nothing converted"):
        credit(statistics, "linear")


@pytest.mark.parametrize("model", TIMELESS)
def test_one_channel_earns_all(model: str) -> None:
    assert credit(counted(aggregated(("a", 3, 5, 30), ("aa", 1, 5, 10))), model).credit.tolist() == [4.0]


@pytest.mark.parametrize("model", TIMELESS)
def test_a_channel_that_never_met_a_conversion_earns_nothing(model: str) -> None:
    answer = credit(counted(aggregated(("ab", 40, 60, 400), ("c", 0, 100, 0), ("b", 20, 80, 200))), model)
    assert answer.credit[2] == 0
    assert np.isfinite(answer.credit).all()
    assert answer.effect is None or answer.effect[2] <= 0  # the strength of one that keeps the rate down is negative


PATHS = st.lists(
    st.tuples(st.text("abcd", max_size=5), st.integers(0, 4), st.integers(0, 4), st.integers(0, 10**6)), max_size=7
)


@given(PATHS.filter(lambda rows: any(path for path, *_ in rows)), st.sampled_from(list(MODELS)))
@settings(max_examples=300, deadline=None)
def test_whatever_the_paths_credit_adds_up_or_is_refused(rows: list[tuple[str, int, int, int]], model: str) -> None:
    statistics = counted(aggregated(*((path, k, lost, money if k else 0) for path, k, lost, money in rows)))
    replicates = replicated(statistics, size=40)
    try:
        answer = credit(statistics, model, replicates=replicates)
    except Unfit:
        return
    assert math.fsum([*answer.credit, answer.baseline]) == pytest.approx(statistics.conversions, abs=1e-12)
    for column in (answer.credit, answer.low, answer.high, answer.effect, answer.effect_low, answer.effect_high):
        assert column is None or np.isfinite(column).all()
    assert (answer.credit >= 0).all()
    if answer.value is not None:
        assert int(answer.value.sum()) + answer.baseline_value == statistics.value
        assert (answer.value >= 0).all()
    if answer.low is not None and answer.high is not None:
        assert (answer.low <= answer.credit + 1e-9).all()
        assert (answer.credit <= answer.high + 1e-9).all()


def test_a_model_that_nobody_knows_is_refused_with_the_names() -> None:
    with pytest.raises(Misused, match="no model 'magic'; allowed: first"):
        credit(counted(aggregated(("a", 1, 1, 0))), "magic")


def test_seventy_channels_are_counted_and_credited() -> None:
    """Sets of more than 64 channels take two words; pairs of touches are not counted any more."""
    chance = np.random.default_rng(9)
    lengths = chance.integers(1, 5, 400)
    code = chance.integers(0, 70, lengths.sum())
    k = chance.integers(0, 3, 400)
    made = from_paths([f"c{n}" for n in range(70)], np.append(0, lengths.cumsum()), code, n=k + 5, k=k)
    statistics = counted(made)
    assert statistics.sets.masks.shape[1] == 2
    for model in ("linear", "markov", "shapley", "response"):
        assert math.fsum(credit(statistics, model, interval="none").credit) == pytest.approx(k.sum())
    sampled = credit(statistics, "shapley", interval="none")
    assert sampled.effect_low is not None
    assert sampled.effect is not None
    assert (sampled.effect_low < sampled.effect).all()
    assert any("sampled over orders" in note for note in sampled.notes)
    with pytest.raises(Unfit, match="up to 40 channels"):
        credit(statistics, "markov-2")


def test_thousands_of_paths_are_dealt_out_to_blocks() -> None:
    made = simulated(20_000, seed=6)
    found = from_touches(made.channels, made.touches, made.conversions, as_of=made.as_of, blocks=1)
    replicates = replicated(counted(found), "blocks")
    assert replicates is not None
    assert (replicates.method, replicates.statistics.blocks) == ("blocks", 20)
    left_out = found.n.sum() - replicates.statistics.sets.n.sum(1)
    assert left_out.sum() == found.n.sum()
    assert left_out == pytest.approx(1000, abs=150)


def test_few_blocks_make_intervals_wider_by_students_t() -> None:
    assert student(19, 0.9) == pytest.approx(1.729133, abs=1e-5)
    assert student(99, 0.95) == pytest.approx(1.984217, abs=1e-6)
    assert student(3, 0.9) == pytest.approx(2.353363, abs=1e-6)
    assert student(10**9, 0.95) == pytest.approx(normal(0.95))


# -- milestones


def stage(name: str, rows: dict[str, tuple[int, int, int]], blocks: int = 1) -> Stage:
    """Make a stage of the sets met in it: entered, advanced, won; dealt out over blocks in turn. A deal is 50.00."""
    member = np.array([[letter in met for letter in "ab"] for met in rows])
    turn = np.arange(blocks)[:, None]
    n, k, won = (np.array([row[place] for row in rows.values()]) for place in range(3))
    n, k, won = (total // blocks + (turn < total % blocks) for total in (n, k, won))
    return Stage(name, Sets(of_members(member), n, k, won * 5000), won)


def test_stage_credit_telescopes_to_what_was_won() -> None:
    """Two stages. `a` brings half of those it meets into stage 2; there `b` wins half; without touches one in ten."""
    stages = (
        stage("mql", {"": (1000, 100, 30), "a": (1000, 550, 170)}),
        stage("won", {"": (500, 50, 50), "b": (150, 150 * 11 // 20, 150)}),
    )
    found = stage_credit("ab", stages)
    assert math.fsum([*found.credit.ravel(), found.baseline]) == pytest.approx(200)
    assert int(found.value.sum()) + found.baseline_value == 200 * 5000
    reach = [650 / 2000 * 132 / 650, 132 / 650, 1]
    assert found.reach == pytest.approx(reach)
    # Stage 1: `a` moved 45 of the 55 % of those it met; of 170 wins among them the stage earns f_1 - f_0 each.
    assert found.credit[0] == pytest.approx([(reach[1] - reach[0]) * 170 * 0.45 / 0.55, 0], abs=1e-6)
    assert found.credit[1][0] == 0
    roles = found.roles()
    assert sum(int(part.sum()) for part in roles.values()) + found.baseline_value == 200 * 5000


def test_stages_that_lose_a_won_deal_are_refused() -> None:
    sets = Sets(of_members(np.array([[True]])), np.array([[10]]), np.array([[5]]), np.array([[50]]))
    with pytest.raises(Misused, match="must hold every won deal"):
        stage_credit("a", [Stage("mql", sets, np.array([[5]])), Stage("won", sets, np.array([[4]]))])


def test_a_channel_that_did_nothing_is_known_to_do_little_and_one_that_met_no_win_to_do_nothing() -> None:
    leads = stage("mql", {"": (400, 200, 40), "a": (60, 24, 4)}, blocks=8)
    offers = stage("won", {"": (180, 40, 40), "b": (20, 0, 0), "a": (24, 4, 4)}, blocks=8)
    found = stage_credit("ab", (leads, offers))
    assert found.low is not None
    assert found.high is not None
    assert found.credit.sum(0) == pytest.approx([0, 0], abs=1e-9)
    assert found.low == pytest.approx([0, 0])
    assert 0.05 < found.high[0] < 4  # of the four wins that `a` met
    assert found.high[1] == 0


def test_where_only_those_without_a_touch_advance_all_would_have_come_anyway() -> None:
    found = stage_credit("ab", (stage("mql", {"": (10, 10, 5), "a": (9, 0, 0)}), stage("won", {"": (10, 5, 5)})))
    assert found.baseline == pytest.approx(5)
    assert found.baseline_value == 25_000
    assert (found.entered.tolist(), found.advanced.tolist()) == ([19, 10], [10, 5])


def test_where_everybody_was_won_or_nobody_the_stages_tell_nothing() -> None:
    with pytest.raises(Unfit, match="were won"):
        stage_credit("ab", (stage("mql", {"a": (5, 5, 5)}), stage("won", {"": (5, 5, 5)})))
    with pytest.raises(Unfit, match="no deal was won"):
        stage_credit("ab", (stage("mql", {"a": (5, 2, 0)}), stage("won", {"": (2, 0, 0)})))


def test_instants_are_days_of_86400_seconds_unless_said() -> None:
    assert DAY == 86_400
