"""The inbox: who was told that an event arrived finds it there, whatever happens to the process or the disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from plait import inbox
from plait.inbox import Inbox, InboxClosed, InboxFull, Segment

PYTHON = sys.executable


class Desk:
    """Who sends and is told; `told` are the waiters that were answered, with what."""

    def __init__(self, home: Path, **settings: object) -> None:
        self.told: dict[object, BaseException | None] = {}
        self.heard = threading.Condition()
        self.inbox = Inbox.open(home, self.answer, **settings)

    def answer(self, waiters: list[object], error: BaseException | None) -> None:
        with self.heard:
            self.told |= dict.fromkeys(waiters, error)
            self.heard.notify_all()

    def send(self, *lines: bytes) -> None:
        """Send lines and wait until each was answered."""
        for line in lines:
            self.inbox.append(line, line)
        with self.heard:
            assert self.heard.wait_for(lambda: all(line in self.told for line in lines), 10)


def lines_of(home: Path) -> list[bytes]:
    return [line for segment in inbox.closed(home) for line in segment.lines()]


def until(holds: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < 10
        time.sleep(0.02)


def test_what_was_answered_is_on_disk_in_the_order_in_which_it_came(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    sent = [b"line %d" % number for number in range(1_000)]
    desk.send(*sent)
    written = b"".join(path.read_bytes() for path in inbox.folder_of(tmp_path).iterdir())
    assert written == b"\n".join(sent) + b"\n"
    desk.inbox.close()
    assert lines_of(tmp_path) == sent
    assert set(desk.told.values()) == {None}


def test_a_segment_is_closed_when_it_is_old_and_the_next_line_opens_another(tmp_path: Path) -> None:
    desk = Desk(tmp_path, most_seconds=0.05)
    desk.send(b"one")
    until(lambda: len(list(inbox.folder_of(tmp_path).glob(f"*{inbox.OPEN}"))) == 0)
    desk.send(b"two")
    desk.inbox.close()
    first, second = inbox.closed(tmp_path)
    assert (first.boot, first.number, second.number) == (second.boot, 1, 2)
    assert [list(first.lines()), list(second.lines())] == [[b"one"], [b"two"]]


def test_a_segment_that_is_being_written_is_not_taken(tmp_path: Path) -> None:
    desk = Desk(tmp_path, most_seconds=60)
    desk.send(b"one")
    assert inbox.closed(tmp_path) == []
    size, since = inbox.backlog(tmp_path)
    assert size == 4
    assert since is not None
    desk.inbox.close()
    assert lines_of(tmp_path) == [b"one"]


def test_segments_of_a_process_come_in_order_beyond_nine(tmp_path: Path) -> None:
    desk = Desk(tmp_path, most_seconds=0.0)
    for number in range(12):
        desk.send(b"%d" % number)
    desk.inbox.close()
    assert [segment.number for segment in inbox.closed(tmp_path)] == list(range(1, 13))


def test_a_torn_last_line_was_promised_to_nobody_and_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "b-000000001.jsonl"
    path.write_bytes(b"whole\n\ntorn")
    assert list(Segment("b", 1, path).lines()) == [b"whole"]


def test_what_a_killed_process_was_told_is_sealed_by_the_next(tmp_path: Path) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom plait.inbox import Inbox\n"
        "box = Inbox.open(Path(sys.argv[1]), lambda waiters, error: print(*waiters, sep='\\n', flush=True))\n"
        "for number in range(10**6):\n    box.append(b'%d' % number, number)\n    time.sleep(0.0002)\n"
    )
    writer = subprocess.Popen([PYTHON, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline() for _ in range(200)]
    writer.send_signal(signal.SIGKILL)
    acknowledged += writer.stdout.readlines()
    whole = [int(line) for line in acknowledged if line.endswith("\n")]
    writer.stdout.close()
    writer.wait()
    kept = [int(line) for line in lines_of(tmp_path)]
    assert set(whole) <= set(kept)
    assert kept == list(range(len(kept)))


def test_a_full_disk_is_told_and_when_there_is_room_again_it_goes_on_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of what is written fits; what was not acknowledged does not tear what comes after it."""
    desk, write, full = Desk(tmp_path), os.write, [False]

    def little_room(number: int, data: bytes) -> int:
        if not full[0]:
            return write(number, data)
        if len(data) > 2:
            return write(number, data[:2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("plait.inbox.os.write", little_room)
    desk.send(b"before")
    full[0] = True
    desk.send(b"during")
    assert isinstance(desk.told[b"during"], OSError)
    full[0] = False
    desk.send(b"after")
    desk.inbox.close()
    assert lines_of(tmp_path) == [b"before", b"after"]


def test_after_a_failed_sync_the_segment_is_written_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the disk holds then is unknown: another segment is begun."""
    desk, sync, broken = Desk(tmp_path, most_seconds=60), os.fdatasync, [True]

    def failing(number: int) -> None:
        if broken.pop() if broken else False:
            raise OSError(5, "Input/output error")
        sync(number)

    monkeypatch.setattr("plait.inbox.os.fdatasync", failing)
    desk.send(b"lost")
    desk.send(b"kept")
    desk.inbox.close()
    assert isinstance(desk.told[b"lost"], OSError)
    assert desk.told[b"kept"] is None
    assert lines_of(tmp_path) == [b"kept"]
    assert len(inbox.closed(tmp_path)) == 2


def test_more_than_memory_should_hold_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plait.inbox.MOST_WAITING", 10)
    desk = Desk(tmp_path)
    with pytest.raises(InboxFull):
        desk.inbox.append(b"longer than ten", "waiter")
    desk.send(b"short")
    desk.inbox.close()


def test_an_inbox_that_ends_takes_nothing_more(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.inbox.close()
    with pytest.raises(InboxClosed):
        desk.inbox.append(b"late", "waiter")


def test_an_error_of_ours_ends_the_process_and_nobody_waits_for_ever(tmp_path: Path) -> None:
    ended: list[BaseException] = []
    desk = Desk(tmp_path, failed=ended.append)
    desk.inbox.append("no bytes", "waiter")  # type: ignore[arg-type]
    until(lambda: bool(ended))
    assert isinstance(ended[0], TypeError)
    with pytest.raises(InboxClosed):
        desk.inbox.append(b"late", "waiter")
