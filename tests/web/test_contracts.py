"""The page Contracts: scorecards, a new version by whoever approves data, and drift that somebody accepts."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from contracts import DEALS, MORE, WHOLE, adopt, load, rows, text_of
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from plait import desk
from plait.sources.contract import home as kept
from plait.web.people.models import AuditEntry

ClientOf = Callable[[str], Client]
pytestmark = pytest.mark.django_db
GOOD = rows("id,amount,closed,stage,owner", "A#,#,2026-05-0#,won,x", 2)
BAD = "id,amount,closed,stage,owner\nB1,-5,2026-05-01,won,x\nB2,x,2026-05-01,won,x\nB3,-1,soon,won,x\n"


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the contracts a home of their own, so that the demo company's stays as it is."""
    monkeypatch.setattr(settings, "HOME", tmp_path / "home")
    return tmp_path / "home"


def bring(client: Client, text: str, why: str = "agreed") -> object:
    file = SimpleUploadedFile("crm.odcs.yaml", text.encode())
    return client.post("/data/contracts/", {"file": file, "why": why}, follow=True)


def test_the_scorecard_shows_what_was_kept_and_leads_to_the_refused_rows(
    client_of: ClientOf, own_home: Path, tmp_path: Path
) -> None:
    adopt(own_home, schema=WHOLE, more=MORE)
    now = timezone.now()
    load(tmp_path, at=now, deals=GOOD)
    load(tmp_path, at=now, deals_b=BAD)
    client = client_of("ida")
    page = client.get("/data/contracts/").content.decode()
    for said in ("Ida", "sol@demo.example", "Sales", "broken", "100.0%", "60.0% in 90 days", "plait holds 2"):
        assert said in page, said
    page = client.get("/data/contracts/crm/").content.decode()
    assert "2 of 3 rows break it" in page
    assert "1 of 2" in page, "broken at one of the two loads of 90 days"
    groups = {group.rule: group.rows for group in desk.refused_groups(own_home)}
    assert groups["contract: amount is below 0 (and 1 more rule)"] == 1
    for rule, count in groups.items():
        assert client.get("/data/refused/", {"source": "crm", "rule": rule}).context["found"].count == count
    told = list(csv.DictReader(io.StringIO(client.get("/data/contracts.csv").content.decode())))
    by_rule = {row["rule"]: row for row in told}
    assert (by_rule["amount is at least 0"]["kept"], by_rule["amount is at least 0"]["broken_rows"]) == ("no", "2")
    assert {row["it_owner"] for row in told} == {"Ida"}
    assert client.get("/data/contracts/crm/1.odcs.yaml").content.decode() == text_of(schema=WHOLE, more=MORE)
    assert client.get("/data/contracts/crm/2.odcs.yaml").status_code == 404
    assert client.get("/data/contracts/nobody/").status_code == 404


def test_who_approves_data_brings_a_contract_or_hears_all_that_is_wrong(client_of: ClientOf, own_home: Path) -> None:
    wrong = bring(client_of("ida"), text_of().replace("logicalType: number", "logicalType: numbr").replace("Ida", ""))
    assert wrong.status_code == 400  # type: ignore[attr-defined]
    page = wrong.content.decode()  # type: ignore[attr-defined]
    assert "did you mean &#x27;number&#x27;" in page
    assert "This contract cannot be used" in page
    assert not kept.sources(own_home)
    assert "needs who adopts it and why" in bring(client_of("ida"), text_of(), why=" ").content.decode()  # type: ignore[attr-defined]
    page = bring(client_of("ida"), text_of()).content.decode()  # type: ignore[attr-defined]
    assert "Version 1 of the contract of crm holds from now on" in page
    (version,) = kept.read_versions(own_home, "crm")
    assert version.by == client_of("ida").get("/me/").context["user"].name
    assert AuditEntry.objects.filter(action="contracts.adopted", subject="crm").count() == 1
    assert bring(client_of("fin"), text_of(more="\n# other\n")).status_code == 403  # type: ignore[attr-defined]
    assert bring(client_of("otto"), text_of(more="\n# other\n")).status_code == 404  # type: ignore[attr-defined]
    assert len(kept.read_versions(own_home, "crm")) == 1


def test_a_drift_waits_on_the_page_until_somebody_accepts_it(
    client_of: ClientOf, own_home: Path, tmp_path: Path
) -> None:
    adopt(own_home, schema=DEALS)
    load(tmp_path, deals_1=rows("id,amount,closed,stage", "A#,#,2026-04-0#,won"))
    with pytest.raises(Exception, match="nothing was loaded"):
        load(tmp_path, deals_2=rows("id,amount,closed,stage", "B#,EUR #,2026-04-0#,won"))
    client = client_of("ida")
    page = client.get("/data/contracts/").content.decode()
    assert "column <code>amount</code> became text on May 3, 2026; before it was a whole number (5 of 5 rows)" in page
    assert client_of("mia").post("/data/contracts/crm/drift/").status_code == 403
    page = client.post("/data/contracts/crm/drift/", follow=True).content.decode()
    assert "Accepted. Load the export again" in page
    assert AuditEntry.objects.filter(action="contracts.drift", subject="crm").exists()
    assert "nothing to accept" in client.post("/data/contracts/crm/drift/", follow=True).content.decode()
    told = load(tmp_path, deals_2=rows("id,amount,closed,stage", "B#,EUR #,2026-04-0#,won"))
    assert (told.files[0].rows, told.files[0].refused) == (5, 5)
