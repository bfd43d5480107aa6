"""Cells of tables that go through a spreadsheet: what it would run as a formula is marked on the way out.

One `'` is put before such a text and taken off again by a `[[file]]` that says `guarded = true`: every text comes back
as it was. A text that begins with `'` by itself is marked only where what follows it would run, so nothing is lost.
"""

from __future__ import annotations

import re

from plait.duck import literal

# A spreadsheet runs a text that begins so, after marks, blanks, byte-order marks and quotes.
DANGEROUS = re.compile("'*[ \ufeff'\"]*[=+\\-@|%\t\r\n\0＝＋－＠]")
_SAME_IN_THE_ENGINE = r"""^'*[ \x{FEFF}'"]*[=+\-@|%\t\r\n\x{0}＝＋－＠]"""


def guarded(text: str) -> str:
    """Put `'` before a text that a spreadsheet would run; taking one off again gives the text back."""
    return "'" + text if DANGEROUS.match(text) else text


def unguarded_sql(cell: str) -> str:
    """Give the SQL that takes the mark off a cell again."""
    rest = f"substr({cell}, 2)"
    marked = f"starts_with({cell}, '''') and regexp_matches({rest}, {literal(_SAME_IN_THE_ENGINE)})"
    return f"case when {marked} then {rest} else {cell} end"
