"""Uploads and jobs: what is brought in the browser becomes facts as on the command line, or a reason."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.http import HttpResponse
from django.test import Client
from django_q.models import OrmQ

from plait import desk
from plait.web.people.models import AuditEntry, User
from plait.web.work import jobs
from plait.web.work.models import Job, KnownMapping

ClientOf = Callable[[str], Client]
Persona = Callable[[str], User]
pytestmark = pytest.mark.django_db
OLIST = Path(__file__).parents[3] / "shared" / "data" / "olist"
MAPPING = b"""
source = "shopfloor"
timezone = "UTC"
[[file]]
pattern = "orders*.csv*"
[[file.fact]]
kind = "order.placed"
id = "{id}"
occurred_at = "{day}"
object_id = "{id}"
amount = "{amount}"
currency = "EUR"
keys.domain = "{domain}"
[[control]]
source = "shopfloor"
kind = "order.placed"
facts = 2
"""
ORDERS = b"""id,day,amount,domain
o1,2026-01-05,100.00,one.example
o2,2026-01-06,50.00,two.example
o3,never,1.00,x.example
"""


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the jobs a home of their own, so that the demo company's stays as it is."""
    monkeypatch.setattr(settings, "HOME", tmp_path / "home")
    return tmp_path / "home"


def upload(
    client: Client, *files: tuple[str, bytes], mapping: bytes | None = MAPPING, known: str = "", button: str = "load"
) -> HttpResponse:
    form: dict[str, Any] = {"files": [SimpleUploadedFile(name, content) for name, content in files], "known": known}
    form[button] = "1"
    if mapping is not None:
        form["mapping"] = SimpleUploadedFile("shop.toml", mapping)
    return client.post("/data/upload/", form)  # type: ignore[return-value]


def job_of(answer: HttpResponse) -> Job:
    assert answer.status_code == 302, answer.content.decode()
    return Job.objects.get(pk=int(answer["Location"].strip("/").split("/")[-1]))


def carried_out(job: Job) -> Job:
    jobs.carry_out(job.pk)
    job.refresh_from_db()
    return job


def test_an_upload_becomes_facts_and_a_report_of_what_was_refused(client_of: ClientOf, own_home: Path) -> None:
    client = client_of("sol")
    job = job_of(upload(client, ("orders.csv", ORDERS)))
    assert job.state == "waiting"
    assert OrmQ.objects.count() == 1
    assert "when the jobs before it are over" in client.get(f"/jobs/{job.pk}/").content.decode()
    carried_out(job)
    assert job.state == "done"
    assert desk.info(own_home).facts == 2
    page = client.get(f"/jobs/{job.pk}/").content.decode()
    for said in ("3 rows read", "2 facts added", "1 row refused", "never", "line 4", "agrees"):
        assert said in page, said
    assert "hx-trigger" not in page, "a job that is over is asked no more"
    assert not Path(job.folder).exists()


def test_uploading_the_same_again_adds_nothing(client_of: ClientOf, own_home: Path) -> None:
    client = client_of("sol")
    for added in (2, 0):
        job = carried_out(job_of(upload(client, ("orders.csv", ORDERS))))
        assert job.report["files"][0]["added"] == added
    assert desk.info(own_home).facts == 2


def test_trying_out_stores_nothing_and_shows_the_facts(client_of: ClientOf, own_home: Path) -> None:
    client = client_of("sol")
    job = carried_out(job_of(upload(client, ("orders.csv", ORDERS), button="try_out")))
    assert (job.kind, job.state) == ("try_out", "done")
    assert desk.info(own_home).facts == 0
    page = client.get(f"/jobs/{job.pk}/").content.decode()
    assert "one.example" in page
    assert "never" in page


def test_a_mapping_is_kept_and_can_be_chosen_again(client_of: ClientOf) -> None:
    client = client_of("sol")
    upload(client, ("orders.csv", ORDERS))
    known = KnownMapping.objects.get()
    assert "shop.toml" in client.get("/data/upload/").content.decode()
    packed = ("orders-2.csv.gz", gzip.compress(ORDERS))
    job = carried_out(job_of(upload(client, packed, mapping=None, known=f"used:{known.pk}")))
    assert job.report["files"][0]["accepted"] == 2
    assert KnownMapping.objects.count() == 1


@pytest.mark.parametrize(
    ("files", "mapping", "said"),
    [
        ([], MAPPING, "Choose at least one export file"),
        ([("orders.exe", b"x")], MAPPING, "is no export that can be read"),
        ([("orders.csv", ORDERS), ("orders.csv", ORDERS)], MAPPING, "appears twice"),
        ([("bills.csv", ORDERS)], MAPPING, "No file fits the mapping, which reads: orders*.csv*"),
        ([("orders.csv", ORDERS)], b"source = ", "is no TOML"),
        ([("orders.csv", ORDERS)], None, "Choose a mapping, or bring one"),
    ],
)
def test_what_cannot_be_taken_is_refused_at_once(
    client_of: ClientOf, own_home: Path, files: list[tuple[str, bytes]], mapping: bytes | None, said: str
) -> None:
    answer = upload(client_of("sol"), *files, mapping=mapping)
    assert answer.status_code == 400
    assert said in answer.content.decode()
    assert not Job.objects.exists()
    assert not own_home.exists()


def test_a_file_that_cannot_be_read_ends_the_job_as_refused_with_the_reason(
    client_of: ClientOf, own_home: Path
) -> None:
    client = client_of("sol")
    job = carried_out(job_of(upload(client, ("orders.csv", b"id,day\no1,2026-01-05\n"))))
    assert job.state == "refused"
    page = client.get(f"/jobs/{job.pk}/").content.decode()
    assert "Nothing was stored" in page
    assert "the mapping names column &#x27;amount&#x27;" in page
    assert desk.info(own_home).facts == 0


def test_a_fault_of_ours_ends_the_job_as_failed_and_says_so(
    client_of: ClientOf, own_home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = client_of("sol")
    job = job_of(upload(client, ("orders.csv", ORDERS)))
    monkeypatch.setitem(jobs.KINDS, "load", lambda _job, _watch: 1 / 0)
    carried_out(job)
    assert job.state == "failed"
    assert "ZeroDivisionError" in caplog.text
    assert "The fault is ours" in client.get(f"/jobs/{job.pk}/").content.decode()
    assert desk.info(own_home).facts == 0


def test_a_job_that_waits_is_cancelled_at_once(client_of: ClientOf, own_home: Path) -> None:
    client = client_of("sol")
    job = job_of(upload(client, ("orders.csv", ORDERS)))
    assert client.get(f"/jobs/{job.pk}/cancel/").status_code == 405
    client.post(f"/jobs/{job.pk}/cancel/")
    assert carried_out(job).state == "cancelled"
    assert desk.info(own_home).facts == 0
    assert not Path(job.folder).exists()
    assert [entry.action for entry in AuditEntry.objects.order_by("id")] == ["data.upload", "data.cancel"]


def many_orders(count: int) -> bytes:
    lines = (f"m{number},2026-01-05,100.00,firm{number % 999}.example\n" for number in range(count))
    return ("id,day,amount,domain\n" + "".join(lines)).encode()


@pytest.mark.parametrize("kind", ["load", "try_out"])
def test_a_job_that_runs_is_cancelled_before_anything_is_stored(
    client_of: ClientOf, own_home: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    job = job_of(upload(client_of("sol"), ("orders.csv", many_orders(200_000)), button=kind))
    heard: list[int] = []

    class Impatient(jobs.Watch):
        def __call__(self, file: str, done: int, total: int) -> None:
            heard.append(done)
            self.cancelled = True  # as the look at the job's row sets it
            super().__call__(file, done, total)

    monkeypatch.setattr(jobs, "Watch", Impatient)
    assert carried_out(job).state == "cancelled"
    assert heard, "the load was under way"
    assert desk.info(own_home).facts == 0
    assert list((own_home / "staging").iterdir()) == []
    assert not Path(job.folder).exists()
    monkeypatch.undo()


def test_the_row_of_a_running_job_tells_how_far_it_is(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of("sol")
    job = job_of(upload(client, ("orders.csv", ORDERS), ("orders-2.csv", ORDERS)))
    seen = []

    def slow(_job: Job, watch: jobs.Watch) -> dict[str, object]:
        watch("orders.csv", 60, 120)
        time.sleep(3 * jobs.LOOK_EVERY)
        return {}

    class Looking(jobs.Watch):
        def progress(self) -> tuple[int, int]:
            seen.append(super().progress())
            return seen[-1]

    monkeypatch.setitem(jobs.KINDS, "load", slow)
    monkeypatch.setattr(jobs, "Watch", Looking)
    carried_out(job)
    assert (60, 120 + len(ORDERS)) in seen
    assert (job.done, job.total) == seen[-1]


def test_a_job_is_carried_out_once_however_often_it_is_handed_over(client_of: ClientOf, own_home: Path) -> None:
    job = carried_out(job_of(upload(client_of("sol"), ("orders.csv", ORDERS))))
    ended = job.ended_at
    assert carried_out(job).ended_at == ended
    assert desk.info(own_home).facts == 2


def test_a_job_whose_worker_died_is_taken_up_once_and_then_given_up(client_of: ClientOf) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    job = job_of(upload(client_of("sol"), ("orders.csv", ORDERS)))
    for attempts, state in ((1, "waiting"), (2, "failed")):
        Job.objects.filter(pk=job.pk).update(state="running", pid=dead.pid, attempts=attempts)
        jobs.take_up(restarted=False)
        job.refresh_from_db()
        assert job.state == state
    Job.objects.filter(pk=job.pk).update(state="running", pid=os.getpid(), attempts=1)
    jobs.take_up(restarted=False)
    job.refresh_from_db()
    assert job.state == "running", "its process is alive"


def test_people_see_their_own_jobs_and_who_approves_data_sees_all(client_of: ClientOf) -> None:
    job = job_of(upload(client_of("sol"), ("orders.csv", ORDERS)))
    for name, status in (("sol", 200), ("ida", 200), ("mara", 404), ("mia", 403), ("pat", 404), ("otto", 404)):
        client = client_of(name)
        assert client.get(f"/jobs/{job.pk}/").status_code == status, name
        assert client.get(f"/jobs/{job.pk}/progress/").status_code == status, name
        assert (job.title in client.get("/jobs/").content.decode()) == (name in ("sol", "ida")), name
    assert client_of("mara").post(f"/jobs/{job.pk}/cancel/").status_code == 404
    assert client_of("mia").get("/data/upload/").status_code == 403
    assert upload(client_of("mia"), ("orders.csv", ORDERS)).status_code == 403


def test_a_file_is_laid_where_its_mapping_expects_it(client_of: ClientOf, own_home: Path) -> None:
    mapping = MAPPING.replace(b'"orders*.csv*"', b'"sales/orders*.csv"')
    job = carried_out(job_of(upload(client_of("sol"), ("orders[1] (copy).csv", ORDERS), mapping=mapping)))
    assert job.report["files"][0]["file"] == "sales/orders[1] (copy).csv"
    assert desk.info(own_home).facts == 2


def test_a_large_file_is_moved_into_its_place(persona: Persona) -> None:
    from plait.web.work.uploads import make_job

    large = TemporaryUploadedFile("orders.csv", "text/csv", len(ORDERS), None)
    large.write(ORDERS)
    large.flush()
    job = carried_out(make_job(persona("sol"), "load", [large], "shop.toml", MAPPING))
    large.close()
    assert job.state == "done"


@pytest.mark.real_data
@pytest.mark.skipif(not OLIST.exists(), reason="the public data is not here")
def test_the_public_funnel_is_loaded_by_the_mapping_that_comes_with_plait(client_of: ClientOf) -> None:
    client = client_of("mara")
    names = ("olist_closed_deals_dataset.csv", "olist_marketing_qualified_leads_dataset.csv")
    files = [(name, (OLIST / name).read_bytes()) for name in names]
    job = carried_out(job_of(upload(client, *files, mapping=None, known="shipped:olist_funnel")))
    assert job.state == "done", job.report
    assert sum(file["added"] for file in job.report["files"]) == 8842
    assert "8,842 facts added" in client.get(f"/jobs/{job.pk}/").content.decode()
