"""The worker beside the desk: it really runs jobs, ends with the desk, and takes up what a killed one left."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from plait import desk

pytestmark = pytest.mark.slow
PREPARE = """
import sys
from pathlib import Path
from plait.web import boot
boot.configure(Path(sys.argv[1]), local=True)
boot.prepare()
from django.core.files.uploadedfile import SimpleUploadedFile
from plait.web.people.models import User
from plait.web.work.uploads import make_job
user = User.objects.create_user("sol@example.org", name="Sol")
lines = "".join(f"o{n},2026-01-05,100.00,firm{n % 999}.example\\n" for n in range(int(sys.argv[2])))
file = SimpleUploadedFile("orders.csv", f"id,day,amount,domain\\n{lines}".encode())
make_job(user, "load", [file], "shop.toml", Path(sys.argv[3]).read_bytes())
"""
MAPPING = """
source = "shopfloor"
timezone = "UTC"
[[file]]
pattern = "orders*.csv"
[[file.fact]]
kind = "order.placed"
id = "{id}"
occurred_at = "{day}"
object_id = "{id}"
amount = "{amount}"
currency = "EUR"
keys.domain = "{domain}"
"""


def home_with_a_job(folder: Path, rows: int) -> Path:
    """Make a home in which one upload waits for the worker."""
    (folder / "mapping.toml").write_text(MAPPING)
    command = [sys.executable, "-c", PREPARE, str(folder / "home"), str(rows), str(folder / "mapping.toml")]
    subprocess.run(command, check=True, env=environment())
    return folder / "home"


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("PLAIT_", "DJANGO_"))}


@contextmanager
def serving(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "plait", "--home", str(home), "serve", "--port", str(port)]
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def job(home: Path) -> tuple[str, int, int]:
    """Give the state of the job, how many bytes it has read and how often it was begun."""
    with closing(sqlite3.connect(home / "web" / "plait.sqlite3", timeout=10)) as db:
        found: tuple[str, int, int] = db.execute("select state, done, attempts from work_job").fetchone()
        return found


def workers(desk_pid: int) -> list[str]:
    """Give the processes of a desk's worker."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[1:4] == [b"-m", b"plait.web.worker", str(desk_pid).encode()]:
            found.append(path.parent.name)
    return found


def until(holds: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="processes are found by /proc")
def test_the_worker_carries_out_a_job_and_ends_with_the_desk(tmp_path: Path) -> None:
    home = home_with_a_job(tmp_path, 100)
    with serving(home) as process:
        until(lambda: job(home)[0] == "done", 60)
        assert workers(process.pid)
    until(lambda: not workers(process.pid), 2)
    assert desk.info(home).facts == 100


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="processes are found by /proc")
def test_a_killed_desk_takes_its_worker_with_it(tmp_path: Path) -> None:
    home = home_with_a_job(tmp_path, 100)
    with serving(home) as process:
        until(lambda: job(home)[0] == "done", 60)
        process.kill()
        until(lambda: not workers(process.pid), 15)


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="processes are found by /proc")
def test_a_job_that_a_crash_cut_off_is_done_by_the_next_desk(tmp_path: Path) -> None:
    """Desk and worker die in the middle of a load, as when the machine does: the next ones load every fact once."""
    home = home_with_a_job(tmp_path, 1_000_000)
    with serving(home) as process:
        until(lambda: job(home)[0] == "running" and job(home)[1] > 0, 90)
        for number in workers(process.pid):
            os.kill(int(number), signal.SIGKILL)
        process.kill()
    assert job(home)[0] == "running", "nobody could say that it ended"
    with serving(home):
        until(lambda: job(home)[0] == "done", 180)
    assert job(home)[2] == 2
    assert desk.info(home).facts == 1_000_000
    assert desk.verify(home) == []
