"""Scorecards: how the loads of each source kept to its contract, at the last load and over 90 days."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from plait.failure import Said
from plait.sources.contract import home as kept
from plait.sources.contract.drift import OPEN, TOLD, Change, Drift, said_day
from plait.sources.contract.records import Record, last_of_each_file, read_records
from plait.sources.contract.verdict import FRESHNESS, Verdict, expected, said_age

DAYS = 90
Cell = str | int | None
MOST_DRIFTS = 20
CSV = (
    "source", "version", "it_owner", "owner", "department", "shape", "about", "rule", "kept", "found", "broken_rows",
    "loads_90_days", "broken_loads_90_days", "broken_rows_90_days", "judged_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One rule of a contract: how the last load kept to it (None: none was judged by it), and the loads of 90 days."""

    verdict: Verdict
    kept: bool | None
    at: datetime | None
    loads: int
    broken_loads: int
    broken_rows: int

    @property
    def rule(self) -> Said:
        """The rule in words."""
        return self.verdict.rule

    @property
    def found(self) -> Said:
        """What was found, in words."""
        return self.verdict.found


@dataclass(frozen=True, slots=True)
class DriftLine:
    """One change of an export, in words, with its day and how it stands."""

    drift: Drift
    change: Change
    state: str

    @property
    def on(self) -> date:
        """The day on which it was seen."""
        return self.drift.on

    @property
    def said(self) -> Said:
        """The change in words."""
        return self.change.words(said_day(self.on))


@dataclass(frozen=True, slots=True)
class Card:
    """The scorecard of a source; without a contract it says so by `version` being None.

    `rows` and `quarantined` are of the last load, those with `90` of all loads within 90 days; None where there is no
    load that was judged.
    """

    source: str
    version: kept.Version | None
    lines: tuple[Line, ...]
    last: Record | None
    rows_90: int
    quarantined_90: int
    drifts: tuple[DriftLine, ...]

    @property
    def broken(self) -> list[Line]:
        """The rules that the last load broke."""
        return [line for line in self.lines if line.kept is False]

    @property
    def judged(self) -> int:
        """Count the rules by which a load was judged."""
        return sum(1 for line in self.lines if line.kept is not None)

    @property
    def open(self) -> list[DriftLine]:
        """The changes that somebody must accept."""
        return [drift for drift in self.drifts if drift.state == OPEN]

    def share(self, *, days: bool = False) -> float | None:
        """Give the share of rows that were refused, at the last load or over 90 days."""
        rows = self.rows_90 if days else self.last.rows if self.last else 0
        refused = self.quarantined_90 if days else self.last.quarantined if self.last else 0
        return refused / rows if rows else None

    def summary(self) -> str:
        """Say in a line how it stands."""
        if self.version is None:
            return "no contract; `plait contract propose` writes one"
        if self.last is None:
            return f"version {self.version.number}, no load was judged by it yet"
        refused = " and was refused whole" if self.last.refused else ""
        kept_ = f"kept {self.judged - len(self.broken)} of {self.judged} rules"
        rows = f"{self.last.quarantined:,} of {self.last.rows:,} rows in quarantine"
        return f"version {self.version.number}; the load of {self.last.at:%Y-%m-%d} {kept_}{refused}, {rows}"

    def told(self) -> dict[str, object]:
        """Give it as JSON."""
        return {
            "source": self.source, "version": self.version.number if self.version else None,
            "rules": [dict(zip(CSV, row, strict=True)) for row in self.rows()],
            "quarantined_share": self.share(), "quarantined_share_90_days": self.share(days=True),
            "drift": [{"on": one.on.isoformat(), "what": one.said, "state": one.state} for one in self.drifts],
        }  # fmt: skip

    def rows(self) -> list[list[Cell]]:
        """Give its rules as the rows of a table, by the names of `CSV`."""
        if self.version is None:
            return [[self.source, *[None] * (len(CSV) - 1)]]
        contract = self.version.contract
        it, department = contract.it, contract.department
        who: list[Cell] = [self.source, self.version.number, it.name, department.name, department.department]
        return [
            [
                *who, line.verdict.shape, line.verdict.of, line.rule,
                None if line.kept is None else "yes" if line.kept else "no", line.found, line.verdict.broken,
                line.loads, line.broken_loads, line.broken_rows, line.at.isoformat() if line.at else None,
            ]
            for line in self.lines
        ]  # fmt: skip


def cards(home: Path, *, now: datetime, others: Collection[str] = ()) -> list[Card]:
    """Give the scorecard of every source that has a contract, and of `others` that may have none."""
    named = [name for name in kept.sources(home) if kept.read_versions(home, name) or kept.read_drifts(home, name)]
    return [card_of(home, source, now=now) for source in sorted({*named, *others})]


def card_of(home: Path, source: str, *, now: datetime) -> Card:
    """Give the scorecard of a source."""
    versions = kept.read_versions(home, source)
    at = now.astimezone(UTC).replace(tzinfo=None)
    records = last_of_each_file(read_records(home, source, since=at - timedelta(days=DAYS)))
    drifts = [
        DriftLine(one, change, one.state if change.asks else TOLD)
        for one in kept.read_drifts(home, source)
        for change in one.changes
    ]
    lines = _lines(versions[-1], records, at) if versions else []
    let_in = [one for one in records if not one.refused]
    return Card(
        source=source, version=versions[-1] if versions else None, lines=tuple(lines),
        last=records[0] if records else None, rows_90=sum(one.rows for one in let_in),
        quarantined_90=sum(one.quarantined for one in let_in), drifts=tuple(drifts[:MOST_DRIFTS]),
    )  # fmt: skip


def _lines(version: kept.Version, records: Sequence[Record], at: datetime) -> list[Line]:
    found = []
    for rule in expected(version.contract):
        judged = [(record, one) for record in records for one in record.verdicts if one.key == rule.key]
        broken = [one for _record, one in judged if not one.kept]
        newest = judged[0] if judged else None
        found.append(
            Line(
                newest[1] if newest else rule, newest[1].kept if newest else None, newest[0].at if newest else None,
                len(judged), len(broken), sum(one.broken for one in broken),
            )
        )  # fmt: skip
    return [*found, *_frequency(version, records, at)]


def _frequency(version: kept.Version, records: Sequence[Record], at: datetime) -> list[Line]:
    """Judge now whether the next load is late."""
    promise = version.contract.frequency
    if promise is None:
        return []
    rule = Said("a load comes every {age}", age=promise.said)
    if not records:
        return [Line(Verdict("", rule, FRESHNESS, kept=True, found=Said("not judged yet")), None, None, 0, 0, 0)]
    age = at - records[0].at
    said = Said("the last one came {age} ago", age=said_age(age))
    in_time = age <= promise.age
    return [Line(Verdict("", rule, FRESHNESS, in_time, said), in_time, records[0].at, len(records), 0, 0)]
