"""Drafts: exports that somebody brought to be mapped, kept until they are loaded, or for a day at most."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404

from plait.settings import read_settings
from plait.sources.folder import find
from plait.sources.known import known_exports
from plait.sources.proposal.kept import as_json, of_json
from plait.sources.proposal.profile import data_files
from plait.sources.proposal.proposing import Proposal, Seen, propose, see, source_name
from plait.sources.proposal.trial import Tried, try_mapping
from plait.web import secret
from plait.web.people.models import User
from plait.web.work import uploads

KEPT = 24 * 3600  # seconds, at most
_TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")


@dataclass(frozen=True, slots=True)
class Draft:
    """Files that are being mapped, and what was said of them so far."""

    token: str
    folder: Path

    @property
    def files(self) -> Path:
        """Give the folder of the files."""
        return self.folder / "files"

    @property
    def answers(self) -> dict[str, str]:
        """Give what people said so far."""
        path = self.folder / "answers.json"
        answers: dict[str, str] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        return answers

    def say(self, answers: Mapping[str, str]) -> None:
        """Keep what people said."""
        (self.folder / "answers.json").write_text(json.dumps(dict(answers), ensure_ascii=False), "utf-8")

    def seen(self) -> Seen:
        """Look at the files, once."""
        path = self.folder / "seen.json"
        folder, files = data_files([self.files])
        if path.exists():
            return Seen(folder, tuple(files), of_json(path.read_text("utf-8")))
        seen = see([self.files], work=self.folder / "work")
        path.write_text(as_json(seen.looked), "utf-8")
        return seen

    def proposal(self) -> Proposal:
        """Propose a mapping with what was said so far."""
        seen = self.seen()
        first = seen.looked.profiles.files[0].name.partition("/")[0].partition(".")[0]
        return propose(seen, source=source_name(first), answers=self.answers, day=f"{_now():%Y-%m-%d}")

    def trial(self, toml: str) -> Tried:
        """Try a mapping on the files."""
        looks = read_settings(settings.HOME)
        folder, files = data_files([self.files])
        work = self.folder / "trial"
        return try_mapping(folder, files, toml, work=work, now=_now(), home=(looks.zone, looks.currency))

    def forget(self) -> None:
        """Remove the files and all that was said."""
        shutil.rmtree(self.folder, ignore_errors=True)


def keep(user: User, files: Sequence[UploadedFile[Any]]) -> Draft:
    """Keep uploaded files to be mapped, for the one who brought them."""
    _sweep()
    token = secrets.token_urlsafe(16)
    draft = Draft(token, secret.folder(_drafts() / token))
    (draft.folder / "owner").write_text(str(user.pk))
    try:
        uploads.keep_files(files, draft.files)
    except BaseException:
        draft.forget()
        raise
    return draft


def of(user: User, token: str) -> Draft:
    """Give the files that somebody brought; those of others are unknown to them."""
    folder = _drafts() / token
    owner = folder / "owner"
    if not _TOKEN.fullmatch(token) or not owner.exists() or owner.read_text() != str(user.pk):
        raise Http404
    return Draft(token, folder)


def recognised(draft: Draft) -> tuple[list[str], list[str]]:
    """Give the files that plait knows by their columns, and those that it does not."""
    found, left = find(draft.files, known_exports().files, work=draft.folder / "work")
    return sorted({file.path.name for file in found}), left


def part(user: User, draft: Draft, names: Sequence[str]) -> Draft:
    """Put some of the files into a draft of their own."""
    token = secrets.token_urlsafe(16)
    other = Draft(token, secret.folder(_drafts() / token))
    (other.folder / "owner").write_text(str(user.pk))
    other.files.mkdir()
    for name in names:
        (draft.files / name).rename(other.files / name)
    return other


def _drafts() -> Path:
    return Path(settings.STATE) / "drafts"


def _sweep() -> None:
    """Forget what nobody came back to."""
    for folder in _drafts().glob("*"):
        if time.time() - folder.stat().st_mtime > KEPT:  # noqa: TID251 - the desk is an edge where the clock is read
            shutil.rmtree(folder, ignore_errors=True)


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the desk is an edge where the clock is read
