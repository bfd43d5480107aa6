"""Proxies: what goes along with later revenue is found, what does not is called so, and many tries are paid for."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest
from homes import NOW
from scipy.stats import pearsonr, spearmanr
from stories import Story

from plait.facts import Fact
from plait.measures.proxies import CHANCE, FEW, VALIDATED, proxy_validation
from plait.stats.correlation import UnfitSeries, effective_pairs, holm, holm_level, pearson, spearman


def test_without_memory_it_is_what_textbooks_give() -> None:
    """The coefficients are scipy's; so is the interval, where months have no memory that counts."""
    chance = np.random.default_rng(5)
    for n in (8, 24, 200):
        x = chance.normal(size=n)
        y = 0.5 * x + chance.normal(size=n)
        linear, ranked = pearson(x, y), spearman(x, y)
        assert linear is not None
        assert ranked is not None
        told = pearsonr(x, y)
        assert linear.r == pytest.approx(told.statistic, abs=1e-12)
        assert ranked.r == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)
        if linear.effective == n:
            assert linear.interval(0.9) == pytest.approx(tuple(told.confidence_interval(0.9)), abs=1e-9)
    flat = np.ones(30)
    assert pearson(flat, np.arange(30.0)) is None
    assert pearson(np.arange(3.0), np.arange(3.0)) is None
    with pytest.raises(UnfitSeries, match="two series of 3 and 30 months"):
        pearson(np.arange(3.0), flat)


def test_months_with_a_memory_are_worth_fewer_pairs() -> None:
    """Two series that have nothing to do with each other, each like its month before: one in twenty looks sure."""
    chance = np.random.default_rng(11)
    steps = chance.normal(size=(2, 600, 48))
    walks = np.zeros_like(steps)
    for month in range(1, 48):
        walks[:, :, month] = 0.8 * walks[:, :, month - 1] + steps[:, :, month]
    found = [pearson(x, y) for x, y in zip(*walks[:, :, 8:], strict=True)]
    wrong = np.mean([one is not None and one.p < 0.05 for one in found])
    naive = np.mean([pearsonr(x, y).pvalue < 0.05 for x, y in zip(*walks[:, :, 8:], strict=True)])
    assert naive > 0.3
    assert wrong < 0.09
    x = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    assert effective_pairs(x, -x) == pytest.approx(6 * (1 - (5 / 6) ** 2) / (1 + (5 / 6) ** 2))
    assert effective_pairs(x, x) <= 6


def test_many_tries_are_corrected_as_holm_does() -> None:
    """0.01 0.04 0.03 0.005 become 0.03 0.06 0.06 0.02: times 3, 1, 2, 4, and never less than the one before."""
    chances = [0.01, 0.04, 0.03, 0.005]
    assert holm(chances) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert [holm_level(chances, place) for place in range(4)] == pytest.approx(
        [1 - 0.05 / 3, 0.95, 1 - 0.05 / 2, 1 - 0.05 / 4]
    )
    assert holm([0.6, 0.7]) == [1.0, 1.0]


def firm(months: int, *, seed: int = 3) -> list[Fact]:
    """Give a firm whose forms become revenue two months later, whose visits do not, and whose leads stand still."""
    chance = np.random.default_rng(seed)
    forms, visits = chance.integers(5, 40, months + 2), chance.integers(5, 40, months + 2)
    facts = []
    for month in range(months):
        at = datetime(2021 + month // 12, month % 12 + 1, 5, tzinfo=UTC)
        facts += [fact(f"f{month}-{n}", "form.submitted", at) for n in range(forms[month + 2])]
        facts += [fact(f"v{month}-{n}", "visit.started", at) for n in range(visits[month])]
        facts += [fact(f"l{month}-{n}", "lead.mql", at) for n in range(3)]
        facts.append(
            fact(f"o{month}", "order.placed", at, Decimal(int(forms[month]) * 100 + int(chance.integers(0, 400))))
        )
    return facts


def fact(number: str, kind: str, at: datetime, amount: Decimal | None = None) -> Fact:
    """Give a fact of no account."""
    return Fact(source="web", id=number, kind=kind, occurred_at=at, recorded_at=NOW, amount=amount,
                object_id=number, currency="EUR" if amount else None)  # fmt: skip


def test_a_planted_lag_is_found_and_noise_is_not() -> None:
    story = Story(firm(48), as_of=datetime(2025, 1, 10))  # noqa: DTZ001 - measures see naive UTC
    best = {row["proxy"]: row for row in story.table(proxy_validation).records()}
    assert {name: row["verdict"] for name, row in best.items()} == {
        "visit.started": CHANCE, "form.submitted": VALIDATED, "lead.mql": CHANCE,
    }  # fmt: skip
    forms = best["form.submitted"]
    assert (forms["lag"], forms["n"]) == (2, 46)
    assert float(str(forms["corrected_low"])) > 0
    assert float(str(forms["corrected_low"])) < float(str(forms["pearson_low"]))
    assert best["lead.mql"]["pearson"] is None, "what never changes goes along with nothing"
    every = story.table(proxy_validation, show="all")
    assert [row["lag"] for row in every.records()] == [*range(7)] * 3
    assert any("Holm's correction is for 14 tries" in text for text in every.warnings)
    changes = {row["proxy"]: row for row in story.table(proxy_validation, compared="changes").records()}
    assert (changes["form.submitted"]["lag"], changes["form.submitted"]["verdict"]) == (2, VALIDATED)


def test_fewer_than_24_months_validate_nothing_and_the_running_one_does_not_count() -> None:
    story = Story(firm(25), as_of=datetime(2023, 1, 10))  # noqa: DTZ001 - 24 months are over, 22 of them at the lag
    rows = {row["proxy"]: row for row in story.table(proxy_validation, show="all").records() if row["lag"] == 2}
    assert (rows["form.submitted"]["n"], rows["form.submitted"]["p_corrected"]) == (22, None)
    assert float(str(rows["form.submitted"]["pearson"])) > 0.8
    early = Story(firm(20), as_of=datetime(2025, 1, 10)).table(proxy_validation)  # noqa: DTZ001
    assert early.rows, "months after the last fact are over, too, and had none"
    short = Story(firm(18), as_of=datetime(2022, 7, 10)).table(proxy_validation)  # noqa: DTZ001
    assert {row["verdict"] for row in short.records()} == {FEW}
    assert any("3 of 3 proxies are not validated" in text for text in short.warnings)
    nothing = Story([], as_of=datetime(2025, 1, 10)).table(proxy_validation)  # noqa: DTZ001
    assert nothing.rows == []
    assert "Nothing can be compared" in nothing.warnings[0]
