"""The funnel: attempts to buy, from the lead to the signature or its end; who is won, and when."""

from dataclasses import dataclass

import numpy as np

from plait.demo.channels import BUYING
from plait.demo.market import Accounts, Calendar, Rng, Touches, chance, runs
from plait.demo.sheet import Bools, Floats, Ints

MOST_ATTEMPTS = 5
NO_MQL, AT_MQL, AT_SAL, AT_SQL, LOST, WON = range(6)  # where an attempt stops
LATER = np.inf  # a day that does not come
GIVEN_UP = ("no_timing", "no_budget", "unreachable", "wrong_person", "no_fit")
LOST_TO = ("price", "competitor", "no decision", "missing feature", "budget cut")


@dataclass(frozen=True, slots=True)
class Outcome:
    """Who is ever won (`won`), by which of its attempts (`attempts`), and the chance of it (`chance`)."""

    won: Bools
    qualified: Bools
    attempts: Ints
    chance: Floats


@dataclass(frozen=True, slots=True)
class Attempts:
    """Attempts to buy: days at which each stage was reached (LATER: never), and where it stopped.

    `ended` is the day sales gave the lead back or closed it, `closed` the day the deal was won or lost.
    """

    account: Ints
    person: Ints
    stop: Ints
    created: Floats
    mql: Floats
    sal: Floats
    sql: Floats
    opened: Floats
    closed: Floats
    ended: Floats
    recycled: Bools


def decide(rng: Rng, own: Floats, added: Floats) -> Outcome:
    """Draw who will be won: 1 - exp(-hazard). Everything later only tells when, and what it looked like."""
    likely = 1 - np.exp(-(own + added.sum(axis=1)))
    won = rng.random(len(own)) < likely
    qualified = won | (chance(rng, BUYING.qualified, len(own)))
    attempts = np.minimum(1 + rng.poisson(BUYING.attempts, len(own)), MOST_ATTEMPTS)
    return Outcome(won, qualified, np.where(qualified, attempts, 1), likely)


def first_leads(rng: Rng, accounts: Accounts) -> Floats:
    """Draw how many days after its arrival an account's first lead is recorded."""
    return np.asarray(5 + rng.gamma(2.0, 14.0, len(accounts)))


def attempt(rng: Rng, accounts: Accounts, outcome: Outcome, window: Floats) -> Attempts:
    """Draw the attempts of each account; of one that is won the last succeeds, all others stop on the way.

    Where a failed attempt stops is drawn so that over all attempts the rates of BUYING hold.
    """
    account, rank = runs(outcome.attempts)
    size = len(account)
    gaps = np.where(rank == 0, 0.0, 8 + rng.exponential(28.0, size))
    total = np.cumsum(gaps)
    first = np.flatnonzero(rank == 0)
    created = (accounts.arrives + window)[account] + total - total[first][account]
    wins = outcome.won[account] & (rank == outcome.attempts[account] - 1)
    stop = np.where(wins, WON, np.where(outcome.qualified[account], _stops(rng, size), NO_MQL))
    return _dated(rng, accounts, account, rank, created, stop)


def _stops(rng: Rng, size: int) -> Ints:
    pass_sal, pass_sql, pass_deal = BUYING.accepted, BUYING.taken_up, BUYING.opened
    shares = np.array(
        [
            1 - pass_sal,
            pass_sal * (1 - pass_sql),
            pass_sal * pass_sql * (1 - pass_deal),
            pass_sal * pass_sql * pass_deal * (1 - BUYING.won),
        ]
    )
    return rng.choice([AT_MQL, AT_SAL, AT_SQL, LOST], size, p=shares / shares.sum())


def _dated(rng: Rng, accounts: Accounts, account: Ints, rank: Ints, created: Floats, stop: Ints) -> Attempts:
    size = len(account)

    def after(day: Floats, median: float, spread: float, reached: Bools) -> Floats:
        return np.where(reached, day + median * np.exp(rng.normal(0, spread, size)), LATER)

    mql = after(created, 6.0, 0.8, stop >= AT_MQL)
    sal = after(mql, 1.8, 0.7, stop >= AT_SAL)
    sql = after(sal, 10.0, 0.6, stop >= AT_SQL)
    opened = after(sql, 2.0, 0.6, stop >= LOST)
    median = np.where(stop == WON, BUYING.cycle, BUYING.lost_cycle)
    closed = np.where(stop >= LOST, opened + median * np.exp(rng.normal(0, 0.55, size)), LATER)
    last = np.choose(np.minimum(stop, AT_SQL), [created, mql, sal, sql])
    return Attempts(
        account=account,
        person=accounts.first_person[account] + rank % np.minimum(accounts.size[account], 3),
        stop=stop,
        created=created,
        mql=mql,
        sal=sal,
        sql=sql,
        opened=opened,
        closed=closed,
        ended=after(last, 9.0, 0.6, stop <= AT_SQL),
        recycled=(stop != NO_MQL) & (chance(rng, BUYING.recycled, size)),
    )


def win_days(outcome: Outcome, attempts: Attempts, accounts: Accounts, rng: Rng) -> Floats:
    """Give the day on which each account is won, or would be were it one to be won.

    What an account not to be won would have needed is drawn from the attempts that were: the day counts for the truth
    only (who could have been won before the end), never for a file.
    """
    last = np.cumsum(outcome.attempts) - 1
    lasting = (attempts.closed - attempts.created)[attempts.stop == WON]
    drawn = rng.choice(lasting, len(accounts)) if len(lasting) else np.full(len(accounts), LATER)
    return np.where(outcome.won, attempts.closed[last], attempts.created[last] + drawn)


def last_channel(touches: Touches, met_by: Ints, subjects: Ints, days: Floats) -> Ints:
    """Give the channel of the last touch a subject had before a day; -1 where there was none.

    `met_by` names the subject of each touch: its person or its account.
    """
    order = np.lexsort((touches.day, met_by))
    subject, day, channel = met_by[order], touches.day[order], touches.channel[order]
    span = float(max(day.max(initial=0.0), np.max(days, initial=0.0))) + 1
    place = np.searchsorted(subject * span + day, subjects * span + days, side="left") - 1
    same = (place >= 0) & (subject[place] == subjects)
    return np.where(same, channel[place], -1)


def told(days: Floats, calendar: Calendar) -> Bools:
    """Tell which days lie within the history."""
    return np.asarray(days < calendar.days)
