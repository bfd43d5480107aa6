"""Marketing's web tracker: visits, pages and forms as JSON lines, one packed file a quarter, in UTC."""

from dataclasses import dataclass

import numpy as np

from plait.demo.channels import AFFILIATE, CHANNELS, COUPON_SITE, DIRECT, EMAIL, EVENT, PARTNERS
from plait.demo.market import Rng, chance, runs
from plait.demo.sheet import NEVER, Bad, Book, Bools, Column, Ints, digits, joined, json_lines, pick, text, when
from plait.demo.world import World

VISIT, PAGE, FORM = range(3)
TYPES = ("session_start", "page_view", "form_submit")
PAID = ("cpc", "cpc-brand", "paid_social", "display")
PAGES = ("/", "/product", "/pricing", "/customers", "/docs/start", "/blog/one-timeline", "/demo", "/integrations")
FORMS = ("demo request", "newsletter", "fair kiosk")
CAMPAIGN_OF = {
    "paid_search": "Search EU Reporting",
    "branded_search": "Brand EU",
    "social": "Social Decision Makers",
    "retargeting": "Retargeting All",
    "email": "Product mails",
}
KIOSK = "kiosk-hall-4"
SOURCES = (*(channel.source or None for channel in CHANNELS), "sparfuchs")
MEDIA = (*(channel.medium or None for channel in CHANNELS), "affiliate")
REQUEST, NEWS, AT_KIOSK = range(3)
NO_FORM = -1


@dataclass(frozen=True, slots=True)
class Visits:
    """Visits: `device` indexes the devices of people, then those of strangers; `form` what was sent, -1 nothing."""

    person: Ints
    device: Ints
    channel: Ints
    partner: Ints
    at: Ints
    form: Ints
    pages: Ints

    def sorted(self) -> "Visits":
        """Give the visits within the history in order of time."""
        order = np.argsort(self.at, kind="stable")
        order = order[self.at[order] != NEVER]
        columns = (self.person, self.device, self.channel, self.partner, self.at, self.form, self.pages)
        return Visits(*(column[order] for column in columns))


def export(world: World, book: Book, rng: Rng) -> None:
    """Write the web tracker's events, quarter by quarter, each event once or, now and then, twice."""
    visits = _visits(world, rng)
    devices = text(
        [*world.identity.devices, *(f"{0xE0000000 + serial:08x}" for serial in range(_strangers(world))), KIOSK]
    )
    emails = text(world.people.email)
    paid = np.isin(visits.channel, [place for place, medium in enumerate(MEDIA) if medium in PAID])
    forms = int((visits.form != NO_FORM).sum())
    views = int(visits.pages.sum())
    counts = {"visit.started": len(visits.at), "ad.clicked": paid.sum(), "page.viewed": views, "form.submitted": forms}
    book.count("web", counts | {"subscriber.joined": (visits.form == NEWS).sum()})
    edges = np.searchsorted(visits.at, _quarter_starts(world))
    for number, (first, last) in enumerate(zip(edges, [*edges[1:], len(visits.at)], strict=True)):
        part = slice(int(first), int(last))
        if first < last:
            _write(book, visits, part, (devices, emails), rng, number)


def _quarter_starts(world: World) -> list[int]:
    first = (day for day, month in zip(world.rates.starts, world.rates.first_days, strict=True) if month.month % 3 == 1)
    return [0, *(world.calendar.second(day) for day in first if day > 0)]


def _strangers(world: World) -> int:
    return int(len(world.accounts) * 1.5)


def _visits(world: World, rng: Rng) -> Visits:
    parts = (_touches(world, rng), _requests(world, rng), _coupons(world, rng), _kiosk(world, rng), _noise(world, rng))
    return Visits(*(np.concatenate(column) for column in zip(*parts, strict=True))).sorted()


Part = tuple[Ints, Ints, Ints, Ints, Ints, Ints, Ints]


def _device(world: World, rng: Rng, person: Ints) -> Ints:
    """Give the device a person uses: the few who have a second one use it now and then."""
    second = world.identity.second_device[person] & (chance(rng, 0.3, len(person)))
    return 2 * person + second


def _pages(rng: Rng, visits: int) -> Ints:
    return 1 + rng.poisson(1.5, visits)


def _touches(world: World, rng: Rng) -> Part:
    """Turn touches on our site into visits; most people who send no other form ask once for the newsletter."""
    touches = world.touches.only(world.touches.channel != EVENT)
    at = world.instant(touches.account, touches.day)
    asks = ~np.isin(touches.person, world.leads.person) & chance(rng, 0.8, len(world.people.email))[touches.person]
    form = np.where(asks & _one_a_person(touches.person, at), NEWS, NO_FORM)
    device = _device(world, rng, touches.person)
    return touches.person, device, touches.channel, touches.partner, at, form, _pages(rng, len(at))


def _one_a_person(person: Ints, at: Ints) -> Bools:
    """Mark the first visit of each person within the history."""
    order = np.lexsort((np.where(at == NEVER, np.iinfo(np.int64).max, at), person))
    first = np.zeros(len(person), dtype=bool)
    first[order[np.unique(person[order], return_index=True)[1]]] = True
    return first


def _requests(world: World, rng: Rng) -> Part:
    """Let each lead begin with a visit that ends with a request for a demo."""
    leads = world.leads
    at = world.instant(leads.account, leads.created)
    channel = np.where(leads.channel < 0, DIRECT, leads.channel)
    channel = np.where(channel == EVENT, DIRECT, channel)
    device = _device(world, rng, leads.person)
    nobody = np.full(len(at), -1)
    return leads.person, device, channel, nobody, at, np.full(len(at), REQUEST), _pages(rng, len(at))


def _coupons(world: World, rng: Rng) -> Part:
    """Let buyers about to decide come once more by the coupon site."""
    attempts, rows = world.attempts, world.poached
    at = world.instant(attempts.account[rows], np.maximum(attempts.closed[rows] - 1, 0))
    person, fill = attempts.person[rows], np.full(len(rows), -1)
    channel = np.full(len(rows), AFFILIATE)
    return person, 2 * person, channel, np.full(len(rows), len(PARTNERS)), at, fill, _pages(rng, len(rows))


def _kiosk(world: World, rng: Rng) -> Part:
    """Let a number of people of different companies fill in a form on one device at a fair."""
    number = min(12 + len(world.accounts) // 100, len(world.accounts) // 2)
    account = np.sort(rng.choice(len(world.accounts), number, replace=False))
    person = world.accounts.first_person[account]
    device = np.full(number, 2 * len(world.people.email) + _strangers(world))
    at = world.calendar.instant(400 + np.linspace(0, 2.9, number))
    nobody = np.full(number, -1)
    return person, device, np.full(number, DIRECT), nobody, at, np.full(number, AT_KIOSK), np.zeros(number, np.int64)


def _noise(world: World, rng: Rng) -> Part:
    """Let strangers come by who never say who they are."""
    stranger, _ = runs(rng.choice([1, 2, 3], _strangers(world), p=[0.7, 0.2, 0.1]))
    at = world.calendar.instant(rng.random(len(stranger)) * (world.calendar.days - 0.1))
    channel = rng.choice(len(CHANNELS), len(stranger), p=[0.45, 0.2, 0.02, 0.13, 0.0, 0.0, 0.0, 0.02, 0.0, 0.18])
    nobody = np.full(len(stranger), -1)
    return nobody, 2 * len(world.people.email) + stranger, channel, nobody, at, nobody, _pages(rng, len(stranger))


def _write(book: Book, visits: Visits, part: slice, names: tuple[Column, Column], rng: Rng, number: int) -> None:
    """Write the events of the visits of a quarter."""
    rows = np.arange(part.start, part.stop)
    visit, step = runs(1 + visits.pages[rows] + (visits.form[rows] != NO_FORM))
    visit = rows[visit]
    kind = np.where(step == 0, VISIT, np.where(step <= visits.pages[visit], PAGE, FORM))
    at = visits.at[visit] + 23 * step
    order = np.argsort(at, kind="stable")
    visit, step, kind, at = visit[order], step[order], kind[order], at[order]
    lines = json_lines(_columns(visits, visit, step, kind, at, names, rng))
    bad, spoiled = [], []
    if number == 1:
        bad = [Bad("not a time", "occurred_at", {})]
        shown = when(at[:1])[0].as_py()
        spoiled = [lines[0].as_py().replace(shown, "2024-13-01T25:00:00Z").replace('"v', '"x', 1)]
    file = f"marketing/web/events-{when(visits.at[part.start : part.start + 1], '%Y-%m')[0].as_py()}.jsonl.gz"
    repeat = np.flatnonzero(chance(rng, 0.003, len(at)))
    book.lines(file, book.mess(file, lines, spoiled, bad, repeat))


def _columns(
    visits: Visits, visit: Ints, step: Ints, kind: Ints, at: Ints, names: tuple[Column, Column], rng: Rng
) -> dict[str, Column]:
    devices, emails = names
    channel = visits.channel[visit]
    says_who = (kind == FORM) | ((kind == VISIT) & (channel == EMAIL))
    partner = np.where(kind == VISIT, visits.partner[visit], -1)
    page = np.where(kind == FORM, PAGES.index("/demo"), rng.integers(0, len(PAGES), len(at)))
    return {
        "event_id": joined("v", digits(visit), "-", digits(step)),
        "type": pick(TYPES, kind),
        "ts": when(at),
        "anonymous_id": devices.take(visits.device[visit]),
        "email": pick(emails, np.where(says_who, visits.person[visit], -1)),
        "page": pick(PAGES, page),
        "utm_source": pick(SOURCES, np.where(kind == VISIT, channel, DIRECT)),
        "utm_medium": pick(MEDIA, np.where(kind == VISIT, channel, DIRECT)),
        "utm_campaign": pick(_campaigns(), np.where(kind == VISIT, channel, DIRECT)),
        "partner": pick([one.code for one in (*PARTNERS, COUPON_SITE)], partner),
        "form": pick(FORMS, np.where(kind == FORM, visits.form[visit], -1)),
    }


def _campaigns() -> list[str | None]:
    return [*(CAMPAIGN_OF.get(channel.name) for channel in CHANNELS), None]
