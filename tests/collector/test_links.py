"""Tracked links and conversions: nobody is led elsewhere, no id exists that is not on disk, nothing counts twice."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, unquote

import pytest

from plait import duck
from plait.inbox import Inbox, folder_of
from plait.store import FACTS, Store, view_sql
from plait.web.collector.answers import Refused
from plait.web.collector.links import Known, KnownLink, Links
from plait.web.collector.looking import Looking

from .served import Served, collected

if TYPE_CHECKING:
    from uvicorn._types import HTTPScope

FUZZED = int(os.environ.get("PLAIT_FUZZ", "100000"))
SEED = int(os.environ.get("PLAIT_SEED", str(random.randrange(10**6))))  # noqa: S311 - printed, to be repeated
BROWSER = b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
EVIL = (
    "https://evil.example/", "http://evil.example", "//evil.example", "///evil.example", r"\\evil.example",
    r"/\evil.example", r"https:\\evil.example", "https:evil.example", "https:/evil.example", "javascript:alert(1)",
    "JaVaScRiPt:alert(1)", "data:text/html,<script>alert(1)</script>", "vbscript:x", "file:///etc/passwd",
    "https://shop.example@evil.example/", "https://shop.example:443@evil.example/", "https://a:b@deep.example/",
    "https://deep.example.evil.example/", "https://evil.example/?u=https://deep.example/", "https://deepexample/",
    "https://deep.example%2eevil.example/", "https://deep.example%40evil.example/", "https://deep.example\\@evil.example",
    "https://deep.example\r\nLocation: https://evil.example/", "https://deep.example/\r\nSet-Cookie: a=b",
    "https://dеер.example/", "https://ｄeep.example.evil.example/", "https://deep。example.evil.example",
    "https://xn--dp-fka.example/", "https://[::ffff:1.2.3.4]/", "https://2130706433/", "https://deep.example:8443/",
    "https://deep.example#@evil.example/", "https://deep.example?@evil.example/", "https://evil.example\0.deep.example",
    "https://deep.example/%0d%0aLocation:%20https://evil.example", "https://deep.example//evil.example/..;/",
    "https://deep.example/" + "a" * 5000, "https://\u202edeep.example/", "https://deep.example\t/", " https://deep.example/x",
    "https://deep.example/ok?next=https://evil.example&click_id=stolen", "", "%", "%zz",
)  # fmt: skip
NAMES = (*("u",) * 6, "url", "next", "to", "redirect", "redir_url", "target", "sub1", "sub5", "click_id", "utm_source",
         "utm_\r\nx", "utm_campaign", "consent", "code", "", "u[]", "U")  # fmt: skip
CODES = (
    *("plain", "deep", "deep") * 6, "PLAIN", "query", "ended", "gone", "none", "../deep", "plain/..", "plain%2f..",
    "plain;x", "/evil.example", "%5cevil.example", "https://evil.example", "plain%00", "", ".", "%0d%0aplain",
    "d" * 3000,
)  # fmt: skip
FIELDS = ("host", "referer", "x-forwarded-host", "x-forwarded-proto", "user-agent", "sec-gpc", "purpose", "origin")
ALLOWED = re.compile(
    r"https://shop\.example/landing(\?[!-~]*)?(#top)?|https://deep\.example/[!-~]*|https://firm\.example/gone"
)
Json = dict[str, Any]


def link(code: str, target: str = "https://shop.example/landing", **more: Any) -> KnownLink:  # noqa: ANN401 - fields
    made = KnownLink(1, code, "links", target, "P-01", "", "", "click_id", hosts=(), fallback="", ended=False)
    return replace(made, **more)


KNOWN = {
    one.code: one
    for one in (
        link("plain"),
        link("query", "https://shop.example/landing?a=1&utm_source=ours#top"),
        link("deep", hosts=("deep.example",)),
        link("ended", ended=True, fallback="https://firm.example/gone"),
        link("gone", ended=True),
    )
}


def links(keep: Callable[[str, bytes, int, int], Awaitable[None]]) -> Links:
    """Give links that are known without a database."""
    made = Links(keep)
    made.looking = Looking("links", Known(KNOWN), lambda known: known)
    made.looking._looked_at = time.monotonic() + 3600  # what is not known is not looked for
    return made


def asked(raw: str, method: str = "GET") -> HTTPScope:
    """Give a request as a server hands it over: the path decoded, the query as it came."""
    path, _, query = raw.partition("?")
    told = {"path": unquote(path), "method": method, "query_string": query.encode("utf-8", "replace"), "scheme": "http"}
    return cast("HTTPScope", told)


async def kept(*_: object) -> None:
    """Keep a line at once."""


async def follow(
    followed: Links, raw: str, headers: Mapping[bytes, bytes] | None = None, method: str = "GET"
) -> tuple[int, str]:
    """Follow a link; give the status and where it leads."""
    answer = await followed.follow(asked(raw, method), {b"user-agent": BROWSER} if headers is None else headers)
    return answer.status, dict(answer.headers).get(b"location", b"").decode("ascii")


def one(raw: str, headers: Mapping[bytes, bytes] | None = None, method: str = "GET") -> tuple[int, str, Json]:
    """Follow one link; give the status, where it leads and the click that was kept."""
    lines: list[bytes] = []

    async def keep(_source: str, line: bytes, _events: int, _quota: int) -> None:
        lines.append(line)

    status, location = asyncio.run(follow(links(keep), raw, headers, method))
    return status, location, json.loads(lines[0])["events"][0] if lines else {}


def hostile(chance: random.Random) -> tuple[str, dict[bytes, bytes], str]:
    """Make up a request that tries to be led elsewhere."""

    def told() -> str:
        text = chance.choice(EVIL)
        if chance.random() < 0.2:
            place = chance.randrange(len(text) + 1)
            text = text[:place] + chance.choice("\\/@:#?%\r\n\t\0.。\u200b&=;") + text[place:]
        for _ in range(chance.choice((0, 1, 1, 2))):
            text = quote(text, safe=chance.choice(("", ":/", ":/?&=@#\\")))
        return text

    pairs = [f"{chance.choice(NAMES)}{chance.choice('=' * 8 + '%')}{told()}" for _ in range(chance.randrange(5))]
    path = (
        f"/{chance.choice('rc')}/{chance.choice(CODES)}{chance.choice(('', '', '/', '//evil.example', '%2f%2fevil'))}"
    )
    raw = path + ("?" + chance.choice("&&&;").join(pairs) if pairs else "")
    headers = {name.encode(): told().encode("utf-8", "replace") for name in chance.sample(FIELDS, chance.randrange(4))}
    return raw, headers, chance.choice(("GET", "GET", "GET", "HEAD", "POST"))


@pytest.mark.slow
def test_nobody_is_led_to_a_host_that_is_not_stored() -> None:
    """Whatever an address tries, the answer begins with a stored host, or one that the link allows, and a slash."""
    print(f"seed {SEED}, {FUZZED} addresses")  # noqa: T201
    chance = random.Random(SEED)  # noqa: S311 - to be repeated
    wrong, seen, deeper = [], {302: 0, 404: 0, 405: 0}, 0

    async def some(requests: list[tuple[str, dict[bytes, bytes], str]]) -> None:
        nonlocal deeper
        followed = links(kept)
        answers = await asyncio.gather(*(follow(followed, *one) for one in requests))
        for request, (status, location) in zip(requests, answers, strict=True):
            seen[status] += 1
            deeper += location.startswith("https://deep.example/")
            if (status == 302) != bool(location) or (location and not ALLOWED.fullmatch(location)):
                wrong.append((request, status, location))

    for _ in range(0, FUZZED, 1000):
        asyncio.run(some([hostile(chance) for _ in range(1000)]))
    assert wrong == []
    assert min(*seen.values(), 20 * deeper) > FUZZED / 50, "each answer was tried"


@pytest.mark.parametrize(
    ("given", "leads"),
    [
        ("https://deep.example/offer?a=1#top", "https://deep.example/offer?a=1&"),
        ("HTTPS://DEEP.example:443/offer", "https://deep.example/offer?"),
        ("https://deep.example/ä", "https://deep.example/%C3%A4?"),
        ("https://deep.example/offer?click_id=stolen&b=2", "https://deep.example/offer?b=2&"),
        ("http://deep.example/offer", "https://shop.example/landing?"),
        ("https://user@deep.example/offer", "https://shop.example/landing?"),
        ("https://evil.example/offer", "https://shop.example/landing?"),
    ],
)
def test_a_deep_link_leads_to_hosts_that_its_link_allows(given: str, leads: str) -> None:
    status, location, click = one(f"/r/deep?u={quote(given, safe='')}")
    assert status == 302
    tail = "#top" if given.endswith("#top") else ""
    assert location == f"{leads}click_id={click['id']}{tail}"
    assert one(f"/r/plain?u={quote(given, safe='')}")[1].startswith("https://shop.example/landing?click_id=")


def test_campaign_parameters_are_passed_on_and_sub_parameters_are_not() -> None:
    _, location, click = one("/r/plain?utm_source=blog%20a&sub1=x&sub3=%E2%82%AC&utm_medium=mail&other=1&sub6=no")
    assert location == f"https://shop.example/landing?utm_source=blog%20a&utm_medium=mail&click_id={click['id']}"
    assert click["sub"] == ["x", "", "€", "", ""]
    assert "no" not in click.values()


def test_what_the_target_says_itself_stays() -> None:
    _, location, click = one("/r/query?utm_source=theirs&utm_term=t")
    assert location == f"https://shop.example/landing?a=1&utm_source=ours&utm_term=t&click_id={click['id']}#top"


def test_a_code_may_be_typed_in_capitals() -> None:
    assert one("/c/PLAIN/")[1].startswith("https://shop.example/landing?click_id=")


def test_a_link_that_ended_leads_to_its_fallback_without_a_click() -> None:
    assert one("/r/ended?utm_source=x") == (302, "https://firm.example/gone", {})
    assert one("/r/gone") == (404, "", {})
    assert one("/r/none") == (404, "", {})


@pytest.mark.parametrize(
    ("raw", "headers"),
    [
        ("/r/plain?sub1=x&consent=denied", {}),
        ("/r/plain?sub1=x&consent=granted&consent=denied", {}),
        ("/r/plain?sub1=x", {b"sec-gpc": b"1"}),
        ("/r/plain?sub1=x&consent=granted", {b"sec-gpc": b"1"}),
        ("/r/plain?consent=granted&" + "x" * 9000, {}),
        ("/r/plain?consent=granted&" + "a=1&" * 200, {}),
    ],
)
def test_who_denies_consent_goes_on_without_an_id_and_is_only_counted(raw: str, headers: dict[bytes, bytes]) -> None:
    """The last two say more than is read: what was not read may deny."""
    given = {b"user-agent": BROWSER, b"referer": b"https://blog.example/post"} | headers
    _, location, click = one(raw, given)
    assert location == "https://shop.example/landing"
    assert click["consent"] == "denied"
    assert not {"sub", "referrer_host"} & set(click)


@pytest.mark.parametrize(("query", "consent"), [("consent=granted", "granted"), ("consent=maybe", None), ("", None)])
def test_consent_is_kept_beside_the_click(query: str, consent: str | None) -> None:
    _, location, click = one(
        f"/r/plain?{query}", {b"user-agent": BROWSER, b"referer": b"https://Blog.Example/a?secret=1"}
    )
    assert click.get("consent") == consent, "where nothing is said it is unknown"
    assert click["referrer_host"] == "blog.example"
    assert click["id"] in location


@pytest.mark.parametrize(
    ("method", "headers", "who", "reason"),
    [
        ("GET", {b"user-agent": BROWSER}, "human", "browser"),
        ("HEAD", {b"user-agent": BROWSER}, "bot", "head"),
        ("GET", {b"user-agent": BROWSER, b"sec-purpose": b"prefetch;prerender"}, "bot", "prefetch"),
        ("GET", {b"user-agent": BROWSER, b"purpose": b"Prefetch"}, "bot", "prefetch"),
        ("GET", {b"user-agent": BROWSER, b"sec-purpose": b"other"}, "human", "browser"),
        ("GET", {}, "bot", "no_user_agent"),
        ("GET", {b"user-agent": b"  "}, "bot", "no_user_agent"),
        ("GET", {b"user-agent": b"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"},
         "bot", "known_bot"),
        ("GET", {b"user-agent": b"Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"}, "bot", "known_bot"),
        ("GET", {b"user-agent": b"Our own reader 3"}, "unknown", "no_browser"),
        ("GET", {b"user-agent": b"\xff" * 5000}, "unknown", "no_browser"),
    ],
)  # fmt: skip
def test_a_stated_rule_tells_bots_from_people(method: str, headers: dict[bytes, bytes], who: str, reason: str) -> None:
    """Bots are led on like people; which clicks count is judged later, by verdict and version of the rule."""
    status, location, click = one("/r/plain", headers, method)
    assert (status, click.get("bot", "unknown"), click["bot_reason"]) == (302, who, reason)
    assert re.fullmatch(r"1/crawler-user-agents-[\d.]+", click["bot_rule"])
    assert click["id"] in location


def test_neither_address_nor_browser_is_kept(tmp_path: Path) -> None:
    inbox, keep = on_disk(tmp_path)
    headers = {
        b"user-agent": BROWSER,
        b"x-forwarded-for": b"203.0.113.7",
        b"referer": b"https://blog.example/post?who=jo",
    }
    asyncio.run(follow(links(keep), "/r/plain?sub1=x", headers))
    inbox.close()
    held = written(tmp_path)
    assert "Firefox" not in held
    assert "203.0.113.7" not in held
    assert "who=jo" not in held


def on_disk(home: Path) -> tuple[Inbox, Callable[[str, bytes, int, int], Awaitable[None]]]:
    """Give a real inbox, and what keeps a line in it as the collector does."""

    def tell(waiters: list[Any], error: BaseException | None) -> None:
        for loop, waiter in waiters:
            told = (waiter.set_exception, error) if error else (waiter.set_result, None)
            loop.call_soon_threadsafe(*told)

    inbox = Inbox.open(home, tell)

    async def keep(_source: str, line: bytes, _events: int, _quota: int) -> None:
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        inbox.append(line, (loop, waiter))
        try:
            await waiter
        except OSError as error:
            raise Refused(503, "storage_unavailable", "full") from error

    return inbox, keep


def written(home: Path) -> str:
    return "".join(path.read_text() for path in folder_of(home).iterdir())


def test_a_click_is_on_disk_before_its_visitor_goes_on(tmp_path: Path) -> None:
    inbox, keep = on_disk(tmp_path)

    async def visit() -> None:
        followed = links(keep)

        async def visitor() -> None:
            _, location = await follow(followed, "/r/plain")
            assert location.partition("click_id=")[2] in written(tmp_path)

        for _ in range(5):
            await asyncio.gather(*(visitor() for _ in range(20)))

    asyncio.run(visit())
    inbox.close()


def test_where_the_disk_refuses_visitors_go_on_without_an_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No id exists that is not recorded; once the disk takes lines again, ids are given again."""
    inbox, keep = on_disk(tmp_path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", full)
        assert asyncio.run(follow(links(keep), "/r/plain")) == (302, "https://shop.example/landing")
    _, location = asyncio.run(follow(links(keep), "/r/plain"))
    assert location.partition("click_id=")[2] in written(tmp_path)
    inbox.close()


def test_a_disk_that_hangs_holds_nobody_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plait.web.collector.links.PATIENCE", 0.1)

    async def never(*_: object) -> None:
        await asyncio.sleep(60)

    began = time.monotonic()
    assert asyncio.run(follow(links(never), "/r/plain")) == (302, "https://shop.example/landing")
    assert time.monotonic() - began < 5


def test_ids_rise_with_time_and_say_nothing_of_the_partner() -> None:
    first = one("/r/plain")[2]["id"]
    time.sleep(0.002)
    second = one("/r/plain")[2]["id"]
    assert first < second
    assert re.fullmatch(r"[0-9a-v]{24}", first)
    assert int(first[:10], 32) >> 2 == pytest.approx(time.time() * 1000, abs=60_000)  # noqa: TID251 - a test of ids


# -- with real processes


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, str, str]]:
    """Serve a collector with links and codes; give it with a server key and a web key.

    SUMMER is P-01's until September, then P-02's; BOTH1 and BOTH2 are two partners' at once.
    """
    with collected(tmp_path_factory.mktemp("links") / "home") as served:
        plait = served.plait
        plait(
            "link",
            "add",
            "https://shop.example/landing",
            "--partner",
            "P-01",
            "--campaign",
            "spring",
            "--code",
            "plain",
        )
        for code, partner, first, last in (
            ("SUMMER", "P-01", "2025-12-01", "2026-09-30"), ("SUMMER", "P-02", "2026-10-01", "2030-12-31"),
            ("BOTH1", "P-01", "2025-01-01", "2030-12-31"), ("BOTH2", "P-02", "2025-01-01", "2030-12-31"),
        ):  # fmt: skip
            plait("code", "add", code, "--partner", partner, "--from", first, "--to", last)
        server, web = served.add(("shop", "--server"), ("shop",))
        yield served, server, web


def facts(served: Served, columns: str, where: str) -> list[tuple[Any, ...]]:
    """Give facts once all is sealed."""
    served.sealed()
    store = Store.open(served.home)
    with duck.connect(store.spill) as db:
        db.execute(view_sql("facts", store.snapshot(), FACTS))
        return db.execute(f"select {columns} from facts where {where} order by all").fetchall()


def at(**ago: float) -> str:
    return (datetime.now(UTC) - timedelta(**ago)).isoformat()  # noqa: TID251 - a sender's clock


def sale(number: str, **more: object) -> Json:
    return {"event": "sale", "external_id": number, "event_time": at(hours=1), "net": "10", "currency": "EUR"} | more


def test_from_a_link_to_an_order(shop: tuple[Served, str, str]) -> None:
    """Somebody follows a partner's link and orders; the order names the click."""
    served, key, _ = shop
    told = served.get("/r/plain?sub1=blog", {"User-Agent": BROWSER.decode(), "Referer": "https://blog.example/a"})
    assert told.status == 302
    assert told.headers["cache-control"] == "no-store"
    assert told.headers["x-robots-tag"] == "noindex"
    assert told.headers["referrer-policy"] == "no-referrer-when-downgrade"
    click = told.headers["location"].partition("https://shop.example/landing?click_id=")[2]
    assert served.post("/v1/conversions", sale("A-1", click_id=click), key).json == {"success": True}
    clicked = facts(served, "kind, text, partner, campaign, keys", f"id = '{click}'")
    assert clicked == [("link.clicked", "plain", "P-01", "spring", "{}")]
    where = f"json_extract_string(detail, '$.click_id') = '{click}'"
    assert facts(served, "id, kind, amount", where) == [("sale:A-1", "order.placed", Decimal("10.0000"))]


def test_a_link_made_a_moment_ago_works(shop: tuple[Served, str, str]) -> None:
    served, _, _ = shop
    made = json.loads(served.plait("link", "add", "https://shop.example/new", "--partner", "P-01", "--json"))
    until = time.monotonic() + 10
    while served.get(made["path"]).status != 302:
        assert time.monotonic() < until
        time.sleep(0.1)
    served.plait("link", "end", made["code"])
    while served.get(made["path"]).status != 404:
        assert time.monotonic() < until + 10
        time.sleep(0.1)


def test_a_hundred_deliveries_at_once_are_one_order(shop: tuple[Served, str, str]) -> None:
    served, key, _ = shop
    body = sale("A-100", customer={"user_id": "u1"})
    with ThreadPoolExecutor(16) as pool:
        told = list(pool.map(lambda _: served.post("/v1/conversions", body, key).status, range(100)))
    assert set(told) == {200}
    assert facts(served, "id", "object_id = 'A-100'") == [("sale:A-100",)]
    assert "A-100" not in str(served.refused("shop"))


def test_what_is_undone_is_undone_once(shop: tuple[Served, str, str]) -> None:
    served, key, _ = shop
    served.post("/v1/conversions", sale("A/7 x"), key)
    path = "/v1/conversions/A%2F7%20x/reversals"
    for reversal, net in (("r1", "4"), ("r1", "4"), ("r2", "6.00")):
        body = {"event": "sale", "key": reversal, "net": net, "currency": "EUR", "reason": "returned"}
        assert served.post(path, body, key).status == 200
    undone = facts(served, "id, amount, text", "object_id = 'A/7 x' and kind = 'payment.refunded'")
    assert undone == [
        ("reversal:sale:A/7 x:r1", Decimal("4.0000"), "returned"),
        ("reversal:sale:A/7 x:r2", Decimal("6.0000"), "returned"),
    ]


@pytest.mark.parametrize(
    ("number", "codes", "ago", "partner"),
    [
        ("C-1", [" sum mer"], {"hours": 1}, "P-02"),
        ("C-2", ["summer"], {"days": 90}, "P-01"),
        ("C-3", ["NONE"], {"hours": 1}, None),
        ("C-4", ["both1", "BOTH2"], {"hours": 1}, None),
        ("C-5", ["both1", "BOTH1", "none"], {"hours": 1}, "P-01"),
    ],
)
def test_a_promo_code_names_the_partner_who_had_it_then(
    shop: tuple[Served, str, str], number: str, codes: list[str], ago: dict[str, float], partner: str | None
) -> None:
    served, key, _ = shop
    assert served.post("/v1/conversions", sale(number, codes=codes, event_time=at(**ago)), key).status == 200
    assert facts(served, "partner", f"object_id = '{number}'") == [(partner,)]


def test_a_test_is_checked_and_not_stored(shop: tuple[Served, str, str]) -> None:
    served, key, _ = shop
    assert served.post("/v1/conversions", sale("T-1", test=True), key).json == {"success": True}
    refused = served.post("/v1/conversions", sale("T-1", test=True, net="1,234.50"), key)
    assert (refused.status, refused.json["code"], refused.json["field"]) == (422, "invalid_amount", "net")
    assert facts(served, "id", "object_id = 'T-1'") == []


def test_only_a_servers_key_tells_of_money(shop: tuple[Served, str, str]) -> None:
    served, key, web = shop
    path = "/v1/conversions"
    assert served.post(path, sale("W-1"), web).json["code"] == "server_key_required"
    assert served.post(path, sale("W-1"), web).status == 403
    assert served.post(path, sale("W-1")).status == 401
    assert served.post(path, sale("W-1"), "wrong").status == 401
    assert served.post(path, sale("W-1"), key, {"Origin": "https://shop.example"}).status == 403
    assert served.get(path).status == 405
    assert served.post("/v1/conversions/W-1", sale("W-1"), key).status == 404
    assert facts(served, "id", "object_id = 'W-1'") == []
    assert served.post(path, sale("W-2"), headers={"Authorization": f"Bearer {key}"}).status == 200


@pytest.mark.parametrize("path", ["/r/plain", "/r/nope", "/r/", "/c/plain?u=//evil.example"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_no_answer_is_an_error_of_ours(shop: tuple[Served, str, str], method: str, path: str) -> None:
    told = shop[0].ask(method, path)
    asks = method in ("GET", "HEAD")
    assert told.status == ((302 if "plain" in path else 404) if asks else 405)
    assert told.headers.get("location", "https://shop.example/landing?").startswith("https://shop.example/landing?")


def test_raw_requests_are_led_nowhere_else(shop: tuple[Served, str, str]) -> None:
    """Requests that no client library would send."""
    served, _, _ = shop
    for target in (
        b"/r/plain\\..\\evil", b"//evil.example/r/plain", b"http://evil.example/r/plain", b"/r/plain?utm_a=\xff\xfe",
        b"/r/plain?utm_a=%0d%0aSet-Cookie:a", b"/r/plain%0d%0ax", b"/r/plain#@evil.example",
        b"/r/plain?u=//evil.example",
    ):  # fmt: skip
        with socket.create_connection(("127.0.0.1", served.port), 10) as connection:
            connection.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
            told = b"".join(iter(lambda: connection.recv(65536), b""))
        assert told[9:10] in b"234", told
        assert b"\r\nset-cookie" not in told.lower()
        found = re.search(rb"\r\nlocation: ([^\r]*)", told)
        assert found is None or found[1].startswith(b"https://shop.example/landing?")


@pytest.mark.slow
def test_a_killed_collector_loses_no_click_that_it_gave_an_id(tmp_path: Path) -> None:
    """Killed while visitors follow a link; every id that a visitor took along is a fact, and once."""
    with collected(tmp_path / "home", kept="127.0.0.1") as served:
        served.plait("link", "add", "https://shop.example/", "--partner", "P-01", "--code", "plain")
        ids: list[str] = []
        over = threading.Event()

        def visit() -> None:
            while not over.is_set():
                try:
                    location = served.get("/r/plain").headers.get("location", "")
                except (OSError, ValueError):
                    continue
                if "click_id=" in location:
                    ids.append(location.partition("click_id=")[2])

        visitors = [threading.Thread(target=visit) for _ in range(6)]
        for visitor in visitors:
            visitor.start()
        for _ in range(4):
            time.sleep(1.5)
            served.stop(signal.SIGKILL)
            served.start()
            served.wait()
        over.set()
        for visitor in visitors:
            visitor.join()
        stored = [row[0] for row in facts(served, "id", "kind = 'link.clicked'")]
    assert len(ids) > 100
    assert set(ids) <= set(stored)
    assert len(stored) == len(set(stored))
