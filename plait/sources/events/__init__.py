"""Events: what web pages, products and servers send as it happens, read into facts.

The protocol is Segment's (https://segment.com/docs/connections/spec/): identify, track, page, screen, group, alias. An
event keeps the keys it came with; who that is, is judged by identity and never stored in the fact.
"""

from plait.sources.events.envelope import (
    B2B,
    FIELDS,
    Clock,
    Envelope,
    EventMapping,
    Quarantined,
    Row,
    TrackRule,
    digest_of_key,
)  # fmt: skip
from plait.sources.events.kept import kept_fact
from plait.sources.events.keys import identifier
from plait.sources.events.reading import mended, read_again, read_events, reread

__all__ = [
    "B2B", "FIELDS", "Clock", "Envelope", "EventMapping", "Quarantined", "Row", "TrackRule", "digest_of_key",
    "identifier", "kept_fact", "mended", "read_again", "read_events", "reread",
]  # fmt: skip
