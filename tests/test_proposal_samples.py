"""Proposals for sample exports, held against the mappings that people wrote for the same files.

Each pair of facts of one row and kind is compared field by field. A fact that only the written mapping gives counts all
its fields as missed; facts that only the proposal gives are counted apart.
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from plait.sources.form import Mapping
from plait.sources.mapping import read_mapping
from plait.sources.proposal.proposing import propose, see
from plait.sources.staging import stage

DATA = Path("/work/shared/data")
KNOWN = Path(__file__).parents[1] / "plait" / "sources" / "known"
EXAMPLES = Path(__file__).parents[1] / "examples"
FIELDS = ("kind", "occurred_at", "object_id", "amount", "currency", "owner", "text", "channel", "campaign", "product")
SYSTEMS = ("hubspot", "stripe", "zendesk", *os.environ.get("PLAIT_SAMPLES", "").split())  # further ones by name
NOW = datetime(2026, 11, 26, tzinfo=UTC)
HOME = ("UTC", "EUR")
Fact = dict[str, str | None]


@dataclass
class Compared:
    """How many fields of the written mapping's facts the proposal gives alike, by field."""

    same: Counter[str] = field(default_factory=Counter)
    all: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)  # facts, by kind
    spare: Counter[str] = field(default_factory=Counter)
    matched: int = 0
    matched_same: int = 0
    matched_all: int = 0

    @property
    def share(self) -> float:
        """Over the facts that both give."""
        return self.matched_same / self.matched_all if self.matched_all else 0.0

    @property
    def whole(self) -> float:
        """Over all facts of the written mapping."""
        return self.same.total() / self.all.total() if self.all else 0.0

    def __str__(self) -> str:
        by_field = ", ".join(f"{name} {self.same[name]}/{n}" for name, n in sorted(self.all.items()))
        return (
            f"{self.share:.1%} of the fields of {self.matched} matched facts ({self.matched_same}/{self.matched_all}); "
            f"{self.whole:.1%} with {self.missed.total()} facts missed {dict(self.missed)}; "
            f"{self.spare.total()} facts only proposed {dict(self.spare)}\n  {by_field}"
        )


def staged(folder: Path, mapping: Mapping, work: Path) -> dict[tuple[str, int], list[Fact]]:
    """Give the facts of a folder by file and line."""
    staging = stage(folder, mapping.at_home(*HOME), work=work, recorded_at=NOW)
    paths = [str(file.facts) for file in staging.files if file.accepted]
    found: dict[tuple[str, int], list[Fact]] = defaultdict(list)
    if paths:
        asked = ", ".join(f"{name}::varchar" for name in (*FIELDS, "keys"))
        rows = duckdb.execute(f"select file, line, {asked} from read_parquet(?) order by file, line, id", [paths])
        for file, line, *values in rows.fetchall():
            fact = dict(zip(FIELDS, values, strict=False))
            keys = {f"key {name}": value for name, value in json.loads(values[-1]).items()}
            found[file, line].append(fact | keys)
    return found


def fields_of(one: Fact, other: Fact) -> Iterator[str]:
    """Give the fields that either fact fills in."""
    return (name for name in {**one, **other} if one.get(name) is not None or other.get(name) is not None)


def compare(written: dict[tuple[str, int], list[Fact]], proposed: dict[tuple[str, int], list[Fact]]) -> Compared:
    made = Compared()
    for row, facts in written.items():
        left = list(proposed.get(row, []))
        for fact in facts:
            alike = [other for other in left if other["kind"] == fact["kind"]]
            best = max(alike, key=lambda o: sum(o.get(n) == fact.get(n) for n in fields_of(fact, o)), default=None)
            if best is None:
                made.missed[str(fact["kind"])] += 1
            else:
                left.remove(best)
                made.matched += 1
            for name in fields_of(fact, best or {}):
                same = best is not None and best.get(name) == fact.get(name)
                made.all[name] += 1
                made.same[name] += same
                made.matched_all += best is not None
                made.matched_same += same
        made.spare.update(str(fact["kind"]) for fact in left)
    for row in proposed.keys() - written.keys():
        made.spare.update(str(fact["kind"]) for fact in proposed[row])
    return made


def held_against(folder: Path, written: Path, source: str, work: Path) -> Compared:
    """Propose a mapping for a folder with every default taken, and hold its facts against a written one's."""
    made = propose(see([folder], work=work / "look"), source=source, answers={}, day="2026-11-26")
    path = work / "proposed.toml"
    path.write_text(made.toml, "utf-8")
    ours = staged(folder, read_mapping(path), work / "ours")
    return compare(staged(folder, read_mapping(written), work / "theirs"), ours)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_proposal_gives_nine_tenths_of_the_fields_of_the_built_in_mapping(system: str, tmp_path: Path) -> None:
    folder, written = DATA / "export_samples" / system, KNOWN / f"{system}.toml"
    if not folder.exists() or not written.exists():
        pytest.skip("the sample exports are not here")
    made = held_against(folder, written, system, tmp_path)
    print(f"{system}: {made}")  # noqa: T201 - the figure is what the test is for
    assert made.share >= 0.9
