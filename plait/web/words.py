"""Words: names of the registry and the vocabulary as people read them, in their language.

The English text is the key of the catalogue: `win_rate` reads "Win rate" until a language says otherwise.
A test walks the registry and the vocabulary and fails on a text that a language does not have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import zip_longest

from django.utils.translation import gettext

from plait.facts import DEPARTMENTS, KINDS, STAGES
from plait.failure import Said
from plait.handoff.policy import TARGETS, shipped_text
from plait.handoff.reading import read_terms
from plait.handoff.state import STATES
from plait.measure import Measure, registry
from plait.sources import rules
from plait.sources.contract import drift
from plait.sources.contract import form as contract
from plait.sources.pull.description import systems
from plait.stages import shipped

SPELT = {
    "it": "IT", "hr": "HR", "nps": "NPS", "csat": "CSAT", "csv": "CSV", "crm": "CRM", "sql": "SQL", "mql": "MQL",
    "sal": "SAL", "ga4": "GA4", "id": "ID", "kaplan": "Kaplan-Meier", "ip": "IP", "roi": "ROI",
    "bg-nbd": "BG/NBD", "mbg-nbd": "MBG/NBD", "nbd": "NBD", "handoff": "hand-off",
    "handoffs": "hand-offs",
}  # fmt: skip

NAMED = {
    "event.other": "Other event",
    "markov-2": "Markov of order 2",
    "w": "W-shaped",
    "last_non_direct": "Last but direct",
    "mean_days": "Days on average",
    "value": "Worth",
    "lost_in_handoff": "Lost in a hand-off",
    "yearly_percent": "Cost of money, % a year",
    "mean_touches": "Touches on average",
}  # names that do not read well word by word


def readable(name: str) -> str:
    """Give a name as English words: `win_rate` is "Win rate", `lead.mql` "Lead MQL"."""
    if name in NAMED:
        return NAMED[name]
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
        return label(said) if said not in AS_THEY_ARE else gettext(said)
    return said


CRACKS = ("no_owner", "no_next_step", "stalled", "lost_in_handoff")
AGREED = (
    "money", "count", "proxy", "proposed", "half-signed", "signed", "superseded", "withdrawn", "open", "reached",
    "missed", "unknown",
)  # fmt: skip
HEALTHS = ("poor", "watch", "good", "unknown")
HOLE = re.compile(r"{\w+[^}]*}")
AS_WRITTEN = re.compile(r"![rsa]}")  # of a stored text: the value stands in it as it was written
AS_THEY_ARE = (
    "(unknown)", "(new)", "(no touch)", "(would have come anyway)", "(own sales)", "(none)", "(others)",
    "0 days", "1-7 days", "8-30 days", "31-90 days", "91-180 days", "over 180 days", "over 10",
    "with a failure", "alike, without a failure", "published: up to", "open deals", "a month",
    "validated", "not validated: fewer than 24 months", "not validated: chance would explain it too",
    "a person", "a person set it", *(way.name for _, way in shipped().alternatives),
)  # fmt: skip
SCORED = ("yes", "no", "fit", "engagement", "point", "group cap", "weak", "person cap", "other persons")
OWN_VALUES = frozenset(
    (
        *AS_THEY_ARE, *STAGES, *KINDS, *DEPARTMENTS, *HEALTHS, *CRACKS, *TARGETS, *SCORED,
        "all", "forward", "back", "loop", "rule", "nps", "csat", "review",
    )
)  # fmt: skip


def paragraphs(measure: Measure) -> list[str]:
    """Give a measure's definition in the reader's language, paragraph by paragraph."""
    return [gettext(text) for text in english_paragraphs(measure)]


def english_paragraphs(measure: Measure) -> list[str]:
    """Give a measure's definition as it is written, each paragraph on one line."""
    return [" ".join(part.split()) for part in measure.means.split("\n\n")]


def said(text: object) -> str:
    """Give a sentence of the core in the reader's language; what is no such sentence stays as it is."""
    if not isinstance(text, Said):
        return str(text)
    values = {name: said(value) if isinstance(value, Said) else value for name, value in text.values.items()}
    return gettext(text.says).format(**values) if text.says else ""


def failure(error: BaseException) -> str:
    """Give what an error says in the reader's language."""
    return said(error.args[0]) if error.args else ""


def rule(text: str) -> str:
    """Give a stored rule or next step in the reader's language: it is kept in English, its pattern is found again."""
    for pattern, shape in _patterns():
        found = shape.fullmatch(text)
        if found:
            values = {name: rule(value) if name in rules.NESTED else value for name, value in found.groupdict().items()}
            return AS_WRITTEN.sub("}", gettext(pattern)).format(**values)
    return text


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """Give the patterns of rules and next steps with their shape, what says most first."""
    known = sorted({*rules.patterns()}, key=lambda text: -len(HOLE.sub("", text)))
    return [(text, _shape(text)) for text in known]


def _shape(pattern: str) -> re.Pattern[str]:
    fixed = [re.escape(part) for part in HOLE.split(pattern)]
    names = [f"(?P<{hole}>.*)" for hole in re.findall(r"{(\w+)[^}]*}", pattern)]
    return re.compile("".join(part for pair in zip_longest(fixed, names, fillvalue="") for part in pair), re.DOTALL)


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
    yield from map(readable, AGREED)
    yield from rules.patterns()
    yield from (*contract.texts(), *drift.texts())
    yield from AS_THEY_ARE
    yield from hand_off_words()
    yield from connection_words()
    yield from (stage.title for stage in shipped().stages)
    yield from (signal.title for signal in shipped().signals)
    yield from (readable(text) for text in OWN_VALUES if text not in AS_THEY_ARE)


def connection_words() -> Iterator[str]:
    """Give the English texts that the descriptions of systems show to people."""
    for system in systems().values():
        yield system.about
        yield from (setting.title for setting in system.setting)
        yield from (resource.title for resource in system.resource)
        yield from (login.title for login in system.login)
        yield from (title for login in system.login for title in login.secrets.values())


def hand_off_words() -> Iterator[str]:
    """Give the English texts that the policy of hand-offs that plait comes with shows to people."""
    terms = read_terms(shipped_text(), "UTC")
    for one in terms.types.values():
        yield from (one.title, *map(readable, one.required))
    yield from (reason.title for reason in terms.reasons.values())
    yield from map(readable, (*STATES, *TARGETS))
