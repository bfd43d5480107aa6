"""The official client libraries, unchanged, against a collector: each call, a bad network, a restart, too much at once.

`PLAIT_WRITE_CONFORMANCE=1` writes what was found into docs/collector.md. `PLAIT_LOST_ANSWERS` is how many answers each
library loses (30), `PLAIT_BROWSER_SECONDS` how long a page is watched (10; the library's own counters come after 30).
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from served import browser

from .calls import CALLS, COUNTED_FROM, calls, counted, counts
from .libraries import LIBRARIES, LOST_ANSWERS, PACKAGES, ROOT, SEGMENT_BROWSER, Job, Library, run_all, visit
from .proxy import Fault, Proxy, between
from .served import Json, Served, collected

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PAGE = ROOT / "docs" / "collector.md"
BEGIN, END = "<!-- conformance: begin -->", "<!-- conformance: end -->"
BROWSER_SECONDS = float(os.environ.get("PLAIT_BROWSER_SECONDS", "10"))

FIELDS = ("kind", "keys", "text", "amount", "currency", "campaign", "channel", "occurred_at")
FAULTS: dict[Fault, str] = {
    "cut": "answers lost after the events were stored",
    "twice": "requests sent twice by the network",
    "late": "answers a second late",
    "busy": "503 to the first two tries",
}
GZIP, SAME = "packed and unpacked", "the same person and calls give equal facts"
WRONG_KEY, LIMITED, RESTART = "wrong write key", "more than the quota", "restart while it sends"
AWAY, LINK = "nothing sent to other hosts", "a link that says who its reader is"
ROWS = (*CALLS, GZIP, SAME, *FAULTS.values(), WRONG_KEY, LIMITED, RESTART, AWAY, LINK)
NONE = "–"
found: dict[tuple[str, str], str] = {}  # what was found: by row and library

VARIANTS = [(library, packed) for library in LIBRARIES for packed in library.gzip]
SERVERS = [library for library in LIBRARIES if library.runtime != "browser"]


def name_of(value: object) -> str:
    """Name a test's parameter."""
    if isinstance(value, Library):
        return value.name
    return ("packed" if value else "plain") if isinstance(value, bool) else str(value)


each_library = pytest.mark.parametrize("library", LIBRARIES, ids=name_of)
each_server_library = pytest.mark.parametrize("library", SERVERS, ids=name_of)


def needs(library: Library) -> None:
    """Skip a test, and say why, where a library cannot run."""
    if library.missing:
        pytest.skip(library.missing)


def here() -> list[Library]:
    """Give the libraries that can run on this machine."""
    return [library for library in LIBRARIES if not library.missing]


def key_options(library: Library) -> tuple[str, ...]:
    """Give the sort of key that a library is used with: a secret one, but for pages."""
    return () if library.runtime == "browser" else ("--server",)


def source_of(library: Library, *parts: object) -> str:
    """Give a source of its own for each run."""
    return re.sub(r"[^a-z0-9]+", "_", "_".join((library.name, *map(str, parts))).lower()).strip("_")


@pytest.fixture(scope="module")
def running(
    request: pytest.FixtureRequest, server: Served, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Any]]]:
    """Begin all that the chosen tests look at, beside each other: libraries and collector wait most of the time."""
    folder = tmp_path_factory.mktemp("restarted")
    scenes: dict[str, Callable[[], object]] = {
        "limited": partial(limit, server),
        "heard": partial(hear, server),
        "hurt": partial(hurt_all, server),
        "mistaken": partial(mistake, server),
        "restarted": partial(restart_often, folder),
        "tried": partial(try_examples, server),
    }
    if not SEGMENT_BROWSER.missing:
        scenes |= {"watched": partial(watch, server), "mailed": partial(mail, server)}
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    chosen = {name for item in items if item.module is request.module for name in item.fixturenames}
    running: dict[str, Future[Any]] = {}
    with ThreadPoolExecutor(len(scenes)) as pool:
        for name in (name for name in scenes if name in chosen):
            running[name] = pool.submit(scenes[name])
            if name == "limited":
                wait([running[name]])  # alone: who is held up by others sends too slowly to reach a quota
        yield running


def begun(name: str) -> Any:  # noqa: ANN401 - a fixture of whatever the scene gives
    """Give the fixture of what was begun under a name; None where it cannot run here, which its tests say."""

    def result(running: dict[str, Future[Any]]) -> object:
        return running[name].result() if name in running else None

    return pytest.fixture(scope="module", name=name)(result)


heard, hurt, mistaken, limited = begun("heard"), begun("hurt"), begun("mistaken"), begun("limited")
restarted, watched, mailed, tried = begun("restarted"), begun("watched"), begun("mailed"), begun("tried")

Heard = dict[tuple[str, bool | str], list[Json]]


def hear(server: Served) -> Heard:
    """Give what each library's calls became: packed, unpacked, and all by the same sort of key."""
    runs: dict[tuple[str, bool | str], tuple[Library, bool, tuple[str, ...]]] = {}
    for library in here():
        for packed in library.gzip:
            runs[library.name, packed] = library, packed, key_options(library)
        runs[library.name, "web"] = library, library.gzip[0], ()
    sources = {name: source_of(run[0], "calls", name[1]) for name, run in runs.items()}
    keys = server.add(*((sources[name], *options) for name, (_, _, options) in runs.items()))
    jobs = {
        name: Job(library, server.address, key, calls(), gzip=packed)
        for (name, (library, packed, _)), key in zip(runs.items(), keys, strict=True)
    }
    assert {name: errors for name, errors in run_all(jobs).items() if errors} == {}
    server.sealed()
    assert {name: server.refused(source) for name, source in sources.items() if server.refused(source)} == {}
    return {name: server.facts(source) for name, source in sources.items()}


@pytest.mark.parametrize("call", list(CALLS))
@pytest.mark.parametrize(("library", "packed"), VARIANTS, ids=name_of)
def test_each_call_is_one_fact(heard: Heard, library: Library, packed: bool, call: str) -> None:  # noqa: FBT001
    needs(library)
    minute = list(CALLS).index(call)
    sent, expected = CALLS[call]
    expected = dict.fromkeys(FIELDS) | expected | {"occurred_at": datetime(2026, 11, 20, 10, minute)}  # noqa: DTZ001
    if library.runtime == "browser":  # a public key joins no address to a person who is known by an id
        expected["keys"] = {name: value for name, value in expected["keys"].items() if name != "email"}
    rows = heard[library.name, packed]
    assert len(rows) == len(CALLS)
    assert {name: rows[minute][name] for name in FIELDS} == expected
    assert told_of(rows[minute], sent) == {name: sent[name] for name in ("traits", "properties") if name in sent}
    found[call, library.name] = "yes"
    found[GZIP, library.name] = "both" if len(library.gzip) > 1 else "never packs"


def told_of(row: Json, sent: Json) -> Json:
    """Give what an event told of those properties and traits that were sent, wherever the library put them."""
    event = row["event"]
    traits = {**event.get("context", {}).get("traits", {}), **(event.get("traits") or {})}
    told = {"traits": traits, "properties": event.get("properties") or {}}
    return {name: {one: told[name].get(one) for one in sent[name]} for name in told if name in sent}


@each_library
def test_the_same_calls_give_equal_facts_through_every_library(heard: Heard, library: Library) -> None:
    needs(library)
    first = [{name: row[name] for name in FIELDS} for row in heard[LIBRARIES[0].name, "web"]]
    rows = heard[library.name, "web"]
    assert [{name: row[name] for name in FIELDS} for row in rows] == first
    assert {row["event"]["context"]["library"]["version"].rpartition("next-")[2] for row in rows} == {library.version}
    found[SAME, library.name] = "yes"


Hurt = dict[tuple[Fault, str], tuple[Proxy, str, list[str]]]


def hurt_all(server: Served) -> Hurt:
    """Let each library send through each bad network, all beside each other."""
    runs = [(fault, library) for fault in FAULTS for library in here()]
    keys = server.add(*((source_of(library, fault), *key_options(library)) for fault, library in runs))
    with ExitStack() as networks:
        proxies = {(fault, one.name): networks.enter_context(between(server.port, fault)) for fault, one in runs}
        jobs: dict[tuple[Fault, str], Job] = {}
        for (fault, library), key in zip(runs, keys, strict=True):
            proxy, number = proxies[fault, library.name], tries_of(fault)
            jobs[fault, library.name] = Job(
                library, proxy.address, key, counted(number), library.gzip[0], batch=1,
                done=lambda proxy=proxy, number=number: len(proxy.delivered) >= number,  # type: ignore[misc]
            )  # fmt: skip
        errors = run_all(jobs)
        server.sealed()
    return {
        (fault, one.name): (proxies[fault, one.name], source_of(one, fault), errors[fault, one.name])
        for fault, one in runs
    }


def tries_of(fault: Fault) -> int:
    return LOST_ANSWERS if fault == "cut" else 10


@pytest.mark.parametrize("fault", list(FAULTS))
@each_library
def test_a_bad_network_loses_nothing_and_doubles_nothing(
    server: Served, hurt: Hurt, library: Library, fault: Fault
) -> None:
    needs(library)
    proxy, source, errors = hurt[fault, library.name]
    number = tries_of(fault)
    assert proxy.hurt >= number, "the network was not bad"
    assert errors == []
    rows = server.facts(source)
    assert counts(rows) == list(range(number))
    assert all(r["occurred_at"] == COUNTED_FROM + timedelta(seconds=r["event"]["properties"]["n"]) for r in rows)
    assert server.refused(source) == [], "a repeated event was taken for another one"
    found[FAULTS[fault], library.name] = f"{number} of {number} once"


Mistaken = dict[str, tuple[Proxy, list[str]]]


def mistake(server: Served) -> Mistaken:
    """Let each library send with a key that nobody knows."""
    with ExitStack() as networks:
        proxies = {library: networks.enter_context(between(server.port)) for library in here()}
        jobs = {
            library: Job(library, proxy.address, "no-such-key", counted(3), library.gzip[0])
            for library, proxy in proxies.items()
        }
        errors = run_all(jobs)
    return {library.name: (proxy, errors[library]) for library, proxy in proxies.items()}


@each_library
def test_a_wrong_key_is_told_at_once_and_stores_nothing(mistaken: Mistaken, library: Library) -> None:
    """A library that would try again and again would hold up what is sent after it."""
    needs(library)
    proxy, errors = mistaken[library.name]
    posted = [one.status for one in proxy.seen if one.ids]
    if library.runtime == "browser":  # it is told so when it asks for its settings, and sends nothing
        assert {one.status for one in proxy.seen} == {404}
    else:
        assert set(posted) == {401}
    assert errors, "its user was told nothing"
    assert len(posted) == len({one.ids for one in proxy.seen if one.ids}), "it tried again"
    found[WRONG_KEY, library.name] = "sends nothing" if library.runtime == "browser" else "told, not tried again"


def limit(server: Served) -> Hurt:
    """Let each library of a server send three and a half times what its source may at once, all beside each other."""
    libraries = [library for library in SERVERS if not library.missing]
    keys = server.add(*((source_of(library, "quota"), "--server", "--quota", "20") for library in libraries))
    with ExitStack() as networks:
        proxies = [networks.enter_context(between(server.port)) for _ in libraries]
        jobs = {
            library: Job(library, proxy.address, key, counted(70), library.gzip[0], batch=10)
            for library, proxy, key in zip(libraries, proxies, keys, strict=True)
        }
        errors = run_all(jobs)
    server.sealed()
    return {
        ("none", library.name): (proxy, source_of(library, "quota"), errors[library])
        for library, proxy in zip(libraries, proxies, strict=True)
    }


@each_server_library
def test_more_than_the_quota_is_slowed_down_and_not_lost(server: Served, limited: Hurt, library: Library) -> None:
    needs(library)
    proxy, source, errors = limited["none", library.name]
    assert errors == []
    refused = [one for one in proxy.seen if one.status == 429]
    assert refused, "the quota was not reached"
    assert all(one.retry_after is not None and 1 <= int(one.retry_after) <= 300 for one in refused)
    assert counts(server.facts(source)) == list(range(70))
    found[LIMITED, library.name] = "slowed, none lost"


Restarted = dict[str, tuple[list[str], list[int]]]


def restart_often(folder: Path) -> tuple[int, Restarted]:
    """Start a collector anew while each library of a server sends; give how often, the errors and what was stored."""
    libraries = [library for library in SERVERS if not library.missing]
    with collected(folder / "home", kept="127.0.0.1") as served:
        keys = served.add(*((source_of(library), "--server") for library in libraries))
        over, restarts = threading.Event(), []

        def restart() -> None:
            while not over.wait(1.5):
                served.stop(signal.SIGTERM)
                served.start()
                served.wait()
                restarts.append(served.process)

        thread = threading.Thread(target=restart)
        thread.start()
        try:
            errors = run_all(
                {
                    library: Job(library, served.address, key, counted(300), library.gzip[0], batch=5, pause=0.02)
                    for library, key in zip(libraries, keys, strict=True)
                }
            )
        finally:
            over.set()
            thread.join(60)
        served.sealed()
        return len(restarts), {one.name: (errors[one], counts(served.facts(source_of(one)))) for one in libraries}


def test_a_restart_loses_nothing(restarted: tuple[int, Restarted]) -> None:
    """The listening socket outlives the process, as with socket activation: nobody is refused while it starts anew."""
    restarts, told = restarted
    assert restarts >= 2
    for name, (errors, stored) in told.items():
        assert errors == [], name
        assert stored == list(range(300)), name
        found[RESTART, name] = "none refused, none lost"


def watch(server: Served) -> tuple[set[str], int]:
    """Stay on a page; give the hosts that it asked, and how many of its calls were stored."""
    key = server.key("watched")
    with browser() as opened:
        seen = visit(opened, Job(SEGMENT_BROWSER, server.address, key, calls()), stay=BROWSER_SECONDS)
    return seen.hosts, len(server.stored("watched"))


def test_a_page_sends_to_the_collector_only(server: Served, watched: tuple[set[str], int]) -> None:
    needs(SEGMENT_BROWSER)
    assert watched == ({f"127.0.0.1:{server.port}"}, len(CALLS))
    found[AWAY, SEGMENT_BROWSER.name] = f"none in {BROWSER_SECONDS:.0f} s"


def mail(server: Served) -> list[Json]:
    """Follow a link that says who its reader is; give what was stored."""
    key = server.key("mailed")
    query = "?ajs_uid=boss&ajs_aid=hers&ajs_event=Signed%20Up&ajs_trait_email=boss@firm.example&token=s3cret&x=1"
    with browser() as opened:
        visit(opened, Job(SEGMENT_BROWSER, server.address, key, calls()[4:5], query=True), query=query, stay=2)
    return server.stored("mailed")


def test_a_link_that_says_who_its_reader_is_is_not_believed(mailed: list[Json]) -> None:
    """The library makes an identify and a track call of `ajs_` parameters; anybody can mail such a link."""
    needs(SEGMENT_BROWSER)
    assert {row["kind"] for row in mailed} >= {"person.identified", "contact.created", "page.viewed"}
    assert all("claimed_address" in row["detail"]["flags"] for row in mailed)
    assert [row["keys"] for row in mailed if row["keys"]] == []
    addresses = json.dumps([row["event"]["context"]["page"] for row in mailed])
    assert "s3cret" not in addresses
    assert "ajs_" not in addresses
    assert "x=1" in addresses
    found[LINK, SEGMENT_BROWSER.name] = "flagged, joins nobody"


def examples() -> list[tuple[str, str]]:
    """Give the examples of the page that run as they stand: language and text."""
    found_there = re.findall(r"```(python|js)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return [(language, text) for language, text in found_there if "AnalyticsBrowser" not in text]


def library_of(text: str) -> Library:
    """Give the library that an example shows."""
    return next(one for one in LIBRARIES if MODULES[one.name] in text)


Tried = dict[str, tuple[subprocess.CompletedProcess[str], list[Json]]]


def try_examples(server: Served) -> Tried:
    """Run the examples of the page beside each other; give how each ended and what was stored."""
    texts = [(language, text) for language, text in examples() if not library_of(text).missing]
    sources = {text: source_of(library_of(text), "example") for _, text in texts}
    keys = dict(zip(sources, server.add(*((source, "--server") for source in sources.values())), strict=True))
    with ThreadPoolExecutor(len(texts)) as pool:
        ended = [pool.submit(run_example, *one, server.address, keys[one[1]]) for one in texts]
        done = {text: one.result() for (_, text), one in zip(texts, ended, strict=True)}
    return {text: (one, server.stored(sources[text])) for text, one in done.items()}


def run_example(language: str, text: str, address: str, key: str) -> subprocess.CompletedProcess[str]:
    text = text.replace("https://collect.firm.example", address).replace("SERVER_KEY", key)
    command = [sys.executable, "-c", text] if language == "python" else ["node", "-e", f"(async () => {{{text}}})()"]
    around = os.environ | {"NODE_PATH": str(PACKAGES / "node_modules")}
    return subprocess.run(command, env=around, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("place", range(4))
def test_the_examples_of_the_page_run(tried: Tried, place: int) -> None:
    _, text = examples()[place]
    needs(library_of(text))
    done, rows = tried[text]
    assert done.returncode == 0, done.stderr
    assert "contact.created" in {row["kind"] for row in rows}


MODULES = {
    "segment-analytics-python": "segment.analytics",
    "rudder-sdk-python": "rudderstack.analytics",
    "@segment/analytics-node": "@segment/analytics-node",
    "@rudderstack/rudder-sdk-node": "@rudderstack/rudder-sdk-node",
    "@segment/analytics-next": "@segment/analytics-next",
}


def test_the_page_tells_what_was_found() -> None:
    """Runs last: with `PLAIT_WRITE_CONFORMANCE=1` it writes the table, without it looks for a case that is missing."""
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    written, _, after = rest.partition(END)
    if os.environ.get("PLAIT_WRITE_CONFORMANCE") == "1":
        assert {library.name for library in here()} == {library.name for library in LIBRARIES}, "a library is missing"
        written = f"\n{table()}\n"
        PAGE.write_text(f"{before}{BEGIN}{written}{END}{after}", "utf-8")
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in written.strip().splitlines()]
    assert lines[0][1:] == [f"{library.name} {library.version}" for library in LIBRARIES], AGAIN
    assert [line[0] for line in lines[2:]] == list(ROWS), AGAIN
    for line in lines[2:]:
        expected = [may_be(line[0], library) for library in LIBRARIES]
        assert [cell != NONE for cell in line[1:]] == expected, f"{line[0]}: {AGAIN}"


AGAIN = "run PLAIT_WRITE_CONFORMANCE=1 pytest tests/collector/test_sdks.py"


def may_be(row: str, library: Library) -> bool:
    """Tell whether a case is one of a library."""
    if row in (AWAY, LINK):
        return library.runtime == "browser"
    return row not in (LIMITED, RESTART) or library.runtime != "browser"


def table() -> str:
    """Write what was found as a table."""
    head = ["call, or what happens to it", *(f"{library.name} {library.version}" for library in LIBRARIES)]
    body = [[row, *(found.get((row, library.name), NONE) for library in LIBRARIES)] for row in ROWS]
    rule = ["---"] * len(head)
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, rule, *body])
