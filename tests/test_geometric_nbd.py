"""Customers who all leave alike, or never: the limits of BG/NBD, and when they are taken."""

from __future__ import annotations

import numpy as np
import pytest

from plait.stats.clv import bg_nbd
from plait.stats.clv.bg_nbd import fit_bg_nbd
from plait.stats.clv.fit import NotIdentified, TooFew
from plait.stats.clv.geometric_nbd import (
    GEOMETRIC,
    NBD,
    alive,
    fit_geometric_nbd,
    fit_nbd,
    fit_purchases,
    surface,
)  # fmt: skip
from plait.stats.clv.outlook import outlook
from plait.stats.clv.rows import Customers, Rows, collapse

TRUE = (1.5, 10.0, 0.15)
ALIKE = 1e7


def customers(number: int, seed: int, *, p: float = TRUE[2]) -> Rows:
    """Make customers with own rates of buying, who all leave with the same chance after each repeat purchase."""
    chance = np.random.default_rng(seed)
    age = chance.uniform(20, 80, number)
    rate = chance.gamma(TRUE[0], 1 / TRUE[1], number)
    x, t_x = np.zeros(number), np.zeros(number)
    for who in range(number):
        at = chance.exponential(1 / rate[who])
        while at < age[who]:
            x[who], t_x[who] = x[who] + 1, at
            if chance.random() < p:
                break
            at += chance.exponential(1 / rate[who])
    return collapse(Customers(x, t_x, age))


def test_it_is_the_limit_of_bg_nbd() -> None:
    rows = customers(300, 1)
    r, alpha, p = TRUE
    mine = surface(rows, GEOMETRIC)(np.array(TRUE))[0]
    theirs = bg_nbd.surface(rows, "bg-nbd")(np.array([r, alpha, ALIKE * p, ALIKE * (1 - p)]))[0]
    assert mine == pytest.approx(theirs, rel=1e-6)
    chances = bg_nbd.alive(np.array([r, alpha, ALIKE * p, ALIKE * (1 - p)]), rows, "bg-nbd")
    assert alive(GEOMETRIC, np.array(TRUE), rows) == pytest.approx(chances, abs=1e-5)


@pytest.mark.parametrize(("model", "values"), [(GEOMETRIC, TRUE), (NBD, TRUE[:2])])
def test_gradients_are_those_of_the_likelihood(model: str, values: tuple[float, ...]) -> None:
    at, point = surface(customers(300, 2), model), np.array(values)
    for place, slope in enumerate(at(point)[1]):
        step = np.zeros(point.size)
        step[place] = 1e-6 * point[place]
        assert (at(point + step)[0] - at(point - step)[0]) / (2 * step[place]) == pytest.approx(
            slope, rel=1e-4, abs=1e-4
        )


def test_parameters_lie_in_their_own_interval_in_95_of_100_cases() -> None:
    within = np.zeros(3)
    for seed in range(60):
        fit = fit_geometric_nbd(customers(400, 100 + seed))
        within += [one.low <= true <= one.high for one, true in zip(fit.parameters.values(), TRUE, strict=True)]
    assert (within / 60 > 0.86).all()


def test_where_bg_nbd_cannot_tell_the_simpler_model_is_taken_with_a_note() -> None:
    rows = customers(400, 3)
    with pytest.raises(NotIdentified):
        fit_bg_nbd(rows)
    fit = fit_purchases(rows)
    assert fit.model == GEOMETRIC
    assert "same chance" in fit.notes[0]


def test_where_nobody_leaves_all_stay() -> None:
    rows = customers(300, 7, p=0.0)
    fit = fit_purchases(rows)
    assert fit.model == NBD
    assert "stay for ever" in fit.notes[0]
    r, alpha = fit.values
    seen = outlook(NBD, fit.values, rows, 13.0)
    assert seen.alive == pytest.approx(np.ones(rows.x.size))
    assert seen.mean == pytest.approx((r + rows.x) / (alpha + rows.age) * 13.0, rel=1e-6)


def test_few_customers_are_refused() -> None:
    for fit in (fit_geometric_nbd, fit_nbd, fit_purchases):
        with pytest.raises(TooFew, match="needs 30"):
            fit(customers(20, 9))
