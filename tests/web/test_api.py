"""The API: the same rows as everywhere else, under the same rights, for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from django.http import HttpResponse
from django.test import Client

from plait import desk
from plait.cli import main
from plait.measure import registry
from plait.web.access import make_token, reader_of, revoke_token
from plait.web.people.models import AuditEntry, Role, RoleRight, Token, User

ClientOf = Callable[[str], Client]
Persona = Callable[[str], User]
Caller = Callable[..., HttpResponse]


@pytest.fixture
def program(persona: Persona) -> Callable[..., Client]:
    """Give a client that sends a token of a person, with scopes."""

    def made(name: str, *scopes: str) -> Client:
        return sending(make_token(persona(name), "test", scopes or ("numbers",)))

    return made


def sending(secret: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {secret}"})


def fault(response: Any) -> tuple[int, str, str]:  # noqa: ANN401 - the test client's own answer
    """Give status, code and sentence of an answer that is no success."""
    assert set(response.json()) == {"error"}
    return response.status_code, response.json()["error"]["code"], response.json()["error"]["message"]


def without_time(text: str) -> str:
    """Leave out how long an answer took; every other byte counts."""
    return "\n".join(line for line in text.splitlines() if not line.startswith('  "took":'))


@pytest.mark.parametrize("name", sorted(registry))
def test_every_measure_is_the_same_everywhere(
    name: str, home: Path, client_of: ClientOf, program: Callable[..., Client]
) -> None:
    """Command line, API in JSON and CSV, and the page's CSV give one answer, for each measure, with options."""
    options = {"by": "quarter"} if "quarter" in getattr(registry[name].options.get("by"), "choices", ()) else {}
    given = [part for option, value in options.items() for part in (f"--{option}", value)]
    command = ["--home", str(home), "show", name, *given, "--as-of", "2026-06-15"]
    query = {**options, "as_of": "2026-06-15"}
    client = program("mara", "numbers", "customers")

    as_json = CliRunner().invoke(main, [*command, "--json"]).output
    answered = client.get(f"/api/measures/{name}/table", query).content.decode()
    assert without_time(answered) == without_time(as_json)

    by_api = client.get(f"/api/measures/{name}/table", query | {"format": "csv"}).content.decode()
    by_page = client_of("mara").get(f"/measures/{name}/csv/", query).content.decode()
    assert by_api == by_page
    if name in sorted(registry)[::6]:  # one program writes them all
        assert CliRunner().invoke(main, [*command, "--csv"]).output == by_api
    assert len(list(csv.reader(io.StringIO(by_api, newline="")))) == len(json.loads(answered)["rows"]) + 1


def test_readers_who_ask_in_turn_see_only_their_rows(program: Callable[..., Client]) -> None:
    """A partner and a colleague ask the same address again and again; neither ever gets the other's answer."""
    address = "/api/measures/spend/table?by=partner"
    colleague, partner = program("mara"), program("pat")
    first = [client.get(address).json()["rows"] for client in (colleague, partner)]
    assert {row["cohort"] for row in first[1]} == {"P-01"}
    assert {row["cohort"] for row in first[0]} > {"P-01", "P-02"}
    for client, rows in zip(cycle((colleague, partner)), first * 20, strict=False):
        assert client.get(address).json()["rows"] == rows


def test_the_catalogue_tells_each_option(program: Callable[..., Client]) -> None:
    listed = {one["name"]: one for one in program("mara").get("/api/measures").json()}
    assert set(listed) == set(registry)
    (lag,) = [option for option in listed["acquisition_cost"]["options"] if option["name"] == "lag_days"]
    assert (lag["type"], lag["least"], lag["most"], lag["default"]) == ("integer", 0, 1000, 0)
    assert program("mara").get("/api/measures/win_rate").json() == listed["win_rate"]


def test_the_description_types_and_bounds_each_measure(program: Callable[..., Client]) -> None:
    described = program("mara").get("/api/openapi.json").json()
    tables = {f"/api/measures/{name}/table" for name in registry}
    assert tables <= set(described["paths"])
    told = described["paths"]["/api/measures/channel_first_last/table"]["get"]
    parameters = {one["name"]: one["schema"] for one in told["parameters"]}
    assert parameters["won"]["enum"] == ["deal.won", "order.placed", "subscription.started"]
    assert parameters["lookback_days"]["anyOf"][0] == {"type": "integer", "minimum": 1, "maximum": 3650}
    assert set(parameters) == {*registry["channel_first_last"].options, "as_of", "currency", "definition", "format"}


def test_a_currency_can_be_named(program: Callable[..., Client]) -> None:
    rows = program("mara").get("/api/measures/bookings/table?by=all&currency=USD").json()["rows"]
    currencies = {row["currency"] for row in rows}
    assert ("USD" in currencies, "EUR" in currencies) == (True, False)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("by=colour", "allowed: all, month, quarter"),
        ("colour=red", "bookings has no option 'colour'"),
        ("as_of=yesterday", "write a day such as 2026-01-31"),
        ("currency=XYZ", "use a code of ISO 4217"),
        ("format=xml", "allowed: json, csv"),
        ("period=13w", "period is for pages"),
        ("by=month&by=year", "by is given 2 times"),
        ("since=2026-02-30", "a day like 2026-01-31"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_is_allowed(
    query: str, said: str, program: Callable[..., Client]
) -> None:
    status, code, message = fault(program("mara").get(f"/api/measures/bookings/table?{query}"))
    assert (status, code) == (400, "bad_request")
    assert said in message


def test_a_number_that_is_none_is_refused(program: Callable[..., Client]) -> None:
    status, _code, message = fault(program("mara").get("/api/measures/acquisition_cost/table?margin=nan"))
    assert (status, "allowed: a number from 0 to 1" in message) == (400, True)


@pytest.mark.parametrize(
    "address", ["measures/win_rat", "measures/win_rat/table", "stories/nobody.example", "nothing/here"]
)
def test_what_is_unknown_is_not_found(address: str, program: Callable[..., Client]) -> None:
    status, code, message = fault(program("mara", "numbers", "customers").get(f"/api/{address}"))
    assert (status, code) == (404, "not_found")
    assert "win_rate" in message or "win_rat" not in address


@pytest.mark.parametrize(
    "address", ["measures", "measures/win_rate/table", "stories/x", "sources", "loads", "kinds", "openapi.json"]
)
def test_nobody_gets_nothing(address: str, client_of: ClientOf) -> None:
    for client in (client_of("nobody"), sending("made-up"), Client(headers={"Authorization": "Basic bWFyYTp4"})):
        response = client.get(f"/api/{address}")
        assert fault(response)[:2] == (401, "not_authenticated")
        assert response["WWW-Authenticate"] == "Bearer"


def test_a_wrong_token_is_refused_where_somebody_is_logged_in(client_of: ClientOf) -> None:
    client = client_of("mara")
    assert client.get("/api/kinds").status_code == 200
    assert client.get("/api/kinds", headers={"Authorization": "Bearer made-up"}).status_code == 401


def test_a_revoked_token_ends_at_once(persona: Persona) -> None:
    secret = make_token(persona("mara"), "report", ["numbers"])
    assert sending(secret).get("/api/kinds").status_code == 200
    revoke_token(Token.objects.get(name="report"))
    assert sending(secret).get("/api/kinds").status_code == 401
    assert [entry.action for entry in AuditEntry.objects.all()[:2]] == ["token.revoked", "token.made"]


def test_the_token_of_somebody_who_left_ends_with_them(persona: Persona) -> None:
    mara = persona("mara")
    secret = make_token(mara, "report", ["numbers"])
    User.objects.filter(pk=mara.pk).update(is_active=False)
    assert sending(secret).get("/api/kinds").status_code == 401


def test_a_token_reads_only_what_it_is_for(program: Callable[..., Client]) -> None:
    status, code, message = fault(program("mara", "numbers").get("/api/sources"))
    assert (status, code) == (403, "not_allowed")
    assert "This token is for numbers, not for data" in message
    assert program("mara", "data").get("/api/sources").status_code == 200


def test_a_measure_with_a_row_for_each_account_is_for_who_may_see_customers(program: Callable[..., Client]) -> None:
    address = "/api/measures/account_health/table"
    assert "not for customers" in fault(program("mara", "numbers").get(address))[2]
    assert program("mara", "numbers", "customers").get(address).status_code == 200
    assert fault(program("pat", "numbers").get(address))[0] == 404


def test_a_token_has_no_right_that_its_person_lost(persona: Persona, client_of: ClientOf) -> None:
    """Mia may not see sources: she is told why. Otto is from outside and finds nothing."""
    mia = persona("mia")
    Token.objects.create(user=mia, name="old", digest="0" * 64, scopes=["data"])
    status, _code, message = fault(client_of("mia").get("/api/sources"))
    assert (status, "sources, uploads and refused rows" in message) == (403, True)
    assert fault(client_of("otto").get("/api/measures"))[0] == 404
    assert fault(client_of("otto").get("/api/openapi.json"))[0] == 404


def test_use_is_noted_once_a_minute(persona: Persona) -> None:
    secret = make_token(persona("mara"), "report", ["numbers"])
    assert Token.objects.get(name="report").used_at is None
    reader_of(secret)
    first = Token.objects.get(name="report").used_at
    reader_of(secret)
    assert first is not None
    assert Token.objects.get(name="report").used_at == first
    Token.objects.update(used_at=first - timedelta(minutes=2))
    reader_of(secret)
    assert Token.objects.get(name="report").used_at != first - timedelta(minutes=2)


def test_nothing_but_reading_is_answered(program: Callable[..., Client]) -> None:
    client = program("mara")
    for method in (client.post, client.put, client.delete, client.patch):
        assert fault(method("/api/measures"))[:2] == (405, "only_reading")


def test_a_story_is_told_page_by_page(program: Callable[..., Client], home: Path) -> None:
    client, account = program("mara", "customers"), an_account(home)
    whole = client.get(f"/api/stories/{account}?limit=1000").json()
    told = desk.story(home, account, now=datetime(2026, 7, 2, tzinfo=UTC))
    assert whole["count"] == len(told.facts) == len(whole["facts"])
    assert [fact["id"] for fact in whole["facts"]] == [fact["id"] for fact in told.facts]
    assert client.get(f"/api/stories/{account}?limit=3&offset=2").json()["facts"] == whole["facts"][2:5]
    early = client.get(f"/api/stories/{account}?as_of=2026-01-01").json()["facts"]
    assert all(fact["occurred_at"] < "2026-01-01" for fact in early)
    assert fault(client.get(f"/api/stories/{account}?limit=0"))[0] == 400


def test_a_partner_reads_of_an_account_only_what_came_through_them(
    persona: Persona, program: Callable[..., Client], home: Path
) -> None:
    """Even with the right to see customers, people outside get the facts of their partners only."""
    give_more(persona("pat"))
    client = program("pat", "customers", "data")
    mine, other = an_account(home, "P-01"), an_account(home, without="P-01")
    told = client.get(f"/api/stories/{mine}").json()
    assert {fact["partner"] for fact in told["facts"]} == {"P-01"}
    assert told["names"] == []
    unknown = fault(client.get(f"/api/stories/{other}"))
    assert unknown[0] == 404
    assert unknown[2].replace(other, "X") == fault(client.get("/api/stories/no-such.example"))[2].replace(
        "no-such.example", "X"
    )
    assert client.get("/api/loads").json() == {"count": 0, "loads": []}
    assert all(row["refused"] == 0 for row in client.get("/api/sources").json()["rows"])


def test_a_partners_pages_show_no_more_than_the_api(persona: Persona, client_of: ClientOf, home: Path) -> None:
    give_more(persona("pat"))
    client = client_of("pat")
    mine, other = an_account(home, "P-01"), an_account(home, without="P-01")
    assert (
        client.get(f"/accounts/{mine}/").context["facts"] < client_of("mara").get(f"/accounts/{mine}/").context["facts"]
    )
    for address in (f"accounts/{other}", f"accounts/{mine}/joins", "data", "data/refused", "data/refused/csv"):
        assert client.get(f"/{address}/").status_code == 404, address


def give_more(partner: User) -> None:
    """Let somebody outside see customers and data, as an administrator could."""
    role = Role.objects.create(name="portal", title="Portal")
    RoleRight.objects.bulk_create(RoleRight(role=role, area=area, level="see") for area in ("customers", "data"))
    partner.roles.add(role)


def test_loads_count_every_row(program: Callable[..., Client]) -> None:
    client = program("mara", "data")
    told = client.get("/api/loads?limit=1000").json()
    assert told["count"] == len(told["loads"]) > 0
    assert all(one["rows"] == one["accepted"] + one["refused"] for one in told["loads"])
    assert client.get("/api/loads?limit=2&offset=1").json()["loads"] == told["loads"][1:3]


def test_the_page_shows_each_operation(client_of: ClientOf) -> None:
    page = client_of("mara").get("/api/").content.decode()
    assert all(f"/api/measures/{name}/table" in page for name in registry)
    assert client_of("otto").get("/api/").status_code == 404


def an_account(home: Path, partner: str = "", without: str = "") -> str:
    """Give the first account that has facts of a partner, or none of another."""
    facts = desk.open_home(home, now=datetime(2026, 7, 2, tzinfo=UTC))
    table = facts.facts().table
    known = table.filter(table.account.notnull())
    touched = known.group_by("account").aggregate(
        mine=(known.partner == (partner or without)).cast("int64").sum(),
        n=known.count(),
    )
    rows = sorted(facts.engine.run(touched).to_pylist(), key=lambda row: row["account"])
    return next(
        str(row["account"]) for row in rows if row["n"] > 5 and (bool(row["mine"]) if partner else not row["mine"])
    )


def test_each_parameter_says_what_it_takes(program: Callable[..., Client]) -> None:
    paths = program("mara").get("/api/openapi.json").json()["paths"]
    untold = [
        (address, one["name"])
        for address, methods in paths.items()
        for told in methods.values()
        for one in told["parameters"]
        if not one.get("description") and one["name"] != "name"
    ]
    assert untold == []
