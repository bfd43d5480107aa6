"""The collector's contract by plain HTTP: what is taken, what it becomes, and what each refusal says.

Answers are held to what the official libraries understand: 200 and JSON, or an error of JSON with `code` and `message`.
"""

from __future__ import annotations

import gzip
import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from plait.sources.live import read_event_mapping

from .served import Json, Served, basic, collected

stores = pytest.mark.slow  # waits until what was sent is stored
MIB = 1024 * 1024
ROOT = Path(__file__).parents[2]
PAGE = "https://www.firm.example"
FOREIGN = "https://www.other.example"
SINGLE = ("identify", "track", "page", "screen", "group", "alias")
POSTED = (
    "/v1/batch", "/v1/b", "/v1/import", "/v1/merge", "/v1/m", "/rsaMetrics", "/beacon/v1/batch",
    *(f"/v1/{name}" for name in SINGLE), *(f"/v1/{name[0]}" for name in SINGLE),
)  # fmt: skip
ASKED = (
    "/health", "/v1/projects/KEY/settings", "/sourceConfig/", "/sourceConfig", "/pixel/v1/track", "/pixel/v1/page",
)  # fmt: skip
MISSED = (
    "/", "/v1", "/v1/", "/v2/batch", "/v1/v1/batch", "//v1/batch", "/v1//batch", "/v1/batch/x", "/v1/Batch",
    "/v1/projects//settings", "/v1/projects/%00/settings", "/v1/%2e%2e/health", "/pixel/v1/x", "/beacon",
)  # fmt: skip
ALLOWED = {200, 400, 401, 403, 404, 405, 408, 413, 429, 503}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve a collector."""
    with collected(tmp_path_factory.mktemp("contract") / "home") as served:
        yield served


def track(name: str = "Clicked", **told: Any) -> Json:  # noqa: ANN401 - whatever an event may hold
    return {"type": "track", "userId": "u1", "event": name, **told}


def batch(*events: object, **told: object) -> Json:
    return {"batch": list(events), **told}


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - who sends has a clock


def is_understood(status: int, body: bytes, *, head: bool = False) -> bool:
    """Tell whether the official libraries understand an answer."""
    if status not in ALLOWED:
        return False
    if status == 200 or head:
        return True
    told = json.loads(body)
    return bool(told["code"] and told["message"]) and {type(told["code"]), type(told["message"])} == {str}


FAULTY: tuple[tuple[bytes | None, dict[str, str]], ...] = (
    (None, {}),
    (b"", {}),
    (b"{", {}),
    (b"[]", {}),
    (b"null", {}),
    (b'"text"', {}),
    (b"17", {}),
    (b"{}", {}),
    (b'{"batch":{}}', {}),
    (b'{"batch":[]}', {}),
    (b'{"batch":[1,null,"x",[]]}', {}),
    (b'{"batch":[{}]} and more', {}),
    (b'{"writeKey":17,"batch":[]}', {}),
    (b"\xff\xfe\x00", {}),
    (b"[" * 100_000, {}),
    (b"{}", {"Content-Encoding": "gzip"}),
    (b"{}", {"Content-Encoding": "br"}),
    (gzip.compress(b'{"batch":[]}')[:-6], {"Content-Encoding": "gzip"}),
    (b"{}", {"Authorization": "Basic %%%"}),
    (b"{}", {"Authorization": "Bearer abc"}),
    (b"{}", {"Authorization": "Basic bm8ta2V5Og=="}),
    (b"{}", {"Origin": FOREIGN}),
)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_no_answer_misleads_a_library(server: Served, method: str) -> None:
    """Libraries take a redirect as success, 201 and 204 as failure, and stumble over an error without `message`."""
    key = server.key("crawl")
    wrong = []
    for path in (*POSTED, *(f"{path}/" for path in POSTED), *ASKED, *MISSED):
        for body, headers in FAULTY:
            for given in ({}, basic(key)):
                told = server.ask(method, path.replace("KEY", key), body, {**given, **headers})
                if not is_understood(told.status, told.body, head=method == "HEAD"):
                    wrong.append((path, body, headers, told.status, told.body))
    assert wrong == []


@stores
def test_the_desk_beside_it_redirects_no_event(tmp_path: Path) -> None:
    """`plait serve` serves pages too, which lead to a login: no path that a library may be pointed at goes there."""
    with collected(tmp_path / "home", command="serve") as served:
        key = served.key("web")
        answers = {
            path: served.post(path, batch(track()), key)
            for path in (*POSTED, *(f"{path}/" for path in POSTED), *MISSED)
        }
        assert [(path, told.status) for path, told in answers.items() if 300 <= told.status < 400] == []
        assert {answers[path].status for path in ("/v1/batch", "/v1/batch/", "/v1/b", "/v1/import")} == {200}


BODIES: dict[str, tuple[bytes, object]] = {
    "NaN": (b'{"x":NaN}', {"x": None}),
    "Infinity": (b'{"x":-Infinity}', {"x": None}),
    "a number beyond all bounds": (b'{"x":1e309}', {"x": None}),
    "half a surrogate pair": (rb'{"x":"a\ud800b"}', {"x": "a\ufffdb"}),
    "the sign zero": (rb'{"x":"a\u0000b"}', {"x": "a\ufffdb"}),
    "bytes that are not UTF-8": (b'{"x":"a\xffb"}', {"x": "a\ufffdb"}),
    "a repeated name": (b'{"x":1,"x":2}', {"x": 2}),
    "2 to the 70": (b'{"x":1180591620717411303424}', {"x": 1180591620717411303424}),
    "a hundred levels": (b'{"x":' + b"[" * 100 + b"]" * 100 + b"}", None),
    "a line break": (b'{"x":\n\r\n1}', {"x": 1}),
}


@stores
def test_what_honest_libraries_send_wrongly_is_mended(server: Served) -> None:
    """One number that is none must not cost the other events of its batch."""
    names = list(BODIES)
    for place, name in enumerate(names):
        odd = b'{"type":"track","userId":"u1","event":"Odd","messageId":"o%d","properties":%s}' % (
            place,
            BODIES[name][0],
        )
        good = json.dumps(track("Good", messageId=f"g{place}")).encode()
        told = server.post("/v1/batch", b'\xef\xbb\xbf{"batch":[' + odd + b"," + good + b"]}", key_of(server, "odd"))
        assert told.status == 200, name
    rows = {row["id"]: row for row in server.stored("odd")}
    assert {name for place, name in enumerate(names) if {f"o{place}", f"g{place}"} - set(rows)} == set()
    for place, (_, expected) in enumerate(BODIES.values()):
        if expected is not None:
            assert rows[f"o{place}"]["event"]["properties"] == expected, names[place]
    assert "repaired" in rows["o0"]["detail"]["flags"]


keys: dict[tuple[int, str], str] = {}


def key_of(server: Served, source: str, *options: str) -> str:
    """Give the key of a source, made when it is first asked for."""
    if (server.port, source) not in keys:
        keys[server.port, source] = server.key(source, *options)
    return keys[server.port, source]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b'{"batch":[{}]} trailing', "invalid_json"),
        (b'{"batch":[{"a":' + b"[" * 129 + b"]" * 129 + b"}]}", "invalid_json"),
        (b"{}", "batch_missing"),
        (b'{"batch":{}}', "batch_missing"),
    ],
)
def test_what_is_no_batch_is_refused(server: Served, body: bytes, code: str) -> None:
    told = server.post("/v1/batch", body, key_of(server, "broken"))
    assert (told.status, told.json["code"]) == (400, code)


IDS = {"": None, "null": None, "undefined": None, "[object Object]": None, "u7": "u7"}


@stores
def test_what_stands_for_nobody_joins_nobody(server: Served) -> None:
    told: list[tuple[object, str | None]] = [
        *IDS.items(), (None, None), (0, None), (123, "123"), (123.0, "123"), ({"a": 1}, '{"a":1}'),
    ]  # fmt: skip
    events = [
        {"type": "track", "event": "X", "anonymousId": f"a{place}", "userId": id_, "messageId": str(place)}
        for place, (id_, _) in enumerate(told)
    ]
    assert server.post("/v1/batch", batch(*events), key_of(server, "nobody")).status == 200
    rows = {row["id"]: row["keys"].get("user_id") for row in server.stored("nobody")}
    assert rows == {str(place): expected for place, (_, expected) in enumerate(told)}


@stores
def test_what_is_beyond_the_limits_is_kept_aside(server: Served) -> None:
    key = key_of(server, "limits")
    large = track("Large", messageId="large", properties={"text": "x" * 33 * 1024})
    assert server.post("/v1/batch", batch(large, track(messageId="small")), key).status == 200
    many = [track(messageId=f"m{n}") for n in range(2_501)]
    assert server.post("/v1/batch", batch(*many), key).status == 200
    assert len(server.stored("limits")) == 1 + 2_500
    aside = {row["rule"]: json.loads(row["row"]) for row in server.refused("limits")}
    assert sorted(aside) == ["an event beyond the first 2500 of a batch", "an event of more than 32 KiB"]
    assert aside["an event of more than 32 KiB"]["properties"]["text"] == "x" * 33 * 1024, "nothing of it is lost"


REASONS = {
    "no userId and no anonymousId": {"type": "track", "event": "X"},
    "a track call without event": {"type": "track", "userId": "u"},
    "a group call without groupId": {"type": "group", "userId": "u"},
    "an alias call without previousId": {"type": "alias", "userId": "u"},
    "unknown type of call": {"type": "cheer", "userId": "u"},
    "a type of call that cannot be taken": {"type": "merge", "userId": "u"},
    "not an object": 17,
    "the write key in the event is not the one of the request": {"type": "track", "writeKey": "k", "userId": "u"},
}


@stores
def test_an_event_that_is_no_fact_is_kept_with_its_reason(server: Served) -> None:
    """The rest of its batch is stored."""
    told = server.post("/v1/batch", batch(track(messageId="fine"), *REASONS.values()), key_of(server, "reasons"))
    assert told.status == 200
    assert [row["id"] for row in server.stored("reasons")] == ["fine"]
    refused = server.refused("reasons")
    assert sorted(row["rule"] for row in refused) == sorted(REASONS)
    assert all(row["next_step"] for row in refused)


@stores
def test_an_event_is_stored_once(server: Served) -> None:
    """Twice in a batch, sent again much later, changed under the same id, and the same id from elsewhere."""
    first, other = key_of(server, "once"), key_of(server, "elsewhere")
    event = track(messageId="e1", timestamp="2025-10-01T00:00:00Z", properties={"n": 1})
    assert server.post("/v1/batch", batch(event, event, sentAt="2025-10-01T00:00:01Z"), first).status == 200
    server.sealed()
    again = {**event, "sentAt": "2026-11-05T00:00:00Z", "_metadata": {"retryCount": 3}}
    assert server.post("/v1/track", again, first).status == 200
    assert server.post("/v1/track", {**event, "properties": {"n": 2}}, first).status == 200
    assert server.post("/v1/track", event, other).status == 200
    rows = server.stored("once")
    assert [(row["id"], row["event"]["properties"]["n"]) for row in rows] == [("e1", 1)]
    assert [(row["rule"], json.loads(row["row"]).get("id", "e1")) for row in server.refused("once")] == [
        ("id_conflict", "e1")
    ]
    assert [row["id"] for row in server.facts("elsewhere")] == ["e1"]


OFF = (timedelta(hours=1), timedelta(days=1), timedelta(days=365))


@stores
def test_the_clock_of_a_page_is_corrected_and_that_of_a_server_is_kept(server: Served) -> None:
    web, own = key_of(server, "clock_web"), key_of(server, "clock_server", "--server")
    began = now()
    for place, off in enumerate([*OFF, *(-off for off in OFF)]):
        said = (began + off - timedelta(minutes=5)).isoformat()
        body = batch(track(messageId=str(place), timestamp=said), sentAt=(now() + off).isoformat())
        assert server.post("/v1/batch", body, web).status == 200
        assert server.post("/v1/batch", body, own).status == 200
    happened = (began - timedelta(minutes=5)).replace(tzinfo=None)
    rows = server.stored("clock_web")
    assert len(rows) == 6
    assert all(abs(row["occurred_at"] - happened) < timedelta(seconds=1) for row in rows)
    kept = {row["id"]: row for row in server.facts("clock_server")}
    for place, off in enumerate(OFF):
        assert kept[str(place)]["occurred_at"] == kept[str(place)]["recorded_at"], "what is to come has not happened"
        assert "future" in kept[str(place)]["detail"]["flags"]
        assert kept[str(place + 3)]["occurred_at"] == happened - off


@pytest.mark.parametrize("source", ["revoked"])
def test_a_revoked_key_is_refused_within_seconds(server: Served, source: str) -> None:
    key = key_of(server, source)
    assert server.post("/v1/batch", batch(), key).status == 200
    server.plait("source", "revoke", key)
    until = time.monotonic() + 10
    while (told := server.post("/v1/batch", batch(track()), key)).status == 200:
        assert time.monotonic() < until
        time.sleep(0.2)
    assert (told.status, told.json["code"]) == (401, "unknown_write_key")


@stores
def test_a_key_that_does_not_fit_stores_nothing(server: Served) -> None:
    key, other = key_of(server, "fits"), key_of(server, "fits_not")
    own = key_of(server, "secret", "--server")
    pages = key_of(server, "of_pages", "--origin", PAGE)
    sent = batch(track())
    told = {
        "none": server.post("/v1/batch", sent),
        "unknown": server.post("/v1/batch", sent, "no-such-key"),
        "two": server.post("/v1/batch", {**sent, "writeKey": other}, key),
        "in the address": server.post(f"/v1/batch?writeKey={key}", sent),
        "foreign page": server.post("/v1/batch", sent, pages, {"Origin": FOREIGN}),
        "secret on a page": server.post("/v1/batch", sent, own, {"Origin": PAGE}),
    }
    assert {name: (one.status, one.json["code"]) for name, one in told.items()} == {
        "none": (401, "missing_write_key"),
        "unknown": (401, "unknown_write_key"),
        "two": (401, "write_key_mismatch"),
        "in the address": (401, "missing_write_key"),
        "foreign page": (403, "origin_not_allowed"),
        "secret on a page": (403, "origin_not_allowed"),
    }
    assert [server.stored(source) for source in ("fits", "fits_not", "secret", "of_pages")] == [[], [], [], []]


def test_a_browser_may_send_and_may_read_the_answer(server: Served) -> None:
    pages = key_of(server, "of_pages", "--origin", PAGE)
    for origin in (PAGE, FOREIGN):
        told = server.ask("OPTIONS", "/v1/t", headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
        assert (told.status, told.body) == (200, b"")
        assert told.headers["access-control-allow-origin"] == origin
        assert told.headers["vary"] == "Origin"
        assert told.headers["access-control-allow-methods"] == "POST, GET, OPTIONS"
        assert {"authorization", "content-type", "x-retry-count", "anonymousid", "sentat"} <= set(
            told.headers["access-control-allow-headers"].split(", ")
        )
        assert "access-control-allow-credentials" not in told.headers
    answers = [
        server.post("/v1/t", track(), pages, {"Origin": PAGE}),
        server.post("/v1/t", track(), pages, {"Origin": FOREIGN}),
        server.post("/v1/t", track(), "no-such-key", {"Origin": FOREIGN}),
        server.post("/v1/t", b"{", pages, {"Origin": PAGE}),
        server.get("/v1/nothing", {"Origin": PAGE}),
        server.get("/v1/projects/none/settings", {"Origin": PAGE}),
    ]
    assert [one.status for one in answers] == [200, 403, 401, 400, 404, 404]
    assert all(one.headers.get("access-control-allow-origin") in (PAGE, FOREIGN) for one in answers)


def test_settings_documents_name_this_host_and_no_other(server: Served) -> None:
    key = key_of(server, "documents")
    told = server.get(f"/v1/projects/{key}/settings", {"Host": "collect.firm.example"})
    assert told.headers["cache-control"] == "public, max-age=300"
    assert told.json == {
        "integrations": {
            "Segment.io": {"apiKey": key, "apiHost": "collect.firm.example/v1", "protocol": "http"},
        },
        "plan": {},
        "metrics": {"sampleRate": 0},
    }
    config = server.get(f"/sourceConfig/?p=web&v=3&writeKey={key}").json["source"]
    assert (config["name"], config["enabled"], config["destinations"]) == ("documents", True, [])
    assert server.get("/sourceConfig/", basic(key)).json["source"] == config
    assert server.get("/v1/projects/none/settings").status == 404


@stores
def test_each_address_stores_or_discards_as_it_should(server: Served) -> None:
    key = key_of(server, "addresses")
    calls: dict[str, Json] = {
        "identify": {"traits": {"plan": "pro"}}, "track": {"event": "X"}, "page": {}, "screen": {},
        "group": {"groupId": "c1"}, "alias": {"previousId": "a0"},
    }  # fmt: skip
    expected = set()
    for kind, call in calls.items():
        for path in (kind, kind[0], f"{kind}/"):
            event = {"userId": "u1", "messageId": path, **call}
            assert server.post(f"/v1/{path}", event, key, {"Content-Type": "text/plain"}).status == 200
            expected.add(path)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for path in ("/v1/batch", "/v1/batch/", "/v1/import"):
        assert server.post(path, batch(track(messageId=path)), key, form).status == 200
    assert server.post("/v1/b", batch(track(messageId="/v1/b", writeKey=key))).status == 200
    assert server.post(f"/beacon/v1/batch?writeKey={key}", batch(track(messageId="beacon"))).status == 200
    picture = server.get(f"/pixel/v1/track?writeKey={key}&userId=u1&event=Opened&messageId=pixel&mail=7")
    assert (picture.status, picture.headers["content-type"], picture.body[:3]) == (200, "image/gif", b"GIF")
    assert server.get("/pixel/v1/page?writeKey=no-such-key&userId=u1").status == 200
    for path in ("/v1/m", "/rsaMetrics"):
        assert server.post(path, {"series": [{"type": "Counter"}]}).json == {"success": True}
    assert server.post("/v1/merge", {"userId": "u1"}, key).status == 200
    assert server.post("/v1/track", {"type": "page", "userId": "u1"}, key).status == 200
    stored = {row["id"]: row for row in server.stored("addresses")}
    assert set(stored) == expected | {"/v1/batch", "/v1/batch/", "/v1/import", "/v1/b", "beacon", "pixel"}
    assert stored["pixel"]["event"]["properties"] == {"mail": "7"}
    assert sorted(row["rule"] for row in server.refused("addresses")) == [
        "a type of call that cannot be taken",
        "the type in the event is not the type in the address",
    ]


@stores
def test_a_mailed_link_joins_nobody_and_its_secrets_are_not_stored(server: Served) -> None:
    page = {"url": f"{PAGE}/?ajs_uid=boss&ajs_event=X&token=s3cret&plan=pro", "search": "?ajs_uid=boss&password=s3cret"}
    event = track(anonymousId="a1", context={"page": page, "ip": "203.0.113.7"}, messageId="mailed")
    assert server.post("/v1/t", event, key_of(server, "links")).status == 200
    (row,) = server.stored("links")
    assert row["keys"] == {}
    assert row["detail"]["flags"] == "claimed_address"
    assert row["event"]["context"] == {"page": {"url": f"{PAGE}/?plan=pro", "search": ""}}


@stores
def test_too_much_at_once_is_shed_and_what_was_taken_is_stored(server: Served) -> None:
    """Ten times the quota for three seconds: told to wait, others are not held up, and it recovers within 5 s."""
    key = key_of(server, "flood", "--quota", "200")
    calm = key_of(server, "calm")
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


def test_answers_over_a_kept_socket_come_at_once(tmp_path: Path) -> None:
    """An answer in two writes without TCP_NODELAY waits 40 ms for the sender to confirm the first."""
    with collected(tmp_path / "home", kept="127.0.0.1") as served:
        headers, body = basic(served.key("quick")), json.dumps(batch(track())).encode()
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
        took = []
        for _ in range(41):
            began = time.monotonic()
            connection.request("POST", "/v1/batch", body, headers)
            assert connection.getresponse().read() == b'{"success":true}'
            took.append(time.monotonic() - began)
        connection.close()
    assert sorted(took)[20] < 0.03


def test_a_key_travels_in_the_open_on_this_machine_only(tmp_path: Path) -> None:
    """Behind a proxy only what came to it over https is taken, and the settings of a page name https."""
    proxied = {"X-Forwarded-Proto": "https", "Host": "collect.firm.example"}
    with collected(tmp_path / "proxied", headers=proxied, variables={"PLAIT_BEHIND_PROXY": "1"}) as served:
        key = served.key("web")
        assert served.post("/v1/batch", batch(), key).status == 200
        told = served.get(f"/v1/projects/{key}/settings").json["integrations"]["Segment.io"]
        assert (told["protocol"], told["apiHost"]) == ("https", "collect.firm.example/v1")
        refused = served.post("/v1/batch", batch(), key, {"X-Forwarded-Proto": "http"})
        assert (refused.status, refused.json["code"]) == (403, "https_required")
    served = Served(tmp_path / "open", socket.create_server(("0.0.0.0", 0)), variables={})  # noqa: S104 - that is the point
    assert served.listening is not None
    with served.listening:
        served.listening.set_inheritable(True)
        served.port = int(served.listening.getsockname()[1])
        served.start()
        try:
            refused = served.post("/v1/batch", batch())
        finally:
            served.stop()
    assert (refused.status, refused.json["code"]) == (403, "https_required")


def test_the_page_names_every_refusal_and_its_mapping_works() -> None:
    page = (ROOT / "docs" / "collector.md").read_text("utf-8")
    code = "".join(path.read_text("utf-8") for path in (ROOT / "plait" / "web" / "collector").glob("*.py"))
    told = set(re.findall(r'Refused\(\s*(\d{3}), "(\w+)"', code))
    assert len(told) > 10
    lines = page.splitlines()
    assert [one for one in told if not any(one[0] in line and f"`{one[1]}`" in line for line in lines)] == []
    (mapping,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert set(read_event_mapping(mapping, "shop").tracks) == {"signed up", "order completed"}


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


@stores
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


@stores
def test_a_slow_sender_holds_up_nobody_and_is_ended(server: Served) -> None:
    """It sends a sign a second: others are answered meanwhile, and it is told 408 after 20 seconds."""
    key = key_of(server, "slow")
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as slow:
        slow.sendall(b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        began = time.monotonic()
        slow.settimeout(1)
        answer = b""
        while not answer and time.monotonic() - began < 40:
            slow.sendall(b" ")
            asked = time.monotonic()
            assert server.post("/v1/batch", batch(), key).status == 200
            assert time.monotonic() - asked < 1
            try:
                answer = slow.recv(65536)
            except TimeoutError:
                continue
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert json.loads(body)["code"] == "too_slow"
