"""Measure the desk in the browser: a page with six figures over many facts, cold and kept, and fifty readers at once.

Run by `run.py desk`. A real `plait serve` in a process of its own, asked over HTTP by readers that are logged in.
"""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

if TYPE_CHECKING:
    from playwright.sync_api import Page

PORT = 8765
ADDRESS = f"http://127.0.0.1:{PORT}"
PASSWORD = "a-password-for-benchmarks"  # noqa: S105 - of a home that is thrown away
PAGE = "/boards/revenue/"
BOARD = "/boards/company/"
FIGURES = 6
IDLE = 20  # hundredths of a second of work in two seconds


def measure(home: Path, now: str) -> str:
    """Measure the desk of a home whose facts end on the day `now`; give the section of RESULTS.md."""
    prepare(home, now)
    with served(home) as (ready, process):
        reader = log_in()
        first = [timed(lambda: page(reader, BOARD))[0]]
        rest(process)
        cold_frames, cold_pages, cold_figures = cold()
        kept = [timed(lambda: page(reader, PAGE))[0] for _ in range(100)]
        many, seconds, failed = crowd(50, 10)
    with served(home):  # anew, so that nobody has looked before
        first_paint, paint = paints()
    again = after_a_load(home)
    return (
        f"`plait serve` on a home of a million facts answers {ready:.1f} s after its start. The page is "
        f"`{PAGE}` (six figures with comparison and line, five drawings and listings), asked by one reader over HTTP; "
        "cold: another period each time, so that no answer is kept. The six figures are asked for at once, as browsers "
        "do; before that the desk has come to rest, as it does half a minute after a start.\n\n"
        "| what | median ms | p95 ms |\n|---|---:|---:|\n"
        f"| the page, cold: frames that fetch themselves | {middle(cold_frames)} |\n"
        f"| its six figures, cold, until the last is there | {middle(cold_pages)} |\n"
        f"| one of them asked for alone, cold | {middle(cold_figures)} |\n"
        f"| the six numbers after a load: no answer kept, the day's queries kept | {middle(again)} |\n"
        f"| the whole page, all answers kept | {middle(kept)} |\n"
        f"| the company's board at the first look | {middle(first)} |\n"
        f"| its first paint in a browser that has never been here | {first_paint} |\n"
        f"| its first paint again | {paint} |\n"
        f"| 50 readers, 10 pages each, at once ({failed} errors, {500 / seconds:.0f} pages/s) | {middle(many)} |\n"
    )


def cold() -> tuple[list[float], list[float], list[float]]:
    """Time the page, its figures together and one of them alone, for periods that nobody has asked for."""
    frames, pages, figures = [], [], []
    jar = CookieJar()
    log_in(jar)
    readers = [build_opener(HTTPCookieProcessor(jar)) for _ in range(FIGURES)]

    def ask(number: int, query: str) -> str:
        return page(readers[number], f"{PAGE}{number}/?{query}")

    def ask_all(pool: ThreadPoolExecutor, query: str) -> str:
        return "".join(pool.map(lambda number: ask(number, query), range(FIGURES)))

    with ThreadPoolExecutor(FIGURES) as pool:
        for days in range(1, 21):
            query = urlencode({"from": f"2026-0{1 + days % 6}-{days:02}", "to": "2026-10-20"})
            frames.append(timed(lambda query=query: page(readers[0], f"{PAGE}?{query}"))[0])
            pages.append(timed(lambda query=query: ask_all(pool, query))[0])
            query = urlencode({"from": f"2025-0{1 + days % 6}-{days:02}", "to": "2026-10-20"})
            figures.append(timed(lambda query=query: ask(0, query))[0])
    return frames, pages, figures


def rest(process: subprocess.Popen[bytes]) -> None:
    """Wait until the desk has made its boards ready: until it works no more."""

    def worked() -> int:
        return sum(map(int, Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]))

    before = -IDLE
    while worked() - before >= IDLE:
        before = worked()
        time.sleep(2)


def after_a_load(home: Path) -> list[float]:
    """Time the six numbers when the facts have changed and the questions of the day have been asked before."""
    from datetime import UTC, date, datetime

    from plait import desk
    from plait.timeline import Scope
    from plait.web import boot

    boot.configure(home, local=True)
    from plait.web.board import all_boards
    from plait.web.results import KEPT_ROWS, Kept, Results
    from plait.web.state import read_state

    desk.measures()
    results = Results(home, lambda: datetime(2026, 11, 25, tzinfo=UTC))
    state = read_state({}, date(2026, 11, 1), as_of=None)
    figures = all_boards()["revenue"].blocks[:FIGURES]
    asks = [figure.asks(state, Scope())[0] for figure in figures]
    taken = []
    for _ in range(11):
        results._tables = Kept(KEPT_ROWS, lambda table: len(table.rows))  # noqa: SLF001 - what a new version of the facts does
        began = time.perf_counter()
        for ask in asks:
            results.table(ask)
        taken.append(time.perf_counter() - began)
    return taken[1:]


def paints() -> tuple[str, str]:
    """Time the first paint of the company's board as the browser itself tells it: at the first look, and again."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        return "no browser | no browser", "no browser | no browser"
    from playwright.sync_api import sync_playwright

    jar = CookieJar()
    log_in(jar)
    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        context = opened.new_context(viewport={"width": 1440, "height": 900})
        context.add_cookies([{"name": one.name, "value": one.value or "", "url": ADDRESS} for one in jar])
        tab = context.new_page()
        taken = [painted(tab) for _ in range(11)]
        opened.close()
    return middle(taken[:1]), middle(taken[1:])


def painted(tab: Page) -> float:
    """Open the company's board; give the seconds until something of it stood on the screen."""
    tab.goto(f"{ADDRESS}{BOARD}")
    tab.wait_for_selector("html[data-ready='1']", state="attached", timeout=120_000)
    paint = "performance.getEntriesByType('paint').find((one) => one.name === 'first-contentful-paint')?.startTime"
    for _ in range(500):
        told = tab.evaluate(paint)
        if told is not None:  # the browser writes it down a moment after the pixels are there
            return float(told) / 1000
        tab.wait_for_timeout(20)
    raise TimeoutError("the browser painted nothing for ten seconds")


def crowd(readers: int, pages: int) -> tuple[list[float], float, int]:
    """Let many readers ask at once; give each answer's seconds, the time in all and how many failed."""
    jar = CookieJar()
    log_in(jar)  # one person at fifty desks: the login itself is slow on purpose
    sessions = [build_opener(HTTPCookieProcessor(jar)) for _ in range(readers)]

    def read(reader: OpenerDirector) -> list[float]:
        return [timed(lambda: page(reader, PAGE))[0] for _ in range(pages)]

    began = time.perf_counter()
    with ThreadPoolExecutor(readers) as pool:
        answers = [pool.submit(read, reader) for reader in sessions]
        done = [one.result() for one in answers if one.exception() is None]
    return [second for one in done for second in one], time.perf_counter() - began, readers - len(done)


def prepare(home: Path, now: str) -> None:
    """Let one person in, and let numbers look back from the day on which the facts end."""
    settings = home / "plait.toml"
    if "as_of" not in settings.read_text():
        settings.write_text(f'{settings.read_text()}as_of = "{now}"\n')
    else:
        settings.write_text(re.sub(r'as_of = "[^"]*"', f'as_of = "{now}"', settings.read_text()))
    shutil.rmtree(home / "web", ignore_errors=True)
    words = ["user", "add", "reader@bench.example", "--name", "Reader", "--role", "analyst", "--password-stdin"]
    command = [sys.executable, "-m", "plait", "--home", str(home), *words]
    subprocess.run(command, input=PASSWORD, text=True, check=True, capture_output=True)


@contextmanager
def served(home: Path) -> Iterator[tuple[float, subprocess.Popen[bytes]]]:
    """Serve a home; give the seconds until it answered, and the process."""
    command = [sys.executable, "-m", "plait", "--home", str(home), "serve", "--port", str(PORT)]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while True:
            try:
                page(build_opener(), "/account/login/")
                break
            except OSError:
                time.sleep(0.02)
        yield time.perf_counter() - began, process
    finally:
        process.terminate()
        process.wait(30)


def log_in(jar: CookieJar | None = None) -> OpenerDirector:
    """Log in as a browser would."""
    reader = build_opener(HTTPCookieProcessor(CookieJar() if jar is None else jar))
    form = page(reader, "/account/login/")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
    if token is None:
        raise LookupError("the login has no form")
    given = {"csrfmiddlewaretoken": token[1], "login": "reader@bench.example", "password": PASSWORD}
    with reader.open(f"{ADDRESS}/account/login/", urlencode(given).encode(), timeout=60) as answer:
        if "/account/login/" in answer.url:
            raise PermissionError("the login failed")
    return reader


def page(reader: OpenerDirector, path: str) -> str:
    with reader.open(f"{ADDRESS}{path}", timeout=120) as answer:
        return str(answer.read().decode())


def timed(work: Callable[[], str]) -> tuple[float, str]:
    began = time.perf_counter()
    made = work()
    return time.perf_counter() - began, made


def middle(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    high = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return f"{1000 * statistics.median(ordered):.0f} | {1000 * high:.0f}"
