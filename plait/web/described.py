"""Described: what the API's description (OpenAPI) says of a measure, read from its signature and its columns."""

from __future__ import annotations

from datetime import date
from typing import get_args

from plait.measure import DATE_UNITS, FLOAT_UNITS, MONEY_UNIT, TEXT_UNITS, Measure, Option, State

Described = dict[str, object]
TYPES = {int: "integer", float: "number", str: "string", bool: "boolean", date: "string", tuple: "array"}
SHARED: tuple[Described, ...] = (
    {
        "name": "as_of", "in": "query", "schema": {"type": "string", "format": "date"},
        "description": "Only what had happened before this day began; without it all that is known.",
    },
    {
        "name": "currency", "in": "query", "schema": {"type": "string", "pattern": "^[A-Z]{3}$"},
        "description": "The currency to report in, as its code of ISO 4217; without it the firm's own.",
    },
    {
        "name": "definition", "in": "query", "schema": {"type": "integer", "minimum": 0},
        "description": "The number of a definition that the firm has signed; without it the one that held at as_of.",
    },
    {
        "name": "format", "in": "query", "schema": {"type": "string", "enum": ["json", "csv"], "default": "json"},
        "description": "JSON with definition and query, or the rows alone as CSV.",
    },
)  # fmt: skip


def table_of(measure: Measure) -> Described:
    """Describe the address that answers a measure: its options as parameters, its columns as what comes back."""
    return {
        "parameters": [*map(_parameter, measure.options.values()), *SHARED],
        "responses": {
            200: {
                "description": f"One row for each {measure.grain}.",
                "content": {
                    "application/json": {"schema": _answer(measure)},
                    "text/csv": {"schema": {"type": "string"}},
                },
            }
        },
    }


def plain(value: object) -> str | int | float | bool | list[str] | None:
    """Give an option's value as JSON holds it."""
    if isinstance(value, tuple):
        return [str(one) for one in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _parameter(option: Option) -> Described:
    schema = _option(option)
    if option.optional:
        schema = {"anyOf": [schema, {"const": "none"}]}
    schema["default"] = "none" if option.default is None else plain(option.default)
    described: Described = {
        "name": option.name, "in": "query", "description": f"{option.allowed()}.", "schema": schema,
    }  # fmt: skip
    return described | ({"style": "form", "explode": False} if option.type is tuple else {})


def _option(option: Option) -> Described:
    schema: Described = {"type": TYPES[option.type]}
    if option.choices:
        schema["enum"] = list(option.choices)
    if option.bounds:
        schema |= {"minimum": option.bounds.least, "maximum": option.bounds.most}
    if option.type is date:
        schema["format"] = "date"
    if option.type is tuple:
        schema["items"] = {"type": "string"}
    return schema


def _answer(measure: Measure) -> Described:
    """Describe the JSON of `plait.report.as_json`."""
    cells = {name: _cell(unit) for name, unit in measure.columns.items()}
    text, number = {"type": "string"}, {"type": "integer"}
    properties: Described = {
        "measure": {"const": measure.name},
        "version": number,
        "definition": _definition(),
        "as_of": {"type": "string", "format": "date-time"},
        "facts_version": number,
        "options": {"type": "object"},
        "columns": {"type": "array", "items": {"type": "object", "properties": {"name": text, "unit": text}}},
        "rows": {"type": "array", "items": {"type": "object", "properties": cells, "required": list(cells)}},
        "sql": text,
        "estimates": text,
        "warnings": {"type": "array", "items": text},
        "took": {"type": "number"},
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


def _definition() -> Described:
    """Describe which definition of the firm's an answer is by, and which departments have signed it."""
    text: Described = {"type": "string"}
    signed: Described = {"department": text, "on": {"type": "string", "format": "date"}}
    properties: Described = {
        "version": {"type": "integer"},
        "state": {"type": "string", "enum": list(get_args(State))},
        "signed_by": {"type": "array", "items": {"type": "object", "properties": signed}},
        "departs": {"type": "array", "items": text},
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


def _cell(unit: str) -> Described:
    if unit in TEXT_UNITS or unit in DATE_UNITS:
        kind: Described = {"type": ["string", "null"]}
        return kind | ({"format": "date", "description": unit} if unit in DATE_UNITS else {"description": unit})
    if unit in FLOAT_UNITS or unit == MONEY_UNIT:
        return {"type": ["number", "null"], "description": unit}
    return {"type": ["integer", "null"], "description": unit}
