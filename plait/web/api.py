"""The API: measures, stories, sources and loads for programs, under the rights of the person whose token they carry.

Every number is the one of the pages and the command line: all ask the same `Results` and are written by `report`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from typing import Annotated, Any, cast

import simplejson
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils.translation import gettext
from ninja import NinjaAPI, Path, Query, Schema
from ninja.errors import AuthenticationError, ValidationError
from ninja.security import HttpBearer

from plait import __version__, desk, report
from plait.facts import KINDS, Kind
from plait.failure import Misused, Unfit
from plait.measure import Measure, UnknownMeasure, known_measure
from plait.timeline import UnknownAccount
from plait.web import described, words
from plait.web.access import SCOPES, Reader, reader_of
from plait.web.people.models import User
from plait.web.reader import answer, ask_of, results
from plait.web.results import Ask
from plait.web.state import RESERVED, BadState, day_of

log = logging.getLogger(__name__)
FORMATS = ("json", "csv")
OWN = frozenset({"as_of", "currency", "definition", "format"})  # what an address says beside a measure's options
MOST = 1_000  # of a list in one answer
Limit = Annotated[int, Query(ge=1, le=MOST, description=f"How many at most, up to {MOST}.")]
Offset = Annotated[int, Query(ge=0, le=10**9, description="How many to leave out before the first.")]
AsOf = Annotated[str, Query(description="Only what had happened before this day began; without it all that is known.")]
Name = Annotated[str, Path(description="Id, domain, CRM id or the exact name.")]
View = Callable[..., HttpResponseBase]


class Fault(Schema):
    """What went wrong: `code` for programs; `message` says what happened, what is allowed and what to do next."""

    code: str
    message: str


class Faulty(Schema):
    """Every answer that is no success has this shape."""

    error: Fault


class ColumnOut(Schema):
    """A column of an answer and the unit of its cells."""

    name: str
    unit: str


class OptionOut(Schema):
    """An option of a measure: what it may be, and what it is when nobody says."""

    name: str
    type: str
    choices: list[str]
    least: int | None
    most: int | None
    optional: bool
    default: str | int | float | bool | list[str] | None
    allowed: str


class MeasureOut(Schema):
    """A question with its definition."""

    name: str
    owner: str
    grain: str
    version: int
    sort: str
    signers: list[str]
    parent: str
    means: str
    origin: str
    columns: list[ColumnOut]
    options: list[OptionOut]


class KindOut(Schema):
    """Something that can happen."""

    name: str
    means: str
    owner: str
    stage: str
    quantity: str


class LoadOut(Schema):
    """One loaded file. `rows = accepted + refused`; `added` and `known` count facts.

    The live events of a source and a day (UTC) are one, such as inbox/2026-01-31.
    """

    source: str
    file: str
    loaded_at: datetime
    rows: int
    accepted: int
    refused: int
    without_fact: int
    added: int
    known: int


class LoadsOut(Schema):
    """Some of the loaded files, and how many there are."""

    count: int
    loads: list[LoadOut]


class Bearer(HttpBearer):
    """A token in the header `Authorization: Bearer ...`."""

    def authenticate(self, request: HttpRequest, token: str) -> Reader:
        """Give who reads with a token; one that does not work is refused even in a browser where somebody is in."""
        reader = reader_of(token)
        if reader is None:
            raise AuthenticationError
        request.user = reader.user
        return reader


def in_browser(request: HttpRequest) -> Reader | None:
    """Give who reads in a browser in which they are logged in."""
    return Reader(request.user) if isinstance(request.user, User) and request.user.is_active else None


api = NinjaAPI(
    title="plait",
    version=__version__,
    description="Measures, stories, sources, loads and hand-offs. Each operation says which scope a token needs.",
    docs_url=None,
    openapi_url=None,
    auth=[Bearer(), in_browser],
    urls_namespace="api",
)
WRITES: set[str] = set()  # the operations that change something, by the names of their addresses; they take POST
FAULTY: dict[int, Any] = dict.fromkeys((400, 401, 403, 404), Faulty)


def reader(request: HttpRequest) -> Reader:
    """Give who reads."""
    return cast("Reader", request.auth)  # type: ignore[attr-defined]


def defined(measure: Measure) -> MeasureOut:
    """Give a measure's definition as programs read it."""
    options = [
        OptionOut(
            name=o.name, type=described.TYPES[o.type], choices=list(o.choices), optional=o.optional,
            least=o.bounds.least if o.bounds else None, most=o.bounds.most if o.bounds else None,
            default=described.plain(o.default), allowed=o.allowed(),
        )
        for o in measure.options.values()
    ]  # fmt: skip
    return MeasureOut(
        name=measure.name, owner=measure.owner, grain=measure.grain, version=measure.version, means=measure.means,
        sort=measure.sort, signers=list(measure.signers), parent=measure.parent, origin=measure.origin,
        columns=[ColumnOut(name=n, unit=u) for n, u in measure.columns.items()], options=options,
    )  # fmt: skip


@api.get("/measures", response={200: list[MeasureOut], **FAULTY}, tags=["numbers"], url_name="measures")
def measures(request: HttpRequest) -> list[MeasureOut]:
    """List every measure with its definition, columns and options."""
    reader(request).permit("numbers")
    return [defined(one) for one in sorted(desk.measures().values(), key=lambda one: one.name)]


@api.get("/measures/{name}", response={200: MeasureOut, **FAULTY}, tags=["numbers"], url_name="measure")
def measure(request: HttpRequest, name: str) -> MeasureOut:
    """Give one measure's definition."""
    reader(request).permit("numbers")
    return defined(known_measure(name))


def _table(request: HttpRequest, name: str) -> HttpResponse:
    """Answer a measure as the command line and the pages do, in JSON or CSV."""
    user = reader(request).permit_measure(name)
    _check_query(request, set(desk.measures()[name].options) | OWN)
    form = request.GET.get("format", FORMATS[0])
    if form not in FORMATS:
        said = gettext("%(name)s cannot be %(value)r; allowed: %(allowed)s.")
        raise BadState(said % {"name": "format", "value": form, "allowed": ", ".join(FORMATS)})
    table = answer(ask_of(user, name, request.GET))
    if form == "csv":
        return HttpResponse(report.as_csv(table), content_type="text/csv; charset=utf-8")
    return HttpResponse(report.as_json(table), content_type="application/json")


def _check_query(request: HttpRequest, allowed: set[str]) -> None:
    """Refuse what a page's address may say and an answer would not heed, and what is said twice."""
    for name, said in request.GET.lists():
        if name in RESERVED - allowed:
            told = gettext("%(name)s is for pages; allowed here: %(allowed)s.")
            raise BadState(told % {"name": name, "allowed": ", ".join(sorted(allowed))})
        if len(said) > 1:
            told = gettext("%(name)s is given %(n)s times; give it once, several names with commas between.")
            raise BadState(told % {"name": name, "n": len(said)})


def _operation_of(name: str) -> Callable[[HttpRequest], HttpResponse]:
    def table(request: HttpRequest) -> HttpResponse:
        return _table(request, name)

    return table


for known in desk.measures().values():
    api.get(
        f"/measures/{known.name}/table", response=FAULTY, tags=["numbers"], operation_id=f"{known.name}_table",
        url_name=f"table-{known.name}", summary=known.name, description=known.means,
        openapi_extra=described.table_of(known),
    )(_operation_of(known.name))  # fmt: skip
api.get("/measures/{name}/table", response=FAULTY, include_in_schema=False, url_name="table")(_table)


@api.get("/kinds", response={200: list[KindOut], **FAULTY}, tags=["numbers"], url_name="kinds")
def kinds(request: HttpRequest) -> list[Kind]:
    """List every kind of fact: the vocabulary in which departments tell what happened."""
    reader(request).permit("numbers")
    return list(KINDS.values())


@api.get("/stories/{account}", response=FAULTY, tags=["customers"], url_name="story")
def story(
    request: HttpRequest, account: Name, as_of: AsOf = "", limit: Limit = 200, offset: Offset = 0
) -> HttpResponse:
    """Tell what happened with an account (id, domain, CRM id or name), the oldest first, from all departments."""
    user = reader(request).permit("customers")
    _check_query(request, {"as_of", "limit", "offset"})
    return HttpResponse(
        simplejson.dumps(told(user, account, as_of=as_of, limit=limit, offset=offset), use_decimal=True, indent=2),
        content_type="application/json",
    )


def told(user: User, account: str, *, as_of: str, limit: int, offset: int = 0) -> dict[str, object]:
    """Tell an account's story as programs read it, from the facts that a person may see."""
    now = datetime.now(UTC)  # noqa: TID251 - the desk is an edge where the clock is read
    day = day_of("as_of", as_of) if as_of else None
    found = desk.story(results().home, account, now=now, as_of=day, scope=user.scope())
    facts = [
        {name: _plain(value) for name, value in fact.items() if name not in ("bucket", "often")}
        for fact in found.facts[offset : offset + limit]
    ]
    names = [{"name": name, "value": value} for name, value in found.names]
    return {"account": found.account, "names": names, "count": len(found.facts), "facts": facts}


@api.get("/sources", response=FAULTY, tags=["data"], url_name="sources")
def sources(request: HttpRequest) -> HttpResponse:
    """Tell of each source how much it brought, how fresh it is and how much was refused (measure `source_health`)."""
    user = reader(request).permit("data")
    _check_query(request, set())
    table = answer(Ask.of("source_health", {}, scope=user.scope()))
    return HttpResponse(report.as_json(table), content_type="application/json")


@api.get("/loads", response={200: LoadsOut, **FAULTY}, tags=["data"], url_name="loads")
def loads(request: HttpRequest, limit: Limit = 200, offset: Offset = 0) -> LoadsOut:
    """List the loaded files with their counts, the newest first; people outside the firm are told of none."""
    user = reader(request).permit("data")
    _check_query(request, {"limit", "offset"})
    if user.outside:
        return LoadsOut(count=0, loads=[])
    found, count = desk.loads(results().home, limit=limit, offset=offset)
    told = [LoadOut(loaded_at=one.at.replace(tzinfo=UTC), **asdict(one)) for one in found]
    return LoadsOut(count=count, loads=told)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat() + "Z"  # facts are in naive UTC
    return value.isoformat() if hasattr(value, "isoformat") else value


# What went wrong, as HTTP says it, with the word for programs.
FAULTS: Mapping[type[Exception], tuple[HTTPStatus, str]] = {
    AuthenticationError: (HTTPStatus.UNAUTHORIZED, "not_authenticated"),
    PermissionDenied: (HTTPStatus.FORBIDDEN, "not_allowed"),
    Http404: (HTTPStatus.NOT_FOUND, "not_found"),
    UnknownMeasure: (HTTPStatus.NOT_FOUND, "not_found"),
    UnknownAccount: (HTTPStatus.NOT_FOUND, "not_found"),
    Misused: (HTTPStatus.BAD_REQUEST, "bad_request"),
    BadState: (HTTPStatus.BAD_REQUEST, "bad_request"),
    ValidationError: (HTTPStatus.BAD_REQUEST, "bad_request"),
    Unfit: (HTTPStatus.CONFLICT, "unfit"),
    Exception: (HTTPStatus.INTERNAL_SERVER_ERROR, "broken"),
}


def sentence(error: Exception) -> str:
    """Say what happened, what is allowed and what to do next."""
    if isinstance(error, AuthenticationError):
        return gettext("No token that works came with this; make one on the page My account, and send it as Bearer.")
    if isinstance(error, Http404):
        return gettext("There is nothing at this address, or it is not yours to see; /api/openapi.json lists what is.")
    if isinstance(error, ValidationError):
        return " ".join(f"{one['loc'][-1]}: {one['msg']}." for one in error.errors)
    if not isinstance(error, Misused | Unfit | BadState | PermissionDenied):
        return gettext("The fault is ours and has been written to the log; nothing was changed.")
    return words.failure(error) or gettext("You may not do this.")


def _refuse(request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:  # noqa: ARG001 - ninja's own shape
    shown = error() if isinstance(error, type) else error
    status, code = next(FAULTS[kind] for kind in type(shown).__mro__ if kind in FAULTS)
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("the API could not answer", exc_info=shown)
    return _fault(status, code, sentence(shown))


def _fault(status: HTTPStatus, code: str, message: str) -> HttpResponse:
    body = simplejson.dumps({"error": {"code": code, "message": message}}, ensure_ascii=False)
    response = HttpResponse(body, status=status, content_type="application/json")
    if status is HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = "Bearer"
    return response


for kind_of_fault in FAULTS:
    api.add_exception_handler(kind_of_fault, _refuse)


@api.get("/openapi.json", include_in_schema=False, url_name="openapi")
def openapi(request: HttpRequest) -> dict[str, Any]:
    """Describe every operation to whoever may use one of them."""
    may_use(reader(request))
    return described_api()


def may_use(who: Reader) -> None:
    """Go on only when somebody may see at least one of the areas that the API is about."""
    refused: list[Exception] = []
    for scope in SCOPES:
        try:
            who.permit(scope)
        except (PermissionDenied, Http404) as error:
            refused.append(error)
        else:
            return
    raise refused[0]


@cache
def described_api() -> dict[str, Any]:
    """Give the description of the API (OpenAPI); it is made once, for nobody changes it while the desk runs."""
    return dict(api.get_openapi_schema(path_prefix="api/"))


@login_not_required
def nothing(request: HttpRequest, rest: str = "") -> HttpResponse:  # noqa: ARG001 - Django's own shape
    """Say to a program that there is nothing at an address."""
    return _refuse(request, Http404)


def _through(view: View, method: str) -> View:
    """Let a request through to the API's own way of knowing people; an address answers one method only."""

    def answered(request: HttpRequest, **named: object) -> HttpResponseBase:
        if request.method != method:
            said = gettext("The API only reads; use GET."), gettext("This address changes something; use POST.")
            reads = method == "GET"
            return _fault(HTTPStatus.METHOD_NOT_ALLOWED, "only_reading" if reads else "only_writing", said[not reads])
        return view(request, **named)

    answered.csrf_exempt = True  # type: ignore[attr-defined]
    return cast("View", login_not_required(answered))


def addresses() -> list[URLPattern]:
    """Give the addresses of the API; whatever else lies below it is answered in its own shape."""
    patterns, *_names = api.urls
    mounted = [one for one in patterns if isinstance(one, URLPattern) and one.name != "api-root"]
    told = [
        path(str(one.pattern), _through(one.callback, "POST" if one.name in WRITES else "GET"), name=f"api-{one.name}")
        for one in mounted
    ]
    return [*told, path("<path:rest>", nothing, name="api-nothing")]
