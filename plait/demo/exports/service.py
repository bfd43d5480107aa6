"""Service: tickets in a packed file, how satisfied people were with the answers, whether they would recommend us."""

import numpy as np

from plait.demo.customers import MONTH, SLOW
from plait.demo.exports.marketing import BERLIN
from plait.demo.exports.sales import part
from plait.demo.market import Rng, chance, runs
from plait.demo.sheet import NEVER, Bad, Book, Column, Columns, Floats, Ints, Layout, digits, joined, pick, text, when
from plait.demo.world import World

SUBJECTS = (
    "Export stops after 10,000 rows",
    "Login with single sign-on fails",
    "Rechnung stimmt nicht mit dem Angebot überein",
    "Dashboard shows yesterday's numbers",
    "Comment ajouter un utilisateur ?",
    "연동이 자꾸 끊어집니다",
    "API answers 500",
    "How do I change the currency?",
)
CRITICAL_SUBJECTS = (
    "System down, nobody can work",
    "Daten fehlen seit heute früh",
    "Wrong invoices sent to our customers",
)
PRAISE = (
    "Saves us a day a week",
    "Sehr guter Support",
    "Numbers we finally agree on",
    "Équipe très réactive",
    "도입하길 잘했습니다",
)
SO_SO = (
    "Good, but the export is slow",
    "Preis ist hoch",
    "Would like more integrations",
    "Documentation could be better",
)
BLAME = ("Waited a week for an answer", "Support meldet sich nicht", "Down again in month-end", "Trop de pannes")
PROMOTER, PASSIVE = 9, 7
SHARING = 10  # every tenth company writes to service from its shared mailbox


def export(world: World, book: Book, rng: Rng) -> None:
    """Write what service's tools export."""
    _tickets(world, book, rng)
    _recommendations(world, book, rng)


def writer(world: World, account: Ints, slot: Ints) -> Ints:
    """Give the person of an account at a slot."""
    return world.accounts.first_person[account] + slot % world.accounts.size[account]


def _tickets(world: World, book: Book, rng: Rng) -> None:
    tickets = world.life.tickets
    account = world.life.customers.account[tickets.customer]
    at = world.instant(account, tickets.day)
    done = world.instant(account, tickets.day + tickets.days)
    rows = np.flatnonzero(at != NEVER)
    rows = rows[np.argsort(at[rows], kind="stable")]
    account, critical = account[rows], tickets.critical[rows]
    number = digits(10_000 + np.arange(len(rows)))
    subject = np.where(
        critical, len(SUBJECTS) + rng.integers(0, 3, len(rows)), rng.integers(0, len(SUBJECTS), len(rows))
    )
    columns = {
        "ticket": number,
        "opened_at": when(at[rows]),
        "solved_at": when(done[rows]),
        "requester": pick(text(_mailboxes(world)), writer(world, account, rng.integers(0, 3, len(rows)))),
        "organisation": pick(text(world.accounts.domain), account),
        "priority": pick(("normal", "critical"), critical.astype(np.int64)),
        "subject": pick((*SUBJECTS, *CRITICAL_SUBJECTS), subject),
    }
    book.count("desk", {"ticket.opened": len(rows), "ticket.resolved": (done[rows] != NEVER).sum()})
    bad = [Bad("missing id", "id", {"ticket": ""})]
    book.table("service/desk/tickets.csv.zip", columns, Layout(quoted=("subject",)), bad=bad)
    asked = np.flatnonzero((done[rows] != NEVER) & (chance(rng, 0.45, len(rows))))
    happy = np.where(tickets.days[rows] > SLOW, 2.0, 4.4) + rng.normal(0, 0.7, len(rows))
    _satisfaction(book, part(columns, asked) | {"stars": digits(np.clip(np.round(happy[asked]), 1, 5).astype(int))})


def _mailboxes(world: World) -> list[str]:
    """Let every tenth company write to service from its shared mailbox."""
    pairs = zip(world.people.account.tolist(), world.people.email, strict=True)
    return [f"info@{world.accounts.domain[account]}" if account % SHARING == 0 else email for account, email in pairs]


def _satisfaction(book: Book, answered: Columns) -> None:
    columns = {name: answered[name] for name in ("ticket", "solved_at", "requester", "organisation", "stars")}
    book.count("desk", {"csat.answered": len(columns["ticket"])})
    bad = [Bad("quantity out of bounds", "quantity", {"ticket": "99001", "stars": "7"})]
    book.table("service/desk/satisfaction.csv", columns, bad=bad)


def troubled(world: World, customer: Ints, day: Floats) -> Floats:
    """Tell which customers had a ticket unsolved too long in the three months before a day: 1 or 0."""
    tickets = world.life.tickets
    slow = np.flatnonzero(tickets.critical & (tickets.days > SLOW))
    seen = np.full(len(world.life.customers), -np.inf)
    seen[tickets.customer[slow[np.argsort(tickets.day[slow], kind="stable")]]] = np.sort(tickets.day[slow])
    return ((seen[customer] < day) & (day < seen[customer] + 3 * MONTH)).astype(float)


def _recommendations(world: World, book: Book, rng: Rng) -> None:
    """Write the answers to the quarterly question whether customers would recommend us."""
    customers = world.life.customers
    until = np.minimum(customers.ends, world.calendar.days)
    customer, rank = runs(np.maximum((until - customers.starts) / (3 * MONTH), 0).astype(np.int64))
    day = customers.starts[customer] + (rank + 1) * 3 * MONTH - rng.random(len(rank)) * 20
    answers = chance(rng, 0.55, len(rank))
    customer, day = customer[answers], day[answers]
    score = np.clip(np.round(8.3 - 3.5 * troubled(world, customer, day) + rng.normal(0, 1.6, len(day))), 0, 10).astype(
        int
    )
    account = customers.account[customer]
    at = world.instant(account, day)
    rows = np.flatnonzero(at != NEVER)
    rows = rows[np.argsort(at[rows], kind="stable")]
    columns = {
        "answer_id": joined("n", digits(1 + np.arange(len(rows)))),
        "answered": when(at[rows], "%d.%m.%Y", BERLIN),
        "email": pick(text(world.people.email), writer(world, account[rows], rng.integers(0, 3, len(rows)))),
        "score": digits(score[rows]),
        "comment": remarks(rng, score[rows], PROMOTER, PASSIVE),
    }
    book.count("survey", {"nps.answered": len(rows)})
    bad = [Bad("quantity out of bounds", "quantity", {"answer_id": "x1", "score": "11"})]
    book.table("service/survey/recommend.csv", columns, Layout(delimiter=";", quoted=("comment",)), bad=bad)


def remarks(rng: Rng, score: Ints, good: int, fair: int) -> Column:
    """Give a remark that fits the score; many give none."""
    listed = (*PRAISE, *SO_SO, *BLAME)
    draw = rng.random(len(score))
    praise = (draw * len(PRAISE)).astype(np.int64)
    so_so = len(PRAISE) + (draw * len(SO_SO)).astype(np.int64)
    blame = len(PRAISE) + len(SO_SO) + (draw * len(BLAME)).astype(np.int64)
    chosen = np.where(score >= good, praise, np.where(score >= fair, so_so, blame))
    return pick(listed, np.where(chance(rng, 0.6, len(score)), chosen, -1))
