"""Measure the inbox: its page with many open hand-offs, and how fast hand-offs are answered and published.

Run by `run.py inbox`. A real `plait serve` in a process of its own, asked over HTTP by somebody who is logged in.
"""

from __future__ import annotations

import random
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

PORT = 8766
ADDRESS = f"http://127.0.0.1:{PORT}"
PASSWORD = "a-password-for-benchmarks"  # noqa: S105 - of a home that is thrown away
OPEN, CLOSED = 100_000, 100_000
ROUNDS = 200
TEAM = 10
WHO = "who0@bench.example"


def measure(work: Path) -> str:
    """Measure the inbox of a firm with many open hand-offs; give the section of RESULTS.md."""
    home = work / "inbox-home"
    shutil.rmtree(home, ignore_errors=True)
    subprocess.run([sys.executable, __file__, str(home)], check=True)
    with served(home):
        reader = log_in()
        pages = {
            "what waits for me": "/inbox/",
            "what waits for my department, all of it": "/inbox/?view=department",
            "of it what is late": "/inbox/?view=department&overdue=yes",
            "one type of it": "/inbox/?view=department&type=lead",
            "a word that a hundredth of the names hold": "/inbox/?view=department&q=firm77",
            "a word that no name holds": "/inbox/?view=department&q=nowhere",
            "what was refused": "/inbox/?view=department&state=rejected",
        }
        lines = []
        for name, path in pages.items():
            page(reader, path)
            lines.append(f"| {name} | {middle([timed(lambda p=path: page(reader, p)) for _ in range(ROUNDS)])} |\n")
        lines.append(f"| page after page, to the fortieth | {middle(list(turned(reader)))} |\n")
        (one, *_) = re.findall(r'href="(/handoffs/\w+/)" data-key', page(reader, "/inbox/"))
        single = [timed(lambda: page(reader, one)) for _ in range(50)]
        lines.append(f"| one hand-off's page | {middle(single)} |\n")
    return (
        f"{OPEN:,} open and {CLOSED:,} answered hand-offs of {TEAM} colleagues in one department, on SQLite; "
        f"{ROUNDS} rounds each after one, by one reader:\n\n"
        "| page | median ms | p95 ms |\n|---|---:|---:|\n" + "".join(lines)
    )


def turned(reader: OpenerDirector) -> Iterator[float]:
    path = "/inbox/?view=department"
    for _ in range(40):
        told = ""

        def ask(path: str = path) -> None:
            nonlocal told
            told = page(reader, path)

        yield timed(ask)
        (query,) = re.findall(r'href="([^"]*)" rel="next"', told)
        path = f"/inbox/{query.replace('&amp;', '&')}"


def page(reader: OpenerDirector, path: str) -> str:
    with reader.open(f"{ADDRESS}{path}") as answer:
        return str(answer.read().decode())


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def middle(times: list[float]) -> str:
    times = sorted(times)
    return f"{statistics.median(times):.0f} | {times[int(len(times) * 0.95)]:.0f}"


def log_in() -> OpenerDirector:
    reader = build_opener(HTTPCookieProcessor(CookieJar()))
    form = page(reader, "/account/login/")
    token = form.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    told = urlencode({"login": WHO, "password": PASSWORD, "csrfmiddlewaretoken": token}).encode()
    reader.open(f"{ADDRESS}/account/login/", told).read()
    return reader


@contextmanager
def served(home: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "plait", "--home", str(home), "serve", "--port", str(PORT)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                build_opener().open(f"{ADDRESS}/account/login/", timeout=5).read()
                break
            except OSError:
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(30)


def fill(home: Path) -> None:
    """Make the home: colleagues, and hand-offs that lie in the database as acts would have left them."""
    from plait.settings import Settings, write_settings
    from plait.web import boot

    home.mkdir(parents=True)
    write_settings(home, Settings("Europe/Berlin", "EUR"))
    boot.configure(home, local=True)
    boot.prepare()
    from plait.web.handoffs.models import HandOff
    from plait.web.people.models import Role, User
    from plait.web.people.personas import seed_roles

    seed_roles()
    for number in range(TEAM):
        user = User.objects.create_user(
            f"who{number}@bench.example", PASSWORD, name=f"Who {number}", department="sales"
        )
        user.roles.set(Role.objects.filter(name="head-sales" if number == 0 else "member-sales"))
    chance, now = random.Random(1), datetime.now(UTC)  # noqa: S311, TID251 - a made firm of this day
    types = (("lead", "marketing"), ("expansion", "service"), ("referral", "partners"))
    for state, count in (("open", OPEN), ("rejected", CLOSED)):
        rows = (_row(HandOff, chance, now, state, number, *chance.choice(types)) for number in range(count))
        HandOff.objects.bulk_create(rows, batch_size=2_000)


def _row(model: type, chance: random.Random, now: datetime, state: str, number: int, kind: str, sender: str) -> object:
    due, name = now + timedelta(minutes=chance.randint(-600, 20_000)), f"firm{chance.randint(0, 9999):04}"
    made, answered = due - timedelta(hours=30), state == "rejected"
    return model(
        id=f"{state}{number:020}", type=kind, account=f"a{number}", account_name=f"{name.title()} {number}",
        folded=f"{name} {number} {name}.example", keys={"domain": f"{name}.example"}, sender=sender,
        receiver="sales", mode="separate", sent_by="plait", assignee=f"who{number % TEAM}@bench.example",
        captured_at=made, created_at=made, assigned_at=made, changed_at=made, due_at=due, touch_due_at=due,
        answered_at=due if answered else None, reason="no_budget" if answered else "", policy_version=0, state=state,
        value=chance.randint(500, 90_000), currency="EUR", order_at=due, completeness=0.5, next_at=None,
        context={"why_now": "Lead MQL, demo request", "contact": "Ann Example"},
    )  # fmt: skip


if __name__ == "__main__":
    fill(Path(sys.argv[1]))
