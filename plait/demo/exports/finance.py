"""Finance: the German accounting tool (Windows-1252, semicolons, decimal comma): contracts, bills, payments, rates."""

from dataclasses import dataclass

import numpy as np

from plait.demo.customers import MONTH, SLOW
from plait.demo.exports.marketing import BERLIN
from plait.demo.exports.sales import part
from plait.demo.market import Rng, chance, runs
from plait.demo.mess import differences, misspelt
from plait.demo.sheet import (
    NEVER,
    Bad,
    Book,
    Column,
    Columns,
    Floats,
    Ints,
    Layout,
    constant,
    digits,
    german,
    joined,
    money,
    pick,
    text,
    when,
)
from plait.demo.world import CURRENCIES, SCALES, World

GERMAN = Layout(delimiter=";", encoding="windows-1252", newline="\r\n", quoted=("Name", "Bemerkung"))
DAY_MONTH = "%d.%m.%Y"
STARTED, CHANGED, ENDED = range(3)
COSTS = (("Tools", 900.0), ("Sales salaries", 21_000.0), ("Marketing salaries", 12_500.0), ("Support", 8_000.0))
LATE_SHARE = 0.03


@dataclass(frozen=True, slots=True)
class Contracts:
    """Contract events in order of time; `number` tells the first contract of a customer from the one after it left."""

    customer: Ints
    number: Ints
    event: Ints
    day: Floats
    monthly: Ints


def export(world: World, book: Book, rng: Rng) -> None:
    """Write what finance's tools export."""
    contracts = _contracts(world)
    _debtors(world, book, rng)
    _contract_events(world, book, contracts)
    _bills(world, book, contracts, rng)
    _rates(world, book)
    _costs(world, book, rng)


def _debtors(world: World, book: Book, rng: Rng) -> None:
    """Write the debtors: in Latin letters, some misspelt, most with the domain of the company."""
    customers = world.life.customers
    at = world.instant(customers.account, customers.starts)
    rows = np.flatnonzero(at != NEVER)
    account = customers.account[rows]
    names = [world.accounts.plain[firm] for firm in account.tolist()]
    written = misspelt(rng, names, every=9)
    no_domain = chance(rng, 0.12, len(rows))
    book.notes |= {"misspelt_debtors": differences(names, written), "debtors_without_domain": int(no_domain.sum())}
    columns = {
        "Debitor": pick(text(world.identity.billing), account),
        "Name": text(written),
        "Web": pick(text(world.accounts.domain), np.where(no_domain, -1, account)),
        "Mail": pick(text(world.people.email), world.accounts.first_person[account]),
        "Angelegt": when(at[rows], DAY_MONTH, BERLIN),
    }
    book.count("billing", {"account.created": len(rows)})
    book.table("finance/debitoren.csv", columns, GERMAN, repeat=np.arange(1, len(rows), 41))


def _contracts(world: World) -> Contracts:
    """Gather contract events: begun, changed, ended, begun again."""
    customers, changes, back = world.life.customers, world.life.changes, world.life.returns
    everyone = np.arange(len(customers))
    gone = np.flatnonzero(customers.ends < world.calendar.days)
    parts = (
        (everyone, 0, STARTED, customers.starts, customers.monthly),
        (changes.customer, 0, CHANGED, changes.day, changes.monthly),
        (gone, 0, ENDED, customers.ends[gone], customers.monthly[gone]),
        (back.customer, 1, STARTED, back.day, back.monthly),
    )
    customer = np.concatenate([part[0] for part in parts])
    lengths = [len(part[0]) for part in parts]
    day = np.concatenate([part[3] for part in parts])
    told = np.flatnonzero(day < world.calendar.days)
    order = told[np.lexsort((day[told], customer[told]))]
    return Contracts(
        customer=customer[order],
        number=np.repeat([part[1] for part in parts], lengths)[order],
        event=np.repeat([part[2] for part in parts], lengths)[order],
        day=day[order],
        monthly=world.fees(np.concatenate([part[4] for part in parts])[order], customer[order]),
    )


def _contract_names(customer: Ints, number: Ints) -> Column:
    return joined("V", digits(4_000 + customer), "-", digits(1 + number))


def _contract_events(world: World, book: Book, contracts: Contracts) -> None:
    account = world.life.customers.account[contracts.customer]
    currency = world.currency[account]
    at = world.instant(account, contracts.day)
    rows = np.argsort(at, kind="stable")
    ended = contracts.event == ENDED
    amount = german(money(contracts.monthly, SCALES[currency]))
    columns = {
        "Nr": digits(1 + np.arange(len(rows))),
        "Vertrag": _contract_names(contracts.customer, contracts.number),
        "Debitor": pick(text(world.identity.billing), account),
        "Vorgang": pick(("Beginn", "Änderung", "Ende"), contracts.event),
        "Datum": when(at, "%d.%m.%Y %H:%M", BERLIN),
        "Monatsbetrag": pick(amount, np.where(ended, -1, np.arange(len(ended)))),
        "Währung": pick(CURRENCIES, np.where(ended, -1, currency)),
    }
    kinds = ("subscription.started", "subscription.changed", "subscription.ended")
    book.count("billing", dict(zip(kinds, np.bincount(contracts.event, minlength=3).tolist(), strict=True)))
    book.table("finance/vertraege.csv", part(columns, rows) | {"Nr": columns["Nr"]}, GERMAN)


def _bills(world: World, book: Book, contracts: Contracts, rng: Rng) -> None:
    """Write invoices month by month while a contract runs, their payments, and some money back."""
    customer, day, minor, number = _billed(world, contracts)
    account = world.life.customers.account[customer]
    currency = world.currency[account]
    order = np.argsort(day, kind="stable")
    day = day[order]
    customer, minor, number, account, currency = (
        column[order] for column in (customer, minor, number, account, currency)
    )
    columns = {
        "Rechnung": joined("R", digits(100_000 + np.arange(len(day)))),
        "Debitor": pick(text(world.identity.billing), account),
        "Vertrag": _contract_names(customer, number),
        "Datum": when(world.instant(account, day), DAY_MONTH, BERLIN),
        "Netto": german(money(minor, SCALES[currency])),
        "Währung": pick(CURRENCIES, currency),
    }
    bad = [
        Bad("not a number", "amount", {"Rechnung": "R999001", "Netto": "k.A."}),
        Bad("not a time", "occurred_at", {"Rechnung": "R999002", "Datum": "31.02.2026"}),
        Bad("in the future of the load", "occurred_at", {"Rechnung": "R999003", "Datum": "01.07.2093"}),
    ]
    book.count("billing", {"invoice.issued": len(day)})
    book.table("finance/rechnungen.csv", columns, GERMAN, bad=bad, repeat=np.arange(7, len(day), 401))
    _payments(world, book, (account, day), columns, rng)


def _billed(world: World, contracts: Contracts) -> tuple[Ints, Floats, Ints, Ints]:
    """Give one invoice for each month that a fee held, on the day of the month the contract began."""
    until = np.append(contracts.day[1:], np.inf)
    last = np.append(contracts.customer[1:] != contracts.customer[:-1], True)
    until = np.minimum(np.where(last, np.inf, until), world.calendar.days)
    begun = np.flatnonzero(contracts.event == STARTED)
    anchor = contracts.day[begun[np.searchsorted(begun, np.arange(len(contracts.day)), side="right") - 1]]
    first, final = (np.ceil((edge - anchor) / MONTH).astype(np.int64) for edge in (contracts.day, until))
    months = np.where(contracts.event == ENDED, 0, np.maximum(final - first, 0))
    event, rank = runs(months)
    day = anchor[event] + (first[event] + rank) * MONTH
    return contracts.customer[event], day, contracts.monthly[event], contracts.number[event]


def _payments(world: World, book: Book, billed: tuple[Ints, Floats], invoices: Columns, rng: Rng) -> None:
    """Write payments some weeks after the invoice, those noticed late in a file of their own, and refunds."""
    account, day = billed
    paid = day + 6 + rng.gamma(3.0, 6.0, len(day))
    kept = np.flatnonzero((chance(rng, 0.98, len(day))) & (paid < world.calendar.days))
    kept = kept[np.argsort(paid[kept], kind="stable")]
    columns = {
        "Zahlung": joined("Z", digits(300_000 + np.arange(len(kept)))),
        "Rechnung": invoices["Rechnung"].take(kept),
        "Debitor": invoices["Debitor"].take(kept),
        "Eingang": when(world.instant(account[kept], paid[kept]), DAY_MONTH, BERLIN),
        "Betrag": invoices["Netto"].take(kept),
        "Währung": invoices["Währung"].take(kept),
    }
    late = chance(rng, LATE_SHARE, len(kept))
    bad = [
        Bad("too early", "occurred_at", {"Zahlung": "Z999001", "Eingang": "01.01.1970"}),
        Bad("negative amount", "amount", {"Zahlung": "Z999002", "Betrag": "-120,00"}),
    ]
    book.count("billing", {"payment.received": len(kept)})
    book.table("finance/zahlungen.csv", part(columns, np.flatnonzero(~late)), GERMAN, bad=bad)
    book.table("finance/zahlungen_nachtrag.csv", part(columns, np.flatnonzero(late)), GERMAN)
    back = np.flatnonzero((chance(rng, 0.012, len(kept))) & (paid[kept] + SLOW + 4 < world.calendar.days))
    refunded = when(world.instant(account[kept[back]], paid[kept[back]] + SLOW + 4), DAY_MONTH, BERLIN)
    book.count("billing", {"payment.refunded": len(back)})
    refunds = {"Erstattung": joined("E", digits(500 + np.arange(len(back)))), "Ausgang": refunded}
    book.table("finance/erstattungen.csv", refunds | part(columns, back), GERMAN)


def _rates(world: World, book: Book) -> None:
    """Write what one unit of each foreign currency cost in EUR at the start of each month."""
    month, currency = (grid.ravel() for grid in np.indices((len(world.rates.starts), len(CURRENCIES) - 1)))
    first = np.array([world.calendar.second(day) for day in world.rates.starts])
    columns = {
        "Monat": when(first[month] + 12 * 3600, "%d.%m.%Y"),
        "Von": pick(CURRENCIES, currency + 1),
        "Nach": constant("EUR", len(month)),
        "Kurs": text(f"{rate:.8f}".replace(".", ",") for rate in world.rates.eur[month, currency + 1].tolist()),
    }
    book.count("billing", {"fx.rate": len(month)})
    book.table("finance/kurse.csv", columns, GERMAN)


def _costs(world: World, book: Book, rng: Rng) -> None:
    """Write the costs booked to customers, month by month."""
    month, line = (grid.ravel() for grid in np.indices((len(world.rates.starts), len(COSTS))))
    scale = len(world.accounts) / 400
    eur = np.array([cost for _, cost in COSTS])[line] * scale * rng.uniform(0.95, 1.05, len(month))
    first = np.array([world.calendar.second(max(day, 0.0)) for day in world.rates.starts])
    columns = {
        "Beleg": joined("K", digits(900 + np.arange(len(month)))),
        "Datum": when(first[month] + 12 * 3600, DAY_MONTH),
        "Kostenart": pick([name for name, _ in COSTS], line),
        "Betrag": german(money((eur * 100).astype(np.int64))),
        "Bemerkung": pick(("Büro Köln; Umlage", "Gehälter"), (line > 0).astype(np.int64)),
    }
    book.count("billing", {"cost.booked": len(month)})
    book.table("finance/kosten.csv", columns, GERMAN)
