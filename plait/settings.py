"""What a firm states once for its home: the zone of its days, the currency it reports in, the day it looks from."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from plait.failure import Said, Unfit

FILE = "plait.toml"
WRITTEN = """\
# Settings of this plait home. After a change run `plait store rebuild`.
zone = {zone}          # IANA name of the time zone in which days, months and years begin
currency = {currency}  # ISO 4217 code of the currency to report in; "" leaves each amount in its own
as_of = {as_of}  # the day from which numbers look back when nobody names one; "" is today
"""


class BadSettings(Unfit, ValueError):
    """The home's plait.toml says something that plait does not understand."""


@dataclass(frozen=True, slots=True)
class Settings:
    """A home's settings; `currency` is None where amounts are left in their own.

    `as_of` is the day from which numbers look back when nobody names one, for a home whose facts end in the past, such
    as the demo's; None is today.
    """

    zone: str = "UTC"
    currency: str | None = None
    as_of: date | None = None

    def newest(self, now: datetime) -> datetime:
        """Give the first instant not seen when nobody names one, in naive UTC: `as_of`, or the end of today.

        A fact of the future is refused on load, so the end of today shows all that is known, and what is asked twice
        on one day has one answer. It is the last microsecond, so that its local day is today.
        """
        if self.as_of is not None:
            return self.midnight(self.as_of)
        today = self.day(now.astimezone(UTC).replace(tzinfo=None))
        return self.midnight(today + timedelta(days=1)) - timedelta(microseconds=1)

    def present(self, now: datetime) -> datetime:
        """Give the instant at which people act in this home, in naive UTC: now.

        In a home that looks from a day of the past it is the same time of day on the last day before it, so that what
        people do there is seen.
        """
        instant = now.astimezone(UTC).replace(tzinfo=None)
        if self.as_of is None or instant < self.midnight(self.as_of):
            return instant
        return self.midnight(self.as_of - timedelta(days=1)) + (instant - self.midnight(self.day(instant)))

    def midnight(self, day: date) -> datetime:
        """Give the instant at which a day begins in the zone, in naive UTC."""
        return datetime.combine(day, time(), ZoneInfo(self.zone)).astimezone(UTC).replace(tzinfo=None)

    def day(self, instant: datetime) -> date:
        """Give the local day of an instant in naive UTC."""
        return instant.replace(tzinfo=UTC).astimezone(ZoneInfo(self.zone)).date()

    def offsets(self, first: datetime, last: datetime) -> list[tuple[datetime, int]]:
        """Give the zone's seconds east of UTC between two instants (naive UTC): (from when, seconds), in order."""
        found = [(first, self._offset(first))]
        at = first.replace(microsecond=0)  # clocks change at whole seconds
        while at <= last:
            after = at + timedelta(days=7)
            if self._offset(after) != found[-1][1]:
                change = self._change(at, after)
                found.append((change, self._offset(change)))
            at = after
        return found

    def _change(self, before: datetime, after: datetime) -> datetime:
        """Find the second at which the offset changes between two instants."""
        while after - before > timedelta(seconds=1):
            middle = (before + (after - before) / 2).replace(microsecond=0)
            before, after = (middle, after) if self._offset(middle) == self._offset(before) else (before, middle)
        return after

    def _offset(self, instant: datetime) -> int:
        there = instant.replace(tzinfo=UTC).astimezone(ZoneInfo(self.zone)).utcoffset()
        return int(there.total_seconds()) if there else 0


def read_settings(home: Path) -> Settings:
    """Read a home's settings; without a file they are UTC and no reporting currency."""
    path = home / FILE
    if not path.exists():
        return Settings()
    try:
        stated = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(Said("{file} is no valid TOML: {error}.", file=str(path), error=str(error))) from error
    unknown = set(stated) - {"zone", "currency", "as_of"}
    if unknown:
        names = ", ".join(sorted(unknown))
        raise BadSettings(
            Said("{file} names {names}; allowed are zone, currency and as_of.", file=str(path), names=names)
        )
    try:
        as_of = date.fromisoformat(str(stated["as_of"])) if stated.get("as_of") else None
    except ValueError:
        says = Said(
            "{file}: as_of {given} is no day; write one such as 2026-07-01.",
            file=str(path), given=repr(stated["as_of"]),
        )  # fmt: skip
        raise BadSettings(says) from None
    settings = Settings(str(stated.get("zone", "UTC")), str(stated.get("currency", "")) or None, as_of)
    _check(settings, path)
    return settings


def _check(settings: Settings, path: Path) -> None:
    """Refuse settings that nothing could be counted by."""
    try:
        ZoneInfo(settings.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        says = Said(
            "{file}: zone {zone!r} is no IANA time zone; write one such as 'Europe/Berlin'.",
            file=str(path), zone=settings.zone,
        )  # fmt: skip
        raise BadSettings(says) from None
    if settings.currency is not None and not re.fullmatch("[A-Z]{3}", settings.currency):
        says = Said(
            "{file}: currency {currency!r} is no code of ISO 4217; write one such as 'EUR'.",
            file=str(path), currency=settings.currency,
        )  # fmt: skip
        raise BadSettings(says)


def write_settings(home: Path, settings: Settings) -> None:
    """Write a home's settings file; settings that `read_settings` would refuse are refused here."""
    _check(settings, home / FILE)
    home.mkdir(parents=True, exist_ok=True)
    stated = (settings.zone, settings.currency or "", settings.as_of or "")
    text = WRITTEN.format(**dict(zip(("zone", "currency", "as_of"), (f'"{value}"' for value in stated), strict=True)))
    (home / FILE).write_text(text, "utf-8")
