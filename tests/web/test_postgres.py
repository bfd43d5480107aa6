"""The desk on PostgreSQL: the same tests again, on a real server that this test starts and stops."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
AGAIN = (
    "test_people.py", "test_login.py", "test_audit.py", "test_invitation.py", "test_tokens.py", "test_jobs.py",
    "test_personal_data.py",
)  # fmt: skip


def programs() -> Path | None:
    """Find PostgreSQL's own programs, which Debian does not put on the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [
        Path(path) for path in [shutil.which("initdb")] if path
    ]
    return found[-1].parent if found else None


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(programs() is None, reason="NO POSTGRESQL: install Debian's postgresql to test the desk on it"),
]


@pytest.fixture
def server() -> Iterator[str]:
    """Start a server of our own; give its address. It refuses to run as root, so it runs as `nobody` then."""
    folder, bins = Path(tempfile.mkdtemp(prefix="plait-postgresql-")), programs()
    assert bins
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    as_somebody: dict[str, object] = {}
    if os.getuid() == 0:
        shutil.chown(folder, "nobody")
        as_somebody = {"user": "nobody", "extra_groups": []}
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    _run([bins / "initdb", "-D", folder, "-A", "trust", "-U", "plait"], as_somebody)
    _run([bins / "pg_ctl", "-D", folder, "-o", options, "-l", folder / "log", "-w", "start"], as_somebody)
    try:
        _run([bins / "createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "plait", "desk"], as_somebody)
        yield f"postgres://plait@127.0.0.1:{port}/desk"
    finally:
        _run([bins / "pg_ctl", "-D", folder, "-m", "immediate", "stop"], as_somebody)
        shutil.rmtree(folder, ignore_errors=True)


def test_people_audit_and_jobs_work_on_postgresql(server: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", *AGAIN]
    done = subprocess.run(
        command, cwd=HERE, env=os.environ | {"PLAIT_DATABASE_URL": server}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert " passed" in done.stdout


def _run(command: list[Path | str], as_somebody: dict[str, object]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **as_somebody)  # type: ignore[call-overload]
    assert done.returncode == 0, f"{command}: {done.stdout[-500:]} {done.stderr[-1500:]}"
