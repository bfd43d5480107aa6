"""Contracts for tests: the files, the mapping and the terms of a small CRM, and how a home loads them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq

from plait import desk
from plait.sources.contract import Contract
from plait.sources.contract import home as kept
from plait.sources.contract.judge import Judge, Terms
from plait.sources.mapping import read_mapping
from plait.sources.staging import StagedFile, stage
from plait.store import Store

NOW = datetime(2026, 5, 3, 12, tzinfo=UTC)
MAPPING = """
source = "crm"
timezone = "UTC"
currency = "EUR"
[[file]]
pattern = "deals*.csv"
[[file.fact]]
kind = "deal.won"
id = "{id}"
object_id = "{id}"
occurred_at = "{closed}"
amount = "{amount}"
when = { stage = "won" }
"""
ANY = """
source = "crm"
[[file]]
pattern = "any*.csv"
[[file.fact]]
kind = "event.other"
id = "{@row}"
occurred_at = "2026-01-01T00:00:00Z"
text = "{a}"
"""
TEAM = """
team:
  members:
    - {username: ida@demo.example, name: Ida, role: IT owner}
    - username: sol@demo.example
      role: department owner
      customProperties: [{property: plait.department, value: sales}]
"""
HEAD = """
apiVersion: v3.1.0
kind: DataContract
id: crm-deals
name: crm
version: 1.0.0
status: active
"""
DEALS = """
schema:
  - name: deals
    physicalName: deals*.csv
    properties:
      - {name: id, logicalType: string, primaryKey: true}
      - {name: amount, logicalType: number, required: true, logicalTypeOptions: {minimum: 0}}
      - {name: closed, logicalType: timestamp}
      - {name: stage, logicalType: string}
"""
WHOLE = DEALS.replace(
    "      - {name: stage, logicalType: string}",
    "      - {name: stage, logicalType: string, quality: [{metric: nullValues, mustBeLessThan: 30, unit: percent}]}\n"
    "      - {name: owner, logicalType: string}\n"
    "    quality: [{metric: rowCount, mustBeGreaterOrEqualTo: 3}]",
)
MORE = """
slaProperties:
  - {property: latency, value: 2, unit: d, element: closed}
  - {property: frequency, value: 7, unit: d}
customProperties:
  - property: plait.controlTotals
    value: [{kind: deal.won, before: 2026-06-01, facts: 2, amount: 30.00, currency: EUR}]
"""


def text_of(*, schema: str = DEALS, more: str = "") -> str:
    return HEAD + schema + TEAM + more


def adopt(home: Path, *, schema: str = DEALS, more: str = "", at: datetime = NOW) -> Contract:
    return kept.adopt(home, text_of(schema=schema, more=more), by="Ida", why="agreed", now=at).contract


def inbox(folder: Path, **files: str) -> Path:
    """Write files and the mapping beside them; give the folder."""
    place = folder / "in"
    place.mkdir(exist_ok=True)
    for old in place.iterdir():
        old.unlink()
    for name, text in files.items():
        (place / f"{name}.csv").write_text(text, "utf-8")
    (folder / "m.toml").write_text(MAPPING)
    return place


def load(folder: Path, *, at: datetime = NOW, accepts: str = "", **files: str) -> desk.LoadReport:
    return desk.load(folder / "home", inbox(folder, **files), folder / "m.toml", now=at, accepts=accepts)


def judged(folder: Path, schema: str, text: str) -> tuple[StagedFile, Judge, list[dict[str, object]], set[int]]:
    """Stage one file of any columns by a contract; give the refused rows and the lines of the accepted ones."""
    home, place = folder / "home", folder / "in"
    if not kept.read_versions(home, "crm"):
        adopt(home, schema=schema)
    place.mkdir(exist_ok=True)
    (place / "any.csv").write_text(text, "utf-8")
    (folder / "any.toml").write_text(ANY)
    judge = Judge(home, Terms(NOW, trial=True))
    (file,) = stage(place, read_mapping(folder / "any.toml"), work=home / "work", recorded_at=NOW, judge=judge).files
    judge.judge(Store.open(home))
    return file, judge, pq.read_table(file.refused).to_pylist(), set(pq.read_table(file.facts)["line"].to_pylist())


def rows(head: str, line: str, n: int = 5) -> str:
    return head + "\n" + "".join(line.replace("#", str(k)) + "\n" for k in range(1, n + 1))
