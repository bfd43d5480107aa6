"""The assistant's door: a real process, a real client, and no more than its person may see."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from plait import desk
from plait.measure import registry
from plait.store import Store
from plait.timeline import Scope, find_account

pytest.importorskip("mcp", reason="needs the extra `mcp`")
NOW = datetime(2026, 7, 2, tzinfo=UTC)
TOKENS = {"mara": ("numbers", "customers"), "pat": ("numbers",), "sol": ("customers",), "fin": ("numbers",)}
# Another process has another database than these tests: it prepares one as `plait serve` would.
PREPARE = """
import json, sys
from pathlib import Path
from plait.web import boot
boot.configure(Path(sys.argv[1]), local=True)
boot.prepare()
from plait.web.people.personas import PERSONAS, seed_personas
seed_personas("plait-for-tests")
from plait.web.access import make_token
from plait.web.people.models import User
wanted = json.loads(sys.argv[2])
people = {name: User.objects.get(email=PERSONAS[name].email) for name in wanted}
print(json.dumps({name: make_token(people[name], "assistant", scopes) for name, scopes in wanted.items()}))
"""
REVOKE = """
import sys
from pathlib import Path
from plait.web import boot
boot.configure(Path(sys.argv[1]), local=True)
from plait.web.access import revoke_token
from plait.web.people.models import Token, digest_of
revoke_token(Token.objects.get(digest=digest_of(sys.argv[2])))
"""


@pytest.fixture(scope="module")
def served(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of the demo's home."""
    ignored = shutil.ignore_patterns("web", "demo", "spill")
    return Path(shutil.copytree(home, tmp_path_factory.mktemp("mcp") / "home", ignore=ignored))


@pytest.fixture(scope="module")
def tokens(served: Path) -> dict[str, str]:
    """Give a token of some of the demo's people."""
    made: dict[str, str] = json.loads(run_python(PREPARE, str(served), json.dumps(TOKENS)))
    return made


def run_python(script: str, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], check=True, capture_output=True, text=True, env=environment()
    ).stdout


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("PLAIT_", "DJANGO_"))}


def plait_mcp(home: Path, token: str) -> subprocess.CompletedProcess[str]:
    """Start the door without a client, as somebody at a terminal would."""
    command = [sys.executable, "-m", "plait", "--home", str(home), "mcp", "--token", token]
    return subprocess.run(command, input="", capture_output=True, text=True, env=environment(), check=False)


def talk(home: Path, token: str, says: Callable[[Any], Awaitable[None]]) -> None:
    """Start the door in a process of its own and talk to it with the library's client."""
    from mcp import Client, StdioServerParameters

    arguments = ["-m", "plait", "--home", str(home), "mcp"]
    server = StdioServerParameters(command=sys.executable, args=arguments, env=environment() | {"PLAIT_TOKEN": token})

    async def conversation() -> None:
        async with Client(server, read_timeout_seconds=60) as client:
            await says(client)

    asyncio.run(conversation())


def refused(result: Any) -> str:  # noqa: ANN401 - the library's own result
    assert result.is_error
    return str(result.content[0].text)


def test_an_assistant_reads_definitions_and_asks(served: Path, tokens: dict[str, str]) -> None:
    async def says(client: Any) -> None:  # noqa: ANN401 - the library's own client
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"list_measures", "define_measure", "ask", "kinds", "story"}
        assert all(tool.annotations.read_only_hint for tool in tools.values())
        listed = (await client.call_tool("list_measures", {})).structured_content["measures"]
        assert {one["name"] for one in listed} >= {"win_rate", "bookings"}
        definition = (await client.call_tool("define_measure", {"name": "win_rate"})).structured_content
        assert definition["means"] == registry["win_rate"].means

        asked = {"name": "win_rate", "options": {"by": "quarter"}, "as_of": "2026-06-15"}
        told = (await client.call_tool("ask", asked)).structured_content
        table = desk.show(served, "win_rate", {"by": "quarter"}, now=NOW, as_of=date(2026, 6, 15))
        assert [(row["cohort"], row["won"], row["win_rate"]) for row in told["rows"]] == [
            (row["cohort"], row["won"], row["win_rate"]) for row in table.records()
        ]
        assert (told["version"], told["left_out"]) == (table.version, 0)
        assert sorted(told["sql"]) == sorted(table.sql)  # columns left out stand in an order of each process's own

        kinds = (await client.call_tool("kinds", {})).structured_content["kinds"]
        assert "deal.won" in {one["name"] for one in kinds}
        resource = await client.read_resource("plait://measures/win_rate")
        assert json.loads(resource.contents[0].text)["means"] == definition["means"]

    talk(served, tokens["mara"], says)


def test_what_is_asked_wrongly_is_answered_with_what_is_allowed(served: Path, tokens: dict[str, str]) -> None:
    async def says(client: Any) -> None:  # noqa: ANN401 - the library's own client
        ask = {"name": "win_rate"}
        assert "did you mean" in refused(await client.call_tool("define_measure", {"name": "win_rat"}))
        assert "allowed: all, month" in refused(await client.call_tool("ask", ask | {"options": {"by": "colour"}}))
        assert "has no option 'page'" in refused(await client.call_tool("ask", ask | {"options": {"page": 2}}))
        assert "write a day such as" in refused(await client.call_tool("ask", ask | {"as_of": "soon"}))
        assert "ISO 4217" in refused(await client.call_tool("ask", ask | {"currency": "XYZ"}))
        wrong = {"name": "funnel", "options": {"within_days": 1.5}}
        assert "a whole number from 1 to 3650" in refused(await client.call_tool("ask", wrong))
        assert "no account" in refused(await client.call_tool("story", {"account": "no-such.example"}))
        chain = {"name": "funnel", "options": {"chain": ["lead.mql", "deal.won"], "strict": True, "within_days": None}}
        told = (await client.call_tool("ask", chain)).structured_content
        assert [row["step"] for row in told["rows"]] == ["lead.mql", "deal.won"]

    talk(served, tokens["mara"], says)


def test_long_answers_say_how_much_they_leave_out(served: Path, tokens: dict[str, str]) -> None:
    async def says(client: Any) -> None:  # noqa: ANN401 - the library's own client
        told = (await client.call_tool("ask", {"name": "stage_flow"})).structured_content
        whole = len(desk.show(served, "stage_flow", now=NOW).rows)
        assert (len(told["rows"]), told["left_out"]) == (200, whole - 200)
        assert told["note"].startswith(f"{whole - 200} more are left out")

    talk(served, tokens["mara"], says)


def test_a_story_is_told_to_who_may_see_customers(served: Path, tokens: dict[str, str]) -> None:
    account = desk.open_home(served, now=NOW).engine.run_sql(
        "select account from timeline where account is not null order by account limit 1"
    )
    name = account.column("account")[0].as_py()

    async def says(client: Any) -> None:  # noqa: ANN401 - the library's own client
        told = (await client.call_tool("story", {"account": name})).structured_content
        assert told["account"] == find_account(Store.open(served), name)
        assert told["count"] == len(desk.story(served, name, now=NOW).facts)

    talk(served, tokens["mara"], says)


def test_a_partners_assistant_sees_only_the_partners_rows(served: Path, tokens: dict[str, str]) -> None:
    timeline = desk.open_home(served, now=NOW)
    mine = timeline.within(Scope(("P-01",))).table(registry["spend"], by="partner").records()
    everything = timeline.table(registry["spend"], by="partner").records()
    assert len(mine) < len(everything)

    async def says(client: Any) -> None:  # noqa: ANN401 - the library's own client
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert "story" not in tools
        told = (await client.call_tool("ask", {"name": "spend", "options": {"by": "partner"}})).structured_content
        assert {row["cohort"] for row in told["rows"]} == {row["cohort"] for row in mine} == {"P-01"}
        assert "P-02" not in json.dumps(told)
        assert refused(await client.call_tool("story", {"account": "P-02"}))

    talk(served, tokens["pat"], says)


def test_a_token_that_is_revoked_ends_in_the_middle(served: Path, tokens: dict[str, str]) -> None:
    async def says(client: Any) -> None:  # noqa: ANN401 - the library's own client
        assert not (await client.call_tool("kinds", {})).is_error
        await asyncio.to_thread(run_python, REVOKE, str(served), tokens["fin"])
        assert "this token does not work" in refused(await client.call_tool("kinds", {}))

    talk(served, tokens["fin"], says)
    again = plait_mcp(served, tokens["fin"])
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith("Error: this token does not work")


def test_the_door_stays_shut_without_what_it_needs(served: Path, tokens: dict[str, str], tmp_path: Path) -> None:
    """A token that is none, one that is not for numbers, and a home where nobody has served a desk."""
    for home, token, said in (
        (served, "made-up", "make one on the page My account"),
        (served, tokens["sol"], "This token is for customers, not for numbers"),
        (tmp_path / "fresh", "made-up", "run `plait serve` once"),
    ):
        ended = plait_mcp(home, token)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert said in ended.stderr
        assert len(ended.stderr.strip().splitlines()) == 1
    assert plait_mcp(served, "").returncode == 2


def test_without_the_library_the_door_says_what_to_install(served: Path) -> None:
    script = "import sys; sys.modules['mcp'] = None; from plait.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", script, "--home", str(served), "mcp", "--token", "made-up"]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "Error: the library for assistants is not installed; run `pip install 'plait[mcp]'`.\n"
