"""Proposing: from files to a mapping, in the steps that people see - look, draft, ask, write."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from plait.sources.proposal.draft import Looked, draft, look
from plait.sources.proposal.model import Answers, Draft, Question
from plait.sources.proposal.profile import data_files, open_engine, profile_files, unreadable_all
from plait.sources.proposal.vocabulary import plain
from plait.sources.proposal.writing import toml_of

MOST_SOURCE = 40  # letters of a source's name that is taken from a folder


@dataclass(frozen=True, slots=True)
class Seen:
    """The files that a proposal is made from, the folder that holds them all, and what was seen in them."""

    folder: Path
    files: tuple[Path, ...]
    looked: Looked


@dataclass(frozen=True, slots=True)
class Proposal:
    """A mapping as proposed, with what was thought on the way to it."""

    draft: Draft
    toml: str

    @property
    def open(self) -> list[Question]:
        """Give the questions that nobody has answered yet."""
        return [question for question in self.draft.questions if question.key not in self.draft.answers]


def see(paths: Sequence[Path], *, work: Path) -> Seen:
    """Look at files, or at all data files of a folder; raises where none of them can be read."""
    folder, files = data_files(paths)
    with open_engine(work) as engine:
        profiles = profile_files(folder, files, engine, work=work)
        if not profiles.files:
            raise unreadable_all(profiles.unreadable)
        return Seen(folder, tuple(files), look(profiles, engine))


def propose(seen: Seen, *, source: str, answers: Answers, day: str) -> Proposal:
    """Propose a mapping, with what people have said so far; `day` is that of rows which have none."""
    made = draft(seen.looked, source=source, answers=answers, day=day)
    return Proposal(made, toml_of(made))


def source_name(text: str) -> str:
    """Make a name of a source from any text: lower case letters, digits and underscores."""
    name = (
        re.sub(r"[^a-z0-9]+", "_", plain(text).encode("ascii", "ignore").decode()).strip("_")[:MOST_SOURCE].strip("_")
    )
    return name if name[:1].isalpha() else f"source_{name}".strip("_")
