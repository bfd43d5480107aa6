"""Marketing: the ad platform, the mail tool, fairs and seminars, papers taken, leads handed over, other budgets."""

from dataclasses import dataclass

import numpy as np

from plait.demo.channels import ALL_CHANNEL_NAMES, EMAIL, EVENT
from plait.demo.funnel import told
from plait.demo.market import Rng, chance, runs
from plait.demo.mess import differences, misspelt
from plait.demo.sheet import NEVER, Bad, Book, Ints, Layout, constant, digits, joined, money, pick, text, when
from plait.demo.world import World

MAIL_TIME = "%Y-%m-%d %H:%M:%S"
BERLIN = "Europe/Berlin"
MAIL_EVENTS = ("sent", "open", "click", "unsubscribe")
MAIL_KINDS = ("message.sent", "message.opened", "message.clicked", "message.unsubscribed")
FAIRS = ("Data Forum Leipzig", "Webinar Benchmarks", "Ops Summit Lyon", "Webinar Forecasting", "Seoul B2B Day")
SATURDAY = 5
PAPERS = ("Price list", "Paper: one timeline", "Buyer's guide", "Recording: forecasting")
ACCOUNTS_OF_BUDGETS = 400  # budgets are given for so many accounts and grow with the market


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign in the ad platform, and what it costs a day in EUR for a market of 400 accounts."""

    name: str
    channel: str
    currency: int
    daily: float
    click: float


CAMPAIGNS = (
    Campaign("Search EU Reporting", "paid_search", 0, 62.0, 3.1),
    Campaign("Search US Reporting", "paid_search", 1, 38.0, 4.4),
    Campaign("Search KR 고객데이터", "paid_search", 2, 21.0, 2.2),
    Campaign("Brand EU", "branded_search", 0, 19.0, 0.7),
    Campaign("Social Decision Makers", "social", 0, 33.0, 2.6),
    Campaign("Social Korea", "social", 2, 12.0, 1.4),
    Campaign("Retargeting All", "retargeting", 0, 24.0, 0.9),
)


def export(world: World, book: Book, rng: Rng) -> None:
    """Write what marketing's tools export."""
    _ads(world, book, rng)
    _budgets(world, book, rng)
    _mails(world, book, rng)
    _fairs(world, book, rng)
    _papers(world, book, rng)
    _handed_over(world, book)


def _ads(world: World, book: Book, rng: Rng) -> None:
    """Write the ad platform's report: UTF-16, tabs, two lines above the header, days of the account's zone."""
    day, campaign = (grid.ravel() for grid in np.indices((world.calendar.days, len(CAMPAIGNS))))
    scale = len(world.accounts) / ACCOUNTS_OF_BUDGETS
    season = (
        1
        + 0.2 * np.sin(2 * np.pi * (day - 60) / 365.25)
        - 0.45 * ((day + world.calendar.start.weekday()) % 7 >= SATURDAY)
    )
    eur = np.array([one.daily for one in CAMPAIGNS])[campaign] * scale * season * np.exp(rng.normal(0, 0.25, len(day)))
    currency = np.array([one.currency for one in CAMPAIGNS])[campaign]
    minor_units = np.array([100, 100, 1])[currency]
    cost = np.maximum(eur / world.rates.at(day.astype(float), currency) * minor_units, 1).astype(np.int64)
    clicks = rng.poisson(eur / np.array([one.click for one in CAMPAIGNS])[campaign])
    columns = {
        "Day": when(world.calendar.second(0) + day * 86_400, "%Y-%m-%d"),
        "Campaign ID": digits(9_100 + campaign),
        "Campaign": pick([one.name for one in CAMPAIGNS], campaign),
        "Channel": pick([one.channel for one in CAMPAIGNS], campaign),
        "Impressions": digits(clicks * 40 + rng.poisson(200, len(day))),
        "Clicks": digits(clicks),
        "Cost": money(cost, minor_units),
        "Currency": pick(["EUR", "USD", "KRW"], currency),
    }
    layout = Layout(
        delimiter="\t", encoding="utf-16", newline="\r\n", preamble=("Campaign report", "All campaigns, two years")
    )
    bad = [
        Bad("amount without currency", "amount", {"Campaign ID": "9191", "Currency": ""}),
        Bad("not a number", "amount", {"Campaign ID": "9192", "Cost": "n/a"}),
    ]
    book.count("ads", {"spend.paid": len(day)})
    book.table("marketing/ads/campaign_report.tsv", columns, layout, bad=bad, repeat=np.arange(0, len(day), 601))


def _budgets(world: World, book: Book, rng: Rng) -> None:
    """Write what channels without an ad platform cost, month by month."""
    channels, amounts = ("event", "email", "referral"), np.array([1_400.0, 260.0, 120.0])
    month, channel = (grid.ravel() for grid in np.indices((len(world.rates.starts), len(channels))))
    scale = len(world.accounts) / ACCOUNTS_OF_BUDGETS
    cost = np.round(amounts[channel] * scale * rng.uniform(0.6, 1.4, len(month)) * 100).astype(np.int64)
    days = np.maximum(world.rates.starts[month], 0.0)
    columns = {
        "booking": joined("B-", digits(2_000 + np.arange(len(month)))),
        "day": when(world.calendar.instant(days + 1), "%Y-%m-%d"),
        "channel": pick(channels, channel),
        "amount": money(cost),
        "remark": pick(["Stand, travel, speakers", "Mail tool", "Gifts for referrers"], channel),
    }
    book.count("budget", {"spend.paid": len(month)})
    book.table("marketing/other_budgets.csv", columns, Layout(delimiter=";"))


def _mails(world: World, book: Book, rng: Rng) -> None:
    """Write the mail tool's log: newsletters to everybody known, and the mails that brought somebody to our site."""
    news = _newsletters(world, rng)
    touches = world.touches.only(world.touches.channel == EMAIL)
    visited = world.instant(touches.account, touches.day)
    drip = [
        (
            np.full(len(visited), event),
            touches.person,
            np.where(visited == NEVER, NEVER, visited - ahead),
            _drips(visited),
        )
        for event, ahead in ((0, 5_400), (1, 240), (2, 30))
    ]
    event, person, at, letter = (np.concatenate(part) for part in zip(*news, *drip, strict=True))
    order = np.argsort(at, kind="stable")
    event, person, at, letter = (column[order][at[order] != NEVER] for column in (event, person, at, letter))
    monthly = letter < 0
    columns = {
        "log_id": joined("m", digits(np.arange(len(at)) + 1)),
        "event": pick(MAIL_EVENTS, event),
        "at": when(at, MAIL_TIME, BERLIN),
        "email": pick(text(world.people.email), person),
        "person_id": joined("p", digits(person)),
        "mail": joined(pick(["drip-", "news-"], monthly.astype(np.int64)), digits(np.abs(letter))),
        "list": pick(["Product mails", "Newsletter"], monthly.astype(np.int64)),
    }
    bad = [
        Bad("not in the map", "kind", {"log_id": "x1", "event": "bounced_softly"}),
        Bad("not a time", "occurred_at", {"log_id": "x2", "at": "2026-02-30 09:15:00"}),
    ]
    counts = np.bincount(event, minlength=len(MAIL_KINDS)).tolist()
    book.count("mail", dict(zip(MAIL_KINDS, counts, strict=True)))
    repeat = np.flatnonzero(chance(rng, 0.002, len(at)))
    book.table("marketing/mail/mail_log.csv.gz", columns, bad=bad, repeat=repeat)


def _drips(visited: Ints) -> Ints:
    return 1 + np.arange(len(visited)) % 6


def _newsletters(world: World, rng: Rng) -> list[tuple[Ints, Ints, Ints, Ints]]:
    """Send a newsletter a month to every person known, from the first lead of the person until it is unsubscribed."""
    known = told(world.leads.created, world.calendar)
    person, account, since = world.leads.person[known], world.leads.account[known], world.leads.created[known]
    months = np.minimum(
        rng.geometric(0.012, len(person)), np.maximum((world.calendar.days - since) / 30.4, 0).astype(int)
    )
    lead, rank = runs(months)
    day = (np.floor(since / 30.4)[lead] + 1 + rank) * 30.4 + 0.1 * rng.random(len(lead))
    opened, clicked = chance(rng, 0.31, len(lead)), chance(rng, 0.03, len(lead))
    gone = (rank == months[lead] - 1) & (day < world.calendar.days - 31)
    sent = world.instant(account[lead], day)
    letter = -np.floor(day / 30.4).astype(np.int64)
    parts = []
    for event, keep, delay in (
        (0, np.ones(len(lead), dtype=bool), 0),
        (1, opened | clicked, 2_400),
        (2, clicked, 2_460),
        (3, gone, 2_700),
    ):
        rows = np.flatnonzero(keep & (sent < world.calendar.end - delay))
        at = np.where(sent[rows] == NEVER, NEVER, sent[rows] + delay)
        parts.append((np.full(len(rows), event), person[lead[rows]], at, letter[rows]))
    return parts


def _fairs(world: World, book: Book, rng: Rng) -> None:
    """Write who came to fairs and webinars, as the list of the event tool."""
    touches = world.touches.only(world.touches.channel == EVENT)
    at = world.instant(touches.account, touches.day)
    rows = np.flatnonzero(at != NEVER)[np.argsort(at[at != NEVER], kind="stable")]
    person = touches.person[rows]
    names = [world.accounts.name[account] for account in touches.account[rows].tolist()]
    companies = misspelt(rng, names, every=12)
    book.notes["misspelt_companies"] = differences(names, companies)
    columns = {
        "booking_no": joined("EV", digits(30_000 + np.arange(len(rows)))),
        "event": pick(FAIRS, (touches.day[rows] / 30.4).astype(np.int64) % len(FAIRS)),
        "date": when(at[rows], "%d/%m/%Y %H:%M", BERLIN),
        "name": pick(text(world.people.name), person),
        "email": pick(text(world.people.email), person),
        "company": text(companies),
    }
    book.count("events", {"event.attended": len(rows)})
    layout = Layout(quoted=("event", "name", "company"))
    book.table("marketing/events/attendees.csv", columns, layout, repeat=np.arange(0, len(rows), 97))


def _papers(world: World, book: Book, rng: Rng) -> None:
    """Write who took a paper: some leads do, about a day after they were recorded."""
    takes = chance(rng, 0.35, len(world.leads.person))
    at = world.instant(world.leads.account, world.leads.created + 1 + rng.random(len(takes)))
    rows = np.flatnonzero(takes & (at != NEVER))
    rows = rows[np.argsort(at[rows], kind="stable")]
    columns = {
        "id": digits(np.arange(len(rows)) + 700),
        "taken_at": when(at[rows]),
        "email": pick(text(world.people.email), world.leads.person[rows]),
        "title": pick(PAPERS, rng.integers(0, len(PAPERS), len(rows))),
    }
    book.count("papers", {"content.downloaded": len(rows)})
    book.table("marketing/downloads.csv", columns, Layout(quoted=("title",)))


def _handed_over(world: World, book: Book) -> None:
    """Write the leads that marketing offered to sales: the same lead again when it was recycled and came back."""
    attempts = world.attempts
    at = world.instant(attempts.account, attempts.mql)
    rows = np.flatnonzero(at != NEVER)
    rows = rows[np.argsort(at[rows], kind="stable")]
    lead = world.leads.of_attempt[rows]
    columns = {
        "handover": joined("H-", digits(np.arange(len(rows)) + 1)),
        "lead_id": joined("L-", digits(50_000 + lead)),
        "offered_at": when(at[rows], MAIL_TIME, BERLIN),
        "email": pick(text(world.people.email), attempts.person[rows]),
        "account_id": pick(text(world.identity.crm), attempts.account[rows]),
        "channel": pick(ALL_CHANNEL_NAMES, world.leads.channel[lead]),
        "rule": constant("MQL rule 3: fit A-C and 40 points", len(rows)),
    }
    book.count("automation", {"lead.mql": len(rows)})
    book.table("marketing/automation/handed_over.csv", columns, Layout(quoted=("rule",)))
