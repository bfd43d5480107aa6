"""Kept: what was seen in files as JSON, so that a page need not look at them again for every answer."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from plait.sources.proposal.draft import Looked
from plait.sources.proposal.model import Link
from plait.sources.proposal.profile import ColumnProfile, FileProfile, Profiles
from plait.sources.proposal.sort import Sort


def as_json(looked: Looked) -> str:
    """Write what was seen."""
    files = [asdict(file) | {"told_by": sorted(file.told_by)} for file in looked.profiles.files]
    links = {name: [asdict(link) for link in some] for name, some in looked.links.items()}
    told = {"files": files, "unreadable": looked.profiles.unreadable, "links": links, "ids": dict(looked.ids)}
    return json.dumps(told, ensure_ascii=False)


def of_json(text: str) -> Looked:
    """Read what was seen."""
    told = json.loads(text)
    unreadable = [(str(name), str(why)) for name, why in told["unreadable"]]
    profiles = Profiles([_file(file) for file in told["files"]], unreadable)
    links = {name: [Link(**link) for link in some] for name, some in told["links"].items()}
    return Looked(profiles, links, {name: tuple(columns) for name, columns in told["ids"].items()})


def _file(told: dict[str, Any]) -> FileProfile:
    columns = tuple(_column(one) for one in told["columns"])
    return FileProfile(**_tuples(told) | {"columns": columns, "told_by": frozenset(told["told_by"])})


def _column(told: dict[str, Any]) -> ColumnProfile:
    return ColumnProfile(**_tuples(told) | {"sort": Sort(**_tuples(told["sort"]))})


def _tuples(told: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
