"""The API of hand-offs: read them, and answer them as their receiver, under the rights of the person of the token.

What changes something takes a token: a browser's login is not enough. A key in the header `Idempotency-Key` makes an
answer that is sent twice one: the second time it gets what the first one got.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Schema
from pydantic import Field

from plait.failure import Said, Unfit
from plait.handoff.state import allowed
from plait.web.api import FAULTY, WRITES, Bearer, Faulty, api, reader
from plait.web.directory import fold
from plait.web.handoffs import acts, clock, permits, waiting
from plait.web.handoffs.models import Answered, HandOff
from plait.web.handoffs.rows import handoff_of
from plait.web.people.models import User

SCOPE = "lifecycle"
LONGEST_KEY = 200
Number = Annotated[str, Path(description="Id of the hand-off.")]


class KeyUsed(Unfit, ValueError):
    """A key of idempotency that came with another question before."""


class HandOffOut(Schema):
    """A hand-off. `allowed` names what its state allows now; who may do it depends on rights, too."""

    id: str
    type: str
    account: str
    account_name: str
    sender: str
    receiver: str
    mode: str
    sent_by: str
    assignee: str | None
    fallback_used: bool
    state: str
    captured_at: datetime
    created_at: datetime
    assigned_at: datetime | None
    due_at: datetime | None
    touch_due_at: datetime | None
    first_touch_at: datetime | None
    answered_at: datetime | None
    answered_by: str | None
    reason: str | None
    note: str
    recycle_to: str | None
    wake_at: datetime | None
    value: Decimal | None
    currency: str | None
    context: dict[str, str]
    completeness: float | None
    previous: str | None
    policy_version: int
    allowed: list[str]


class HandOffsOut(Schema):
    """Some hand-offs, what is due first on top; `next` is where to go on, none at the end."""

    handoffs: list[HandOffOut]
    next: str | None


class Asked(Schema):
    """Which hand-offs are asked for."""

    state: Literal["open", "accepted", "rejected", "expired"] = Field("open", description="Only those in this state.")
    type: str = Field("", description="Only of this type.")
    sender: str = Field("", description="Only from this department.")
    receiver: str = Field("", description="Only to this department.")
    assignee: str = Field("", description="Only with the colleague of this address.")
    account: str = Field("", description="Only of the account with this id.")
    q: str = Field("", description="Only of accounts whose name or domain holds these words.")
    overdue: bool = Field(default=False, description="Only those whose answer is late.")
    after: str = Field("", description="Where to go on: `next` of the answer before.")
    limit: int = Field(50, ge=1, le=200, description="How many at most, up to 200.")


class AnswerIn(Schema):
    """What is said with an answer; a refusal needs the code of a reason."""

    reason: str = ""
    note: str = ""


@api.get("/handoffs", response={200: HandOffsOut, **FAULTY}, tags=[SCOPE], url_name="handoffs")
def handoffs(request: HttpRequest, asked: Query[Asked]) -> HandOffsOut:
    """List hand-offs by state, type, departments, assignee or account, what is due first on top."""
    reader(request).permit(SCOPE)
    now = clock.present()
    told = {name: getattr(asked, name) for name in ("type", "sender", "receiver", "assignee", "account")}
    rows = HandOff.objects.filter(state=asked.state, **{name: text for name, text in told.items() if text})
    for word in fold(asked.q).split():
        rows = rows.filter(folded__contains=word)
    if asked.overdue:
        rows = rows.filter(due_at__lt=now)
    wanted = waiting.Wanted("all", asked.state, after=waiting.cursor(asked.after))
    some, following = waiting.page(waiting.ordered(rows, wanted), wanted, most=asked.limit)
    return HandOffsOut(handoffs=[_out(one, now) for one in some], next=following or None)


@api.get("/handoffs/{number}", response={200: HandOffOut, **FAULTY}, tags=[SCOPE], url_name="handoff")
def handoff(request: HttpRequest, number: Number) -> HandOffOut:
    """Give one hand-off."""
    return _out(permits.handoff_for(reader(request).permit(SCOPE), number), clock.present())


def _answer(name: str, says: str, do: Callable[[str, User, AnswerIn], acts.Done]) -> None:
    """Make the address of an answer."""

    def answered(request: HttpRequest, number: Number, given: AnswerIn | None = None) -> HttpResponse:
        user, told = reader(request).permit(SCOPE), given or AnswerIn()
        permits.permit_act(user, permits.handoff_for(user, number), name)

        def done() -> str:
            return _out(do(number, user, told).row, clock.present()).model_dump_json()

        body = _once(user, request.headers.get("Idempotency-Key", ""), (name, number, told.reason, told.note), done)
        return HttpResponse(body, content_type="application/json")

    url_name = f"handoff-{name}"
    WRITES.add(url_name)
    api.post(
        f"/handoffs/{{number}}/{name}", response={200: HandOffOut, **FAULTY, 409: Faulty}, tags=[SCOPE],
        auth=[Bearer()], operation_id=f"handoff_{name}", url_name=url_name, summary=name, description=says,
    )(answered)  # fmt: skip


_answer(
    "accept", "Take a hand-off, as a colleague of the department that it goes to.",
    lambda number, user, told: acts.accept(number, user, note=told.note),
)  # fmt: skip
_answer(
    "reject", "Refuse a hand-off; `reason` is the code of one of the policy's reasons.",
    lambda number, user, told: acts.reject(number, user, reason=told.reason, note=told.note),
)  # fmt: skip
_answer(
    "touch", "Note that the account was reached out to in person, by whom the hand-off was given to.",
    lambda number, user, told: acts.touch(number, user, note=told.note),
)  # fmt: skip


def _once(user: User, key: str, asked: tuple[str, ...], doing: Callable[[], str]) -> str:
    """Do something once for each key, and give who asks again what came of it."""
    if not key:
        return doing()
    if len(key) > LONGEST_KEY:
        raise KeyUsed(Said("an Idempotency-Key has up to {most} letters; use a shorter one.", most=LONGEST_KEY))
    digest = hashlib.sha256("\0".join(asked).encode()).hexdigest()
    with transaction.atomic():
        kept, made = Answered.objects.get_or_create(
            person=user, key=key, defaults={"asked": digest, "status": 200, "body": ""}
        )
        if not made and kept.asked != digest:
            raise KeyUsed(Said("this Idempotency-Key came with another question before; use a new one for each."))
        if made:
            kept.body = doing()
            kept.save(update_fields=["body"])
    return kept.body


def _out(row: HandOff, now: datetime) -> HandOffOut:
    one = handoff_of(row)
    told = {name: getattr(one, name) for name in HandOffOut.model_fields if name not in ("allowed", "account_name")}
    told["context"] = dict(one.context)
    acts_now = [act for act in allowed(one, now) if act != "expire"]
    return HandOffOut(**told, account_name=row.account_name, allowed=acts_now)
