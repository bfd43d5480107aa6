"""IT: incidents with the customers they hit, and the projects departments run together."""

from dataclasses import dataclass

import numpy as np

from plait.demo.customers import MAJOR
from plait.demo.market import Rng
from plait.demo.sheet import NEVER, Book, Layout, digits, joined, pick, text, when
from plait.demo.world import World


@dataclass(frozen=True, slots=True)
class Project:
    """A joint project: days of the history on which it began and delivered; later than the end is not yet."""

    name: str
    departments: str
    owner: str
    begins: float
    delivers: float


PROJECTS = (
    Project("One lead definition", "marketing+sales", "Svenja Ott", 40, 130),
    Project("Single sign-on for tenants", "it+product", "Jonas Riedl", 75, 240),
    Project("Payment reminders", "finance+it", "Beate Lohr", 150, 215),
    Project("Korean web site", "marketing+it", "Seo Haneul", 190, 330),
    Project("Fair scanner into CRM", "marketing+sales+it", "Ilka Brandl", 260, 345),
    Project("On-call rota for critical tickets", "service+it", "Mira Falk", 365, 430),
    Project("Partner portal", "partners+it", "Piet Jansen", 400, 560),
    Project("Churn warning", "service+product", "Mira Falk", 480, 650),
    Project("Invoice by contract currency", "finance+sales", "Beate Lohr", 560, 690),
    Project("Warehouse move", "it+finance", "Jonas Riedl", 640, 900),
)


def export(world: World, book: Book, rng: Rng) -> None:
    """Write what IT's and operations' tools export."""
    _incidents(world, book, rng)
    _projects(world, book)


def _incidents(world: World, book: Book, rng: Rng) -> None:
    """Write one row for each incident and customer it hit, with the times of the incident."""
    incidents, customers = world.life.incidents, world.life.customers
    opened = world.calendar.instant(incidents.day)
    closed = opened + (incidents.hours * 3600).astype(np.int64)
    incident, account = incidents.hit_incident, customers.account[incidents.hit_customer]
    major = (incidents.hours > MAJOR).astype(np.int64)
    cause = rng.integers(0, 3, len(opened))
    columns = {
        "incident": joined("INC-", digits(700 + incident)),
        "tenant": pick(text(world.identity.tenant), account),
        "opened": when(opened[incident], "%Y-%m-%dT%H:%M:%S+00:00"),
        "closed": when(closed[incident], "%Y-%m-%dT%H:%M:%S+00:00"),
        "severity": pick(("minor", "major"), major[incident]),
        "cause": pick(("database", "network", "release"), cause[incident]),
    }
    book.count("ops", {"incident.opened": len(incident), "incident.closed": len(incident)})
    book.table("it/incidents/affected.csv", columns)


def _projects(world: World, book: Book) -> None:
    numbers = np.arange(len(PROJECTS))
    begins, delivers = (np.array(days) for days in zip(*((one.begins, one.delivers) for one in PROJECTS), strict=True))
    delivered = world.calendar.instant(delivers)
    columns = {
        "key": joined("PRJ-", digits(1 + numbers)),
        "name": text(one.name for one in PROJECTS),
        "departments": text(one.departments for one in PROJECTS),
        "lead": text(one.owner for one in PROJECTS),
        "started": when(world.calendar.instant(begins), "%Y-%m-%d"),
        "delivered": when(delivered, "%Y-%m-%d"),
    }
    book.count("projects", {"initiative.started": len(numbers), "initiative.delivered": (delivered != NEVER).sum()})
    book.table("it/projects/board.csv", columns, Layout(delimiter="\t"))
