"""Clicks and conversions: what the collector writes down of them, the facts that it becomes, and what it refuses."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from plait import inbox, live
from plait.measure import Cell
from plait.sources import clicks, conversions
from plait.sources.clicks import Click, Clicked
from plait.sources.conversions import BadConversion, conversion, normalised, reversal
from plait.sources.events import Envelope, EventMapping, Quarantined, Row, read_events
from plait.store import FACTS, REJECTS, SAME, Store, view_sql

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
AT = int(NOW.timestamp() * 1e6)
SALE = {"event": "sale", "external_id": "A-1", "event_time": "2026-11-25T12:00:00+01:00", "net": "49.90",
        "currency": "EUR"}  # fmt: skip
LEAD = {"event": "lead", "external_id": "L-1", "event_time": "2026-11-25T11:00:00Z"}
BACK = {"event": "sale", "key": "r1", "net": "10.00", "currency": "EUR", "reason": "returned"}


def envelope(key: str, *events: object, source: str = "shop") -> Envelope:
    return Envelope(AT, source, key, [msgspec.Raw(msgspec.json.encode(event)) for event in events])


def clicked(**more: Any) -> Row:  # noqa: ANN401 - fields of a click
    (row,) = clicks.read_clicks(envelope(clicks.KEY, Click("c1", "summer", 7, "P-01", **more)), EventMapping("links"))
    return row


def told(body: object) -> conversions.Told:
    return conversion(json.dumps(body).encode(), now=NOW)


def row(made: conversions.Conversion, mapping: EventMapping | None = None) -> Row:
    (read,) = conversions.read_conversions(envelope(conversions.KEY, made), mapping or EventMapping("shop"))
    return read


def refusal(body: object) -> tuple[str, str]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(BadConversion) as caught:
        conversion(raw, now=NOW)
    return caught.value.code, caught.value.field


def seal(home: Path, *envelopes: Envelope) -> None:
    """Let envelopes come in and be sealed."""
    inbox.folder_of(home).mkdir(parents=True, exist_ok=True)
    lines = b"".join(msgspec.json.encode(one) + b"\n" for one in envelopes)
    (inbox.folder_of(home) / f"{inbox.new_boot()}-000000001.jsonl").write_bytes(lines)
    live.seal(home, now=NOW)


def stored(home: Path, columns: str, table: str = "facts") -> list[tuple[Cell, ...]]:
    import duckdb

    store = Store.open(home)
    snapshot, schema = (store.snapshot(), FACTS) if table == "facts" else (store.refused(), REJECTS)
    with duckdb.connect() as db:
        db.execute(view_sql(table, snapshot, schema))
        return db.execute(f"select {columns} from {table} order by all").fetchall()


def test_a_click_is_a_fact_of_the_partner_and_of_nobody_else() -> None:
    """A click's id stands in an address, which people pass on: it joins nobody."""
    read = clicked(campaign="spring", consent="granted", bot="human", sub=["a", "", "c", "", ""])
    assert (read["id"], read["kind"], read["text"], read["partner"]) == ("c1", "link.clicked", "summer", "P-01")
    assert (read["campaign"], read["channel"], read["keys"]) == ("spring", None, "{}")
    assert json.loads(read["detail"]) == {
        "link": "7", "consent": "granted", "bot": "human", "sub1": "a", "sub3": "c",
    }  # fmt: skip


def test_clicks_are_counted_by_link_and_by_who_followed(tmp_path: Path) -> None:
    def some(code: str, partner: str, *who: str) -> list[Click]:
        return [Click(f"{code}-{n}", code, 1, partner, bot=one) for n, one in enumerate(who)]

    seal(tmp_path, envelope("link", *some("a", "P-01", "human", "bot", "bot"), *some("b", "P-02", "unknown")))
    assert live.clicks(tmp_path, since=NOW - timedelta(days=30)) == {"a": Clicked(1, 2, 0), "b": Clicked(0, 0, 1)}
    assert live.clicks(tmp_path, since=NOW - timedelta(days=30), partners=["P-02"]) == {"b": Clicked(0, 0, 1)}
    assert live.clicks(tmp_path, since=NOW - timedelta(days=30), partners=[]) == {}
    assert live.clicks(tmp_path, since=NOW + timedelta(seconds=1)) == {}


def test_a_line_that_cannot_be_read_holds_nothing_up(tmp_path: Path) -> None:
    seal(tmp_path, envelope("link", {"id": 17}), envelope("link", Click("c1", "a", 1, "P-01")))
    assert stored(tmp_path, "id") == [("c1",)]
    assert stored(tmp_path, "source, rule", "rejects") == [("shop", "an event that cannot be read")]


@pytest.mark.parametrize("name", ["lead:L-1", "sale:A-1", "reversal:sale:A-1:r1"])
def test_a_public_key_takes_no_conversions_id(name: str) -> None:
    """Else anybody who reads a page's key could send an event by that id before the order is told, and bar it."""
    event = {"type": "track", "event": "x", "userId": "u", "messageId": name}
    (by_page,) = read_events(envelope("web", event), EventMapping("shop"))
    (by_server,) = read_events(envelope("server", event), EventMapping("shop"))
    assert not isinstance(by_page, Quarantined)
    assert not isinstance(by_server, Quarantined)
    assert (by_page["id"], by_server["id"]) == (f"e-{name}", name)


def test_a_sale_is_an_order_and_a_lead_a_lead() -> None:
    sale = row(told(SALE | {"customer": {"email": "Jo@Shop.Example", "account": "co-7"}, "click_id": "c1"}).conversion)
    assert (sale["id"], sale["kind"], sale["object_id"]) == ("sale:A-1", "order.placed", "A-1")
    assert (sale["amount"], sale["currency"]) == (Decimal("49.90"), "EUR")
    assert sale["occurred_at"] == datetime(2026, 11, 25, 11)  # noqa: DTZ001 - facts hold naive UTC
    assert json.loads(sale["keys"]) == {"account.product": "co-7", "email": "jo@shop.example"}
    assert json.loads(sale["detail"])["click_id"] == "c1"
    lead = row(told(LEAD | {"customer": {"user_id": 17}}).conversion)
    assert (lead["id"], lead["kind"], lead["amount"], lead["keys"]) == (
        "lead:L-1", "lead.created", None, '{"user_id": "17"}',
    )  # fmt: skip


def test_the_account_is_known_by_the_key_that_the_source_names() -> None:
    made = told(SALE | {"customer": {"account": "co-7"}}).conversion
    assert json.loads(row(made, EventMapping("shop", account_key="account.crm"))["keys"]) == {"account.crm": "co-7"}


def test_an_amount_is_the_exact_sum_of_its_lines() -> None:
    lines = [{"sku": "a", "net": 0.1}, {"sku": "b", "qty": 3, "net": "0.2"}]
    body = {name: value for name, value in SALE.items() if name != "net"} | {"lines": lines}
    made = told(body).conversion
    assert made.amount == "0.3", "as floats it would be 0.30000000000000004"
    assert json.loads(made.detail["lines"]) == [{"sku": "a", "net": "0.1"}, {"sku": "b", "qty": "3", "net": "0.2"}]
    assert refusal(body | {"net": "0.31"}) == ("amounts_differ", "net")


@pytest.mark.parametrize(
    ("changed", "code", "field"),
    [
        ({"net": "1,234.50"}, "invalid_amount", "net"),
        ({"net": "1.234,50"}, "invalid_amount", "net"),
        ({"net": "-1"}, "invalid_amount", "net"),
        ({"net": "1e3"}, "invalid_amount", "net"),
        ({"net": 1e300}, "invalid_amount", "net"),
        ({"net": "0.00001"}, "invalid_amount", "net"),
        ({"net": "１２"}, "invalid_amount", "net"),
        ({"net": True}, "invalid_amount", "net"),
        ({"net": "9" * 15}, "invalid_amount", "net"),
        ({"net": None}, "missing_field", "net"),
        ({"currency": None}, "missing_field", "currency"),
        ({"currency": "EURO"}, "invalid_value", "currency"),
        ({"event": "purchase"}, "invalid_value", "event"),
        ({"event": ["sale"]}, "invalid_value", "event"),
        ({"external_id": ""}, "missing_field", "external_id"),
        ({"external_id": "x" * 201}, "invalid_value", "external_id"),
        ({"external_id": "a\nb"}, "invalid_value", "external_id"),
        ({"external_id": "a\0"}, "invalid_value", "external_id"),
        ({"event_time": None}, "missing_field", "event_time"),
        ({"event_time": "yesterday"}, "invalid_time", "event_time"),
        ({"event_time": 1764068400}, "invalid_time", "event_time"),
        ({"event_time": "2026-11-25T11:00:00"}, "invalid_time", "event_time"),
        ({"event_time": "2026-11-25T12:10:01Z"}, "invalid_time", "event_time"),
        ({"event_time": "2025-10-21T11:59:59Z"}, "invalid_time", "event_time"),
        ({"event_time": "0001-01-01T00:00:00+14:00"}, "invalid_time", "event_time"),
        ({"codes": "SUMMER"}, "invalid_value", "codes"),
        ({"codes": [1]}, "invalid_value", "codes"),
        ({"codes": ["x" * 41]}, "invalid_value", "codes"),
        ({"customer": "jo"}, "invalid_value", "customer"),
        ({"customer": {"mail": "x"}}, "unknown_field", "customer.mail"),
        ({"customer": {"user_id": "null"}}, "invalid_value", "customer.user_id"),
        ({"customer": {"email": "jo"}}, "invalid_value", "customer.email"),
        ({"lines": []}, "invalid_value", "lines"),
        ({"lines": [{"sku": "a"}]}, "invalid_amount", "lines[0].net"),
        ({"lines": [{"net": 1}, {"net": 1, "price": 2}]}, "unknown_field", "lines[1].price"),
        ({"test": "yes"}, "invalid_value", "test"),
        ({"amount": 1}, "unknown_field", "amount"),
    ],
)
def test_what_is_wrong_is_named_by_its_field(changed: dict[str, object], code: str, field: str) -> None:
    assert refusal({name: value for name, value in (SALE | changed).items() if value is not None}) == (code, field)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"\\ud800":1}', b"\xff", b"[" * 5000, b'{"net":NaN}'])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    assert refusal(body)[0] in ("invalid_json", "invalid_value")


def test_a_time_a_little_ahead_is_taken_for_now() -> None:
    made = told(SALE | {"event_time": "2026-11-25T12:09:59Z"}).conversion
    assert row(made)["occurred_at"] == row(made)["recorded_at"]


@pytest.mark.parametrize("text", ["SUMMER10", "summer10", " Sum mer\t10 ", "ＳＵＭＭＥＲ１０", "sum\u00a0mer10"])
def test_a_promo_code_is_written_one_way(text: str) -> None:
    assert normalised(text) == "SUMMER10"
    assert normalised(normalised("\u1fd7")) == normalised("\u1fd7")
    assert told(SALE | {"codes": [text, "summer 10", " "]}).codes == ("SUMMER10",)


def test_the_same_told_again_is_one_fact_and_other_content_is_quarantined(tmp_path: Path) -> None:
    """
    sale A-1  49.90, its JSON laid out in three ways  one fact
    sale A-1  59.90                                   quarantined: an order has one amount
    """
    for body in (SALE, dict(reversed(SALE.items())), SALE | {"net": 49.9, "currency": "eur"}):
        seal(tmp_path, envelope("conversion", told(body).conversion))
    seal(tmp_path, envelope("conversion", told(SALE | {"net": "59.90"}).conversion))
    assert stored(tmp_path, "id, amount") == [("sale:A-1", Decimal("49.9000"))]
    assert stored(tmp_path, "rule, value", "rejects") == [("id_conflict", "sale:A-1")]


def test_a_partner_found_later_does_not_make_a_repeat_another_order(tmp_path: Path) -> None:
    """A promo code that is entered between a call and its repeat: the first call counts."""
    first, second = told(SALE).conversion, told(SALE).conversion
    second.partner = "P-01"
    seal(tmp_path, envelope("conversion", first), envelope("conversion", second))
    assert stored(tmp_path, "id, partner") == [("sale:A-1", None)]
    assert stored(tmp_path, "rule", "rejects") == []


def test_a_reversal_is_money_that_goes_back() -> None:
    back = row(reversal("A-1", json.dumps(BACK).encode(), now=NOW))
    assert (back["id"], back["kind"], back["object_id"]) == ("reversal:sale:A-1:r1", "payment.refunded", "A-1")
    assert (back["amount"], back["currency"], back["text"]) == (Decimal("10.00"), "EUR", "returned")
    later = row(reversal("A-1", json.dumps(BACK).encode(), now=NOW + timedelta(days=1)))
    assert json.loads(back["detail"])[SAME] == json.loads(later["detail"])[SAME], "told again it is the same"


def test_a_lead_that_is_undone_is_closed() -> None:
    body = {"event": "lead", "key": "r1", "reason": "no budget"}
    closed = row(reversal("L-1", json.dumps(body).encode(), now=NOW))
    assert (closed["id"], closed["kind"], closed["amount"]) == ("reversal:lead:L-1:r1", "lead.disqualified", None)


@pytest.mark.parametrize(
    ("changed", "field"),
    [({"net": None}, "net"), ({"net": 0}, "net"), ({"key": None}, "key"), ({"reason": None}, "reason"),
     ({"currency": None}, "currency"), ({"lines": []}, "lines")],
)  # fmt: skip
def test_a_reversal_says_how_much_and_why(changed: dict[str, object], field: str) -> None:
    body = {name: value for name, value in (BACK | changed).items() if value is not None}
    with pytest.raises(BadConversion) as caught:
        reversal("A-1", json.dumps(body).encode(), now=NOW)
    assert caught.value.field == field


def test_two_reversals_never_share_an_id() -> None:
    """Order `a:b` with key `c`, and order `a` with key `b:c`."""
    one = reversal("a:b", json.dumps(BACK | {"key": "c"}).encode(), now=NOW)
    two = reversal("a", json.dumps(BACK | {"key": "b:c"}).encode(), now=NOW)
    assert one.id != two.id
