"""Attribution where the truth is known: how much credit goes wrong, and whether intervals hold what they promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from plait.stats.paths.counting import counted
from plait.stats.paths.credit import credit
from plait.stats.paths.intervals import replicated
from plait.stats.paths.journeys import Journeys, from_paths, from_touches
from plait.stats.paths.models import MODELS, known_model
from plait.stats.paths.statistics import Statistics
from plait.stats.paths.truth import STRENGTHS, Truth, misallocated, simulated

CHANCES = (0.15, 0.05, 0.25, 0.10)
PEOPLE, RUNS, REPLICATES = 4_000, 200, 200


def count(made: Truth, *, blocks: int | None = None) -> Statistics:
    return counted(
        from_touches(made.channels, made.touches, made.conversions, as_of=made.as_of, lookback=None, blocks=blocks)
    )


def errors(made: Truth) -> dict[str, float]:
    """Give each model's misallocated share of credit."""
    total = count(made).total()
    return {name: misallocated(model.share(total, None).credit[0][:-1], made.shares) for name, model in MODELS.items()}


@pytest.mark.slow
def test_the_response_model_finds_the_truth_where_nobody_had_decided_before() -> None:
    """A million people: the response model misallocates up to 3 %, last touch and Markov some 23 % and 26 %."""
    found = errors(simulated(1_000_000, seed=3))
    assert found["response"] <= 0.03
    assert found["last"] == pytest.approx(0.23, abs=0.03)
    assert found["linear"] == pytest.approx(0.22, abs=0.03)
    assert found["shapley"] == pytest.approx(0.22, abs=0.03)
    assert found["markov"] == pytest.approx(0.26, abs=0.03)


@pytest.mark.slow
def test_intent_misleads_every_model_and_the_error_is_told() -> None:
    """Misallocated shares by strength of intent; printed for the page, and growing for the response model."""
    response = []
    for name, strength in STRENGTHS.items():
        made = simulated(300_000, strength=strength, seed=3)
        found = errors(made)
        print(f"{name}: no channel {made.baseline:.1%};", ", ".join(f"{m} {e:.3f}" for m, e in found.items()))  # noqa: T201
        response.append(found["response"])
    assert response == sorted(response)
    assert response[-1] > 0.08


def test_a_smaller_log_has_the_same_order_of_models() -> None:
    found = errors(simulated(150_000, seed=12))
    assert found["response"] < 0.06 < found["linear"]
    assert found["response"] < found["markov"]


def test_what_channels_caused_is_what_happens_more_often_with_them() -> None:
    """The truth is a Shapley value: with the own chance it adds up to the expected conversions."""
    made = simulated(50_000, strength=2.0, seed=4)
    assert made.shares.sum() == pytest.approx(1)
    assert 0.1 < made.baseline < 0.3
    assert simulated(50_000, seed=4).baseline == pytest.approx(0, abs=1e-9)


@pytest.fixture(scope="module")
def population() -> Journeys:
    """Give a hundred thousand people from whom logs are drawn."""
    made = simulated(100_000, seed=99, chances=CHANCES)
    return from_touches(made.channels, made.touches, made.conversions, as_of=made.as_of, lookback=None, blocks=1)


def drawn(population: Journeys, seed: int, blocks: int) -> Journeys:
    """Draw a log of some people; with one block equal paths become one row."""
    some = np.random.default_rng(seed).integers(0, len(population), PEOPLE)
    paths = [population.channel[population.starts[row] : population.starts[row + 1]] for row in some]
    k = population.k[some]
    if blocks > 1:
        starts = np.cumsum([0, *map(len, paths)])
        made = from_paths(population.channels, starts, np.concatenate(paths), n=np.ones_like(k), k=k)
        return replace(made, block=np.arange(PEOPLE) % blocks, blocks=blocks)
    rows: dict[bytes, list[int]] = {}
    for path, won in zip(paths, k, strict=True):
        row = rows.setdefault(path.tobytes(), [0, 0])
        row[0], row[1] = row[0] + 1, row[1] + int(won)
    codes = [np.frombuffer(path, population.channel.dtype) for path in rows]
    n, k = np.array(list(rows.values())).T
    return from_paths(population.channels, np.cumsum([0, *map(len, codes)]), np.concatenate(codes), n=n, k=k)


MODELS_HELD = ("response", "markov", "markov-2", "linear", "last")
Held = Callable[[str, float], float]


def holding(population: Journeys, *, blocks: int) -> Held:
    """Draw logs, and tell how often the interval of a share holds the population's, over logs and channels."""
    total = counted(population).total()
    truth = {model: known_model(model).share(total, None).credit[0][:-1] for model in MODELS_HELD}
    hits: dict[tuple[str, float], list[np.ndarray]] = {}
    for seed in range(RUNS):
        statistics = counted(drawn(population, seed, blocks))
        replicates = replicated(statistics, seed=seed, size=REPLICATES if blocks == 1 else None)
        for model in MODELS_HELD:
            for level in (0.9, 0.95):
                answer = credit(statistics, model, level=level, replicates=replicates)
                assert answer.low is not None
                assert answer.high is not None
                true = truth[model] * answer.conversions
                hits.setdefault((model, level), []).append((answer.low <= true) & (true <= answer.high))
    return lambda model, level: float(np.mean(hits[model, level]))


@pytest.fixture(scope="module")
def by_jackknife(population: Journeys) -> Held:
    return holding(population, blocks=50)


@pytest.fixture(scope="module")
def by_bootstrap(population: Journeys) -> Held:
    return holding(population, blocks=1)


@pytest.mark.parametrize("model", ["response", "markov", "linear"])
def test_jackknife_intervals_of_90_percent_hold_the_truth_so_often(model: str, by_jackknife: Held) -> None:
    assert 0.85 <= by_jackknife(model, 0.9) <= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS_HELD)
def test_bootstrap_intervals_of_95_percent_hold_the_truth_so_often(model: str, by_bootstrap: Held) -> None:
    assert 0.92 <= by_bootstrap(model, 0.95) <= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("model", ["response", "markov", "linear"])
def test_bootstrap_intervals_of_90_percent_hold_the_truth_so_often(model: str, by_bootstrap: Held) -> None:
    assert 0.85 <= by_bootstrap(model, 0.9) <= 0.95
