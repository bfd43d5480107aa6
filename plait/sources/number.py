"""Numbers: how exports write them, as DuckDB SQL.

A mark says what parts the decimals: `.`, `,`, or `either` where each file, or row, may have its own. With `either` the
last mark parts the decimals where one or two digits follow it; what could be read in two ways, as 1,234, is no number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from plait.duck import literal, literals
from plait.facts import CURRENCIES

EITHER = "either"
MARKS = (".", ",", EITHER)
BLANKS = "' \t\r\n' || chr(160)"
FACTOR = "decimal(24, 6)"
_EXPONENT = r"[+-]?\d+(?:\.\d+)?[eE][+-]?\d+"
_COMMA_ENDS = r"[^,]*,\d{1,2}"
_MILLION = 1_000_000  # a factor is reckoned in millionths


def trimmed(text: str) -> str:
    """Take off the blanks around a cell."""
    return f"trim({text}, {BLANKS})"


def without(text: str, signs: Sequence[str]) -> str:
    """Take off the signs that stand before or after a number, such as those of a currency."""
    if not signs:
        return text
    some = "|".join(map(re.escape, signs))
    pattern = rf"^([+-]?)\s*(?:{some})[\s\x{{a0}}]*|[\s\x{{a0}}]*(?:{some})$"
    return f"regexp_replace({trimmed(text)}, {literal(pattern)}, '\\1', 'g')"


def shape(mark: str) -> str:
    """Give the pattern that a number written with a mark fits."""
    if mark == EITHER:
        return r"[+-]?(?:\d+(?:[.,]\d{1,2})?|\d{1,3}(?:,\d{3})+\.\d{1,2}|\d{1,3}(?:[. \x{a0}\x{202f}]\d{3})+,\d{1,2})"
    blanks = (r"\.", " ", r"\x{a0}", r"\x{202f}") if mark == "," else (",",)
    point = r"\." if mark == "." else ","
    grouped = "|".join(rf"\d{{1,3}}(?:{blank}\d{{3}})+" for blank in blanks)
    return rf"[+-]?(?:(?:\d+|{grouped})(?:{point}\d*)?|{point}\d+)"


def plain(text: str, mark: str) -> str:
    """Write a number without thousands separators, with a point before its decimals."""
    cell = trimmed(text)
    if mark == ".":
        return f"replace({cell}, ',', '')"
    with_point = f"replace(regexp_replace({cell}, '[.\\s\\x{{a0}}\\x{{202f}}]', '', 'g'), ',', '.')"
    if mark == ",":
        return with_point
    return f"case when regexp_full_match({cell}, {literal(_COMMA_ENDS)}) then {with_point} else {plain(text, '.')} end"


def number(text: str, mark: str, kind: str, *, exponents: bool) -> tuple[str, str]:
    """Give the condition that a text is a number, and the number; null where `kind` cannot hold it."""
    cell, fits, cleaned = trimmed(text), shape(mark), plain(text, mark)
    if exponents:
        fits = f"{fits}|{_EXPONENT}"
        cleaned = f"case when contains(lower({cell}), 'e') then {cell} else {cleaned} end"
    return f"regexp_full_match({cell}, {literal(fits)})", f"try_cast({cleaned} as {kind})"


def compared(cell: str, mark: str, *, above: Decimal | None, below: Decimal | None) -> str:
    """Give the condition that a cell is a number within bounds; what is no number is not."""
    is_number, value = number(cell, mark, FACTOR, exponents=True)
    tests = [f"{value} > {above:f}"] if above is not None else []
    tests += [f"{value} < {below:f}"] if below is not None else []
    return f"coalesce({is_number} and {' and '.join(tests)}, false)"


def reckoned(
    amount: str, kind: str, *, less: list[str], times: list[str], per: list[str], unit: tuple[str, int]
) -> str:
    """Reckon an amount in whole numbers, so that nothing is lost, and round it once, half away from zero.

    `amount` and `less` are decimals of `kind`, `times` and `per` factors; `unit` is what one of the amount is worth,
    as SQL of a whole number and what that is divided by.
    """
    scale = 10 ** int(kind[8:-1].split(",")[1])
    whole = f"(({amount}){''.join(f' - ({part})' for part in less)})"
    top = "".join(f" * (({factor}) * {_MILLION})::hugeint" for factor in times) + f" * ({unit[0]})::hugeint"
    bottom = "".join(f" * nullif((({factor}) * {_MILLION})::hugeint, 0)" for factor in per)
    spare = _MILLION ** abs(len(times) - len(per))
    top += f" * {spare}::hugeint" if len(per) > len(times) else ""
    bottom += f" * {spare}::hugeint" if len(times) > len(per) else ""
    above, under = f"(({whole} * {scale})::hugeint{top})", f"({unit[1]}::hugeint{bottom})"
    rounded = f"((abs({above}) * 2 + abs({under})) // (abs({under}) * 2)) * sign({above}) * sign({under})"
    one = f"{1 / Decimal(scale):f}"
    return f"try_cast(try(({rounded})::hugeint::decimal(30, 0)) * {one} as {kind})"


def minor_unit(currency: str) -> str:
    """Give what one minor unit of a currency is worth, in ten-thousandths of its major unit."""
    cases = " ".join(
        f"when {currency} in ({literals([c for c, d in CURRENCIES.items() if d == digits])}) then {unit}"
        for digits, unit in ((0, 10_000), (3, 10), (4, 1))
    )
    return f"case {cases} else 100 end"
