"""What the Open Data Contract Standard 3 has: which keys plait judges, and which it only knows.

The names are those of the standard (versions 3.0.0 to 3.1.0). A key that stands in neither column is a mistake.
"""

from __future__ import annotations

VERSIONS = ("v3.1.0", "v3.0.2", "v3.0.1", "v3.0.0")

Keys = tuple[tuple[str, ...], tuple[str, ...]]  # judged or shown; known and not judged

TOP: Keys = (
    ("apiVersion", "kind", "id", "name", "version", "status", "description", "schema", "team", "slaProperties",
     "customProperties"),
    ("tenant", "tags", "servers", "dataProduct", "domain", "support", "price", "roles", "slaDefaultElement",
     "authoritativeDefinitions", "contractCreatedTs"),
)  # fmt: skip
_ELEMENT = ("id", "name", "physicalName", "businessName", "description", "quality", "customProperties")
OBJECT: Keys = (
    (*_ELEMENT, "properties", "logicalType"),
    ("physicalType", "authoritativeDefinitions", "tags", "dataGranularityDescription", "relationships"),
)
PROPERTY: Keys = (
    (*_ELEMENT, "logicalType", "logicalTypeOptions", "required", "unique", "primaryKey", "primaryKeyPosition"),
    ("physicalType", "authoritativeDefinitions", "tags", "partitioned", "partitionKeyPosition", "classification",
     "encryptedName", "transformSourceObjects", "transformLogic", "transformDescription", "examples",
     "criticalDataElement", "relationships", "properties", "items"),
)  # fmt: skip
_RANGE = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
OPTIONS: dict[str, Keys] = {
    "string": (("minLength", "maxLength", "pattern", "format"), ()),
    "date": (("format", *_RANGE), ()),
    "timestamp": (("format", *_RANGE, "timezone", "defaultTimezone"), ()),
    "time": (("format", *_RANGE), ("timezone", "defaultTimezone")),
    "integer": ((*_RANGE, "multipleOf", "format"), ()),
    "number": ((*_RANGE, "multipleOf"), ("format",)),
    "boolean": ((), ()),
    "object": ((), ("maxProperties", "minProperties", "required")),
    "array": ((), ("maxItems", "minItems", "uniqueItems")),
}
QUALITY: Keys = (
    ("id", "name", "description", "type", "metric", "rule", "arguments", "unit", "mustBe", "mustNotBe",
     "mustBeGreaterThan", "mustBeGreaterOrEqualTo", "mustBeLessThan", "mustBeLessOrEqualTo", "mustBeBetween",
     "mustNotBeBetween"),
    ("query", "engine", "implementation", "dimension", "method", "severity", "businessImpact", "customProperties",
     "tags", "authoritativeDefinitions", "scheduler", "schedule"),
)  # fmt: skip
QUALITY_TYPES = ("library", "text", "sql", "custom")
COLUMN_METRICS = ("nullValues", "missingValues", "invalidValues", "duplicateValues")
OBJECT_METRICS = ("rowCount", "duplicateValues")
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "nullValues": (), "missingValues": ("missingValues",), "invalidValues": ("validValues", "pattern"),
    "duplicateValues": ("properties",), "rowCount": (),
}  # fmt: skip

SLA: Keys = (
    ("id", "property", "value", "unit", "element", "description"),
    ("valueExt", "driver", "scheduler", "schedule"),
)
SLA_JUDGED = {"latency": "latency", "ly": "latency", "freshness": "latency", "frequency": "frequency",
              "fy": "frequency"}  # fmt: skip
UNITS = {
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("w", "week", "weeks"), 604_800),
    **dict.fromkeys(("mo", "month", "months"), 30 * 86_400),
    **dict.fromkeys(("y", "yr", "year", "years"), 365 * 86_400),
}
TEAM: Keys = (("id", "name", "description", "members"), ("tags", "customProperties", "authoritativeDefinitions"))
MEMBER: Keys = (
    ("id", "username", "name", "description", "role", "dateOut", "customProperties"),
    ("dateIn", "replacedByUsername", "tags", "authoritativeDefinitions"),
)
IT_ROLES = ("it owner", "owner in it", "technical owner")
DEPARTMENT_ROLES = ("department owner", "owner in the department", "business owner")
FILL_IN = "FILL IN"  # what a proposal leaves to its owners
CUSTOM = ("id", "property", "value", "description")
OWN = "plait."
OWN_TOP = ("plait.source", "plait.controlTotals", "plait.onViolation")
OWN_OBJECT = ("plait.uniqueWithin",)
OWN_MEMBER = ("plait.department",)
TOTAL = ("kind", "before", "facts", "amount", "currency")

JAVA = {
    "yyyy": "%Y", "uuuu": "%Y", "yy": "%y", "uu": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%-m", "dd": "%d",
    "d": "%-d", "HH": "%H", "H": "%-H", "hh": "%I", "h": "%-I", "mm": "%M", "m": "%-M", "ss": "%S", "s": "%-S",
    "SSSSSS": "%f", "SSS": "%g", "a": "%p", "EEEE": "%A", "EEE": "%a", "Z": "%z", "X": "%z", "XX": "%z", "XXX": "%z",
    "xxx": "%z", "xx": "%z", "x": "%z", "VV": "%Z",
}  # fmt: skip
"""Letters of the standard's date formats (Java's) as the engine writes them."""
WHOLE = {
    **{f"i{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"u{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
}
WIDER = ("i128", "u128")  # wider than any number that plait reads
