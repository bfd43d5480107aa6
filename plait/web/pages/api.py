"""The API's addresses, and the page that says how to use it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path
from django.utils.translation import gettext as _

from plait.web import api, handoff_api
from plait.web.access import SCOPES, Reader
from plait.web.reader import user_of
from plait.web.register import programs


def page(request: HttpRequest) -> HttpResponse:
    """Show each operation with its parameters and an example, as the API's own description states them."""
    api.may_use(Reader(user_of(request)))
    context = {
        "title": _("API"), "groups": _groups(), "scopes": [(name, _(says)) for name, says in SCOPES.items()],
        "example": request.build_absolute_uri("/api/measures/win_rate/table?by=quarter"),
    }  # fmt: skip
    return render(request, "pages/api.html", context)


def _groups() -> list[tuple[str, list[dict[str, object]]]]:
    """Give the operations by the scope that they need."""
    groups: dict[str, list[dict[str, object]]] = {scope: [] for scope in SCOPES}
    operations = [
        (address, method, told)
        for address, methods in api.described_api()["paths"].items()
        for method, told in methods.items()
    ]
    for address, method, told in operations:
        first = " ".join(told["description"].split("\n\n")[0].split())
        groups[told["tags"][0]].append(
            {"address": address if method == "get" else f"{method.upper()} {address}", "id": told["operationId"],
             "means": _(first), "parameters": [_parameter(one) for one in told["parameters"]]}
        )  # fmt: skip
    return list(groups.items())


def _parameter(told: dict[str, object]) -> dict[str, object]:
    schema = told["schema"]
    default = _written(schema.get("default")) if isinstance(schema, dict) else ""
    says = told.get("description", "")
    return {"name": told["name"], "says": says, "default": default, "needed": told.get("required")}


def _written(value: object) -> str:
    """Give a default as an address says it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)


assert handoff_api.SCOPE in SCOPES  # noqa: S101 - it has told its operations before the addresses are given
URLS = [
    path("api/", page, name="api"),
    path("api/measures/<slug:name>/sign", programs.sign, name="api-definition-sign"),
    path("api/", include(api.addresses())),
]
