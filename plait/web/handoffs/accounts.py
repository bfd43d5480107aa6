"""Accounts as hand-offs know them: name, keys and owner, and the facts that their context cards are read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from plait.timeline import Timeline
from plait.web.directory import fold, keys
from plait.web.handoffs.acts import Known
from plait.web.handoffs.card import READ, Facts, Told
from plait.web.handoffs.models import HandOff
from plait.web.people.models import User

NAMED = ("account.created", "account.grouped")
OWNED = ("owner.assigned", "deal.opened", "deal.changed", "lead.sal", "lead.sql")
ANSWERED = ("lead.recycled", "lead.disqualified")
KINDS = (*dict.fromkeys((*READ, *NAMED, *OWNED, *ANSWERED)),)


def known(account: str, facts: Facts, name: str = "") -> Known:
    """Give an account as hand-offs keep it; `name` is how pages call it, else it is read from the facts."""
    its = keys().get(account, [])
    named = name or next((str(fact["text"]) for fact in reversed(facts) if fact["kind"] in NAMED and fact["text"]), "")
    domain = next((value for key, value in its if key == "domain"), "")
    called = named or domain or next((value for _, value in its), account)
    return Known(called, fold(" ".join(dict.fromkeys((called, domain, *(value for _, value in its))))), dict(its[:1]))


def owner_of(facts: Facts) -> str | None:
    """Give the address of an account's owner: who it was given to, else who works its deals; None when unknown."""
    owned = [fact for fact in facts if fact["kind"] in OWNED and fact["owner"]]
    given = [fact for fact in owned if fact["kind"] == "owner.assigned"]
    last = (given or owned)[-1:]
    return address_of(str(last[0]["owner"])) if last else None


def address_of(owner: str) -> str | None:
    """Give the address of a colleague whom facts name by address or by name; None when it is nobody, or two."""
    people = User.objects.filter(outside=False)
    found = people.filter(email=owner.strip().lower()) or people.filter(name=owner.strip())
    return found[0].email if len(found) == 1 else None


def facts_of(opened: Timeline, accounts: Sequence[str], since: datetime | None = None) -> Mapping[str, list[Told]]:
    """Give the facts of many accounts that cards are read from, each account's in the order of time."""
    seen = opened.facts().table
    wanted = seen.filter(seen.account.isin(list(accounts)), seen.kind.isin(KINDS))
    if since is not None:
        wanted = wanted.filter(wanted.occurred_at >= since)
    told: dict[str, list[Told]] = {account: [] for account in accounts}
    for fact in opened.engine.run(wanted.order_by("occurred_at", "source", "id")).to_pylist():
        told[str(fact["account"])].append(fact)
    return told


def account_now(row: HandOff) -> str:
    """Give the id that a hand-off's account has now: ids change when accounts merge, keys do not."""
    everybody = keys()
    if row.account in everybody:
        return row.account
    its = set(row.keys.items())
    return next((account for account, known_by in everybody.items() if its & set(known_by)), row.account)
