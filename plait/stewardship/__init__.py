"""What people decide about identity: who is one, who is somebody else, what joins nobody. Facts stay.

A decision is a line of a log that is only ever added to; one is taken back by another that names its number.
"""

from plait.stewardship.decision import (
    ALLOW,
    APART,
    BLOCK,
    DECIDED,
    LIMIT,
    MERGE,
    NOTHING_DECIDED,
    PART,
    UNDO,
    Decision,
    Decisions,
    Draft,
    Key,
    scope_of,
)
from plait.stewardship.log import BrokenLog, Contradiction, decide, forget, read_decisions

__all__ = [
    "ALLOW", "APART", "BLOCK", "DECIDED", "LIMIT", "MERGE", "NOTHING_DECIDED", "PART", "UNDO", "BrokenLog",
    "Contradiction", "Decision", "Decisions", "Draft", "Key", "decide", "forget", "read_decisions", "scope_of",
]  # fmt: skip
