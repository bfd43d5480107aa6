"""The desk in a real browser: what people see, press and read, with nothing loaded from elsewhere.

`PLAIT_PICTURES=1` takes pictures of what is seen, into build/pictures, for people to look at.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlparse

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, StorageState
from served import PATIENCE, browser, chromium, demo_home, log_in, look, served, settled

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(
        chromium() is None, reason="NO BROWSER: install Debian's chromium to test what people see in one"
    ),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
PICTURES = Path(__file__).parents[2] / "build" / "pictures"
OLIST = Path(__file__).parents[3] / "shared" / "data" / "olist"
PAGES = (
    "/boards/company/", "/boards/revenue/", "/accounts/", "/measures/", "/measures/win_rate/?by=quarter", "/data/",
    "/attribution/", "/attribution/?model=markov&margin=0.6", "/value/", "/value/?basis=deal",
)  # fmt: skip
SERIOUS = ("serious", "critical")


class Seen:
    """A page that remembers what went wrong in it and which hosts it asked."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.faults: list[str] = []
        self.hosts: set[str] = set()
        page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", lambda asked: self.hosts.add(urlparse(asked.url).netloc))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    home, password = demo_home(tmp_path_factory.mktemp("browser"))
    with served(home) as address:
        yield address, password


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser() as one:
        yield one


@pytest.fixture(scope="module")
def cleo(desk: tuple[str, str], opened: Browser) -> StorageState:
    """Log Cleo in, once: her cookies serve every page."""
    context = opened.new_context(locale="en")
    log_in(context.new_page(), desk[0], "cleo@demo.example", desk[1])
    kept = context.storage_state()
    context.close()
    return kept


@pytest.fixture
def seen(cleo: StorageState, opened: Browser) -> Iterator[Seen]:
    """Give a page in which Cleo is logged in."""
    context = opened.new_context(
        viewport={"width": 1440, "height": 900}, locale="en", color_scheme="light", storage_state=cleo
    )
    context.set_default_timeout(PATIENCE)
    yield Seen(context.new_page())
    context.close()


def picture(page: Page, name: str) -> None:
    if os.environ.get("PLAIT_PICTURES") != "1":
        return
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_whole_accessible_and_asks_nobody_else(desk: tuple[str, str], seen: Seen, path: str) -> None:
    """No fault in the console, no request to another host, nothing that a screen reader or weak eyes stumble over.

    Nothing is wider than a tablet's or a telephone's screen either.
    """
    address, _ = desk
    look(seen.page, f"{address}{path}")
    picture(seen.page, f"{path.strip('/').replace('/', '-').split('?')[0]}-light")
    found = Axe().run(seen.page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:150]) for one in found if one["impact"] in SERIOUS] == []
    assert seen.faults == []
    assert seen.hosts == {urlparse(address).netloc}
    for width in (768, 390):
        seen.page.set_viewport_size({"width": width, "height": 900})
        settled(seen.page)
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
        picture(seen.page, f"{path.strip('/').replace('/', '-').split('?')[0]}-{width}")


@pytest.mark.parametrize(("language", "heading"), [("en", "Company"), ("fr", "Entreprise"), ("ko", "전사")])
def test_the_language_changes_and_the_filters_stay(
    desk: tuple[str, str], seen: Seen, language: str, heading: str
) -> None:
    look(seen.page, f"{desk[0]}/boards/company/?period=52w&compare=year")
    seen.page.click(f".languages button[value={language}]")
    settled(seen.page)
    assert seen.page.locator("html").get_attribute("lang") == language
    assert seen.page.locator("h1").inner_text() == heading
    assert seen.page.url.endswith("?period=52w&compare=year")
    picture(seen.page, f"boards-company-{language}")
    assert seen.faults == []
    seen.page.click(".languages button[value=en]")  # the choice follows her to the other tests
    settled(seen.page)


def test_a_number_opens_its_drawer_and_the_keyboard_closes_it(desk: tuple[str, str], seen: Seen) -> None:
    page = seen.page
    look(page, f"{desk[0]}/boards/sales/")
    value = page.locator(".figure-value").nth(3)
    value.focus()
    page.keyboard.press("Enter")
    drawer = page.locator("#drawer:not([hidden])")
    drawer.wait_for()
    assert "Share of deals that were won" in drawer.inner_text()
    assert "SELECT" in drawer.locator(".sql").inner_text()
    picture(page, "drawer")
    page.keyboard.press("Escape")
    assert page.locator("#drawer").is_hidden()
    assert value.evaluate("(one) => one === document.activeElement"), "the focus returns to the number"


def test_the_back_button_brings_the_period_back(desk: tuple[str, str], seen: Seen) -> None:
    page = seen.page
    look(page, f"{desk[0]}/boards/sales/")
    before = page.locator(".overline").inner_text()
    page.select_option("#state-period", "52w")
    page.wait_for_url("**period=52w**")
    settled(page)
    assert page.locator(".overline").inner_text() != before
    page.go_back()
    settled(page)
    assert page.locator(".overline").inner_text() == before


def test_keys_are_listed_and_work(desk: tuple[str, str], seen: Seen) -> None:
    page = seen.page
    look(page, f"{desk[0]}/boards/company/")
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    page.keyboard.press("Escape")
    theme = page.locator("html").get_attribute("data-bs-theme")
    page.keyboard.press("t")
    assert page.locator("html").get_attribute("data-bs-theme") != theme
    page.keyboard.press("g")
    page.keyboard.press("m")
    page.wait_for_url("**/measures/")


def test_the_story_of_an_account_is_told_and_filtered(desk: tuple[str, str], seen: Seen) -> None:
    page = seen.page
    look(page, f"{desk[0]}/accounts/?health=poor")
    page.locator("table.grid tbody a").first.click()
    page.wait_for_selector(".fact-department")
    both = page.locator(".fact-department").count()
    picture(page, "story")
    page.locator("input[name=department][value=finance]").check()
    page.wait_for_url("**department=finance**")
    told = set(page.locator(".fact-department").all_inner_texts())
    assert told == {"Finance"}
    assert 0 < page.locator(".fact-department").count() < both
    found = Axe().run(page).response["violations"]
    assert [one["id"] for one in found if one["impact"] in SERIOUS] == []
    assert seen.faults == []


def test_a_definition_needs_both_signatures_and_the_board_says_so(desk: tuple[str, str], opened: Browser) -> None:
    """Two browsers: Sol proposes another look-back for the pipeline and signs for sales, Fin signs for finance."""
    address, password = desk
    sol, fin = (opened.new_context(locale="en").new_page() for _ in range(2))
    for page, who in ((sol, "sol"), (fin, "fin")):
        log_in(page, address, f"{who}@demo.example", password)
        page.on("dialog", lambda asked: asked.accept())
    sol.goto(f"{address}/boards/sales/")
    block = sol.locator(".block:has(h2:has-text('Open pipeline by owner'))")
    block.wait_for()
    assert block.locator(".agreed").inner_text() == "unsigned"
    sol.goto(f"{address}/register/pipeline/")
    sol.fill("#o-trailing_days", "180")
    sol.fill("#reason", "A year ago we sold other things.")
    sol.click("form[action$='/propose/'] button")
    sol.click("form[action$='/sign/'] button")
    sol.wait_for_selector(".signing .signed")
    assert sol.locator("form[action$='/sign/']").count() == 0, "alone nobody can go on"

    fin.goto(f"{address}/register/pipeline/")
    fin.click("form[action$='/sign/'] button")
    fin.wait_for_selector(".note-success")
    sol.goto(f"{address}/boards/sales/")
    block.wait_for()
    assert block.locator(".agreed").count() == 0
    for page in (sol, fin):
        page.context.close()


@pytest.mark.real_data
@pytest.mark.skipif(not OLIST.exists(), reason="the public data sets are not beside the checkout")
def test_exports_are_brought_in_the_browser(desk: tuple[str, str], opened: Browser) -> None:
    """Ida brings the public seller funnel: the job shows its progress, then what was stored; the next load adds 0."""
    context = opened.new_context(viewport={"width": 1440, "height": 900}, locale="en")
    page = context.new_page()
    log_in(page, desk[0], "ida@demo.example", desk[1])
    names = ("olist_marketing_qualified_leads_dataset.csv", "olist_closed_deals_dataset.csv")
    for added in ("8,842", "0"):
        look(page, f"{desk[0]}/data/upload/")
        page.set_input_files("input[name=files]", [OLIST / name for name in names])
        page.select_option("select[name=known]", "shipped:olist_funnel")
        page.click("button[name=load]")
        page.wait_for_url("**/jobs/**")
        page.locator(".job-sum").wait_for(timeout=120_000)
        picture(page, f"upload-{added}")
        assert f"{added} facts added" in page.locator("main").inner_text()
    context.close()


def test_a_hand_off_is_refused_by_keyboard_and_the_account_recycles(desk: tuple[str, str], opened: Browser) -> None:
    """Mara hands an account in talks over to sales, Sol refuses with keys: it is back in nurture, both sides see it."""
    address, password = desk
    mara, sol = (_logged_in(opened, address, name, password) for name in ("mara", "sol"))
    before = _refused(mara, address)
    look(mara, f"{address}/handoffs/new/?q=elbe+forderer")
    assert "Convert" in mara.locator(".ways").inner_text()
    mara.click(".ways a.btn-primary")
    mara.fill("#context-need", "a pilot")
    mara.click(".handoff-form button.btn-primary")
    mara.wait_for_selector(".handoff-standing")
    picture(mara, "handoff")

    look(sol, f"{address}/inbox/?view=department")
    row = sol.locator("[data-row]", has_text="Elbe Förderer")
    while not row.evaluate("(one) => one === document.activeElement"):
        sol.keyboard.press("j")
    sol.keyboard.press("r")
    picture(sol, "inbox-refuse")
    sol.select_option("#reject-reason", "no_timing")
    sol.fill("#reject-note", "after the summer")
    sol.keyboard.press("Tab")
    sol.keyboard.press("Enter")
    sol.wait_for_selector(".note-success")
    picture(sol, "inbox")

    for _ in range(60):  # until the worker has published it
        if _refused(mara, address) > before:
            break
        mara.wait_for_timeout(250)
    for side in (mara, sol):
        side.goto(f"{address}/handoffs/report/handoffs/")
        cells = side.locator("tbody tr", has_text="Marketing → Sales").locator("td").all_inner_texts()
        assert int(cells[3]) == before + 1
    look(mara, f"{address}/handoffs/new/?q=elbe+forderer")
    assert "Nurture" in mara.locator(".ways").inner_text()
    look(mara, f"{address}/inbox/?view=sent&state=rejected")
    assert "Not now" in mara.locator(".inbox").inner_text()
    found = Axe().run(mara).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:150]) for one in found if one["impact"] in SERIOUS] == []
    mara.context.close()
    sol.context.close()


def _logged_in(opened: Browser, address: str, name: str, password: str) -> Page:
    page = opened.new_context(viewport={"width": 1440, "height": 900}, locale="en").new_page()
    log_in(page, address, f"{name}@demo.example", password)
    return page


def _refused(page: Page, address: str) -> int:
    """Ask how many hand-offs from marketing to sales were refused."""
    rows = page.request.get(f"{address}/api/measures/handoffs/table").json()["rows"]
    return int(next(row["rejected"] for row in rows if row["cohort"] == "marketing > sales"))
