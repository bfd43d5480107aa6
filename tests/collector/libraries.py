"""The official client libraries, unchanged, as the tests drive them: each in a process, or a browser, of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar
from urllib.parse import urlsplit

from served import browser, chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / "tests" / "sdk"
DRIVERS = Path(__file__).parent / "sdk"
BUNDLE = PACKAGES / "node_modules" / "@segment" / "analytics-next" / "dist" / "umd"
PARTS = "/analytics-next/bundles/"
OLDEST_NODE = 20
LOST_ANSWERS = int(os.environ.get("PLAIT_LOST_ANSWERS", "30"))
LONGEST = 240 + 2 * LOST_ANSWERS  # seconds for one job
Json = dict[str, Any]
Name = TypeVar("Name")
Runtime = Literal["python", "node", "browser"]


@dataclass(frozen=True, slots=True)
class Library:
    """A client library: where it runs, and whether it packs what it sends (it may leave the choice)."""

    name: str
    runtime: Runtime
    gzip: tuple[bool, ...] = (False,)

    @property
    def version(self) -> str:
        """The version that is pinned."""
        if self.runtime == "python":
            found = re.search(rf"^{self.name}==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
            assert found is not None
            return found[1]
        return str(json.loads((PACKAGES / "package.json").read_text())["dependencies"][self.name])

    @property
    def missing(self) -> str:
        """Tell what it needs that is not here; nothing where it can run."""
        if self.runtime != "python" and no_packages():
            return no_packages()
        if self.runtime == "browser" and chromium() is None:
            return "NO BROWSER: install Debian's chromium to test the library for browsers in one"
        return ""


SEGMENT_PYTHON = Library("segment-analytics-python", "python", (False, True))
RUDDER_PYTHON = Library("rudder-sdk-python", "python", (True, False))
SEGMENT_NODE = Library("@segment/analytics-node", "node")
RUDDER_NODE = Library("@rudderstack/rudder-sdk-node", "node", (True, False))
SEGMENT_BROWSER = Library("@segment/analytics-next", "browser")
LIBRARIES = (SEGMENT_PYTHON, RUDDER_PYTHON, SEGMENT_NODE, RUDDER_NODE, SEGMENT_BROWSER)


@dataclass(frozen=True, slots=True)
class Job:
    """Calls that a library is to make, to an address, with a write key; `batch` events go together."""

    library: Library
    address: str
    key: str
    calls: Sequence[Json]
    gzip: bool = False
    batch: int = 20
    pause: float = 0.0
    done: Callable[[], bool] = lambda: True  # of a page, which cannot tell itself when all is delivered
    query: bool = False  # whether a page's library reads `ajs_` parameters from the address, as it does by default

    def text(self) -> str:
        """Give it as a driver reads it."""
        told = {name: getattr(self, name) for name in ("address", "key", "calls", "gzip", "batch", "pause", "query")}
        return json.dumps(told | {"library": self.library.name, "longest": LONGEST - 60})


@cache
def no_packages() -> str:
    """Install the packages of Node where they are not yet; give the reason where that cannot be."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return "NO NODE: install node and npm (Debian: nodejs npm) to test the libraries for Node and browsers"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        return f"OLD NODE: {version} runs the official libraries no more; install node {OLDEST_NODE} or newer"
    lock = PACKAGES / "package-lock.json"
    done = PACKAGES / "node_modules" / ".done"
    if not done.exists() or done.read_text() != lock.read_text():
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        ended = subprocess.run(command, cwd=PACKAGES, capture_output=True, text=True, check=False)
        if ended.returncode:
            return f"NO CLIENT LIBRARIES: `npm ci` in tests/sdk failed: {ended.stderr.strip()[-300:]}"
        done.write_text(lock.read_text())
    return ""


def run(job: Job) -> list[str]:
    """Let a library of a server make its calls and end; give the errors that it told its user."""
    program = [sys.executable, str(DRIVERS / "python_driver.py")]
    if job.library.runtime == "node":
        program = ["node", str(DRIVERS / "node_driver.js")]
    around = os.environ | {"NODE_PATH": str(PACKAGES / "node_modules")}
    ended = subprocess.run(
        program, input=job.text(), env=around, capture_output=True, text=True, timeout=LONGEST, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return list(json.loads(ended.stdout)["errors"])


@dataclass
class Visit:
    """What a page's library did: the errors that it told, and every host that the browser asked."""

    errors: list[str]
    hosts: set[str]


def visit(opened: Browser, job: Job, *, query: str = "", stay: float = 1.0) -> Visit:
    """Open a page that makes calls, and stay on it for some seconds, and until the job is done."""
    with pages() as address:
        context = opened.new_context()
        hosts: set[str] = set()
        context.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        # Parts of its bundle it asks of the host that serves it.
        context.route(f"**{PARTS}*", lambda route: route.fulfill(path=BUNDLE / route.request.url.rpartition("/")[2]))
        page = context.new_page()
        page.goto(f"{address}/{query}")
        told = page.evaluate("(job) => run(job)", json.loads(job.text()))
        page.wait_for_timeout(stay * 1000)
        until = time.monotonic() + LONGEST
        while not job.done() and time.monotonic() < until:
            page.wait_for_timeout(100)
        context.close()
    return Visit(told["errors"], hosts - {urlsplit(address).netloc})


def run_all(jobs: Mapping[Name, Job]) -> dict[Name, list[str]]:
    """Let several libraries run beside each other; those of pages one after the other in one browser."""
    with ThreadPoolExecutor(max(1, len(jobs))) as pool:
        running = {name: pool.submit(run, job) for name, job in jobs.items() if job.library.runtime != "browser"}
        of_pages = {name: job for name, job in jobs.items() if job.library.runtime == "browser"}
        told: dict[Name, list[str]] = {}
        if of_pages:
            with browser() as opened:
                told = {name: visit(opened, job).errors for name, job in of_pages.items()}
        return told | {name: future.result() for name, future in running.items()}


class _Pages(SimpleHTTPRequestHandler):
    """Serves the page, its driver and the library's own bundle."""

    ours: ClassVar[Mapping[str, Path]] = {"/": DRIVERS / "page.html", "/driver.js": DRIVERS / "browser_driver.js"}

    def translate_path(self, path: str) -> str:
        plain = urlsplit(path).path
        if plain.startswith("/umd/"):
            plain = plain.removeprefix("/umd")
            return super().translate_path(plain)
        return str(self.ours.get(plain, DRIVERS / "missing"))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


@contextmanager
def pages() -> Iterator[str]:
    """Serve the page that makes calls; give its address."""
    handler: Callable[..., _Pages] = partial(_Pages, directory=str(BUNDLE))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
