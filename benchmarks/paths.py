"""Measure attribution: all models with intervals from an unsorted log, beside two tools that analysts use.

Run by `run.py paths`. A made-up log whose truth is known: a million people, five million touches, twelve channels, one
Parquet file for all. The peers are installed into an environment of their own in the folder for work. They give no
intervals, and no response model; ChannelAttribution has no Shapley value and no positions either.
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

from plait.stats.paths.truth import STRENGTHS, misallocated, simulated

PEOPLE, SEED, ROUNDS = 1_000_000, 3, 3
PEERS = (
    "marketing-attribution-models==2.1.0", "ChannelAttribution==2.2.5", "matplotlib>=3.10,<4", "pandas>=2.2,<4",
    "polars>=2.1,<3", "pyarrow>=18,<27",
)  # fmt: skip

READ = """
import json, resource, sys, time, warnings
warnings.simplefilter("ignore")
file, answer = sys.argv[1:]
parts = {}
def used():
    return time.process_time(), time.perf_counter()
def done(part, began):
    parts[part] = [now - then for now, then in zip(used(), began)]
    return used()
def told(**more):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    open(answer, "w").write(json.dumps({"parts": parts, "peak": peak, **more}))
"""
OURS = (
    READ
    + """
import numpy as np
from pyarrow import parquet
from plait.stats.paths.counting import counted
from plait.stats.paths.credit import credit
from plait.stats.paths.intervals import replicated
from plait.stats.paths.journeys import Conversions, Touches, from_touches, in_order, sorted_touches
from plait.stats.paths.models import MODELS
whole = began = used()
log = parquet.ParquetFile(file, read_dictionary=["channel"])
size, low, names, bought = log.metadata.num_rows, 0, {}, []
unit, at, tie = (np.empty(size, np.int32) for _ in range(3))
code = np.empty(size, np.uint8)
for batch in log.iter_batches(batch_size=1 << 17, columns=["id", "person", "at", "channel", "converted", "value"]):
    part = slice(low, low := low + len(batch))
    unit[part], tie[part] = batch["person"].to_numpy(), batch["id"].to_numpy()
    at[part] = batch["at"].cast("timestamp[s]", safe=False).cast("int64").to_numpy() - 1_600_000_000
    own = np.array([names.setdefault(name, len(names)) for name in batch["channel"].dictionary.to_pylist()])
    code[part] = own[batch["channel"].indices.to_numpy()]
    won = np.flatnonzero(batch["converted"].to_numpy(zero_copy_only=False))
    bought.append((unit[part][won], at[part][won], batch["value"].to_numpy()[won]))
names = list(names)
found = sorted_touches(unit, at, code, tie)
touches = {"unit": found.unit, "at": 2 * found.at, "code": found.channel}
buyer, moment, value = (np.concatenate(column) for column in zip(*bought))
order = in_order(buyer, moment)
won = {"unit": buyer[order], "at": 2 * moment[order].astype(np.int64) + 1, "value": value[order]}
del unit, at, tie, code, order, found
began = done("read and sort", began)
def journeys(touches, won):
    return from_touches(names, Touches(touches["unit"], touches["at"], touches["code"]),
        Conversions(won["unit"], won["at"], won["value"]),
        lookback=None, open_days=0, per_day=2 * 86_400)
statistics = counted(journeys(touches, won))
began = done("count", began)
drawn = replicated(statistics)
answers = {model: credit(statistics, model, replicates=drawn) for model in MODELS if model != "last_non_direct"}
done("eleven models with intervals", began)
done("all", whole)
credits = {name: dict(zip(names, one.credit.tolist())) for name, one in answers.items()}
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

# a day: one in a hundred people has new touches; the file is clustered by person, so only theirs are read
some = np.flatnonzero(np.random.default_rng(1).random(int(touches["unit"].max()) + 1) < 0.01)
def of(log, drop=0):
    low, high = (np.searchsorted(log["unit"], some, side) for side in ("left", "right"))
    length = np.maximum(high - low - drop, 0)
    place = np.arange(length.sum()) + np.repeat(low - np.cumsum(length) + length, length)
    return {name: column[place] for name, column in log.items()}
before, now, bought = of(touches, drop=1), of(touches), of(won)
nobody = {name: column[:0] for name, column in won.items()}
yesterday = statistics - counted(journeys(now, bought)) + counted(journeys(before, nobody))
began = used()
today = yesterday - counted(journeys(before, nobody)) + counted(journeys(now, bought))
began = done("a day's tables", began)
drawn = replicated(today)
for model in answers:
    credit(today, model, replicates=drawn)
done("a day's models", began)
same = all(np.array_equal(a, b) for a, b in ((today.sets.k, statistics.sets.k), (today.rules.k, statistics.rules.k),
    (today.transitions.counts, statistics.transitions.counts), (today.rules.value, statistics.rules.value)))
told(credits=credits, day_peak=peak, people=len(some), same=bool(same))
"""
)
MAM = (
    READ
    + """
import polars as pl
from mam import MAM
whole = began = used()
log = pl.read_parquet(file)
mam = MAM(log, format_type="format_1", channels_colname="channel", journey_with_conv_colname="converted",
    datetime_colname="at", user_id_colname="person", create_journey_id_based_on_conversion=True)
began = done("read and sort", began)
for run in (mam.run_first_click, mam.run_last_click, mam.run_linear, mam.run_position_based, mam.run_time_decay,
        mam.run_markov, mam.run_shapley):
    run()
done("seven models, no interval", began)
done("all", whole)
told()
"""
)
PANDAS = (
    READ
    + """
import pandas as pd
from ChannelAttribution import heuristic_models, markov_model
whole = began = used()
log = pd.read_parquet(file).sort_values(["person", "at", "id"])
grouped = log.groupby("person", sort=False)
journeys = pd.DataFrame({"path": grouped["channel"].agg(" > ".join), "won": grouped["converted"].sum(),
    "value": grouped["value"].sum()})
journeys["lost"] = (journeys["won"] == 0).astype(int)
paths = journeys.groupby("path", as_index=False)[["won", "value", "lost"]].sum()
began = done("read and sort", began)
heuristic_models(paths, "path", "won", var_value="value", flg_pro=False)
found = markov_model(paths, "path", "won", var_value="value", var_null="lost", ncore=2, verbose=False, flg_pro=False)
done("four models, no interval", began)
done("all", whole)
told()
"""
)


def measure(work: Path) -> str:
    """Measure attribution; gives the section of RESULTS.md."""
    file, truth = _log(work)
    peer = _peers(work)
    each = {"plait": (Path(sys.executable), OURS), "MAM": (peer, MAM), "pandas + ChannelAttribution": (peer, PANDAS)}
    load = os.getloadavg()[0]
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in each}
    for _ in range(ROUNDS):
        for name, (python, code) in each.items():
            runs[name].append(_run(python, code, file))
    wrong = {
        model: misallocated(np.array([found[name] for name in truth]), np.array(list(truth.values())))
        for model, found in runs["plait"][0]["credits"].items()
    }
    days = [run["parts"]["a day's tables"][1] for run in runs["plait"]]
    models = [run["parts"]["a day's models"][1] for run in runs["plait"]]
    same = "the same as" if all(run["same"] for run in runs["plait"]) else "NOT"
    return (
        f"{PEOPLE:,} people, 5.0 M touches in no order, 12 channels, one Parquet file; from it to credit by model, "
        f"each in a process of its own without its start, {ROUNDS} rounds in turn, medians. Load of the machine "
        f"before: {load:.1f}.\n\n"
        "| what | CPU seconds | seconds | peak memory |\n|---|---:|---:|---:|\n"
        f"{''.join(_rows(name, found) for name, found in runs.items())}\n"
        f"{_ratios(runs)} The peers give no intervals and no response model.\n\n"
        f"A day on which {runs['plait'][0]['people']:,} people have new touches: their tables are taken out and "
        f"put in again in {statistics.median(days):.2f} s ({same} a full count), all models with "
        f"intervals after it in {statistics.median(models):.2f} s.\n\n"
        f"Credit that goes to the wrong channel, against the truth of this log: "
        f"{', '.join(f'{model} {share:.3f}' for model, share in wrong.items())}.\n\n{_confounded()}"
    )


def _rows(name: str, runs: list[dict[str, Any]]) -> str:
    rows = ""
    for part in [part for part in runs[0]["parts"] if "day" not in part]:
        cpu, wall = (statistics.median(run["parts"][part][k] for run in runs) for k in (0, 1))
        peak = f"{max(run.get('day_peak', run['peak']) for run in runs):,.0f} MB" if part == "all" else ""
        rows += f"| {name}, {part} | {cpu:.2f} | {wall:.2f} | {peak} |\n"
    return rows


def _ratios(runs: dict[str, list[dict[str, Any]]]) -> str:
    said = []
    for name in list(runs)[1:]:
        cpu, wall = (
            statistics.median(
                theirs["parts"]["all"][k] / ours["parts"]["all"][k]
                for ours, theirs in zip(runs["plait"], runs[name], strict=True)
            )
            for k in (0, 1)
        )
        memory = max(run["peak"] for run in runs[name]) / max(run["day_peak"] for run in runs["plait"])
        said.append(
            f"{name} takes {wall:.1f} times the time, {cpu:.1f} times the CPU and {memory:.1f} times the memory"
        )
    return "; ".join(said) + " (medians of the rounds' ratios)."


def _confounded() -> str:
    """Say how much goes wrong where people with intent meet more of some channels and convert by themselves."""
    from plait.stats.paths.counting import counted
    from plait.stats.paths.journeys import from_touches
    from plait.stats.paths.models import known_model

    models = ("response", "shapley", "markov", "linear", "last")
    rows = ""
    for name, strength in STRENGTHS.items():
        made = simulated(PEOPLE, strength=strength, seed=SEED)
        journeys = from_touches(made.channels, made.touches, made.conversions, as_of=made.as_of, lookback=None)
        total = counted(journeys).total()
        wrong = [misallocated(known_model(model).share(total, None).credit[0][:-1], made.shares) for model in models]
        rows += f"| {name} | {max(made.baseline, 0.0):.0%} | {' | '.join(f'{share:.3f}' for share in wrong)} |\n"
    return (
        "The same with intent, which raises both exposure and conversion (a quarter of people; weak, middling, strong):"
        f"\n\n| intent | would have come anyway | {' | '.join(models)} |\n|---|---:|{'---:|' * len(models)}\n{rows}"
    )


def _run(python: Path, code: str, file: Path) -> dict[str, Any]:
    # The matrices are small, and two threads of a linear algebra library mostly wait for each other.
    # They write to a file: one of the peers prints as it pleases.
    answer = file.with_suffix(".told")
    subprocess.run(
        [str(python), "-c", code, str(file), str(answer)], capture_output=True, check=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    found = json.loads(answer.read_text())
    assert isinstance(found, dict)  # noqa: S101 - as `told` writes it
    return found


def _log(work: Path) -> tuple[Path, dict[str, float]]:
    """Make the log once; used again. Gives it with each channel's true share."""
    import pyarrow as pa
    from pyarrow import parquet

    file, truth = work / f"paths-{PEOPLE}.parquet", work / f"paths-{PEOPLE}.json"
    if not truth.exists():
        made = simulated(PEOPLE, seed=SEED)
        touches, won = made.touches, made.conversions
        last = np.searchsorted(touches.unit, won.unit, "right") - 1
        converted, value = np.zeros(len(touches.unit), np.bool_), np.zeros(len(touches.unit), np.int64)
        converted[last], value[last] = True, won.value
        mixed = np.random.default_rng(SEED).permutation(len(touches.unit))
        columns = {
            "id": mixed, "person": touches.unit[mixed],
            "at": (touches.at[mixed] * 1_000_000).astype("datetime64[us]"),
            "channel": pa.array(made.channels).take(pa.array(touches.channel[mixed])),
            "converted": converted[mixed], "value": value[mixed],
        }  # fmt: skip
        parquet.write_table(pa.table(columns), file)
        truth.write_text(json.dumps(dict(zip(made.channels, made.shares.tolist(), strict=True))))
    told = json.loads(truth.read_text())
    assert isinstance(told, dict)  # noqa: S101 - as written above
    return file, told


def _peers(work: Path) -> Path:
    """Install the peers into an environment of their own, once; gives its Python."""
    folder = work / "attribution-peers"
    python = folder / "bin" / "python"
    if not (folder / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PEERS], check=True)
        (folder / "installed").touch()
    return python
