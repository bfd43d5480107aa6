"""What pm4py says of a log: run by an environment that has it, never by plait's own (its licence is AGPL).

`python process_map.py LOG.parquet CASE ACTIVITY AT [SECOND_KEY ...]` prints as JSON how often which step directly
followed which, the median wait in seconds, and how often each step was first and last. Rows of one instant keep the
order of the second keys, without any that of the file.
"""

from __future__ import annotations

import json
import sys

import pandas as pd  # type: ignore[import-untyped]
import pm4py  # type: ignore[import-not-found]


def main(file: str, case: str, activity: str, at: str, *second: str) -> dict[str, object]:
    """Ask pm4py for the directly-follows graph, by number and by time."""
    log = pd.read_parquet(file)
    log[at] = pd.to_datetime(log[at], utc=True, format="ISO8601")
    log = log.sort_values([case, at, *second], kind="stable").reset_index(drop=True)
    log = pm4py.format_dataframe(log, case_id=case, activity_key=activity, timestamp_key=at)
    times, first, last = pm4py.discover_dfg(log)
    waits, _first, _last = pm4py.discover_performance_dfg(log)
    edges = [[one, other, int(times[one, other]), float(waits[one, other]["median"])] for one, other in sorted(times)]
    ends = {"first": first, "last": last}
    return {"edges": edges} | {name: {step: int(n) for step, n in told.items()} for name, told in ends.items()}


if __name__ == "__main__":
    json.dump(main(*sys.argv[1:]), sys.stdout, ensure_ascii=False)
