"""Words: names of the registry and the vocabulary as people read them, in their language.

The English text is the key of the catalogue: `win_rate` reads "Win rate" until a language says otherwise.
A test walks the registry and the vocabulary and fails on a text that a language does not have.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext

from plait.facts import DEPARTMENTS, KINDS, STAGES
from plait.measure import Measure, Remark, registry

SPELT = {
    "it": "IT", "hr": "HR", "nps": "NPS", "csat": "CSAT", "csv": "CSV", "crm": "CRM", "sql": "SQL", "mql": "MQL",
    "sal": "SAL", "ga4": "GA4", "id": "ID", "kaplan": "Kaplan-Meier", "ip": "IP",
}  # fmt: skip


def readable(name: str) -> str:
    """Give a name as English words: `win_rate` is "Win rate", `lead.mql` "Lead MQL"."""
    words = [SPELT.get(word, word) for word in name.replace(".", " ").replace("_", " ").split() if word != "meier"]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


def label(name: object) -> str:
    """Give a name of a measure, column, unit, kind, stage or department in the reader's language."""
    return gettext(readable(str(name)))


def value(text: object, unit: str = "text") -> str:
    """Give a value of a table's text column: words of ours are translated, names from the data stay as they are."""
    said = str(text)
    if unit == "stage" or said in OWN_VALUES:
        return label(said) if said not in PARENTHESES else gettext(said)
    return said


HEALTHS = ("poor", "watch", "good", "unknown")
PARENTHESES = ("(unknown)", "(new)")
OWN_VALUES = frozenset((*PARENTHESES, *STAGES, *KINDS, "all", "forward", "back", "nps", "csat", "review", *HEALTHS))


def paragraphs(measure: Measure) -> list[str]:
    """Give a measure's definition in the reader's language, paragraph by paragraph."""
    return [gettext(text) for text in english_paragraphs(measure)]


def english_paragraphs(measure: Measure) -> list[str]:
    """Give a measure's definition as it is written, each paragraph on one line."""
    return [" ".join(part.split()) for part in measure.means.split("\n\n")]


def remark(text: str) -> str:
    """Give a caution in the reader's language."""
    if not isinstance(text, Remark):
        return gettext(text)
    some = ", ".join(text.some) + (gettext(" and others") if text.n > len(text.some) else "")
    names = {name: gettext(said) for name, said in text.names.items()}
    return gettext(text.says).format(n=text.n, some=some, **names)


def vocabulary() -> Iterator[str]:
    """Give every English text that the catalogue needs because the registry or the vocabulary holds it."""
    for measure in registry.values():
        yield readable(measure.name)
        yield from english_paragraphs(measure)
        yield from (readable(name) for name in (*measure.columns, *measure.columns.values(), *measure.options))
        yield from (readable(choice) for option in measure.options.values() for choice in option.choices)
        yield readable(measure.grain)
    for kind in KINDS.values():
        yield from (readable(kind.name), kind.means, readable(kind.stage))
        if kind.quantity:
            yield readable(kind.quantity)
    yield from map(readable, DEPARTMENTS)
    yield from PARENTHESES
    yield from (readable(text) for text in OWN_VALUES if text not in PARENTHESES)
