"""Facts: what can happen between a firm and a customer, and what makes a record of it valid.

A `Fact` is one thing that happened at one instant, as one source tells it. Its `Kind` says what it means, which
department owns it, which lifecycle stage it belongs to and which fields it cannot do without. The vocabulary below is
closed: a kind that is not in it is refused on load with the nearest name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from difflib import get_close_matches

from plait.failure import Said

ATTRACT, CAPTURE, NURTURE, CONVERT, EXPAND = STAGES = ("attract", "capture", "nurture", "convert", "expand")
SPEND, FEEDBACK, WORK = "spend", "feedback", "work"  # beside the stages: money out, what customers say, our own acts

DEPARTMENTS = ("marketing", "sales", "service", "product", "finance", "it", "hr", "partners")

SOURCE_NAME = re.compile(r"[a-z][a-z0-9_]*")  # a partition folder: anything else reads differently on some engine
EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)  # the epoch itself is what an empty date becomes in careless exports


@dataclass(frozen=True, slots=True)
class Kind:
    """Something that can happen.

    `needs` names the fields of `Fact` that a fact of this kind cannot do without; `between` bounds `quantity`, both
    ends included; `quantity` says what `Fact.quantity` counts, empty where the kind has none.
    """

    name: str
    means: str
    owner: str
    stage: str
    needs: tuple[str, ...] = ()
    quantity: str = ""
    between: tuple[Decimal, Decimal] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that happened, as one source tells it.

    `(source, id)` is unique for ever: loading it twice adds nothing. `occurred_at` is when it happened, `recorded_at`
    when we knew; both are UTC. `keys` names whom it concerns (see `is_account_key`, `is_person_key`); `object_id` the
    deal, ticket, contract or order it is about. `amount` is money in the major unit of `currency` (ISO 4217) and
    positive: the kind tells the direction. `quantity` is any other number, its unit stated by the kind.
    """

    source: str
    id: str
    kind: str
    occurred_at: datetime
    recorded_at: datetime
    keys: Mapping[str, str] = field(default_factory=dict)
    object_id: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    quantity: Decimal | None = None
    channel: str | None = None
    campaign: str | None = None
    partner: str | None = None
    product: str | None = None
    owner: str | None = None
    text: str | None = None
    detail: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that is not a fact: where it stands, what is wrong with it and what to do next.

    `line` is the physical line in the file (1 is the first; a spreadsheet's row number for XLSX); `row` keeps the
    whole row as JSON, so that nothing is lost. `line` is None where the source has no lines.
    """

    source: str
    file: str
    line: int | None
    field: str
    value: str | None
    rule: str
    next_step: str
    row: str


def is_account_key(name: str) -> bool:
    """Tell whether a key names a company: `domain`, or `account.<system>` such as `account.crm`."""
    return name == "domain" or name.startswith("account.")


def is_person_key(name: str) -> bool:
    """Tell whether a key names a person: `email`, `phone`, `anonymous_id`, `user_id`, or `person.<system>`."""
    return name in PERSON_KEYS or name.startswith("person.")


PERSON_KEYS = ("email", "phone", "anonymous_id", "user_id")
STARS = (Decimal(1), Decimal(5))


def nearest(name: str, known: Mapping[str, object] | list[str]) -> str:
    """Give the sentence "did you mean 'x'? " for a misspelt name, or nothing when no known name is near."""
    near = get_close_matches(name, list(known), n=1)
    return Said("did you mean {near!r}? ", near=near[0]) if near else ""


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        # Attract
        Kind("visit.started", "Somebody began a visit to our site or app.", "marketing", ATTRACT),
        Kind("page.viewed", "Somebody saw a page of our site.", "marketing", ATTRACT),
        Kind("screen.viewed", "Somebody saw a screen of our app.", "product", ATTRACT),
        Kind("event.other", "A system sent an event that no mapping names yet; `text` is its name.", "it", ATTRACT),
        Kind("ad.clicked", "Somebody clicked an advertisement of ours.", "marketing", ATTRACT, ("channel",)),
        Kind("link.clicked", "Somebody followed a partner's tracked link.", "partners", ATTRACT, ("partner",)),
        Kind("subscriber.joined", "Somebody asked for our news and nothing more.", "marketing", ATTRACT),
        # Capture
        Kind("account.created", "A company was entered in a system; `text` is its name.", "sales", CAPTURE),
        Kind("contact.created", "A person was entered in a system; `text` is the name.", "sales", CAPTURE),
        Kind("person.identified", "Somebody told a system of ours who they are; `text` is the name.", "it", CAPTURE),
        Kind("account.grouped", "Somebody was seen as one of a company's people; `text` is its name.", "it", CAPTURE),
        Kind("form.submitted", "Somebody filled in a form.", "marketing", CAPTURE),
        Kind("content.downloaded", "Somebody took a paper, a recording or a price list.", "marketing", CAPTURE),
        Kind("event.attended", "Somebody came to a webinar, a fair or a seminar.", "marketing", CAPTURE),
        Kind("trial.started", "Somebody began to try the product.", "product", CAPTURE),
        Kind("trial.ended", "The time for trying the product was over.", "product", CAPTURE),
        Kind("referral.made", "A partner or a customer named a company to us.", "partners", CAPTURE),
        # Nurture
        Kind("message.sent", "We sent a message: mail, text or in the product.", "marketing", NURTURE),
        Kind("message.opened", "A message was opened; weak evidence, machines open too.", "marketing", NURTURE),
        Kind("message.clicked", "A link in a message was followed.", "marketing", NURTURE),
        Kind("message.unsubscribed", "Somebody asked for no more messages.", "marketing", NURTURE),
        Kind("lead.created", "A possible buyer was recorded.", "marketing", NURTURE),
        Kind("lead.mql", "Marketing offers a lead to sales: it meets the signed rule.", "marketing", NURTURE),
        Kind("lead.recycled", "Sales gave a lead back to marketing, `text` is the reason.", "sales", NURTURE),
        Kind("lead.disqualified", "A lead was closed for good, `text` is the reason.", "sales", NURTURE),
        # Convert
        Kind("lead.sal", "Sales accepted to work a lead.", "sales", CONVERT),
        Kind("lead.sql", "Sales qualified a lead as an opportunity.", "sales", CONVERT),
        Kind("meeting.held", "We met a possible buyer, in person or on a call.", "sales", CONVERT),
        Kind("deal.opened", "A deal was opened; the amount is what is hoped for.", "sales", CONVERT, ("object_id",)),
        Kind("deal.changed", "An open deal got a new amount, step or owner.", "sales", CONVERT, ("object_id",)),
        Kind("deal.won", "A deal was signed; the amount is what was agreed.", "sales", CONVERT, ("object_id",)),
        Kind("deal.lost", "A deal was lost, `text` is the reason.", "sales", CONVERT, ("object_id",)),
        # Expand
        Kind("subscription.started", "A contract began; the amount is what it pays a month, without tax.", "finance",
             EXPAND, ("object_id", "amount")),
        Kind("subscription.changed", "A contract changed; the amount is what it pays a month from now on.", "finance",
             EXPAND, ("object_id", "amount")),
        Kind("subscription.ended", "A contract ended: nothing is paid from here on.", "finance", EXPAND,
             ("object_id",)),
        Kind("order.placed", "A customer ordered; the amount is net of tax.", "sales", EXPAND, ("object_id", "amount")),
        Kind("invoice.issued", "We invoiced a customer; the amount is net of tax.", "finance", EXPAND,
             ("object_id", "amount")),
        Kind("payment.received", "A customer paid.", "finance", EXPAND, ("amount",)),
        Kind("payment.refunded", "We paid money back; the amount is positive.", "finance", EXPAND, ("amount",)),
        Kind("product.used", "Somebody used the product.", "product", EXPAND, (), "uses"),
        Kind("user.signed_in", "Somebody signed in to the product.", "product", EXPAND),
        Kind("user.signed_out", "Somebody signed out of the product.", "product", EXPAND),
        Kind("user.invited", "Somebody was invited to a company's workspace in the product.", "product", EXPAND),
        Kind("user.added", "Somebody was added to a company's workspace in the product.", "product", EXPAND),
        Kind("user.removed", "Somebody was removed from a company's workspace in the product.", "product", EXPAND),
        Kind("workspace.deleted", "A company's workspace in the product was deleted.", "product", EXPAND),
        Kind("ticket.opened", "A customer asked for help.", "service", EXPAND, ("object_id",)),
        Kind("ticket.resolved", "A request for help was answered for good.", "service", EXPAND, ("object_id",)),
        Kind("ticket.changed", "A request for help moved on; `text` is its new step.", "service", EXPAND,
             ("object_id", "text")),
        Kind("referral.given", "A customer spoke for us: a reference, a story, a name.", "marketing", EXPAND),
        # Feedback
        Kind("nps.answered", "How likely to recommend us, 0 to 10.", "service", FEEDBACK, ("quantity",), "points",
             (Decimal(0), Decimal(10))),
        Kind("csat.answered", "How satisfied with one contact, 1 to 5.", "service", FEEDBACK, ("quantity",),
             "points", STARS),
        Kind("review.posted", "A public review, 1 to 5 stars; `text` is what it says.", "marketing", FEEDBACK,
             ("quantity",), "stars", STARS),
        # Spend
        Kind("spend.paid", "Money spent to win or keep customers, by channel.", "marketing", SPEND,
             ("amount", "channel")),
        Kind("payout.paid", "Money paid to a partner.", "partners", SPEND, ("amount", "partner")),
        Kind("cost.booked", "Any other cost booked to customers: tools, people, support.", "finance", SPEND,
             ("amount",)),
        Kind("fx.rate", "One unit of the currency named in `object_id` costs `quantity` units of `currency`.", "finance"
             ,
             SPEND, ("object_id", "quantity", "currency"), "rate"),
        # Work: our own acts and means
        Kind("identity.linked", "A system said that two names are one person.", "it", WORK),
        Kind("stage.set", "A person corrected a lifecycle stage; `text` is the stage.", "marketing", WORK, ("text",)),
        Kind("owner.assigned", "Somebody became responsible for an account, in the stage in `text` or in all.", "sales",
             WORK, ("owner",)),
        Kind("step.planned", "The next step with an account was planned; `text` says what.", "sales", WORK,
             ("object_id",)),
        Kind("step.done", "A planned step was done.", "sales", WORK, ("object_id",)),
        *(Kind(f"handoff.{act}", means, owner, WORK, ("object_id",), quantity) for act, means, owner, quantity in (
            ("created", "A department offered an account to another; `text` is the type of hand-off.", "marketing", ""),
            ("assigned", "A hand-off got a receiver, who is in `owner`.", "marketing", "minutes since capture"),
            ("touched", "The receiver of a hand-off reached out in person.", "sales", "working minutes"),
            ("paused", "The clock of a hand-off was stopped, `text` is the reason.", "sales", ""),
            ("resumed", "The clock of a hand-off runs again.", "sales", ""),
            ("accepted", "The receiver took a hand-off.", "sales", "working minutes"),
            ("rejected", "The receiver refused a hand-off, `text` is the reason's code.", "sales", "working minutes"),
            ("expired", "Nobody answered a hand-off in time.", "sales", "working minutes"),
            ("escalated", "A share of the time to answer a hand-off was over; somebody was told.", "sales", "percent"),
        )),
        Kind("lifecycle.changed", "The rules of stages or hand-offs changed; `text` says which, to what.", "marketing",
             WORK, ("text",)),
        Kind("definition.proposed", "A change of a measure was proposed; `text` is the measure.", "finance", WORK,
             ("text",)),
        Kind("definition.signed", "A department signed a measure's definition; `text` is the measure.", "finance", WORK,
             ("text",)),
        Kind("offer.made", "We made an account an offer.", "marketing", WORK),
        Kind("initiative.started", "A joint project of departments began.", "it", WORK, ("object_id",)),
        Kind("initiative.delivered", "A joint project delivered.", "it", WORK, ("object_id",)),
        Kind("incident.opened", "A system of ours failed customers.", "it", WORK, ("object_id",)),
        Kind("incident.closed", "A failed system worked again.", "it", WORK, ("object_id",)),
        Kind("skill.assessed", "A colleague's skill was rated 1 to 5: `owner` has `text`.", "hr", WORK,
             ("owner", "text", "quantity"), "points", STARS),
    )
}  # fmt: skip


OFTEN = frozenset(
    (
        "visit.started", "page.viewed", "screen.viewed", "event.other", "ad.clicked", "message.sent", "message.opened",
        "message.clicked", "product.used", "user.signed_in", "user.signed_out",
    )
)  # fmt: skip
"""The kinds that machines write by the million; all others together are a small part of any firm's facts."""


CURRENCIES: dict[str, int] = {
    code: digits
    for digits, codes in (
        (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
        (2, "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD"),
        (2, "CDF CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP"),
        (2, "GMD GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD"),
        (2, "MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR"),
        (2, "PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP"),
        (2, "TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG ZWL"),
        (3, "BHD IQD JOD KWD LYD OMR TND"),
        (4, "CLF UYW"),
    )
    for code in codes.split()
}
"""ISO 4217: the codes in use, and those retired since 2015 that older exports still hold, with their minor digits."""

KEY_NAME = re.compile(r"domain|email|phone|anonymous_id|user_id|(account|person)\.[a-z0-9][a-z0-9_.-]*")
LONGEST_ID = 512  # bytes of UTF-8: an id is an index key on every engine


@dataclass(frozen=True, slots=True)
class FactRule:
    """A rule that every fact keeps, whichever door it comes through.

    `broken` is a DuckDB predicate, true where the rule is broken (null means kept), with the fields of a fact in
    braces; `name` says to people what is wrong, `next_step` what to do.
    """

    name: str
    field: str
    broken: str
    next_step: str

    def sql(self, columns: Mapping[str, str]) -> str:
        """Give the predicate with each field replaced by the SQL that stands for it."""
        return self.broken.format_map(columns)


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _needing(needed: str) -> FactRule:
    kinds = [kind.name for kind in KINDS.values() if needed in kind.needs]
    return FactRule(
        f"missing {needed}",
        needed,
        f"{{kind}} in ({_names(kinds)}) and {{{needed}}} is null",
        f"fill in {needed}, which a fact of this kind cannot do without",
    )


def _outside_bounds() -> str:
    cases = (
        f"when '{kind.name}' then {{quantity}} not between {kind.between[0]} and {kind.between[1]}"
        for kind in KINDS.values()
        if kind.between
    )
    return f"case {{kind}} {' '.join(cases)} end"


RULES: tuple[FactRule, ...] = (
    FactRule("source name", "source", f"not regexp_full_match({{source}}, '{SOURCE_NAME.pattern}')",
             "use lower case letters, digits and underscores, a letter first"),
    FactRule("missing id", "id", "{id} is null", "give every row an id that the source never uses again"),
    FactRule("id too long", "id", f"strlen({{id}}) > {LONGEST_ID}", f"shorten the id to {LONGEST_ID} bytes"),
    FactRule("missing kind", "kind", "{kind} is null", "name the kind of the fact"),
    FactRule("unknown kind", "kind", f"{{kind}} not in ({_names(KINDS)})", "use a kind of the vocabulary"),
    FactRule("missing occurred_at", "occurred_at", "{occurred_at} is null", "fill in when it happened"),
    *(_needing(needed) for needed in dict.fromkeys(name for kind in KINDS.values() for name in kind.needs)),
    FactRule("too early", "occurred_at", f"{{occurred_at}} < timestamp '{EARLIEST:%Y-%m-%d %H:%M:%S}'",
             "correct the date: careless exports write an empty date as 1970 or 1900"),
    FactRule("in the future of the load", "occurred_at", "{occurred_at} > {recorded_at}",
             "correct the date or the timezone, or load the file again once it has happened"),
    FactRule("amount without currency", "amount", "{amount} is not null and {currency} is null",
             "name the currency of the amount"),
    FactRule("unknown currency", "currency", f"{{currency}} not in ({_names(CURRENCIES)})", "use a code of ISO 4217"),
    FactRule("negative amount", "amount", "{amount} < 0",
             "give the amount without sign: the kind tells the direction (money back is payment.refunded)"),
    FactRule("quantity out of bounds", "quantity", _outside_bounds(),
             "correct the quantity: see the bounds of its kind"),
    FactRule("unknown key", "keys",
             f"len(list_filter(json_keys({{keys}}), lambda k: not regexp_full_match(k, '{KEY_NAME.pattern}'))) > 0",
             "use email, phone, anonymous_id, user_id, person.<system>, domain or account.<system>"),
)  # fmt: skip
"""In the order in which they are judged: a refused row names the first that it breaks."""
