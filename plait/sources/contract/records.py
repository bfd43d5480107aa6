"""Records: how each load of a source kept to its contract, one small file a load, written once."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from plait.delta import write_durably
from plait.sources.contract.held import Judgement
from plait.sources.contract.home import folder_of
from plait.sources.contract.verdict import Verdict

LOADS = "loads"


@dataclass(frozen=True, slots=True)
class Record:
    """One load of a source as its contract judged it (naive UTC); `refused` when it was not let in as a whole."""

    at: datetime
    version: int
    refused: bool
    files: tuple[Judgement, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def rows(self) -> int:
        """Count the rows of its files."""
        return sum(file.rows for file in self.files)

    @property
    def quarantined(self) -> int:
        """Count the rows that were refused, by the contract or otherwise."""
        return sum(file.refused for file in self.files)


def keep_record(home: Path, source: str, record: Record) -> None:
    """Keep a load's record."""
    folder = folder_of(home, source) / LOADS
    folder.mkdir(parents=True, exist_ok=True)
    told = {
        "at": record.at.isoformat(), "version": record.version, "refused": record.refused,
        "files": [file.told() for file in record.files], "verdicts": [one.told() for one in record.verdicts],
    }  # fmt: skip
    stamp = f"{record.at:%Y%m%dT%H%M%S%f}-{os.getpid()}"
    number = sum(1 for _ in folder.glob(f"{stamp}-*.json"))
    write_durably(folder / f"{stamp}-{number:03}.json", json.dumps(told, ensure_ascii=False))


def read_records(home: Path, source: str, *, since: datetime | None = None) -> list[Record]:
    """Give the records of a source, the newest first; a file that was loaded again counts as it was judged last."""
    folder = folder_of(home, source) / LOADS
    first = f"{since:%Y%m%dT%H%M%S%f}" if since else ""
    paths = sorted((path for path in folder.glob("*.json") if path.name >= first), reverse=True)
    return [_record(json.loads(path.read_text("utf-8"))) for path in paths]


def last_of_each_file(records: Sequence[Record]) -> list[Record]:
    """Leave out loads that only brought files again which a later one brought, too."""
    seen: set[tuple[str, str]] = set()
    left = []
    for record in records:
        files = {(file.file, file.digest) for file in record.files}
        if not files <= seen:
            left.append(record)
        seen |= files
    return left


def _record(told: dict[str, list[dict[str, object]]]) -> Record:
    files = tuple(Judgement(**{**one, "missing": tuple(one["missing"])}) for one in told["files"])  # type: ignore[arg-type]
    verdicts = tuple(Verdict.of_told(one) for one in told["verdicts"])
    return Record(
        datetime.fromisoformat(str(told["at"])), int(str(told["version"])), bool(told["refused"]), files, verdicts
    )
