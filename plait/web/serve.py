"""Serve the desk: one web process and beside it the worker that carries out long jobs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plait.web import boot


def serve(home: Path, *, host: str, port: int, local: bool) -> None:
    """Serve a home until somebody stops the process; `local` allows plain http on this machine."""
    boot.configure(home, local=local)
    boot.prepare()
    import uvicorn

    with _worker():
        uvicorn.run(
            "plait.web.asgi:application", host=host, port=port, log_level="warning", access_log=False,
            proxy_headers=os.environ.get("PLAIT_BEHIND_PROXY") == "1", timeout_graceful_shutdown=5,
        )  # fmt: skip


@contextmanager
def _worker() -> Iterator[None]:
    """Run the worker for as long as the desk is served; it ends with the desk, however the desk ends."""
    command = [sys.executable, "-m", "plait.web.worker", str(os.getpid())]
    process = subprocess.Popen(command, env=os.environ | {"DJANGO_SETTINGS_MODULE": "plait.web.settings"})  # noqa: S603 - our own module
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
