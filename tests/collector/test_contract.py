"""The collector's contract by plain HTTP: what each answer is, and who may send.

Answers are held to what the official libraries understand: 200 and JSON, or an error of JSON with `code` and `message`.
"""

from __future__ import annotations

import gzip
import http.client
import json
import re
import socket
import time
from pathlib import Path

import pytest

from plait.sources.live import read_event_mapping

from .calls import batch, is_understood, track
from .served import Served, basic, collected

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


@pytest.mark.slow
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
    told = server.post("/v1/batch", body, server.key_of("broken"))
    assert (told.status, told.json["code"]) == (400, code)


@pytest.mark.parametrize("source", ["revoked"])
def test_a_revoked_key_is_refused_within_seconds(server: Served, source: str) -> None:
    key = server.key_of(source)
    assert server.post("/v1/batch", batch(), key).status == 200
    server.plait("source", "revoke", key)
    until = time.monotonic() + 10
    while (told := server.post("/v1/batch", batch(track()), key)).status == 200:
        assert time.monotonic() < until
        time.sleep(0.2)
    assert (told.status, told.json["code"]) == (401, "unknown_write_key")


@pytest.mark.slow
def test_a_key_that_does_not_fit_stores_nothing(server: Served) -> None:
    key, other = server.key_of("fits"), server.key_of("fits_not")
    own = server.key_of("secret", "--server")
    pages = server.key_of("of_pages", "--origin", PAGE)
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
    pages = server.key_of("of_pages", "--origin", PAGE)
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
    key = server.key_of("documents")
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
