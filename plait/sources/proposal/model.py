"""Drafts: what is thought of each file and column, how sure that is and why, and what only people can tell."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from dataclasses import dataclass, field

from plait.failure import Said
from plait.sources.form import FactMapping, FileMapping, Value
from plait.sources.proposal.profile import ColumnProfile, FileProfile

SURE, LIKELY, GUESS = Said("sure"), Said("likely"), Said("a guess")

# What a file can be, in the words of departments; the first six are the ones met most.
ENTITIES: dict[str, str] = {
    "contact": Said("contacts"),
    "company": Said("companies"),
    "deal": Said("deals"),
    "lead": Said("leads"),
    "ticket": Said("tickets"),
    "order": Said("orders"),
    "invoice": Said("invoices"),
    "payment": Said("payments"),
    "refund": Said("refunds"),
    "subscription": Said("subscriptions"),
    "message": Said("events of messages"),
    "web": Said("events of a site or app"),
    "spend": Said("spend by day"),
    "survey": Said("answers of customers"),
    "form": Said("forms filled in"),
    "meeting": Said("meetings and calls"),
    "task": Said("tasks"),
    "history": Said("history of changes"),
    "join": Said("which belongs to which"),
    "list": Said("a list that values are looked up in"),
    "staff": Said("colleagues"),
    "unknown": Said("not known"),
}
LISTS = ("join", "list", "staff", "unknown")

NOTHING = "nothing"  # what people say of a column that is to become nothing

# What a column can become.
ROLES: dict[str, str] = {
    NOTHING: Said("nothing"),
    "id": Said("id of the row"),
    "created": Said("when it happened or was made"),
    "closed": Said("when it was closed"),
    "resolved": Said("when it was resolved"),
    "cancelled": Said("when it was cancelled or ended"),
    "paid_at": Said("when it was paid"),
    "converted": Said("when it was converted"),
    "updated": Said("when it was changed"),
    "amount": Said("amount"),
    "currency": Said("currency"),
    "quantity": Said("quantity"),
    "score": Said("points or stars"),
    "email": Said("e-mail address"),
    "phone": Said("phone number"),
    "domain": Said("domain of the company"),
    "name": Said("name"),
    "first_name": Said("first name"),
    "last_name": Said("last name"),
    "text": Said("text"),
    "reason": Said("reason"),
    "company": Said("id of the company"),
    "company_name": Said("name of the company"),
    "person": Said("id of the person"),
    "anonymous": Said("id of an unknown visitor"),
    "user": Said("id of the user"),
    "deal": Said("id of the deal"),
    "ticket": Said("id of the ticket"),
    "payment": Said("id of the payment"),
    "order": Said("id of the order"),
    "subscription": Said("id of the subscription"),
    "owner": Said("person in charge"),
    "product": Said("product"),
    "campaign": Said("campaign"),
    "channel": Said("channel"),
    "partner": Said("partner"),
    "status": Said("status or stage"),
    "won": Said("whether it was won"),
    "is_closed": Said("whether it is closed"),
    "deleted": Said("whether it was deleted"),
    "type": Said("what kind of event"),
    "field": Said("which field changed"),
    "value": Said("the new value"),
    "url": Said("address of the page"),
    "number": Said("number that people use"),
    "tax": Said("tax that the amount holds"),
    "subject": Said("subject of the message"),
    "start": Said("when it began"),
    "trial_start": Said("when the trial began"),
    "trial_end": Said("when the trial ended"),
    "form": Said("id of the form"),
    "live": Said("whether it was in earnest or a test"),
}


@dataclass(frozen=True, slots=True)
class Link:
    """A column whose values are ids of another file: `share` of its different values are found there."""

    column: str
    file: str
    key: str
    share: float
    likeness: float


@dataclass(frozen=True, slots=True)
class Question:
    """Something only people can tell; `options` are values and what each means, `default` the one that is taken."""

    key: str
    asks: str
    because: str
    options: tuple[tuple[str, str], ...]
    default: str
    free: bool = False  # any other answer will do, too


@dataclass(slots=True)
class ColumnDraft:
    """What is thought of a column."""

    profile: ColumnProfile
    role: str = ""
    score: float = 0.0
    why: str = ""
    link: Link | None = None

    @property
    def sure(self) -> str:
        """Say how sure it is."""
        return SURE if self.score >= 0.9 else LIKELY if self.score >= 0.6 else GUESS  # noqa: PLR2004 - as people say it


@dataclass(slots=True)
class FileDraft:
    """What is thought of a file."""

    profile: FileProfile
    entity: str
    score: float
    why: str
    shape: str
    columns: dict[str, ColumnDraft]
    links: list[Link] = field(default_factory=list)
    facts: list[tuple[FactMapping, str]] = field(default_factory=list)  # each with what it says, for people
    lets: dict[str, Value] = field(default_factory=dict)
    mapping: FileMapping | None = None
    notes: list[str] = field(default_factory=list)
    like: list[str] = field(default_factory=list)  # further files with the same columns

    def of(self, role: str) -> ColumnDraft | None:
        """Give the column that has a role, the surest first."""
        having = [column for column in self.columns.values() if column.role == role]
        return max(having, key=lambda column: column.score, default=None)

    def cell(self, role: str) -> str | None:
        """Give the column of a role as a mapping writes it."""
        column = self.of(role)
        return None if column is None else f"{{{column.profile.name}}}"

    @property
    def sure(self) -> str:
        """Say how sure it is what the file is."""
        return SURE if self.score >= 0.9 else LIKELY if self.score >= 0.6 else GUESS  # noqa: PLR2004 - as people say it


Answers = Dict[str, str]
"""What people said: by the key of a question, or `role:FILE:COLUMN`, `entity:FILE`, `format:FILE:COLUMN`."""


@dataclass(slots=True)
class Draft:
    """The whole proposal: files, questions, and what the mapping needs at its top."""

    source: str
    timezone: str
    currency: str
    files: list[FileDraft]
    questions: list[Question]
    unreadable: list[tuple[str, str]]
    answers: Answers

    def file(self, name: str) -> FileDraft | None:
        """Give a file by its name."""
        return next((one for one in self.files if one.profile.name == name), None)
