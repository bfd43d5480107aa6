"""The inbox: live events on their way into the facts, on disk before anybody is told that they arrived.

One process writes one segment at a time, `inbox/<boot>-<number>.open.jsonl`; nobody else writes to it. All that waits
is written in one go and synced once (group commit), then everybody who waited is answered. A segment that is large or
old enough is closed, which is renamed to `.jsonl`, for the sealer to take. `boot` is new at each start of a process and
never used again, so that a segment's name says for ever whether its events were sealed.

A line is a request with all its events. The last line of a segment may be torn where the process was killed: nobody was
told that it arrived. What a failed write has left behind is cut off, or the segment is closed and never written again.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias

from plait.delta import sync
from plait.failure import Unfit

FOLDER = "inbox"
OPEN, CLOSED = ".open.jsonl", ".jsonl"
MOST_BYTES = 8_000_000  # of a segment
MOST_SECONDS = 1.0  # from a segment's first line until it is closed
MOST_WAITING = 64_000_000  # bytes that wait for the disk; more is refused
MOST_AT_ONCE = 512  # requests in one write
Entry: TypeAlias = tuple[bytes, Any] | None  # a line and who waits for it; None ends the writer
Answer = Callable[[list[Any], BaseException | None], None]  # tells those who wait that all is well, or what is not


class InboxFull(Unfit, RuntimeError):
    """More waits for the disk than memory should hold: whoever sends must wait."""


class InboxClosed(Unfit, RuntimeError):
    """The inbox takes nothing any more: its process is about to end."""


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """A closed segment: the `number`-th that the process `boot` wrote."""

    boot: str
    number: int
    path: Path

    @property
    def name(self) -> str:
        """Its name, which no other segment ever has."""
        return f"{self.boot}-{self.number}"

    def lines(self) -> Iterator[bytes]:
        """Give its lines without their ends; a torn last one, which nobody was told of, is left out."""
        with self.path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n") and len(line) > 1:  # an empty one only tried whether the disk takes it
                    yield line[:-1]


@dataclass
class Inbox:
    """The inbox of a home as one process writes it. `append` may be called from any thread."""

    folder: Path
    boot: str
    answer: Answer
    failed: Callable[[BaseException], None] = lambda _: os._exit(70)  # an error of ours: end, and be started anew
    most_seconds: float = MOST_SECONDS
    waiting_bytes: int = 0
    number: int = 0
    _queue: SimpleQueue[Entry] = field(default_factory=SimpleQueue)
    _count: threading.Lock = field(default_factory=threading.Lock)
    _file: int | None = None
    _size: int = 0
    _opened_at: float = 0.0
    _closing: bool = False
    _thread: threading.Thread | None = None

    @classmethod
    def open(cls, home: Path, answer: Answer, **settings: Any) -> Inbox:  # noqa: ANN401 - fields of the class
        """Open the inbox of a home for this process and start its writer; `answer` is called from its thread."""
        inbox = cls(folder_of(home), new_boot(), answer, **settings)
        inbox._thread = threading.Thread(target=inbox._write, name="inbox", daemon=True)
        inbox._thread.start()
        return inbox

    def append(self, line: bytes, waiter: object) -> None:
        """Hand over a line (without its end); `waiter` is answered when it is on disk, or the disk refuses it."""
        if self._closing:
            raise InboxClosed("the collector is about to end; send it again in a moment.")
        with self._count:
            if self.waiting_bytes + len(line) > MOST_WAITING:
                raise InboxFull("more events wait for the disk than can be held; send them again in a moment.")
            self.waiting_bytes += len(line)
        self._queue.put((line, waiter))

    def close(self) -> None:
        """Write what waits, close the segment and stop."""
        self._closing = True
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join()

    def _write(self) -> None:
        """Write what waits, again and again; whatever is not an error of the disk ends the process."""
        try:
            while self._write_some():
                pass
            self._rotate()
        except BaseException as error:  # noqa: BLE001 - nobody may wait for an answer that never comes
            self._refuse_all(error)
            self.failed(error)

    def _write_some(self) -> bool:
        """Write what waits, at least one line if it comes before the segment is old; tell whether to go on."""
        batch = self._waiting()
        lines = [entry for entry in batch if entry is not None]
        if lines:
            self._commit(lines)
        if self._file is not None and self._is_due():
            self._rotate()
        return len(lines) == len(batch)

    def _waiting(self) -> list[Entry]:
        """Wait for a line, or until the segment is old; then take all that are there, up to a bound."""
        patience = None if self._file is None else max(0.0, self._opened_at + self.most_seconds - time.monotonic())
        batch: list[Entry] = []
        with suppress(Empty):
            batch.append(self._queue.get(timeout=patience))
            while len(batch) < MOST_AT_ONCE and batch[-1] is not None:
                batch.append(self._queue.get_nowait())
        return batch

    def _commit(self, lines: list[tuple[bytes, Any]]) -> None:
        """Put lines on disk and tell who waits; where the disk fails tell them that instead."""
        error = self._put(b"\n".join([*(line for line, _ in lines), b""]))
        with self._count:
            self.waiting_bytes -= sum(len(line) for line, _ in lines)
        self.answer([waiter for _, waiter in lines], error)

    def _put(self, data: bytes) -> OSError | None:
        try:
            number = self._open_segment() if self._file is None else self._file
            written = 0
            while written < len(data):
                written += os.write(number, data[written:])
            os.fdatasync(number)
        except OSError as error:
            self._give_up()
            return error
        self._size += len(data)
        return None

    def _open_segment(self) -> int:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path(self.number + 1)
        draft = path.with_suffix(".new")
        number = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held until it is closed: it says that we live
            draft.rename(path)
            sync(self.folder)
        except OSError:
            os.close(number)
            raise
        self.number += 1
        self._file, self._size, self._opened_at = number, 0, time.monotonic()
        return number

    def _give_up(self) -> None:
        """Cut off what a failed write has left, and write to this segment no more: what the disk holds is unknown."""
        if self._file is None:
            return
        with suppress(OSError):  # a torn line is left out when the segment is read, a whole one will be sent again
            os.ftruncate(self._file, self._size)
        self._rotate()

    def _is_due(self) -> bool:
        return self._size >= MOST_BYTES or time.monotonic() - self._opened_at >= self.most_seconds

    def _rotate(self) -> None:
        """Close the segment and hand it to the sealer."""
        if self._file is None:
            return
        number, self._file = self._file, None
        with suppress(OSError):  # it stays open in name; now that nobody holds it, the sealer closes it
            close_segment(self._path(self.number))
        os.close(number)

    def _path(self, number: int) -> Path:
        return self.folder / f"{self.boot}-{number:09d}{OPEN}"

    def _refuse_all(self, error: BaseException) -> None:
        self._closing = True
        waiting = []
        with suppress(Empty):
            while True:
                waiting.append(self._queue.get_nowait())
        self.answer([entry[1] for entry in waiting if entry is not None], error)


def folder_of(home: Path) -> Path:
    """Give the folder of a home's inbox."""
    return home / FOLDER


def new_boot() -> str:
    """Name the start of a process: rises with time, never used again."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(8)}"


def close_segment(path: Path) -> None:
    """Give a segment its closed name, durably."""
    path.rename(closed_name(path))
    sync(path.parent)


def closed_name(path: Path) -> Path:
    """Give the name that an open segment has once it is closed."""
    return path.with_name(path.name.removesuffix(OPEN) + CLOSED)


def closed(home: Path) -> list[Segment]:
    """Give the closed segments of a home, each process's in order; those that dead processes left are closed first."""
    folder = folder_of(home)
    if not folder.is_dir():
        return []
    for path in folder.glob(f"*{OPEN}"):
        _close_if_left(path)
    names = (path for path in folder.glob(f"*{CLOSED}") if not path.name.endswith(OPEN))
    return sorted(_segment(path) for path in names)


def backlog(home: Path) -> tuple[int, float | None]:
    """Give how many bytes wait to be sealed, and since when (seconds since 1970; None when nothing waits)."""
    told = []
    for path in folder_of(home).glob(f"*{CLOSED}"):
        try:
            told.append(path.stat())
        except FileNotFoundError:  # sealed meanwhile
            continue
    waiting = [one for one in told if one.st_size]
    return sum(one.st_size for one in waiting), min((one.st_ctime for one in waiting), default=None)


def remove(segments: list[Segment]) -> None:
    """Delete segments that were sealed."""
    for segment in segments:
        segment.path.unlink(missing_ok=True)
    for folder in {segment.path.parent for segment in segments}:
        sync(folder)


def _segment(path: Path) -> Segment:
    boot, _, number = path.name.removesuffix(CLOSED).partition("-")
    return Segment(boot, int(number), path)


def _close_if_left(path: Path) -> None:
    """Close a segment whose process has ended: it holds the lock for as long as it lives."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.fsync(file.fileno())
            # Its own process may have closed it a moment ago, or have begun another of the same name.
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                close_segment(path)
    except (BlockingIOError, FileNotFoundError):
        return
