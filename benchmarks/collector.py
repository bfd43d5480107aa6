"""Measure the collector: events a second from a load generator and from an official library, and sealing under load.

Run by `run.py collector`. Real processes over HTTP, on the machine that also sends. Beside each figure stands that of a
server which stores nothing, in the same run: what the sender itself can do.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from plait import desk, inbox

PORT, NULL_PORT = 8766, 8767
A_BATCH, CONNECTIONS, SECONDS, ROUNDS = 20, 32, 10.0, 3
LIBRARY_EVENTS = 30_000
PACE = 20_000  # events a second while sealing is watched
EVENT = (
    '{"type":"track","event":"Report Opened","userId":"u%d","messageId":"RUN-%d","timestamp":"NOW",'
    '"properties":{"plan":"pro","pages":12},"context":{"library":{"name":"bench","version":"1"}}}'
)
BARE = """
import uvicorn
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    while (await receive())["more_body"]:
        pass
    await send({"type": "http.response.start", "status": %(status)d, "headers": %(headers)r})
    await send({"type": "http.response.body", "body": %(body)r})
uvicorn.run(app, port=%(port)d, log_level="warning", access_log=False, timeout_keep_alive=75)
"""
NULL = {
    "port": NULL_PORT, "status": 200, "body": b'{"success":true}',
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"16")],
}  # fmt: skip
LIBRARY = """
import sys, time
import segment.analytics as analytics
analytics.host, analytics.write_key = sys.argv[1], sys.argv[2]
analytics.max_queue_size = 100_000
failed = []
analytics.on_error = lambda error, items: failed.append(error)
began = time.perf_counter()
for number in range(int(sys.argv[3])):
    analytics.track(f"u{number % 1000}", "Report Opened", {"plan": "pro", "pages": 12})
analytics.shutdown()
print(0 if failed else int(sys.argv[3]) / (time.perf_counter() - began))
"""


@dataclass
class Load:
    """What a load generator sent and how long each answer took, in seconds."""

    events: int = 0
    took: list[float] = field(default_factory=list)
    refused: int = 0
    seconds: float = 0.0

    def told(self) -> str:
        """Give events a second, and the median and the 99th percentile of an answer in milliseconds."""
        ordered = sorted(self.took)
        high = ordered[int(0.99 * len(ordered))]
        rate = self.events / self.seconds
        return f"{rate:,.0f} | {1000 * statistics.median(ordered):.1f} | {1000 * high:.1f} | {self.refused}"


def measure(work: Path, minutes: float) -> str:
    """Measure the collector; `minutes` is how long sealing is watched. Gives the section of RESULTS.md."""
    home = work / f"collector-{os.getpid()}"
    key = _key(home)
    with _null(), _collecting(home) as process:
        null, kept = _load(NULL_PORT, key, SECONDS), _load(PORT, key, SECONDS)
        drain(home)
        library = [(_library(NULL_PORT, key), _library(PORT, key)) for _ in range(ROUNDS)]
        drain(home)
        watched = _watch(home, process, key, minutes)
    null_rate, rate = (statistics.median(rates) for rates in zip(*library, strict=True))
    ratio = statistics.median(kept_ / null_ for null_, kept_ in library)
    return (
        f"A generator sends batches of {A_BATCH} events over {CONNECTIONS} connections for {SECONDS:.0f} s; "
        "`plait collect` answers when they are on disk (fsync) and seals them meanwhile in a process of its own. The "
        "generator runs on the same cores.\n\n"
        "| server | events a second | median ms | 99 % ms | refused |\n|---|---:|---:|---:|---:|\n"
        f"| stores nothing | {null.told()} |\n| `plait collect` | {kept.told()} |\n\n"
        f"The official library segment-analytics-python, unmodified, {LIBRARY_EVENTS:,} events, medians of {ROUNDS} "
        "rounds in turn:\n\n"
        "| server | events a second | ratio |\n|---|---:|---:|\n"
        f"| stores nothing | {null_rate:,.0f} | 1 |\n| `plait collect` | {rate:,.0f} | {ratio:.2f} |\n\n{watched}"
    )


def _watch(home: Path, process: subprocess.Popen[bytes], key: str, minutes: float) -> str:
    """Send at an even pace and watch how far sealing is behind, what memory it takes and what readers wait."""
    quiet = _asked(home)
    sent = Load()
    sender = threading.Thread(target=lambda: sent.__dict__.update(_load(PORT, key, 60 * minutes, pace=PACE).__dict__))
    sender.start()
    lags, sealer, server, asked = [], [], [], []
    while sender.is_alive():
        _, since = inbox.backlog(home)
        lags.append(time.time() - since if since else 0.0)  # noqa: TID251 - a benchmark reads the clock
        server.append(_memory(process.pid))
        sealer.append(max((_memory(child) for child in _children(process.pid)), default=0))
        asked.append(_asked(home))
        time.sleep(2)
    sender.join()
    half = len(sealer) // 2
    first, second = max(sealer[:half] or [0]), max(sealer[half:])
    began = time.perf_counter()
    drain(home)
    drained = time.perf_counter() - began
    time.sleep(20)  # until the timeline is up to date
    settled = statistics.median(_asked(home) for _ in range(5))
    late = statistics.median(asked[-10:])
    return (
        f"Sealing at {sent.events / sent.seconds:,.0f} events a second for {minutes:g} min, {sent.events:,} events, "
        f"{sent.refused} refused: the oldest event that waits is {statistics.median(lags):.1f} s old (median), "
        f"{max(lags):.1f} s at most; {drained:.1f} s after the last event all are stored. The "
        f"sealer's memory is {first:,} MB at most in the first half, {second:,} MB in the second, the collector's "
        f"{max(server):,} MB. The query of `source_health` takes {1000 * quiet:.0f} ms "
        f"before, {1000 * late:.0f} ms at the end of it and {1000 * settled:.0f} ms over the same facts when all is "
        f"quiet again: {late / settled:.2f} times as long while events come in.\n"
    )


def _load(port: int, key: str, seconds: float, pace: int = 0) -> Load:
    """Send batches over many connections for a time, at a pace (events a second) or as fast as they are answered."""
    load = Load()
    began = time.perf_counter()
    asyncio.run(_send_all(load, port, key, began + seconds, pace))
    load.seconds = time.perf_counter() - began
    return load


async def _send_all(load: Load, port: int, key: str, until: float, pace: int) -> None:
    await asyncio.gather(*(_send(load, port, key, number, until, pace) for number in range(CONNECTIONS)))


async def _send(load: Load, port: int, key: str, number: int, until: float, pace: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    token = base64.b64encode(f"{key}:".encode()).decode()
    every = A_BATCH * CONNECTIONS / pace if pace else 0.0
    due, batch, run = time.perf_counter(), 0, f"{time.time_ns():x}-{number}"
    events = ",".join(EVENT % (number, place) for place in range(A_BATCH))
    pattern = f'{{"batch":[{events}],"sentAt":"NOW"}}'  # written once: the sender is to take little of the cores
    while time.perf_counter() < until:
        at = datetime.now(UTC).isoformat()  # noqa: TID251 - the sender's clock
        body = pattern.replace("RUN", f"{run}-{batch}").replace("NOW", at)
        began = time.perf_counter()
        writer.write(
            f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r")[0]))
        load.took.append(time.perf_counter() - began)
        taken = head[9:12] == b"200"
        load.events += A_BATCH * taken
        load.refused += not taken
        batch, due = batch + 1, due + every
        await asyncio.sleep(max(0.0, due - time.perf_counter()) if pace else 0)
    writer.close()


def _library(port: int, key: str) -> float:
    command = [sys.executable, "-c", LIBRARY, f"http://127.0.0.1:{port}", key, str(LIBRARY_EVENTS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def _key(home: Path) -> str:
    command = [sys.executable, "-m", "plait", "--home", str(home), "source", "add", "web", "--json"]
    return str(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["write_key"])


@contextmanager
def _collecting(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "plait", "--home", str(home), "collect", "--port", str(PORT)]
    with running(command, PORT) as process:
        yield process


@contextmanager
def _null() -> Iterator[None]:
    with running([sys.executable, "-c", BARE % NULL], NULL_PORT):
        yield


@contextmanager
def running(command: list[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; it answers at its port when the block begins."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        asyncio.run(_answering(port))
        yield process
    finally:
        process.terminate()
        process.wait(60)


async def _answering(port: int) -> None:
    for _ in range(1_500):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return
    raise TimeoutError(port)


def drain(home: Path) -> None:
    """Wait until all that came in is sealed."""
    while inbox.backlog(home)[0]:
        time.sleep(0.1)


def _asked(home: Path) -> float:
    """Give the seconds of one question about the home, asked as the desk asks it."""
    began = time.perf_counter()
    opened = desk.open_home(home, now=datetime.now(UTC))  # noqa: TID251 - a benchmark reads the clock
    began = time.perf_counter()
    opened.table(desk.measures()["source_health"])
    return time.perf_counter() - began


def _children(parent: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            told = path.read_text()
        except OSError:
            continue
        if int(told.rpartition(") ")[2].split()[1]) == parent:
            found.append(int(told.split()[0]))
    return found


def _memory(pid: int) -> int:
    """Give a process's resident memory in MB."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * resource.getpagesize() // 1_000_000
