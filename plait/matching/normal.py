"""One way of writing: names without accents and legal forms, phones as digits, dates as dates, streets without suffix.

Everything is an expression for the engine, so that a million records cost seconds. `strip_accents` leaves Korean as it
is; letters that have no accent to strip (ß, ø, ł) are spelt out.
"""

from __future__ import annotations

from plait import duck

LEGAL_FORMS = (
    "gmbh co kg|gmbh and co kg|gmbh|mbh|ag and co kg|ag|kg|ohg|gbr|ug haftungsbeschrankt|ug|e v|ev|se|kgaa|eg|"
    "sarl|s a r l|sas|s a s|sasu|eurl|sa|s a|snc|scop|"
    "limited liability company|limited|ltd|llc|l l c|llp|lp|plc|inc|incorporated|corp|corporation|company|co|"
    "bv|b v|nv|n v|vof|ab|aps|a s|oy|oyj|as|spa|s p a|srl|s r l|sl|s l|sp z o o|zoo|kft|doo|d o o|pty|pte|kk"
)
KOREAN_FORMS = (
    "주식회사|유한회사|유한책임회사|합자회사|합명회사|재단법인|사단법인|농업회사법인|"
    "\\(주\\)|㈜|\\(유\\)|\\(재\\)|\\(사\\)"
)
FILLER = "the|and|of|for|und|et|de|la|le|les|der|die|das|fur"
STREETS = (  # the sorts of street that people write, shorten or leave out
    "street|str|st|avenue|av|ave|road|rd|boulevard|blvd|bl|drive|dr|lane|ln|court|ct|place|pl|square|sq|terrace|tce|"
    "crescent|cres|circuit|cct|close|cl|parade|pde|parkway|pkwy|highway|hwy|way|strasse|weg|platz|allee|gasse|"
    "rue|chemin|route|impasse|via|viale|piazza|calle|plaza"
)
POINTS = "north|n|south|s|east|e|west|w|ne|nw|se|sw"
NOTHING = ("", "-", "--", "n/a", "na", "none", "null", "nan", "unknown", "undefined", "tbd", "xxx", "test")
SHARPENED = (("ß", "ss"), ("ø", "o"), ("ł", "l"), ("æ", "ae"), ("œ", "oe"), ("đ", "d"), ("þ", "th"), ("ı", "i"))
SHORTEST_PHONE, NATIONAL = (
    6,
    8,
)  # digits; of longer numbers only the last eight count: prefixes are written in many ways


def plain(column: str) -> str:
    """Give a text in small letters without accents, signs and doubled blanks; what stands for nothing is null."""
    text = f"lower({column})"
    for sign, spelt in SHARPENED:
        text = f"replace({text}, '{sign}', '{spelt}')"
    text = f"trim(regexp_replace(strip_accents({text}), '[^\\p{{L}}\\p{{N}}]+', ' ', 'g'))"
    return f"case when lower(trim({column})) in ({duck.literals(NOTHING)}) then null else nullif({text}, '') end"


def person(column: str) -> str:
    """Give a part of a person's name; what has no letter is none."""
    return f"(select case when regexp_matches(t, '\\p{{L}}') then t end from (select {plain(column)} as t))"


def company(column: str) -> str:
    """Give a company's name without its legal form, at the end or, in Korean, anywhere."""
    bare = plain(f"regexp_replace({column}, '{KOREAN_FORMS}', ' ', 'g')")
    ends = f"( ({LEGAL_FORMS}))+$"
    return f"(select coalesce(nullif(regexp_replace(t, '{ends}', ''), ''), t) from (select {bare} as t))"


def phone(column: str) -> str:
    """Give the last digits of a phone number, without country and trunk prefix."""
    digits = f"ltrim(regexp_replace({column}, '\\D', '', 'g'), '0')"
    return f"(select case when len(d) >= {SHORTEST_PHONE} then right(d, {NATIONAL}) end from (select {digits} as d))"


def email(column: str) -> str:
    """Give an address; what has no @ is none."""
    return f"case when contains({column}, '@') then nullif(lower(regexp_replace({column}, '\\s', '', 'g')), '') end"


def domain(column: str) -> str:
    """Give the host of a web address or domain without `www.`."""
    host = f"regexp_extract(lower(trim({column})), '^(?:[a-z]+://)?(?:www\\.)?([^/:?#@\\s]+\\.[^/:?#\\s]+)', 1)"
    return f"nullif({host}, '')"


def born(column: str) -> str:
    """Give a date as year-month-day text; one that no calendar has is kept as its digits, as people mistype days."""
    digits = f"regexp_replace({column}, '\\D', '', 'g')"
    european = f"strftime(try_strptime(trim({column}), ['%d.%m.%Y', '%d/%m/%Y']), '%Y%m%d')"
    return f"(select case when len(d) = 8 then d end from (select coalesce({european}, {digits}) as d))"


def postcode(column: str) -> str:
    """Give a postal code in small letters without blanks and signs."""
    return f"nullif(lower(regexp_replace({column}, '[^\\p{{L}}\\p{{N}}]', '', 'g')), '')"


def street(column: str) -> str:
    """Give a street's name without its sort (street, avenue, Straße), the points of the compass and the house number.

    The number stands first, or last where nothing stands first: what is left of `2050 E 93rd Street` is `93rd`.
    """
    short = "regexp_replace(t, '(strasse|str)( |$)', '\\2', 'g')"
    first, last = "regexp_replace(t, '^\\d+\\S* ', '')", "regexp_replace(t, ' \\d+\\S*$', '')"
    bare = f"(select case when regexp_matches(t, '^\\d') then {first} else {last} end as t from ({_plain(column)}))"
    lone = f"regexp_replace(' ' || {short} || ' ', ' (({STREETS}|{POINTS}) )+', ' ', 'g')"
    return f"(select coalesce(nullif(trim({lone}), ''), t) from {bare})"


def _plain(column: str) -> str:
    return f"select {plain(column)} as t"


def house(column: str) -> str:
    """Give the house number of an address: the number that stands first, or else the last one."""
    first, last = (f"nullif(regexp_extract({column}, '{way}', 1), '')" for way in ("^\\s*(\\d+)", "(\\d+)\\D*$"))
    return f"coalesce({first}, {last})"


def number(column: str) -> str:
    """Give an outside number (tax, register, insurance) as letters and digits."""
    return postcode(column)
