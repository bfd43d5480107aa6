"""Reaching: the facts that files about what reaches people give - messages, visits, forms, what they answer."""

from __future__ import annotations

from plait.failure import Said
from plait.sources.form import Condition, Value
from plait.sources.proposal.concern import keys_of, named, owner_of
from plait.sources.proposal.entity import is_filtered, message_kinds, web_kind
from plait.sources.proposal.links import words_of
from plait.sources.proposal.reading import FIVE, Conditions, Facts, Reading, column, said, yes
from plait.sources.proposal.vocabulary import meaning


def message(r: Reading) -> Facts:
    """Give what became of a message: sent, opened, clicked, unsubscribed."""
    kinds, which = message_type(r)
    when = r.time("created")
    if not kinds or when is None:
        return []
    conditions: Conditions = (Condition(which, tuple(kinds)),) if which else ()
    machine = next((c for c in r.draft.columns.values() if is_filtered(c.profile)), None)
    if machine is not None:
        conditions += (Condition(machine.profile.name, yes(machine), negated=True),)
    kind = Value(column(which), map=tuple(kinds.items())) if which else said(next(iter(kinds.values())))
    return r.fact(
        kind,
        r.row(""),
        when,
        Said("What became of a message."),
        keys_of(r),
        {
            "object_id": r.value("campaign"),
            "campaign": named(r, "campaign"),
            "channel": said("email"),
            "text": r.value("subject") or named(r, "campaign", by="subject"),
        },
        conditions=conditions,
    )


def message_type(r: Reading) -> tuple[dict[str, str], str]:
    """Give the kinds of messages that a column says; where none does, the one that the file's name says."""
    for found in r.draft.columns.values():
        if found.role in ("type", "status") and (kinds := message_kinds(found.profile.choices)):
            return kinds, found.profile.name
    return message_kinds([r.draft.profile.name.rpartition("/")[2].partition(".")[0]]), ""


def web(r: Reading) -> Facts:
    """Give what somebody did on a site or in an app."""
    kind, values = r.draft.of("type"), {}
    for value in kind.profile.choices if kind else ():
        known = web_kind(value)
        if known is not None:
            values[value] = known
    text = r.value("url") or r.value("name")
    shared: dict[str, Value | None] = {"channel": r.channel(), "campaign": named(r, "campaign")}
    when, keys, row = r.time("created"), keys_of(r), r.row("")
    if kind is None:
        page = "page.viewed" if r.name("url") else "visit.started"
        return r.fact(page, row, when, Said("Somebody saw a page."), keys, shared | {"text": text})
    made: Facts = []
    if values:
        told = Value(column(kind.profile.name), map=tuple(values.items()))
        made += r.fact(
            told,
            row,
            when,
            Said("What somebody did on a site."),
            keys,
            shared | {"text": text},
            conditions=(Condition(kind.profile.name, tuple(values)),),
        )
    other = (Condition(kind.profile.name, tuple(values), negated=True),) if values else ()
    return made + r.fact(
        "event.other",
        row,
        when,
        Said("Events that no kind names; their name is kept."),
        keys,
        shared | {"text": Value(column(kind.profile.name))},
        conditions=other,
    )


def survey(r: Reading) -> Facts:
    """Give the points or stars of a customer."""
    score = r.draft.of("score")
    if score is None:
        return []
    high = score.profile.high or 0
    review = r.draft.of("text") is not None and "survey" in meaning(score.profile.name) | meaning(r.draft.profile.name)
    points = "nps" in words_of(score.profile.name) or high > FIVE
    kind = "nps.answered" if points else "review.posted" if review else "csat.answered"
    return r.fact(
        kind,
        r.row(""),
        r.time("created", "updated"),
        Said("A customer gave points or stars."),
        keys_of(r),
        {
            "quantity": Value(column(score.profile.name)),
            "owner": owner_of(r),
            "text": r.value("text") or r.value("reason"),
            "product": named(r, "product"),
        },
        conditions=r.present("score"),
    )


def form(r: Reading) -> Facts:
    """Give a form filled in; a list of forms, in which nobody is named, gives nothing."""
    keys = keys_of(r)
    if not keys:
        return []
    return r.fact(
        "form.submitted",
        r.row(""),
        r.time("created"),
        Said("Somebody filled in a form."),
        keys,
        {
            "object_id": r.value("form"),
            "text": named(r, "form") if r.draft.of("form") else r.value("name"),
            "campaign": named(r, "campaign"),
            "channel": r.channel(),
        },
    )
