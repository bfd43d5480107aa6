"""The reader: who asks, what they may see, and the answers they get. Every page's numbers come through here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import cast

from django.conf import settings
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext

from plait import desk
from plait.measure import Measure, Table, known_measure
from plait.web.people.models import User
from plait.web.people.rights import permit
from plait.web.results import Ask, Results
from plait.web.state import RESERVED, BadState, State, day_of, read_state


@cache
def results() -> Results:
    """Give the answers of the home that this process serves."""
    return Results(settings.HOME, lambda: datetime.now(UTC))  # noqa: TID251 - the desk is an edge where the clock is read


def user_of(request: HttpRequest) -> User:
    """Give the person who asks; pages are behind the login."""
    return cast("User", request.user)


def state_of(request: HttpRequest) -> State:
    """Read the page's state from its address."""
    query = {name: str(value) for name, value in request.GET.items()}
    as_of = day_of("as_of", query["as_of"]) if query.get("as_of") else None
    return read_state(query, first_day_not_seen(as_of), as_of=as_of)


def first_day_not_seen(as_of: date | None) -> date:
    """Give the day on which what is shown ends: the day asked for, or the first after all that is known."""
    home = results().timeline().settings
    if as_of is not None:
        return as_of
    now = datetime.now(UTC)  # noqa: TID251 - the desk is an edge where the clock is read
    return home.day(home.newest(now) + timedelta(microseconds=1))


def measure_for(user: User, name: str) -> Measure:
    """Load a measure that somebody may read."""
    permit(user, "numbers.see")
    desk.measures()
    measure = known_measure(name)
    if measure.names_customers:
        permit(user, "customers.see")
    return measure


def ask_of(user: User, name: str, query: QueryDict | Mapping[str, str]) -> Ask:
    """Read a question from an address: a measure's name, its options, and the moment and currency of a page."""
    measure = measure_for(user, name)
    given = {option: text for option, text in query.items() if option not in RESERVED and text != ""}
    as_of = day_of("as_of", str(query["as_of"])) if query.get("as_of") else None
    currency = str(query["currency"]) if query.get("currency") else None
    if currency is not None:
        read_state({"currency": currency}, date(2000, 1, 1), as_of=None)  # the same sentence as on a page
    number = _number_of(str(query.get("definition") or ""))
    return Ask.of(measure.name, given, as_of=as_of, currency=currency, scope=user.scope(), definition=number)


def _number_of(text: str) -> int | None:
    """Read the number of a definition from an address."""
    if text and not (text.isascii() and text.isdigit()):
        said = gettext("definition cannot be %(text)r; give its number, as the register lists it.")
        raise BadState(said % {"text": text})
    return int(text) if text else None


def answer(ask: Ask) -> Table:
    """Answer a question."""
    return results().table(ask)
