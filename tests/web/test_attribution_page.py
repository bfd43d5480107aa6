"""The page of attribution: its numbers are those of the API and the command line, and it says how far to trust them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from click.testing import CliRunner
from django.test import Client
from django.utils import translation

from plait.cli import main
from plait.measures import load_measures
from plait.measures._credit import BASELINE, UNTOUCHED
from plait.measures._journeys import NONE, OTHERS, OWN
from plait.measures.paths import LAGS, LENGTHS, LONGEST_LAG
from plait.stats.paths.models import BY_ROLE, MODELS
from plait.web import formats, trust, words
from plait.web.pages import attribution

ClientOf = Callable[[str], Client]
Row = dict[str, object]
MARKOV = "model=markov&milestone=deal.won"


def told(page: str) -> str:
    """Give what somebody reads."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def cells(page: str, name: str) -> list[str]:
    """Give the cells of the first table row that begins with a name."""
    for row in re.findall(r"<tr[^>]*>(.*?)</tr>", page, re.DOTALL):
        found = [told(cell) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL)]
        if found and found[0].removesuffix(" chosen") == name:
            return found
    raise AssertionError(name)


def api(client: Client, measure: str, query: str) -> list[Row]:
    return client.get(f"/api/measures/{measure}/table?{query}").json()["rows"]  # type: ignore[no-any-return]


def test_page_api_and_command_line_tell_the_same_numbers(client_of: ClientOf, home: Path) -> None:
    """`plait show attribution --model markov --milestone deal.won` gives what the page and the API give."""
    client = client_of("mara")
    asked = ["--home", str(home), "show", "attribution", "--model", "markov", "--milestone", "deal.won", "--json"]
    shown = json.loads(CliRunner().invoke(main, asked).output)
    assert api(client, "attribution", MARKOV) == shown["rows"]
    page = client.get(f"/attribution/?{MARKOV}").content.decode()
    assert len(shown["rows"]) > 8
    for row in shown["rows"]:
        found = cells(page, str(row["channel"]))
        assert found[1] == formats.shown(float(row["credit"]), "credit")
        assert found[3] == formats.shown(float(row["credit_share"]), "share")
        assert found[4] == f"€{float(row['value']):,.2f}"
    total = sum(float(row["credit"]) for row in shown["rows"])
    assert f"Conversions {total:.0f}" in told(page).replace("Conversions: ", "")


def test_the_other_panels_tell_what_the_api_tells(client_of: ClientOf) -> None:
    client = client_of("mara")
    page = client.get(f"/attribution/?{MARKOV}&whole").content.decode()
    compared = api(client, "attribution_models", "milestone=deal.won")[0]
    panel = page[page.index('id="models"') :]
    assert cells(panel, str(compared["channel"]))[1:] == [
        formats.shown(float(str(number)), "credit") for name, number in compared.items() if name != "channel"
    ]
    earned = next(row for row in api(client, "channel_return", MARKOV) if row["cost"])
    found = cells(page[page.index('id="return"') :], str(earned["channel"]))
    assert found[2] == f"€{float(str(earned['cost'])):,.2f}"
    assert found[4] == formats.shown(float(str(earned["roi"])), "ratio")
    longest = api(client, "paths", "show=lag")[-1]
    found = cells(page[page.index('id="lag"') :], str(longest["path"]))
    assert found[1:3] == [str(longest["journeys"]), str(longest["converted"])]


def test_money_that_nobody_earned_is_a_number_of_its_own(client_of: ClientOf) -> None:
    client = client_of("mara")
    rows = api(client, "channel_return", MARKOV)
    lost = sum(float(str(row["value"])) for row in rows if row["channel"] == UNTOUCHED)
    share = lost / sum(float(str(row["value"])) for row in rows if row["value"])
    assert 0 < share < 1
    panel = told(client.get(f"/attribution/return/?{MARKOV}").content.decode())
    assert f"Credited to nobody {formats.shown(share, 'share')} €{lost:,.2f} of €" in panel


def test_the_model_says_what_it_estimates_and_what_not(client_of: ClientOf) -> None:
    client = client_of("mara")
    for model in ("markov", "response", "w"):
        page = told(client.get(f"/attribution/?model={model}").content.decode())
        known = (MODELS | BY_ROLE)[model]
        assert f"It estimates {known.estimates}" in page
        assert f"Its limit {known.caution}" in page


def test_the_largest_disagreement_is_named_and_models_lead_to_themselves(client_of: ClientOf) -> None:
    client = client_of("mara")
    page = client.get("/attribution/models/?model=markov&by=campaign&lookback_days=90").content.decode()
    row = api(client, "attribution_models", "by=campaign&lookback_days=90")[0]
    assert f"The models disagree most about {row['channel']}" in told(page)
    assert "?by=campaign&amp;lookback_days=90&amp;model=linear" in page
    assert re.search(r'aria-current="true">Markov<', page)
    linear = client.get("/attribution/?by=campaign&lookback_days=90&model=linear").content.decode()
    assert "presence by touches" in linear


def test_a_number_opens_the_drawer_of_just_this_question(client_of: ClientOf) -> None:
    client = client_of("mara")
    page = client.get("/attribution/?model=markov&by=partner&from=2025-07-01&to=2025-12-31").content.decode()
    address = unescape(re.findall(r'data-figure="attribution\.credit"|hx-get="([^"]*column=credit)"', page)[0])
    assert {"model=markov", "by=partner", "since=2025-07-01", "until=2026-01-01"} <= set(re.split(r"[?&]", address))
    drawer = client.get(address)
    assert drawer.status_code == 200
    assert "Where this number comes from" in drawer.content.decode()


def test_the_period_is_that_of_the_address(client_of: ClientOf) -> None:
    client = client_of("mara")
    half = told(client.get("/attribution/?from=2026-01-01&to=2026-03-31").content.decode())
    quarter = api(client, "attribution", "since=2026-01-01&until=2026-04-01")
    assert f"{sum(float(str(row['credit'])) for row in quarter):.0f}" in half
    assert "Jan 1, 2026 – Mar 31, 2026" in half
    assert "All time" in told(client.get("/attribution/").content.decode())


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("model=magic", "option model cannot be"),
        ("lookback_days=0", "from 1 to 3650"),
        ("colour=red", "has no option"),
        ("from=2026-05-01&to=2026-04-01", "ends before it begins"),
        ("margin=7", "option margin cannot be"),
        ("currency=XXL", "no currency"),
    ],
)
def test_a_wrong_option_is_refused_and_the_form_stays(client_of: ClientOf, query: str, says: str) -> None:
    client = client_of("mara")
    response = client.get(f"/attribution/?{query}")
    page = response.content.decode()
    assert response.status_code == 400
    assert says in told(page)
    assert 'name="model"' in page
    assert client.get(f"/attribution/models/?{query}").status_code == 400


def test_where_nothing_converted_the_page_says_so_and_stays_whole(client_of: ClientOf) -> None:
    page = client_of("mara").get("/attribution/?from=2019-01-01&to=2019-01-31&whole").content.decode()
    assert "No credit can be told." in page
    assert 'id="trust"' in page
    assert not re.search(r"\bnan\b", told(page), re.IGNORECASE)


def test_spend_names_no_content(client_of: ClientOf) -> None:
    page = client_of("mara").get("/attribution/return/?by=content")
    assert page.status_code == 200
    assert "split by one of those" in page.content.decode()


@pytest.mark.parametrize(("who", "status"), [("cleo", 200), ("fin", 200), ("mia", 403), ("pat", 404), ("otto", 404)])
def test_who_may_see_marketing_sees_it(client_of: ClientOf, who: str, status: int) -> None:
    client = client_of(who)
    assert client.get("/attribution/").status_code == status
    assert client.get("/attribution/models/").status_code == status
    assert client.get("/attribution/no-such-panel/").status_code in (403, 404)


def test_trust_is_computed_for_every_model_and_the_chosen_one_is_marked(client_of: ClientOf) -> None:
    """Nobody's data tell how strongly intent misleads: the simulation does, from none to strong."""
    panel = client_of("mara").get("/attribution/trust/?model=last").content.decode()
    made = trust.trials()
    assert trust.trials() is made, "they are made once"
    assert [one.strength for one in made] == ["none", "weak", "middling", "strong"]
    for name in MODELS:
        assert cells(panel, words.label(name))[1:] == [formats.shown(one.wrong[name], "share") for one in made]
    assert re.search(r'class="chosen">.*?Last .*?chosen', panel, re.DOTALL)
    assert f"Last gives {formats.shown(made[0].wrong['last'], 'share')} of the credit to the wrong channel" in told(
        panel
    )
    assert made[0].wrong["response"] < 0.1 < made[0].wrong["last"]
    assert made[0].baseline == pytest.approx(0, abs=1e-9)
    assert made[3].baseline > made[1].baseline


def test_a_model_that_needs_milestones_says_why_it_was_not_tried(client_of: ClientOf) -> None:
    assert "asks for leads and opportunities" in client_of("mara").get("/attribution/trust/?model=w").content.decode()


def test_words_of_ours_in_the_rows_are_translated() -> None:
    load_measures()
    ours = [BASELINE, UNTOUCHED, NONE, OTHERS, OWN, *(name for _, name in LAGS), LONGEST_LAG, f"over {LENGTHS}"]
    assert set(ours) <= set(words.AS_THEY_ARE)
    assert set(attribution.NOBODY) == {BASELINE, UNTOUCHED}
    for language in ("fr", "ko"):
        with translation.override(language):
            assert [text for text in ours if words.value(text) == text] == []
