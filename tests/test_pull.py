"""Pull connectors: every record arrives once, whatever happens on the way, and the cursor is right afterwards."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pull_server import Asked, Json, Status, serving
from pull_systems import HubSpot, Salesforce, Stripe, Zendesk, epoch, iso

from plait import desk, duck
from plait.settings import Settings
from plait.sources.pull import rest
from plait.sources.pull.address import BadAddress, checked
from plait.sources.pull.asking import Denied, NoAnswer, Pace, Unexpected, parsed
from plait.sources.pull.description import BadDescription, read_system, systems
from plait.sources.pull.rest import Reached
from plait.sources.pull.rows import snake
from plait.sources.pull.written import Tables
from plait.store import FACTS, Store, view_sql

NOW = datetime(2026, 4, 1, tzinfo=UTC)
ROUGH = {2: "429", 3: "500", 5: "drop", 8: "429"}


@dataclass
class Waits:
    """Waiting without sleeping: time moves by what is slept."""

    slept: list[float] = field(default_factory=list)

    def pace(self) -> Pace:
        return Pace(self.slept.append, lambda: sum(self.slept), lambda: 0.5)


def reached(name: str, address: str, secrets: Mapping[str, str]) -> Reached:
    settings = {"zendesk": {"subdomain": "acme", "email": "agent@own.example"},
                "salesforce": {"instance": "acme.my.salesforce.com"}}.get(name, {})  # fmt: skip
    system = msgspec.structs.replace(systems()[name], address=address)
    return Reached(system, settings, "client" if name == "salesforce" else "", secrets, local=True)


def rows(folder: Path, table: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{table}.jsonl").read_text("utf-8").splitlines()]


def ids(folder: Path, table: str, name: str = "id") -> list[Any]:
    return [row[name] for row in rows(folder, table)]


def positions(cursors: Mapping[str, str]) -> dict[str, str]:
    """Give up to where each resource is read, without what the files were."""
    return {name: value for name, value in cursors.items() if not name.startswith(rest.FILE)}


def test_hubspot_arrives_once_and_goes_on_from_what_was_changed(tmp_path: Path) -> None:
    fake, waits = HubSpot(), Waits()
    with serving(fake, ROUGH) as server:
        source = reached("hubspot", server.address, {"access_token": "pat-secret"})
        first = rest.pull(source, {}, tmp_path / "1", now=NOW, pace=waits.pace())
        fake.objects["contacts"][1]["properties"] |= {"lastmodifieddate": iso(9), "jobtitle": "CFO"}
        second = rest.pull(source, first.cursors, tmp_path / "2", now=NOW, pace=waits.pace())
    assert ids(tmp_path / "1", "contact") == ["1", "2", "3", "4", "5"]
    assert rows(tmp_path / "1", "contact")[0]["property_createdate"] == "2026-03-01 08:00:00"
    assert ids(tmp_path / "1", "deal", "deal_id") == ["21", "22", "23"]
    assert (
        rows(tmp_path / "1", "deal")[0] | {"property_amount": "12000.50", "deal_pipeline_stage_id": "won"}
        == (rows(tmp_path / "1", "deal")[0])
    )
    pairs = [(row["deal_id"], row["company_id"], row["type_id"]) for row in rows(tmp_path / "1", "deal_company")]
    assert pairs == [("21", 11, 5), ("22", 12, 5)]
    assert [row["value"] for row in rows(tmp_path / "1", "deal_stage")] == ["won", "new"] * 3
    stage = rows(tmp_path / "1", "deal_pipeline_stage")[0]
    assert (stage["stage_id"], stage["pipeline_id"], stage["closed_won"]) == ("won", "default", "true")
    assert 7.0 in waits.slept
    assert first.cursors["contacts"] == "2026-03-06T08:00:00+00:00"
    assert ids(tmp_path / "2", "contact") == ["2", "5"]  # changed since, and the newest before: the overlap
    assert second.cursors["contacts"] == "2026-03-10T08:00:00+00:00"


def test_stripe_arrives_once_with_the_rest_of_long_lists_and_what_was_changed_later(tmp_path: Path) -> None:
    fake, waits = Stripe(), Waits()
    with serving(fake, ROUGH) as server:
        source = reached("stripe", server.address, {"secret_key": "sk_secret"})
        first = rest.pull(source, {}, tmp_path / "1", now=NOW, pace=waits.pace())
        changed = {**fake.lists["customers"][0], "email": "new@acme.example"}
        fake.lists["events"] = [{"id": "evt_1", "created": int(NOW.timestamp()) + 5, "type": "customer.updated",
                                 "data": {"object": changed}}]  # fmt: skip
        second = rest.pull(source, first.cursors, tmp_path / "2", now=NOW, pace=waits.pace())
    assert ids(tmp_path / "1", "customer") == [f"cus_{n}" for n in (5, 4, 3, 2, 1)]
    charge = rows(tmp_path / "1", "charge")[0]
    assert (charge["amount"], charge["customer_id"], charge["created"]) == (1999, "cus_3", "2026-03-04 08:00:00")
    assert ids(tmp_path / "1", "invoice_line_item") == ["il_1", "il_2", "il_3"]
    assert rows(tmp_path / "1", "invoice")[0]["status_transitions_paid_at"] == "2026-03-03 08:00:00"
    assert ids(tmp_path / "1", "subscription_item") == ["si_1", "si_2"]
    assert rows(tmp_path / "1", "plan")[0]["amount"] == 2000
    assert first.cursors["charges"] == datetime.fromtimestamp(epoch(3), UTC).isoformat()
    again = {row["id"]: row["email"] for row in rows(tmp_path / "2", "customer")}
    assert again.items() >= {"cus_5": "p5@acme.example", "cus_1": "new@acme.example"}.items()
    assert len(again) == len(rows(tmp_path / "2", "customer"))
    assert second.cursors["customers_changed"] == NOW.isoformat()  # never past the beginning of the run


def test_zendesk_goes_on_from_the_cursor_that_it_gives(tmp_path: Path) -> None:
    fake, waits = Zendesk(), Waits()
    with serving(fake, ROUGH) as server:
        source = reached("zendesk", server.address, {"api_token": "zsecret"})
        first = rest.pull(source, {}, tmp_path / "1", now=NOW, pace=waits.pace())
        fake.lists["tickets"].append({**fake.lists["tickets"][0], "status": "solved"})
        second = rest.pull(source, first.cursors, tmp_path / "2", now=NOW, pace=waits.pace())
    assert ids(tmp_path / "1", "ticket") == [1, 2, 3, 4, 5]
    ticket = rows(tmp_path / "1", "ticket")[0]
    assert (ticket["via_channel"], ticket["via_source_from_address"]) == ("web", "a@b.example")
    assert ticket["created_at"] == "2026-03-02 08:00:00"
    assert [(row["organization_id"], row["domain_name"]) for row in rows(tmp_path / "1", "domain_name")] == [
        (9, "acme.example"),
        (9, "acme.test"),
    ]
    assert len(rows(tmp_path / "1", "ticket_tag")) == 10
    assert positions(first.cursors) == {
        "organizations": str(epoch(1)),
        "users": "c4",
        "tickets": "c5",
        "ratings": "2026-03-06T08:00:00+00:00",
    }
    assert [(row["id"], row["status"]) for row in rows(tmp_path / "2", "ticket")] == [(1, "solved")]
    assert sorted(ids(tmp_path / "2", "user")) == [101, 104, 107]  # whom the ticket and the rating name
    assert second.cursors["tickets"] == "c6"


def test_salesforce_goes_on_when_its_token_is_over_in_the_middle(tmp_path: Path) -> None:
    fake, waits = Salesforce(), Waits()
    with serving(fake, ROUGH) as server:
        source = reached("salesforce", server.address, {"client_id": "id", "client_secret": "sf-secret"})
        first = rest.pull(source, {}, tmp_path / "1", now=NOW, pace=waits.pace())
        fake.objects["Task"].append(fake.task("00T2", 6))
        second = rest.pull(source, first.cursors, tmp_path / "2", now=NOW, pace=waits.pace())
    assert fake.tokens > 2
    assert ids(tmp_path / "1", "account") == ["0011", "0012", "0013", "0014", "0015"]
    text = (tmp_path / "1" / "account.jsonl").read_text()
    assert '"annual_revenue":1200000.1,' in text
    account = rows(tmp_path / "1", "account")[0]
    assert (account["region_c"], account["billing_city"], account["billing_address_city"]) == ("EU", "Bonn", "Bonn")
    assert account["system_modstamp"] == "2026-03-02 08:00:00"
    won = {"is_won": True, "stage_name": "Closed Won", "pricebook_2_id": None, "close_date": "2026-03-04"}
    assert won.items() <= rows(tmp_path / "1", "opportunity")[0].items()
    assert ids(tmp_path / "2", "account") == ["0015"]
    assert positions(second.cursors) == {**positions(first.cursors), "tasks": "2026-03-07T08:00:00+00:00"}
    assert ids(tmp_path / "2", "task") == ["00T1", "00T2"]
    assert ids(tmp_path / "2", "contact") == ["0031"]  # whom the new task names


FAKES: Mapping[str, tuple[Callable[[], Callable[[Asked], Json]], Mapping[str, str]]] = {
    "hubspot": (HubSpot, {"access_token": "pat-secret"}),
    "stripe": (Stripe, {"secret_key": "sk_secret"}),
    "salesforce": (Salesforce, {"client_id": "id", "client_secret": "sf-secret"}),
    "zendesk": (Zendesk, {"api_token": "zsecret"}),
}


@pytest.mark.parametrize("name", ["hubspot", "stripe", "salesforce", "zendesk"])
def test_what_is_too_much_for_one_run_is_read_on_by_the_next(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each run stops after some pages: together they read every record once and come to the same cursors."""
    made, secrets = FAKES[name]
    with serving(made()) as server:
        whole = rest.pull(reached(name, server.address, secrets), {}, tmp_path / "whole", now=NOW, pace=Waits().pace())
    monkeypatch.setattr(rest, "LONGEST_RUN", 3.0)
    clock = iter(range(100_000))
    pace = Pace(lambda _seconds: None, lambda: float(next(clock)), lambda: 0.5)
    cursors: Mapping[str, str] = {}
    parts: list[Path] = []
    with serving(made()) as server:
        for number in range(40):
            parts.append(tmp_path / str(number))
            now = NOW + timedelta(hours=number)
            told = rest.pull(reached(name, server.address, secrets), cursors, parts[-1], now=now, pace=pace)
            cursors = told.cursors
            if not told.unfinished:
                break
    assert 1 < len(parts) < 40
    assert positions(cursors) == positions(whole.cursors)
    for table in ("contact", "deal", "customer", "charge", "account", "ticket", "user"):
        file = tmp_path / "whole" / f"{table}.jsonl"
        if file.exists():
            key = "deal_id" if table == "deal" else "id"
            found = {one for part in parts if (part / file.name).exists() for one in ids(part, table, key)}
            assert found == set(ids(tmp_path / "whole", table, key))


KINDS = {
    "hubspot": {"account.created": 3, "contact.created": 5, "deal.opened": 3, "deal.won": 3, "deal.changed": 3},
    "stripe": {"account.created": 5, "payment.received": 3, "payment.refunded": 1, "invoice.issued": 1,
               "subscription.started": 2, "subscription.changed": 2},
    "salesforce": {"account.created": 5, "contact.created": 1, "deal.opened": 1, "deal.won": 1, "step.planned": 1},
    "zendesk": {"account.created": 1, "contact.created": 5, "ticket.opened": 5, "csat.answered": 1,
                "identity.linked": 2},
}  # fmt: skip


def test_what_was_read_becomes_facts_without_a_mapping(tmp_path: Path) -> None:
    """Each file is recognised by its columns, no row is refused, and only a deal of nobody has no key."""
    desk.set_up(tmp_path / "home", Settings("UTC", "EUR"))
    for name, (made, secrets) in FAKES.items():
        with serving(made()) as server:
            rest.pull(reached(name, server.address, secrets), {}, tmp_path / "all" / name, now=NOW, pace=Waits().pace())
    report = desk.load(tmp_path / "home", tmp_path / "all", None, now=NOW)
    assert (report.not_read, report.refused) == ([], [])
    store = Store.open(tmp_path / "home")
    with duck.connect(store.spill) as db:
        db.execute(view_sql("facts", store.snapshot(), FACTS))
        kinds = db.execute("select source, kind, count(*) from facts group by all").fetchall()
        alone = db.execute("select kind from facts where keys = '{}' order by kind").fetchall()
    for name in FAKES:
        assert {kind: count for source, kind, count in kinds if source == name} == KINDS[name]
    assert alone == [("deal.changed",), ("deal.opened",), ("deal.won",)]  # of a deal without company and contact


def small(paging: str, **more: str) -> str:
    """Give the description of a system with one resource, paged some way."""
    changes = "".join(f"{name} = {value}\n" for name, value in more.items())
    return f"""
        name = "shop"
        title = "Shop"
        about = "Orders."
        address = "https://shop.example"
        test = "/orders"
        [[login]]
        name = "key"
        title = "Key"
        kind = "header"
        header = "X-Api-Key"
        value = "{{key}}"
        secrets = {{ key = "Key" }}
        [[resource]]
        name = "orders"
        title = "Orders"
        path = "/orders"
        records = "orders"
        paging = {paging}
        {changes}
        [[resource.table]]
        name = "order"
        key = ["id"]
        """


def orders(asked: Asked) -> Json:
    """Answer with five orders in pages of two, by offset, by Link header or by a next address."""
    if asked.headers.get("X-Api-Key") != "key-secret":
        raise Status(403, {"said": f"no right with {asked.headers.get('X-Api-Key')}"})
    every = [{"id": n, "total": json.loads("19.90"), "at": iso(n)} for n in range(5)]
    start = int(asked.one("skip", "0"))
    rest_of = f"/orders?skip={start + 2}" if start + 2 < 5 else None
    page = {"orders": every[start : start + 2], "next": rest_of}
    if asked.one("by") != "link":
        return page
    raise Status(200, page, {"Link": f'<{rest_of}&by=link>; rel="next"'} if rest_of else {})


@pytest.mark.parametrize(
    ("paging", "more"),
    [
        ('{ style = "offset", send = "skip", size = 2 }', {}),
        ('{ style = "next_url", take = "next" }', {}),
        ('{ style = "link" }', {"query": '{ by = "link" }'}),
    ],
)
def test_a_new_system_is_one_description(tmp_path: Path, paging: str, more: Mapping[str, str]) -> None:
    with serving(orders, {2: "drop"}) as server:
        system = msgspec.structs.replace(read_system(small(paging, **more), "shop.toml"), address=server.address)
        source = Reached(system, {}, "key", {"key": "key-secret"}, local=True)
        pulled = rest.pull(source, {}, tmp_path, now=NOW, pace=Waits().pace())
    assert ids(tmp_path, "order") == [0, 1, 2, 3, 4]
    assert pulled.rows == {"order.jsonl": 5}


def test_a_wrong_secret_is_told_without_the_secret() -> None:
    with serving(orders) as server:
        system = msgspec.structs.replace(read_system(small('{ style = "link" }'), "shop.toml"), address=server.address)
        with pytest.raises(Denied, match=r"does not let us in \(403.*no right with \*\*\*") as refused:
            rest.test(Reached(system, {}, "key", {"key": "other-secret"}, local=True), pace=Waits().pace())
        assert "other-secret" not in str(refused.value)
        assert len(server.asked) == 1
        fine = rest.test(Reached(system, {}, "key", {"key": "key-secret"}, local=True), pace=Waits().pace())
        assert [str(one) for one in fine][1:] == ["It accepts the secret.", "This would be read: Orders."]
    with serving(Salesforce()) as server:
        wrong = reached("salesforce", server.address, {"client_id": "id", "client_secret": "sf-wrong"})
        with pytest.raises(Denied, match=r"400: .*bad \*\*\*"):
            rest.test(wrong, pace=Waits().pace())


def test_a_system_that_stays_away_is_given_up_after_some_tries(tmp_path: Path) -> None:
    waits = Waits()
    with serving(HubSpot(), dict.fromkeys(range(1, 99), "500")) as server:
        source = reached("hubspot", server.address, {"access_token": "pat-secret"})
        with pytest.raises(NoAnswer, match="answered 500, 6 times in a row"):
            rest.pull(source, {}, tmp_path, now=NOW, pace=waits.pace())
        assert len(server.asked) == 6
    assert [round(wait, 2) for wait in waits.slept if wait >= 0.75] == [0.75, 1.5, 3.0, 6.0, 12.0]


def _answering(status: int, body: Json, **headers: str) -> Callable[[Asked], Json]:
    def answer(_asked: Asked) -> Json:
        raise Status(status, body, headers)

    return answer


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (_answering(302, "", Location="http://localhost:1/x"), "leads to localhost, which is not followed"),
        (_answering(200, {"orders": [{"id": 1}], "next": "http://localhost:1/x"}), "names an address of localhost"),
        (_answering(200, {"orders": [{"id": 1}], "next": "/orders"}), "the same page again and again"),
        (_answering(200, {"items": []}), "without a list at 'orders'"),
        (_answering(200, b'{"orders": [{"id": 1}'), "no whole JSON, 6 times in a row"),
        (_answering(429, "", **{"Retry-After": "86400"}), "asks to wait 86400 seconds"),
        (_answering(404, "x" * 9999), r"answered 404: .x{290}"),
    ],
)
def test_what_an_answer_may_not_be(tmp_path: Path, answer: Callable[[Asked], Json], says: str) -> None:
    with serving(answer) as server:
        text = small('{ style = "next_url", take = "next" }')
        system = msgspec.structs.replace(read_system(text, "shop.toml"), address=server.address)
        with pytest.raises((Unexpected, NoAnswer), match=says):
            rest.pull(
                Reached(system, {}, "key", {"key": "k-e-y"}, local=True), {}, tmp_path, now=NOW, pace=Waits().pace()
            )


def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plait.sources.pull.asking.MOST_BYTES", 1 << 20)
    with serving(_answering(200, b" " * (2 << 20))) as server:
        system = msgspec.structs.replace(read_system(small('{ style = "link" }'), "s.toml"), address=server.address)
        with pytest.raises(Unexpected, match="answers with more than 1 MB"):
            rest.test(Reached(system, {}, "key", {"key": "k-e-y"}, local=True), pace=Waits().pace())


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("http://shop.example", "begins with https://"),
        ("ftp://shop.example", "begins with https://"),
        ("https://user:word@shop.example", "no user and no password"),
        ("https://127.0.0.1", "leads to this machine"),
        ("https://169.254.169.254", "leads to this machine"),
        ("https://localhost", "leads to this machine"),
        ("https://[::1]", "no name of a host"),
    ],
)
def test_which_hosts_are_never_asked(address: str, says: str) -> None:
    with pytest.raises(BadAddress, match=says):
        checked(address, local=False)


def test_a_name_that_leads_to_this_machine_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: found)
    source = Reached(systems()["stripe"], {}, "", {"secret_key": "sk"})
    with pytest.raises(BadAddress, match=r"api\.stripe\.com leads to this machine"):
        rest.test(source, pace=Waits().pace())


def test_every_number_keeps_its_digits(tmp_path: Path) -> None:
    text = b'{"id": 12345678901234567890, "total": 1.10, "rate": 0.1234567890123456789, "none": null}'
    tables = Tables(tmp_path)
    tables.add("order", parsed(text), key=["id"], newest="last")
    tables.finish({}, "2026-04-01 00:00:00")
    written = (tmp_path / "order.jsonl").read_text()
    assert written.startswith('{"id":12345678901234567890,"total":1.10,"rate":0.1234567890123456789,"none":null,')


def test_settings_that_would_lead_elsewhere_are_refused() -> None:
    for instance in (
        "evil.example",
        "a.my.salesforce.com.evil.example",
        "evil.example/.my.salesforce.com",
        "a@b.force.com",
    ):
        source = Reached(systems()["salesforce"], {"instance": instance}, "client", {})
        with pytest.raises(BadAddress, match="cannot be"):
            rest.test(source, pace=Waits().pace())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (small('{ style = "pages" }'), "Invalid enum value"),
        (small('{ style = "cursor" }'), "needs take"),
        (small('{ style = "link" }').replace("shop.example", "shop.example/path"), "must be https:// and a host"),
        (small('{ style = "link" }', query='{ key = "{key}" }'), "holds the secret 'key'"),
        (small('{ style = "link" }', query='{ of = "{shop}" }'), "which no .*setting.* gives"),
        (small('{ style = "link" }', colour='"red"'), "unknown field `colour`"),
        ("name =", "is no TOML"),
    ],
)
def test_a_description_that_will_not_do_says_why(text: str, says: str) -> None:
    with pytest.raises(BadDescription, match=says):
        read_system(text, "shop.toml")


def test_names_are_written_as_synced_tables_have_them() -> None:
    names = {"Pricebook2Id": "pricebook_2_id", "Region__c": "region_c", "SystemModstamp": "system_modstamp",
             "IsExcludedFromTerritory2Filter": "is_excluded_from_territory_2_filter", "Id": "id"}  # fmt: skip
    assert {name: snake(name) for name in names} == names
