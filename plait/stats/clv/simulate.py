"""Customers made up from known parameters: what the models are tried on."""

from __future__ import annotations

import numpy as np

from plait.stats.clv.bg_bb import Occasions, occasions
from plait.stats.clv.bg_nbd import MODELS
from plait.stats.clv.rows import Customers
from plait.stats.clv.shifted_beta_geometric import Renewals, renewals
from plait.stats.clv.special import Array, sums_by


def simulate_purchases(model: str, parameters: Array, age: Array, chance: np.random.Generator) -> Customers:
    """Make customers who buy and leave as BG/NBD (or MBG/NBD) says, observed for `age`; times are whole sevenths.

    All customers go from purchase to purchase together, so the work grows with the longest history.
    """
    r, alpha, a, b = (float(one) for one in parameters)
    rate, leaves = chance.gamma(r, 1.0 / alpha, age.size), chance.beta(a, b, age.size)
    x, t_x, now = (np.zeros(age.size) for _ in range(3))
    live = np.arange(age.size)
    if MODELS[model]:
        live = live[chance.random(age.size) >= leaves]
    while live.size:
        now[live] += chance.exponential(size=live.size) / np.maximum(rate[live], 1e-300)
        live = live[now[live] < age[live]]
        x[live] += 1.0
        t_x[live] = now[live]
        live = live[chance.random(live.size) >= leaves[live]]
    t_x = np.where(x > 0, np.minimum(np.maximum(np.round(t_x * 7.0), 1.0) / 7.0, age), 0.0)
    return Customers(x, t_x, age)


def simulate_spend(parameters: Array, valued: Array, chance: np.random.Generator) -> Array:
    """Make the mean value of `valued` purchases of each customer, as Gamma-Gamma says; 0 where there is none."""
    p, q, g = (float(one) for one in parameters)
    rate = chance.gamma(q, 1.0 / g, valued.size)
    number = np.maximum(valued, 1.0)
    return np.where(valued > 0, chance.gamma(p * number, 1.0 / (rate * number)), 0.0)


def simulate_occasions(parameters: Array, n: int, customers: int, chance: np.random.Generator) -> Occasions:
    """Make customers who buy at `n` occasions as BG/BB says."""
    alpha, beta, gamma, delta = (float(one) for one in parameters)
    buys, leaves = chance.beta(alpha, beta, customers), chance.beta(gamma, delta, customers)
    x, t_x, live = np.zeros(customers), np.zeros(customers), np.ones(customers, bool)
    for occasion in range(1, n + 1):
        live &= chance.random(customers) >= leaves
        here = live & (chance.random(customers) < buys)
        x += here
        t_x[here] = occasion
    return occasions(x, t_x, np.full(customers, float(n)))[0]


def simulate_renewals(parameters: Array, seen: Array, chance: np.random.Generator) -> Renewals:
    """Make contracts that are renewed as the shifted beta-geometric model says, each seen for `seen` periods."""
    alpha, beta = (float(one) for one in parameters)
    ends = chance.geometric(np.maximum(chance.beta(alpha, beta, seen.size), 1e-12)).astype(np.float64)
    at = np.minimum(ends, seen)
    periods, of = np.unique(at, return_inverse=True)
    lost = sums_by(of, (ends <= seen).astype(np.float64))
    return renewals(periods, lost, np.bincount(of) - lost)
