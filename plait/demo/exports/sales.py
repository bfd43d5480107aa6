"""Sales: the CRM's companies, contacts, leads and deals, the Korean office's own files, meetings, orders."""

import numpy as np

from plait.demo.channels import ALL_CHANNEL_NAMES, PRODUCTS
from plait.demo.exports.marketing import BERLIN
from plait.demo.funnel import AT_MQL, AT_SAL, GIVEN_UP, LOST_TO, NO_MQL
from plait.demo.market import (
    CODES,
    GRADES,
    INDUSTRIES,
    KOREA,
    SELLERS,
    TITLES,
    Rng,
    chance,
    runs,
)
from plait.demo.sheet import (
    NEVER,
    Bad,
    Book,
    Bools,
    Column,
    Columns,
    Floats,
    Ints,
    Layout,
    constant,
    digits,
    joined,
    money,
    pick,
    text,
    when,
)
from plait.demo.world import CURRENCIES, DEAL_TYPES, NEW, SCALES, World

CRM_TIME = "%d.%m.%Y %H:%M"
SEOUL = "Asia/Seoul"
KOREAN = Layout(encoding="cp949", newline="\r\n", quoted=("company", "name"))
CRM = Layout(delimiter=";", quoted=("company", "name", "lost_reason"))
STAGES = ("Open", "Won", "Lost")
STEPS = ("proposal", "negotiation")
OVERLAP = (550.0, 490.0)  # deals opened before the first day stand in one export, those after the second in the other


def export(world: World, book: Book, rng: Rng) -> None:
    """Write what sales' tools export."""
    _companies(world, book, rng)
    _contacts(world, book, rng)
    _leads(world, book)
    _lead_history(world, book, rng)
    _deals(world, book, rng)
    _deal_history(world, book, rng)
    _meetings(world, book, rng)
    _orders(world, book)


def owners(world: World, account: Ints) -> Columns:
    """Give the seller responsible for each account."""
    return {"owner": pick(SELLERS, world.accounts.seller[account])}


def _companies(world: World, book: Book, rng: Rng) -> None:
    """Write the companies: those of the Korean office in a file of its own, in its encoding and its zone."""
    firms = world.accounts
    at = world.calendar.instant(np.minimum(firms.arrives + 0.05, world.calendar.days - 0.01), firms.shift)
    no_domain = chance(rng, 0.01, len(firms))
    for korean in (False, True):
        rows = np.flatnonzero((firms.country == KOREA) == korean)
        rows = rows[np.argsort(at[rows], kind="stable")]
        columns = {
            "account_id": pick(text(world.identity.crm), rows),
            "company": pick(text(firms.name), rows),
            "website": pick(
                text(f"https://www.{domain}/" for domain in firms.domain), np.where(no_domain[rows], -1, rows)
            ),
            "country": pick(CODES, firms.country[rows]),
            "industry": pick(INDUSTRIES, firms.industry[rows]),
            "employees": digits(firms.employees[rows]),
            "grade": pick(GRADES, firms.grade[rows]),
            "created": when(at[rows], "%Y-%m-%d %H:%M" if korean else CRM_TIME, SEOUL if korean else BERLIN),
            **owners(world, rows),
        }
        book.count("crm", {"account.created": len(rows)})
        if korean:
            bad = [Bad("not a time", "occurred_at", {"account_id": "001999001", "created": "2025-11-31 10:00"})]
            book.table("sales/seoul/companies_kr.csv", columns, KOREAN, bad=bad)
        else:
            book.table("sales/crm/companies.csv", columns, CRM, repeat=np.arange(3, len(rows), 83))


def _contacts(world: World, book: Book, rng: Rng) -> None:
    """Write the people: leads when they became one, colleagues once sales works the account."""
    people, firms, attempts = world.people, world.accounts, world.attempts
    known = np.full(len(people.account), np.inf)
    sal = np.full(len(firms), np.inf)
    np.minimum.at(sal, attempts.account, attempts.sal)
    known = np.minimum(known, sal[people.account] + 1 + rng.random(len(known)))
    known[world.leads.person] = np.minimum(known[world.leads.person], world.leads.created + 0.1)
    at = world.instant(people.account, known)
    for korean in (False, True):
        rows = np.flatnonzero(((firms.country[people.account] == KOREA) == korean) & (at != NEVER))
        rows = rows[np.argsort(at[rows], kind="stable")]
        columns = {
            "contact_id": joined("003", digits(400_000 + rows)),
            "account_id": pick(text(world.identity.crm), people.account[rows]),
            "name": pick(text(people.name), rows),
            "email": pick(text(people.email), rows),
            "title": pick(TITLES, (rows * 7) % len(TITLES)),
            "created": when(at[rows], "%Y-%m-%d %H:%M" if korean else CRM_TIME, SEOUL if korean else BERLIN),
        }
        book.count("crm", {"contact.created": len(rows)})
        file = "sales/seoul/contacts_kr.csv" if korean else "sales/crm/contacts.csv"
        book.table(file, columns, KOREAN if korean else CRM, repeat=np.arange(5, len(rows), 211))


def _leads(world: World, book: Book) -> None:
    """Write the leads as they were recorded; some lack the channel."""
    leads = world.leads
    at = world.instant(leads.account, leads.created)
    rows = np.flatnonzero(at != NEVER)
    rows = rows[np.argsort(at[rows], kind="stable")]
    columns = {
        "lead_id": joined("L-", digits(50_000 + rows)),
        "created": when(at[rows] + 300, CRM_TIME, BERLIN),
        "email": pick(text(world.people.email), leads.person[rows]),
        "account_id": pick(text(world.identity.crm), leads.account[rows]),
        "lead_source": pick(ALL_CHANNEL_NAMES, leads.channel[rows]),
        **owners(world, leads.account[rows]),
    }
    bad = [Bad("skipped by the clock change", "occurred_at", {"lead_id": "L-99001", "created": "30.03.2025 02:30"})]
    book.count("crm", {"lead.created": len(rows)})
    book.table("sales/crm/leads.csv", columns, CRM, bad=bad, repeat=np.arange(11, len(rows), 151))


def _lead_history(world: World, book: Book, rng: Rng) -> None:
    """Write what sales did with the leads: accepted, qualified, given back or closed, with the reason."""
    attempts = world.attempts
    size = len(attempts.account)
    back = np.where(attempts.recycled, attempts.ended, np.inf)
    closed = np.where(attempts.recycled, np.inf, attempts.ended)
    reason = rng.integers(0, len(GIVEN_UP), size)
    reason[attempts.stop == NO_MQL] = GIVEN_UP.index("no_fit")
    days = np.concatenate([attempts.sal, attempts.sql, back, closed])
    status, attempt = np.repeat(np.arange(4), size), np.tile(np.arange(size), 4)
    at = world.instant(attempts.account[attempt], days)
    rows = np.flatnonzero(at != NEVER)
    rows = rows[np.argsort(at[rows], kind="stable")]
    status, attempt = status[rows], attempt[rows]
    columns = {
        "change_id": joined("LH", digits(1 + np.arange(len(rows)))),
        "lead_id": joined("L-", digits(50_000 + world.leads.of_attempt[attempt])),
        "status": pick(("accepted", "qualified", "recycled", "disqualified"), status),
        "changed": when(at[rows], CRM_TIME, BERLIN),
        "email": pick(text(world.people.email), attempts.person[attempt]),
        "account_id": pick(text(world.identity.crm), attempts.account[attempt]),
        "reason": pick(GIVEN_UP, np.where(status > 1, reason[attempt], -1)),
        **owners(world, attempts.account[attempt]),
    }
    kinds = ("lead.sal", "lead.sql", "lead.recycled", "lead.disqualified")
    book.count("crm", dict(zip(kinds, np.bincount(status, minlength=4).tolist(), strict=True)))
    book.table("sales/crm/lead_history.csv", columns, CRM)


def no_account(world: World) -> Ints:
    """Give the deals somebody entered without an account: some of the lost ones."""
    lost = np.flatnonzero(~world.deals.won & (world.deals.type == NEW) & (world.deals.closed < world.calendar.days))
    return lost[:: max(len(lost) // 4, 1)][:4]


def deal_ids(rows: Ints) -> Columns:
    """Give the deals' ids."""
    return {"deal_id": joined("D-", digits(8_000 + rows))}


def _deals(world: World, book: Book, rng: Rng) -> None:
    """Write the deals: two exports that overlap, each row the deal as it stands at the end."""
    deals = world.deals
    opened = np.where(
        deals.opened < 0,
        world.calendar.second(0) + (deals.opened * 86_400).astype(np.int64),
        _instants(world, deals.opened),
    )
    closed = _instants(world, deals.closed)
    rows = np.flatnonzero((opened != NEVER) & ~((deals.type != NEW) & (deals.closed >= world.calendar.days)))
    rows = rows[np.argsort(opened[rows], kind="stable")]
    is_closed = closed[rows] != NEVER
    outcome = np.where(is_closed, np.where(deals.won[rows], 1, 2), 0)
    orphan = np.isin(rows, no_account(world))
    reason = rng.integers(0, len(LOST_TO), len(rows))
    channel = np.where(deals.lead[rows] < 0, -1, world.leads.channel[deals.lead[rows]])
    currency = world.currency[deals.account[rows]]
    columns = {
        **deal_ids(rows),
        "account_id": pick(text(world.identity.crm), np.where(orphan, -1, deals.account[rows])),
        "contact_email": pick(text(world.people.email), np.where(orphan, -1, deals.person[rows])),
        "type": pick(DEAL_TYPES, deals.type[rows]),
        "opened": when(opened[rows], CRM_TIME, BERLIN),
        "hoped": money(deals.hoped[rows], SCALES[currency]),
        "currency": pick(CURRENCIES, currency),
        "stage": pick(STAGES, outcome),
        "closed": when(closed[rows], CRM_TIME, BERLIN),
        "agreed": money(deals.agreed[rows], SCALES[currency]),
        "lost_reason": pick(LOST_TO, np.where(outcome == STAGES.index("Lost"), reason, -1)),
        "lead_source": pick(ALL_CHANNEL_NAMES, channel),
        "lead_id": joined("L-", pick_digits(50_000 + deals.lead[rows], deals.lead[rows] >= 0)),
        **owners(world, deals.account[rows]),
    }
    counts = np.bincount(outcome, minlength=3)
    book.count("crm", {"deal.opened": len(rows), "deal.won": counts[1], "deal.lost": counts[2]})
    older = np.flatnonzero(deals.opened[rows] < OVERLAP[0])
    newer = np.flatnonzero(deals.opened[rows] >= OVERLAP[1])
    both = int((deals.opened[rows[newer]] < OVERLAP[0]).sum())
    book.repeated["sales/crm/deals_2026.csv"] += both
    book.table("sales/crm/deals_until_2025.csv", part(columns, older), CRM, bad=_bad_deals())
    book.table("sales/crm/deals_2026.csv", part(columns, newer), CRM)


def _instants(world: World, days: Floats) -> Ints:
    return world.instant(world.deals.account, days)


def _bad_deals() -> list[Bad]:
    return [
        Bad("not a time", "occurred_at", {"deal_id": "D-99001", "opened": "31.02.2025 10:00"}),
        Bad(
            "in the future of the load",
            "occurred_at",
            {"deal_id": "D-99002", "stage": "Won", "closed": "01.07.2093 10:00"},
        ),
        Bad("amount without currency", "amount", {"deal_id": "D-99003", "currency": ""}),
    ]


def part(columns: Columns, rows: Ints) -> Columns:
    """Give some rows of all columns."""
    return {name: column.take(rows) for name, column in columns.items()}


def pick_digits(values: Ints, known: Bools) -> Column:
    """Give whole numbers as text where they are known, else an empty cell."""
    return pick(digits(values), np.where(known, np.arange(len(values)), -1))


def _deal_history(world: World, book: Book, rng: Rng) -> None:
    """Write how open deals moved on: steps and amounts."""
    deals = world.deals
    deal, step = runs(np.where(deals.type == NEW, rng.integers(0, 3, len(deals.account)), 0))
    end = np.where(np.isfinite(deals.closed[deal]), deals.closed[deal], deals.opened[deal] + 40)
    day = deals.opened[deal] + (end - deals.opened[deal]) * (0.3 + 0.3 * step)
    at = world.instant(deals.account[deal], day)
    rows = np.flatnonzero((at != NEVER) & (day >= 0))
    rows = rows[np.argsort(at[rows], kind="stable")]
    deal, step = deal[rows], step[rows]
    currency = world.currency[deals.account[deal]]
    columns = {
        "change_id": joined("DH", digits(1 + np.arange(len(rows)))),
        **deal_ids(deal),
        "account_id": pick(
            text(world.identity.crm), np.where(np.isin(deal, no_account(world)), -1, deals.account[deal])
        ),
        "changed": when(at[rows], CRM_TIME, BERLIN),
        "step": pick(STEPS, step),
        "amount": money(np.where(step == 1, deals.agreed[deal], deals.hoped[deal]), SCALES[currency]),
        "currency": pick(CURRENCIES, currency),
        **owners(world, deals.account[deal]),
    }
    book.count("crm", {"deal.changed": len(rows)})
    book.table("sales/crm/deal_history.csv", columns, CRM)


def _meetings(world: World, book: Book, rng: Rng) -> None:
    """Write meetings from the calendar tool: after a lead was accepted, and while its deal was open."""
    attempts = world.attempts
    accepted = np.flatnonzero(attempts.stop > AT_MQL)
    worked = np.flatnonzero(attempts.stop > AT_SAL)
    worked = worked[np.isfinite(attempts.opened[worked])]
    again, rank = runs(1 + rng.poisson(0.8, len(worked)))
    row = np.concatenate([accepted, worked[again]])
    share = 0.15 + 0.2 * rank
    span = attempts.closed[worked[again]] - attempts.opened[worked[again]]
    day = np.concatenate([attempts.sal[accepted] + 0.6, attempts.opened[worked[again]] + span * np.minimum(share, 0.9)])
    at = world.instant(attempts.account[row], day)
    rows = np.flatnonzero(at != NEVER)[np.argsort(at[at != NEVER], kind="stable")]
    columns = {
        "uid": joined("cal-", digits(100 + np.arange(len(rows)))),
        "start": when(at[rows]),
        "attendee": pick(text(world.people.email), attempts.person[row[rows]]),
        "account_id": pick(text(world.identity.crm), attempts.account[row[rows]]),
        "place": pick(("video", "on site"), rng.integers(0, 2, len(rows))),
        **owners(world, attempts.account[row[rows]]),
    }
    book.count("calendar", {"meeting.held": len(rows)})
    book.table("sales/calendar/meetings.csv", columns)


def _orders(world: World, book: Book) -> None:
    """Write the shop's orders, in minor units as shops keep them."""
    orders, customers = world.life.orders, world.life.customers
    account = customers.account[orders.customer]
    at = world.instant(account, orders.day)
    order = np.flatnonzero(at != NEVER)
    order = order[np.argsort(at[order], kind="stable")]
    account = account[order]
    minor = np.maximum(world.local_minor(orders.eur[order], account, orders.day[order]), 1)
    columns = {
        "order_no": joined("S", digits(20_000 + np.arange(len(order)))),
        "ordered_at": when(at[order]),
        "customer_email": pick(text(world.people.email), world.accounts.first_person[account]),
        "account_id": pick(text(world.identity.crm), account),
        "product": pick(PRODUCTS, orders.product[order]),
        "total_minor": digits(minor),
        "currency": pick(CURRENCIES, world.currency[account]),
        "shop": constant("shop", len(order)),
    }
    book.count("shop", {"order.placed": len(order)})
    book.table("sales/shop/orders.csv", columns, repeat=np.arange(2, len(order), 67))
