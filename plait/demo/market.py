"""The market: companies, their people, what they meet of us and when; the first half of the simulated world."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from plait.demo.channels import (
    BUYING,
    CHANNELS,
    PARTNER,
    PARTNER_FALL,
    PARTNER_FALL_BEFORE_END,
    PARTNERS,
    SHIFT_BEFORE_END,
)
from plait.demo.sheet import NEVER, Bools, Floats, Ints
from plait.demo.words import LANGUAGES, Language, Word

Rng = np.random.Generator
DAY = 86_400
HISTORY = 730  # days
FREE_MAIL = ("gmail.com", "outlook.com")
LOCAL_FREE_MAIL = {"de": ("gmx.de", "web.de"), "fr": ("orange.fr", "laposte.net"), "ko": ("naver.com", "daum.net")}
INDUSTRIES = ("manufacturing", "software", "retail", "logistics", "health", "finance", "public")
SEGMENTS = ("small", "medium", "large")
GRADES = ("A", "B", "C", "D")
TITLES = ("Head of IT", "Managing Director", "Purchasing", "Operations Manager", "Data Analyst")


@dataclass(frozen=True, slots=True)
class Country:
    """A country we sell to; `shift` is how many hours its working day lies after the German one."""

    code: str
    share: float
    currency: str
    language: str
    shift: int
    team: str


COUNTRIES = (
    Country("DE", 0.25, "EUR", "de", 0, "DACH"),
    Country("AT", 0.05, "EUR", "de", 0, "DACH"),
    Country("FR", 0.12, "EUR", "fr", 0, "South"),
    Country("ES", 0.07, "EUR", "es", 0, "South"),
    Country("IT", 0.06, "EUR", "it", 0, "South"),
    Country("NL", 0.06, "EUR", "nl", 0, "DACH"),
    Country("SE", 0.04, "EUR", "sv", 0, "DACH"),
    Country("GB", 0.06, "EUR", "en", 1, "DACH"),
    Country("US", 0.17, "USD", "en", 6, "America"),
    Country("KR", 0.12, "KRW", "ko", -7, "Korea"),
)
CODES = tuple(country.code for country in COUNTRIES)
KOREA = CODES.index("KR")
TEAMS = {
    "DACH": ("Svenja Ott", "Malte Kern", "Ilka Brandl", "Timo Rust"),
    "South": ("Camille Aubry", "Iker Solano", "Fabio Lenti"),
    "America": ("Dana Whitlow", "Marcus Teel"),
    "Korea": ("Seo Haneul", "Bae Jiho"),
}
SELLERS = tuple(name for team in TEAMS.values() for name in team)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days that are told: [start, start + days). A day with a fraction becomes an instant within working hours."""

    start: date
    days: int

    @property
    def end(self) -> int:
        """The first instant that is not told any more, in seconds since 1970."""
        return self.second(self.days)

    def second(self, day: float) -> int:
        """Give the instant at which a day begins in UTC."""
        midnight = datetime.combine(self.start, time(), UTC)
        return int((midnight + timedelta(days=int(day))).timestamp())

    def instant(self, days: Floats, shift: Ints | int = 0) -> Ints:
        """Squeeze each day into 6:30 to 17:30 UTC, moved by `shift` hours: what came first still comes first.

        What lies at or after the end is NEVER.
        """
        inside = np.where(days < self.days, days, 0.0)
        whole = np.floor(inside)
        second = self.second(0) + whole * DAY + 6.5 * 3600 + (inside - whole) * 11 * 3600 + np.asarray(shift) * 3600
        return np.where((days < self.days) & (second < self.end), second, NEVER).astype(np.int64)


@dataclass(frozen=True, slots=True)
class People:
    """The people of the companies, those of one company side by side; `email` may be shared or a free mailbox."""

    account: Ints
    slot: Ints
    name: list[str]
    email: list[str]


@dataclass(frozen=True, slots=True)
class Accounts:
    """The companies. `intent` is what they want of themselves, `grade` what the CRM sees of it; `arrives` is a day."""

    name: list[str]
    plain: list[str]
    domain: list[str]
    country: Ints
    industry: Ints
    employees: Ints
    intent: Floats
    grade: Ints
    arrives: Floats
    seller: Ints
    shift: Ints
    first_person: Ints
    size: Ints

    def __len__(self) -> int:
        return len(self.name)


@dataclass(frozen=True, slots=True)
class Touches:
    """What people met of us, by day; `partner` is an index of PARTNERS or -1."""

    account: Ints
    person: Ints
    channel: Ints
    partner: Ints
    day: Floats

    def only(self, keep: Bools) -> "Touches":
        """Give the touches that are kept."""
        return Touches(self.account[keep], self.person[keep], self.channel[keep], self.partner[keep], self.day[keep])


def chance(rng: Rng, share: float, number: int | tuple[int, ...]) -> Bools:
    """Draw what happens with a chance of `share`."""
    return np.asarray(rng.random(number) < share)


def runs(counts: Ints) -> tuple[Ints, Ints]:
    """Give for each of `counts` as many rows: the index it came from, and its rank among them from 0."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)


def make_accounts(rng: Rng, number: int, calendar: Calendar) -> Accounts:
    """Draw companies: more arrive as time goes on, most are small, intent is hidden behind a grade."""
    country = rng.choice(len(COUNTRIES), number, p=[place.share for place in COUNTRIES])
    intent = rng.normal(size=number)
    graded = np.sqrt(BUYING.seen) * intent + np.sqrt(1 - BUYING.seen) * rng.normal(size=number)
    employees = np.clip(np.exp(rng.normal(4.6, 1.1, number)), 5, 20_000).astype(np.int64)
    grown = rng.random(number)  # density rises in a straight line from 1 to 1.25
    arrives = np.sort(calendar.days * (np.sqrt(1 + 0.5625 * grown) - 1) / 0.25)
    people = rng.choice([2, 3, 4], number, p=[0.45, 0.35, 0.2])
    names, plain, domains = _company_names(rng, country)
    return Accounts(
        name=names,
        plain=plain,
        domain=domains,
        country=country,
        industry=rng.choice(len(INDUSTRIES), number, p=[0.24, 0.18, 0.16, 0.13, 0.12, 0.1, 0.07]),
        employees=employees,
        intent=intent,
        grade=np.searchsorted([-0.8, 0.0, 0.8], -graded).astype(np.int64),
        arrives=arrives,
        seller=_sellers(rng, country),
        shift=np.array([place.shift for place in COUNTRIES])[country],
        first_person=np.cumsum(people) - people,
        size=people,
    )


def _sellers(rng: Rng, country: Ints) -> Ints:
    first = {team: SELLERS.index(names[0]) for team, names in TEAMS.items()}
    starts = np.array([first[place.team] for place in COUNTRIES])[country]
    sizes = np.array([len(TEAMS[place.team]) for place in COUNTRIES])[country]
    return np.asarray(starts + (rng.random(len(country)) * sizes).astype(np.int64))


def _company_names(rng: Rng, country: Ints) -> tuple[list[str], list[str], list[str]]:
    """Name companies; the second list is the name in Latin letters, the third the domain, unique."""
    draws = rng.integers(0, 1 << 30, size=(len(country), 3)).tolist()
    names, plain, domains = [], [], []
    taken: Counter[str] = Counter()
    for place, (start, end, legal) in zip(country.tolist(), draws, strict=True):
        language = LANGUAGES[COUNTRIES[place].language]
        first, second = language.starts[start % len(language.starts)], language.ends[end % len(language.ends)]
        host = first.latin + second.latin
        taken[host] += 1
        serial = f" {taken[host]}" if taken[host] > 1 else ""
        form = language.legal[legal % len(language.legal)]
        names.append(_company(language, first, second, serial, form))
        plain.append(f"{first.latin.title()} {second.latin.title()}{serial}" if language.family_first else names[-1])
        domains.append(f"{host}{serial.strip() and '-' + serial.strip()}.example")
    return names, plain, domains


def _company(language: Language, first: Word, second: Word, serial: str, legal: str) -> str:
    if language.family_first:
        return f"{legal} {first.text}{second.text}{serial}"
    return f"{first.text} {second.text.title()}{serial} {legal}"


def make_people(rng: Rng, accounts: Accounts) -> People:
    """Draw the people of each company: a few write from free mailboxes, a few companies share info@ among them."""
    owner, slot = runs(accounts.size)
    draws = rng.integers(0, 1 << 30, size=(len(owner), 2)).tolist()
    free = chance(rng, 0.06, len(owner))
    shared = (chance(rng, 0.03, len(accounts)))[owner] & (slot > 0)
    names, emails = [], []
    taken: set[str] = set()
    for row, (account, (given, family)) in enumerate(zip(owner.tolist(), draws, strict=True)):
        language = LANGUAGES[COUNTRIES[accounts.country[account]].language]
        first, last = language.given[given % len(language.given)], language.family[family % len(language.family)]
        names.append(f"{last.text}{first.text}" if language.family_first else f"{first.text} {last.text}")
        email = f"{first.latin}.{last.latin}@{accounts.domain[account]}"
        if free[row]:
            hosts = (*FREE_MAIL, *LOCAL_FREE_MAIL.get(COUNTRIES[accounts.country[account]].language, ()))
            email = f"{first.latin}.{last.latin}{row}@{hosts[given % len(hosts)]}"
        elif shared[row]:
            email = f"info@{accounts.domain[account]}"
        elif email in taken:
            email = email.replace("@", f"{row}@")
        taken.add(email)
        emails.append(email)
    return People(account=owner, slot=slot, name=names, email=emails)


def met_channels(rng: Rng, accounts: Accounts, calendar: Calendar) -> tuple[Bools, Ints, Ints]:
    """Draw which channels each account meets before its first lead, the one it begins with, and its partner."""
    late = accounts.arrives >= calendar.days - SHIFT_BEFORE_END
    mixes = np.array([[c.starts for c in CHANNELS], [c.starts_later for c in CHANNELS]])
    edges = np.cumsum(mixes / mixes.sum(axis=1, keepdims=True), axis=1)[late.astype(int)]
    begins = (rng.random((len(accounts), 1)) > edges).sum(axis=1)
    logit = np.array([c.reach for c in CHANNELS]) + np.outer(accounts.intent, [c.selection for c in CHANNELS])
    met = rng.random(logit.shape) < 1 / (1 + np.exp(-logit))
    met[np.arange(len(accounts)), begins] = True
    partner = rng.choice(len(PARTNERS), len(accounts), p=[partner.share for partner in PARTNERS])
    return met, begins, np.where(met[:, PARTNER], partner, -1)


def early_touches(rng: Rng, accounts: Accounts, met: Bools, begins: Ints, window: Floats) -> Touches:
    """Draw the touches of each account between its arrival and its first lead, `window` days later."""
    account, channel = np.nonzero(met)
    row, rank = runs(1 + rng.poisson(0.9, len(account)))
    account, channel = account[row], channel[row]
    day = accounts.arrives[account] + rng.random(len(row)) * window[account] * 0.98
    opening = (rank == 0) & (channel == begins[account])
    day[opening] = accounts.arrives[account[opening]]
    slot = np.where(opening, 0, (rng.random(len(row)) * np.minimum(accounts.size[account], 3)).astype(np.int64))
    return Touches(account, accounts.first_person[account] + slot, channel, np.full(len(row), -1), day)


def later_touches(rng: Rng, early: Touches, until: Floats, since: Floats) -> Touches:
    """Draw touches after the first lead, about three a quarter, through channels the account has met before."""
    counts = np.bincount(early.account, minlength=len(until))
    first = np.cumsum(counts) - counts
    account, _ = runs(rng.poisson(0.035 * np.maximum(until - since, 0)))
    chosen = np.argsort(early.account, kind="stable")[
        first[account] + (rng.random(len(account)) * counts[account]).astype(np.int64)
    ]
    day = since[account] + rng.random(len(account)) * (until - since)[account]
    return Touches(account, early.person[chosen], early.channel[chosen], np.full(len(account), -1), day)


def with_partners(rng: Rng, touches: Touches, partner: Ints, calendar: Calendar) -> Touches:
    """Name the partner of each partner touch; the falling partner loses most of its touches towards the end."""
    named = np.where(touches.channel == PARTNER, partner[touches.account], -1)
    falling = np.isin(named, [number for number, one in enumerate(PARTNERS) if one.falls])
    late = touches.day >= calendar.days - PARTNER_FALL_BEFORE_END
    lost = falling & late & (chance(rng, PARTNER_FALL, len(named)))
    whole = Touches(touches.account, touches.person, touches.channel, named, touches.day)
    return whole.only(~lost & (touches.day < calendar.days))


def hazards(accounts: Accounts, met: Bools, partner: Ints) -> tuple[Floats, Floats]:
    """Give each account's own hazard of being won, and what each channel it met adds (accounts x channels)."""
    added = met * np.array([channel.effect for channel in CHANNELS])
    strength = np.array([*(one.strength for one in PARTNERS), 1.0])  # -1 takes the last
    added[:, PARTNER] *= strength[partner]
    return BUYING.base * np.exp(BUYING.pull * accounts.intent), added
