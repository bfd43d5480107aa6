"""The truth about the demo company: what models should find, who is who, and every fault planted in the files."""

from collections import Counter
from collections.abc import Sequence
from itertools import chain

import numpy as np

from plait.demo.channels import AFFILIATE, ALL_CHANNEL_NAMES, CHANNELS, parameters
from plait.demo.exports.sales import no_account
from plait.demo.exports.web import KIOSK
from plait.demo.market import FREE_MAIL, LOCAL_FREE_MAIL
from plait.demo.sheet import Book, Ints
from plait.demo.world import DEAL_TYPES, World, chance_without

Json = dict[str, object]


def truth(world: World, book: Book) -> Json:
    """Tell the truth as plain values that JSON can hold."""
    return {
        "parameters": parameters(),
        "channels": _channels(world),
        "affiliate": _affiliate(world),
        "wins": _wins(world),
        "service_failure": _service_failure(world),
        "who": _who(world),
        "facts": {source: dict(sorted(kinds.items())) for source, kinds in sorted(book.facts.items())},
        "facts_by_kind": dict(sorted(sum(book.facts.values(), Counter()).items())),
        "planted": _planted(world, book),
    }


def _channels(world: World) -> list[Json]:
    """Tell what each channel truly adds: wins within the history that would not have come without it.

    `wins_touched` counts the wins of accounts that met it, `causal_share` is the part of these that it caused.
    """
    told = world.could_win < world.calendar.days - 1
    with_all = world.outcome.chance
    rows = []
    for number, channel in enumerate(CHANNELS):
        caused = float((with_all - chance_without(world, number))[told].sum())
        touched = float(with_all[told & world.met[:, number]].sum())
        rows.append(
            {
                "channel": channel.name,
                "hazard": channel.effect,
                "selection": channel.selection,
                "accounts_met": int(world.met[:, number].sum()),
                "wins_touched": int((world.met[:, number] & world.outcome.won & told).sum()),
                "expected_wins_touched": round(touched, 3),
                "expected_incremental_wins": round(caused, 3),
                "causal_share": round(caused / touched, 4) if touched else None,
            }
        )
    return rows


def _affiliate(world: World) -> Json:
    won = world.attempts.account[world.poached][world.attempts.closed[world.poached] < world.calendar.days]
    return {
        "channel": ALL_CHANNEL_NAMES[AFFILIATE],
        "accounts_met": len(np.unique(won)),
        "expected_incremental_wins": 0.0,
        "why": "it is met the day before a decision that has been taken",
    }


def _wins(world: World) -> Json:
    deals = world.deals
    told = deals.won & (deals.closed < world.calendar.days)
    counts = np.bincount(deals.type[told], minlength=len(DEAL_TYPES)).tolist()
    by_type = dict(zip(DEAL_TYPES, counts, strict=True))
    return {"by_type": by_type, "all": sum(counts), "customers": len(world.life.customers)}


def _service_failure(world: World) -> Json:
    exposure, customers = world.life.exposure, world.life.customers
    return {
        "customer_months": exposure.months,
        "left": exposure.left,
        "accounts_with_failure": _named(world, customers.account[exposure.failed]),
    }


def _named(world: World, accounts: Ints) -> list[str]:
    return sorted(world.identity.crm[account] for account in accounts.tolist())


def _who(world: World) -> Json:
    """Tell who is who: each account in every tool, each person with mailbox and devices."""
    names = world.identity
    accounts = [
        {"crm": crm, "billing": billing or None, "tenant": tenant or None, "domain": domain, "intent": round(intent, 4)}
        for crm, billing, tenant, domain, intent in zip(
            names.crm, names.billing, names.tenant, world.accounts.domain, world.accounts.intent.tolist(), strict=True
        )
    ]
    people = [
        {
            "account": names.crm[account],
            "person": f"003{400_000 + row}",
            "email": email,
            "devices": names.devices[2 * row : 2 * row + 1 + int(names.second_device[row])],
        }
        for row, (account, email) in enumerate(zip(world.people.account.tolist(), world.people.email, strict=True))
    ]
    return {"accounts": accounts, "people": people}


def _planted(world: World, book: Book) -> Json:
    leads = world.leads
    emails = Counter(world.people.email)
    early = world.early_deal
    return {
        "rows": dict(sorted(book.rows.items())),
        "repeated_rows": dict(sorted((file, number) for file, number in book.repeated.items() if number)),
        "refused": book.refused,
        "deals_without_account": [f"D-{8_000 + deal}" for deal in no_account(world).tolist()],
        "deal_before_first_touch": f"D-{8_000 + early}" if early >= 0 else None,
        "leads_without_channel": int(((leads.channel < 0) & (leads.created < world.calendar.days)).sum()),
        "shared_mailboxes": sorted(email for email, people in emails.items() if people > 1),
        "free_mailboxes": _ending(world.people.email, [*FREE_MAIL, *chain(*LOCAL_FREE_MAIL.values())]),
        "kiosk_device": KIOSK,
        "late_file": "finance/zahlungen_nachtrag.csv",
        "encodings": {"sales/seoul": "cp949", "finance": "windows-1252", "marketing/ads": "utf-16"},
        **book.notes,
    }


def _ending(emails: Sequence[str], hosts: Sequence[str]) -> int:
    return sum(email.endswith(tuple(f"@{host}" for host in hosts)) for email in emails)
