"""Sealing: what waits in the inbox becomes facts, each once, whatever is sent twice and whenever it is killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from deltalake import write_deltalake

from plait import desk, inbox, live
from plait.sources.live import BadEventMapping, mapping_path, read_event_mapping
from plait.store import FACTS, ID_CONFLICT, LOADS, REJECTS, Store, view_sql

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
AT = int(datetime(2026, 11, 25, 11, tzinfo=UTC).timestamp() * 1e6)


def event(id_: object, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - what anybody may send
    return {"type": "track", "event": "Report Opened", "userId": "u1", "messageId": str(id_),
            "timestamp": "2026-11-01T10:00:00Z"} | more  # fmt: skip


def received(home: Path, number: int, *requests: Iterable[object], source: str = "web", boot: str = "boot") -> None:
    """Put a segment into the inbox as a collector has left it."""
    folder = inbox.folder_of(home)
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps({"at": AT, "source": source, "key": "server", "events": list(events)}) + "\n" for events in requests
    ]
    (folder / f"{boot}-{number:09d}.jsonl").write_text("".join(lines))


def seal(home: Path) -> Counter[str]:
    """Seal all that waits; give what became of it."""
    told: Counter[str] = Counter()
    for part in live.seal(home, now=NOW):
        told.update(received=part.rows, stored=part.added, repeats=part.known, refused=part.refused)
    return told


def held(home: Path, name: str, columns: str) -> list[tuple[Any, ...]]:
    store = Store.open(home)
    tables = {"facts": (store.facts, FACTS), "rejects": (store.rejects, REJECTS), "loads": (store.loads, LOADS)}
    with duckdb.connect() as db:
        table, schema = tables[name]
        db.execute(view_sql(name, table.snapshot(), schema))
        return db.execute(f"select {columns} from {name} order by all").fetchall()


def ids(home: Path) -> list[str]:
    return [row[0] for row in held(home, "facts", "id")]


def test_events_become_facts_and_the_segment_is_gone(tmp_path: Path) -> None:
    received(tmp_path, 1, [event(1), event(2)], [event(3)])
    assert seal(tmp_path) == Counter(received=3, stored=3)
    assert held(tmp_path, "facts", "id, source, kind, text, recorded_at")[0] == (
        "1", "web", "event.other", "Report Opened", datetime(2026, 11, 25, 11),  # noqa: DTZ001 - facts hold naive UTC
    )  # fmt: skip
    assert list(inbox.folder_of(tmp_path).iterdir()) == []
    assert seal(tmp_path) == Counter()


def test_the_same_id_is_stored_once_for_ever_and_for_each_source(tmp_path: Path) -> None:
    received(tmp_path, 1, [event(1), event(1), event(2)])
    received(tmp_path, 2, [event(1)], source="app")
    assert seal(tmp_path) == Counter(received=4, stored=3, repeats=1)
    received(tmp_path, 3, [event(1, sentAt="2027-01-01T00:00:00Z", timestamp="2026-11-01T10:00:00Z"), event(3)])
    assert seal(tmp_path) == Counter(received=2, stored=1, repeats=1)
    assert held(tmp_path, "facts", "source, id") == [("app", "1"), ("web", "1"), ("web", "2"), ("web", "3")]


def test_the_same_id_with_other_content_keeps_the_first_and_is_refused(tmp_path: Path) -> None:
    received(tmp_path, 1, [event(1, properties={"plan": "pro"})])
    seal(tmp_path)
    received(tmp_path, 2, [event(1, properties={"plan": "free"}), event(2)])
    assert seal(tmp_path) == Counter(received=2, stored=1, refused=1)
    ((rule, row),) = held(tmp_path, "rejects", "rule, row")
    assert rule == ID_CONFLICT
    assert "free" in row
    assert "pro" in held(tmp_path, "facts", "detail")[0][0]


def test_what_is_no_fact_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    early = event(3, timestamp="1969-01-01T00:00:00Z")
    received(tmp_path, 1, [event(1), 5, {"type": "track"}, early])
    assert seal(tmp_path) == Counter(received=4, stored=1, refused=3)
    assert [row for (row,) in held(tmp_path, "rejects", "rule")] == [
        "no userId and no anonymousId", "not an object", "too early",
    ]  # fmt: skip
    assert all(next_step and row for next_step, row in held(tmp_path, "rejects", "next_step, row"))


def test_a_line_that_nobody_can_read_is_kept_and_holds_up_nothing(tmp_path: Path) -> None:
    received(tmp_path, 1, [event(1)])
    (segment,) = inbox.closed(tmp_path)
    segment.path.write_bytes(b'{"at": what\n' + segment.path.read_bytes() + b'{"torn')
    assert seal(tmp_path) == Counter(received=2, stored=1, refused=1)
    assert held(tmp_path, "rejects", "source, row") == [("inbox", '{"at": what')]


def test_a_segment_whose_removal_was_cut_short_is_not_stored_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    received(tmp_path, 1, [event(1), 5])
    with monkeypatch.context() as patch:
        patch.setattr("plait.inbox.remove", lambda _segments: sys.exit("killed"))
        with pytest.raises(SystemExit):
            seal(tmp_path)
    received(tmp_path, 2, [event(2)])
    seal(tmp_path)
    assert ids(tmp_path) == ["1", "2"]
    assert len(held(tmp_path, "rejects", "row")) == 1
    assert held(tmp_path, "loads", "sum(rows), sum(added), sum(refused)") == [(3, 2, 1)]


def test_what_came_live_is_told_by_day_and_adds_up(tmp_path: Path) -> None:
    received(tmp_path, 1, [event(1), event(1), 5])
    received(tmp_path, 2, [event(2)], source="app")
    seal(tmp_path)
    rows = desk.show(tmp_path, "live_intake", now=NOW).records()
    assert [row["source"] for row in rows] == ["app", "web"]
    assert all(row["received"] == row["stored"] + row["repeats"] + row["refused"] for row in rows)  # type: ignore[operator]
    assert rows[1] == {
        "day": date(2026, 11, 25), "source": "web", "received": 3, "stored": 1, "repeats": 1, "refused": 1,
        "delay": 3600.0, "longest_delay": 3600.0,
    }  # fmt: skip
    assert desk.show(tmp_path, "live_intake", {"until": "2026-11-25"}, now=NOW).rows == []


def test_a_home_whose_loads_have_fewer_columns_is_widened(tmp_path: Path) -> None:
    received(tmp_path, 1, [event(1)])
    seal(tmp_path)
    loads = Store.open(tmp_path).loads
    narrow = loads.handle().to_pyarrow_table().drop_columns(["received_at"])
    write_deltalake(loads.handle(), narrow, mode="overwrite", schema_mode="overwrite")
    received(tmp_path, 2, [event(2)])
    seal(tmp_path)
    assert held(tmp_path, "loads", "rows, received_at is null") == [(1, False), (1, True)]


def test_a_segment_that_comes_after_a_later_one_is_stored_too(tmp_path: Path) -> None:
    """Its process could not give it its name in time: that a later one is in does not say that it is."""
    received(tmp_path, 2, [event(2)])
    seal(tmp_path)
    received(tmp_path, 1, [event(1)])
    assert seal(tmp_path) == Counter(received=1, stored=1)
    received(tmp_path, 3, [event(3)])
    seal(tmp_path)
    received(tmp_path, 1, [event(1)])
    assert seal(tmp_path)["stored"] == 0
    assert ids(tmp_path) == ["1", "2", "3"]
    assert held(tmp_path, "loads", "sum(rows)::int, sum(added)::int") == [(3, 3)]


def test_a_mapping_names_kinds_and_one_broken_by_hand_holds_up_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    live.map_events(tmp_path, "web", '[track."Report Opened"]\nkind = "product.used"\nquantity = "properties.pages"\n')
    received(tmp_path, 1, [event(1, properties={"pages": 3})])
    seal(tmp_path)
    assert held(tmp_path, "facts", "kind, quantity::int") == [("product.used", 3)]
    mapping_path(tmp_path, "web").write_text("kind = [")
    received(tmp_path, 2, [event(2)])
    assert seal(tmp_path)["stored"] == 1
    assert "as if it had no mapping" in caplog.text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("=", "not TOML"),
        ("clok = 'auto'", "did you mean 'clock'"),
        ("clock = 'sometimes'", "auto, always, never"),
        ("currency = 'EURO'", "ISO 4217"),
        ("account_key = 'email'", "account.<system>"),
        ("most_kib = 0", "from 1 to 4096"),
        ("trust = 'yes'", "true, false"),
        ("track = 5", "a table for each name"),
        ("[track.A]\nkind = 'deal.one'", "did you mean 'deal.won'"),
        ("[track.A]\nkind = 'deal.won'\nprice = 'x'", "fields are object_id"),
    ],
)
def test_a_mapping_that_cannot_be_followed_says_what_is_allowed(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadEventMapping, match=says):
        read_event_mapping(text, "web")
    with pytest.raises(BadEventMapping):
        live.map_events(tmp_path, "web", text)
    assert not mapping_path(tmp_path, "web").exists()


def test_refused_and_unknown_account_keys_are_told_by_name() -> None:
    assert read_event_mapping('account_key = "domain"', "web").account_key == "domain"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [7])
def test_a_sealer_killed_at_any_moment_leaves_what_an_undisturbed_one_leaves(tmp_path: Path, seed: int) -> None:
    chance, total = random.Random(seed), 0  # noqa: S311 - the order of a test
    for number in range(1, 21):
        events = [event(chance.randrange(1_500)) for _ in range(100)]
        received(tmp_path, number, events, [5], boot=f"boot{number % 3}")
        total += 101
    script = (
        "import sys; from datetime import *; from pathlib import Path; from plait import live\n"
        "live.SEGMENTS_AT_ONCE, now = 1, datetime(2026, 11, 25, 12, tzinfo=timezone.utc)\n"
        "while live.seal(Path(sys.argv[1]), now=now): pass"
    )
    kills = 0
    while inbox.closed(tmp_path):
        sealer = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stderr=subprocess.DEVNULL)
        if kills < 7:
            time.sleep(0.5 + 0.6 * chance.random())
            sealer.send_signal(signal.SIGKILL)
            kills += 1
        sealer.wait()
    assert kills > 3
    stored = ids(tmp_path)
    assert len(stored) == len(set(stored))
    counted = held(tmp_path, "loads", "sum(rows), sum(added), sum(known), sum(refused), count(*)")[0]
    assert counted[0] == total == counted[1] + counted[2] + counted[3]
    assert (counted[1], counted[3]) == (len(stored), 20)
    assert len(held(tmp_path, "rejects", "row")) == 20
    assert desk.verify(tmp_path) == []


def test_small_files_are_joined_while_others_come_in(tmp_path: Path) -> None:
    """The home is compacted and brought up to date beside sealing, as the sealer does it."""
    received(tmp_path, 1, [event(1)])
    seal(tmp_path)
    with ThreadPoolExecutor(1) as beside:
        for number in range(2, 8):
            joined = beside.submit(desk.compact, tmp_path, keep_hours=2)
            received(tmp_path, number, [event(number), event(1)])
            assert seal(tmp_path) == Counter(received=2, stored=1, repeats=1)
            joined.result()
    desk.refreshed(tmp_path)
    assert len(ids(tmp_path)) == 7
    assert held(tmp_path, "loads", "sum(rows)::int") == [(13,)]
    assert desk.verify(tmp_path) == []


@pytest.mark.slow
def test_events_that_repeat_for_a_year_in_any_order_are_stored_once(tmp_path: Path) -> None:
    """Three in ten are sent again, over 400 days of their time; `PLAIT_SEAL_EVENTS=1000000` is the long run."""
    chance, count = random.Random(7), int(os.environ.get("PLAIT_SEAL_EVENTS", "50000"))  # noqa: S311 - the order of a test
    different = count * 7 // 10
    order = [*range(different), *(chance.randrange(different) for _ in range(count - different))]
    chance.shuffle(order)
    first = datetime(2025, 10, 1, tzinfo=UTC)
    every = timedelta(days=400) / different
    total: Counter[str] = Counter()
    for number, start in enumerate(range(0, count, 25_000), 1):
        events = [event(n, timestamp=(first + n * every).isoformat()) for n in order[start : start + 25_000]]
        received(tmp_path, number, *(events[at : at + 50] for at in range(0, len(events), 50)))
        total += seal(tmp_path)
    assert total == Counter(received=count, stored=different, repeats=count - different)
    assert len(set(ids(tmp_path))) == different
    assert desk.verify(tmp_path) == []


# -- a mapping holds for the past as soon as the source is replayed

MAPPING = """
account_key = "account.app"
[track."Contract Signed"]
kind = "deal.won"
object_id = "properties.deal"
amount = "properties.price"
currency = "properties.currency"
"""


def signed(number: int, **properties: object) -> dict[str, Any]:
    told = {"deal": f"d{number}", "price": number, "currency": "EUR"} | properties
    return event(number, event="Contract Signed", properties=told, context={"groupId": f"g{number}"})


def test_a_replay_gives_what_the_mapping_would_have_given_from_the_start(tmp_path: Path) -> None:
    """Among them a browser's wrong clock, an address that is not believed, and a file's facts that stay as they are."""
    page = {"url": "https://acme.example/?ajs_uid=boss"}
    claimed = {"type": "identify", "userId": "boss", "messageId": "claim", "context": {"page": page, "groupId": "g"}}
    late = event("late", timestamp="2026-12-01T00:00:00Z")
    events = [*(signed(number) for number in range(1, 6)), event(6), claimed, late]
    early, later = tmp_path / "early", tmp_path / "later"
    for home in (early, later):
        home.mkdir()
        if home == early:
            live.map_events(home, "web", MAPPING)
        received(home, 1, events)
        seal(home)
        live.map_events(home, "web", MAPPING)
    assert held(later, "facts", "*") != held(early, "facts", "*")
    done = live.replay(later, "web")
    assert (done.events, done.changed, done.unfit) == (8, 6, 0)
    assert held(later, "facts", "*") == held(early, "facts", "*")
    assert desk.show(later, "bookings", now=NOW).rows == desk.show(early, "bookings", now=NOW).rows != []
    assert live.replay(later, "web").changed == 0
    received(later, 2, events)
    assert seal(later)["repeats"] == len(events), "an event that comes again is still known"
    assert desk.verify(later) == []


def test_an_event_that_lacks_what_its_new_kind_needs_stays_as_it_was(tmp_path: Path) -> None:
    received(tmp_path, 1, [signed(1), signed(2, deal=None)])
    seal(tmp_path)
    live.map_events(tmp_path, "web", MAPPING)
    done = live.replay(tmp_path, "web")
    assert (done.events, done.changed, done.unfit) == (2, 1, 1)
    assert held(tmp_path, "facts", "id, kind") == [("1", "deal.won"), ("2", "event.other")]


def test_a_source_without_events_has_nothing_to_replay(tmp_path: Path) -> None:
    assert live.replay(tmp_path, "web").events == 0


def test_a_visitors_past_is_the_persons_as_soon_as_they_say_who_they_are(tmp_path: Path) -> None:
    visit = {"type": "page", "anonymousId": "c1", "messageId": "p", "context": {"page": {"path": "/pricing"}}}
    form = {"type": "identify", "anonymousId": "c1", "messageId": "i", "traits": {"email": "ann@acme.example"}}
    received(tmp_path, 1, [visit])
    seal(tmp_path)
    desk.refreshed(tmp_path)
    received(tmp_path, 2, [form])
    seal(tmp_path)
    desk.refreshed(tmp_path)
    told = desk.story(tmp_path, "acme.example", now=NOW)
    assert sorted(str(fact["kind"]) for fact in told.facts) == ["page.viewed", "person.identified"]
