"""Product: tenants, their users, trials and weekly use, as an American product writes its times."""

import numpy as np

from plait.demo.market import Rng, chance
from plait.demo.sheet import NEVER, Bad, Book, Column, Ints, Layout, digits, joined, pick, text, when
from plait.demo.world import World

US_TIME = "%m/%d/%Y %I:%M %p"
NEW_YORK = "America/New_York"
MODULES = ("Timeline", "Dashboards", "Exports", "Alerts")


def export(world: World, book: Book, rng: Rng) -> None:
    """Write what the product's own database exports."""
    _tenants(world, book)
    _users(world, book)
    _trials(world, book, rng)
    _use(world, book)


def _tenants(world: World, book: Book) -> None:
    customers = world.life.customers
    at = world.instant(customers.account, customers.starts)
    rows = np.flatnonzero(at != NEVER)
    columns = {
        "tenant": pick(text(world.identity.tenant), customers.account[rows]),
        "name": pick(text(world.accounts.plain), customers.account[rows]),
        "domain": pick(text(world.accounts.domain), customers.account[rows]),
        "created": when(at[rows], US_TIME, NEW_YORK),
    }
    book.count("product", {"account.created": len(rows)})
    book.table("product/tenants.csv", columns, Layout(quoted=("name",)))


def _user_ids(person: Ints) -> Column:
    return joined("u", digits(person))


def _users(world: World, book: Book) -> None:
    """Write the users: every person of a customer, since the first day."""
    customers, firms = world.life.customers, world.accounts
    owner = np.repeat(np.arange(len(customers)), firms.size[customers.account])
    rank = np.arange(len(owner)) - np.repeat(np.cumsum(firms.size[customers.account]) - firms.size[customers.account],
                                             firms.size[customers.account])  # fmt: skip
    account = customers.account[owner]
    person = firms.first_person[account] + rank
    at = world.instant(account, customers.starts[owner])
    rows = np.flatnonzero(at != NEVER)
    columns = {
        "user": _user_ids(person[rows]),
        "tenant": pick(text(world.identity.tenant), account[rows]),
        "email": pick(text(world.people.email), person[rows]),
        "name": pick(text(world.people.name), person[rows]),
        "since": when(at[rows] + 600, US_TIME, NEW_YORK),
    }
    book.count("product", {"contact.created": len(rows)})
    book.table("product/users.csv", columns, Layout(quoted=("name",)))


def _trials(world: World, book: Book, rng: Rng) -> None:
    """Write trials: some leads try the product some days after they were recorded."""
    leads = world.leads
    tries = chance(rng, 0.2, len(leads.person))
    at = world.instant(leads.account, leads.created + 2 + 5 * rng.random(len(tries)))
    rows = np.flatnonzero(tries & (at != NEVER))
    rows = rows[np.argsort(at[rows], kind="stable")]
    columns = {
        "trial": joined("tr", digits(1 + np.arange(len(rows)))),
        "started": when(at[rows], US_TIME, NEW_YORK),
        "email": pick(text(world.people.email), leads.person[rows]),
        "user": _user_ids(leads.person[rows]),
        "plan": pick(("Team", "Enterprise"), rng.integers(0, 2, len(rows))),
    }
    book.count("product", {"trial.started": len(rows)})
    book.table("product/trials.csv", columns)


def _use(world: World, book: Book) -> None:
    use, customers = world.use, world.life.customers
    account = customers.account[use.customer]
    at = world.instant(account, use.day)
    rows = np.flatnonzero(at != NEVER)
    rows = rows[np.argsort(at[rows], kind="stable")]
    account = account[rows]
    columns = {
        "tenant": pick(text(world.identity.tenant), account),
        "user": _user_ids(world.accounts.first_person[account] + use.slot[rows]),
        "week_of": when(at[rows], US_TIME, NEW_YORK),
        "module": pick(MODULES, (use.customer[rows] + use.slot[rows]) % len(MODULES)),
        "uses": digits(use.uses[rows]),
        "row": digits(1 + np.arange(len(rows))),
    }
    book.count("product", {"product.used": len(rows)})
    bad = [Bad("not a number", "quantity", {"row": "x1", "uses": "many"})]
    book.table(
        "product/use_weekly.csv.gz", columns, Layout(delimiter="|"), bad=bad, repeat=np.arange(40, len(rows), 997)
    )
