"""Rules: the texts by which rows are refused and the next steps, each with holes for what differs from row to row.

A refused row is stored with its rule and next step in English, filled in. By these patterns a reader's language finds
them again: a text that rows are refused by is written here, or in `plait.facts.RULES`, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator

from plait import suppression
from plait.facts import RULES

NESTED = ("rule", "step")  # holes for a text that is itself one of these

NOT_SHAPED = "not a JSON object"
SHAPE_IT = "write one whole JSON object on each line"
WRONG_QUOTE = "a quote that does not belong there, or is never closed"
STRAY = "a line break that is not in quotes and ends no line of this file"
TOO_LONG = "a row of more than {most} MiB"
ONE_CELL = "{cells} cell where {width} are expected"
CELLS = "{cells} cells where {width} are expected"
QUOTE_IT = "put cells that hold a delimiter, a quote or a line break into quotes, and double the quotes inside"

NOT_FOUND = "not found in {file}"
ADD_EXPORT = "put the export {export}, which has it, into the same folder"
ADD_TO_FILE = "add it to column {column!r} of {file}, or correct it"
NOT_IN_MAP = "not in the map"
ADD_TO_MAP = "allowed: {allowed}; add it to `map` or correct it"

NOT_A_TIME = "not a time"
WRITE_TIME = "write an existing day as 2026-01-31 or 2026-01-31 10:20:30, or state its `format` in the mapping"
WRITE_FORMAT = "write it as {formats}, or add its format to `format` in the mapping"
NO_ZONE = "time without a zone"
STATE_ZONE = "write the timezone of the source into the mapping"
SKIPPED = "skipped by the clock change"
CORRECT_ZONE = "correct it, or the timezone: in {zone} clocks were put forward over this time"

STATE_CURRENCY = "this export names no currency: state that of the home (`currency` in its plait.toml) and load again"
NOT_A_NUMBER = "not a number"
WRITE_PLAINLY = "write at most {digits} digits, then at most two decimals; state `decimal` where 1,234 is meant as 1234"
WRITE_NUMBER = "write at most {digits} digits before the decimal mark {mark!r}, or state `decimal` in the mapping"

ONE_MORE = "{rule} (and {more} more rule)"
MORE = "{rule} (and {more} more rules)"
NEAR = "did you mean {near!r}? {step}"

NO_ID = "no userId and no anonymousId"
GIVE_ID = "send userId for somebody who is known, anonymousId for a visitor"
NO_EVENT_NAME = "a track call without event"
NAME_EVENT = "name what happened, such as Signed Up"
NO_GROUP_ID = "a group call without groupId"
GIVE_GROUP_ID = "send the id that the company has in your product as groupId"
NO_PREVIOUS_ID = "an alias call without previousId"
GIVE_PREVIOUS_ID = "send the id that the person had before as previousId"
UNKNOWN_TYPE = "unknown type of call"
TYPES = "allowed: {allowed}"
UNSUPPORTED_TYPE = "a type of call that cannot be taken"
ALIAS_INSTEAD = "send alias instead"
TYPE_MISMATCH = "the type in the event is not the type in the address"
ONE_TYPE = "send the event to the address of its type, or to /v1/batch"
EVENT_TOO_LARGE = "an event of more than {most} KiB"
SHORTEN_EVENT = "send less in one event, or raise `most_kib` of the source"
BATCH_OVERFLOW = "an event beyond the first {most} of a batch"
SPLIT_BATCH = "send smaller batches"
KEY_MISMATCH = "the write key in the event is not the one of the request"
ONE_KEY = "send the events of each source with its own write key"
NOT_AN_OBJECT = "not an object"
SEND_OBJECT = "send each event as a JSON object"
UNREADABLE = "an event that cannot be read"
TELL_US = "report it: what a collector wrote it must be able to read"

CONTRACT_EMPTY = "contract: {column} is empty"
CONTRACT_TYPES = {
    "number": "contract: {column} is no number",
    "integer": "contract: {column} is no whole number",
    "date": "contract: {column} is no day",
    "timestamp": "contract: {column} is no instant",
    "time": "contract: {column} is no time of day",
    "boolean": "contract: {column} is neither yes nor no",
}
CONTRACT_ZONE = "contract: {column} names no time zone"
CONTRACT_BELOW = "contract: {column} is below {least}"
CONTRACT_NOT_ABOVE = "contract: {column} is not above {least}"
CONTRACT_ABOVE = "contract: {column} is above {most}"
CONTRACT_NOT_BELOW = "contract: {column} is not below {most}"
CONTRACT_MULTIPLE = "contract: {column} is no multiple of {unit}"
CONTRACT_SHORT = "contract: {column} has fewer than {least} letters"
CONTRACT_LONG = "contract: {column} has more than {most} letters"
CONTRACT_PATTERN = "contract: {column} does not fit {pattern}"
CONTRACT_WRITTEN = "contract: {column} is not written as {form}"
CONTRACT_ALLOWED = "contract: {column} is none of the allowed values"
CONTRACT_BARRED = "contract: {column} stands for nothing"
CONTRACT_TWICE = "contract: {column} is there twice"
MEND = "correct it in the system it comes from and export it again, or agree on another contract"
MEND_ALLOWED = "allowed: {allowed}; correct it, or agree on another contract"
MEND_TWICE = "keep one of the rows, or give each a value of its own"

ERASED_PERSON, LET_THEM_IN = suppression.PERSON_RULE, suppression.PERSON_STEP

_OWN = tuple(text for name, text in list(globals().items()) if name.isupper() and isinstance(text, str))


def patterns() -> Iterator[str]:
    """Give every text that a refused row can be stored with, as it is written before it is filled in."""
    yield from _OWN
    yield from CONTRACT_TYPES.values()
    for rule in RULES:
        yield rule.name
        yield rule.next_step
