"""Purchases to one line per customer, and customers with equal history to one row with a weight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plait.failure import Said, Unfit
from plait.stats.clv.special import Array, Flags, Index

WEEK = 7.0
LONGEST_KEY = 63  # bits
MOST_WEEKS = 500_000.0


class BadHistory(Unfit, ValueError):
    """A customer's history cannot be: bought last before the first purchase, or after the day it was observed until."""


@dataclass(frozen=True, slots=True, eq=False)
class Purchases:
    """Who bought on which day, for how much.

    One entry per customer and day, sorted by both: `customer` 0, 1, 2 ... without gap, `day` in days from any
    beginning, `amount` in one currency (None: not known). Two purchases of a day are one.
    """

    customer: Index
    day: Index
    amount: Array | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Customers:
    """One line per customer: how often, how recently, how long known, how much.

    `x` purchases after the first (paper: x), `t_x` time of the last since the first, `age` from the first until the
    end of observation (T); `spend` mean value of the purchases after the first that have one (z̄; 0 where none has),
    `valued` how many those are. `who` is the number of the customer in the purchases.
    """

    x: Array
    t_x: Array
    age: Array
    spend: Array | None = None
    valued: Array | None = None
    who: Index | None = None

    @property
    def count(self) -> int:
        """How many customers there are."""
        return int(self.x.size)

    @property
    def repeat(self) -> int:
        """How many of them bought again."""
        return int(np.count_nonzero(self.x))


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Customers with equal `x`, `t_x`, `age` (and `valued`) as one row.

    Sorted by x, then age: rows of one `cell` have both in common and lie together. `weight` is the number of
    customers of a row, `of` the row of each customer.
    """

    x: Array
    t_x: Array
    age: Array
    valued: Array
    weight: Array
    cell: Index
    of: Index

    @property
    def customers(self) -> int:
        """How many customers the rows stand for."""
        return int(self.weight.sum())

    @property
    def repeat(self) -> int:
        """How many of them bought again."""
        return int(self.weight[self.x > 0].sum())

    def thinned(self, most: int) -> Rows:
        """Give about `most` of the rows, evenly: enough to find where the likelihood is high."""
        k = max(1, self.x.size // most)
        x, t_x, age, valued, weight = self.x[::k], self.t_x[::k], self.age[::k], self.valued[::k], self.weight[::k]
        return Rows(x, t_x, age, valued, weight, self.cell[::k], self.of[:0])


def summarise(purchases: Purchases, until: int, *, unit: float = WEEK) -> Customers:
    """Tell each customer's purchases up to and including the day `until` as one line; times in `unit` days.

    Who bought first after `until` is not there yet. A purchase with no positive value counts in `x`, not in `spend`.
    Source: Fader, Hardie & Lee 2005, section 2.
    """
    seen = purchases.day <= until
    customer, day = purchases.customer[seen], purchases.day[seen]
    if not customer.size:
        nobody = np.zeros(0)
        return Customers(nobody, nobody, nobody, nobody, nobody, np.zeros(0, np.int64))
    first = np.flatnonzero(np.diff(customer, prepend=-1))
    last = np.append(first[1:], customer.size) - 1
    x = (last - first).astype(np.float64)
    t_x, age = (day[last] - day[first]) / unit, (until - day[first]) / unit
    if purchases.amount is None:
        return Customers(x, t_x, age, who=customer[first])
    amount = np.maximum(purchases.amount[seen], 0.0)
    amount[first] = 0.0
    valued = np.add.reduceat((amount > 0).astype(np.float64), first)
    spend = np.add.reduceat(amount, first) / np.maximum(valued, 1.0)
    return Customers(x, t_x, age, spend, valued, customer[first])


def counted(purchases: Purchases, after: int, until: int, who: Index) -> tuple[Array, Array]:
    """Count the purchases of each of `who` in the days (after, until], and sum what they came to."""
    seen = (purchases.day > after) & (purchases.day <= until)
    size = int(purchases.customer.max(initial=-1)) + 1
    number = np.bincount(purchases.customer[seen], minlength=size).astype(np.float64)
    amount = None if purchases.amount is None else np.maximum(purchases.amount[seen], 0.0)
    money = np.bincount(purchases.customer[seen], weights=amount, minlength=size)
    return number[who], money.astype(np.float64)[who]


def collapse(customers: Customers) -> Rows:
    """Count customers with equal history together; what is impossible is refused."""
    refuse_impossible(customers)
    valued = customers.valued if customers.valued is not None else customers.x
    parts = [customers.x, customers.age, customers.t_x]
    if valued is not customers.x and not np.array_equal(valued, customers.x):
        parts.insert(2, valued)
    order = _ordered(parts)
    begins = np.ones(order.size, bool)
    begins[1:] = np.logical_or.reduce([np.diff(part[order]) != 0 for part in parts])
    of = np.empty(order.size, np.int64)
    of[order] = np.cumsum(begins) - 1
    at, first = np.flatnonzero(begins), order[begins]
    x, age = customers.x[first], customers.age[first]
    cell = np.ones(x.size, bool)
    cell[1:] = (np.diff(x) != 0) | (np.diff(age) != 0)
    weight = np.diff(at, append=order.size).astype(np.float64)
    return Rows(x, customers.t_x[first], age, valued[first], weight, np.cumsum(cell) - 1, of)


def _ordered(parts: list[Array]) -> Index:
    """Sort by the first part, then the second, ...: as one number with the place behind it, where that is not too long.

    Sorting numbers is several times faster than sorting their places.
    """
    size = parts[0].size
    bits = max(1, int(size).bit_length())
    uniques = [np.unique(part) for part in parts]
    if sum(int(one.size).bit_length() for one in uniques) + bits > LONGEST_KEY:
        return np.lexsort(parts[::-1])
    key = np.zeros(size, np.int64)
    for part, unique in zip(parts, uniques, strict=True):
        key = (key << int(unique.size).bit_length()) | _place(unique, part)
    key = (key << bits) | np.arange(size)
    key.sort()
    return key & ((1 << bits) - 1)


def _place(unique: Array, values: Array) -> Index:
    """Give the place of each value among the unique ones: looked up where no two lie in one day, else searched for."""
    if unique.size and unique[-1] < MOST_WEEKS:
        slots = np.rint(unique * WEEK).astype(np.int64)
        if (np.diff(slots) > 0).all():
            table = np.zeros(int(slots[-1]) + 1, np.int64)
            table[slots] = np.arange(unique.size)
            return table[np.rint(values * WEEK).astype(np.int64)]
    return np.searchsorted(unique, values)


def refuse_impossible(customers: Customers) -> None:
    """Refuse customers whose history cannot be, naming the first."""
    x, t_x, age = customers.x, customers.t_x, customers.age
    numbers = np.isfinite(x) & np.isfinite(t_x) & np.isfinite(age)
    for wrong, says in (
        (~numbers, Said("a number is missing or is none")),
        (x < 0, Said("the count of repeat purchases is below 0")),
        (x != np.floor(x), Said("the count of repeat purchases is no whole number")),
        ((x == 0) & (t_x != 0), Said("nothing was bought again, and yet there is a time of the last purchase")),
        ((x > 0) & (t_x <= 0), Said("there are repeat purchases, and yet the last is at the time of the first")),
        (t_x > age, Said("the last purchase is later than the end of observation (t_x > T)")),
    ):
        refuse_first(wrong, says)


def refuse_first(wrong: Flags, says: Said) -> None:
    """Refuse when any customer is wrong; say which line, and how many."""
    if wrong.any():
        raise BadHistory(
            Said(
                "customer {number} of the list: {says}. {count} are like this; correct them or leave them out.",
                number=int(np.argmax(wrong)) + 1,
                says=says,
                count=int(np.count_nonzero(wrong)),
            )
        )
