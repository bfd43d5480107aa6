"""From an event to the page: what a library sends is soon on the account's story in the browser."""

from __future__ import annotations

import re
import subprocess
import time
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

import pytest

from .served import PATIENCE, PLAIT, Served, collected, environment

EMAIL, PASSWORD = "reader@firm.example", "a-password-for-tests-only"


@pytest.mark.slow
def test_an_event_is_soon_on_the_accounts_story(tmp_path: Path) -> None:
    """Of a firm that nobody knew before, and then of one that is known."""
    with collected(tmp_path / "home", command="serve") as served:
        reader, key = log_in(served), served.key("shop", "--server")
        for number in range(3):
            name = f"Report {number} Opened"
            traits = {"email": "ann@acme.example"}
            event = {"type": "track", "event": name, "userId": "ann", "context": {"traits": traits}}
            began = time.monotonic()
            assert served.post("/v1/track", event, key).status == 200
            while name not in story(reader, served):
                assert time.monotonic() - began < PATIENCE, name
                time.sleep(0.2)
            print(f"on the page {time.monotonic() - began:.1f} s after it was sent")  # noqa: T201 - what the run shows


def story(reader: OpenerDirector, served: Served) -> str:
    """Give the story of the first account that is listed; nothing where there is none yet."""
    found = re.search(r"/accounts/a[0-9a-f]{16}/", page(reader, served, "/accounts/"))
    return page(reader, served, found[0]) if found else ""


def page(reader: OpenerDirector, served: Served, path: str) -> str:
    """Give a page as the browser has it after redirects."""
    with reader.open(f"{served.address}{path}", timeout=PATIENCE) as answer:
        return str(answer.read().decode())


def log_in(served: Served) -> OpenerDirector:
    """Add somebody to the home and log in as they would."""
    words = [*PLAIT, "--home", str(served.home), "user", "add", EMAIL, "--name", "Reader", "--role", "analyst"]
    subprocess.run(
        [*words, "--password-stdin"], input=PASSWORD.encode(), check=True, capture_output=True, env=environment()
    )
    reader = build_opener(HTTPCookieProcessor(CookieJar()))
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page(reader, served, "/account/login/"))
    assert token
    given = {"csrfmiddlewaretoken": token[1], "login": EMAIL, "password": PASSWORD}
    with reader.open(f"{served.address}/account/login/", urlencode(given).encode(), timeout=PATIENCE) as answer:
        assert "/account/login/" not in answer.url
    return reader
