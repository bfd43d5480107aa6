"""Measure customer value: BG/NBD beside lifetimes, and value with intervals for every customer.

Run by `run.py value`. A million made-up customers, observed for 26 to 78 weeks; the same arrays for both. lifetimes is
installed into an environment of its own in the folder for work.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from plait.stats.clv.rows import Customers
from plait.stats.clv.simulate import simulate_purchases, simulate_spend

CUSTOMERS, SEED, ROUNDS = 1_000_000, 7, 3
TRUTH, SPEND = (0.2426, 4.4135, 0.7929, 2.4258), (6.25, 3.74, 15.44)
PEER = ("lifetimes==0.11.3", "numpy<2", "pandas<2.1", "scipy<1.12")  # its last release, and what that still runs on
NAMES = ("r", "alpha", "a", "b")

READ = """
import json, resource, sys, time
import numpy as np
table = np.load(sys.argv[1])
x, t_x, age, spend = table
def used():
    return time.process_time(), time.perf_counter()
def told(parts, **more):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"parts": parts, "peak": peak, **more}))
def since(began):
    return [now - then for now, then in zip(used(), began)]
"""
OURS = (
    READ
    + """
from plait.stats.clv.bg_nbd import fit_bg_nbd
from plait.stats.clv.gamma_gamma import fit_gamma_gamma
from plait.stats.clv.rows import Customers, collapse
from plait.stats.clv.value import Plan, Spend, predict, total_value
import scipy.optimize, scipy.special
parts = {}
began = used()
rows = collapse(Customers(x, t_x, age, spend, x))
fit = fit_bg_nbd(rows)
parts["bg-nbd"] = since(began)
began = used()
money = fit_gamma_gamma(x, spend)
parts["gamma-gamma"] = since(began)
began = used()
known, plan = Spend(money, x, spend, rows.of), Plan(52, discount=0.1, margin=0.4)
forecast = predict(fit, rows, plan, of=rows.of, spend=known)
total = total_value(fit, rows, plan, forecast, spend=known)
parts["value"] = since(began)
told(parts, values=fit.values.tolist(), errors=[one.standard_error for one in fit.parameters.values()],
    height=fit.log_likelihood, rows=rows.x.size, total=[total.value, total.low, total.high])
"""
)
THEIRS = (
    READ
    + """
import warnings
warnings.simplefilter("ignore")
from lifetimes import BetaGeoFitter
began = used()
fitter = BetaGeoFitter().fit(x, t_x, age)
parts = {"bg-nbd": since(began)}
names = ("r", "alpha", "a", "b")
told(parts, values=[float(fitter.params_[name]) for name in names],
    errors=[float(fitter.summary.loc[name, "se(coef)"]) for name in names])
"""
)


def measure(work: Path) -> str:
    """Measure customer value; gives the section of RESULTS.md."""
    data, peer = _data(work), _peer(work)
    runs = [(_run(Path(sys.executable), OURS, data), _run(peer, THEIRS, data)) for _ in range(ROUNDS)]
    ours, theirs = runs[0]
    apart = max(abs(a / b - 1) for a, b in zip(ours["values"], theirs["values"], strict=True))
    ratios = [statistics.median(b["parts"]["bg-nbd"][k] / a["parts"]["bg-nbd"][k] for a, b in runs) for k in (0, 1)]
    parts = [_row(f"plait, {_SAID[part]}", [run[0] for run in runs], part) for part in ours["parts"]]
    every = [statistics.median(sum(part[k] for part in run[0]["parts"].values()) for run in runs) for k in (0, 1)]
    low, high = ours["total"][1:]
    return (
        f"{CUSTOMERS:,} made-up customers ({ours['rows']:,} different histories), the same arrays in memory, from them "
        f"to parameters with standard errors, each in a process of its own, {ROUNDS} rounds in turn, medians. Load of "
        f"the machine before: {os.getloadavg()[0]:.1f}.\n\n"
        "| what | CPU seconds | seconds | peak memory |\n|---|---:|---:|---:|\n"
        f"{''.join(parts)}"
        f"| plait, all of it | {every[0]:.2f} | {every[1]:.2f} | {max(run[0]['peak'] for run in runs):,.0f} MB |\n"
        f"{_row('lifetimes 0.11.3, BG/NBD', [run[1] for run in runs], 'bg-nbd')}\n"
        f"BG/NBD takes lifetimes {ratios[0]:.0f} times the CPU and {ratios[1]:.0f} times the time (medians of the "
        f"rounds' ratios); parameters differ by at most {apart:.1e} of their value: plait {_values(ours)}, lifetimes "
        f"{_values(theirs)}. Value of all customers {ours['total'][0]:,.0f}, 95 % by chance and parameters {low:,.0f} "
        f"to {high:,.0f}.\n"
    )


_SAID = {
    "bg-nbd": "BG/NBD, equal histories counted together first",
    "gamma-gamma": "Gamma-Gamma",
    "value": "12 months' discounted value and its interval for each customer, and the total's",
}


def _values(run: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:.5g}" for name, value in zip(NAMES, run["values"], strict=True))


def _row(name: str, runs: list[dict[str, Any]], part: str) -> str:
    cpu, wall = (statistics.median(run["parts"][part][k] for run in runs) for k in (0, 1))
    return f"| {name} | {cpu:.2f} | {wall:.2f} | {max(run['peak'] for run in runs):,.0f} MB |\n"


def _run(python: Path, code: str, data: Path) -> dict[str, Any]:
    found = subprocess.run([str(python), "-c", code, str(data)], capture_output=True, text=True, check=True)
    told = json.loads(found.stdout.splitlines()[-1])
    assert isinstance(told, dict)  # noqa: S101 - as `told` prints it
    return told


def _data(work: Path) -> Path:
    """Make the customers once; used again."""
    file = work / f"value-{CUSTOMERS}.npy"
    if not file.exists():
        chance = np.random.default_rng(SEED)
        age = chance.integers(26 * 7, 78 * 7, CUSTOMERS) / 7
        made: Customers = simulate_purchases("bg-nbd", np.array(TRUTH), age, chance)
        np.save(file, np.stack([made.x, made.t_x, made.age, simulate_spend(np.array(SPEND), made.x, chance)]))
    return file


def _peer(work: Path) -> Path:
    """Install the peer into an environment of its own, once; gives its Python."""
    folder = work / "lifetimes"
    python = folder / "bin" / "python"
    if not (folder / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PEER], check=True)
        (folder / "installed").touch()
    return python
