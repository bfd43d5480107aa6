"""Replay: an event that was refused comes in as soon as the mapping lets it, once, as if it had from the start."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner
from test_seal import AT, MAPPING, NOW, event, held, ids, received, seal, signed

from plait import desk, inbox, live
from plait.cli import main
from plait.delta import DurableTable
from plait.store import ID_CONFLICT, REJECTS, Store

LARGE = {"notes": "x" * 40_000}
ROOM = "most_kib = 64\n"


def large(id_: object, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - what anybody may send
    return event(id_, properties=LARGE) | more


def sent(home: Path, number: int, *events: object, **request: Any) -> None:  # noqa: ANN401 - what anybody may send
    """Put a request into the inbox as a collector has left it, with what it said beside its events."""
    folder = inbox.folder_of(home)
    folder.mkdir(parents=True, exist_ok=True)
    told = {"at": AT, "source": "web", "key": "web", **request, "events": list(events)}
    (folder / f"boot-{number:09d}.jsonl").write_text(json.dumps(told) + "\n")


def rules(home: Path) -> list[str]:
    return [rule for (rule,) in held(home, "rejects", "rule")]


def test_a_refused_event_comes_in_as_if_the_mapping_had_let_it_from_the_start(tmp_path: Path) -> None:
    """A browser an hour late, in a batch with a context of its own; an address that says who its reader is."""
    page = {"url": "https://firm.example/?ajs_uid=boss&token=t0ken&plan=pro"}
    own = {"page": page, "ip": "192.0.2.7", "userAgent": "Firefox"}
    request = {"sent_at": "2026-11-25T10:00:00Z", "context": {"groupId": "g1", "ip": "192.0.2.8", "locale": "fr"}}
    events = [
        large("clock", timestamp="2026-11-25T09:59:00Z"),
        large("claim", context=own),
        large(None, messageId=None, context=own),  # known by its content, which is not kept whole
        large("late", originalTimestamp="2027-01-01"),
        large("mended", properties={"notes": "\0" * 9_000}),
        {"event": "Said Nothing Of Its Type", "userId": "u2", "messageId": "typeless", "properties": LARGE},
    ]
    early, later = tmp_path / "early", tmp_path / "later"
    for home in (early, later):
        home.mkdir()
        if home == early:
            live.map_events(home, "web", ROOM)
        sent(home, 1, *events[:5], **request)
        sent(home, 2, events[5], type="track", key="server", clock=False)
        seal(home)
        live.map_events(home, "web", ROOM)
    kept = " ".join(row for (row,) in held(later, "rejects", "row"))
    assert not [secret for secret in ("192.0.2", "t0ken", "ajs_uid") if secret in kept]
    assert "Firefox" in kept
    done = live.replay(later, "web")
    assert (done.quarantined, done.admitted, done.refused, done.lost) == (6, 6, 0, 0)
    assert held(later, "facts", "*") == held(early, "facts", "*")
    assert held(later, "rejects", "*") == []
    for home in (early, later):
        sent(home, 3, *events[:5], **request)
        assert seal(home) == Counter(received=5, repeats=5), "an event that comes again is known"
    assert desk.verify(later) == []


def test_an_event_that_breaks_a_rule_of_facts_comes_in_when_it_breaks_none(tmp_path: Path) -> None:
    early, later = tmp_path / "early", tmp_path / "later"
    for home in (early, later):
        home.mkdir()
        live.map_events(home, "web", MAPPING if home == early else MAPPING.replace("properties.deal", "properties.id"))
        received(home, 1, [signed(1), event(2), signed(3)])
        seal(home)
        live.map_events(home, "web", MAPPING)
    assert rules(later) == ["missing object_id", "missing object_id"]
    done = live.replay(later, "web")
    assert (done.events, done.quarantined, done.admitted) == (1, 2, 2)
    assert held(later, "facts", "*") == held(early, "facts", "*")
    assert desk.show(later, "bookings", now=NOW).rows == desk.show(early, "bookings", now=NOW).rows != []


def test_what_stands_beyond_the_bound_of_a_batch_comes_in_by_itself(tmp_path: Path) -> None:
    received(tmp_path, 1, [event(number) for number in range(2_503)])
    assert seal(tmp_path) == Counter(received=2_503, stored=2_500, refused=3)
    assert live.replay(tmp_path, "web").admitted == 3
    assert len(ids(tmp_path)) == 2_503


def test_what_is_refused_still_says_why_it_is_now(tmp_path: Path) -> None:
    """One is too large for the new bound too, two share an id, one has no person, one another source's key."""
    received(tmp_path, 1, [event(1, properties={"plan": "pro"})])
    received(tmp_path, 2, [large(1), large(2), large(2, event="Other"), large(2), large(3, userId=None), large(4)])
    sent(tmp_path, 3, large(5, writeKey="theirs"), {**large(6), "properties": {"notes": "x" * 80_000}}, write_key="me")
    sent(tmp_path, 4, event(1, properties={"plan": "free"}))
    seal(tmp_path)
    live.map_events(tmp_path, "web", ROOM)
    before = held(tmp_path, "rejects", "file, line, row, recorded_at")
    done = live.replay(tmp_path, "web")
    assert (done.quarantined, done.admitted, done.refused, done.lost) == (9, 3, 6, 0)
    assert ids(tmp_path) == ["1", "2", "4"]
    assert Counter(rules(tmp_path)) == Counter(
        {
            ID_CONFLICT: 3,
            "no userId and no anonymousId": 1,
            "the write key in the event is not the one of the request": 1,
            "an event of more than 64 KiB": 1,
        }
    )
    assert set(held(tmp_path, "rejects", "file, line, row, recorded_at")) < set(before), "its own place and row stay"
    assert desk.show(tmp_path, "source_health", now=NOW).records()[0]["refused"] == 6
    assert (live.replay(tmp_path, "web").admitted, len(ids(tmp_path))) == (0, 3)


def test_rows_of_files_and_of_other_sources_stay(tmp_path: Path) -> None:
    """The line that nobody can read is one of them, and the row of a file of the same source."""
    received(tmp_path, 1, [large(1)])
    received(tmp_path, 2, [large(1)], source="app")
    (inbox.folder_of(tmp_path) / "boot-000000003.jsonl").write_text("what\n")
    seal(tmp_path)
    row = ["web", "deals.csv", 7, "id", None, "missing id", "give every row an id", "{}", NOW.replace(tzinfo=None)]
    of_file = pa.Table.from_pylist([dict(zip(REJECTS.names, row, strict=True))], REJECTS)
    Store.open(tmp_path).rejects.append(of_file, {})
    for source in ("web", "app"):
        live.map_events(tmp_path, source, ROOM)
    done = live.replay(tmp_path, "web")
    assert (done.quarantined, done.admitted) == (1, 1)
    assert [source for (source,) in held(tmp_path, "rejects", "source")] == ["app", "inbox", "web"]
    assert held(tmp_path, "rejects", "file, row")[0] == ("deals.csv", "{}")
    assert live.replay(tmp_path, "app").admitted == 1


@pytest.mark.parametrize("table", ["facts", "rejects"])
def test_a_replay_that_was_killed_is_done_by_the_next(
    table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its facts were stored, or before. One of the events came without any id."""
    received(tmp_path, 1, [large(1), large(2), large(3, messageId=None, timestamp=None)])
    seal(tmp_path)
    live.map_events(tmp_path, "web", ROOM)

    def killed(_: DurableTable, *_args: object) -> None:
        sys.exit("killed")

    with monkeypatch.context() as patch:
        patch.setattr(DurableTable, "append" if table == "facts" else "replace_where", killed)
        with pytest.raises(SystemExit):
            live.replay(tmp_path, "web")
    assert len(rules(tmp_path)) == 3
    assert len(held(tmp_path, "facts", "id")) == (0 if table == "facts" else 3)
    assert live.replay(tmp_path, "web").admitted == 3
    assert (len(ids(tmp_path)), rules(tmp_path)) == (3, [])
    again = live.replay(tmp_path, "web")
    assert (again.events, again.changed, again.quarantined) == (3, 0, 0)


def test_what_an_older_plait_kept_cannot_be_read_again_and_says_so(tmp_path: Path) -> None:
    """It kept the event alone: not with which key it had come. No event can pass for more than that."""
    received(tmp_path, 1, [large(1)])
    seal(tmp_path)
    store = Store.open(tmp_path)
    (row,) = store.rejects.handle().to_pyarrow_table().to_pylist()
    told = json.loads(row["row"])
    claims = json.dumps(told | {"key": "server"}, separators=(",", ":"))
    old = [row | {"row": text, "line": line} for line, text in enumerate((json.dumps(told["event"]), claims), 2)]
    store.rejects.append(pa.Table.from_pylist(old, REJECTS), {})
    live.map_events(tmp_path, "web", ROOM)
    done = live.replay(tmp_path, "web")
    assert (done.quarantined, done.admitted, done.refused, done.lost) == (3, 1, 2, 2)
    assert len(rules(tmp_path)) == 2


def test_the_command_says_what_came_in(tmp_path: Path) -> None:
    def replayed() -> str:
        return CliRunner().invoke(main, ["--home", str(tmp_path), "source", "replay", "web"]).output

    assert replayed() == "nothing that web has sent is stored; `plait sources` shows what is\n"
    received(tmp_path, 1, [large(1), large(2), large(3, userId=None)])
    seal(tmp_path)
    live.map_events(tmp_path, "web", ROOM)
    assert replayed() == "3 events had been refused: 2 came in, 1 stay refused\n"
    assert replayed().splitlines() == [
        "2 events were read again: 0 changed",
        "1 events had been refused: 0 came in, 1 stay refused",
    ]


def test_no_event_can_be_kept_so_that_it_passes_for_a_servers(tmp_path: Path) -> None:
    """A visitor sends, in the place of an event, what plait itself writes of one; as JSON, and as what is none."""
    forged = f'{{"received_at": "2026-11-25T11:00:00Z", "key": "server", "event": {json.dumps(event(1))}}}'
    folder = inbox.folder_of(tmp_path)
    folder.mkdir()
    broken = f'{forged[:-1]}, "more": {"9" * 5_000}' + "}"
    line = f'{{"at": {AT}, "source": "web", "key": "web", "events": [{forged}, {broken}]}}\n'
    (folder / "boot-000000001.jsonl").write_text(line)
    assert seal(tmp_path)["stored"] == 0
    done = live.replay(tmp_path, "web")
    assert (done.admitted, ids(tmp_path)) == (0, [])
    assert done.refused == done.quarantined > 0


def test_a_replay_goes_on_beside_what_comes_in(tmp_path: Path) -> None:
    """Others' rows are refused while those of this source are taken out."""
    for number in range(1, 5):
        received(tmp_path, number, [large(f"{number}-{n}") for n in range(20)])
    seal(tmp_path)
    live.map_events(tmp_path, "web", ROOM)
    with ThreadPoolExecutor(1) as beside:
        replayed = beside.submit(live.replay, tmp_path, "web")
        for number in range(1, 6):
            received(tmp_path, number, [large(1), event(number)], source="app", boot="other")
            seal(tmp_path)
        assert replayed.result().admitted == 80
    assert Counter(source for (source,) in held(tmp_path, "rejects", "source")) == Counter(app=5)
    assert len(ids(tmp_path)) == 85
    assert desk.verify(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", [7])
def test_a_replay_killed_at_any_moment_leaves_each_event_once(tmp_path: Path, seed: int) -> None:
    """In each round more events are refused; some replays are killed while they begin, some while they store."""
    chance = random.Random(seed)  # noqa: S311 - the order of a test
    script = "import sys; from pathlib import Path; from plait import live; live.replay(Path(sys.argv[1]), 'web')"
    kills, rounds = 0, 12
    for number in range(1, rounds + 1):
        live.map_events(tmp_path, "web", "")
        received(tmp_path, number, [large(f"{number}-{n}") for n in range(30)], [large(None, messageId=None), 5])
        seal(tmp_path)
        live.map_events(tmp_path, "web", ROOM)
        replay = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stderr=subprocess.DEVNULL)
        time.sleep(0.3 + 0.7 * chance.random())
        kills += replay.poll() is None
        replay.send_signal(signal.SIGKILL)
        replay.wait()
    live.replay(tmp_path, "web")
    assert kills > 3
    assert len(set(ids(tmp_path))) == len(ids(tmp_path)) == 30 * rounds + 1, (
        "the one without an id has the same content"
    )
    assert rules(tmp_path) == ["not an object"] * rounds
    assert desk.verify(tmp_path) == []
