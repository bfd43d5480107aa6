"""Events: what official libraries and careless code send, and the facts that it becomes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from plait.sources.events import (
    Envelope,
    EventMapping,
    Quarantined,
    Row,
    TrackRule,
    digest_of_key,
    identifier,
    read_events,
)
from plait.store import SAME

AT = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 - facts hold naive UTC
WEB = EventMapping("web")


def envelope(*events: Any, key: str = "web", **more: Any) -> Envelope:  # noqa: ANN401 - what anybody may send
    raws = [msgspec.Raw(event if isinstance(event, bytes) else msgspec.json.encode(event)) for event in events]
    return Envelope(int(AT.replace(tzinfo=UTC).timestamp() * 1e6), "web", key, raws, **more)


def read(event: Any, mapping: EventMapping = WEB, **more: Any) -> Row:  # noqa: ANN401 - what anybody may send
    (told,) = read_events(envelope(event, **more), mapping)
    assert not isinstance(told, Quarantined), told
    return told


def refused(event: Any, mapping: EventMapping = WEB, **more: Any) -> Quarantined:  # noqa: ANN401 - what anybody may send
    (told,) = read_events(envelope(event, **more), mapping)
    assert isinstance(told, Quarantined), told
    return told


def keys(event: Any, mapping: EventMapping = WEB, **more: Any) -> dict[str, str]:  # noqa: ANN401 - what anybody may send
    told: dict[str, str] = json.loads(read(event, mapping, **more)["keys"])
    return told


def flags(row: Row) -> list[str]:
    return str(json.loads(row["detail"]).get("flags", "")).split()


def track(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - what anybody may send
    return {"type": "track", "event": "Signed Up", "userId": "u1", "messageId": "m1"} | more


def test_the_id_of_an_event_without_one_is_made_from_its_content() -> None:
    event = {"event": "Signed Up", "properties": {"plan": "pro"}, "timestamp": "2026-01-02T03:04:05.000Z",
             "type": "track", "userId": "u1"}  # fmt: skip
    assert read(event)["id"] == "d-37442ae008c75da4b7092e846e27aad7"
    assert read(dict(reversed(event.items())))["id"] == "d-37442ae008c75da4b7092e846e27aad7"
    without_time = {name: value for name, value in event.items() if name != "timestamp"}
    one, other = read(without_time), read(without_time)
    assert one["id"] != other["id"], "two honest clicks must not become one"
    assert "no_dedupe" in flags(one)


def test_a_repeated_event_has_the_same_content_whatever_its_library_rewrites() -> None:
    first = track(sentAt="2026-01-02T03:04:05Z", _metadata={"retryCount": 0}, integrations={"All": True})
    again = track(sentAt="2026-01-02T03:09:05Z", _metadata={"retryCount": 3}, writeKey="k")
    other = track(properties={"plan": "pro"})
    same = [json.loads(read(event)["detail"])[SAME] for event in (first, again, other)]
    assert same[0] == same[1] != same[2]


@pytest.mark.parametrize(
    ("event", "kind", "text"),
    [
        (track(), "contact.created", None),
        (track(traits={"name": "Ann Lee"}), "contact.created", "Ann Lee"),
        (track(properties={"first_name": "Ann", "last_name": "Lee", "name": "Pro"}), "contact.created", "Ann Lee"),
        (track(event="  trial started "), "trial.started", "trial started"),
        (track(event="Something Of Ours"), "event.other", "Something Of Ours"),
        ({"type": "identify", "userId": "u1", "traits": {"firstName": "Ann", "lastName": "Lee"}},
         "person.identified", "Ann Lee"),
        ({"type": "page", "anonymousId": "a", "context": {"page": {"path": "/pricing?token=1"}}},
         "page.viewed", "/pricing"),
        ({"type": "screen", "userId": "u1", "name": "Home"}, "screen.viewed", "Home"),
        ({"type": "group", "userId": "u1", "groupId": 7, "traits": {"name": "Acme"}}, "account.grouped", "Acme"),
        ({"type": "alias", "userId": "u1", "previousId": "a"}, "identity.linked", None),
    ],
)  # fmt: skip
def test_each_type_of_call_is_a_kind_of_fact(event: dict[str, Any], kind: str, text: str | None) -> None:
    row = read(event)
    assert (row["kind"], row["text"]) == (kind, text)


@pytest.mark.parametrize(
    ("value", "read_as"),
    [
        ("u1", "u1"), (" u1 ", "u1"), (7, "7"), (123.0, "123"), (1.5, "1.5"), ({"a": 1}, '{"a":1}'),
        (2**70, str(2**70)),
        *[(nothing, None) for nothing in
          (None, "", "null", "NULL", "undefined", "NaN", 0, "0", -1, "anonymous", "[object Object]", True,
           "00000000-0000-0000-0000-000000000000", "x" * 256)],
    ],
)  # fmt: skip
def test_what_stands_for_nothing_is_no_id(value: object, read_as: str | None) -> None:
    assert identifier(value) == read_as


def test_strangers_without_an_id_are_not_joined() -> None:
    assert keys(track(userId="null", anonymousId="undefined")) == {}
    assert refused({"type": "page", "userId": "", "anonymousId": None}).rule == "no userId and no anonymousId"


def test_traits_are_found_wherever_a_library_puts_them() -> None:
    email = {"email": " Ann@Acme.example "}
    for event in (
        {"traits": email},
        {"context": {"traits": email}},
        {"context": {"traits": {"email": "old@x.y"}}, "traits": email},
    ):
        assert keys({"type": "identify", "userId": "u1"} | event, key="server")["email"] == "ann@acme.example"


def test_a_public_key_joins_no_two_people() -> None:
    """Anybody can say in a browser that they are somebody with the boss's address."""
    event = {"type": "identify", "userId": "u1", "anonymousId": "a", "traits": {"email": "boss@acme.example"}}
    assert keys(event) == {"user_id": "u1", "anonymous_id": "a"}
    assert "claimed_email" in flags(read(event))
    assert keys(event, key="server")["email"] == "boss@acme.example"
    assert keys(event, EventMapping("web", trust=True))["email"] == "boss@acme.example"
    del event["userId"]
    assert keys(event) == {"email": "boss@acme.example", "anonymous_id": "a"}, "a form: a visitor and one address"


def test_an_address_that_says_who_its_visitor_is_is_not_believed() -> None:
    page = {"url": "https://acme.example/?ajs_uid=boss&x=1", "search": "?ajs_uid=boss&x=1"}
    row = read({"type": "identify", "userId": "boss", "anonymousId": "a", "context": {"page": page, "groupId": "g"}})
    assert json.loads(row["keys"]) == {"account.product": "g"}
    assert "claimed_address" in flags(row)
    assert "ajs_uid" not in row["detail"]
    assert "x=1" in row["detail"]


def test_secrets_and_the_senders_address_are_not_kept() -> None:
    url = "https://acme.example/reset?token=s3cret&email=a%40b.c&step=2#top"
    row = read(track(context={"page": {"url": url}, "ip": "203.0.113.9"}, properties={"url": url}))
    assert "s3cret" not in row["detail"]
    assert "203.0.113.9" not in row["detail"]
    assert "step=2#top" in row["detail"]


def test_an_alias_joins_a_visitors_past_and_never_two_known_people() -> None:
    assert keys({"type": "alias", "userId": "u2", "previousId": "u1"}) == {"user_id": "u2", "anonymous_id": "u1"}
    assert refused({"type": "alias", "userId": "u2"}).rule == "an alias call without previousId"


def test_money_keeps_its_currency_or_gets_the_sources() -> None:
    euros = read(track(properties={"revenue": "12.50", "currency": "eur"}))
    assert (euros["amount"], euros["currency"]) == (Decimal("12.50"), "EUR")
    plain = track(properties={"revenue": 12.5})
    assert read(plain)["amount"] is None
    row = read(plain, EventMapping("web", currency="KRW"))
    assert (row["amount"], row["currency"], flags(row)) == (Decimal("12.5"), "KRW", ["default_currency"])
    assert read(track(properties={"revenue": "a lot", "currency": "EUR"}))["amount"] is None


def test_a_mapping_names_the_kind_and_where_each_field_comes_from() -> None:
    rule = TrackRule(
        "deal.won", {"object_id": "properties.deal", "amount": "properties.price", "currency": "properties.in"}
    )
    mapping = EventMapping("web", {"contract signed": rule})
    row = read(track(event="Contract Signed", properties={"deal": 77, "price": 9.9, "in": "EUR"}), mapping)
    assert [row[name] for name in ("kind", "object_id", "amount", "currency")] == [
        "deal.won",
        "77",
        Decimal("9.9"),
        "EUR",
    ]


def test_a_campaign_gives_channel_and_campaign() -> None:
    row = read(track(context={"campaign": {"medium": "cpc", "source": "google", "name": "Spring"}}))
    assert (row["channel"], row["campaign"]) == ("cpc", "Spring")


def test_a_batchs_context_stands_under_each_events_own() -> None:
    shared = {"groupId": "g1", "locale": "fr"}
    assert keys(track(), context=shared)["account.product"] == "g1"
    assert keys(track(context={"groupId": "g2"}), context=shared)["account.product"] == "g2"


HOUR, DAY, YEAR = timedelta(hours=1), timedelta(days=1), timedelta(days=365)


@pytest.mark.parametrize("wrong_by", [HOUR, -HOUR, DAY, -DAY, YEAR, -YEAR])
def test_a_browsers_clock_is_corrected_and_a_servers_is_not(wrong_by: timedelta) -> None:
    happened = AT - timedelta(minutes=10)
    event = track(timestamp=f"{happened + wrong_by}Z", sentAt=f"{AT + wrong_by}Z")
    assert read(event)["occurred_at"] == happened
    assert read(event, key="server")["occurred_at"] == min(happened + wrong_by, AT)
    assert read(event, clock=False)["occurred_at"] == min(happened + wrong_by, AT)
    assert read(event, EventMapping("web", clock="never"))["occurred_at"] == min(happened + wrong_by, AT)


@pytest.mark.parametrize(
    ("told", "read_as", "flag"),
    [
        ("2026-01-02T03:04:05.000Z", AT, None),
        ("2026-01-02T04:04:05+01:00", AT, None),
        ("2026-01-02T03:04:05", AT, "no_zone"),
        (1767323045, AT, "epoch_time"),
        (1767323045000, AT, "epoch_time"),
        ("1767323045000", AT, "epoch_time"),
        ("2026-01-02T03:04:08Z", AT, None),
        ("2027-01-01T00:00:00Z", AT, "future"),
        ("2024-02-30", AT, "bad_time"),
        ("soon", AT, "bad_time"),
        ({"at": 1}, AT, "bad_time"),
        (None, AT, None),
    ],
)
def test_times_are_read_as_libraries_write_them(told: object, read_as: datetime, flag: str | None) -> None:
    row = read(track(timestamp=told))
    assert row["occurred_at"] == read_as
    assert flags(row) == ([flag] if flag else [])


def test_the_original_time_goes_before_the_time() -> None:
    row = read(track(originalTimestamp="2026-01-01T00:00:00Z", timestamp="2026-01-02T00:00:00Z"), key="server")
    assert row["occurred_at"] == datetime(2026, 1, 1)  # noqa: DTZ001 - facts hold naive UTC


@pytest.mark.parametrize(
    ("event", "rule"),
    [
        (track(event=""), "a track call without event"),
        (track(event=5), "a track call without event"),
        ({"type": "group", "userId": "u"}, "a group call without groupId"),
        (track(type="buy"), "unknown type of call"),
        ({"userId": "u1"}, "unknown type of call"),
        (track(type="merge"), "a type of call that cannot be taken"),
        ([1], "not an object"),
        (b"5", "not an object"),
        (track(properties={"x": "y" * 33_000}), "an event of more than 32 KiB"),
    ],
)
def test_what_is_no_fact_is_kept_with_its_reason(event: object, rule: str) -> None:
    wrong = refused(event)
    assert wrong.rule == rule
    assert wrong.next_step
    assert wrong.event, "nothing is lost"


def test_the_type_of_the_address_holds_where_the_event_has_none() -> None:
    assert read({"userId": "u1"}, type="page")["kind"] == "page.viewed"
    assert refused(track(), type="page").rule == "the type in the event is not the type in the address"


def test_another_sources_key_in_an_event_is_refused() -> None:
    mine = digest_of_key("mine")
    assert read(track(writeKey="mine"), write_key=mine)["id"] == "m1"
    assert (
        refused(track(writeKey="theirs"), write_key=mine).rule
        == "the write key in the event is not the one of the request"
    )
    assert "theirs" not in refused(track(writeKey="theirs"), write_key=mine).event


def test_the_senders_address_and_secrets_are_kept_nowhere() -> None:
    """Those of the batch's context neither, of a fact or of none; that an address makes a claim is still seen."""
    around = {"ip": "192.0.2.7", "page": {"url": "https://a.example/?ajs_uid=boss&token=t0ken&x=1"}, "locale": "fr"}
    row = read(track(), context=around)
    wrong = refused(track(userId=None), context=around)
    for kept in (row["detail"], wrong.event):
        assert not [secret for secret in ("192.0.2.7", "boss", "t0ken") if secret in kept]
        assert "claimed_address" in kept
        assert "x=1" in kept
    assert around["ip"], "what is shared by the events of a batch stays as it is while they are read"


def test_one_bad_event_harms_no_other() -> None:
    told = list(read_events(envelope(track(messageId="a"), 5, {"type": "track"}, track(messageId="b")), WEB))
    assert [isinstance(one, Quarantined) for one in told] == [False, True, True, False]


def test_events_beyond_the_bound_of_a_batch_are_kept_with_a_reason() -> None:
    told = list(read_events(envelope(*[track(messageId=f"m{n}") for n in range(2_501)]), WEB))
    assert sum(isinstance(one, Quarantined) for one in told) == 1
    assert isinstance(told[-1], Quarantined)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"type":"track","event":"A\\ud800B","userId":"u1"}',
        b'{"type":"track","event":"A\\u0000B","userId":"u1"}',
        b'{"type":"track","event":"AB","userId":"u1","properties":{"x":1e309}}',
        b'{"type":"track","event":"A\xffB","userId":"u1"}',
    ],
)
def test_what_honest_libraries_send_and_json_is_not_is_mended(raw: bytes) -> None:
    row = read(raw)
    assert row["kind"] == "event.other"
    row["detail"].encode()
    assert "\0" not in row["text"] + row["detail"]
    assert "repaired" in flags(row)


def test_of_repeated_names_the_last_holds() -> None:
    assert read(b'{"type":"track","event":"A","event":"B","userId":"u1"}')["text"] == "B"
