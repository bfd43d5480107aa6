"""Known exports on the samples of real tools: no row is lost, and what is counted by hand comes out."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from plait.sources.known import known_exports
from plait.sources.staging import Staging, stage

SAMPLES = Path(__file__).parents[2] / "shared" / "data" / "export_samples"
pytestmark = [pytest.mark.real_data, pytest.mark.skipif(not SAMPLES.exists(), reason="the samples are not here")]
SYSTEMS = ("hubspot", "zendesk", "mautic")
REFUSED: Mapping[str, Mapping[str, str]] = {"hubspot": {}, "zendesk": {}, "mautic": {}}  # file and line: rule
Cells = Mapping[str, str]


@pytest.fixture(scope="module")
def stagings(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Staging]:
    """Read the samples of each system as a load would, for a firm that reckons in EUR."""
    known, now = known_exports().at_home("UTC", "EUR"), datetime(2026, 1, 1, tzinfo=UTC)
    return {
        system: stage(SAMPLES / system, known, work=tmp_path_factory.mktemp(system), recorded_at=now)
        for system in SYSTEMS
    }


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_row_is_accepted_or_refused_with_a_known_reason(stagings: Mapping[str, Staging], system: str) -> None:
    files = stagings[system].files
    assert stagings[system].not_read == []
    assert {file.file: file.rows for file in files} == {
        path.name: len(list(rows(path))) for path in sorted((SAMPLES / system).glob("*.csv"))
    }
    assert all(file.rows == file.accepted + file.refused_rows for file in files)
    refused = {
        f"{file.file}:{line}": rule
        for file in files
        for line, rule in duckdb.execute(f"select line, rule from read_parquet('{file.refused}')").fetchall()
    }
    assert refused == REFUSED[system]


def test_the_money_is_that_of_the_files(stagings: Mapping[str, Staging]) -> None:
    """Of these systems only HubSpot's deals hold amounts; in the sample all of them are empty, so nothing is hoped."""
    hoped = [Decimal(row["property_amount"] or 0) for row in rows(SAMPLES / "hubspot" / "deal_data.csv")]
    sums = {
        system: query(staging, "select kind, currency, sum(amount) from facts where amount is not null group by all")
        for system, staging in stagings.items()
    }
    deals: list[tuple[Any, ...]] = [("deal.opened", "EUR", sum(hoped))] if any(hoped) else []
    assert sums == {"hubspot": deals, "zendesk": [], "mautic": []}


def of(system: str, file: str, wanted: Callable[[Cells], bool] = lambda _row: True) -> int:
    return sum(wanted(row) for row in rows(SAMPLES / system / file))


def test_hubspots_facts_are_as_many_as_its_rows_say(stagings: Mapping[str, Staging]) -> None:
    assert kinds(stagings["hubspot"]) == {
        "account.created": of("hubspot", "company_data.csv", lambda row: row["is_deleted"] == "false"),
        "contact.created": of("hubspot", "contact_data.csv", lambda row: row["_fivetran_deleted"] == "FALSE"),
        "deal.opened": of("hubspot", "deal_data.csv", lambda row: row["is_deleted"] == "false"),
        "deal.changed": of("hubspot", "deal_stage_data.csv"),  # of deals that the sample does not hold
        "form.submitted": of("hubspot", "contact_form_submission_data.csv"),
        "meeting.held": of("hubspot", "engagement_meeting_data.csv"),
        "message.opened": of("hubspot", "email_event_data.csv", lambda row: row["type"] == "OPEN"),
        "message.sent": of("hubspot", "email_event_data.csv", lambda row: row["type"] == "SENT"),
        # each merge is told of both: those of the audit, and three of a contact that lists them
        "identity.linked": 2 * (of("hubspot", "contact_merge_audit_data.csv") + 3),
        "ticket.opened": of("hubspot", "ticket_data.csv"),
        "ticket.resolved": of("hubspot", "ticket_data.csv", lambda row: bool(row["property_closed_date"])),
        "ticket.changed": of(
            "hubspot", "ticket_property_history_data.csv", lambda row: row["name"] == "hs_pipeline_stage"
        ),
    }


def test_zendesks_facts_are_as_many_as_its_rows_say(stagings: Mapping[str, Staging]) -> None:
    status = {row["id"]: row["status"] for row in rows(SAMPLES / "zendesk" / "ticket_data.csv")}
    changes = {
        (row["ticket_id"], row["updated"], row["value"])
        for row in rows(SAMPLES / "zendesk" / "ticket_field_history_data.csv")
        if row["field_name"] == "status"
    }
    told = {ticket for ticket, _, _ in changes}
    without = [ticket for ticket, is_now in status.items() if is_now in ("solved", "closed") and ticket not in told]
    assert kinds(stagings["zendesk"]) == {
        "account.created": of("zendesk", "organization_data.csv"),
        "contact.created": of("zendesk", "user_data.csv", lambda row: row["role"] == "end-user"),
        "ticket.opened": sum(is_now != "deleted" for is_now in status.values()),
        "ticket.changed": sum(value != "solved" for _, _, value in changes),
        "ticket.resolved": sum(value == "solved" for _, _, value in changes) + len(without),
    }


def test_mautics_visits_are_as_many_as_its_rows(stagings: Mapping[str, Staging]) -> None:
    assert kinds(stagings["mautic"]) == {"page.viewed": of("mautic", "fakepagehitdata.csv")}


def rows(path: Path) -> Iterator[Cells]:
    """Read a file with Python's own reader; the examples of Mautic escape quotes by a backslash."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        yield from csv.DictReader(stream, escapechar="\\" if path.parent.name == "mautic" else None)


def kinds(staging: Staging) -> Mapping[str, int]:
    return Counter(dict(query(staging, "select kind, count(distinct id) from facts group by kind")))


def query(staging: Staging, text: str) -> list[tuple[Any, ...]]:
    files = ", ".join(f"'{file.facts}'" for file in staging.files)
    return duckdb.sql(f"with facts as (from read_parquet([{files}])) {text}").fetchall()
