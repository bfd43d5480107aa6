"""Sorts of values: what the cells of a column are - days, numbers, addresses, ids - told from the values alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from plait.facts import CURRENCIES
from plait.failure import Said
from plait.sources.expression import EPOCHS
from plait.sources.proposal.vocabulary import is_outcome

EMPTY, YES_NO, WHOLE, NUMBER, TIME = (
    Said("empty"),
    Said("yes or no"),
    Said("whole number"),
    Said("number"),
    Said("time"),
)
EMAIL, PHONE, DOMAIN, URL = Said("e-mail"), Said("phone"), Said("domain"), Said("web address")
CURRENCY, JSON, OPAQUE, ENUM, TEXT = Said("currency"), Said("JSON"), Said("opaque id"), Said("one of few"), Said("text")
ENOUGH = 0.97  # share of the values that must be of a sort
MOST_CHOICES = 40
_EPOCH = {"unix": (300_000_000, 4_200_000_000), "unix_ms": (300_000_000_000, 4_200_000_000_000),
          "unix_us": (300_000_000_000_000, 4_200_000_000_000_000)}  # fmt: skip

_ISO = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?: ?(?:[Zz]|UTC|[+-]\d\d(?::?\d\d)?))?)?"
)
_OFFSET = re.compile(r"(?:[Zz]|UTC|GMT|[+-]\d\d:?\d\d)$")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_URL = re.compile(r"(?i)https?://\S+")
_DOMAIN = re.compile(r"(?i)(?:www\.)?(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}/?")
_PHONE = re.compile(r"\+?[\d(][\d\s()./-]{6,20}(?:x\d+)?")
_UUID = re.compile(r"(?i)\{?[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\}?|[0-9a-f]{24,64}")
_MIXED = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9_+/=.:#-]{5,64}|[A-Z]{1,5}[-_]?\d+|\d{11,}")
_SIGN = r"[$€£¥₩₹]|[A-Z]{3}|(?:US|R|kr|Fr)\.?\$?|원|zł"
_MONEY = re.compile(
    rf"[+-]?\s*(?P<before>{_SIGN})?\s*[+-]?\s*(?P<number>\d[\d.,'\s\xa0\u202f]*)\s*(?P<after>{_SIGN}|€|kr)?"
)
SIGNS = {"$": "USD", "US$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₩": "KRW", "원": "KRW", "₹": "INR", "R$": "BRL"}

# Ways to write a day, and a time behind it; `%d/%m/%Y` and its mirror are told apart by values above 12, or asked.
_DAYS: tuple[tuple[str, str], ...] = (
    (r"\d{4}-\d{1,2}-\d{1,2}", "%Y-%m-%d"), (r"\d{4}/\d{1,2}/\d{1,2}", "%Y/%m/%d"),
    (r"\d{4}\.\d{1,2}\.\d{1,2}", "%Y.%m.%d"), (r"\d{4}\. \d{1,2}\. \d{1,2}\.?", "%Y. %m. %d."),
    (r"\d{4}년 \d{1,2}월 \d{1,2}일", "%Y년 %m월 %d일"), (r"\d{1,2}\.\d{1,2}\.\d{4}", "%d.%m.%Y"),
    (r"\d{1,2}/\d{1,2}/\d{4}", "%d/%m/%Y"), (r"\d{1,2}-\d{1,2}-\d{4}", "%d-%m-%Y"),
    (r"\d{1,2}/\d{1,2}/\d\d", "%d/%m/%y"), (r"\d{1,2}\.\d{1,2}\.\d\d", "%d.%m.%y"),
    (r"\d{1,2} [A-Z][a-z]{2} \d{4}", "%d %b %Y"), (r"\d{1,2}-[A-Z][a-z]{2}-\d{4}", "%d-%b-%Y"),
    (r"[A-Z][a-z]{2} \d{1,2}, \d{4}", "%b %d, %Y"), (r"[A-Z][a-z]{3,8} \d{1,2}, \d{4}", "%B %d, %Y"),
    (r"\d{8}", "%Y%m%d"),
)  # fmt: skip
_CLOCKS: tuple[tuple[str, str], ...] = (
    ("", ""), (r"{t}\d{{1,2}}:\d\d", "{t}%H:%M"), (r"{t}\d{{1,2}}:\d\d:\d\d", "{t}%H:%M:%S"),
    (r"{t}\d{{1,2}}:\d\d:\d\d\.\d+", "{t}%H:%M:%S.%f"), (r"{t}\d{{1,2}}:\d\d [AaPp][Mm]", "{t}%I:%M %p"),
    (r"{t}\d{{1,2}}:\d\d:\d\d [AaPp][Mm]", "{t}%I:%M:%S %p"),
)  # fmt: skip
_ZONES: tuple[tuple[str, str], ...] = (("", ""), (r" UTC", " UTC"), (r" ?[+-]\d\d:?\d\d", " %z"))


@dataclass(frozen=True, slots=True)
class Sort:
    """What a column's values are; `formats` of times, `decimal` and `signs` of numbers, `why` in a few words.

    `ambiguous` holds a value that may be read in two ways: a day that may be a month, a mark that may be of thousands.
    `zoned` says that every instant tells its zone; `lower` that currency codes are in lower case.
    """

    name: str
    formats: tuple[str, ...] = ()
    decimal: str = "."
    signs: tuple[str, ...] = ()
    ambiguous: str = ""
    zoned: bool = False
    timed: bool = False
    lower: bool = False


def sort_of(values: Sequence[str], *, distinct: int, filled: int, parses: Callable[[str, str], bool]) -> Sort:
    """Tell of what sort the values of a column are; `values` are different ones, `parses` tries a format of times."""
    if not values:
        return Sort(EMPTY)
    if len(values) <= 4 and all(is_outcome(v, "yes") or is_outcome(v, "no") for v in values):  # noqa: PLR2004
        numbers = all(v.strip() in ("0", "1") for v in values)
        if not numbers or len(values) == 2:  # noqa: PLR2004 - a lone 1 may count something
            return Sort(YES_NO)
    if when := _time(values, parses):
        return when
    simple = ((EMAIL, _EMAIL), (URL, _URL))
    for name, pattern in simple:
        if sum(bool(pattern.fullmatch(v.strip())) for v in values) >= ENOUGH * len(values):
            return Sort(name)
    codes = [v.strip() for v in values]
    if all(len(v) == 3 and v.isalpha() for v in codes) and _share(codes, lambda v: v.upper() in CURRENCIES) > 0.6:  # noqa: PLR2004
        return Sort(CURRENCY, lower=all(v.strip() == v.strip().lower() for v in values))
    if number := _number(values):
        return number
    if _share(values, _is_json) >= ENOUGH:
        return Sort(JSON)
    if _share(values, lambda v: bool(_DOMAIN.fullmatch(v.strip()) or _URL.fullmatch(v.strip()))) >= 0.9:  # noqa: PLR2004
        return Sort(DOMAIN)
    if _share(values, lambda v: bool(_PHONE.fullmatch(v.strip()))) >= 0.9:  # noqa: PLR2004 - or `ext. 3`
        return Sort(PHONE)
    if _share(values, lambda v: bool(_UUID.fullmatch(v.strip()) or _MIXED.fullmatch(v.strip()))) >= 0.9:  # noqa: PLR2004
        return Sort(ENUM if distinct * 3 <= filled and distinct <= MOST_CHOICES and not _long(values) else OPAQUE)
    few = distinct <= MOST_CHOICES and (distinct * 2 <= filled or distinct <= 6) and not _wordy(values)  # noqa: PLR2004
    return Sort(ENUM if few else TEXT)


def _share(values: Sequence[str], fits: Callable[[str], bool]) -> float:
    return sum(map(fits, values)) / len(values)


def _long(values: Sequence[str]) -> bool:
    return sum(map(len, values)) / len(values) > 20  # noqa: PLR2004 - hashes and tokens


def _wordy(values: Sequence[str]) -> bool:
    return sum(len(v.split()) for v in values) / len(values) > 5  # noqa: PLR2004 - sentences


def _is_json(value: str) -> bool:
    text = value.strip()
    if text[:1] not in '[{"':
        return False
    try:
        json.loads(text)
    except ValueError:
        return text[:1] in "[{" and text[-1:] in "]}"
    return text[:1] in "[{"


# -- times


def _time(values: Sequence[str], parses: Callable[[str, str], bool]) -> Sort | None:
    trimmed = [v.strip() for v in values]
    timed = any(":" in v for v in trimmed)
    if _share(trimmed, lambda v: bool(_ISO.fullmatch(v))) >= ENOUGH:
        zoned = all(_OFFSET.search(v) and ":" in v for v in trimmed)
        return Sort(TIME, zoned=zoned, timed=timed)
    found: dict[str, list[str]] = {}
    for value in trimmed:
        if (form := _format_of(value)) is not None:
            found.setdefault(form, []).append(value)
    if sum(map(len, found.values())) < ENOUGH * len(trimmed):
        return None
    formats, ambiguous = [], ""
    for form, some in sorted(found.items(), key=lambda item: -len(item[1])):
        chosen, unclear = _day_or_month(form, some)
        formats.append(chosen)
        ambiguous = ambiguous or unclear
    if any(form == "%Y%m%d" for form in formats) and not all(1970 <= int(v[:4]) <= 2100 for v in found["%Y%m%d"]):  # noqa: PLR2004
        return None
    read = sum(any(parses(form, value) for form in formats) for value in trimmed)
    if read < 0.9 * len(trimmed):
        return None
    zoned = all(form.endswith(("UTC", "%z")) for form in formats)
    return Sort(TIME, tuple(formats), ambiguous=ambiguous, zoned=zoned, timed=timed)


def _format_of(value: str) -> str | None:
    if len(value) > 40 or not any(c.isdigit() for c in value):  # noqa: PLR2004 - no time is so long
        return None
    for day, day_format in _DAYS:
        if not re.match(day, value):
            continue
        for clock, clock_format in _CLOCKS:
            for mark in ("T", " ", ", ") if clock else ("",):
                for zone, zone_format in _ZONES if clock else (("", ""),):
                    if re.fullmatch(day + clock.format(t=mark) + zone, value):
                        return day_format + clock_format.format(t=mark) + zone_format
    return None


def _day_or_month(form: str, values: Sequence[str]) -> tuple[str, str]:
    """Tell whether the day or the month comes first; where no value is above 12, give one that may be either."""
    if not form.startswith(("%d/%m", "%d-%m", "%d.%m")):
        return form, ""
    pairs = [tuple(map(int, re.findall(r"\d+", value)[:2])) for value in values]
    mirrored = form.replace("%d", "%_").replace("%m", "%d").replace("%_", "%m")
    if any(second > 12 for _, second in pairs) and not any(first > 12 for first, _ in pairs):  # noqa: PLR2004 - months
        return mirrored, ""
    if any(first > 12 for first, _ in pairs) or form.startswith("%d."):  # noqa: PLR2004 - points: always day first
        return form, ""
    unclear = next((v for v, (first, second) in zip(values, pairs, strict=True) if first != second), "")
    firsts, seconds = ({pair[place] for pair in pairs} for place in (0, 1))
    american = len(firsts) < len(seconds) or "%p" in form  # what changes less often is the month
    return (mirrored if american else form), unclear


def epoch_of(low: float, high: float) -> str | None:
    """Tell whether whole numbers from `low` to `high` count from 1970, and in what."""
    for form, (least, most) in _EPOCH.items():
        if least <= low and high <= most and form in EPOCHS:
            return form
    return None


# -- numbers


def _number(values: Sequence[str]) -> Sort | None:
    matches = [_MONEY.fullmatch(v.strip()) for v in values]
    good = [m for m in matches if m]
    if len(good) < ENOUGH * len(values):
        return None
    signs = tuple(sorted({m[side] for m in good for side in ("before", "after") if m[side]}))
    if any(sign.isalpha() and len(sign) == 3 and sign not in CURRENCIES for sign in signs):  # noqa: PLR2004 - ABC12 is an id
        return None
    bare = [m["number"].strip() for m in good]
    if any(n.startswith("0") and len(n) > 1 and n.isdigit() for n in bare):
        return None  # a code: 00712
    decimal, ambiguous = _decimal_mark(bare)
    whole = not signs and all(re.fullmatch(r"\d+", n) for n in bare)
    if whole and sum(len(n) > 14 for n in bare) > len(bare) / 2:  # noqa: PLR2004 - no sum of money
        return Sort(OPAQUE)
    return Sort(WHOLE if whole else NUMBER, decimal=decimal, signs=signs, ambiguous=ambiguous)


def _decimal_mark(numbers: Sequence[str]) -> tuple[str, str]:
    """Tell the decimal mark; where one mark stands before just three digits throughout, give such a value."""
    points = [n for n in numbers if "." in n]
    commas = [n for n in numbers if "," in n]
    both = [n for n in points if "," in n]
    if both:
        return ("," if sum(n.rfind(",") > n.rfind(".") for n in both) * 2 > len(both) else "."), ""
    for some, mark, other in ((commas, ",", "."), (points, ".", ",")):
        if some and not (points if mark == "," else commas):
            if any(n.count(mark) > 1 for n in some):
                return other, ""
            if any(len(n) - n.rfind(mark) - 1 != 3 for n in some):  # noqa: PLR2004 - thousands
                return mark, ""
            if mark == "," or all(len(n) - 1 - n.rfind(".") == 3 for n in some):  # noqa: PLR2004
                return (other if mark == "," else mark), some[0]
    return ".", ""
