"""What went wrong is said in the reader's language too: sentences of the core, of rules, of mappings and of files."""

from __future__ import annotations

import ast
import html
import pickle
import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import translation

from plait import desk
from plait.failure import Misused, Said, Unfit
from plait.sources import rules
from plait.web import words
from plait.web.work import jobs
from plait.web.work.models import Job

ClientOf = Callable[[str], Client]
ROOT = Path(__file__).parents[2]
LANGUAGES = ("fr", "ko")
ENGLISH = re.compile(
    r"\b(?:the|is|are|not|no|of|or|and|with|without|from|which|cannot|allowed|has|have|did|you|mean|use|write|give"
    r"|unknown|missing|correct|fill|needs|names|here|whole|where|expected|nothing|than|more)\b"
)
WRONG = {
    "a value": ("/measures/win_rate/?by=weak", 400, "weak"),
    "a number": ("/measures/win_rate/drawer/?by=quarter&since=soon", 400, "soon"),
    "no value": ("/measures/win_rate/?by=none", 400, "by"),
    "bounds": ("/measures/funnel/?within_days=9999", 400, "9999"),
    "an option": ("/measures/win_rate/?bi=quarter", 400, "bi"),
    "the funnel's steps": ("/measures/funnel/?chain=lead.mql", 400, "lead.mql"),
    "a kind": ("/measures/funnel/?chain=lead.mql,deal.one", 400, "deal.one"),
    "a currency": ("/boards/company/?currency=EUX", 400, "EUX"),
    "a day": ("/boards/company/?as_of=yesterday", 400, "yesterday"),
    "a period": ("/boards/company/?period=decade", 400, "decade"),
    "a comparison": ("/boards/company/?compare=best", 400, "best"),
    "a measure": ("/measures/win_rat/", 404, "404"),
    "an account": ("/accounts/nobody/", 404, "404"),
    "a stage": ("/accounts/?stage=asleep", 400, "asleep"),
}


def spoken(page: str) -> str:
    """Give what a page says in words: without markup, code and names quoted as they stand in data or addresses."""
    body = page.partition("<main")[2] or page
    body = re.sub(r"<(script|style|code|kbd|pre|option|svg)\b.*?</\1>", "", body, flags=re.DOTALL)
    return re.sub(r"'[^']*'|\"[^\"]*\"|`[^`]*`", "", html.unescape(re.sub(r"<[^>]*>", " ", body, flags=re.DOTALL)))


@pytest.fixture
def reader(client_of: ClientOf) -> Callable[[str], Client]:
    """Give a client of somebody who may see everything, in a language."""

    def made(language: str) -> Client:
        client = client_of("cleo")
        client.post("/language/", {"language": language, "next": "/"})
        return client

    return made


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("what", WRONG)
def test_what_was_asked_wrongly_is_said_in_the_readers_language(
    what: str, language: str, reader: Callable[[str], Client]
) -> None:
    address, status, quoted = WRONG[what]
    response = reader(language).get(address)
    page = response.content.decode()
    assert response.status_code == status
    assert f'<html lang="{language}"' in page
    assert quoted in html.unescape(page)
    assert ENGLISH.findall(spoken(page)) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_refused_rows_say_rule_and_next_step_in_the_readers_language(
    language: str, reader: Callable[[str], Client], home: Path
) -> None:
    client = reader(language)
    stored = desk.refused_rows(home, {}).rows
    texts = {text for row in stored for text in (row.rule, row.next_step)}
    assert len(texts) > 10
    for number in range(1, len(stored) // 50 + 2):
        page = client.get(f"/data/refused/?page={number}").content.decode()
        assert [text for text in texts if f">{text}<" in html.unescape(page)] == []
        cells = re.sub(r"<td class=\"file\">.*?</td>", "", page, flags=re.DOTALL)
        assert ENGLISH.findall(spoken(cells)) == []
    health = html.unescape(client.get("/data/").content.decode())
    assert [text for text in texts if f">{text}<" in health] == []


MAPPING = """
source = "crm"
[[file]]
pattern = "deals*.csv"
skip = -1
colour = "red"
delimiter = "ab"
timezone = "Europe/Berlyn"
currency = "EUX"
encoding = "latin-99"
format = "csw"
[[file.fact]]
kind = "deal.one"
id = "{Id"
amount = { from = "{Sum}", only = true }
when = 5
keys = { mail = "{Mail}" }
[[file.fact]]
kind = "deal.won"
id = "{Id}"
occurred_at = 7
detail = "x"
owner = { from = "{Owner}", lookup = { file = "owners.csv" }, map = 3 }
[[control]]
source = "erp"
kind = "deal.won"
before = "May"
[[control]]
kind = "deal.won"
facts = -1
amount = "much"
"""


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_that_is_wrong_with_a_mapping_is_said_in_the_readers_language(language: str, client_of: ClientOf) -> None:
    client = client_of("sol")
    client.post("/language/", {"language": language, "next": "/"})
    brought = {
        "files": SimpleUploadedFile("deals.csv", b"Id\n1\n"),
        "mapping": SimpleUploadedFile("deals.toml", MAPPING.encode()),
    }
    response = client.post("/data/upload/", {"load": "1", **brought})
    page = response.content.decode()
    problems = re.findall(r"<li>(.*?)</li>", page.partition('role="alert"')[2].partition("</div>")[0], re.DOTALL)
    assert response.status_code == 400
    assert len(problems) > 20
    assert [problem for problem in problems if ENGLISH.search(spoken(problem))] == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("content", "quoted"),
    [(b"Id\n1\n", "Amount"), (b"", "deals.csv"), (b"Id,Day,Amount,Id\n", "Id"), (b"\xff\xfe\x00", "deals.csv")],
    ids=["a column is missing", "empty", "two columns of a name", "no text"],
)
def test_why_a_load_was_refused_is_said_in_the_language_of_who_reads_it(
    content: bytes, quoted: str, language: str, client_of: ClientOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report is kept once; whoever opens it reads it in their own language."""
    monkeypatch.setattr(settings, "HOME", tmp_path / "home")
    mapping = b"""source = "crm"\ntimezone = "UTC"\n[[file]]\npattern = "deals*.csv"\n[[file.fact]]
kind = "deal.won"\nid = "{Id}"\nobject_id = "{Id}"\noccurred_at = "{Day}"\namount = "{Amount}"\n"""
    client = client_of("sol")
    brought = {"files": SimpleUploadedFile("deals.csv", content), "mapping": SimpleUploadedFile("d.toml", mapping)}
    client.post("/data/upload/", {"load": "1", **brought})
    job = Job.objects.order_by("-pk")[0]
    jobs.carry_out(job.pk)
    client.post("/language/", {"language": language, "next": "/"})
    page = client.get(f"/jobs/{job.pk}/").content.decode()
    problems = re.findall(r"<li>(.*?)</li>", page.partition("note-error")[2].partition("</div>")[0], re.DOTALL)
    assert quoted in " ".join(problems)
    assert ENGLISH.findall(spoken(" ".join(problems))) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("pattern", sorted({*rules.patterns()}))
def test_a_stored_rule_is_found_again_whatever_it_was_filled_in_with(pattern: str, language: str) -> None:
    nested = dict.fromkeys(rules.NESTED, "not a number")
    names = dict.fromkeys(re.findall(r"{(\w+)", pattern), "a (b), {c} 'd': e")
    stored = pattern.format(**names | nested)
    with translation.override(language):
        told = words.rule(stored)
    assert told != stored
    assert "not a number" not in told
    assert all("a (b), {c}" in told for name in names if name not in rules.NESTED)


def test_a_sentence_keeps_its_parts_when_it_is_kept_as_json_or_copied() -> None:
    said = Said("{where}: {problem}", where=Said("file {n}", n=1), problem=Said("needs {names}", names="{id}"))
    for again in (Said.of(said.told()), pickle.loads(pickle.dumps(said)), deepcopy(said)):  # noqa: S301 - our own
        assert again == said == "file 1: needs {id}"
        with translation.override("fr"):
            assert words.said(again).startswith("fichier 1")


def failures(kind: type[Exception]) -> set[str]:
    return {kind.__name__}.union(*map(failures, kind.__subclasses__()))


@pytest.mark.parametrize("place", ["measure.py", "timeline.py", "settings.py", "measures/*.py", "sources/*.py"])
def test_a_failure_of_the_core_says_nothing_past_the_catalogue(place: str) -> None:
    """A sentence made with an f-string has no parts that a translation could be put together from."""
    sayers = failures(Misused) | failures(Unfit) | {"Said", "wrong"}
    past = []
    for path in sorted((ROOT / "plait").glob(place)):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", None)) in sayers:
                past += [f"{path.name}:{node.lineno}" for part in ast.walk(node) if isinstance(part, ast.JoinedStr)]
    assert past == []


def test_the_api_says_what_was_asked_wrongly_in_the_language_asked_for(client_of: ClientOf) -> None:
    address = "/api/measures/win_rate/table?by=weak"
    said = {
        language: client_of("cleo").get(address, headers={"accept-language": language}).json()["error"]["message"]
        for language in ("en", "fr", "ko")
    }
    assert said["en"].startswith("option by cannot be 'weak'; allowed: ")
    assert said["fr"].startswith("L’option by ne peut pas valoir 'weak'")
    assert said["ko"].startswith("by 옵션에 'weak' 값을")
