"""What becomes of events: mended, kept aside with a reason, stored once, at the right time, under the right keys."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from .calls import batch, track
from .served import Json, Served

pytestmark = pytest.mark.slow  # each waits until what was sent is stored


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - who sends has a clock


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


def test_what_honest_libraries_send_wrongly_is_mended(server: Served) -> None:
    """One number that is none must not cost the other events of its batch."""
    names = list(BODIES)
    for place, name in enumerate(names):
        odd = b'{"type":"track","userId":"u1","event":"Odd","messageId":"o%d","properties":%s}' % (
            place,
            BODIES[name][0],
        )
        good = json.dumps(track("Good", messageId=f"g{place}")).encode()
        told = server.post("/v1/batch", b'\xef\xbb\xbf{"batch":[' + odd + b"," + good + b"]}", server.key_of("odd"))
        assert told.status == 200, name
    rows = {row["id"]: row for row in server.stored("odd")}
    assert {name for place, name in enumerate(names) if {f"o{place}", f"g{place}"} - set(rows)} == set()
    for place, (_, expected) in enumerate(BODIES.values()):
        if expected is not None:
            assert rows[f"o{place}"]["event"]["properties"] == expected, names[place]
    assert "repaired" in rows["o0"]["detail"]["flags"]


IDS = {"": None, "null": None, "undefined": None, "[object Object]": None, "u7": "u7"}


def test_what_stands_for_nobody_joins_nobody(server: Served) -> None:
    told: list[tuple[object, str | None]] = [
        *IDS.items(), (None, None), (0, None), (123, "123"), (123.0, "123"), ({"a": 1}, '{"a":1}'),
    ]  # fmt: skip
    events = [
        {"type": "track", "event": "X", "anonymousId": f"a{place}", "userId": id_, "messageId": str(place)}
        for place, (id_, _) in enumerate(told)
    ]
    assert server.post("/v1/batch", batch(*events), server.key_of("nobody")).status == 200
    rows = {row["id"]: row["keys"].get("user_id") for row in server.stored("nobody")}
    assert rows == {str(place): expected for place, (_, expected) in enumerate(told)}


def test_what_is_beyond_the_limits_is_kept_aside(server: Served) -> None:
    key = server.key_of("limits")
    large = track("Large", messageId="large", properties={"text": "x" * 33 * 1024})
    assert server.post("/v1/batch", batch(large, track(messageId="small")), key).status == 200
    many = [track(messageId=f"m{n}") for n in range(2_501)]
    assert server.post("/v1/batch", batch(*many), key).status == 200
    assert len(server.stored("limits")) == 1 + 2_500
    aside = {row["rule"]: json.loads(row["row"]) for row in server.refused("limits")}
    assert sorted(aside) == ["an event beyond the first 2500 of a batch", "an event of more than 32 KiB"]
    kept = aside["an event of more than 32 KiB"]["event"]
    assert kept["properties"]["text"] == "x" * 33 * 1024, "nothing of it is lost"


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


def test_an_event_that_is_no_fact_is_kept_with_its_reason(server: Served) -> None:
    """The rest of its batch is stored."""
    told = server.post("/v1/batch", batch(track(messageId="fine"), *REASONS.values()), server.key_of("reasons"))
    assert told.status == 200
    assert [row["id"] for row in server.stored("reasons")] == ["fine"]
    refused = server.refused("reasons")
    assert sorted(row["rule"] for row in refused) == sorted(REASONS)
    assert all(row["next_step"] for row in refused)


def test_an_event_is_stored_once(server: Served) -> None:
    """Twice in a batch, sent again much later, changed under the same id, and the same id from elsewhere."""
    first, other = server.key_of("once"), server.key_of("elsewhere")
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


def test_the_clock_of_a_page_is_corrected_and_that_of_a_server_is_kept(server: Served) -> None:
    web, own = server.key_of("clock_web"), server.key_of("clock_server", "--server")
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


def test_each_address_stores_or_discards_as_it_should(server: Served) -> None:
    key = server.key_of("addresses")
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


def test_a_mailed_link_joins_nobody_and_its_secrets_are_not_stored(server: Served) -> None:
    page = {
        "url": "https://www.firm.example/?ajs_uid=boss&ajs_event=X&token=s3cret&plan=pro",
        "search": "?ajs_uid=boss&password=s3cret",
    }
    event = track(anonymousId="a1", context={"page": page, "ip": "203.0.113.7"}, messageId="mailed")
    assert server.post("/v1/t", event, server.key_of("links")).status == 200
    (row,) = server.stored("links")
    assert row["keys"] == {}
    assert row["detail"]["flags"] == "claimed_address"
    assert row["event"]["context"] == {"page": {"url": "https://www.firm.example/?plan=pro", "search": ""}}
