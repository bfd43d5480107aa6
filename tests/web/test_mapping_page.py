"""Map an export: uploaded files are proposed a mapping for, corrected, previewed, kept, loaded or forgotten."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.test import Client

from plait import desk
from plait.web.people.models import AuditEntry
from plait.web.work import jobs
from plait.web.work.models import Job, KnownMapping

ClientOf = Callable[[str], Client]
pytestmark = pytest.mark.django_db
ORDERS = b"""Order ID,Total,Ordered At,Customer Email
O-1,250.50,03/04/2026,a@x.example
O-2,99.50,05/06/2026,b@x.example
"""
REFUNDS = b"""id,amount,charge_id,created,currency,reason,receipt_number,status
re_1,100,ch_1,2026-01-02 10:00:00,eur,duplicate,1,succeeded
"""


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the jobs a home of their own, so that the demo company's stays as it is."""
    monkeypatch.setattr(settings, "HOME", tmp_path / "home")
    return tmp_path / "home"


def brought(client: Client, *files: tuple[str, bytes], **form: str) -> HttpResponse:
    given: dict[str, Any] = {"files": [SimpleUploadedFile(name, content) for name, content in files], **form}
    return client.post("/data/upload/", given)  # type: ignore[return-value]


def draft_of(client: Client) -> str:
    answer = brought(client, ("orders.csv", ORDERS), map="1")
    assert answer.status_code == 302, answer.content.decode()
    return answer["Location"]


def carried_out(answer: HttpResponseBase) -> Job:
    assert answer.status_code == 302
    job = Job.objects.get(pk=int(answer["Location"].strip("/").split("/")[-1]))
    jobs.carry_out(job.pk)
    job.refresh_from_db()
    return job


def test_a_proposal_is_corrected_previewed_and_loaded(client_of: ClientOf, own_home: Path) -> None:
    client = client_of("sol")
    assert "Propose a mapping" in client.get("/data/map/").content.decode()
    page = draft_of(client)
    shown = client.get(page).content.decode()
    for said in (
        "Proposal for orders",
        "03/04/2026 in Ordered At: day first or month first?",
        "Customer Email",
        "id of",
    ):
        assert said in shown, said
    assert "amount without currency" in shown, "the home states none: the rows would be refused, and that is shown"
    form = {"format:orders.csv:Ordered At": "%m/%d/%Y", "currency": "USD", "source": "shop", "nonsense:x": "y"}
    changed = client.post(f"{page}answers/", form).content.decode()
    assert "<html" not in changed, "only what changes is sent"
    assert ("2026-03-04" in changed, "250.5 USD" in changed) == (True, True)
    assert 'value="shop"' in changed
    wrong = client.post(f"{page}answers/", {"currency": "EURO", "source": "My Shop"}).content.decode()
    assert ("is no currency" in wrong, "A source is named with" in wrong) == (True, True)
    job = carried_out(client.post(f"{page}use/", {"load": "1"}))
    assert (job.state, job.mapping and job.mapping.name) == ("done", "shop.toml")
    assert desk.info(own_home).facts == 2
    assert client.get(page).status_code == 404, "nothing of the upload is left"
    assert not Path(job.folder).exists()


def test_a_mapping_is_kept_taken_along_or_forgotten(client_of: ClientOf) -> None:
    client = client_of("sol")
    page = draft_of(client)
    taken = client.post(f"{page}use/", {"download": "1"})
    assert taken["Content-Disposition"] == 'attachment; filename="orders.toml"'
    assert b'source   = "orders"' in taken.content
    assert client_of("ida").get(page).status_code == 404, "files that are mapped are their owner's"
    assert client_of("fin").get(page).status_code in (403, 404)
    assert client.post(f"{page}use/", {"save": "1"})["Location"] == "/data/upload/"
    known = KnownMapping.objects.get()
    assert known.text.encode() == taken.content
    assert AuditEntry.objects.filter(action="data.mapping", subject="orders.toml").exists()
    job = carried_out(brought(client, ("next orders.csv", ORDERS), known=f"used:{known.pk}", load="1"))
    assert job.report["files"][0]["rows"] == 2, "the next export is told by its columns"
    page = draft_of(client)
    assert client.post(f"{page}use/", {"forget": "1"})["Location"] == "/data/map/"
    assert client.get(page).status_code == 404
    token = page.strip("/").split("/")[-1]
    assert not (Path(settings.STATE) / "drafts" / token).exists()


def test_what_nobody_can_read_is_said(client_of: ClientOf) -> None:
    client = client_of("sol")
    page = brought(client, ("blank.csv", b"a;b\n"), map="1")["Location"]
    shown = client.get(page).content.decode()
    assert "None yet: say what the rows of a file are." in shown
    assert "No file gives facts yet" in client.post(f"{page}use/", {"load": "1"}).content.decode()
    broken = brought(client, ("bad.xlsx", b"no workbook"), map="1")["Location"]
    refused = client.get(broken)
    assert (refused.status_code, "is no sound XLSX workbook" in refused.content.decode()) == (400, True)
    assert client.get(broken).status_code == 404
    assert "is no export that can be read" in brought(client, ("x.exe", b"x"), map="1").content.decode()


def test_known_exports_are_recognised_and_the_others_lead_to_their_mapping(client_of: ClientOf, own_home: Path) -> None:
    client = client_of("sol")
    unknown = brought(client, ("orders.csv", ORDERS), known="recognise", load="1")
    assert unknown["Location"].startswith("/data/map/")
    assert "No file is an export that plait knows" in client.get(unknown["Location"]).content.decode()
    both = brought(client, ("orders.csv", ORDERS), ("refunds.csv", REFUNDS), known="recognise", load="1")
    report = client.get(both["Location"]).content.decode()
    assert "Not known to plait: orders.csv." in report
    assert '/">Map them</a>' in report
    job = carried_out(both)
    assert (job.mapping, [file["file"] for file in job.report["files"]]) == (None, ["refunds.csv"])
    assert desk.info(own_home).facts == 1
