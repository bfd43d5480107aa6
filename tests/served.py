"""A desk that is really served, and a browser that really looks at it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]
PATIENCE = 60_000  # milliseconds: the machine may be busy


def chromium() -> str | None:
    """Find the system's browser."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def demo_home(folder: Path) -> tuple[Path, str]:
    """Make the demo company's home as `plait demo` does; give it and its people's password."""
    home = folder / "home"
    subprocess.run([sys.executable, "-m", "plait", "--home", home, "demo"], check=True, capture_output=True)
    return home, (home / "web" / "demo-password").read_text()


@contextmanager
def served(home: Path) -> Iterator[str]:
    """Serve a home as `plait serve` does; give its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PLAIT_", "DJANGO_"))}
    command = [sys.executable, "-m", "plait", "--home", str(home), "serve", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(address, process)
        yield address
    finally:
        process.terminate()
        process.wait(20)


def _wait(address: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None, "the desk did not start"
        try:
            with urllib.request.urlopen(f"{address}/account/login/", timeout=5):  # noqa: S310 - our own server
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(address)


@contextmanager
def browser() -> Iterator[Browser]:
    """Open the system's browser without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield opened
        opened.close()


def log_in(page: Page, address: str, email: str, password: str) -> None:
    """Log in as a person does."""
    page.goto(f"{address}/account/login/")
    page.fill("input[name=login]", email)
    page.fill("input[name=password]", password)
    page.press("input[name=password]", "Enter")
    page.wait_for_selector(".rail-me")


def look(page: Page, url: str) -> None:
    """Open a page and wait until its blocks and charts are drawn."""
    page.goto(url)
    settled(page)


def settled(page: Page) -> None:
    """Wait until every block has come and every chart is drawn."""
    from playwright.sync_api import expect

    # By selectors: a function to wait for would be evaluated, which the page's policy forbids.
    page.wait_for_selector("html[data-ready='1']", state="attached", timeout=PATIENCE)
    expect(page.locator("[data-chart]:not(:has(svg))")).to_have_count(0, timeout=PATIENCE)
