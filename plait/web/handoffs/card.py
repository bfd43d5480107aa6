"""The context card: what the next owner must know about an account, read from its line of time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import cast

from django.utils.translation import gettext

from plait.measure import Cell
from plait.measures._journeys import OWN_TOUCH, TOUCHES
from plait.web import formats, words

Told = Mapping[str, object]
Facts = Sequence[Told]
SHOWN = 5  # touches, tickets, promises
USED_DAYS = 30
DEALS = ("deal.opened", "deal.changed")
READ = (
    *TOUCHES, OWN_TOUCH, *DEALS, "deal.won", "deal.lost", "contact.created", "person.identified", "ticket.opened",
    "ticket.resolved", "step.planned", "step.done", "message.unsubscribed", "product.used", "subscription.started",
    "subscription.changed", "lead.mql",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the card: the day, and what it says."""

    day: date
    text: str


@dataclass(frozen=True, slots=True)
class Worth:
    """What is at stake with an account: the amount of its open deals, or the reason why nobody can say."""

    amount: Decimal | None = None
    currency: str | None = None
    because: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """What the line of time says to the next owner."""

    touches: Sequence[Line]
    tickets: Sequence[Line]
    promised: Sequence[Line]
    consent: str
    objects: bool  # somebody asked for no more messages
    worth: Worth


def card_of(facts: Facts) -> Card:
    """Read the card from an account's facts, in the order of time."""
    touches = [fact for fact in facts if fact["kind"] in TOUCHES or fact["kind"] == OWN_TOUCH]
    stopped = [fact for fact in facts if fact["kind"] == "message.unsubscribed"]
    if stopped:
        said = gettext("Somebody there asked for no more messages on %(day)s.") % {
            "day": formats.day(_day(stopped[-1]))
        }
    else:
        said = gettext("Nobody there asked for no more messages.")
    return Card(
        [_line(fact) for fact in reversed(touches[-SHOWN:])], [_line(fact) for fact in _open_tickets(facts)[:SHOWN]],
        [_line(fact) for fact in _promised(facts)[:SHOWN]], said, bool(stopped), worth_of(facts),
    )  # fmt: skip


def worth_of(facts: Facts) -> Worth:
    """Add up what the open deals of an account are hoped to bring; in several currencies nobody can say."""
    deals: dict[str, Told] = {}
    for fact in facts:
        number = str(fact["object_id"])
        if fact["kind"] in DEALS:
            kept = deals.get(number)
            deals[number] = fact if fact["amount"] is not None or kept is None else kept
        elif fact["kind"] in ("deal.won", "deal.lost"):
            deals.pop(number, None)
    known = [fact for fact in deals.values() if fact["amount"] is not None]
    currencies = {str(fact["currency"]) for fact in known}
    if not known:
        return Worth(because=gettext("no open deal with an amount is known"))
    if len(currencies) > 1:
        return Worth(
            because=gettext("its open deals are in %(currencies)s") % {"currencies": ", ".join(sorted(currencies))}
        )
    return Worth(sum((cast("Decimal", fact["amount"]) for fact in known), Decimal(0)), *currencies)


def filled(facts: Facts, wanted: Sequence[str], start: Told | None = None) -> dict[str, str]:
    """Fill in the fields of a card that the line of time knows; the others are for a person to say.

    `start` is the fact that is the reason for the hand-off.
    """
    known = {name: _FILLS[name](facts) for name in wanted if name in _FILLS}
    if start is not None:
        known["why_now"] = _said(start)
        known["partner"] = str(start["partner"] or "")
    return {name: text for name, text in known.items() if text and name in wanted}


def _line(fact: Told) -> Line:
    return Line(_day(fact), _said(fact))


def _day(fact: Told) -> date:
    return cast("date", fact["occurred_on"])


def _said(fact: Told) -> str:
    """Say a fact in one line: its kind and the words that it carries."""
    told = [str(fact[name]) for name in ("text", "campaign", "channel", "product") if fact[name]]
    return " · ".join((words.label(fact["kind"]), *told))[:200]


def _last(*kinds: str) -> Callable[[Facts], str]:
    def last(facts: Facts) -> str:
        found = next((fact for fact in reversed(facts) if fact["kind"] in kinds), None)
        return f"{_said(found)}, {formats.day(_day(found))}" if found else ""

    return last


def _contact(facts: Facts) -> str:
    named = [fact for fact in facts if fact["kind"] in ("contact.created", "person.identified") and fact["text"]]
    return str(named[-1]["text"]) if named else ""


def _need(facts: Facts) -> str:
    found = next((fact for fact in reversed(facts) if fact["kind"] == "form.submitted" and fact["text"]), None)
    return str(found["text"]) if found else ""


def _contract(facts: Facts) -> str:
    found = next((fact for fact in reversed(facts) if fact["kind"] in ("deal.won", "subscription.started")), None)
    if found is None:
        return ""
    amount = formats.shown(cast("Cell", found["amount"]), "money", str(found["currency"] or "") or None)
    return f"{_said(found)} · {amount}, {formats.day(_day(found))}"


def _usage(facts: Facts) -> str:
    used = [fact for fact in facts if fact["kind"] == "product.used"]
    if not used:
        return ""
    last = cast("datetime", used[-1]["occurred_at"])
    lately = [fact for fact in used if cast("datetime", fact["occurred_at"]) > last - timedelta(days=USED_DAYS)]
    said = gettext("used %(n)s times in 30 days, last on %(day)s")
    return said % {"n": len(lately), "day": formats.day(_day(used[-1]))}


def _ticket(facts: Facts) -> str:
    tickets = _open_tickets(facts)
    return str(tickets[-1]["object_id"]) if tickets else ""


def _what_happened(facts: Facts) -> str:
    tickets = _open_tickets(facts)
    return str(tickets[-1]["text"] or "") if tickets else ""


def _promises(facts: Facts) -> str:
    return "; ".join(str(fact["text"]) for fact in _promised(facts) if fact["text"])


def _partner(facts: Facts) -> str:
    return next((str(fact["partner"]) for fact in reversed(facts) if fact["partner"]), "")


def _open_tickets(facts: Facts) -> list[Told]:
    return _still("ticket.opened", "ticket.resolved", facts)


def _promised(facts: Facts) -> list[Told]:
    return _still("step.planned", "step.done", facts)


def _still(opens: str, closes: str, facts: Facts) -> list[Told]:
    """Give what was opened and is not closed, the oldest first."""
    there: dict[object, Told] = {}
    for fact in facts:
        if fact["kind"] == opens:
            there[fact["object_id"]] = fact
        elif fact["kind"] == closes:
            there.pop(fact["object_id"], None)
    return list(there.values())


_FILLS: Mapping[str, Callable[[Facts], str]] = {
    "contact": _contact,
    "need": _need,
    "last_touch": _last(*TOUCHES, OWN_TOUCH),
    "why_now": _last("lead.mql", "form.submitted", "content.downloaded", "deal.won", "ticket.opened", "referral.made"),
    "contract": _contract,
    "usage": _usage,
    "ticket": _ticket,
    "what_happened": _what_happened,
    "promised": _promises,
    "partner": _partner,
}
