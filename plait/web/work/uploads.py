"""Uploads: the exports and the mapping that somebody brings in the browser, checked and made into a job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.core.files.move import file_move_safe
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

import plait
from plait.failure import Unfit
from plait.sources.file import pattern_fits
from plait.sources.form import BadMapping
from plait.sources.form import Mapping as SourceMapping
from plait.sources.mapping import read_mapping
from plait.web import secret, words
from plait.web.limit import GIGABYTE, MOST_BYTES
from plait.web.people.models import User, record
from plait.web.work import jobs
from plait.web.work.models import Job, KnownMapping

MOST_MAPPING = 1_000_000
RECOGNISE = "recognise"  # the choice of no mapping: exports that plait knows are told by their columns
ENDINGS = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".parquet", ".xlsx", ".gz", ".zip")


class BadUpload(Unfit, ValueError):
    """Files or a mapping that cannot be taken; `problems` says why, one sentence each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


@dataclass(frozen=True, slots=True)
class Choice:
    """A mapping that can be chosen: `value` as the form sends it, `about` the mapping's own sentence."""

    value: str
    name: str
    about: str


def choices() -> list[Choice]:
    """Give the mappings that can be chosen: those used before, the latest first, and those that come with plait."""
    used = [
        Choice(f"used:{one.pk}", one.name, _("last used %(day)s") % {"day": f"{one.used_at:%Y-%m-%d}"})
        for one in KnownMapping.objects.all()[:20]
    ]
    return used + [Choice(f"shipped:{path.stem}", path.name, read_mapping(path).about) for path in shipped()]


def shipped() -> list[Path]:
    """Give the mappings that come with plait: inside the package, or beside it in a checkout."""
    inside = Path(plait.__file__).parent
    return sorted(
        path for folder in (inside / "examples", inside.parent / "examples") for path in folder.glob("*.toml")
    )


def mapping_of(chosen: str, brought: UploadedFile[Any] | None) -> tuple[str, bytes]:
    """Give the name and the content of the mapping that was brought or chosen."""
    if brought is not None:
        if (brought.size or 0) > MOST_MAPPING:
            raise BadUpload(
                [_("The mapping is larger than a megabyte; choose the .toml file that describes the export.")]
            )
        return PurePosixPath(brought.name or "mapping.toml").name[-120:], brought.read()
    kind, _sep, name = chosen.partition(":")
    if kind == "used" and name.isdigit():
        known = KnownMapping.objects.filter(pk=int(name)).first()
        if known is not None:
            return known.name, known.text.encode()
    for path in shipped():
        if kind == "shipped" and path.stem == name:
            return path.name, path.read_bytes()
    raise BadUpload([_("Choose a mapping, or bring one: it says what the columns of the export mean.")])


def make_job(user: User, kind: str, files: Sequence[UploadedFile[Any]], name: str, content: bytes) -> Job:
    """Check an upload and make the job that loads it, or tries it out; nothing is kept where it will not do."""
    mapping = _read(name, content)
    places = _places(files, mapping)
    with transaction.atomic():
        known = keep_mapping(name, content)
        job = Job.objects.create(kind=kind, owner=user, mapping=known, title=_title(files, name))
        job.folder = str(secret.folder(settings.STATE / "uploads" / str(job.pk)))
        job.save(update_fields=["folder"])
        for file, place in zip(files, places, strict=True):
            _keep(file, jobs.files_of(job) / place)
        told = {"kind": kind, "mapping": name, "files": [file.name for file in files]}
        record(user, "data.upload", f"job {job.pk}", after=told)
        jobs.start(job)
    return job


def start_job(user: User, kind: str, folder: Path, name: str, content: bytes | None) -> Job:
    """Make the job for files that lie in a folder already, and take that over; without a mapping known exports load."""
    known = None
    if content is not None:
        _read(name, content)
        known = keep_mapping(name, content)
    names = sorted(path.relative_to(folder / "files").as_posix() for path in (folder / "files").rglob("*"))
    with transaction.atomic():
        title = f"{_listed(names)} · {name}"[:200]
        job = Job.objects.create(kind=kind, owner=user, mapping=known, title=title)
        job.folder = str(secret.folder(settings.STATE / "uploads") / str(job.pk))
        job.save(update_fields=["folder"])
        record(user, "data.upload", f"job {job.pk}", after={"kind": kind, "mapping": name, "files": names})
        folder.rename(job.folder)
        jobs.start(job)
    return job


def keep_mapping(name: str, content: bytes) -> KnownMapping:
    """Keep a mapping, so that it can be chosen for the next export."""
    known, _made = KnownMapping.objects.update_or_create(
        digest=sha256(content).hexdigest(),
        defaults={"name": name, "text": content.decode("utf-8-sig"), "used_at": timezone.now()},
    )
    return known


def keep_files(files: Sequence[UploadedFile[Any]], folder: Path) -> None:
    """Put uploaded files into a folder under their names, or say why they cannot be taken."""
    if problems := _problems(files):
        raise BadUpload(problems)
    for file in files:
        _keep(file, folder / str(file.name))


def _read(name: str, content: bytes) -> SourceMapping:
    """Read a mapping, or say all that is wrong with it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / (name if name.endswith(".toml") else f"{name}.toml")
        path.write_bytes(content)
        try:
            return read_mapping(path)
        except BadMapping as bad:
            raise BadUpload(words.failure(bad).splitlines()) from bad


def _problems(files: Sequence[UploadedFile[Any]]) -> list[str]:
    """Say why files cannot be taken, whatever reads them."""
    names = [str(file.name) for file in files]
    problems = [
        _("%(name)s appears twice; give the files different names.") % {"name": one}
        for one in sorted({name for name in names if names.count(name) > 1})
    ]
    if not files:
        problems.append(_("Choose at least one export file."))
    problems += [
        _("%(name)s is no export that can be read; it may end %(endings)s.")
        % {"name": name, "endings": " ".join(ENDINGS)}
        for name in names
        if not name.lower().endswith(ENDINGS) or name.startswith(".")
    ]
    if sum(file.size or 0 for file in files) > MOST_BYTES:
        problems.append(
            _("The files are larger than %(most)s GB together; load them on the command line with `plait load`.")
            % {"most": MOST_BYTES // GIGABYTE}
        )
    return problems


def _places(files: Sequence[UploadedFile[Any]], mapping: SourceMapping) -> list[PurePosixPath]:
    """Give each file its place below the job's folder, or say why the upload cannot be taken."""
    problems = _problems(files)
    places = [_place(str(file.name), mapping) for file in files]
    by_columns = any(file.columns and not file.patterns for file in mapping.files)  # whatever the names are
    if files and not by_columns and not any(fits for _path, fits in places):
        patterns = ", ".join(pattern for file in mapping.files for pattern in file.patterns)
        problems.append(
            _("No file fits the mapping, which reads: %(patterns)s. Rename the files or choose another mapping.")
            % {"patterns": patterns}
        )
    if problems:
        raise BadUpload(problems)
    return [path for path, _fits in places]


def _place(name: str, mapping: SourceMapping) -> tuple[PurePosixPath, bool]:
    """Give the place of a file by its name: a mapping may expect it in a folder, which a browser does not send."""
    patterns = [pattern for file in mapping.files for pattern in file.patterns]
    if any(pattern_fits(pattern, name) for pattern in patterns):
        return PurePosixPath(name), True
    for pattern in map(PurePosixPath, patterns):
        plain = not set("*?") & set(str(pattern.parent))
        if plain and ".." not in pattern.parts and not pattern.is_absolute() and pattern_fits(pattern.name, name):
            return pattern.parent / name, True
    for lookup in (PurePosixPath(lookup.file) for file in mapping.files for lookup in file.lookups()):
        if lookup.name == name and ".." not in lookup.parts and not lookup.is_absolute():
            return lookup, False
    return PurePosixPath(name), False


def _keep(file: UploadedFile[Any], path: Path) -> None:
    """Move an uploaded file to its place; one that was small enough for memory is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(file, TemporaryUploadedFile):
        file_move_safe(file.temporary_file_path(), str(path))
        return
    with path.open("wb") as out:
        for chunk in file.chunks():
            out.write(chunk)


def _title(files: Sequence[UploadedFile[Any]], mapping: str) -> str:
    return f"{_listed([str(file.name) for file in files])} · {mapping}"[:200]


def _listed(names: Sequence[str]) -> str:
    first, more = names[0], len(names) - 1
    if not more:
        return first
    said = ngettext("%(first)s and %(more)s more", "%(first)s and %(more)s more", more)
    return said % {"first": first, "more": more}
