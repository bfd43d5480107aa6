"""The chance of an outcome: figures with known answers, leaks that are found, honest columns that are not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from plait.cli.chance_file import Asked, read, score
from plait.stats.chance.back_test import PLAIN, BackTest, back_test, gate
from plait.stats.chance.design import Array, Columns
from plait.stats.chance.figures import auc_interval, auc_within, figures
from plait.stats.chance.fit import Model, NotEnough, expit, fit
from plait.stats.chance.leaks import find_leaks, times

BANK = Path(__file__).parents[2] / "shared" / "data" / "bank_marketing" / "bank-additional-full.parquet"
bank_data = pytest.mark.skipif(not BANK.exists(), reason="the public data lies beside the checkout")


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> object:
    """Threads of linear algebra wait for each other where tests run side by side."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(1):
        yield


def drawn(seed: int, rows: int = 4000, strength: float = 0.8) -> tuple[Columns, Array, Array]:
    """Draw honest columns, the true chance of each row and what came."""
    chance = np.random.default_rng(seed)
    size, visits = chance.normal(size=rows), chance.poisson(2.0, rows).astype(float)
    sector = chance.choice(np.array(["shop", "bank", "farm"], object), rows)
    logit = -1.5 + strength * size + 0.3 * (visits - 2) + 0.6 * (sector == "bank")
    truth = expit(logit)
    happened = (chance.random(rows) < truth).astype(float)
    return {"size": size, "visits": visits, "sector": sector, "noise": chance.normal(size=rows)}, happened, truth


def test_a_model_recovers_the_chances_that_rows_were_drawn_by() -> None:
    columns, happened, truth = drawn(1)
    test, model = back_test(columns, happened, cut=2800)
    assert not gate(test)
    assert test.model.slope == pytest.approx(1, abs=0.15)
    low, high = model.interval(columns)
    assert np.mean((low <= truth) & (truth <= high)) > 0.8, "the interval is of the coefficients, 95 % where they fit"
    parts = model.contributions(columns)
    assert set(parts) == {"size", "visits", "sector", "noise"}
    assert np.allclose(sum(parts.values()) + model.intercept, model.logit(columns), atol=1e-9)
    kept = Model.of(json.loads(json.dumps(model.told())))
    assert np.array_equal(kept.chance(columns), model.chance(columns))
    assert BackTest.of(json.loads(json.dumps(test.told()))) == test
    unknown: Columns = {**columns, "sector": np.full(4000, "mine", object), "size": np.full(4000, np.nan)}
    assert np.isfinite(kept.chance(unknown)).all(), "a text never seen and a missing number are no error"


def test_figures_have_the_values_of_hand_reckoning() -> None:
    happened, told = np.array([1.0, 1, 0, 1, 0, 0]), np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.5])
    assert auc_interval(happened, told)[0] == pytest.approx(8 / 9)
    assert auc_interval(np.array([1.0, 0]), np.array([0.5, 0.5]))[0] == 0.5
    assert figures(happened, told, base=0.5).brier == pytest.approx((0.01 + 0.04 + 0.49 + 0.16 + 0.25 + 0.25) / 6)
    assert figures(happened, told, base=0.5).came_to_foretold == pytest.approx(3 / 4.0)
    rising = np.arange(200.0)  # foretells between times only
    came = (np.random.default_rng(3).random(200) < rising / 200).astype(float)
    assert auc_interval(came, rising // 20)[0] > 0.7
    assert auc_within(came, rising // 20, times(200)) == 0.5


def test_too_few_outcomes_give_no_model() -> None:
    columns, happened, _truth = drawn(2, rows=300)
    rare = happened * (np.arange(300) % 5 == 0)
    with pytest.raises(NotEnough, match="outcomes for 6 parameters, it takes 10 for each"):
        fit(columns, rare)
    with pytest.raises(NotEnough, match="after the cut"):
        back_test(columns, np.where(np.arange(300) < 280, happened, 0.0), cut=280)


def leaks(columns: Columns, happened: Array, **options: object) -> list[str]:
    found = find_leaks(columns, happened, times(happened.size), cut=int(0.7 * happened.size), **options)  # type: ignore[arg-type]
    return sorted(leak.column for leak in found)


def test_planted_leaks_are_found_and_honest_columns_are_not() -> None:
    columns, happened, truth = drawn(4)
    chance = np.random.default_rng(5)
    assert leaks(columns, happened) == []
    assert leaks({**columns, "as_strong": truth + chance.normal(0, 0.15, truth.size)}, happened) == []
    trend = np.linspace(0, 3, happened.size) + chance.normal(0, 0.05, happened.size)  # an economy that moves on
    moved = (chance.random(happened.size) < expit(trend - 3 + columns["size"].astype(float))).astype(float)
    assert leaks({**columns, "rate_of_interest": trend}, moved) == []

    strong, decided, _truth = drawn(7, strength=2.5)
    assert leaks(strong, decided) == ["size"], "so good that somebody must say that it is known before"
    assert leaks(strong, decided, known_before=("size",)) == []

    talked = happened * chance.gamma(4, 2, happened.size) + chance.gamma(2, 2, happened.size)
    signed = np.where((happened == 1) & (chance.random(happened.size) < 0.3), "2026-01", "").astype(object)
    reason = np.where((happened == 0) & (chance.random(happened.size) < 0.2), "price", "").astype(object)
    refund = np.where((happened == 1) & (chance.random(happened.size) < 0.2), 12.0, np.nan)
    twin = talked * 60 + chance.normal(0, 10, talked.size)
    planted: Columns = {**columns, "talked": talked, "seconds": twin, "signed": signed, "reason": reason,
                        "refund": refund}  # fmt: skip
    assert leaks(planted, happened) == ["reason", "refund", "seconds", "signed", "talked"]
    assert leaks(planted, happened, known_before=("talked", "seconds", "reason")) == ["refund", "signed"]


def run(*words: str) -> Result:
    return CliRunner().invoke(score, words, catch_exceptions=False)


def test_a_file_is_read_judged_and_refused_in_words(tmp_path: Path) -> None:
    columns, happened, _truth = drawn(6, rows=2500)
    file = tmp_path / "leads.csv"
    lines = zip(columns["size"], columns["visits"], columns["sector"], happened, strict=True)
    text = [f"{size:.4f},{visits:.0f},{sector},{'won' if came else 'lost'}" for size, visits, sector, came in lines]
    file.write_text("size,visits,sector,result\n" + "\n".join(text) + "\n")
    told = run(str(file), "--outcome", "result")
    assert told.exit_code == 0, told.output
    assert "learned from the first 1,750" in told.output
    assert "plain logistic regression" in told.output
    assert "nothing stands against putting this model to use" in told.output
    dated = [f"2026-01-{1 + place % 28:02},{line}" for place, line in enumerate(text)]
    signed = [
        line + (",2026-03-01" if line.endswith("won") and place % 9 == 0 else ",") for place, line in enumerate(dated)
    ]
    file.write_text("day,size,visits,sector,result,signed_on\n" + "\n".join(signed) + "\n")
    late = run(str(file), "--outcome", "result", "--time", "day")
    assert (late.exit_code, "'signed_on' lies after 'day' in " in late.output) == (1, True)
    assert run(str(file), "--outcome", "result", "--time", "day", "--known-later", "signed_on").exit_code == 0
    wrong = run(str(file), "--outcome", "sector")
    assert (wrong.exit_code, "say which of them means that it happened: --is VALUE" in wrong.output) == (2, True)
    assert "no column 'x'" in run(str(file), "--outcome", "result", "--known-later", "x").output
    file.write_text("size,result\n1,won\n2,won\n")
    assert "is 'won' in every row" in run(str(file), "--outcome", "result").output


@bank_data
@pytest.mark.real_data
def test_the_bank_calls_know_their_length_only_afterwards() -> None:
    """The vector of the reference: AUC 0.612 and lift 1.7; with `duration` it would be 0.740."""
    refused = run(str(BANK), "--outcome", "y")
    assert refused.exit_code == 1
    assert "1 of 20 columns" in refused.output
    assert (
        "'duration' by itself foretells the outcome better than all other columns together (AUC 0.776" in refused.output
    )
    assert "--known-later 'duration'" in refused.output
    told = json.loads(run(str(BANK), "--outcome", "y", "--known-later", "duration", "--json").output)
    model, plain = told["model"], told["against"][PLAIN]
    assert model["auc"] == pytest.approx(0.612, abs=0.01)
    assert model["lift"] == pytest.approx(1.7, abs=0.05)
    assert model["auc"] > plain["auc"]
    assert abs(model["slope"] - 1) < abs(plain["slope"] - 1), "calibration brings the slope nearer to 1"
    assert any("times what was foretold came" in one for one in told["against_it"]), "the rate of yes quadrupled"


@bank_data
@pytest.mark.real_data
@pytest.mark.skipif("PLAIT_LEAKS" not in os.environ, reason="the long form only")
def test_a_leak_and_a_random_split_would_have_claimed_more() -> None:
    columns, happened, _late = read(BANK, Asked("y", None, None, 0.7, (), ()))
    without = {name: column for name, column in columns.items() if name != "duration"}
    cut, mixed = int(0.7 * happened.size), np.random.default_rng(1).permutation(happened.size)
    assert back_test(columns, happened, cut=cut)[0].model.auc == pytest.approx(0.740, abs=0.01)
    for chosen, claimed in ((without, 0.796), (columns, 0.936)):
        shuffled = {name: column[mixed] for name, column in chosen.items()}
        assert back_test(shuffled, happened[mixed], cut=cut)[0].model.auc == pytest.approx(claimed, abs=0.01)
