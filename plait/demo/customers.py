"""Customers: contracts that grow, shrink and end, failures that drive them away, orders, tickets, opinions."""

from dataclasses import dataclass

import numpy as np

from plait.demo.channels import AFFINITIES, ORDERING, POPULARITY, PRODUCTS, STAYING
from plait.demo.funnel import LATER
from plait.demo.market import Accounts, Calendar, Rng, chance, runs
from plait.demo.sheet import Bools, Floats, Ints

MONTH = 365.25 / 12
WEEK = 7.0
SLOW = 5.0  # days after which an unsolved critical ticket is a failure
MAJOR = 8.0  # hours after which an incident is a failure
LARGEST_ORDER_COUNT = 400


@dataclass(frozen=True, slots=True)
class Customers:
    """Accounts that signed: their first day, last day (LATER: still with us), what they pay a month in EUR at first."""

    account: Ints
    starts: Floats
    ends: Floats
    monthly: Floats

    def __len__(self) -> int:
        return len(self.account)


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes of contracts: `monthly` is paid from `day` on; `by_deal` tells which were sold as a deal of their own."""

    customer: Ints
    day: Floats
    monthly: Floats
    by_deal: Bools


@dataclass(frozen=True, slots=True)
class Returns:
    """Customers that left and signed again."""

    customer: Ints
    day: Floats
    monthly: Floats


@dataclass(frozen=True, slots=True)
class Exposure:
    """Customer-months in which a customer could leave, and how many left, with and without a failure just before."""

    months: dict[str, int]
    left: dict[str, int]
    failed: Ints  # customers with at least one failure


@dataclass(frozen=True, slots=True)
class Tickets:
    """Requests for help; `days` is how long the answer took."""

    customer: Ints
    day: Floats
    days: Floats
    critical: Bools

    def only(self, keep: Bools) -> "Tickets":
        """Give the tickets that are kept."""
        return Tickets(self.customer[keep], self.day[keep], self.days[keep], self.critical[keep])


@dataclass(frozen=True, slots=True)
class Incidents:
    """Failures of our systems, and which customers each one hit (`hit_incident`, `hit_customer` side by side)."""

    day: Floats
    hours: Floats
    hit_incident: Ints
    hit_customer: Ints


@dataclass(frozen=True, slots=True)
class Orders:
    """Orders beside the subscription, in EUR; `rank` counts a customer's orders from 0."""

    customer: Ints
    rank: Ints
    day: Floats
    product: Ints
    eur: Floats


@dataclass(frozen=True, slots=True)
class Use:
    """Weeks of use by a person of a customer."""

    customer: Ints
    slot: Ints
    day: Floats
    uses: Ints


@dataclass(frozen=True, slots=True)
class Life:
    """Everything that happens once a customer has signed."""

    customers: Customers
    changes: Changes
    returns: Returns
    exposure: Exposure
    tickets: Tickets
    incidents: Incidents
    orders: Orders


def live(rng: Rng, accounts: Accounts, account: Ints, signed: Floats, calendar: Calendar) -> Life:
    """Tell the life of the accounts that signed, on the days they signed."""
    starts = signed + rng.uniform(0.5, 6.0, len(account))
    monthly = 38 * accounts.employees[account] ** 0.6 * np.exp(rng.normal(0, 0.25, len(account)))
    tickets = ask_for_help(rng, accounts.employees[account], starts, calendar)
    incidents = fail(rng, starts, calendar)
    failures = failure_months(tickets, incidents, len(account), calendar)
    ends, exposure = leave(rng, starts, failures, calendar)
    customers = Customers(account, starts, ends, np.round(monthly, -1))
    changes = grow(rng, customers, calendar)
    tickets = tickets.only(tickets.day < ends[tickets.customer])
    hit = customers.ends[incidents.hit_customer] > incidents.day[incidents.hit_incident]
    return Life(
        customers=customers,
        changes=changes,
        returns=come_back(rng, customers, changes, calendar),
        exposure=exposure,
        tickets=tickets,
        incidents=Incidents(incidents.day, incidents.hours, incidents.hit_incident[hit], incidents.hit_customer[hit]),
        orders=order(rng, signed, calendar),
    )


def ask_for_help(rng: Rng, employees: Ints, starts: Floats, calendar: Calendar) -> Tickets:
    """Draw tickets from the first day to the end of the history, as if nobody ever left."""
    rate = STAYING.tickets * (employees / 100) ** (1 / 3)
    months = np.maximum(calendar.days - starts, 0) / MONTH
    customer, _ = runs(rng.poisson(rate * months))
    size = len(customer)
    day = starts[customer] + rng.random(size) * (calendar.days - starts[customer])
    critical = chance(rng, STAYING.critical, size)
    slow = critical & (chance(rng, STAYING.slow, size))
    quick = np.minimum(np.exp(rng.normal(np.where(critical, -1.2, -0.2), 0.8)), SLOW * 0.95)
    return Tickets(customer, day, np.where(slow, SLOW + 0.2 + rng.exponential(4.0, size), quick), critical)


def fail(rng: Rng, starts: Floats, calendar: Calendar) -> Incidents:
    """Draw incidents and whom they hit among those who were customers."""
    day = np.sort(rng.uniform(60, calendar.days - 5, STAYING.incidents))
    hours = np.exp(rng.normal(1.6, 0.9, STAYING.incidents))
    incident, customer = np.nonzero(
        (starts[None, :] < day[:, None]) & (chance(rng, STAYING.incident_share, (len(day), len(starts))))
    )
    return Incidents(day, hours, incident, customer)


def failure_months(tickets: Tickets, incidents: Incidents, customers: int, calendar: Calendar) -> Bools:
    """Tell in which months a customer had a failure: a critical ticket too long unsolved, or a major incident."""
    failed = np.zeros((customers, int(calendar.days / MONTH) + 2), dtype=bool)
    noticed = tickets.day + SLOW
    slow = tickets.critical & (tickets.days > SLOW) & (noticed < calendar.days)
    failed[tickets.customer[slow], (noticed[slow] / MONTH).astype(int)] = True
    major = incidents.hours[incidents.hit_incident] > MAJOR
    failed[incidents.hit_customer[major], (incidents.day[incidents.hit_incident[major]] / MONTH).astype(int)] = True
    return failed


def leave(rng: Rng, starts: Floats, failed: Bools, calendar: Calendar) -> tuple[Floats, Exposure]:
    """Let customers leave month by month; a failure in the months before multiplies the hazard."""
    ends = np.full(len(starts), LATER)
    first = (starts / MONTH).astype(int) + 1 + STAYING.spared_months
    months, left = {"failure": 0, "none": 0}, {"failure": 0, "none": 0}
    affected = np.zeros(len(starts), dtype=bool)
    for month in range(int(calendar.days / MONTH)):
        risk = (first <= month) & (ends == LATER)
        hit = failed[:, max(month - STAYING.failure_months, 0) : month].any(axis=1)
        hazard = STAYING.churn * np.where(hit, STAYING.failure_multiplier, 1.0)
        goes = risk & (rng.random(len(starts)) < 1 - np.exp(-hazard))
        ends[goes] = (month + rng.random(int(goes.sum()))) * MONTH
        affected |= risk & hit
        for name, group in (("failure", hit), ("none", ~hit)):
            months[name] += int((risk & group).sum())
            left[name] += int((goes & group).sum())
    return ends, Exposure(months, left, np.flatnonzero(affected))


def grow(rng: Rng, customers: Customers, calendar: Calendar) -> Changes:
    """Let contracts grow and shrink while they last, at most once a month."""
    monthly = customers.monthly.copy()
    rows: list[tuple[Ints, Floats, Floats, Bools]] = []
    for month in range(int(calendar.days / MONTH)):
        day = (month + rng.random(len(customers))) * MONTH
        draw, step = rng.random(len(customers)), rng.random(len(customers))
        may = (customers.starts + 45 < day) & (day < customers.ends - 1)
        more = may & (draw < STAYING.expansion)
        less = may & (draw > 1 - STAYING.contraction)
        monthly[more] = np.round(monthly[more] * (1.25 + 0.5 * step[more]), -1)
        monthly[less] = np.round(monthly[less] * (0.65 + 0.2 * step[less]), -1)
        moved = np.flatnonzero(more | less)
        by_deal = more[moved] & (chance(rng, STAYING.expansion_by_deal, len(moved)))
        rows.append((moved, day[moved], monthly[moved], by_deal))
    columns = [np.concatenate(column) for column in zip(*rows, strict=True)]
    return Changes(columns[0], columns[1], columns[2], columns[3].astype(bool))


def come_back(rng: Rng, customers: Customers, changes: Changes, calendar: Calendar) -> Returns:
    """Win some customers back, some months after they left, for a little less than they paid last."""
    last = customers.monthly.copy()
    last[changes.customer] = changes.monthly  # in order of time: the latest stays
    day = customers.ends + 45 + rng.exponential(45.0, len(customers))
    back = (chance(rng, STAYING.came_back, len(customers))) & (day < calendar.days - 1)
    return Returns(np.flatnonzero(back), day[back], np.round(last[back] * 0.9, -1))


def order(rng: Rng, signed: Floats, calendar: Calendar) -> Orders:
    """Draw orders: the first with the signature, repeats by BG/NBD, values by Gamma-Gamma, products by affinity."""
    size = len(signed)
    weekly = rng.gamma(ORDERING.r, 1 / ORDERING.alpha, size)
    lasts = rng.geometric(np.maximum(rng.beta(ORDERING.a, ORDERING.b, size), 1e-6))
    scale = rng.gamma(ORDERING.q, 1 / ORDERING.gamma, size)
    day = signed + 0.2
    product = np.zeros(size, dtype=np.int64)
    rows = []
    for rank in range(LARGEST_ORDER_COUNT):
        ordering = np.flatnonzero((day < calendar.days) & (rank <= lasts))
        if not len(ordering):
            break
        value = rng.gamma(ORDERING.p, 1, len(ordering)) / scale[ordering]
        rows.append((ordering, np.full(len(ordering), rank), day[ordering], product[ordering], value))
        day = day + WEEK * rng.exponential(1.0, size) / np.maximum(weekly, 1e-9)
        product = _following(rng, product)
    if not rows:
        return Orders(*(np.zeros(0, dtype=np.int64),) * 2, np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(0))
    return Orders(*(np.concatenate(column) for column in zip(*rows, strict=True)))


def _following(rng: Rng, product: Ints) -> Ints:
    """Draw what is ordered next: what goes with the last product as often as planted, else what is popular."""
    number = {name: place for place, name in enumerate(PRODUCTS)}
    follower, share = np.zeros(len(PRODUCTS), dtype=np.int64), np.zeros(len(PRODUCTS))
    for first, (following, often) in AFFINITIES.items():
        follower[number[first]], share[number[first]] = number[following], often
    popular = rng.choice(len(PRODUCTS), len(product), p=POPULARITY)
    return np.where(rng.random(len(product)) < share[product], follower[product], popular)


def use(rng: Rng, accounts: Accounts, customers: Customers, calendar: Calendar) -> Use:
    """Draw weekly use by each person of a customer; it falls in the last weeks of those who leave."""
    until = np.minimum(customers.ends, calendar.days)
    weeks = np.maximum((until - customers.starts) / WEEK, 0).astype(np.int64)
    customer, row = runs(weeks * accounts.size[customers.account])
    slot, week = row % accounts.size[customers.account][customer], row // accounts.size[customers.account][customer]
    day = customers.starts[customer] + week * WEEK + rng.random(len(row)) * (WEEK - 0.1)
    leaving = customers.ends[customer] - day < 6 * WEEK
    level = (
        np.where(slot == 0, 24, 9) * np.where(leaving, 0.4, 1.0) * (0.85 + 0.3 * rng.random(len(customers)))[customer]
    )
    uses = rng.poisson(level)
    used = (uses > 0) & (day < until[customer])
    return Use(customer[used], slot[used], day[used], uses[used])
