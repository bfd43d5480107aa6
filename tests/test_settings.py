"""Settings: the zone of days and the currency of answers, stated once and never changed in silence."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from homes import stored
from hypothesis import given
from hypothesis import strategies as st
from stories import told

from plait import desk
from plait.settings import FILE, BadSettings, Settings, read_settings, write_settings

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Seoul", "Asia/Kolkata", "America/Sao_Paulo", "Pacific/Apia")


def test_a_home_without_settings_is_utc(tmp_path: Path) -> None:
    assert read_settings(tmp_path) == Settings("UTC", None)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_settings(tmp_path, Settings("Asia/Seoul", "KRW"))
    assert read_settings(tmp_path) == Settings("Asia/Seoul", "KRW")
    write_settings(tmp_path, Settings("Asia/Seoul", "KRW", date(2026, 7, 1)))
    assert read_settings(tmp_path).as_of == date(2026, 7, 1)


def test_without_a_day_numbers_look_back_from_the_end_of_today() -> None:
    """One day has one answer, and its day is today, not tomorrow."""
    settings = Settings("Asia/Seoul")
    morning, night = datetime(2026, 1, 31, 1, tzinfo=UTC), datetime(2026, 1, 31, 14, 59, tzinfo=UTC)
    assert settings.newest(morning) == settings.newest(night) == datetime(2026, 1, 31, 14, 59, 59, 999999)  # noqa: DTZ001
    assert settings.day(settings.newest(night)) == date(2026, 1, 31)
    assert Settings("Asia/Seoul", as_of=date(2025, 1, 1)).newest(night) == settings.midnight(date(2025, 1, 1))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('zone = "Mars/Phobos"', "is no IANA time zone; write one such as 'Europe/Berlin'"),
        ('zone = "Europe"', "is no IANA time zone"),
        ('zone = "../../etc/passwd"', "is no IANA time zone"),
        ('currency = "euro"', "is no code of ISO 4217; write one such as 'EUR'"),
        ("zone = Berlin", "is no valid TOML"),
        ('timezone = "UTC"', "names timezone; allowed are zone, currency and as_of"),
        ('as_of = "yesterday"', "as_of 'yesterday' is no day; write one such as 2026-07-01"),
    ],
)
def test_a_bad_file_says_what_is_allowed(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(BadSettings, match=says):
        read_settings(tmp_path)


@pytest.mark.parametrize("settings", [Settings("Mars/Phobos"), Settings("UTC", "EURO"), Settings("UTC", "EUX")])
def test_bad_settings_are_never_written(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(BadSettings):
        desk.set_up(tmp_path, settings)
    assert not (tmp_path / FILE).exists()


def test_a_misspelt_currency_is_told_its_nearest(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="did you mean 'EUR'"):
        desk.set_up(tmp_path, Settings("UTC", "EURO"))


def test_a_home_with_facts_keeps_its_zone(tmp_path: Path) -> None:
    """Until the first fact settings may be corrected; after it other ones would be answered from the old."""
    desk.set_up(tmp_path, Settings("UTC", None))
    desk.set_up(tmp_path, Settings("Europe/Berlin", "EUR"))
    stored(tmp_path, told("acme 2026-01-01 lead.mql"))
    desk.set_up(tmp_path, Settings("Europe/Berlin", "EUR"))
    with pytest.raises(BadSettings, match="has zone Europe/Berlin and currency EUR already; to change them edit"):
        desk.set_up(tmp_path, Settings("Asia/Seoul", "EUR"))
    assert read_settings(tmp_path).zone == "Europe/Berlin"


@pytest.mark.parametrize(
    ("zone", "day", "begins"),
    [
        ("Asia/Seoul", date(2026, 3, 1), datetime(2026, 2, 28, 15, tzinfo=UTC)),
        ("Europe/Berlin", date(2026, 3, 29), datetime(2026, 3, 28, 23, tzinfo=UTC)),
        ("Europe/Berlin", date(2026, 3, 30), datetime(2026, 3, 29, 22, tzinfo=UTC)),
        ("America/Sao_Paulo", date(2018, 11, 4), datetime(2018, 11, 4, 3, tzinfo=UTC)),  # midnight itself was skipped
        ("America/Havana", date(2026, 11, 1), datetime(2026, 11, 1, 4, tzinfo=UTC)),  # midnight comes twice: the first
    ],
)
def test_a_day_begins_once(zone: str, day: date, begins: datetime) -> None:
    assert Settings(zone).midnight(day) == begins.replace(tzinfo=None)


@given(st.sampled_from(ZONES), st.dates(date(1971, 1, 1), date(2037, 1, 1)))
def test_a_day_begins_at_its_first_instant(zone: str, day: date) -> None:
    settings = Settings(zone)
    if zone == "Pacific/Apia" and day == date(2011, 12, 30):
        return  # Samoa went to bed on the 29th and woke up on the 31st
    assert settings.day(settings.midnight(day)) == day
    assert settings.day(settings.midnight(day) - timedelta(microseconds=1)) < day


INSTANTS = st.datetimes(datetime(1971, 1, 1), datetime(2037, 1, 1))  # noqa: DTZ001 - naive UTC, as stored


@given(st.sampled_from(ZONES), INSTANTS, st.integers(0, 1_500), st.data())
def test_offsets_give_the_local_time_of_every_instant(
    zone: str, first: datetime, days: int, data: st.DataObject
) -> None:
    last = first + timedelta(days)
    found = Settings(zone).offsets(first, last)
    at = data.draw(st.datetimes(first, last))
    seconds = [shift for since, shift in found if since <= at][-1]
    there = at.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    assert at + timedelta(seconds=seconds) == there


def test_offsets_of_a_fact_within_the_second_of_a_change() -> None:
    """The search goes week by week from the first fact: here it lands a third of a second after clocks were changed."""
    change = datetime(2026, 3, 29, 1)  # noqa: DTZ001
    first = change - timedelta(days=14) + timedelta(microseconds=300_000)
    assert Settings("Europe/Berlin").offsets(first, change + timedelta(days=1)) == [(first, 3600), (change, 7200)]
