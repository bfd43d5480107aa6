"""The simulated world as a whole: the market, who is won, what becomes of customers, what each tool calls them."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from plait.demo import customers as life_of
from plait.demo import funnel, market
from plait.demo.channels import BUYING
from plait.demo.customers import Life, Use
from plait.demo.funnel import LOST, WON, Attempts, Outcome
from plait.demo.market import COUNTRIES, HISTORY, Accounts, Calendar, People, Rng, Touches, chance
from plait.demo.sheet import Bools, Floats, Ints

CURRENCIES = ("EUR", "USD", "KRW")
SCALES = np.array([100, 100, 1])  # minor units in one unit
STEPS = np.array([10.0, 10.0, 10_000.0])  # monthly fees are round numbers
START_RATES = (1.0, 0.92, 0.00068)  # EUR for one unit
NEW, EXPANSION, WIN_BACK = range(3)
DEAL_TYPES = ("new", "expansion", "win-back")
EARLY_DEAL = (40.0, 5.0)  # days before its account was first seen that the odd deal is opened and won


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is called what in which tool; an empty text where a tool does not know the account."""

    crm: list[str]
    billing: list[str]
    tenant: list[str]
    devices: list[str]  # two a person
    second_device: Bools


@dataclass(frozen=True, slots=True)
class Rates:
    """What one unit of each currency costs in EUR, by month (rows) and currency."""

    first_days: list[date]
    starts: Floats
    eur: Floats

    def at(self, days: Floats, currency: Ints) -> Floats:
        """Give the rate of the month a day lies in."""
        return np.asarray(self.eur[np.searchsorted(self.starts, days, side="right") - 1, currency])


@dataclass(frozen=True, slots=True)
class Leads:
    """Leads: one a person; `channel` is the last touch before, -1 where nobody noted it."""

    person: Ints
    account: Ints
    created: Floats
    channel: Ints
    of_attempt: Ints


@dataclass(frozen=True, slots=True)
class Deals:
    """Deals of all types; amounts are a year's fees in minor units of the account's currency."""

    account: Ints
    person: Ints
    type: Ints
    opened: Floats
    closed: Floats
    won: Bools
    hoped: Ints
    agreed: Ints
    lead: Ints


@dataclass(frozen=True, slots=True)
class World:
    """Everything that happened, and nothing of how it was written down."""

    calendar: Calendar
    accounts: Accounts
    people: People
    touches: Touches
    met: Bools
    partner: Ints
    outcome: Outcome
    own: Floats
    added: Floats
    could_win: Floats  # the day an account was won, or would have been
    attempts: Attempts
    leads: Leads
    deals: Deals
    early_deal: int
    life: Life
    use: Use
    poached: Ints  # attempts whose buyer looked for a coupon the day before the decision
    rates: Rates
    currency: Ints
    identity: Identity

    def instant(self, account: Ints, days: Floats) -> Ints:
        """Give the instants of days in the working hours of accounts."""
        return self.calendar.instant(days, self.accounts.shift[account])

    def fees(self, eur: Floats, customer: Ints) -> Ints:
        """Give monthly fees in minor units of the customer's currency, at the rate of the day it signed."""
        account, signed = self.life.customers.account[customer], self.life.customers.starts[customer]
        return _fees(eur, self.currency[account], self.rates.at(signed, self.currency[account]))

    def local_minor(self, eur: Floats, account: Ints, days: Floats) -> Ints:
        """Give amounts in EUR in minor units of the account's currency, at the rate of the day."""
        currency = self.currency[account]
        return np.asarray(np.round(eur / self.rates.at(days, currency) * SCALES[currency]), dtype=np.int64)


def _fees(eur: Floats, currency: Ints, rate: Floats) -> Ints:
    step = STEPS[currency]
    return np.asarray(np.maximum(np.round(eur / rate / step), 1) * step * SCALES[currency], dtype=np.int64)


def simulate(seed: int, *, accounts: int, until: date) -> World:
    """Let a world happen. The same arguments give the same world; each part draws from a stream of its own."""
    calendar = Calendar(until - timedelta(days=HISTORY), HISTORY)
    streams = iter(np.random.default_rng(seed).spawn(16))
    firms = market.make_accounts(next(streams), accounts, calendar)
    people = market.make_people(next(streams), firms)
    met, begins, partner = market.met_channels(next(streams), firms, calendar)
    own, added = market.hazards(firms, met, partner)
    outcome = funnel.decide(next(streams), own, added)
    window = funnel.first_leads(next(streams), firms)
    attempts = funnel.attempt(next(streams), firms, outcome, window)
    touches = _touches(next(streams), firms, (met, begins, partner), (window, attempts), calendar)
    rates = _rates(next(streams), calendar)
    wins = (attempts.stop == WON) & (attempts.closed < calendar.days - 1)
    account, signed = attempts.account[wins], attempts.closed[wins]
    life = life_of.live(next(streams), firms, account, signed, calendar)
    currency = np.array([CURRENCIES.index(place.currency) for place in COUNTRIES])[firms.country]
    leads = _leads(next(streams), attempts, touches)
    deals = _deals(next(streams), firms, attempts, leads, life, (rates, currency))
    early = _move_one(deals, touches, firms)
    return World(
        calendar=calendar,
        accounts=firms,
        people=people,
        touches=touches,
        met=met,
        partner=partner,
        outcome=outcome,
        own=own,
        added=added,
        could_win=funnel.win_days(outcome, attempts, firms, next(streams)),
        attempts=attempts,
        leads=leads,
        deals=deals,
        early_deal=early,
        life=life,
        use=life_of.use(next(streams), firms, life.customers, calendar),
        poached=_poached(next(streams), attempts, calendar),
        rates=rates,
        currency=currency,
        identity=_identity(next(streams), firms, people, account),
    )


def _touches(
    rng: Rng, firms: Accounts, meetings: tuple[Bools, Ints, Ints], buying: tuple[Floats, Attempts], calendar: Calendar
) -> Touches:
    (met, begins, partner), (window, attempts) = meetings, buying
    early = market.early_touches(rng, firms, met, begins, window)
    first_lead = firms.arrives + window
    until = first_lead.copy()
    np.maximum.at(until, attempts.account, np.where(attempts.closed < funnel.LATER, attempts.closed, attempts.ended))
    until = np.minimum(until, calendar.days)
    later = market.later_touches(rng, early, until, np.minimum(first_lead, until))
    pairs = ((early.account, later.account), (early.person, later.person), (early.channel, later.channel))
    account, person, channel = (np.concatenate(pair) for pair in pairs)
    day = np.concatenate([early.day, later.day])
    whole = Touches(account, person, channel, np.full(len(day), -1), day)
    return market.with_partners(rng, whole, partner, calendar)


def _rates(rng: Rng, calendar: Calendar) -> Rates:
    first = calendar.start.replace(day=1)
    months = [date(first.year + (first.month - 1 + k) // 12, (first.month - 1 + k) % 12 + 1, 1) for k in range(25)]
    told = [month for month in months if (month - calendar.start).days < calendar.days]
    steps = rng.normal(0, [0.0, 0.012, 0.015], size=(len(told), len(CURRENCIES)))
    eur = np.array(START_RATES) * np.exp(np.cumsum(steps, axis=0))
    return Rates(told, np.array([float((month - calendar.start).days) for month in told]), np.round(eur, 8))


def _leads(rng: Rng, attempts: Attempts, touches: Touches) -> Leads:
    order = np.lexsort((attempts.created, attempts.person))
    person, first, inverse = np.unique(attempts.person[order], return_index=True, return_inverse=True)
    of_attempt = np.empty(len(order), dtype=np.int64)
    of_attempt[order] = inverse
    begun = order[first]
    created = attempts.created[begun]
    own = funnel.last_channel(touches, touches.person, person, created)
    of_account = funnel.last_channel(touches, touches.account, attempts.account[begun], created)
    channel = np.where(own < 0, of_account, own)
    forgotten = chance(rng, 0.03, len(person))
    return Leads(person, attempts.account[begun], created, np.where(forgotten, -1, channel), of_attempt)


def _deals(rng: Rng, firms: Accounts, attempts: Attempts, leads: Leads, life: Life, money: tuple[Rates, Ints]) -> Deals:
    """Gather the deals of attempts, of expansions (half of them lost) and of those who came back."""
    rates, currency = money
    new = np.flatnonzero(attempts.stop >= LOST)
    grown = np.flatnonzero(life.changes.by_deal)
    missed = grown[chance(rng, 0.8, len(grown))]
    back = life.returns
    customer = np.concatenate([life.changes.customer[grown], life.changes.customer[missed], back.customer])
    closed = np.concatenate([life.changes.day[grown] - 0.5, life.changes.day[missed] + 20, back.day - 1])
    sold = np.concatenate([life.changes.monthly[grown] * 0.33, life.changes.monthly[missed] * 0.25, back.monthly])
    paid = dict(zip(life.customers.account.tolist(), life.customers.monthly.tolist(), strict=True))
    guess = 38 * firms.employees[attempts.account[new]] ** 0.6
    monthly = [paid.get(account, eur) for account, eur in zip(attempts.account[new].tolist(), guess, strict=True)]
    account = np.concatenate([attempts.account[new], life.customers.account[customer]])
    opened = np.concatenate([attempts.opened[new], closed - 18 - rng.exponential(12.0, len(closed))])
    eur = np.concatenate([np.array(monthly), sold])
    told = np.clip(opened, 0, rates.starts[-1])
    agreed = 12 * _fees(eur, currency[account], rates.at(told, currency[account]))
    hoped = np.round(agreed * rng.choice([1.0, 1.1, 1.2, 1.35], len(agreed)), -2).astype(np.int64)
    late = (len(grown), len(missed), len(back.customer))
    return Deals(
        account=account,
        person=np.concatenate([attempts.person[new], firms.first_person[life.customers.account[customer]]]),
        type=np.repeat([NEW, EXPANSION, EXPANSION, WIN_BACK], [len(new), *late]),
        opened=opened,
        closed=np.concatenate([attempts.closed[new], closed]),
        won=np.concatenate([attempts.stop[new] == WON, np.repeat([True, False, True], late)]),
        hoped=hoped,
        agreed=agreed,
        lead=np.concatenate([leads.of_attempt[new], np.full(len(closed), -1)]),
    )


def _move_one(deals: Deals, touches: Touches, firms: Accounts) -> int:
    """Let one deal be signed before its account was ever seen, as happens where a deal is entered for an old friend."""
    first = np.full(len(firms), funnel.LATER)
    np.minimum.at(first, touches.account, touches.day)
    odd = np.flatnonzero(deals.won & (deals.type == NEW) & (first[deals.account] > 2 * EARLY_DEAL[0]))
    if not len(odd):
        return -1
    deal = int(odd[np.argmin(deals.closed[odd])])
    for column, before in ((deals.opened, EARLY_DEAL[0]), (deals.closed, EARLY_DEAL[1])):
        column[deal] = firms.arrives[deals.account[deal]] - before
    return deal


def _poached(rng: Rng, attempts: Attempts, calendar: Calendar) -> Ints:
    share = np.select([attempts.stop == WON, attempts.stop == LOST], [BUYING.poached, BUYING.poached_lost], 0.0)
    return np.flatnonzero((rng.random(len(share)) < share) & (attempts.closed < calendar.days))


def _identity(rng: Rng, firms: Accounts, people: People, signed: Ints) -> Identity:
    number, persons = len(firms), len(people.name)
    billing, tenant = [""] * number, [""] * number
    for account, serial in zip(signed.tolist(), rng.permutation(len(signed)).tolist(), strict=True):
        billing[account], tenant[account] = f"K{70_000 + serial}", f"ten-{(serial * 40_503 + 977) % (1 << 24):06x}"
    crm = [f"001{serial:06d}" for serial in (100_000 + rng.permutation(number)).tolist()]
    codes = rng.permutation(2 * persons).tolist()
    devices = [f"{(code * 2_654_435_761) % (1 << 32):08x}" for code in codes]
    return Identity(crm, billing, tenant, devices, chance(rng, 0.2, persons))


def chance_without(world: World, channel: int) -> Floats:
    """Give each account's chance of being won had it not met a channel."""
    kept = np.delete(world.added, channel, axis=1).sum(axis=1)
    return np.asarray(1 - np.exp(-(world.own + kept)))
