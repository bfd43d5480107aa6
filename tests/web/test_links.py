"""Partners' links in the browser: made and ended, with their clicks; who may change them, and what partners see."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from click.testing import CliRunner
from django.conf import settings
from django.test import Client
from django.utils import timezone

from plait import desk, live
from plait.cli import main
from plait.inbox import Inbox
from plait.settings import Settings
from plait.sources.clicks import KEY, Click
from plait.sources.events import Envelope
from plait.web import reader
from plait.web.collector import tracking
from plait.web.collector.links import new_id
from plait.web.collector.models import LiveSource, PromoCode, TrackedLink
from plait.web.collector.tracking import BadLink, Wanted
from plait.web.people.models import AuditEntry, Role, RoleRight, User

ClientOf = Callable[[str], Client]
PersonaOf = Callable[[str], User]
pytestmark = pytest.mark.django_db
PAGE = "/partners/links/"
BERLIN = ZoneInfo("Europe/Berlin")
MAY = {"first": date(2026, 5, 1), "last": date(2026, 5, 31), "zone": BERLIN}
LINK = {"target": "https://shop.example/offer", "partner": "P-01", "code": "summer", "campaign": "spring"}


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a home of its own in which nothing has come in yet."""
    monkeypatch.setattr(settings, "HOME", tmp_path)
    desk.set_up(tmp_path, Settings("Europe/Berlin", "EUR"))
    reader.results.cache_clear()
    yield tmp_path
    reader.results.cache_clear()


def text(client: Client, address: str = PAGE) -> str:
    return html.unescape(client.get(address).content.decode())


def followed(home: Path, code: str, partner: str, *who: str, days_ago: float = 1) -> None:
    """Let somebody follow a link some days ago, and the click be sealed."""
    at = timezone.now() - timedelta(days=days_ago)
    clicks = [msgspec.Raw(msgspec.json.encode(Click(new_id(), code, 1, partner, bot=one))) for one in who]
    inbox = Inbox.open(home, lambda _waiters, _error: None)
    inbox.append(msgspec.json.encode(Envelope(int(at.timestamp() * 1e6), "links", KEY, clicks)), None)
    inbox.close()
    live.seal(home, now=timezone.now())


def test_a_link_is_made_copied_and_ended(client_of: ClientOf, empty: Path) -> None:  # noqa: ARG001
    paul = client_of("paul")
    assert "There are no links yet." in text(paul)
    assert paul.post(PAGE, LINK).headers["Location"] == PAGE
    link = TrackedLink.objects.get(code="summer")
    assert (link.target, link.partner, link.source.name) == ("https://shop.example/offer", "P-01", "links")
    assert 'data-copy="http://testserver/r/summer"' in text(paul)
    paul.post(f"{PAGE}summer/end/")
    link.refresh_from_db()
    assert link.ended_at
    assert "data-copy" not in text(paul)
    done = AuditEntry.objects.filter(subject="summer").order_by("id").values_list("action", "actor__name")
    assert list(done) == [("link.added", "Paul Dubois"), ("link.ended", "Paul Dubois")]


def test_the_page_counts_the_clicks_of_thirty_days(client_of: ClientOf, empty: Path) -> None:
    tracking.add_link(Wanted("https://shop.example/", "P-01", code="summer"))
    followed(empty, "summer", "P-01", "human", "human", "human", "bot", "bot", "unknown")
    followed(empty, "summer", "P-01", "human", "bot", days_ago=31)
    row = text(client_of("paul")).partition("/r/summer")[2].partition("</tr>")[0]
    numbers = [cell.partition("</td>")[0].rpartition(">")[2] for cell in row.split('class="number"')[1:4]]
    assert numbers == ["3", "2", "1"]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"target": "http://shop.example/"}, "write it with https"),
        ({"target": "javascript:alert(1)"}, "is no address to which a link may lead"),
        ({"target": "https://user@shop.example/"}, "is no address to which a link may lead"),
        ({"target": "https://shop.example/\\evil"}, "backslashes"),
        ({"target": "https://shop.example/" + "x" * 2000}, "2000 signs"),
        ({"target": "https://shop.example/?click_id=1"}, "names click_id already"),
        ({"partner": " "}, "name the partner"),
        ({"code": "ab"}, "3 to 40 lower case letters"),
        ({"code": "a/b/c"}, "3 to 40 lower case letters"),
        ({"hosts": "shop.example evil/host"}, "is no name of a host"),
        ({"parameter": "a b"}, "is no name of a parameter"),
        ({"fallback": "//evil.example"}, "is no address to which a link may lead"),
    ],
)
def test_a_link_that_cannot_be_is_refused(
    changed: dict[str, str],
    says: str,
    client_of: ClientOf,
    empty: Path,  # noqa: ARG001
) -> None:
    answer = client_of("paul").post(PAGE, LINK | changed)
    assert answer.status_code == 400
    page = html.unescape(answer.content.decode())
    assert says in page
    assert 'value="spring"' in page, "what was typed in stays"
    assert not TrackedLink.objects.exists()
    assert not AuditEntry.objects.filter(action="link.added").exists()


def test_a_code_is_never_given_twice(client_of: ClientOf, empty: Path) -> None:  # noqa: ARG001
    tracking.end_link(tracking.add_link(Wanted("https://shop.example/", "P-01", code="summer")))
    answer = client_of("paul").post(PAGE, LINK | {"partner": "P-02"})
    assert "is taken, and none is given twice" in html.unescape(answer.content.decode())


def test_a_code_that_nobody_chose_says_nothing(empty: Path) -> None:  # noqa: ARG001
    codes = {tracking.add_link(Wanted("https://shop.example/", "P-01")).code for _ in range(20)}
    assert len(codes) == 20
    assert all(len(code) == 7 and not set(code) - set(tracking.SIGNS) for code in codes)


def test_a_foreign_host_is_stored_as_name_servers_know_it(empty: Path) -> None:  # noqa: ARG001
    """A host that looks like another is written so that people see what it is."""
    link = tracking.add_link(Wanted("https://аpple.example/ä?ö=ü", "P-01"))
    assert link.target == "https://xn--pple-43d.example/%C3%A4?%C3%B6=%C3%BC"


def test_a_promo_code_may_go_to_another_partner_later_but_not_at_once(client_of: ClientOf, empty: Path) -> None:  # noqa: ARG001
    paul = client_of("paul")
    given = {"text": " ｓum mer10 ", "owner": "P-01", "first": "2026-05-01", "last": "2026-05-31"}
    assert paul.post("/partners/codes/", given).status_code == 302
    code = PromoCode.objects.get()
    assert code.code == "SUMMER10"
    assert code.valid_from == datetime(2026, 4, 30, 22, tzinfo=UTC), "from midnight in Berlin"
    assert code.valid_to == datetime(2026, 5, 31, 22, tzinfo=UTC), "the last day is included"
    refused = paul.post("/partners/codes/", given | {"owner": "P-02", "first": "2026-05-31", "last": "2026-06-30"})
    assert "SUMMER10 is P-01's from 2026-05-01 to 2026-05-31" in html.unescape(refused.content.decode())
    assert paul.post("/partners/codes/", given | {"owner": "P-02", "first": "2026-06-01", "last": "2026-06-30"})
    assert list(PromoCode.objects.values_list("partner", flat=True)) == ["P-01", "P-02"]
    assert AuditEntry.objects.filter(action="code.added").count() == 2


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"text": " "}, "1 to 40 signs"),
        ({"owner": ""}, "name the partner"),
        ({"last": "2026-04-30"}, "is before"),
        ({"first": "yesterday"}, "is no day"),
        ({"first": "0001-01-01"}, "lie between"),
    ],
)
def test_a_promo_code_that_cannot_be_is_refused(
    changed: dict[str, str],
    says: str,
    client_of: ClientOf,
    empty: Path,  # noqa: ARG001
) -> None:
    given = {"text": "SUMMER10", "owner": "P-01", "first": "2026-05-01", "last": "2026-05-31"}
    answer = client_of("paul").post("/partners/codes/", given | changed)
    assert answer.status_code == 400
    assert says in html.unescape(answer.content.decode())
    assert not PromoCode.objects.exists()


def test_a_code_that_ends_is_valid_until_then(empty: Path) -> None:  # noqa: ARG001
    today = timezone.now().astimezone(BERLIN).date()
    code = tracking.add_code("now", partner="P-01", first=today, last=today + timedelta(days=9), zone=BERLIN)
    later = tracking.add_code(
        "later", partner="P-01", first=today + timedelta(days=2), last=today + timedelta(days=9), zone=BERLIN
    )
    for one in (code, later):
        tracking.end_code(one)
        one.refresh_from_db()
    assert timedelta(0) <= timezone.now() - code.valid_to < timedelta(minutes=1)
    assert later.valid_to - later.valid_from == timedelta(microseconds=1), "as good as never"


@pytest.mark.parametrize("name", ["mara", "mia", "pat", "otto"])
def test_only_who_works_on_partners_changes_links(name: str, client_of: ClientOf, empty: Path) -> None:  # noqa: ARG001
    link = tracking.add_link(Wanted("https://shop.example/", "P-01", code="summer"))
    code = tracking.add_code("X", partner="P-01", **MAY)  # type: ignore[arg-type]
    client = client_of(name)
    for address in (PAGE, f"{PAGE}summer/end/", "/partners/codes/", f"/partners/codes/{code.pk}/end/"):
        assert client.post(address, LINK | {"code": "mine"}).status_code == (404 if name in ("pat", "otto") else 403)
    link.refresh_from_db()
    assert (link.ended_at, TrackedLink.objects.count(), PromoCode.objects.count()) == (None, 1, 1)


def test_a_partner_sees_the_own_links_and_codes_only(client_of: ClientOf, persona: PersonaOf, empty: Path) -> None:
    """Pat of P-01 has no right to the page; given it, there is nothing of P-02 on it, and nothing to change."""
    for partner in ("P-01", "P-02"):
        tracking.add_link(Wanted("https://shop.example/", partner, code=f"link-{partner.lower()}"))
        tracking.add_code(f"CODE-{partner}", partner=partner, **MAY)  # type: ignore[arg-type]
        followed(empty, f"link-{partner.lower()}", partner, "human")
    assert client_of("pat").get(PAGE).status_code == 404
    role = Role.objects.create(name="portal", title="Portal")
    RoleRight.objects.create(role=role, area="partners", level="approve")
    persona("pat").roles.add(role)
    page = text(client_of("pat"))
    assert "link-p-01" in page
    assert "CODE-P-01" in page
    assert "P-02" not in page
    assert "p-02" not in page
    assert "/end/" not in page
    assert client_of("pat").post(PAGE, LINK).status_code == 404


def test_a_source_of_clicks_is_made_on_demand(empty: Path) -> None:  # noqa: ARG001
    assert not LiveSource.objects.filter(name="links").exists()
    tracking.add_link(Wanted("https://shop.example/", "P-01"))
    tracking.add_link(Wanted("https://shop.example/", "P-01", source="blog_links"))
    assert list(LiveSource.objects.filter(name__contains="links").values_list("name", flat=True)) == [
        "blog_links", "links",
    ]  # fmt: skip
    with pytest.raises(BadLink):
        tracking.add_link(Wanted("https://shop.example/", "P-01", source="No Source"))


def test_a_code_is_listed_and_ended_on_the_command_line(empty: Path) -> None:
    def plait(*words: str) -> str:
        told = CliRunner().invoke(main, ["--home", str(empty), *words])
        return told.output

    plait("code", "add", "spring 26", "--partner", "P-01", "--from", "2020-01-01", "--to", "2090-12-31")
    assert plait("code", "list") == "SPRING26\tP-01\t2020-01-01\t2090-12-31\n"
    assert plait("code", "end", "Spring26") == "SPRING26 is P-01's no more\n"
    assert "no code 'spring26' is valid" in plait("code", "end", "spring26")
    assert json.loads(plait("code", "list", "--json"))[0]["to"] < "2090"
