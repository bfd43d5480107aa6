"""The plan of an erasure: what it is about, on disk before anything is changed and gone when all of it is done.

It holds the person's values until then, for whoever goes on after a kill; its folder is for the owner to read only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from plait.delta import sync, write_durably
from plait.erasure.subject import Subject

FOLDER = "erasing"


@dataclass(frozen=True, slots=True)
class Plan:
    """An erasure that is under way; `number` is that of the request, `counts` what was done so far."""

    home: Path
    number: int
    subject: Subject
    asked_at: datetime
    counts: Mapping[str, int]

    @property
    def path(self) -> Path:
        """The file that it is kept in."""
        return self.home / FOLDER / f"{self.number}.json"

    def noted(self, counts: Mapping[str, int]) -> Plan:
        """Write down what is about to be done; what was noted before a kill stays where there is nothing left to do."""
        new = {name: max(count, self.counts.get(name, 0)) for name, count in counts.items()}
        plan = replace(self, counts={**self.counts, **new})
        plan.keep()
        return plan

    def about(self, subject: Subject) -> Plan:
        """Write down that more is known of the person."""
        plan = replace(self, subject=subject)
        if subject != self.subject:
            plan.keep()
        return plan

    def keep(self) -> None:
        """Put it on disk."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        told = {"subject": self.subject.told(), "asked_at": self.asked_at.isoformat(), "counts": dict(self.counts)}
        write_durably(self.path, json.dumps(told))

    def finish(self) -> None:
        """Take it off the disk: all is done."""
        self.path.unlink(missing_ok=True)
        sync(self.path.parent)


def unfinished(home: Path) -> list[Plan]:
    """Give the erasures of a home that were begun and not finished."""
    plans = []
    for path in sorted((home / FOLDER).glob("*.json")):
        told = json.loads(path.read_text("utf-8"))
        asked_at = datetime.fromisoformat(told["asked_at"])
        plans.append(Plan(home, int(path.stem), Subject.of(told["subject"]), asked_at, told["counts"]))
    return plans
