"""Customer value: published answers, closed forms, made-up customers with known parameters, and what is refused."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import numpy as np
import pytest

from plait.stats.clv import bg_bb, bg_nbd, gamma_gamma, shifted_beta_geometric
from plait.stats.clv.back_test import FITS, BackTest, BadSplit, back_test, model_error
from plait.stats.clv.bg_bb import Occasions, fit_bg_bb, occasions
from plait.stats.clv.bg_nbd import fit_bg_nbd, fit_mbg_nbd
from plait.stats.clv.fit import Estimate, Fit, NotIdentified, Surface, TooFew
from plait.stats.clv.gamma_gamma import NoMean, SpendFollowsFrequency, correlation, fit_gamma_gamma
from plait.stats.clv.outlook import BadHorizon, new_customer, outlook
from plait.stats.clv.rows import BadHistory, Customers, Purchases, Rows, collapse, counted, summarise
from plait.stats.clv.shifted_beta_geometric import NoDiscount, fit_sbg, lifetime, renewals, retention, survival
from plait.stats.clv.shifted_beta_geometric import survivors as cohort
from plait.stats.clv.simulate import simulate_occasions, simulate_purchases, simulate_renewals, simulate_spend
from plait.stats.clv.special import Array, hypergeometric, log_beta, negative_binomial_tail
from plait.stats.clv.value import Forecast, ModelError, Plan, Spend, predict, total_purchases, total_value

DATA, DOCS = Path(__file__).parents[2] / "shared" / "data", Path(__file__).parents[1] / "docs"
CDNOW = (0.24259291, 4.41353156, 0.79288615, 2.42575344)
SPEND = (6.24880, 3.74459, 15.44775)
TRUTH = {"bg-nbd": (0.6, 4.0, 0.9, 2.5), "mbg-nbd": (0.8, 5.0, 0.9, 2.0)}


def known(model: str, names: Sequence[str], values: Sequence[float], *, spread: float = 0.0) -> Fit:
    """Give a model with parameters that somebody else has found."""
    estimates = {name: Estimate(value, spread * value, value, value) for name, value in zip(names, values, strict=True)}
    return Fit(model, estimates, 0.0, np.eye(len(values)) * spread**2, 1)


def people(*histories: tuple[float, ...]) -> Customers:
    """Give customers by (x, t_x, T) or (x, t_x, T, z̄)."""
    columns = [np.array(column, float) for column in zip(*histories, strict=True)]
    if len(columns) == 3:
        return Customers(columns[0], columns[1], columns[2])
    x, t_x, age, spend = columns
    return Customers(x, t_x, age, spend, np.where(spend > 0, x, 0.0))


def cdnow() -> Customers:
    table = np.genfromtxt(
        DATA / "cdnow" / "cdnow_customers_summary_with_transactions.csv", delimiter=",", skip_header=1
    )
    return people(*(tuple(row) for row in table[:, 1:]))


def log(file: str, customer: int, day: int, amount: int) -> Purchases:
    """Read one of the CDNOW logs; days since 1997-01-01."""
    read = duckdb.sql(f"""
        with lines as (
            select string_split_regex(trim(line), '\\s+') as word
            from read_csv('{DATA / "cdnow" / file}', header = false, delim = '\x01', quote = '', escape = '',
                columns = {{'line': 'varchar'}})
        ), rows as (
            select word[{customer}] as who, strptime(word[{day}], '%Y%m%d')::date - date '1997-01-01' as day,
                sum(word[{amount}]::double) as amount
            from lines where regexp_full_match(word[{day}], '[0-9]+') group by all
        )
        select dense_rank() over (order by who) - 1 as who, day, amount from rows order by who, day
    """).fetchnumpy()
    return Purchases(read["who"].astype(np.int64), read["day"].astype(np.int64), read["amount"].astype(float))


def value(fit: Fit, *names: str) -> list[float]:
    return [fit.parameters[name].value for name in names]


def error(fit: Fit, *names: str) -> list[float]:
    return [fit.parameters[name].standard_error for name in names]


# -- published answers


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.exists(), reason="the public data is not here")
class TestCdnow:
    def test_the_summary_gives_the_published_bg_nbd(self) -> None:
        customers = cdnow()
        rows = collapse(customers)
        assert (customers.count, customers.repeat, customers.x.sum(), rows.x.size) == (2357, 946, 2457, 1016)
        fit = fit_bg_nbd(rows)
        assert value(fit, "r", "alpha", "a", "b") == pytest.approx(CDNOW, rel=5e-6)
        assert error(fit, "r", "alpha", "a", "b") == pytest.approx([0.01256, 0.37822, 0.18572, 0.70535], rel=1e-3)
        assert fit.log_likelihood == pytest.approx(-9582.425561, abs=1e-4)
        assert fit.customers == 2357
        spread = np.sqrt(np.diag(fit.covariance_of_logs))
        assert fit.covariance_of_logs[2, 3] / (spread[2] * spread[3]) == pytest.approx(0.94, abs=0.005)

    def test_mbg_nbd_and_gamma_gamma_give_theirs(self) -> None:
        customers = cdnow()
        fit = fit_mbg_nbd(collapse(customers))
        assert value(fit, "r", "alpha", "a", "b") == pytest.approx(
            [0.52483788, 6.18299105, 0.89135613, 1.61399943], rel=5e-6
        )
        assert fit.log_likelihood == pytest.approx(-9582.132685, abs=1e-4)
        assert customers.spend is not None
        assert customers.valued is not None
        money = fit_gamma_gamma(customers.valued, customers.spend)
        assert value(money, "p", "q", "gamma") == pytest.approx(SPEND, rel=5e-6)
        assert error(money, "p", "q", "gamma") == pytest.approx([1.190, 0.290, 4.160], abs=6e-4)
        assert money.log_likelihood == pytest.approx(-4055.923244, abs=1e-4)
        assert correlation(customers.x, customers.spend) == pytest.approx(0.1139, abs=5e-5)
        anybody = gamma_gamma.mean_spend(money.values, np.zeros(1), np.zeros(1))
        assert anybody == pytest.approx([35.1710], abs=5e-5)

    def test_the_next_39_weeks_have_the_known_totals_and_widths(self) -> None:
        customers = cdnow()
        rows = collapse(customers)
        fit = fit_bg_nbd(rows)
        plan = Plan(39)
        total = total_purchases(fit, rows, plan)
        assert (total.value, total.chance, total.parameters) == pytest.approx((1653.423, 69.55, 74.35), abs=5e-3)
        assert np.hypot(total.chance or 0, total.parameters) == pytest.approx(101.81, abs=5e-3)
        with_error = total_purchases(fit, rows, plan, model=ModelError(0.0613, 3))
        assert with_error.high is not None
        assert with_error.high - with_error.value == pytest.approx(379, abs=0.5)
        forecast, spend = forecast_of(fit, rows, customers, plan)
        assert forecast.alive.sum() == pytest.approx(1917.276, abs=1e-3)
        money = total_value(fit, rows, plan, forecast, spend=spend)
        assert (money.value, money.chance) == pytest.approx((59_933.21, 3_147.58), abs=6e-3)

    def test_the_log_gives_the_published_summary(self) -> None:
        purchases, summary = log("CDNOW_sample.txt", 2, 3, 5), cdnow()
        made = summarise(purchases, 272)
        assert made.who is not None
        assert made.spend is not None
        assert summary.spend is not None
        assert (made.x == summary.x).all()
        for ours, theirs in ((made.t_x, summary.t_x), (made.age, summary.age), (made.spend, summary.spend)):
            assert np.abs(ours - theirs).max() <= 0.005 + 1e-9
        number, money = counted(purchases, 272, 545, made.who)
        assert (number.sum(), round(money.sum(), 2)) == (1882, 70_976.39)

    def test_past_origins_tell_how_far_the_model_is_off(self) -> None:
        purchases = log("CDNOW_master.txt", 1, 2, 4)
        customers = summarise(purchases, 272)
        rows = collapse(customers)
        assert (customers.count, rows.x.size) == (23_570, 8_685)
        fit = fit_bg_nbd(rows)
        assert value(fit, "r", "alpha", "a", "b") == pytest.approx([0.25162, 4.78894, 0.72343, 2.16109], rel=1e-4)
        assert fit.log_likelihood == pytest.approx(-95_368.444, abs=1e-3)
        before = [back_test(purchases, "bg-nbd", origin=day, until=272) for day in (139, 181, 223)]
        assert [round(test.actual / test.expected, 3) for test in before] == [0.990, 0.955, 0.909]
        off = model_error(before)
        assert off.rms == pytest.approx(0.0613, abs=5e-5)
        after = back_test(purchases, "bg-nbd", origin=272, until=545)
        assert (round(after.expected, 1), after.actual) == (16_873.7, 19_684)
        blind, told = (total_purchases(fit, rows, Plan(39), model=known_error) for known_error in (None, off))
        assert blind.high is not None
        assert told.high is not None
        assert blind.high < 19_684 < told.high
        assert told.high - told.value == pytest.approx(3_350, rel=0.01)
        assert back_test(purchases, "mbg-nbd", origin=272, until=545).expected == pytest.approx(15_933.6, abs=0.05)

    def test_the_back_test_of_the_page_is_up_to_date(self) -> None:
        spec = importlib.util.spec_from_file_location("back_test", DOCS / "back_test.py")
        assert spec
        assert spec.loader
        generator = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(generator)
        assert generator.section() in (DOCS / "value.md").read_text("utf-8"), "run `make docs`"

    def test_contracts_of_a_telephone_company(self) -> None:
        query = """
            select tenure, count(*) filter (where churn = 'Yes') as lost, count(*) filter (where churn = 'No') as kept
            from '{file}' where tenure > 0 and {which} group by tenure order by tenure
        """
        file = DATA / "telco_churn" / "Telco-Customer-Churn.csv"
        answers = {}
        for which in ("contract = 'Month-to-month'", "true", "contract = 'One year'"):
            read = duckdb.sql(query.format(file=file, which=which)).fetchnumpy()
            answers[which] = fit_sbg(renewals(*(read[name].astype(float) for name in ("tenure", "lost", "kept"))))
        monthly, every, yearly = answers.values()
        assert value(monthly, "alpha", "beta") == pytest.approx([0.42261843, 7.393297], rel=5e-6)
        assert error(monthly, "alpha", "beta") == pytest.approx([0.03168, 0.92007], rel=1e-3)
        assert monthly.log_likelihood == pytest.approx(-7_679.174997, abs=1e-4)
        assert monthly.customers == 3875
        assert value(every, "alpha", "beta") == pytest.approx([0.13673308, 4.03281482], rel=5e-6)
        assert every.log_likelihood == pytest.approx(-10_465.424707, abs=1e-4)
        assert yearly.model == "geometric"
        assert "0.27% leave in each period" in yearly.notes[0]


def forecast_of(fit: Fit, rows: Rows, customers: Customers, plan: Plan) -> tuple[Forecast, Spend]:
    assert customers.spend is not None
    assert customers.valued is not None
    money = fit_gamma_gamma(customers.valued, customers.spend)
    spend = Spend(money, customers.valued, customers.spend, rows.of)
    return predict(fit, rows, plan, of=rows.of, spend=spend), spend


def test_one_customer_has_the_published_expectation() -> None:
    """2 repeat purchases, the last in week 30.43 of 38.86, worth 22.35 on average: what comes in 39 weeks?"""
    fit, money = known("bg-nbd", bg_nbd.NAMES, CDNOW), known("gamma-gamma", gamma_gamma.NAMES, SPEND)
    customers = people((2, 30.43, 38.86, 22.35))
    rows = collapse(customers)
    seen = outlook("bg-nbd", fit.values, rows, 39)
    assert (seen.alive[0], seen.mean[0], seen.square[0]) == pytest.approx(
        (0.72660915, 1.22591045, 4.03144156), rel=1e-6
    )
    assert 1 - seen.none[0] == pytest.approx(0.55460748, rel=1e-6)
    forecast = predict(fit, rows, Plan(39), of=rows.of, spend=Spend(money, np.array([2.0]), np.array([22.35]), rows.of))
    assert forecast.per_purchase == pytest.approx([24.658616], abs=1e-4)
    assert forecast.money == pytest.approx([30.229255], abs=2e-4)
    assert forecast.variance == pytest.approx([1_837.280], abs=2e-2)


def test_other_customers_and_a_new_one() -> None:
    fit = known("bg-nbd", bg_nbd.NAMES, CDNOW)
    rows = collapse(people((1, 1.71, 38.86), (0, 0, 38.86), (10, 35, 38.86), (29, 38, 38.86)))
    seen = outlook("bg-nbd", fit.values, rows, 39)
    assert seen.mean[rows.of] == pytest.approx([0.20325064, 0.19478085, 6.16380142, 19.45301208], rel=1e-6)
    assert seen.alive[rows.of] == pytest.approx([0.21222741, 1, 0.84696077, 0.95522759], rel=1e-6)
    assert [new_customer("bg-nbd", fit.values, weeks) for weeks in (39, 52, 78)] == pytest.approx(
        [1.19501630, 1.44402085, 1.85797178], rel=1e-6
    )


# -- closed forms


def test_the_sum_equals_the_hypergeometric_form() -> None:
    r, alpha, a, b = CDNOW
    x, age, t = np.array([0.0, 2.0, 10.0, 60.0]), np.full(4, 38.86), 39.0
    mean, _, _ = bg_nbd_purchases(r + x, alpha + age, a, b + x, t)
    v = (alpha + 38.86) / (alpha + 38.86 + t)
    for at, n in enumerate(x):
        whole = v ** (a - 1) * hypergeometric(a + b - 1 - r, a - 1, a + b + n - 1, 1 - v)
        assert mean[at] == pytest.approx((a + b + n - 1) / (a - 1) * (1 - whole), rel=1e-9)


def bg_nbd_purchases(*laws: Array | float) -> tuple[Array, Array, Array]:
    from plait.stats.clv.outlook import purchases

    return purchases(*laws)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("size", "scale", "a", "b"),
    [(40.0, 9.0, 0.8, 30.0), (900.0, 40.0, 0.02, 700.0), (62.5, 0.3, 0.4, 1018.0), (1.2, 0.4, 3.0, 2.0)],
)
def test_hundreds_of_purchases_are_summed_as_one_by_one(size: float, scale: float, a: float, b: float) -> None:
    """From the hundredth purchase on the sum is an integral; here it is taken term by term."""
    mean, square, _ = bg_nbd_purchases(np.array([size]), np.array([scale]), a, np.array([b]), 52.0)
    j = np.arange(1.0, 100_000.0)
    terms = np.exp(log_beta(a, b + j - 1) - log_beta(a, b)) * negative_binomial_tail(j, size, scale / (scale + 52.0))
    assert mean[0] == pytest.approx(terms.sum(), rel=1e-6)
    assert square[0] == pytest.approx(((2 * j - 1) * terms).sum(), rel=1e-6)


def test_thousands_of_purchases_do_not_underflow() -> None:
    """5,000 purchases in 38 weeks: the chance of none is below what a number holds."""
    mean, square, some = bg_nbd_purchases(np.array([5000.0]), np.array([40.0]), 1e-9, np.array([5000.0]), 40.0)
    assert (mean[0], some[0]) == pytest.approx((5000.0, 1.0), rel=1e-6)
    assert square[0] - mean[0] ** 2 == pytest.approx(10_000.0, rel=1e-3)


def test_who_never_bought_again_has_the_textbook_likelihood() -> None:
    rows = collapse(people((0, 0, 10.0), (0, 0, 10.0)))
    height, _ = bg_nbd.surface(rows, "bg-nbd")(np.array(CDNOW))
    assert height == pytest.approx(2 * CDNOW[0] * np.log(CDNOW[1] / (CDNOW[1] + 10.0)), rel=1e-12)


def test_two_occasions_with_even_chances() -> None:
    rows, of = occasions(np.array([0.0, 1, 1, 2]), np.array([0.0, 1, 2, 2]), np.full(4, 2.0))
    likely = np.exp(bg_bb.log_likelihood(np.ones(4), rows))[of]
    assert likely * 36 == pytest.approx([25, 5, 2, 4], rel=1e-12)
    assert new_customer("bg-bb", np.ones(4), 2) == pytest.approx(5 / 12, rel=1e-12)


def test_even_chances_of_renewal() -> None:
    even = known("sbg", ("alpha", "beta"), (1.0, 1.0))
    t = np.arange(1.0, 6.0)
    assert survival(even, t) == pytest.approx(1 / (t + 1), rel=1e-12)
    assert retention(even, t) == pytest.approx(t / (t + 1), rel=1e-12)
    assert lifetime(even, discount=0.1) == pytest.approx(2.6376848, abs=5e-8)
    ages = np.arange(1.0, 4000.0)
    by_hand = float((survival(even, ages) / survival(even, np.array([1.0])) * 1.1 ** -(ages - 2))[1:].sum())
    assert lifetime(even, discount=0.1, renewed=2) == pytest.approx(by_hand, rel=1e-9)


def test_a_cohort_followed_from_its_start_gives_the_published_fit() -> None:
    """Fader & Hardie 2007, regular customers' better half: 1,000 customers, seven renewals."""
    fit = fit_sbg(cohort(np.array([1000.0, 869, 743, 653, 593, 551, 517, 491])))
    assert [round(one, 3) for one in value(fit, "alpha", "beta")] == [0.668, 3.806]
    assert fit.customers == 1000


SURFACES: dict[str, tuple[Callable[[], Surface], tuple[float, ...]]] = {
    "bg-nbd": (lambda: bg_nbd.surface(made("bg-nbd", 400, 1), "bg-nbd"), (0.5, 3.0, 0.7, 2.0)),
    "mbg-nbd": (lambda: bg_nbd.surface(made("mbg-nbd", 400, 1), "mbg-nbd"), (0.5, 3.0, 0.7, 2.0)),
    "gamma-gamma": (
        lambda: gamma_gamma.surface(np.array([1.0, 2, 2, 5]), np.array([9.0, 30, 4, 12])),
        (5.0, 3.0, 12.0),
    ),
    "bg-bb": (
        lambda: bg_bb.surface(simulate_occasions(np.ones(4), 6, 300, np.random.default_rng(1))),
        (1.2, 0.7, 0.6, 2),
    ),
    "sbg": (
        lambda: shifted_beta_geometric.surface(
            renewals(np.array([1.0, 2, 5]), np.array([9.0, 4, 2]), np.array([0.0, 3, 8]), np.array([0.0, 1, 2]))
        ),
        (0.7, 3.0),
    ),
}


@pytest.mark.parametrize("name", SURFACES)
def test_gradients_are_those_of_the_likelihood(name: str) -> None:
    make, at = SURFACES[name]
    surface, parameters = make(), np.array(at)
    _, gradient = surface(parameters)
    for place, slope in enumerate(gradient):
        step = np.zeros(parameters.size)
        step[place] = 1e-6 * parameters[place]
        by_hand = (surface(parameters + step)[0] - surface(parameters - step)[0]) / (2 * step[place])
        assert slope == pytest.approx(by_hand, rel=1e-5, abs=1e-5)


def made(model: str, size: int, seed: int) -> Rows:
    chance = np.random.default_rng(seed)
    return collapse(simulate_purchases(model, np.array(TRUTH[model]), chance.integers(100, 500, size) / 7, chance))


# -- rows


def test_customers_with_equal_history_are_one_row_and_change_nothing() -> None:
    """Three customers of whom two are alike; their order does not matter."""
    rows = collapse(people((1, 2, 9), (0, 0, 5), (1, 2, 9)))
    assert (rows.x.tolist(), rows.weight.tolist(), rows.of.tolist()) == ([0, 1], [1, 2], [1, 0, 1])
    customers = simulate_purchases("bg-nbd", np.array(TRUTH["bg-nbd"]), np.full(3000, 60.0), np.random.default_rng(5))
    shuffled = np.random.default_rng(6).permutation(3000)
    other = Customers(customers.x[shuffled], customers.t_x[shuffled], customers.age[shuffled])
    first, second = fit_bg_nbd(collapse(customers)), fit_bg_nbd(collapse(other))
    assert first.values == pytest.approx(second.values, rel=1e-9)
    assert first.log_likelihood == pytest.approx(second.log_likelihood, abs=1e-9)


def test_a_summary_counts_what_was_bought_again() -> None:
    """
    customer 0  day 0 10.00, day 7 20.00, day 14 0.00, day 30 99.00
    customer 1  day 3  5.00
    customer 2  day 40 5.00
    seen until day 21: the free purchase counts, and has no value; customer 2 is not there yet
    """
    purchases = Purchases(
        np.array([0, 0, 0, 0, 1, 2]), np.array([0, 7, 14, 30, 3, 40]), np.array([10.0, 20.0, 0.0, 99.0, 5.0, 5.0])
    )
    made = summarise(purchases, 21)
    assert made.spend is not None
    assert made.valued is not None
    assert made.who is not None
    assert (made.x.tolist(), made.t_x.tolist(), made.age.tolist()) == ([2, 0], [2, 0], [3, 18 / 7])
    assert (made.spend.tolist(), made.valued.tolist(), made.who.tolist()) == ([20, 0], [1, 0], [0, 1])
    assert summarise(purchases, -1).count == 0


@pytest.mark.parametrize(
    ("history", "says"),
    [
        ((2, 9, 5), "later than the end of observation"),
        ((0, 3, 5), "nothing was bought again"),
        ((2, 0, 5), "the last is at the time of the first"),
        ((-1, 0, 5), "below 0"),
        ((1.5, 1, 5), "no whole number"),
        ((float("nan"), 0, 5), "a number is missing"),
    ],
)
def test_a_history_that_cannot_be_is_refused(history: tuple[float, ...], says: str) -> None:
    with pytest.raises(BadHistory, match=f"customer 2 of the list: .*{says}"):
        collapse(people((0, 0, 5), history))


# -- refusals


def test_too_few_repeat_customers_say_nothing() -> None:
    histories = [(1.0, 2.0, 9.0)] * 29 + [(0.0, 0.0, 9.0)] * 500
    with pytest.raises(TooFew, match="29 of 529 customers bought again; bg-nbd needs 30"):
        fit_bg_nbd(collapse(people(*histories)))
    with pytest.raises(TooFew):
        fit_gamma_gamma(np.ones(5), np.ones(5))
    with pytest.raises(TooFew):
        fit_bg_bb(occasions(np.ones(5), np.ones(5), np.full(5, 3.0))[0])
    with pytest.raises(TooFew, match="0 of 100 customers were lost"):
        fit_sbg(cohort(np.array([100.0, 100, 100])))


def test_customers_who_do_not_differ_leave_a_parameter_open() -> None:
    """Everybody buys every week and stays: neither r nor a chance to leave can be known."""
    with pytest.raises(NotIdentified, match="bg-nbd is not identified"):
        fit_bg_nbd(collapse(people(*[(10.0, 10.0, 10.0 + 0.01 * (k % 5)) for k in range(200)])))


def test_spend_that_follows_frequency_is_refused_unless_forced() -> None:
    chance = np.random.default_rng(2)
    x = chance.integers(1, 20, 500).astype(float)
    spend = simulate_spend(np.array(SPEND), x, chance) * x
    with pytest.raises(SpendFollowsFrequency, match="move together"):
        fit_gamma_gamma(x, spend)
    assert fit_gamma_gamma(x, spend, forced=True).customers == 500


def test_spend_without_a_mean_is_refused() -> None:
    chance = np.random.default_rng(3)
    x = chance.integers(1, 6, 4000).astype(float)
    with pytest.raises(NoMean, match="its mean does not exist"):
        fit_gamma_gamma(x, simulate_spend(np.array([4.0, 0.7, 10.0]), x, chance), forced=True)


def test_customers_alike_in_leaving_are_geometric() -> None:
    fit = fit_sbg(simulate_renewals(np.array([3e6, 7e6]), np.full(5000, 8.0), np.random.default_rng(4)))
    assert fit.model == "geometric"
    assert fit.parameters["p"].value == pytest.approx(0.3, abs=0.02)
    assert "the model is geometric" in fit.notes[0]
    assert lifetime(fit, discount=0.1) == pytest.approx(1 / (1 - (1 - fit.parameters["p"].value) / 1.1), rel=1e-12)
    with pytest.raises(NoDiscount):
        lifetime(fit, discount=0.0)


@pytest.mark.parametrize("counts", [(np.array([100.0, 90, 95]),), (np.array([100.0, np.nan, 60]),)])
def test_a_cohort_that_cannot_be_is_refused(counts: tuple[Array]) -> None:
    with pytest.raises(BadHistory):
        cohort(*counts)


def test_a_time_that_is_not_ahead_is_refused() -> None:
    rows = collapse(people((1, 2, 9)))
    fit = known("bg-nbd", bg_nbd.NAMES, CDNOW)
    for plan in (Plan(0), Plan(-3), Plan(float("nan")), Plan(10, discount=-0.1), Plan(10, margin=0)):
        with pytest.raises(BadHorizon):
            predict(fit, rows, plan, of=rows.of)
    half = occasions(np.ones(1), np.ones(1), np.full(1, 3.0))[0]
    with pytest.raises(BadHorizon, match="give 1, 2, 3"):
        outlook("bg-bb", np.ones(4), half, 1.5)


def test_a_back_test_needs_something_before_and_after() -> None:
    purchases = Purchases(np.array([0, 0]), np.array([5, 9]))
    for origin, until in ((3, 20), (20, 20)):
        with pytest.raises(BadSplit):
            back_test(purchases, "bg-nbd", origin=origin, until=until)
    with pytest.raises(BadSplit):
        model_error([BackTest("bg-nbd", 1, 2, 3, 1.0, 1.0, (), ())] * 2)


# -- made-up customers


def test_the_forecast_is_what_happens_to_made_up_customers() -> None:
    """200,000 customers, money too: a total within its interval, each customer's interval right 95 times in 100."""
    chance, model, weeks = np.random.default_rng(8), "bg-nbd", 52.0
    size, truth = 200_000, np.array([0.6, 4.0, 0.9, 2.5])
    rate, leaves = chance.gamma(truth[0], 1 / truth[1], size), chance.beta(truth[2], truth[3], size)
    nobody = np.zeros(size)
    rows = collapse(Customers(nobody, nobody, nobody))
    number, now, live = np.zeros(size), np.zeros(size), np.arange(size)
    while live.size:
        now[live] += chance.exponential(size=live.size) / rate[live]
        live = live[now[live] < weeks]
        number[live] += 1
        live = live[chance.random(live.size) >= leaves[live]]
    seen = outlook(model, truth, rows, weeks)
    assert number.mean() == pytest.approx(seen.mean[0], rel=0.02)
    assert (number**2).mean() == pytest.approx(seen.square[0], rel=0.05)
    assert (number == 0).mean() == pytest.approx(seen.none[0], abs=0.005)
    p, q, g = SPEND
    each = chance.gamma(q, 1 / g, size)
    money = np.where(number > 0, chance.gamma(np.maximum(p * number, 1e-9)) / each, 0.0)
    fit, spend = known(model, bg_nbd.NAMES, truth.tolist()), known("gamma-gamma", gamma_gamma.NAMES, SPEND)
    forecast = predict(fit, rows, Plan(weeks), of=rows.of, spend=Spend(spend, nobody, nobody, rows.of))
    assert forecast.money is not None
    assert forecast.high is not None
    assert money.mean() == pytest.approx(forecast.money[0], rel=0.02)
    assert (money > forecast.high[0]).mean() == pytest.approx(0.025, abs=0.01)


def test_the_forecast_at_occasions_is_what_happens() -> None:
    """BG/BB, seen for 4 occasions, looked at for 3 more."""
    truth, chance, size = np.array([1.2, 0.75, 0.66, 2.78]), np.random.default_rng(9), 400_000
    buys, leaves = chance.beta(truth[0], truth[1], size), chance.beta(truth[2], truth[3], size)
    live, came = np.ones(size, bool), []
    for _ in range(7):
        live &= chance.random(size) >= leaves
        came.append(live & (chance.random(size) < buys))
    past, ahead = np.array(came[:4]), np.array(came[4:]).sum(0)
    t_x = (past * np.arange(1, 5)[:, None]).max(0)
    for x, last in ((0, 0), (2, 3), (4, 4)):
        alike = (past.sum(0) == x) & (t_x == last)
        rows = Occasions(np.array([float(x)]), np.array([float(last)]), np.array([4.0]), np.ones(1))
        seen = outlook("bg-bb", truth, rows, 3)
        assert alike.sum() > 5_000
        assert ahead[alike].mean() == pytest.approx(seen.mean[0], abs=0.03)
        assert (ahead[alike] ** 2).mean() == pytest.approx(seen.square[0], abs=0.08)
        assert (ahead[alike] == 0).mean() == pytest.approx(seen.none[0], abs=0.02)


def test_money_whose_spread_has_no_end_has_no_interval_of_its_total() -> None:
    fit = known("bg-nbd", bg_nbd.NAMES, CDNOW, spread=0.05)
    money = known("gamma-gamma", gamma_gamma.NAMES, (4.0, 1.6, 10.0), spread=0.05)
    customers = people((0, 0, 30.0, 0), (3, 20, 30.0, 12.0))
    rows = collapse(customers)
    assert customers.spend is not None
    assert customers.valued is not None
    spend = Spend(money, customers.valued, customers.spend, rows.of)
    plan = Plan(52, discount=0.1, margin=0.4)
    forecast = predict(fit, rows, plan, of=rows.of, spend=spend)
    total = total_value(fit, rows, plan, forecast, spend=spend)
    assert forecast.high is not None
    assert np.isfinite(forecast.high).all()
    assert (total.chance, total.low, total.high) == (None, None, None)
    assert "has no end" in (total.because or "")
    assert total.value > 0


def test_discounting_takes_money_later_for_less() -> None:
    """In two years nearly everything comes: a rate of 10 % takes between 0 and 1.1² off, month by month."""
    fit, money = known("bg-nbd", bg_nbd.NAMES, CDNOW), known("gamma-gamma", gamma_gamma.NAMES, SPEND)
    rows = collapse(people((2, 30.43, 38.86)))
    spend = Spend(money, np.array([2.0]), np.array([22.35]), rows.of)
    year = 365.25 / 7
    plain, later = (predict(fit, rows, Plan(2 * year, rate), of=rows.of, spend=spend) for rate in (0.0, 0.1))
    assert plain.value is not None
    assert later.value is not None
    months = [outlook("bg-nbd", fit.values, rows, k * year / 12).mean[0] for k in range(1, 25)]
    by_hand = sum(
        (now - before) * 1.1 ** (-(k + 1) / 12)
        for k, (now, before) in enumerate(zip(months, [0, *months[:-1]], strict=True))
    )
    assert later.value[0] / plain.value[0] == pytest.approx(by_hand / months[-1], rel=1e-9)


Once = Callable[[int], tuple[Fit, Sequence[float]]]


def purchases_once(model: str) -> Once:
    return lambda seed: (FITS[model](made(model, 4000, seed)), TRUTH[model])


def spend_once(seed: int) -> tuple[Fit, Sequence[float]]:
    chance = np.random.default_rng(seed)
    x = chance.integers(1, 12, 1500).astype(float)
    return fit_gamma_gamma(x, simulate_spend(np.array(SPEND), x, chance)), SPEND


def occasions_once(seed: int) -> tuple[Fit, Sequence[float]]:
    truth = (1.2, 0.75, 0.66, 2.78)
    return fit_bg_bb(simulate_occasions(np.array(truth), 8, 8000, np.random.default_rng(seed))), truth


def renewals_once(seed: int) -> tuple[Fit, Sequence[float]]:
    chance = np.random.default_rng(seed)
    return fit_sbg(simulate_renewals(np.array([0.7, 3.8]), chance.integers(3, 13, 3000).astype(float), chance)), (
        0.7,
        3.8,
    )


ONCE: dict[str, Once] = {
    "bg-nbd": purchases_once("bg-nbd"), "mbg-nbd": purchases_once("mbg-nbd"), "gamma-gamma": spend_once,
    "bg-bb": occasions_once, "sbg": renewals_once,
}  # fmt: skip


def inside(once: Once, runs: int) -> float:
    """Give the share of parameters, over made-up data sets, that lie inside their own 95 % interval."""
    hits = []
    for seed in range(runs):
        fit, truth = once(seed)
        hits += [one.low <= true <= one.high for one, true in zip(fit.parameters.values(), truth, strict=True)]
    return float(np.mean(hits))


@pytest.mark.parametrize("model", ONCE)
def test_parameters_lie_in_their_intervals(model: str) -> None:
    assert inside(ONCE[model], 30) == pytest.approx(0.95, abs=0.06)


@pytest.mark.slow
@pytest.mark.parametrize("model", ONCE)
def test_parameters_lie_in_their_intervals_95_times_in_100(model: str) -> None:
    assert inside(ONCE[model], 200) == pytest.approx(0.95, abs=0.03)
