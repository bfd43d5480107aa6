"""Kills: whatever process is killed and whenever, what was acknowledged is stored, and once.

`PLAIT_KILLS=100 PLAIT_KILL_EVENTS=1000000 pytest -s tests/collector/test_kills.py` is the long run; it prints its seed.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from plait import desk, duck, inbox
from plait.store import FACTS, Store, view_sql

from .served import Served, basic, free_port

KILLS, EVENTS = int(os.environ.get("PLAIT_KILLS", "6")), int(os.environ.get("PLAIT_KILL_EVENTS", "40000"))
SEED = int(os.environ.get("PLAIT_SEED", str(random.randrange(10**6))))  # noqa: S311 - printed, to be repeated
A_BATCH, SENDERS = 100, 4
REPEATED, EARLY = 0.3, 0.2  # of the batches are sent again later; of the kills come while a new process begins


@dataclass
class Senders:
    """Threads that send every batch until it is acknowledged; three in ten are sent once more, much later."""

    served: Served
    key: str
    order: list[int]
    acknowledged: set[int] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        """Send until nothing is left."""
        while True:
            with self.lock:
                if not self.order:
                    return
                batch = self.order.pop()
            self.send(batch)
            with self.lock:
                self.acknowledged.add(batch)

    def send(self, batch: int) -> None:
        """Send a batch until it is taken."""
        events = [
            {"type": "track", "event": "Used", "userId": f"u{batch % 97}", "messageId": f"{batch}-{n}",
             "timestamp": f"2025-{1 + batch % 12:02}-{1 + batch % 28:02}T10:00:00Z"}
            for n in range(A_BATCH)
        ]  # fmt: skip
        body = json.dumps({"batch": events}).encode()
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self.served.port, timeout=20)
            try:
                connection.request("POST", "/v1/batch", body, dict(basic(self.key)))
                if connection.getresponse().status == 200:
                    return
            except (OSError, http.client.HTTPException):
                pass
            finally:
                connection.close()
            time.sleep(0.05)


def kill_all(served: Served) -> None:
    """Kill the collector and what it has started, in any order."""
    assert served.process is not None
    pids = [served.process.pid, *children(served.process.pid)]
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    served.process.wait()


def children(parent: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            pid, _, rest = path.read_text().partition(" (")
            if int(rest.rpartition(") ")[2].split()[1]) == parent:
                found.append(int(pid))
    return found


@pytest.mark.slow
def test_what_was_acknowledged_is_stored_once_whoever_is_killed(tmp_path: Path) -> None:
    chance = random.Random(SEED)  # noqa: S311 - the order of a test
    print(f"seed {SEED}: {KILLS} kills during {EVENTS} events")  # noqa: T201 - a failed run is repeated with it
    batches = EVENTS // A_BATCH
    again = [batch for batch in range(batches) if chance.random() < REPEATED]
    order = [*range(batches), *again]
    chance.shuffle(order)
    served = Served(tmp_path / "home", port=free_port())
    senders = Senders(served, served.key("web"), order)
    served.start()
    threads = [threading.Thread(target=senders.run) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    kills = killed_while(senders, chance)
    for thread in threads:
        thread.join()
    wait_until_sealed(served.home)
    served.stop()
    stored = counted(served.home)
    print(f"{kills} kills, {len(senders.acknowledged) * A_BATCH} events acknowledged, {stored} stored (all, different)")  # noqa: T201 - what the long run shows
    assert kills == KILLS
    assert stored == (EVENTS, EVENTS)
    assert desk.verify(served.home) == []


def killed_while(senders: Senders, chance: random.Random) -> int:
    """Kill and start again while batches are sent, some of the times before the new process has begun to work."""
    kills, served = 0, senders.served
    pace = len(senders.order) / max(1, KILLS)
    while kills < KILLS:
        left = len(senders.order)
        early = kills % round(1 / EARLY) == 0
        began = time.monotonic()
        patience = 0.05 + chance.random() if early else 60.0
        while (
            len(senders.order) > max(0, left - pace * chance.uniform(0.5, 1.0)) and time.monotonic() - began < patience
        ):
            time.sleep(0.01)
        if not early:
            time.sleep(chance.random() * 2)  # while the sealer works
        kill_all(served)
        kills += 1
        served.start()
    return kills


def wait_until_sealed(home: Path) -> None:
    until = time.monotonic() + 300
    while inbox.backlog(home)[0]:
        assert time.monotonic() < until, "the inbox is not sealed"
        time.sleep(0.2)


def counted(home: Path) -> tuple[int, int]:
    """Give how many facts there are and how many different ones."""
    store = Store.open(home)
    with duck.connect(store.spill) as db:
        db.execute(view_sql("facts", store.snapshot(), FACTS))
        (told,) = db.execute("select count(*), count(distinct id) from facts").fetchall()
    return int(told[0]), int(told[1])
