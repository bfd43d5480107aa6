"""Serve a home: a process for pages and events, and beside it the worker of long jobs and the sealer of events."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from plait.failure import Unfit
from plait.web import boot

KEEP_ALIVE = 75  # seconds: longer than senders wait between two batches, else each of them connects anew
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class PortTaken(Unfit, OSError):
    """Another program answers at this port."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"port {port} of {host} is taken; name another one with --port.")


def is_local(host: str) -> bool:
    """Tell whether only this machine is served, where plain http is safe."""
    return host in LOOPBACK and os.environ.get("PLAIT_BEHIND_PROXY") != "1"


def serve(home: Path, *, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serve a home until somebody stops the process; `announce` is told where it is."""
    _check_free(host, port)
    boot.configure(home, local=is_local(host))
    boot.prepare()
    from plait.web.people.models import User

    if is_local(host):
        os.environ.setdefault("PLAIT_ADDRESS", f"http://{host}:{port}")  # for links in mails of the worker
    announce(f"plait is at http://{host}:{port}/ - stop it with Ctrl+C")
    if not User.objects.exists():
        announce("nobody can log in yet; add somebody with: plait user add EMAIL --name NAME")

    with _beside([_worker(), _sealer(home)]):
        _run("plait.web.asgi:application", host, port)


def seed_demo(home: Path) -> tuple[list[tuple[str, str, str]], str]:
    """Make the demo company's people; give who they are (name, address, role) and the password that all of them have.

    The password is made once a home: a demo that is reached from elsewhere has none that everybody knows.
    """
    boot.configure(home, local=True)
    boot.prepare()
    from plait.web import secret
    from plait.web.handoffs.demo import seed as seed_handoffs
    from plait.web.people.personas import seed_personas
    from plait.web.register.demo import seed as seed_register

    password = secret.key(home / "web" / "demo-password", size=9)
    people = seed_personas(password)
    seed_register()
    seed_handoffs(home)
    told = [(user.name, user.email, ", ".join(role.title for role in user.roles.all()) or "nobody") for user in people]
    return told, password


def _check_free(host: str, port: int) -> None:
    """Say at once that a port is taken, before anything is prepared."""
    import socket

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken(host, port) from error


def collect(home: Path, *, host: str, port: int, descriptor: int | None, announce: Callable[[str], None]) -> None:
    """Serve only the collector; `descriptor` names a socket that listens already and outlives this process."""
    if descriptor is None:
        _check_free(host, port)
    else:
        host, port = _place_of(descriptor)
    boot.configure(home, local=is_local(host))
    boot.prepare()
    announce(f"events are taken at http://{host}:{port}/v1/batch - stop it with Ctrl+C")
    with _beside([_sealer(home)]):
        _run("plait.web.collector.alone:application", host, port, descriptor)


def _place_of(descriptor: int) -> tuple[str, int]:
    """Tell where a socket that was handed over listens: whether plain http is safe there depends on it."""
    import socket

    with socket.socket(fileno=os.dup(descriptor)) as held:
        if held.family not in (socket.AF_INET, socket.AF_INET6):
            return LOOPBACK[0], 0
        host, port = held.getsockname()[:2]
    return str(host), int(port)


def _run(application: str, host: str, port: int, descriptor: int | None = None) -> None:
    import socket

    import uvicorn

    from plait.web.connection import BoundedHead

    config = uvicorn.Config(
        application, host=host, port=port, log_level="warning", access_log=False, http=BoundedHead,
        proxy_headers=os.environ.get("PLAIT_BEHIND_PROXY") == "1", timeout_graceful_shutdown=5,
        timeout_keep_alive=KEEP_ALIVE, backlog=4096,
    )  # fmt: skip
    # Told only its number the server takes it for a socket of another family; without TCP_NODELAY answers wait 40 ms.
    held = None if descriptor is None else [socket.socket(fileno=descriptor)]
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):
        server.run(held)
    if not server.started:
        sys.exit(3)  # it has said why


def _worker() -> list[str]:
    return [sys.executable, "-m", "plait.web.worker", str(os.getpid())]


def _sealer(home: Path) -> list[str]:
    return [sys.executable, "-m", "plait.web.collector.sealer", str(home.absolute()), str(os.getpid())]


@contextmanager
def _beside(commands: Sequence[list[str]]) -> Iterator[None]:
    """Run processes beside this one, each anew where it ended; they end with this one, however that ends."""
    over = threading.Event()
    keepers = [threading.Thread(target=_keep_running, args=(command, over)) for command in commands]
    for keeper in keepers:
        keeper.start()
    try:
        yield
    finally:
        over.set()
        for keeper in keepers:
            keeper.join()


def _keep_running(command: list[str], over: threading.Event) -> None:
    while not over.is_set():
        process = _start(command)
        while not over.wait(0.5) and process.poll() is None:
            pass
        _end(process)
        over.wait(2)  # one that ends at once is not begun in a rush


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    """Start a process as a group of its own, so that what it starts can be ended together with it."""
    return subprocess.Popen(  # noqa: S603 - our own modules
        command, env=os.environ | {"DJANGO_SETTINGS_MODULE": "plait.web.settings"}, start_new_session=True
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end; a job that still runs then is ended with it, and taken up by the next."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(5)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
