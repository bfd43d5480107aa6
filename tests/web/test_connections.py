"""Connections on the desk: made from a description, asked by their schedule, each read once, their secrets kept."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path
from typing import Self

import pytest
from click.testing import CliRunner
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone
from django_q.models import Schedule
from pull_server import Asked, Json, Server, Status, serving

from plait import desk
from plait.cli import main
from plait.settings import Settings
from plait.web.connections import changing, running, sealed
from plait.web.connections.models import Connection, Run
from plait.web.people.models import AuditEntry, User
from plait.web.work import jobs
from plait.web.work.models import Job

SECRET = "the-key-of-the-shop"  # noqa: S105 - of a server that a test starts
SHOP = """
name = "shop"
title = "Shop"
about = "Orders of the shop."
address = "{address}"
test = "/orders"
retry = {{ tries = 2, longest_wait = 0.0 }}
per_second = 1000.0
[[setting]]
name = "country"
title = "Country"
example = "fr"
pattern = "[a-z]{{2}}"
[[login]]
name = "key"
title = "Key"
kind = "header"
header = "X-Api-Key"
value = "{{key}}"
secrets = {{ key = "Key of the shop" }}
[[resource]]
name = "orders"
title = "Orders"
path = "/orders"
query = {{ country = "{{country}}" }}
records = "orders"
cursor = {{ field = "at", overlap = 0 }}
changes = {{ query = {{ since = "{{cursor}}" }} }}
[[resource.table]]
name = "order"
key = ["id"]
"""
MAPPING = """
source = "shop"
timezone = "UTC"
[[file]]
pattern = "order.jsonl"
[[file.fact]]
kind = "order.placed"
id = "{id}"
object_id = "{id}"
occurred_at = "{at}"
keys = { email = "{email}" }
amount = "{total}"
currency = "EUR"
"""


class Shop:
    """A shop with a key, whose orders are told since an instant."""

    def __init__(self) -> None:
        self.orders = [self.order(1), self.order(2)]
        self.closed = False

    def order(self, day: int) -> Json:
        return {"id": f"o{day}", "at": f"2026-03-0{day}T08:00:00Z", "email": f"p{day}@acme.example", "total": 19.9}

    def __call__(self, asked: Asked) -> Json:
        if asked.headers.get("X-Api-Key") != SECRET:
            raise Status(401, {"said": f"unknown key {asked.headers.get('X-Api-Key')}"})
        if self.closed:
            raise Status(503, "")
        return {"orders": [one for one in self.orders if one["at"] >= asked.one("since")]}


class Here:
    """Work in this thread: another one would not see what the test has not committed."""

    def __init__(self, _threads: int) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None: ...

    def submit(self, work: Callable[..., object], *given: object) -> Future[object]:
        done: Future[object] = Future()
        try:
            done.set_result(work(*given))
        except BaseException as error:  # noqa: BLE001 - as a thread hands it on
            done.set_exception(error)
        return done


@pytest.fixture
def shop() -> Iterator[tuple[Shop, Server]]:
    fake = Shop()
    with serving(fake) as server:
        yield fake, server


@pytest.fixture
def own_home(tmp_path: Path, settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a home of this test's own, so that the demo company's stays as it is."""
    monkeypatch.setattr(jobs, "ThreadPoolExecutor", Here)
    settings.HOME, settings.STATE = tmp_path / "home", tmp_path / "state"
    settings.STATE.mkdir()
    desk.set_up(settings.HOME, Settings("UTC", "EUR"))
    return tmp_path / "home"


@pytest.fixture
def made(shop: tuple[Shop, Server], own_home: Path, persona: Callable[[str], User]) -> Connection:  # noqa: ARG001
    wanted = changing.Wanted(
        "shop", "rest", {"country": "fr"}, {"key": SECRET}, description=SHOP.format(address=shop[1].address),
        mapping=("shop.toml", MAPPING), every=60,
    )  # fmt: skip
    return changing.add(wanted, actor=persona("ida"))


def ask(connection: Connection, *, full: bool = False) -> Run:
    """Have the worker ask a connection; give the run as it ended."""
    job = running.start(connection, full=full)
    jobs.carry_out(job.pk)
    return Run.objects.select_related("job", "connection").get(job=job)


def test_a_connection_is_made_in_the_browser_and_its_secret_is_seen_no_more(
    shop: tuple[Shop, Server], own_home: Path, client_of: Callable[[str], Client], caplog: pytest.LogCaptureFixture
) -> None:
    client, text = client_of("ida"), SHOP.format(address=shop[1].address)
    assert b"HubSpot" in client.get("/data/connections/").content
    assert b"Access token" in client.get("/data/connections/new/?system=hubspot").content
    form = client.post("/data/connections/new/", {"system": "rest", "description": text, "go_on": "1"}).content.decode()
    assert 'name="set-country"' in form
    assert "Key of the shop" in form
    given = {"system": "rest", "description": text, "name": "shop", "set-country": "fr", "secret-key": "wrong-key",
             "number": "2", "unit": "hours"}  # fmt: skip
    wrong = client.post("/data/connections/new/test/", given).content.decode()
    assert "does not let us in (401" in wrong
    assert "wrong-key" not in wrong
    works = client.post("/data/connections/new/test/", given | {"secret-key": SECRET}).content.decode()
    assert "It accepts the secret." in works
    refused = client.post("/data/connections/new/", given | {"set-country": "France", "secret-key": SECRET})
    assert refused.status_code == 400
    assert "Country cannot be" in refused.content.decode()
    done = client.post("/data/connections/new/", given | {"secret-key": SECRET, "add": "1"}, follow=True)
    assert "every 2 hours" in done.content.decode()
    found = Connection.objects.get()
    assert sealed.unseal(found.secrets) == {"key": SECRET}
    schedule = Schedule.objects.get(func="plait.web.connections.running.due")
    assert (schedule.minutes, schedule.schedule_type) == (120, "I")
    pages = [done, refused, client.get("/data/connections/"), client.get("/data/connections/shop/")]
    said = "".join(page.content.decode() for page in pages) + caplog.text
    said += json.dumps([*AuditEntry.objects.values("subject", "before", "after")], default=str)
    kept = b"".join(path.read_bytes() for path in own_home.parent.rglob("*") if path.is_file())
    assert SECRET not in said
    assert SECRET.encode() not in kept
    assert SECRET not in json.dumps([*Connection.objects.values()], default=str)


def test_what_was_read_is_remembered_only_once_it_is_stored(
    shop: tuple[Shop, Server], made: Connection, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that dies between loading and remembering is read again and adds nothing; then only what is new is."""
    with monkeypatch.context() as broken:
        broken.setattr(running, "_close", lambda *_a, **_k: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            running.run_now(made, full=False, now=timezone.now(), tell=lambda *_a: None)
    made.refresh_from_db()
    assert desk.info(own_home).facts == 2
    assert made.cursors == {}
    Run.objects.update(pid=2**22 - 1)  # no process has this number
    again = ask(made)
    assert (again.state, again.rows, again.added) == ("done", 2, 0)
    made.refresh_from_db()
    assert made.cursors["orders"] == "2026-03-02T08:00:00+00:00"
    shop[0].orders.append(shop[0].order(3) | {"email": "no address", "total": "much"})
    new = ask(made)
    assert (new.rows, new.added, new.refused) == (2, 0, 1)
    shop[0].orders.append(shop[0].order(3) | {"id": "o4"})
    newer = ask(made)
    assert (newer.rows, newer.added) == (2, 1)
    same = ask(made)
    assert (same.rows, same.added) == (2, 0)  # the newest are read again: as they were, so nothing is loaded
    assert desk.info(own_home).refused == 2
    assert shop[1].asked[-1].one("since") == "2026-03-03T08:00:00Z"
    full = ask(made, full=True)
    assert (full.rows, full.added) == (4, 0)
    assert full.job is not None
    assert full.job.report["read"] == {"order.jsonl": 4}
    assert desk.info(own_home).facts == 3
    assert not any((own_home.parent / "state" / "pulled").iterdir())


def test_one_run_at_a_time_and_none_piles_up(
    made: Connection, own_home: Path, client_of: Callable[[str], Client]
) -> None:
    job = running.start(made)
    running.due(made.pk)  # the schedule comes while it waits still
    assert Run.objects.count() == 1
    with pytest.raises(running.Busy, match="being asked already"):
        running.start(made)
    said = client_of("ida").post("/data/connections/shop/run/", follow=True).content.decode()
    assert "being asked already" in said
    jobs.cancel(job)
    running.settle()
    assert Run.objects.get().state == "cancelled"
    running.due(made.pk)
    late = Run.objects.get(state="open")

    def stop(*_told: object) -> None:
        raise jobs.Cancelled

    with pytest.raises(jobs.Cancelled):  # somebody cancels while it reads
        running.carry_out(late, now=timezone.now(), tell=stop, cancelled=lambda: True)
    late.refresh_from_db()
    made.refresh_from_db()
    assert (late.state, made.failures, made.cursors, desk.info(own_home).facts) == ("cancelled", 0, {}, 0)


def test_a_connection_that_fails_too_often_is_paused_and_says_why(
    shop: tuple[Shop, Server], made: Connection, client_of: Callable[[str], Client]
) -> None:
    shop[0].closed = True
    client = client_of("ida")
    for _ in range(running.MOST_FAILURES):
        failed = ask(made)
        assert failed.state == "refused"
    listed = client.get("/data/connections/").content.decode()
    assert "paused" in listed
    assert "answered 503, 2 times in a row; the next run tries again." in listed
    assert not Schedule.objects.filter(name=f"connection {made.pk}").exists()
    running.due(made.pk)
    assert Run.objects.count() == running.MOST_FAILURES
    shop[0].closed = False
    client.post("/data/connections/shop/change/", {"resume": "1"})
    assert Schedule.objects.get(name=f"connection {made.pk}").next_run > timezone.now() + timedelta(minutes=59)
    assert ask(made).added == 2
    made.refresh_from_db()
    assert (made.paused, made.failures) == (False, 0)


def test_the_key_is_changed_and_every_secret_still_read(
    made: Connection, own_home: Path, monkeypatch: pytest.MonkeyPatch, client_of: Callable[[str], Client]
) -> None:
    file = own_home.parent / "state" / "connections.key"
    before = file.read_text()
    assert oct(file.stat().st_mode)[-3:] == "600"
    assert sealed.rotate() == 1
    made.refresh_from_db()
    assert before not in file.read_text()
    assert oct(file.stat().st_mode)[-3:] == "600"
    assert sealed.unseal(made.secrets) == {"key": SECRET}
    file.write_text(before)
    with pytest.raises(sealed.BadKey, match="enter them again"):
        sealed.unseal(made.secrets)
    monkeypatch.setenv("PLAIT_CONNECTION_KEYS", "no key")
    with pytest.raises(sealed.BadKey, match="no Fernet key"):
        sealed.unseal(made.secrets)
    monkeypatch.delenv("PLAIT_CONNECTION_KEYS")
    client = client_of("ida")
    client.post("/data/connections/shop/change/", {"secret-key": "another", "secret": "1"})
    made.refresh_from_db()
    assert sealed.unseal(made.secrets) == {"key": "another"}
    assert "does not let us in" in client.post("/data/connections/shop/test/").content.decode()
    client.post("/data/connections/shop/remove/")
    assert not Connection.objects.exists()
    assert not Schedule.objects.filter(func="plait.web.connections.running.due").exists()


def test_files_of_a_watched_folder_are_loaded_once_and_left_where_they_are(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, persona: Callable[[str], User]
) -> None:
    watched = tmp_path / "drop"
    watched.mkdir()
    wanted = changing.Wanted("drop", "folder", {"path": str(watched)}, {}, mapping=("shop.toml", MAPPING))
    made = changing.add(wanted, actor=persona("ida"))
    assert "PLAIT_FOLDERS" in ask(made).says
    monkeypatch.setenv("PLAIT_FOLDERS", str(tmp_path))
    shop = Shop()
    for name, day in (("order.jsonl", 1), ("order.jsonl.part", 2)):
        (watched / name).write_text(json.dumps(shop.order(day)) + "\n")
    assert ask(made).read == {}  # written a moment ago: it may not be whole
    for path in watched.iterdir():
        os.utime(path, (1, 1))
    assert ask(made).added == 1
    assert ask(made).read == {}
    (watched / "order.jsonl").write_text("".join(f"{json.dumps(shop.order(day))}\n" for day in (1, 2)))
    (watched / "other.csv").write_text("a;b\n1;2\n")
    for path in watched.iterdir():
        os.utime(path, (2, 2))
    changed = ask(made)
    assert (changed.added, changed.not_read) == (1, ["other.csv"])
    made.refresh_from_db()
    assert list(made.cursors) == ["order.jsonl"]  # the other is looked at again: somebody may bring a mapping
    assert sorted(path.name for path in watched.iterdir()) == ["order.jsonl", "order.jsonl.part", "other.csv"]
    assert desk.info(own_home).facts == 2
    (own_home / "x").mkdir()
    made.settings = {"path": str(own_home / "x")}
    made.save()
    assert "the home of plait itself" in ask(made).says


@pytest.mark.django_db
def test_the_command_line_does_the_same(
    shop: tuple[Shop, Server], own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret comes from the environment and is never printed; wrong input is one clear line."""
    commands = sys.modules["plait.cli.connections"]  # its name in the package is the command
    monkeypatch.setattr(commands, "desk_of", lambda _home: None)  # the test has prepared the desk
    (tmp_path / "shop.toml").write_text(SHOP.format(address=shop[1].address))
    (tmp_path / "mapping.toml").write_text(MAPPING)
    files = ["--description", str(tmp_path / "shop.toml"), "--mapping", str(tmp_path / "mapping.toml")]

    def plait(*words: str) -> str:
        done = CliRunner().invoke(
            main, ["--home", str(own_home), "connections", *words], env={"PLAIT_SECRET_KEY": SECRET}
        )
        assert SECRET not in done.output
        return f"{done.exit_code} {done.output}"

    assert plait("add", "shop", "rest", *files, "--set", "country=1").startswith("1 Error: Country cannot be '1'")
    assert plait("add", "shop", "shopp").startswith("1 Error: there is no system 'shopp'; there are: hubspot, ")
    assert plait("add", "shop", "rest", *files, "--set", "country=fr", "--every", "soon").startswith("2 Error: --every")
    added = plait("add", "shop", "rest", *files, "--set", "country=fr", "--every", "2h")
    assert added.startswith("0 127.0.0.1 answers.\nIt accepts the secret.")
    assert "order.jsonl\t2\n2 facts added, 0 rows refused" in plait("run", "shop")
    assert "shop\trest\tdone\t2 rows, 2 facts added" in plait("list")
    assert plait("pause", "shop") == "0 shop is paused\n"
    assert plait("remove", "shop", "--yes") == "0 shop is removed; its facts stay\n"
    assert plait("test", "shop").startswith("1 Error: there is no connection 'shop'")
    assert desk.info(own_home).facts == 2


def test_who_may_only_see_changes_nothing(made: Connection, client_of: Callable[[str], Client]) -> None:
    client = client_of("cleo")
    assert client.get("/data/connections/shop/").status_code == 200
    for path in ("run", "change", "remove", "test"):
        assert client.post(f"/data/connections/shop/{path}/").status_code == 403
    assert client.get("/data/connections/new/").status_code == 403
    assert client_of("otto").get("/data/connections/").status_code == 404
    assert made.runs.count() == 0
    assert Job.objects.count() == 0
