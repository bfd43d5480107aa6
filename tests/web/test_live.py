"""Live sources in the browser: keys made and ended, mappings saved, what came in, and how its events read."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from plait import desk, live
from plait.facts import Fact
from plait.inbox import Inbox
from plait.sources.events import Envelope
from plait.web import event, reader
from plait.web.collector import sources
from plait.web.collector.models import LiveSource, WriteKey
from plait.web.people.models import AuditEntry, digest_of
from plait.web.work import jobs
from plait.web.work.models import Job

from .test_sayings import ENGLISH, spoken

ClientOf = Callable[[str], Client]
pytestmark = pytest.mark.django_db
NOW = timezone.now()
SIGNED_UP = {"type": "track", "userId": "u-1", "event": "Signed Up", "context": {"groupId": "co-7"}}


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a home of its own in which nothing has come in yet."""
    monkeypatch.setattr(settings, "HOME", tmp_path)
    reader.results.cache_clear()
    yield tmp_path
    reader.results.cache_clear()


def text(client: Client, address: str) -> str:
    return html.unescape(client.get(address).content.decode())


def come_in(
    home: Path,
    source: str,
    events: Sequence[object],
    *,
    received: datetime = NOW,
    after: float = 2,
    key: str = "server",
) -> None:
    """Let events come in and be sealed, `after` some seconds."""
    raw = [msgspec.Raw(json.dumps(one).encode()) for one in events]
    envelope = Envelope(int(received.timestamp() * 1e6), source, key, raw)
    inbox = Inbox.open(home, lambda _waiters, _error: None)
    inbox.append(msgspec.json.encode(envelope), None)
    inbox.close()
    live.seal(home, now=received + timedelta(seconds=after))


def test_a_web_key_is_shown_whole(client_of: ClientOf, empty: Path) -> None:  # noqa: ARG001
    ida = client_of("ida")
    given = {"name": "site", "sort": "web", "origins": "https://WWW.Company.example:443/ http://localhost:3000"}
    assert ida.post("/data/live/", given).headers["Location"] == "/data/live/site/"
    key = WriteKey.objects.get(source__name="site")
    assert key.origins == ["https://www.company.example", "http://localhost:3000"], "as browsers send them"
    for page in (text(ida, "/data/live/"), text(ida, "/data/live/site/")):
        assert f'data-copy="{key.shown}"' in page
        assert "https://www.company.example" in page
        assert "Ida Novak" in page
    assert key.digest == digest_of(key.shown)


def test_a_server_key_is_shown_whole_only_when_it_is_made(client_of: ClientOf, empty: Path) -> None:  # noqa: ARG001
    ida = client_of("ida")
    answer = ida.post("/data/live/", {"name": "shop", "sort": "server", "quota": "50"})
    secret = re.findall(r'data-copy="([\w-]{32})"', answer.content.decode())[0]
    assert f"curl http://testserver/v1/track -u {secret}:" in html.unescape(answer.content.decode())
    later = text(ida, "/data/live/shop/") + text(ida, "/data/live/")
    assert secret not in later
    assert f"{secret[:10]}…" in later
    assert "at most 50 events a second" in later


def test_a_key_is_changed_by_adding_another_and_ending_the_old(
    client_of: ClientOf,
    empty: Path,  # noqa: ARG001
) -> None:
    ida = client_of("ida")
    sources.add("shop", sort="web")
    old = WriteKey.objects.get()
    assert ida.post("/data/live/shop/keys/", {"sort": "web"}).status_code == 302
    assert WriteKey.objects.filter(revoked_at=None).count() == 2, "both work meanwhile"
    page = text(ida, "/data/live/shop/")
    assert "add another one" in page
    assert "on the command line" in page
    ida.post(f"/data/live/shop/keys/{old.pk}/end/")
    assert not WriteKey.objects.filter(pk=old.pk, revoked_at=None).exists()
    assert f'data-copy="{old.shown}"' not in text(ida, "/data/live/shop/")
    assert ida.post(f"/data/live/shop/keys/{old.pk}/end/").status_code == 404
    told = AuditEntry.objects.filter(subject="shop").order_by("id").values_list("action", "actor__name")
    assert list(told) == [("source.added", None), ("key.added", "Ida Novak"), ("key.ended", "Ida Novak")]


def test_every_change_is_written_down(client_of: ClientOf, empty: Path) -> None:  # noqa: ARG001
    ida = client_of("ida")
    sources.add("shop", sort="web", origins=["https://a.example"])
    key = WriteKey.objects.get()
    ida.post(f"/data/live/shop/keys/{key.pk}/origins/", {"origins": "https://b.example"})
    ida.post("/data/live/shop/quota/", {"quota": "20"})
    ida.post("/data/live/shop/quota/", {"quota": "20"})
    ida.post("/data/live/shop/mapping/", {"mapping": 'currency = "EUR"', "save": "1"})
    told = AuditEntry.objects.exclude(action="source.added").order_by("id").values_list("action", "before", "after")
    first = {"key": key.shown[:10]}
    assert list(told) == [
        ("origins.changed", {**first, "origins": ["https://a.example"]}, {**first, "origins": ["https://b.example"]}),
        ("quota.changed", {"quota": 0}, {"quota": 20}),
        ("mapping.changed", {"mapping": ""}, {"mapping": 'currency = "EUR"'}),
    ]
    page = text(ida, "/audit/")
    assert "Origins changed" in page
    assert "Quota changed" in page


WRONG = {
    "a name": ("/data/live/", {"name": "My Shop", "sort": "web"}),
    "a name that is taken": ("/data/live/", {"name": "shop", "sort": "web"}),
    "nobody who holds it": ("/data/live/", {"name": "new"}),
    "an origin": ("/data/live/", {"name": "new", "sort": "web", "origins": "company.example"}),
    "an origin that is no address": ("/data/live/", {"name": "new", "sort": "web", "origins": "http://[x"}),
    "a path": ("/data/live/shop/keys/", {"sort": "web", "origins": "https://a.example/path"}),
    "origins of a server": ("/data/live/shop/keys/", {"sort": "server", "origins": "https://a.example"}),
    "a quota": ("/data/live/shop/quota/", {"quota": "-1"}),
    "no quota": ("/data/live/shop/quota/", {"quota": "much"}),
    "a quota of too much": ("/data/live/", {"name": "new", "sort": "web", "quota": "9999999"}),
    "a mapping": ("/data/live/shop/mapping/", {"mapping": "currency =", "save": "1"}),
    "a setting": ("/data/live/shop/mapping/", {"mapping": 'currencies = "EUR"', "check": "1"}),
    "a currency": ("/data/live/shop/mapping/", {"mapping": 'currency = ["EUR"]', "check": "1"}),
    "a kind": ("/data/live/shop/mapping/", {"mapping": "[track.Paid]\nkind = ['x']", "save": "1"}),
    "lists in lists": ("/data/live/shop/mapping/", {"mapping": f"currency = {'[' * 9000}", "save": "1"}),
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("language", ["fr", "ko"])
def test_what_cannot_be_is_said_in_the_readers_language(
    what: str, language: str, client_of: ClientOf, empty: Path
) -> None:
    sources.add("shop", sort="web")
    before = AuditEntry.objects.count()
    ida = client_of("ida")
    ida.post("/language/", {"language": language, "next": "/"})
    address, given = WRONG[what]
    answer = ida.post(address, given)
    page = answer.content.decode()
    (said,) = re.findall(r'<p class="note note-error" role="alert">(.*?)</p>', page, re.DOTALL)
    assert answer.status_code == 400
    assert re.search(r"[\uac00-\ud7a3]|[éèêàù«’]|pas un|non valide", html.unescape(said)), said
    if "TOML" not in said:  # what the reader of TOML says of a line stays as it is
        assert ENGLISH.findall(spoken(re.sub(r"&#x27;.*?&#x27;", "", said))) == []
    assert AuditEntry.objects.count() == before, "nothing was changed"
    assert set(LiveSource.objects.values_list("name", flat=True)) == {"shop"}
    assert WriteKey.objects.count() == 1
    assert not (empty / "live").exists()


def test_a_page_that_answered_a_form_can_be_opened_anew(client_of: ClientOf, empty: Path) -> None:  # noqa: ARG001
    """The language is changed on it, which opens its address."""
    sources.add("shop", sort="web")
    for address in ("keys/", "quota/", "mapping/"):
        assert client_of("ida").get(f"/data/live/shop/{address}").headers["Location"] == "/data/live/shop/"


def test_who_may_not_work_on_data_sees_no_form(client_of: ClientOf, empty: Path) -> None:  # noqa: ARG001
    sources.add("shop", sort="web")
    for address in ("/data/live/", "/data/live/shop/"):
        forms = [client_of(who).get(address).content.count(b'method="post"') for who in ("ida", "cleo")]
        assert forms[0] > 2
        assert forms[1] == 1, "only that of the language"


def test_a_source_that_sent_nothing_says_how_to_begin(client_of: ClientOf, empty: Path) -> None:
    ida = client_of("ida")
    assert "Nothing sends events yet" in text(ida, "/data/live/")
    sources.add("shop", sort="web")
    key = WriteKey.objects.get().shown
    page = text(ida, "/data/live/shop/")
    assert "Nothing has come in yet" in page
    assert 'hx-trigger="every 5s"' in page
    assert f"curl http://testserver/v1/track -u {key}:" in page
    assert f'{{ writeKey: "{key}", cdnURL: "http://testserver" }}' in page
    assert "useQueryString: false" in page
    come_in(empty, "shop", [{**SIGNED_UP, "messageId": "1"}])
    page = text(ida, "/data/live/shop/")
    assert "Nothing has come in yet" not in page
    assert "every 5s" not in page


def test_what_came_in_is_stored_a_repeat_or_refused(client_of: ClientOf, empty: Path) -> None:
    sources.add("shop", sort="server")
    one, two = ({**SIGNED_UP, "messageId": name} for name in "12")
    come_in(empty, "shop", [one, two, one, {"type": "track", "userId": "u-1", "messageId": "3"}])
    come_in(empty, "shop", [one, {**one, "properties": {"plan": "pro"}}])
    come_in(empty, "shop", [{**two, "messageId": "4"}], received=NOW - timedelta(hours=2))
    come_in(empty, "web", [one])
    told = live.arrivals(empty, "shop", now=NOW)
    for seen, count in ((told.hour, 6), (told.day, 7)):
        assert seen.received == count == seen.stored + seen.repeats + seen.refused
    assert (told.hour.stored, told.hour.repeats, told.hour.refused) == (2, 2, 2)
    assert told.hour.reasons == [("a track call without event", 1), ("id_conflict", 1)]
    assert told.ever == 7
    assert told.delay == pytest.approx((2, 2))
    page = text(client_of("ida"), "/data/live/shop/")
    assert "stored within 2.0 s of being received" in page
    assert "No live event waits" in page


def test_facts_of_files_are_no_live_events(empty: Path) -> None:
    come_in(empty, "shop", [{**SIGNED_UP, "messageId": "1"}], after=3)
    at = NOW - timedelta(minutes=30)
    filed = Fact(source="shop", id="a", kind="event.other", occurred_at=at, recorded_at=at, text="Filed")
    desk.add(empty, [filed], name="filed", now=at)
    told = live.arrivals(empty, "shop", now=NOW)
    assert told.hour.received == 1
    assert told.delay == pytest.approx((3, 3))


def test_track_calls_that_no_mapping_names_are_counted_until_one_does(client_of: ClientOf, empty: Path) -> None:
    ida = client_of("ida")
    sources.add("shop", sort="server")
    sent = [("Report Exported", 3), ("Order Completed", 2), ("Signed Up", 1)]
    events = [{**SIGNED_UP, "event": name, "messageId": f"{name}{n}"} for name, times in sent for n in range(times)]
    come_in(empty, "shop", events)
    assert [(one.name, one.count) for one in live.unmapped_tracks(empty, "shop")] == sent[:2]
    assert "Report Exported" in text(ida, "/data/live/shop/")
    order = '[track."Order completed"]\nkind = "order.placed"\nobject_id = "properties.order"\n'
    checked = ida.post("/data/live/shop/mapping/", {"mapping": order, "check": "1"}).content.decode()
    assert "names 1 track call" in checked
    assert live.events_mapping(empty, "shop") == ""
    ida.post("/data/live/shop/mapping/", {"mapping": order, "save": "1"})
    assert [one.name for one in live.unmapped_tracks(empty, "shop")] == ["Report Exported"]
    assert order in text(ida, "/data/live/shop/")
    paid = {"order": "O-1", "revenue": 12.5, "currency": "EUR"}
    come_in(empty, "shop", [{**SIGNED_UP, "event": "Order Completed", "messageId": "o", "properties": paid}])
    desk.refreshed(empty)
    facts = desk.story(empty, "co-7", now=NOW + timedelta(days=1)).facts
    assert [fact["object_id"] for fact in facts if fact["kind"] == "order.placed"] == ["O-1"]


def test_the_past_is_read_again_by_the_saved_mapping(client_of: ClientOf, empty: Path) -> None:
    sources.add("shop", sort="server")
    come_in(empty, "shop", [SIGNED_UP | {"event": "Plan Seen", "messageId": str(n)} for n in range(3)])
    owner = client_of("ida")
    live.map_events(empty, "shop", '[track."Plan Seen"]\nkind = "product.used"\n')
    assert "/data/live/shop/replay/" in text(owner, "/data/live/shop/")
    owner.post("/data/live/shop/replay/")
    job = Job.objects.get()
    jobs.carry_out(job.pk)
    told = text(owner, f"/jobs/{job.pk}/")
    assert "3 events read again." in told
    assert "3 became other facts." in told
    assert live.unmapped_tracks(empty, "shop") == []
    assert AuditEntry.objects.filter(action="data.replay", subject="shop").exists()


def test_refused_events_come_in_and_leave_the_lists(client_of: ClientOf, empty: Path) -> None:
    """Two are over the limit until it is raised; one names nobody."""
    sources.add("shop", sort="server")
    large = SIGNED_UP | {"properties": {"notes": "x" * 40_000}}
    come_in(empty, "shop", [large | {"messageId": "1"}, large | {"messageId": "2"}, {"type": "page", "messageId": "3"}])
    owner = client_of("ida")
    page = text(owner, "/data/refused/?source=shop")
    assert "3 rows broke a rule" in page
    assert '"received_at": "' in page
    live.map_events(empty, "shop", "most_kib = 64")
    owner.post("/data/live/shop/replay/")
    job = Job.objects.get()
    jobs.carry_out(job.pk)
    told = text(owner, f"/jobs/{job.pk}/")
    assert "0 events read again." in told
    assert "3 events had been refused. 2 of them came in and are stored now." in told
    assert '<a href="/data/refused/?source=shop">1 stays refused.</a>' in told
    assert "cannot be read again" not in told
    assert "1 row broke a rule" in text(owner, "/data/refused/?source=shop")
    assert [(group.rule, group.rows) for group in desk.refused_groups(empty)] == [("no userId and no anonymousId", 1)]


def test_a_mapping_that_was_broken_by_hand_is_told(client_of: ClientOf, empty: Path) -> None:
    sources.add("shop", sort="server")
    (empty / "live").mkdir()
    (empty / "live" / "shop.toml").write_text("currency = ")
    answer = client_of("ida").get("/data/live/shop/")
    assert answer.status_code == 200
    assert "not TOML" in answer.content.decode()


def test_the_loads_list_tells_the_live_events_of_a_day_as_one(client_of: ClientOf, empty: Path) -> None:
    """Five segments of a day and one of the day before, beside a file."""
    noon = NOW.replace(hour=12)
    for n in range(5):
        come_in(
            empty,
            "shop",
            [{**SIGNED_UP, "messageId": str(n)}, {"type": "no"}],
            received=noon + n * timedelta(seconds=9),
        )
    come_in(empty, "shop", [{**SIGNED_UP, "messageId": "before"}], received=noon - timedelta(days=1))
    filed = Fact(source="shop", id="a", kind="event.other", occurred_at=noon, recorded_at=noon, text="Filed")
    desk.add(empty, [filed], name="filed", now=noon)
    found, count = desk.loads(empty, limit=10)
    today, before = (f"inbox/{noon - n * timedelta(days=1):%Y-%m-%d}" for n in (0, 1))
    told = {one.file: (one.rows, one.accepted, one.refused, one.added, one.live) for one in found}
    assert count == 3
    assert (told[today], told[before]) == ((10, 5, 5, 5, True), (1, 1, 0, 1, True))
    assert [one for file, one in told.items() if file not in (today, before)] == [(1, 1, 0, 1, False)]
    assert desk.loads(empty, limit=1, offset=1)[0] == found[1:2]
    assert [one.files for one in desk.info(empty).sources] == [1], "segments are no files"
    assert [(group.rows, group.files) for group in desk.refused_groups(empty)] == [(5, 1)]
    assert desk.refused_rows(empty, {"file": today}).count == 5
    assert desk.refused_rows(empty, {"file": before}).count == 0
    page = text(client_of("ida"), "/data/")
    assert page.count("Live events</td>") == 2
    assert "3 lines, the newest first" in page
    assert '<a href="/data/live/shop/">' not in page, "nobody has added this source"


def test_a_live_event_reads_well_on_the_story(client_of: ClientOf, empty: Path) -> None:
    given: dict[str, dict[str, object]] = {
        "page": {"properties": {"path": "/pricing", "title": "Prices", "referrer": "https://search.example/?q=x"}},
        "identify": {"traits": {"name": "Jo Bright", "email": "jo@bright.example", "phone": "+1 555", "plan": "pro"}},
        "group": {"groupId": "co-7", "traits": {"name": "Bright Works", "employees": 120}},
        "track": {"event": "Report Exported", "properties": {"format": "xlsx", "rows": 9, "all": True, "of": {"a": 1}}},
    }
    who: dict[str, object] = {"userId": "u-1", "context": {"groupId": "co-7"}}
    come_in(empty, "shop", [{"type": name, "messageId": name, **who, **told} for name, told in given.items()])
    desk.refreshed(empty)
    number = desk.story(empty, "co-7", now=NOW + timedelta(days=1)).account
    page = text(client_of("ida"), f"/accounts/{number}/?as_of={NOW + timedelta(days=1):%Y-%m-%d}")
    for said in ("/pricing", "Title: Prices · Came from: search.example", "Jo Bright", "plan: pro", "Bright Works"):
        assert said in page
    assert "employees: 120" in page
    assert "format: xlsx · rows: 9 ·" in page
    assert "Other event" in page
    assert "jo@bright.example" not in page
    assert "+1 555" not in page
    assert "messageId" not in page


def test_an_account_is_called_by_its_name_which_a_visitor_cannot_change(client_of: ClientOf, empty: Path) -> None:
    """`account.created` names an account; the name of the call would do so in its place."""
    made = {**SIGNED_UP, "event": "Account Created"}
    come_in(empty, "shop", [{**made, "messageId": "1", "properties": {"account_name": "Bright Works"}}])
    for n, name in enumerate(("Dull Works", None)):
        event = {**made, "messageId": f"2{n}", "properties": {"account_name": name}}
        come_in(empty, "site", [event], received=NOW + timedelta(seconds=9 * (n + 1)), key="web")
    desk.refreshed(empty)
    tomorrow = NOW + timedelta(days=1)
    number = desk.story(empty, "co-7", now=tomorrow).account
    page = text(client_of("ida"), f"/accounts/{number}/?as_of={tomorrow:%Y-%m-%d}")
    assert "<h1>Bright Works</h1>" in page


@pytest.mark.parametrize("detail", [None, "", "{}", "no JSON", '{"event":"["}', '{"event":"{\\"type\\":7}"}', "[1]"])
def test_a_fact_that_is_no_live_event_shows_no_values(detail: str | None) -> None:
    assert event.shown(detail) == []


def test_an_event_shows_few_and_short_values() -> None:
    told = {"type": "track", "properties": {f"name{n}": "x" * 500 for n in range(50)}}
    found = event.shown(json.dumps({"event": json.dumps(told)}))
    assert len(found) == 4
    assert {len(value) for _, value in found} == {80}
