"""The sealer: a process beside the collector that stores what waits in the inbox and brings the timeline up to date.

Started by `plait serve` and `plait collect`. Of several over one home one at a time works, the others wait for it.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from plait import desk, duck, live

LOOK_EVERY = 0.5  # seconds between two looks at the inbox
SEAL_EVERY = 2.0  # seconds at least between two commits: each leaves small files
REFRESH_SHARE = 5  # the timeline is brought up to date for at most a fifth of the time
COMPACT_AFTER, COMPACT_EVERY = 20, 1800.0  # commits at least, and seconds: what is joined is written once more
KEEP_HOURS = 2  # for which a reader may go on with an older version of the timeline
YIELD = 10  # who sends and who reads goes first
PAUSE = 5.0  # seconds after an error: a full disk is not asked again in a rush


def main(home: Path, parent: int) -> None:
    """Seal until the process that started this one is gone."""
    os.nice(YIELD)
    os.environ.setdefault(duck.THREADS, "1")
    sealer = Sealer(home)
    while os.getppid() == parent:
        try:
            sealer.work()
        except Exception:  # what was not sealed waits in the inbox
            logging.getLogger(__name__).exception("events could not be sealed; they are kept and tried again")
            time.sleep(PAUSE)
        time.sleep(LOOK_EVERY)


class Sealer:
    """Seals a home, and beside that brings its timeline up to date and compacts it, each when it is due."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.commits = self.compacted = 0
        self.seal_at = self.refresh_at = 0.0
        self.compact_at = time.monotonic() + COMPACT_EVERY
        self.stale = True
        self.beside = ThreadPoolExecutor(1)  # what comes in is not kept waiting for what is made from it
        self.refreshing: Future[None] | None = None

    def work(self) -> None:
        """Do what is due."""
        if time.monotonic() >= self.seal_at and live.seal(self.home, now=datetime.now(UTC)):  # noqa: TID251 - an edge
            self.seal_at, self.stale = time.monotonic() + SEAL_EVERY, True
            self.commits += 1
        if self.refreshing is not None and self.refreshing.done():
            done, self.refreshing = self.refreshing, None
            done.result()
        if self.stale and self.refreshing is None and time.monotonic() >= self.refresh_at:
            self.stale = False
            self.refreshing = self.beside.submit(self.refresh, self.commits)

    def refresh(self, commits: int) -> None:
        """Bring the timeline up to date; after many commits join their small files first."""
        began = time.monotonic()
        if commits - self.compacted >= COMPACT_AFTER and began >= self.compact_at:
            self.compacted, self.compact_at = commits, began + COMPACT_EVERY
            desk.compact(self.home, keep_hours=KEEP_HOURS)
        else:
            desk.refreshed(self.home)
        self.refresh_at = time.monotonic() + REFRESH_SHARE * (time.monotonic() - began)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
