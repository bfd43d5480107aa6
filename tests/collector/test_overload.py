"""Too much at once, bodies that hurt, senders that never end: others are answered, and what was taken is stored."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from .calls import batch, is_understood, track
from .served import Served, basic, collected

pytestmark = pytest.mark.slow
MIB = 1024 * 1024


def test_too_much_at_once_is_shed_and_what_was_taken_is_stored(server: Served) -> None:
    """Ten times the quota for three seconds: told to wait, others are not held up, and it recovers within 5 s."""
    key = server.key_of("flood", "--quota", "200")
    calm = server.key_of("calm")
    taken: list[str] = []
    told: list[tuple[int, str | None]] = []
    over = threading.Event()

    def flood(who: int) -> None:
        number = 0
        while not over.is_set():
            ids = [f"{who}-{number}-{n}" for n in range(20)]
            answer = server.post("/v1/batch", batch(*(track(messageId=id_) for id_ in ids)), key)
            told.append((answer.status, answer.headers.get("retry-after")))
            taken.extend(ids if answer.status == 200 else [])
            number += 1

    threads = [threading.Thread(target=flood, args=(who,)) for who in range(8)]
    for thread in threads:
        thread.start()
    slowest = 0.0
    until = time.monotonic() + 3
    while time.monotonic() < until:
        began = time.monotonic()
        assert server.post("/v1/batch", batch(track()), calm).status == 200
        slowest = max(slowest, time.monotonic() - began)
    over.set()
    for thread in threads:
        thread.join()
    assert {status for status, _ in told} == {200, 429}
    assert len(told) * 20 > 10 * 200 * 3, "that was not ten times as much"
    assert all(wait is not None and 1 <= int(wait) <= 300 for status, wait in told if status == 429)
    assert slowest < 1.0
    ended = time.monotonic()
    while server.post("/v1/batch", batch(track(messageId="after")), key).status != 200:
        assert time.monotonic() - ended < 5, "it did not recover"
        time.sleep(0.2)
    assert {row["id"] for row in server.stored("flood")} == {*taken, "after"}


def hostile() -> Iterator[tuple[str, bytes, dict[str, str], set[int]]]:
    """Give bodies that would hurt: what they are, bytes, headers, and what may be answered."""
    packed = {"Content-Encoding": "gzip"}
    refused = {400, 413}
    yield "a megabyte of nested lists", b'{"batch":[{"a":' + b"[" * MIB, {}, refused
    yield "nested and closed", b'{"batch":[' + b"[" * (MIB // 2) + b"]" * (MIB // 2) + b"]}", {}, refused
    yield "nested objects", b'{"batch":[' + b'{"a":' * (MIB // 5) + b"1" + b"}" * (MIB // 5) + b"]}", {}, refused
    yield "five megabytes", b'{"batch":["' + b"x" * 5 * MIB + b'"]}', {}, {413}
    yield "a bomb", gzip.compress(b'{"batch":["' + b"x" * 400 * MIB + b'"]}'), packed, {413}
    yield "a bomb in a bomb", gzip.compress(gzip.compress(b"x" * 100 * MIB)), packed, refused
    yield "braces in a row", gzip.compress(b'{"batch":[{"a":[' + b"{}," * (2 * MIB) + b"{}]}]}"), packed, {200, 413}
    yield "signs zero", b"\0" * MIB, {}, refused
    yield "escaped signs zero", b'{"batch":[{"a":"' + rb"\u0000" * 100_000 + b'"}]}', {}, {200}
    yield "half pairs", b'{"batch":[{"a":"' + rb"\ud800" * 100_000 + b'"}]}', {}, {200}
    yield "numbers beyond all bounds", b'{"batch":[{"a":[' + b"1e309," * 100_000 + b"1]}]}", {}, {200}
    yield "a number of a million digits", b'{"batch":[{"a":' + b"9" * MIB + b"}]}", {}, {200, 400}
    yield "a long name", b'{"batch":[{"' + b"a" * MIB + b'":1}]}', {}, {200}


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is read as Linux tells it")
def test_hostile_bodies_are_refused_and_fill_no_memory(tmp_path: Path) -> None:
    """The whole of them adds 32 MiB to the process at most, and the next sender is answered."""
    with collected(tmp_path / "home") as served:
        key = served.key("hostile")
        for _ in range(20):
            assert served.post("/v1/batch", batch(*(track() for _ in range(100))), key).status == 200
        before, grown = served.memory(), {}
        for name, body, headers, allowed in hostile():
            assert served.process is not None
            Path(f"/proc/{served.process.pid}/clear_refs").write_text("5")  # its peak is counted anew
            told = served.post("/v1/batch", body, key, headers)
            assert told.status in allowed, (name, told)
            assert is_understood(told.status, told.body), name
            grown[name] = (served.memory("VmHWM") - before) / MIB
        assert {name: round(size) for name, size in grown.items() if size > 32} == {}
        assert served.post("/v1/batch", batch(track(messageId="after")), key).status == 200
        assert "after" in {row["id"] for row in served.stored("hostile")}


SLOW = {
    "a body": (b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", b" "),
    "a head": (b"POST /v1/batch HTTP/1.1\r\nHost: x\r\n", b"X-More: 1\r\n"),
    "nothing": (b"", b""),
}


def test_slow_senders_hold_up_nobody_and_are_ended(server: Served) -> None:
    """They send a little each second: others are answered meanwhile, and they are told 408 after 20 seconds."""
    key = server.key_of("slow")
    told: dict[str, bytes] = {}
    began = time.monotonic()
    with ExitStack() as open_ones:
        slow = {
            name: open_ones.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=0.2))
            for name in SLOW
        }
        for name, (head, _) in SLOW.items():
            slow[name].sendall(head)
        while len(told) < len(SLOW) and time.monotonic() - began < 40:
            for name in slow.keys() - told.keys():
                with suppress(TimeoutError):
                    slow[name].sendall(SLOW[name][1])
                    told[name] = slow[name].recv(65536)
            asked = time.monotonic()
            assert server.post("/v1/batch", batch(), key).status == 200
            assert time.monotonic() - asked < 1
            time.sleep(0.5)
    assert {name: answer[:13] for name, answer in told.items()} == dict.fromkeys(SLOW, b"HTTP/1.1 408 ")
    assert {json.loads(answer.partition(b"\r\n\r\n")[2])["code"] for answer in told.values()} == {"too_slow"}


@pytest.mark.parametrize("line", [b"X-More: " + b"x" * 1000 + b"\r\n", b"x" * 1000], ids=["many lines", "one line"])
def test_a_head_without_end_is_cut(server: Served, line: bytes) -> None:
    sent = 0
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as endless, suppress(ConnectionError):
        endless.sendall(b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nX-Long: ")
        while sent < 4 * MIB:
            endless.sendall(line)
            sent += len(line)
    assert sent < 4 * MIB


def test_a_large_body_in_small_parts_is_no_head(server: Served) -> None:
    """Two requests on one connection: the end of the first body comes together with the second head."""
    key = server.key_of("parts")
    body = json.dumps(batch(*(track(messageId=f"p{n}", properties={"text": "x" * 900}) for n in range(300)))).encode()
    lines = [f"{name}: {value}" for name, value in {"Host": "x", "Content-Length": len(body), **basic(key)}.items()]
    request = "\r\n".join(["POST /v1/batch HTTP/1.1", *lines, "", ""]).encode() + body
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        for at in range(0, 3 * len(request), 50_000):
            connection.sendall((request * 3)[at : at + 50_000])
            time.sleep(0.01)
        answers = b""
        while answers.count(b'{"success":true}') < 3:
            answers += connection.recv(65536)
    assert answers.count(b"HTTP/1.1 200 ") == 3
