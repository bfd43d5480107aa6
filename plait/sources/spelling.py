"""Spelling: files that write the names of their columns another way, as warehouses do that know capitals only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from plait.sources.form import Column, Condition, FactMapping, FileMapping, Template, Value


def fits(shape: FileMapping, names: Iterable[str]) -> bool:
    """Tell whether a file has all columns that tell a shape, however it writes them."""
    return {name.casefold() for name in names}.issuperset(name.casefold() for name in shape.columns)


def spelled(shape: FileMapping, names: Iterable[str]) -> FileMapping:
    """Give the shape with its columns written as the file writes them; one that the file writes likewise stays."""
    own = {name.casefold(): name for name in sorted(names)}
    wanted = {*shape.columns, *shape.named()} - {*own.values()}
    other = {name: own[name.casefold()] for name in wanted if name.casefold() in own}
    if not other:
        return shape
    return replace(
        shape,
        columns=tuple(other.get(name, name) for name in shape.columns),
        let=tuple((name, _value(value, other)) for name, value in shape.let),
        facts=tuple(_fact(fact, other) for fact in shape.facts),
        own=tuple(own.values()),
    )


def own_name(shape: FileMapping, name: str) -> str:
    """Give the name of a column as a file of the shape writes it."""
    return next((own for own in shape.own if own.casefold() == name.casefold()), name)


def _fact(fact: FactMapping, other: Mapping[str, str]) -> FactMapping:
    return FactMapping(
        fields={name: _value(value, other) for name, value in fact.fields.items()},
        keys=tuple((name, _value(value, other)) for name, value in fact.keys),
        detail=tuple((name, _value(value, other)) for name, value in fact.detail),
        when=tuple(_condition(one, other) for one in fact.when),
    )


def _condition(one: Condition, other: Mapping[str, str]) -> Condition:
    return replace(one, column=other.get(one.column, one.column))


def _value(value: Value, other: Mapping[str, str]) -> Value:
    def written(templates: tuple[Template, ...]) -> tuple[Template, ...]:
        return tuple(_template(template, other) for template in templates)

    return replace(
        value,
        template=_template(value.template, other),
        otherwise=None if value.otherwise is None else _template(value.otherwise, other),
        less=written(value.less),
        times=written(value.times),
        per=written(value.per),
    )


def _template(template: Template, other: Mapping[str, str]) -> Template:
    return tuple(Column(other.get(part.name, part.name)) if isinstance(part, Column) else part for part in template)
