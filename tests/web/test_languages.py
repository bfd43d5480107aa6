"""Three languages: every text that people read is in every catalogue, and none is written past them."""

from __future__ import annotations

import importlib.util
import io
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po
from django.test import Client
from django.utils import translation

from plait import desk
from plait.measure import known_measure, remark
from plait.web import words

ROOT = Path(__file__).parents[2]
WEB = ROOT / "plait" / "web"
TEMPLATES = sorted(path for path in WEB.rglob("templates/**/*") if path.suffix in (".html", ".txt"))
LANGUAGES = ("fr", "ko")
HOLES = re.compile(r"%\(\w+\)[sdr]|(?<!\{)\{\w+[^{}]*\}")
OURS = {
    "plait",
    "CSV",
    "AUC",
    "Brier",
    "UTC",
    "FOLDER",
    "FILE",
    "Esc",
    "doctype",
    "html",
    "nbsp",
    "SQL",
    "MCP",
    "JSON",
    "API",
    "OpenAPI",
    "NPS",
    "CSAT",
    "GET",
}
ClientOf = Callable[[str], Client]


def translate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("translate", ROOT / "docs" / "translate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_without_translation(language: str) -> None:
    catalogue = read_po(io.BytesIO((WEB / "locale" / language / "LC_MESSAGES" / "django.po").read_bytes()))
    missing = []
    for context, message in translate().collect():
        known = catalogue.get(message[0] if isinstance(message, tuple) else message, context)
        text = known.string if known else ""
        if not (all(text) if isinstance(text, tuple) else text):
            missing.append(message)
    assert missing == [], f"{len(missing)} texts have no {language} translation: run `make messages` and fill them in"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_keeps_the_holes_that_are_filled_in(language: str) -> None:
    """A name that is lost would be lost on the page; one that is invented would break it."""
    catalogue = read_po(io.BytesIO((WEB / "locale" / language / "LC_MESSAGES" / "django.po").read_bytes()))
    wrong = []
    for message in catalogue:
        texts = message.string if isinstance(message.string, tuple) else (message.string,)
        holes = set(HOLES.findall(str(message.id[-1] if isinstance(message.id, tuple) else message.id)))
        if message.id and any(set(HOLES.findall(str(text))) - holes for text in texts):
            wrong.append(message.id)
        if message.id and not isinstance(message.id, tuple) and set(HOLES.findall(str(texts[0]))) != holes:
            wrong.append(message.id)
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_compiled_is_what_is_written(language: str) -> None:
    folder = WEB / "locale" / language / "LC_MESSAGES"
    made = io.BytesIO()
    write_mo(made, read_po(io.BytesIO((folder / "django.po").read_bytes())))
    compiled = read_mo(io.BytesIO((folder / "django.mo").read_bytes()))
    fresh = read_mo(io.BytesIO(made.getvalue()))
    assert [(str(m.id), str(m.string)) for m in compiled] == [(str(m.id), str(m.string)) for m in fresh], (
        "make messages"
    )


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(WEB).as_posix())
def test_no_template_says_anything_past_the_catalogue(path: Path) -> None:
    """What is left of a template without its tags, its variables and its markup holds no word of ours."""
    source = path.read_text("utf-8")
    source = re.sub(r"{%-?\s*(comment)\b.*?{%-?\s*endcomment\s*-?%}", "", source, flags=re.DOTALL)
    source = re.sub(r"{%\s*blocktrans(late)?\b.*?{%\s*endblocktrans(late)?\s*%}", "", source, flags=re.DOTALL)
    source = re.sub(r"{%\s*block body_class\s*%}\w*", "", source)
    source = re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}", "", source, flags=re.DOTALL)
    spoken = re.findall(r'\b(?:placeholder|title|aria-label|alt|data-confirm|data-copied)="([^"]*)"', source)
    text = re.sub(r"<(script|style|code|kbd|pre)\b.*?</\1>", "", source, flags=re.DOTALL)
    text = re.sub(r"<[^>]*>", " ", text, flags=re.DOTALL)
    found = [word for said in (text, *spoken) for word in re.findall(r"[^\W\d_]{2,}", said) if word not in OURS]
    assert found == []


def test_each_language_has_its_words_on_the_page(client_of: ClientOf) -> None:
    client = client_of("cleo")
    pages = {}
    for language in ("en", "fr", "ko"):
        client.post("/language/", {"language": language, "next": "/measures/"})
        pages[language] = client.get("/measures/win_rate/?by=quarter").content.decode()
        assert f'<html lang="{language}"' in pages[language]
    assert "Share of deals that were won" in pages["en"]
    assert "Share of deals that were won" not in pages["fr"] + pages["ko"]
    assert re.search(r"\d+,\d[\u00a0\u202f]%", pages["fr"]), "French writes 36,2 %"
    client.post("/language/", {"language": "en"})


def test_a_name_of_the_data_stays_as_it_is() -> None:
    with translation.override("fr"):
        assert words.value("paid_search") == "paid_search"
        assert words.value("expand", "stage") != "Expand"


def test_a_caution_is_said_in_the_readers_language(home: Path) -> None:
    sentence = "{n} facts name no {unit} and are left out: {some}."
    said = remark(sentence, {"unit": "account"}, n=5, some=("a", "b", "c"))
    assert said == "5 facts name no account and are left out: a, b, c and others."
    with translation.override("fr"):
        french = words.said(said)
    assert french != said
    assert "a, b, c" in french
    assert "5" in french
    assert desk.measures()
    assert known_measure("win_rate").means
    assert home.exists()
