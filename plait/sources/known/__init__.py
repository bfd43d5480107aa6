"""Known exports: files of other systems that are loaded without a mapping, one TOML file a system.

Each is a mapping (docs/mapping.md) whose `[[file]]`s are told by the columns of their header. What they read and what
becomes of it stands in docs/exports.md, which is made from them.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

from plait.sources.form import Mapping
from plait.sources.mapping import read_mapping

NAME = "known exports"  # what stands where a load names its mapping


@cache
def systems() -> tuple[Mapping, ...]:
    """Give the mapping of every known system, by name."""
    return tuple(read_mapping(path) for path in sorted(Path(__file__).parent.glob("*.toml")))


@cache
def known_exports() -> Mapping:
    """Give all of them as one mapping."""
    digest = sha256("".join(system.digest for system in systems()).encode()).hexdigest()
    return Mapping(NAME, tuple(file for system in systems() for file in system.files), (), digest)
