"""The page of customer value: the same numbers as everywhere, a reason where there are none, no names unasked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from django.conf import settings
from django.test import Client

from plait import desk
from plait.cli import main
from plait.facts import Fact
from plait.settings import Settings
from plait.stats.clv.simulate import simulate_purchases, simulate_spend
from plait.web import formats, reader

ClientOf = Callable[[str], Client]
Row = dict[str, object]
END, CUSTOMERS = date(2026, 7, 1), 600
CHANNELS = ("event", "referral", "paid_search")


def told(page: str) -> str:
    """Give what somebody reads."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def cells(page: str, name: str) -> list[str]:
    """Give the cells of the first table row that begins with a name."""
    for row in re.findall(r"<tr[^>]*>(.*?)</tr>", page, re.DOTALL):
        found = [told(cell) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL)]
        if found and found[0] == name:
            return found
    raise AssertionError(name)


def purchases() -> Iterator[Fact]:
    """Make a shop's customers from known parameters; each came by one of three channels."""
    chance = np.random.default_rng(7)
    age = np.round(chance.uniform(26, 104, CUSTOMERS) * 7) / 7
    made = simulate_purchases("bg-nbd", np.array([0.6, 6.0, 0.8, 2.5]), age, chance)
    spent = simulate_spend(np.array([6.0, 4.0, 90.0]), made.x + 1, chance)
    for number, (x, t_x, lived) in enumerate(zip(made.x, made.t_x, made.age, strict=True)):
        first = datetime(2026, 6, 30, 12, tzinfo=UTC) - timedelta(days=round(lived * 7))
        keys = {"account.shop": f"customer-{number:03d}"}
        lead, channel = f"lead-{number}", CHANNELS[number % 3]
        yield Fact(
            source="web", id=lead, kind="lead.created", occurred_at=first, recorded_at=first, keys=keys,
            object_id=lead, channel=channel,
        )  # fmt: skip
        days = {0, *(round(t_x * 7 * step / x) for step in range(1, int(x) + 1))} if x else {0}
        for day in sorted(days):
            at = first + timedelta(days=day, hours=1)
            name, amount = f"{number}-{day}", Decimal(f"{spent[number]:.2f}")
            yield Fact(
                source="shop", id=name, kind="order.placed", occurred_at=at, recorded_at=at, keys=keys,
                object_id=name, amount=amount, currency="EUR",
            )  # fmt: skip


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the home of a shop whose customers buy again and again."""
    made = tmp_path_factory.mktemp("shop")
    desk.set_up(made, Settings("UTC", "EUR", END))
    desk.add(made, purchases(), name="shop", now=datetime(2026, 7, 2, tzinfo=UTC))
    return made


@pytest.fixture
def client_of_shop(shop: Path, monkeypatch: pytest.MonkeyPatch, client_of: ClientOf) -> Iterator[ClientOf]:
    """Give clients of a desk that serves the shop's home."""
    monkeypatch.setattr(settings, "HOME", shop)
    reader.results.cache_clear()
    yield client_of
    reader.results.cache_clear()


def api(client: Client, measure: str, query: str) -> list[Row]:
    return client.get(f"/api/measures/{measure}/table?{query}").json()["rows"]  # type: ignore[no-any-return]


def test_page_api_and_command_line_tell_the_same_numbers(client_of_shop: ClientOf, shop: Path) -> None:
    client = client_of_shop("fin")
    asked = ["--home", str(shop), "show", "value_by_origin", "--by", "all", "--horizon-days", "180", "--json"]
    (everybody,) = json.loads(CliRunner().invoke(main, asked).output)["rows"]
    assert api(client, "value_by_origin", "by=all&horizon_days=180") == [everybody]
    page = told(client.get("/value/?horizon_days=180").content.decode())
    assert formats.shown(everybody["value"], "money", "EUR", compact=True) in page
    low, high = (formats.whole_money(Decimal(str(everybody[name])), "EUR") for name in ("value_low", "value_high"))
    assert f"95 % interval {low} to {high}" in page
    assert f"{formats.shown(everybody['alive'], 'expected', compact=True)} . Where this number comes from" in page
    assert "in the next 180 days" in page
    assert "bg-nbd: purchases to be expected" in page
    assert "Tried from 3 days in the past, what came was" in page, "how far the model was off before"


def test_origins_are_tabs_and_add_up_to_everybody(client_of_shop: ClientOf) -> None:
    client = client_of_shop("fin")
    page = client.get("/value/?whole").content.decode()
    rows = api(client, "value_by_origin", "")
    assert {row["origin"] for row in rows} == set(CHANNELS)
    for row in rows:
        found = cells(page, str(row["origin"]))
        assert found[1] == str(row["customers"])
        assert found[4] == f"€{float(str(row['value'])):,.2f}"
    (everybody,) = api(client, "value_by_origin", "by=all")
    assert sum(float(str(row["value"])) for row in rows) == pytest.approx(float(str(everybody["value"])), abs=0.02)
    years = client.get("/value/origins/?by=year").content.decode()
    assert re.search(r'href="/value/#origins">Channel<', years)
    assert re.search(r'href="/value/\?by=year#origins" aria-current="true">Year<', years)
    for row in api(client, "value_by_origin", "by=year"):
        assert cells(years, str(row["origin"]))[1] == str(row["customers"])


def test_the_most_valuable_customers_lead_to_their_accounts(client_of_shop: ClientOf) -> None:
    client = client_of_shop("fin")
    panel = client.get("/value/customers/").content.decode()
    best = api(client, "customer_value", "most=20")
    assert len(best) == 20
    links = re.findall(r'<a href="/accounts/([^/"]+)/">([^<]+)</a>', panel)
    assert [number for number, _ in links] == [row["account"] for row in best]
    assert client.get(f"/accounts/{links[0][0]}/").status_code == 200
    assert re.fullmatch(r"customer-\d{3}", links[0][1])
    assert cells(panel, links[0][1])[6] == f"€{float(str(best[0]['value'])):,.2f}"


def test_who_is_alive_is_told_by_quarter(client_of_shop: ClientOf) -> None:
    client = client_of_shop("fin")
    panel = client.get("/value/alive/").content.decode()
    rows = api(client, "alive", "by=quarter")
    assert len(rows) > 4
    for row in rows:
        found = cells(panel, str(row["cohort"]))
        assert found[1:4] == [str(row[name]) for name in ("customers", "bought_again", "bought_lately")]
        assert found[5] == formats.shown(float(str(row["alive_share"])), "share")


def test_who_may_not_see_customers_sees_none(client_of_shop: ClientOf, persona: Callable[[str], object]) -> None:
    """A role that reads finance and its numbers, and no account."""
    from plait.web.people.models import Role, RoleRight, User

    user = persona("mia")
    assert isinstance(user, User)
    role = Role.objects.create(name="auditor", title="Auditor")
    RoleRight.objects.bulk_create(RoleRight(role=role, area=area, level="see") for area in ("finance", "numbers"))
    user.roles.set([role])
    client = client_of_shop("mia")
    page = client.get("/value/?whole")
    assert page.status_code == 200
    assert "Value by origin" in page.content.decode()
    assert "/accounts/" not in page.content.decode()
    assert client.get("/value/customers/").status_code == 404


def test_a_refusal_gives_its_reason_and_what_to_do_next(client_of: ClientOf) -> None:
    """Won deals of the demo company: few customers have signed twice, so no model can say anything of the others."""
    client = client_of("fin")
    reason = client.get("/api/measures/value_by_origin/table?by=all&basis=deal").json()["warnings"][0]
    assert "bought again" in reason
    response = client.get("/value/?basis=deal&whole")
    page = told(response.content.decode())
    assert response.status_code == 200
    assert f"No value can be told from these purchases. {reason} What to do next:" in page
    assert "Value by origin" in page
    assert "The most valuable customers" in page
    assert re.search(r'<a href="\?basis=invoice">Invoices</a>', response.content.decode())
    assert not re.search(r"\bnan\b", page, re.IGNORECASE)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("model=magic", "option model cannot be"),
        ("horizon_days=0", "from 1 to 3650"),
        ("discount=2", "from 0 to 1"),
        ("by=colour", "option by cannot be"),
        ("colour=red", "has no option"),
        ("as_of=tomorrow", "as_of cannot be"),
    ],
)
def test_a_wrong_option_is_refused_and_the_form_stays(client_of: ClientOf, query: str, says: str) -> None:
    client = client_of("fin")
    response = client.get(f"/value/?{query}")
    assert response.status_code == 400
    assert says in told(response.content.decode())
    assert 'name="horizon_days"' in response.content.decode()
    assert client.get(f"/value/origins/?{query}").status_code == 400


@pytest.mark.parametrize(("who", "status"), [("cleo", 200), ("paul", 200), ("mia", 403), ("pat", 404), ("otto", 404)])
def test_who_may_see_finance_sees_it(client_of: ClientOf, who: str, status: int) -> None:
    client = client_of(who)
    assert client.get("/value/").status_code == status
    assert client.get("/value/alive/").status_code == status


def test_a_number_opens_the_drawer_of_just_this_question(client_of_shop: ClientOf) -> None:
    client = client_of_shop("fin")
    page = client.get("/value/?horizon_days=90&margin=0.4").content.decode()
    (address,) = {unescape(one) for one in re.findall(r'hx-get="([^"]*column=value)"', page) if "by=all" in one}
    assert {"by=all", "horizon_days=90", "margin=0.4", "column=value"} <= set(re.split(r"[?&]", address))
    assert "Where this number comes from" in client.get(address).content.decode()
