"""Faults of the disk at each call that the inbox makes: what was acknowledged is there, and it goes on by itself.

The kernel's answers are replaced by strace (a Debian package), so that the code runs as it is. `PLAIT_FAULTS=200 pytest
tests/test_faults.py` fails each of the first 200 calls; without it only the first few.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from plait import inbox

CALLS = int(os.environ.get("PLAIT_FAULTS", "3"))
LINES = 120
STRACE = shutil.which("strace")
# Acknowledgements go over a socket: `sendto` is none of the calls that fail.
SCRIPT = """
import socket, sys, threading, time
from pathlib import Path
from plait.inbox import Inbox
out = socket.socket(fileno=int(sys.argv[2]))
heard = threading.Semaphore(0)
def answer(waiters, error):
    for waiter in waiters:
        if error is None:
            out.send(b"%d\\n" % waiter)
        heard.release()
box = Inbox.open(Path(sys.argv[1]), answer, most_seconds=0.0)
for number in range(int(sys.argv[3])):
    box.append(b"%d" % number, number)
    heard.acquire()
box.close()
"""


def run(home: Path, *, fault: str) -> tuple[set[int], list[int]]:
    """Write lines with one call failing; give the acknowledged lines and those that a sealer would find."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command = [
            str(STRACE), "-f", "-qq", "-o", "/dev/null", "-e", "trace=write,fdatasync,fsync,ftruncate,rename", "-e",
            f"inject={fault}", sys.executable, "-c", SCRIPT, str(home), str(theirs.fileno()), str(LINES),
        ]  # fmt: skip
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stderr=subprocess.DEVNULL)
        theirs.close()
        told = b""
        while chunk := ours.recv(65536):
            told += chunk
        assert process.wait() == 0
    kept = [int(line) for segment in inbox.closed(home) for line in segment.lines()]
    return {int(line) for line in told.split()}, kept


@pytest.mark.slow
@pytest.mark.skipif(
    STRACE is None, reason="strace is not installed: faults of the disk cannot be made (apt-get install strace)"
)
@pytest.mark.parametrize("call", ["write", "fdatasync", "fsync", "rename"])
@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
def test_a_call_that_fails_loses_nothing_that_was_acknowledged(tmp_path: Path, call: str, error: str) -> None:
    for number in range(1, CALLS + 1):
        acknowledged, kept = run(tmp_path / f"{number}", fault=f"{call}:error={error}:when={number}")
        assert acknowledged <= set(kept), f"call {number}"
        assert len(kept) == len(set(kept)), f"call {number}"
        assert len(acknowledged) >= LINES - 2, f"call {number}: it did not go on by itself"
        assert acknowledged - {LINES - 1}, "the last line came after the fault"


@pytest.mark.slow
@pytest.mark.skipif(
    STRACE is None, reason="strace is not installed: faults of the disk cannot be made (apt-get install strace)"
)
def test_a_disk_that_stays_full_for_a_while_is_used_again_when_there_is_room(tmp_path: Path) -> None:
    acknowledged, kept = run(tmp_path, fault="write:error=ENOSPC:when=10..40")
    assert acknowledged == set(kept)
    assert LINES - 32 <= len(kept) < LINES
    assert LINES - 1 in acknowledged
