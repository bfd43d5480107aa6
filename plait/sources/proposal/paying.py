"""Paying: the facts that files about money give - orders, invoices, payments, refunds, subscriptions, spend."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from plait.failure import Said
from plait.sources.form import Condition, Value
from plait.sources.proposal.concern import keys_of, named, owner_of
from plait.sources.proposal.links import stem_tokens, words_of
from plait.sources.proposal.model import FileDraft
from plait.sources.proposal.reading import Conditions, Facts, Reading, column, flag, lookup, no, said
from plait.sources.proposal.vocabulary import concepts, is_outcome


def order(r: Reading) -> Facts:
    """Give an order."""
    return sale(r, "order.placed", Said("A customer ordered."), "created")


def invoice(r: Reading) -> Facts:
    """Give an invoice."""
    return sale(r, "invoice.issued", Said("We invoiced a customer."), "created")


def sale(r: Reading, kind: str, says: str, *times: str, conditions: Conditions = ()) -> Facts:
    """Give money that a customer owes or paid."""
    status = r.draft.of("status")
    void = (
        [v for v in status.profile.choices if any(is_outcome(v, m) for m in ("cancelled", "failed", "draft"))]
        if status
        else []
    )
    if void and status and not conditions:
        conditions = (Condition(status.profile.name, tuple(void), negated=True),)
    return r.fact(
        kind,
        r.row(""),
        r.time(*times, "created"),
        says,
        keys_of(r),
        {
            "object_id": r.value("id") or r.row(""),
            "amount": r.amount(),
            "owner": owner_of(r),
            "product": named(r, "product"),
            "channel": r.channel(),
            "campaign": named(r, "campaign"),
            "text": r.number() or r.value("text"),
        },
        conditions=conditions,
    )


def payment(r: Reading) -> Facts:
    """Give a payment, where the status does not say otherwise."""
    paid = r.where("paid") if r.draft.of("status") else None
    captured = flag(r.draft, "captured", "paid")
    if captured is not None:
        paid = (*(paid or ()), Condition(captured.profile.name, no(captured), negated=True))
    return sale(r, "payment.received", Said("A customer paid."), "paid_at", "created", conditions=paid or ())


def refund(r: Reading) -> Facts:
    """Give money paid back; a dispute counts where it was lost."""
    paid = r.where("paid") or r.where("refunded") or r.where("lost") or ()
    made: Facts = []
    for fact, says in sale(r, "payment.refunded", Said("We paid money back."), "paid_at", "created", conditions=paid):
        fields = dict(fact.fields)
        for role, name in (("payment", "object_id"), ("reason", "text")):
            if (value := r.value(role)) is not None:
                fields[name] = value
        made.append((replace(fact, fields=fields), says))
    return made


def subscription(r: Reading) -> Facts:
    """Give a trial, the beginning of a contract and its end."""
    mine, keys, made = r.value("id") or r.row(""), keys_of(r), []
    for role, kind, says in (
        ("trial_start", "trial.started", Said("A trial began.")), ("trial_end", "trial.ended", Said("A trial ended.")),
    ):  # fmt: skip
        if r.name(role):
            made += r.fact(kind, r.row(role), r.time(role), says, keys, {"object_id": mine}, conditions=r.present(role))
    if r.amount() is not None:
        says = Said("A contract began; the amount is taken as what it pays a month.")
        made += r.fact(
            "subscription.started",
            r.row("started"),
            r.time("created"),
            says,
            keys,
            {"object_id": mine, "amount": r.amount(), "product": named(r, "product")},
        )
    ended = next((role for role in ("cancelled", "closed") if r.name(role)), None)
    if ended is not None and (r.amount() is not None or not made):
        made += r.fact(
            "subscription.ended",
            r.row("ended"),
            r.time(ended),
            Said("A contract ended."),
            keys,
            {"object_id": mine},
            conditions=r.present(ended),
        )
    return made


def spend(r: Reading) -> Facts:
    """Give money spent on advertising."""
    if r.amount() is None:
        return []
    cost = r.name("amount") or ""
    channel = r.channel() or said(r.answers.get(f"channel:{r.draft.profile.name}") or r.source)
    return r.fact(
        "spend.paid",
        r.row(""),
        r.time("created"),
        Said("Money was spent on advertising."),
        (),
        {"amount": r.amount(), "channel": channel, "campaign": _campaign(r), "partner": r.value("partner")},
        conditions=(Condition(cost, above=Decimal(0)),),  # a day without cost is no spend
    )


def _campaign(r: Reading) -> Value | None:
    """Give the campaign, by name: in figures of campaigns a plain `id` is that of the campaign."""
    if "id" not in r.draft.columns or r.name("id") == "id" or not _of_campaigns(r.draft):
        return named(r, "campaign")
    cell = column("id")
    for other in r.files.values():
        name = next((c for c in other.columns if words_of(c) == ("name",)), None)
        if other is not r.draft and _of_campaigns(other) and name and "id" in other.columns:
            return Value(cell, lookup=lookup(other, "id", name), otherwise=cell)
    return Value(cell)


def _of_campaigns(draft: FileDraft) -> bool:
    return any("campaign" in concepts(word) for word in stem_tokens(draft.profile.name))
