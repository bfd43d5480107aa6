"""Collect every text that people read, bring the catalogues up to date and compile them. Run by `make messages`.

Texts come from four places: the Python of the desk (gettext), its templates, the registry and the vocabulary
(`plait.web.words`), and the sentences that the core says (calls of `Said` and its kin). A text that a language does not
have yet is written with an empty translation, and a test fails.
"""

from __future__ import annotations

import ast
import io
import os
import re
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
WEB = ROOT / "plait" / "web"
LOCALE = WEB / "locale"
LANGUAGES = ("fr", "ko")
CALLS = {
    "gettext": None, "gettext_noop": None, "gettext_lazy": None, "_": None, "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
}  # fmt: skip
SAYS = {"Said": 0, "wrong": 1, "UnreadableFile": 1}  # what says a sentence of the core, and which argument it is
Message = str | tuple[str, str]
Key = tuple[str | None, Message]  # a text and its context, where the same English has two meanings
HEALTH = ("good", "watch", "poor", "unknown")
TOLD_IN_AUDIT = (  # fields of people and roles that a change writes down
    "name", "email", "department", "roles", "outside", "partners", "language", "theme", "shortcuts", "title", "levels",
    "scopes", "ip", "active", "quantity", "files", "mapping", "reason",
)  # fmt: skip
WRITTEN = datetime(2026, 11, 25, tzinfo=UTC)


def collect() -> dict[Key, list[str]]:
    """Give every text (a pair where it has a plural) with its context and the places it comes from."""
    found: dict[Key, list[str]] = {}
    named = [*registry_texts(), *caution_texts(), *audit_texts(), *said_texts()]
    for place, key in [*python_texts(), *template_texts(), *((place, (None, text)) for place, text in named)]:
        found.setdefault(key, [])
        if place not in found[key]:
            found[key].append(place)
    return found


def python_texts() -> Iterator[tuple[str, Key]]:
    """Give the texts of gettext calls in the desk's Python."""
    from babel.messages.extract import extract

    for path in sorted(WEB.rglob("*.py")):
        with path.open("rb") as file:
            for _, message, _, context in extract("python", file, CALLS):  # type: ignore[arg-type]
                yield _place(path), (context, message)


def template_texts() -> Iterator[tuple[str, Key]]:
    """Give the texts of the desk's templates, as Django itself finds them."""
    from babel.messages.extract import extract
    from django.utils.translation.template import templatize

    for path in sorted([*WEB.rglob("templates/**/*.html"), *WEB.rglob("templates/**/*.txt")]):
        source = templatize(path.read_text("utf-8"), origin=str(path))
        calls = re.findall(
            r"\b(?:n?gettext|n?pgettext|_)\((?:u?'(?:[^'\\]|\\.)*'|u?\"(?:[^\"\\]|\\.)*\"|[\s,\w])*\)", source
        )
        text = "\n".join(call.replace("\n", "\\n") for call in calls)
        for _, message, _, context in extract("python", io.BytesIO(text.encode()), CALLS):  # type: ignore[arg-type]
            yield _place(path), (context, message)


def registry_texts() -> Iterator[tuple[str, Message]]:
    """Give the texts of measures, kinds and departments."""
    from plait.handoff.policy import read_policy
    from plait.measures import load_measures
    from plait.stages import shipped
    from plait.web import words
    from plait.web.board import all_boards
    from plait.web.people.personas import ROLES
    from plait.web.people.rights import AREAS, LEVELS

    load_measures()
    policy = read_policy(ROOT / "no-such-home")  # the shipped one
    for text in words.vocabulary():
        yield "plait/measures, plait/facts.py", text
    for seed in ROLES.values():
        yield "plait/web/people/personas.py", seed.title
    for titled in (*policy.types.values(), *policy.reasons.values()):
        yield "plait/handoff/shipped.toml", titled.title
    for name in (*shipped().order, *LEVELS, *AREAS, *TOLD_IN_AUDIT, *HEALTH):
        yield "plait/web", words.readable(name)
    for board in all_boards().values():
        for block in board.blocks:
            if block.title:
                yield f"plait/web/boards/{board.name}.py", words.readable(block.title)


def audit_texts() -> Iterator[tuple[str, Message]]:
    """Give the names of what people did, as the audit log shows them: the second argument of every `record(...)`."""
    from plait.web import words

    for path in sorted(WEB.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "record" and len(node.args) > 1:
                for action in ast.walk(node.args[1]):
                    if isinstance(action, ast.Constant) and isinstance(action.value, str):
                        yield _place(path), words.readable(action.value)
                for key in (key for word in node.keywords for key in ast.walk(word.value) if isinstance(key, ast.Dict)):
                    for name in key.keys:
                        if isinstance(name, ast.Constant) and isinstance(name.value, str):
                            yield _place(path), words.readable(name.value)


def said_texts() -> Iterator[tuple[str, Message]]:
    """Give the sentences that the core says: each is written where it is said, so that it is found here."""
    for path in sorted((ROOT / "plait").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                says = node.args[SAYS[name]] if name in SAYS and len(node.args) > SAYS[name] else None
                if isinstance(says, ast.Constant) and isinstance(says.value, str):
                    yield _place(path), says.value


def caution_texts() -> Iterator[tuple[str, Message]]:
    """Give the sentences of cautions: the texts in measures that count rows, and what is said inside them."""
    for path in sorted((ROOT / "plait" / "measures").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "{n}" in node.value:
                yield _place(path), node.value
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("apart", "_apart"):
                yield from ((_place(path), arg.value) for arg in node.args if isinstance(arg, ast.Constant))
    yield from (("plait/measures/_steps.py", word) for word in ("account", "person", "object", "steps"))


def update(language: str, found: dict[Key, list[str]]) -> int:
    """Bring a language's catalogue up to date, keep what it has, compile it; give how many texts it lacks."""
    from babel.messages.catalog import Catalog
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po, write_po

    folder = LOCALE / language / "LC_MESSAGES"
    folder.mkdir(parents=True, exist_ok=True)
    old = folder / "django.po"
    has = read_po(io.BytesIO(old.read_bytes()), locale=language) if old.exists() else Catalog(locale=language)
    made = Catalog(locale=language, project="plait", fuzzy=False, header_comment=f"# {language} texts of plait.")
    made.revision_date = made.creation_date = WRITTEN  # a catalogue changes with its texts only
    for (context, message), places in sorted(found.items(), key=lambda item: (str(item[0][1]), str(item[0][0]))):
        known = has.get(message[0] if isinstance(message, tuple) else message, context)
        locations = [(place, None) for place in places]
        made.add(message, known.string if known else None, locations=locations, context=context)
    with old.open("wb") as file:
        write_po(file, made, width=120, omit_header=False)
    with (folder / "django.mo").open("wb") as file:
        write_mo(file, made)
    return sum(not _whole(one.string) for one in made if one.id)


def _whole(text: str | Iterable[str] | None) -> bool:
    return bool(text) if isinstance(text, str) or text is None else all(text)


def _place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def main() -> None:
    """Update every language and say what is missing."""
    import tempfile

    from plait.web import boot

    boot.configure(Path(os.environ.get("PLAIT_HOME", tempfile.mkdtemp())), local=True)
    found = collect()
    for language in LANGUAGES:
        print(f"{language}: {len(found)} texts, {update(language, found)} without translation")  # noqa: T201


if __name__ == "__main__":
    main()
