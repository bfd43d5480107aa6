"""A collector that is really served: `plait collect` over a fresh home, at a port that the system chose."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plait import duck
from plait.store import FACTS, REJECTS, Store, view_sql

PLAIT = [sys.executable, "-m", "plait"]
MANY = (
    "import json, sys; from plait.cli import main; [main(one, standalone_mode=False) for one in json.load(sys.stdin)]"
)
PATIENCE = 60.0  # seconds: the machine may be busy
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """What the collector answered."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever it says
        return json.loads(self.body)


@dataclass
class Served:
    """A collector and its home; `listening` outlives the process, as a socket of the system's would."""

    home: Path
    listening: socket.socket | None = None
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    command: str = "collect"
    headers: Mapping[str, str] = field(default_factory=dict)  # with every request, as a proxy in front sets them
    variables: Mapping[str, str] = field(default_factory=dict)  # of the process
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it takes events."""
        at = ["--port", str(self.port)]
        held: tuple[int, ...] = ()
        if self.listening is not None:
            held = (self.listening.fileno(),)
            at = ["--fd", str(held[0])]
        command = [*PLAIT, "--home", str(self.home), self.command, *at]
        around = {**environment(), **self.variables}
        self.process = subprocess.Popen(command, env=around, stdout=subprocess.DEVNULL, pass_fds=held)

    def wait(self) -> None:
        """Wait until it can keep events."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            assert self.process is not None
            assert self.process.poll() is None, "the collector did not start"
            try:
                if self.get("/health").status == 200:
                    return
            except OSError:
                time.sleep(0.1)
        raise TimeoutError(self.address)

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> None:
        """End the process as a system does, and wait for it."""
        if self.process is not None:
            self.process.send_signal(sign)
            self.process.wait(30)
            self.process = None

    def key(self, source: str, *options: str) -> str:
        """Add a source, or a key to it, as people do; give the write key."""
        return self.add((source, *options))[0]

    def key_of(self, source: str, *options: str) -> str:
        """Give the key of a source, which is made when it is first asked for."""
        if source not in self.keys:
            self.keys[source] = self.key(source, *options)
        return self.keys[source]

    def add(self, *wanted: tuple[str, ...]) -> list[str]:
        """Add several sources with their options, in one process; give the write keys."""
        calls = [["--home", str(self.home), "source", "add", *one, "--json"] for one in wanted]
        done = subprocess.run(
            [sys.executable, "-c", MANY], input=json.dumps(calls), env=environment(), check=True, capture_output=True,
            text=True,
        )  # fmt: skip
        keys = [str(json.loads(line)["write_key"]) for line in done.stdout.splitlines()]
        # One that was asked for a moment before it was there is looked for again half a second later.
        while self.process and any(self.get(f"/v1/projects/{key}/settings").status != 200 for key in keys):
            time.sleep(0.05)
        return keys

    def plait(self, *arguments: str) -> str:
        """Run a command over the home."""
        command = [*PLAIT, "--home", str(self.home), *arguments]
        return subprocess.run(command, env=environment(), check=True, capture_output=True, text=True).stdout

    def ask(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Told:
        """Ask it something by plain HTTP."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, {**self.headers, **(headers or {})})
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return Told(answer.status, answer.read(), told)
        finally:
            connection.close()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Told:
        """Ask with GET."""
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, body: object, key: str | None = None, headers: Mapping[str, str] | None = None) -> Told:
        """Send a body, as JSON unless it is bytes, with the write key of a source."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("POST", path, sent, {**(basic(key) if key else {}), **(headers or {})})

    def facts(self, source: str) -> list[Json]:
        """Give the facts that are stored of a source, keys and detail read, in the order of time."""
        store = Store.open(self.home)
        with duck.connect(store.spill) as db:
            db.execute(view_sql("facts", store.snapshot(), FACTS))
            asked = db.execute("select * from facts where source = ? order by occurred_at, id", [source])
            rows: list[Json] = asked.to_arrow_table().to_pylist()
        for row in rows:
            row["keys"], row["detail"] = json.loads(row["keys"]), json.loads(row["detail"])
            row["event"] = json.loads(row["detail"]["event"])
        return rows

    def refused(self, source: str) -> list[Json]:
        """Give the events of a source that are quarantined."""
        store = Store.open(self.home)
        with duck.connect(store.spill) as db:
            db.execute(view_sql("refused", store.refused(), REJECTS))
            asked = db.execute("select * from refused where source = ? order by recorded_at, line", [source])
            rows: list[Json] = asked.to_arrow_table().to_pylist()
        return rows

    def sealed(self) -> None:
        """Wait until all that was acknowledged is sealed."""
        until = time.monotonic() + PATIENCE
        while any(path.stat().st_size for path in self._waiting()):
            assert time.monotonic() < until, "events were not sealed"
            time.sleep(0.1)

    def stored(self, source: str, *, refused: bool = False) -> list[Json]:
        """Give what became facts of a source, or what was quarantined, once all is sealed."""
        self.sealed()
        return self.refused(source) if refused else self.facts(source)

    def memory(self, name: str = "VmRSS") -> int:
        """Give how much memory the process has, or had at most (`VmHWM`), in bytes."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(name))

    def _waiting(self) -> Iterator[Path]:
        for path in (self.home / "inbox").glob("*.jsonl"):
            if path.exists():
                yield path


def environment() -> dict[str, str]:
    """Give the environment of a process that knows nothing of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PLAIT_", "DJANGO_"))}


def basic(key: str) -> dict[str, str]:
    """Give the header by which a write key is sent."""
    return {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


def free_port() -> int:
    """Let the system choose a port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def collected(home: Path, *, kept: str = "", **settings: Any) -> Iterator[Served]:  # noqa: ANN401 - fields of `Served`
    """Serve a fresh home; `kept`: by a socket of ours at that address, which outlives the process."""
    served = Served(home, **settings)
    if kept:
        served.listening = socket.create_server((kept, 0), backlog=4096)
        served.listening.set_inheritable(True)
        served.port = int(served.listening.getsockname()[1])
    else:
        served.port = free_port()
    served.start()
    try:
        served.wait()
        yield served
    finally:
        served.stop()
        if served.listening is not None:
            served.listening.close()
