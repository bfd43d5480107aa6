"""Measure tracked links: what a recorded redirect costs, and how long visitors wait at an even pace.

Run by `run.py links`. `plait collect` over HTTP, on the machine that also sends; every click is on disk (fsync) before
its redirect answers. Beside it, in the same run, the same web server answers with a bare 302.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from collector import BARE, CONNECTIONS, drain, running

PORT, BARE_PORT = 8769, 8768
PACE, SECONDS, ROUNDS = 1_000, 10.0, 3
AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
ASKED = (
    "GET /r/summer?sub1=blog&sub2=42&utm_source=partner HTTP/1.1\r\nHost: x\r\n"
    f"User-Agent: {AGENT}\r\nReferer: https://blog.example/post\r\nAccept: */*\r\n\r\n"
).encode()
HEADERS = [
    (b"location", b"https://shop.example/landing?click_id=06h19dnusrfc8j13r5rgmj0q"), (b"content-length", b"0"),
    (b"cache-control", b"no-store"), (b"x-robots-tag", b"noindex"), (b"referrer-policy", b"no-referrer"),
]  # fmt: skip
REDIRECT = {"port": BARE_PORT, "status": 302, "headers": HEADERS, "body": b""}


@dataclass
class Load:
    """What visitors got: redirects, how long each took in seconds, and what the server's CPU needed for it."""

    took: list[float] = field(default_factory=list)
    refused: int = 0
    cpu: float = 0.0
    seconds: float = 0.0

    @property
    def each(self) -> float:
        """Milliseconds of the server's CPU for a redirect."""
        return 1000 * self.cpu / max(1, len(self.took))

    def told(self) -> str:
        """Give redirects a second, CPU for each, the median and the 99th percentile in milliseconds."""
        ordered = sorted(self.took)
        high = ordered[int(0.99 * len(ordered))]
        rate = len(ordered) / self.seconds
        middle = 1000 * statistics.median(ordered)
        return f"{rate:,.0f} | {self.each:.3f} | {middle:.1f} | {1000 * high:.1f} | {self.refused}"


def measure(work: Path) -> str:
    """Measure tracked links; gives the section of RESULTS.md."""
    home = work / f"links-{os.getpid()}"
    _add_link(home)
    rows, extra = [], {"even": [], "full": []}
    collecting = [sys.executable, "-m", "plait", "--home", str(home), "collect", "--port", str(PORT)]
    with running([sys.executable, "-c", BARE % REDIRECT], BARE_PORT) as bare, running(collecting, PORT) as process:
        for _ in range(ROUNDS):
            for name, pace in (("even", PACE), ("full", 0)):
                null, kept = _load(BARE_PORT, bare.pid, pace), _load(PORT, process.pid, pace)
                rows.append(f"| {name} | bare 302 | {null.told()} |\n| {name} | `plait collect` | {kept.told()} |\n")
                extra[name].append(kept.each - null.each)
        drain(home)
    even, full = (statistics.median(extra[name]) for name in ("even", "full"))
    return (
        f"Redirects over {CONNECTIONS} connections for {SECONDS:.0f} s, {ROUNDS} rounds in turn: at {PACE:,} a second "
        "(even) and as fast as they are answered (full). Each click is on disk (fsync) before its answer. Load of the "
        f"machine before: {os.getloadavg()[0]:.1f}.\n\n"
        "| pace | server | redirects a second | CPU ms each | median ms | 99 % ms | refused |\n"
        "|---|---|---:|---:|---:|---:|---:|\n"
        f"{''.join(rows)}\n"
        f"Recording a click takes {even:.3f} CPU-ms more than a bare 302 at {PACE:,} a second, {full:.3f} at full pace "
        "(medians).\n"
    )


def _load(port: int, pid: int, pace: int) -> Load:
    load = Load()
    before, began = _cpu(pid), time.perf_counter()
    asyncio.run(_visit_all(load, port, began + SECONDS, pace))
    load.seconds, load.cpu = time.perf_counter() - began, _cpu(pid) - before
    return load


async def _visit_all(load: Load, port: int, until: float, pace: int) -> None:
    await asyncio.gather(*(_visit(load, port, number, until, pace) for number in range(CONNECTIONS)))


async def _visit(load: Load, port: int, number: int, until: float, pace: int) -> None:
    """Follow the link again and again, each time when it is due: a late answer counts from when it was due."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    every = CONNECTIONS / pace if pace else 0.0
    due = time.perf_counter() + every * number / CONNECTIONS
    while time.perf_counter() < until:
        if pace:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        began = due if pace else time.perf_counter()
        writer.write(ASKED)
        head = await reader.readuntil(b"\r\n\r\n")
        load.took.append(time.perf_counter() - began)
        load.refused += head[9:12] != b"302" or b"click_id=" not in head
        due += every
    writer.close()


def _cpu(pid: int) -> float:
    """Give the seconds of CPU that a process has used, all its threads together."""
    told = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def _add_link(home: Path) -> None:
    command = [
        sys.executable, "-m", "plait", "--home", str(home), "link", "add", "https://shop.example/landing",
        "--partner", "P-01", "--campaign", "spring", "--code", "summer", "--json",
    ]  # fmt: skip
    json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
