"""Writing: a proposal as the TOML of a mapping, with comments that say why each choice was made and how sure it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from textwrap import wrap

from plait.failure import Said
from plait.sources.form import Column, Condition, FactMapping, FileMapping, Lookup, Template, Value
from plait.sources.proposal.model import ENTITIES, LISTS, NOTHING, ROLES, Draft, FileDraft, Question
from plait.store import SAME

WIDTH = 118
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ORDER = (
    "object_id", "keys", "amount", "currency", "quantity", "channel", "campaign", "partner", "product", "owner", "text",
    "detail",
)  # fmt: skip


def toml_of(draft: Draft) -> str:
    """Write the mapping of a proposal."""
    blocks = ["\n".join(_top(draft))]
    blocks += ["\n".join(_file(file)) for file in draft.files if file.mapping is not None]
    left = [file for file in draft.files if file.mapping is None]
    if left or draft.unreadable:
        blocks.append("\n".join(_left(left, draft.unreadable)))
    return "\n\n".join(blocks) + "\n"


def open_questions(draft: Draft) -> list[Question]:
    """Give the questions that nobody has answered."""
    return [question for question in draft.questions if question.key not in draft.answers]


def _top(draft: Draft) -> Iterator[str]:
    yield from _comment(Said("Proposed by `plait map` from names, types and values. Read it, correct it, keep it."))
    for question in open_questions(draft):
        yield from _comment(
            Said("OPEN: {asks} {because}. Taken: {answer}.", asks=question.asks, because=_capital(question.because),
                 answer=dict(question.options).get(question.default) or question.default or "-")
        )  # fmt: skip
    yield f"source   = {_text(draft.source)}"
    yield f"timezone = {_text(draft.timezone)}"
    yield f"currency = {_text(draft.currency)}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _comment(text: str) -> list[str]:
    lines = [line for part in text.splitlines() or [""] for line in wrap(part, WIDTH, break_long_words=False) or [""]]
    return [f"# {_printable(line)}".rstrip() for line in lines]


def _printable(text: str) -> str:
    """Take out what may not stand in a comment."""
    return "".join(char if char.isprintable() else " " for char in text)


def _file(file: FileDraft) -> Iterator[str]:
    mapping = file.mapping
    assert mapping is not None  # noqa: S101 - as its only caller has looked
    said = Said("{file}: {entity}, {sure}: {why}.", file=file.profile.name, entity=ENTITIES[file.entity],
                sure=file.sure, why=file.why)  # fmt: skip
    yield from _comment(said)
    if file.like:
        yield from _comment(Said("The same columns have: {files}.", files=", ".join(file.like)))
    if not file.profile.whole:
        yield from _comment(Said("Only its first {n:,} rows were looked at.", n=file.profile.rows))
    for note in file.notes:
        yield from _comment(_capital(f"{note}."))
    for column in file.columns.values():
        if column.role and column.role != NOTHING:
            yield from _comment(
                Said("  {column}: {role}, {sure} ({why})", column=column.profile.name, role=ROLES[column.role],
                     sure=column.sure, why=column.why)
            )  # fmt: skip
    yield "[[file]]"
    yield from _settings(mapping)
    if mapping.let:
        yield ""
        yield "[file.let]"
        for name, value in mapping.let:
            yield f"{_key(name)} = {_value(value)}"
    for fact, says in file.facts:
        yield ""
        yield from _comment(says)
        yield from _fact(fact)


def _settings(mapping: FileMapping) -> Iterator[str]:
    if mapping.shape:
        yield f"shape   = {_text(mapping.shape)}"
    yield f"about   = {_text(mapping.about)}"
    if mapping.patterns:
        yield f"pattern = {_texts(mapping.patterns)}"
    if mapping.columns:
        yield f"columns = {_texts(mapping.columns)}"
    for name in ("timezone", "currency", "sheet", "comment", "escape"):
        if (given := getattr(mapping, name)) is not None:
            yield f"{name} = {_text(given)}"
    if mapping.nulls:
        yield f"nulls   = {_texts(mapping.nulls)}"
    if mapping.skip:
        yield f"skip = {mapping.skip}"
    if mapping.decimal != ".":
        yield f"decimal = {_text(mapping.decimal)}"


def _fact(fact: FactMapping) -> Iterator[str]:
    yield "[[file.fact]]"
    if fact.when:
        yield f"when        = {_conditions(fact.when)}"
    for name in ("kind", "id", "occurred_at"):
        yield f"{name:<11} = {_value(fact.fields[name])}"
        if name == "id" and (same := dict(fact.detail).get(SAME)) is not None:
            yield f"same        = {_value(same)}"
    for name in _ORDER:
        if name in fact.fields:
            yield f"{name:<11} = {_value(fact.fields[name])}"
        elif name in ("keys", "detail"):
            some = [(key, value) for key, value in (fact.keys if name == "keys" else fact.detail) if key != SAME]
            if some:
                yield f"{name:<11} = {_table((key, _value(value)) for key, value in some)}"


def _left(files: Sequence[FileDraft], unreadable: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield from _comment(Said("Not read:"))
    for file in files:
        why = file.notes[-1] if file.notes and file.entity not in LISTS else file.why
        yield from _comment(
            Said("  {file}: {entity}, {why}", file=file.profile.name, entity=ENTITIES[file.entity], why=why)
        )
    for _name, why in unreadable:
        yield from _comment(f"  {why}")


# -- values


def _conditions(conditions: Sequence[Condition]) -> str:
    """Write conditions; two of one column are of different sorts and stand in one table."""
    written: dict[str, str | list[str]] = {}
    for one in conditions:
        if one.above is not None:
            written[one.column] = f"{{ above = {one.above} }}"
            continue
        if one.present is None and not one.negated:
            written[one.column] = _texts(one.values)
            continue
        if isinstance(written.get(one.column), str):
            continue  # a value that is stated says more than one that is not
        part = f"not = {_texts(one.values)}" if one.negated else f"present = {str(one.present).lower()}"
        parts = written.setdefault(one.column, [])
        assert isinstance(parts, list)  # noqa: S101 - as looked at above
        if part not in parts:
            parts.append(part)
    return _table(
        (name, test if isinstance(test, str) else f"{{ {', '.join(test)} }}") for name, test in written.items()
    )


def _value(value: Value) -> str:
    if value == Value(value.template):
        return _text(_template(value.template))
    parts = [("from", _text(_template(value.template)))]
    if value.map:
        parts.append(("map", _table((old, _text(new)) for old, new in value.map)))
    if value.only:
        parts.append(("only", "true"))
    if value.lookup:
        parts.append(("lookup", _lookup(value.lookup)))
    if value.formats:
        parts.append(("format", _texts(value.formats)))
    if value.timezone:
        parts.append(("timezone", _text(value.timezone)))
    if value.unit != "major":
        parts.append(("unit", _text(value.unit)))
    if value.signs:
        parts.append(("sign", _texts(value.signs)))
    if value.less:
        parts.append(("less", _texts([_template(one) for one in value.less])))
    if value.decimal:
        parts.append(("decimal", _text(value.decimal)))
    if value.otherwise is not None:
        parts.append(("else", _text(_template(value.otherwise))))
    return _table(parts)


def _lookup(lookup: Lookup) -> str:
    where = ("shape", lookup.shape) if lookup.shape else ("file", lookup.file)
    parts = [(name, _text(text)) for name, text in (where, ("key", lookup.key), ("value", lookup.value))]
    return _table([*parts, *([("first", "true")] if lookup.first else [])])


def _template(template: Template) -> str:
    return "".join(
        f"{{{part.name}}}" if isinstance(part, Column) else part.replace("{", "{{").replace("}", "}}")
        for part in template
    )


def _table(parts: object) -> str:
    inner = ", ".join(f"{_key(name)} = {written}" for name, written in parts)  # type: ignore[attr-defined]
    return f"{{ {inner} }}"


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _texts(texts: Sequence[str]) -> str:
    return _text(texts[0]) if len(texts) == 1 else f"[{', '.join(map(_text, texts))}]"


def _text(text: str) -> str:
    """Quote a text for TOML: JSON's escapes are TOML's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
