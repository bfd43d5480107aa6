"""Partners: the network's export of referrals, clicks and payouts, reviews, and customers who speak for us."""

import numpy as np

from plait.demo.channels import AFFILIATE, ALL_CHANNEL_NAMES, ALL_PARTNERS, COUPON_SITE, PARTNER, PARTNERS
from plait.demo.customers import MONTH
from plait.demo.exports.service import remarks, troubled
from plait.demo.market import Rng, chance
from plait.demo.sheet import NEVER, Bad, Book, Bools, Ints, Layout, constant, digits, joined, money, pick, text, when
from plait.demo.world import SCALES, World

CODES = tuple(partner.code for partner in ALL_PARTNERS)
SITES = ("softwarefinder.example", "opinions-b2b.example")


def export(world: World, book: Book, rng: Rng) -> None:
    """Write what the partner network and the review sites export."""
    _clicks(world, book, rng)
    _payouts(world, book)
    _reviews(world, book, rng)
    _references(world, book, rng)


def _clicks(world: World, book: Book, rng: Rng) -> None:
    """Write tracked links followed, and companies that partners named to us: a third of their first touches."""
    touches = world.touches.only(world.touches.channel == PARTNER)
    attempts, poached = world.attempts, world.poached
    account = np.concatenate([touches.account, attempts.account[poached]])
    person = np.concatenate([touches.person, attempts.person[poached]])
    partner = np.concatenate([touches.partner, np.full(len(poached), len(PARTNERS))])
    day = np.concatenate([touches.day, np.maximum(attempts.closed[poached] - 1, 0)])
    at = world.instant(account, day)
    named = (partner < len(PARTNERS)) & _firsts(account, at) & (chance(rng, 0.33, len(at)))
    rows = np.argsort(at, kind="stable")
    named, partner, account, person = (named[rows], partner[rows], account[rows], person[rows])
    columns = {
        "transaction": joined("nt-", digits(60_000 + np.arange(len(rows)))),
        "type": pick(("link.clicked", "referral.made"), named.astype(np.int64)),
        "date": when(at[rows] - 12, "%Y/%m/%d %H:%M:%S"),
        "partner": pick(CODES, np.asarray(partner, dtype=np.int64)),
        "channel": pick(ALL_CHANNEL_NAMES, np.where(partner == len(PARTNERS), AFFILIATE, PARTNER)),
        "sub_id": pick(text(world.identity.devices), 2 * person),
        "company_domain": pick(text(world.accounts.domain), np.where(named, account, -1)),
    }
    bad = [Bad("unknown kind", "kind", {"transaction": "nt-x1", "type": "link.cliked"})]
    book.count("network", {"link.clicked": (~named).sum(), "referral.made": named.sum()})
    book.table("partners/network/transactions.csv", columns, bad=bad, repeat=np.arange(9, len(rows), 131))


def _firsts(account: Ints, at: Ints) -> Bools:
    order = np.lexsort((at, account))
    first = np.zeros(len(account), dtype=bool)
    first[order[np.unique(account[order], return_index=True)[1]]] = True
    return first


def _payouts(world: World, book: Book) -> None:
    """Write what partners were paid a month after each win: a share of the first year's fees."""
    customers, attempts = world.life.customers, world.attempts
    paid = customers.starts + MONTH
    by_partner = np.flatnonzero((world.partner[customers.account] >= 0) & (paid < world.calendar.days))
    coupon = np.zeros(len(world.accounts), dtype=bool)
    coupon[attempts.account[world.poached]] = True
    by_coupon = np.flatnonzero(coupon[customers.account] & (paid < world.calendar.days))
    customer = np.concatenate([by_partner, by_coupon])
    partner = np.concatenate([world.partner[customers.account[by_partner]], np.full(len(by_coupon), len(PARTNERS))])
    rate = np.array([one.rate for one in (*PARTNERS, COUPON_SITE)])[partner]
    account = customers.account[customer]
    year = 12 * world.fees(customers.monthly[customer], customer)
    currency = world.currency[account]
    eur = year / SCALES[currency] * world.rates.at(paid[customer], currency)
    at = world.instant(account, paid[customer])
    rows = np.argsort(at, kind="stable")
    columns = {
        "payout": joined("po-", digits(1 + np.arange(len(rows)))),
        "paid_on": when(at[rows], "%Y/%m/%d"),
        "partner": pick(CODES, partner[rows]),
        "account_domain": pick(text(world.accounts.domain), account[rows]),
        "amount": money(np.maximum(np.round(eur * rate * 100)[rows], 1).astype(np.int64)),
        "currency": constant("EUR", len(rows)),
    }
    bad = [Bad("amount without currency", "amount", {"payout": "po-x1", "currency": ""})]
    book.count("network", {"payout.paid": len(rows)})
    book.table("partners/network/payouts.csv", columns, bad=bad)


def _reviews(world: World, book: Book, rng: Rng) -> None:
    """Write public reviews by customers, stars with a remark."""
    customers = world.life.customers
    day = customers.starts + 40 + rng.random(len(customers)) * 150
    rows = np.flatnonzero((day < np.minimum(customers.ends, world.calendar.days)) & (chance(rng, 0.4, len(day))))
    stars = np.clip(np.round(4.3 - 2 * troubled(world, rows, day[rows]) + rng.normal(0, 0.8, len(rows))), 1, 5).astype(
        int
    )
    account = customers.account[rows]
    columns = {
        "review": joined("rv", digits(1 + np.arange(len(rows)))),
        "posted": when(world.instant(account, day[rows]), "%Y-%m-%d"),
        "site": pick(SITES, np.arange(len(rows)) % 2),
        "company_site": pick(text(world.accounts.domain), account),
        "stars": digits(stars),
        "says": remarks(rng, stars, 4, 3),
    }
    bad = [Bad("not a number", "quantity", {"review": "rv-x1", "stars": "five"})]
    book.count("reviews", {"review.posted": len(rows)})
    book.table("marketing/reviews.csv", columns, Layout(quoted=("says",)), bad=bad)


def _references(world: World, book: Book, rng: Rng) -> None:
    """Write the customers that gave a reference."""
    customers = world.life.customers
    day = customers.starts + 90 + rng.random(len(customers)) * 240
    rows = np.flatnonzero((day < np.minimum(customers.ends, world.calendar.days)) & (chance(rng, 0.3, len(day))))
    account = customers.account[rows]
    at = world.instant(account, day[rows])
    columns = {
        "reference": joined("ref", digits(1 + np.arange(len(rows)))),
        "given_on": when(np.where(at == NEVER, 0, at), "%Y-%m-%d"),
        "email": pick(text(world.people.email), world.accounts.first_person[account]),
        "form": pick(("story", "call with a prospect", "quote"), rng.integers(0, 3, len(rows))),
    }
    book.count("references", {"referral.given": len(rows)})
    book.table("marketing/references.csv", columns)
