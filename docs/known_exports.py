"""Write docs/exports.md: which exports plait knows, how each is told, and what becomes of its columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from plait.sources.form import HOME, Column, Condition, FactMapping, FileMapping, Value
from plait.sources.known import systems
from plait.store import SAME

HERE = Path(__file__).parent
INTRO = """# Known exports: loaded without a mapping

Generated from `plait/sources/known/` by `make docs`.

`plait load FOLDER` reads the files of a folder that are exports of the systems below, whatever they are called, packed
or not, in any encoding; `plait check FOLDER` says beforehand what it would do. A file is told by the columns of its
header, in capitals or not: it may have more of them, and lack any that is not named under "told by", which leaves what
it says unknown.
Files that are none of these are listed as not read; for them there is the [mapping](mapping.md).

* **Put the tables of one export into one folder.** They look each other up: who opened a ticket, which company a deal
  is of, which stage is won. Without the other table that stays unknown.
* **Load as often as you like.** What is known already is skipped; a later export adds what has happened since. A record
  that has changed meanwhile (another name, another amount) is no conflict: where the change matters it is a fact of its
  own.
* **Times of synced tables are UTC.** Lists that people download carry no zone: they are read in the zone of the home
  (`plait load --zone`). Amounts without a currency are in that of the home (`--currency`).
* **No euro twice.** Where several tables tell the same money, one of them gives the facts and the others say so. Load
  either the synced tables of a system or its downloaded lists, not both.
"""
TITLES = {
    "ad_reporting": "Ad reporting", "cj": "CJ", "facebook_ads": "Facebook Ads", "ga4": "Google Analytics 4",
    "google_ads": "Google Ads", "hubspot": "HubSpot", "linkedin_ads": "LinkedIn Ads", "zoho": "Zoho CRM",
}  # fmt: skip
NEEDED = ("kind", "id", "occurred_at")


def page() -> str:
    """Give docs/exports.md."""
    parts = [INTRO]
    for system in systems():
        source = system.files[0].source
        parts.append(f"## {TITLES.get(source, source.capitalize())}\n\n{system.about}\n")
        telling = [file for file in system.files if file.facts]
        silent = [file for file in system.files if not file.facts]
        parts += ["\n".join(_shape(file)) + "\n" for file in telling]
        if silent:
            rows = "\n".join(f"| {_name(file)} | {file.about} | {_told(file)} |" for file in silent)
            parts.append(f"Read without giving facts:\n\n| what | why | told by |\n|---|---|---|\n{rows}\n")
    return "\n".join(parts)


def _name(file: FileMapping) -> str:
    return file.shape.replace("_", " ")


def _told(file: FileMapping) -> str:
    named = f", in a file named {' or '.join(f'`{name}`' for name in file.patterns)}" if file.patterns else ""
    return ", ".join(f"`{name}`" for name in file.columns) + named


def _shape(file: FileMapping) -> Iterator[str]:
    yield f"### {_name(file)}"
    yield ""
    zone = " Times are in the zone of the home." if file.timezone == HOME else ""
    yield f"{file.about}{zone} Told by {_told(file)}."
    yield ""
    yield "| fact | where | from |"
    yield "|---|---|---|"
    lets = dict(file.let)
    rows = (f"| {_kinds(fact)} | {_where(fact, lets)} | {_from(fact, lets)} |" for fact in file.facts)
    yield from dict.fromkeys(rows)  # each part of a text that holds several says the same


def _kinds(fact: FactMapping) -> str:
    kind = fact.fields["kind"]
    return ", ".join(f"`{name}`" for name in dict.fromkeys(code for _, code in kind.map)) or f"`{kind.template[0]}`"


def _where(fact: FactMapping, lets: Mapping[str, Value]) -> str:
    return "; ".join(_condition(one, lets) for one in fact.when) or "always"


def _condition(one: Condition, lets: Mapping[str, Value]) -> str:
    column = _text(lets[one.column], lets) if one.column in lets else f"`{one.column}`"
    if one.present is not None:
        return f"{column} is {'filled in' if one.present else 'empty'}"
    if one.above is not None:
        return f"{column} is above {one.above}"
    if one.below is not None:
        return f"{column} is below {one.below}"
    values = [value.lower() if value.lower() in ("true", "false") else value for value in one.values]
    return f"{column} is {'not ' if one.negated else ''}{' or '.join(dict.fromkeys(values))}"


def _from(fact: FactMapping, lets: Mapping[str, Value]) -> str:
    said = [f"day: {_text(fact.fields['occurred_at'], lets)}"]
    said += [
        f"{name.replace('_id', '')}: {_text(value, lets)}" for name, value in fact.fields.items() if name not in NEEDED
    ]
    said += [f"{name}: {_text(value, lets)}" for name, value in fact.keys]
    said += [f"{name}: {_text(value, lets)}" for name, value in fact.detail if name != SAME]
    return "; ".join(said).replace("|", "\\|")


def _text(value: Value, lets: Mapping[str, Value]) -> str:
    """Say where a value comes from: columns, what other tables say of them, what stands in when they are empty."""
    base = f"{'a part of ' if value.split else ''}{_parts(value.template, lets)}"
    if value.lookup:
        base = f"`{value.lookup.value}` of {value.lookup.name.replace('_', ' ')} {base}"
    reckoned = [("less", value.less), ("times", value.times), ("per", value.per)]
    base += "".join(f" {word} {_parts(template, lets)}" for word, templates in reckoned for template in templates)
    return f"{base}, else {_parts(value.otherwise, lets)}" if value.otherwise else base


def _parts(template: tuple[Column | str, ...], lets: Mapping[str, Value]) -> str:
    said = [_column(part, lets) if isinstance(part, Column) else part.strip() for part in template]
    return " ".join(part for part in said if part)


def _column(part: Column, lets: Mapping[str, Value]) -> str:
    if part.name == "@row":
        return "the row"
    return (
        _text(lets[part.name], {name: v for name, v in lets.items() if name != part.name})
        if part.name in lets
        else f"`{part.name}`"
    )


def write() -> None:
    """Write the page."""
    (HERE / "exports.md").write_text(page(), "utf-8")
