"""Recipes: the facts that the rows of each sort of file give, made from the roles of its columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from plait.failure import Said
from plait.sources.form import Column, Condition, Template, Value
from plait.sources.proposal.concern import keys_of, named, owner_of
from plait.sources.proposal.links import words_of
from plait.sources.proposal.paying import invoice, order, payment, refund, spend, subscription
from plait.sources.proposal.reaching import form, message, survey, web
from plait.sources.proposal.reading import FIVE, Conditions, Facts, Reading, column, lookup
from plait.sources.proposal.vocabulary import is_outcome, meaning


def contact(r: Reading) -> Facts:
    """Give the entry of a person; colleagues in the same list give nothing."""
    staff = [c for c in r.draft.columns.values() if any(is_outcome(v, "staff") for v in c.profile.choices)]
    roles = next((c for c in staff if meaning(c.profile.name) & {"list", "type"}), None)
    ours = [v for v in roles.profile.choices if is_outcome(v, "staff")] if roles else []
    mixed = roles is not None and len(ours) < len(roles.profile.choices)
    conditions = (Condition(roles.profile.name, tuple(ours), negated=True),) if mixed and roles else ()
    return r.fact(
        "contact.created",
        r.row(""),
        r.time("created"),
        Said("A person was entered."),
        keys_of(r, f"person.{r.source}"),
        {"object_id": r.value("id"), "text": r.person_name(), "owner": owner_of(r), "channel": r.channel()},
        conditions=conditions,
        detail={"company": r.value("company_name")},
    )


def company(r: Reading) -> Facts:
    """Give the entry of a company."""
    return r.fact(
        "account.created",
        r.row(""),
        r.time("created"),
        Said("A company was entered."),
        keys_of(r, f"account.{r.source}"),
        {
            "object_id": r.value("id"),
            "owner": owner_of(r),
            "channel": r.channel(),
            "text": r.value("name") or r.value("company_name") or r.value("text") or r.value("id"),
        },
    )


def lead(r: Reading) -> Facts:
    """Give a possible buyer, recorded and taken over; ids of leads and of contacts are not the same."""
    keys, mine = keys_of(r, f"person.{r.source}_lead"), r.value("id")
    shared: dict[str, Value | None] = {
        "object_id": mine,
        "owner": owner_of(r),
        "channel": r.channel(),
        "campaign": named(r, "campaign"),
    }
    words = {*words_of(r.draft.profile.name), *words_of(r.draft.shape)}
    qualified = bool(words & {"mql", "mqls", "qualified", "qualifiziert", "qualifie", "cualificado"})
    made = r.fact(
        "lead.mql" if qualified else "lead.created",
        r.row(""),
        r.time("created"),
        Said("A possible buyer was recorded."),
        keys,
        shared | {"text": r.person_name()},
        detail={"company": r.value("company_name")},
    )
    if (converted := r.time("converted")) is not None:
        made += r.fact(
            "lead.sql",
            r.row("converted"),
            converted,
            Said("Sales took it over as a deal."),
            keys,
            shared,
            conditions=r.present("converted"),
        )
    return made


def deal(r: Reading) -> Facts:
    """Give a deal: opened, and won or lost."""
    keys = keys_of(r)
    shared: dict[str, Value | None] = {
        "object_id": r.value("id") or r.row(""), "amount": r.amount(), "owner": owner_of(r),
        "product": named(r, "product"), "channel": r.channel(), "campaign": named(r, "campaign"),
    }  # fmt: skip
    step = {"step": r.value("status")}
    won_on = r.draft.of("closed") if not r.draft.of("status") else None
    if won_on is not None and "won" in meaning(won_on.profile.name):  # a list of deals that were won
        return r.fact(
            "deal.won",
            r.row("won"),
            r.time("closed"),
            Said("It was won."),
            keys,
            {**shared, "text": r.value("name")},
            conditions=r.present("closed"),
        )
    made = r.fact(
        "deal.opened",
        r.row("opened"),
        r.time("created", "closed"),
        Said("A deal was opened."),
        keys,
        shared | {"text": r.value("name")},
        detail=step,
    )
    outcomes = (("won", "deal.won", Said("It was won."), "name"), ("lost", "deal.lost", Said("It was lost."), "reason"))
    for meant, kind, says, text in outcomes:
        conditions = r.outcome(meant)
        if conditions is not None:
            conditions += r.present("closed")
            made += r.fact(
                kind,
                r.row(meant),
                r.time("closed", "updated", "created"),
                says,
                keys,
                shared | {"text": r.value(text)},
                conditions=conditions,
                detail=step,
            )
    return made


def ticket(r: Reading) -> Facts:
    """Give a request for help, its answer, and how satisfied somebody was."""
    keys, mine, owner = keys_of(r), r.value("id") or r.row(""), owner_of(r)
    made = r.fact(
        "ticket.opened",
        r.row("opened"),
        r.time("created"),
        Said("Somebody asked for help."),
        keys,
        {"object_id": mine, "owner": owner, "text": r.value("name") or r.value("text")},
        detail={"via": r.channel()},
    )
    ended = r.present("resolved") or r.where("resolved")
    if ended is not None:
        ended = (*ended, *(_untold(r) if r.name("resolved") is None else ()))
        made += r.fact(
            "ticket.resolved",
            r.row("resolved"),
            r.time("resolved", "updated"),
            Said("It was answered for good."),
            keys,
            {"object_id": mine, "owner": owner},
            conditions=ended,
        )
    if (score := r.draft.of("score")) is not None and 0 < (score.profile.high or 9) <= FIVE:
        made += r.fact(
            "csat.answered",
            r.row("stars"),
            r.time("resolved", "updated", "created"),
            Said("How satisfied they were."),
            keys,
            {"object_id": mine, "quantity": Value(column(score.profile.name))},
            conditions=r.present("score"),
        )
    return made


def _untold(r: Reading) -> Conditions:
    """Leave the end of a ticket to the history of its changes, where another file has that."""
    for other in r.files.values():
        field, about = other.of("field"), other.of("ticket")
        steps = field and any(meaning(v) & {"status"} for v in field.profile.choices)
        if other.entity == "history" and about and steps and r.name("id"):
            key = about.profile.name
            told = r.let("the_history", Value(column(r.name("id") or ""), lookup=lookup(other, key, key)))
            return tuple(Condition(part.name, present=False) for part in told if isinstance(part, Column))
    return ()


def meeting(r: Reading) -> Facts:
    """Give a meeting, unless it was cancelled."""
    void = r.where("cancelled")
    conditions = (replace(void[0], negated=True),) if void else ()
    return r.fact(
        "meeting.held",
        r.row(""),
        r.time_or("start", "created"),
        Said("We met somebody."),
        keys_of(r),
        {"object_id": r.value("id"), "text": r.value("name") or r.value("text"), "owner": owner_of(r)},
        conditions=conditions,
    )


def task(r: Reading) -> Facts:
    """Give a step as planned, and as done."""
    mine, keys = r.value("id") or r.row(""), keys_of(r)
    text, owner = r.value("name") or r.value("text"), owner_of(r)
    made = r.fact(
        "step.planned",
        r.row("planned"),
        r.time("created"),
        Said("A step was planned."),
        keys,
        {"object_id": mine, "text": text, "owner": owner},
    )
    ended = next((role for role in ("resolved", "closed") if r.name(role)), None)
    if ended is not None:
        made += r.fact(
            "step.done",
            r.row("done"),
            r.time(ended),
            Said("It was done."),
            keys,
            {"object_id": mine, "text": text, "owner": owner},
            conditions=r.present(ended),
        )
    return made


def history(r: Reading) -> Facts:
    """Give the steps of a deal or a ticket, which may have been resolved."""
    value, field, when = r.draft.of("value"), r.draft.of("field"), r.time("created", "updated")
    kind, target = next(
        ((k, v) for role, k in (("deal", "deal.changed"), ("ticket", "ticket.changed")) if (v := r.value(role))),
        ("", None),
    )
    if value is None or target is None or when is None:
        return []
    steps = [v for v in field.profile.choices if meaning(v) & {"status", "stage"}] if field else []
    if field is not None and not steps:
        return []
    about: Conditions = (Condition(field.profile.name, tuple(steps)),) if field else ()
    shared: dict[str, Value | None] = {"object_id": target, "owner": owner_of(r)}
    ends = [v for v in value.profile.choices if is_outcome(v, "resolved") and "close" not in v.lower()]
    gone = [v for v in value.profile.choices if is_outcome(v, "deleted")]
    keys, made = keys_of(r), []
    if kind == "ticket.changed" and ends:
        made = r.fact(
            "ticket.resolved",
            r.row("resolved"),
            when,
            Said("It was answered for good."),
            keys,
            shared,
            conditions=(*about, Condition(value.profile.name, tuple(ends))),
        )
    moved = [*about, Condition(value.profile.name, present=True)]
    if without := (*(ends if made else ()), *gone):
        moved.append(Condition(value.profile.name, without, negated=True))
    return made + r.fact(
        kind,
        r.row("changed"),
        when,
        Said("It moved on."),
        keys,
        shared | {"text": _step(r, column(value.profile.name))},
        conditions=tuple(moved),
    )


def _step(r: Reading, cell: Template) -> Value:
    """Give the step that something came to, by name where a list of steps tells it."""
    for role in ("deal", "ticket"):
        about = r.draft.of(role)
        other = r.files.get(about.link.file) if about and about.link else None
        status = other.of("status") if other else None
        steps = r.files.get(status.link.file) if status and status.link else None
        name = steps.of("name") if steps else None
        if status and status.link and steps and name:
            return Value(cell, lookup=lookup(steps, status.link.key, name.profile.name), otherwise=cell)
    return Value(cell)


RECIPES: Mapping[str, Callable[[Reading], Facts]] = {
    "contact": contact, "company": company, "deal": deal, "lead": lead, "ticket": ticket, "order": order,
    "invoice": invoice, "payment": payment, "refund": refund, "subscription": subscription, "message": message,
    "web": web, "spend": spend, "survey": survey, "form": form, "meeting": meeting, "task": task, "history": history,
}  # fmt: skip


def facts_of(r: Reading) -> Facts:
    """Give the facts of a file, each with what it says, for people."""
    return RECIPES[r.draft.entity](r) if r.draft.entity in RECIPES else []
