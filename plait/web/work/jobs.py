"""Jobs carried out: claimed once, watched while they run, cancelled before anything is stored, taken up again."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django_q.tasks import async_task

from plait import desk, live
from plait.failure import Misused, Said, Unfit
from plait.web.people.models import User, record
from plait.web.work.models import Job

State = Job.State
Report = dict[str, object]
MOST_ATTEMPTS = 2
LOOK_EVERY = 0.3  # seconds between two looks at a running job
log = logging.getLogger(__name__)


class Cancelled(Exception):
    """Somebody cancelled the job; it ends before anything is stored."""


class Watch:
    """What a load tells of its progress, and the way to stop it. Used from two threads; each value is set by one."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self.sizes = dict(sizes)
        self.read: dict[str, tuple[int, int]] = {}
        self.file = ""
        self.cancelled = False

    def __call__(self, file: str, done: int, total: int) -> None:
        """Hear how many bytes of a file are read; raises where the job was cancelled."""
        if self.cancelled:
            raise Cancelled
        self.read[file] = done, total
        self.file = file if done < total else ""

    def progress(self) -> tuple[int, int]:
        """Give the bytes read and the bytes there are: of files not begun their size as uploaded."""
        read = dict(self.read)
        waiting = sum(size for name, size in self.sizes.items() if not any(seen.startswith(name) for seen in read))
        return sum(done for done, _ in read.values()), sum(total for _, total in read.values()) + waiting


def start(job: Job) -> None:
    """Hand a job to the worker."""
    async_task("plait.web.work.jobs.carry_out", job.pk)


def carry_out(number: int) -> None:
    """Carry out a job. Whoever claims it works on it: handed over twice, it is done once."""
    claim = {"state": State.RUNNING, "began_at": timezone.now(), "pid": os.getpid(), "attempts": F("attempts") + 1}
    if not Job.objects.filter(pk=number, state=State.WAITING).update(**claim):
        return
    job = Job.objects.select_related("mapping").get(pk=number)  # all of it: the work is done in another thread
    state, report = _outcome(job)
    told = {"state": state, "report": report, "ended_at": timezone.now(), "step": "", "pid": None}
    Job.objects.filter(pk=number).update(**told)
    remove_files(job)


def start_replay(source: str, owner: User) -> Job:
    """Make the job that reads a live source's events, stored and refused, again."""
    with transaction.atomic():
        job = Job.objects.create(kind="replay", owner=owner, title=source)
        record(owner, "data.replay", source)
        start(job)
    return job


def cancel(job: Job) -> None:
    """Ask a job to end: one that waits ends at once, one that runs at its next look, if nothing is stored yet."""
    waiting = Job.objects.filter(pk=job.pk, state=State.WAITING)
    if waiting.update(state=State.CANCELLED, cancel_asked=True, ended_at=timezone.now()):
        remove_files(job)
    else:
        Job.objects.filter(pk=job.pk, state=State.RUNNING).update(cancel_asked=True)


def take_up(*, restarted: bool) -> None:
    """Take up the jobs whose worker is gone; one that ended two workers is given up, as it would end a third.

    After a restart no job runs, whatever its row says, and those that wait are handed over again. Loading is safe to
    repeat: what was stored is known and not stored twice.
    """
    for job in Job.objects.filter(state=State.RUNNING):
        if not restarted and job.pid and _alive(job.pid):
            continue
        if job.attempts >= MOST_ATTEMPTS:
            log.error("job %s ended %s workers and is given up", job.pk, job.attempts)
            Job.objects.filter(pk=job.pk).update(state=State.FAILED, ended_at=timezone.now(), report={}, pid=None)
            remove_files(job)
        else:
            Job.objects.filter(pk=job.pk).update(state=State.WAITING, done=0, total=0, step="", pid=None)
            start(job)
    if restarted:
        for job in Job.objects.filter(state=State.WAITING):
            start(job)


def remove_files(job: Job) -> None:
    """Remove what was uploaded for a job."""
    if job.folder:
        shutil.rmtree(job.folder, ignore_errors=True)


def files_of(job: Job) -> Path:
    """Give the folder of a job's uploaded files."""
    return Path(job.folder) / "files"


def _outcome(job: Job) -> tuple[str, Report]:
    """Work on a job and give how it ended."""
    files = files_of(job)
    watch = Watch({p.relative_to(files).as_posix(): p.stat().st_size for p in files.rglob("*") if p.is_file()})
    try:
        return State.DONE, _watched(job, watch)
    except (Unfit, Misused) as refused:
        return State.REFUSED, {"problem": _sayable(refused)}
    except Exception:  # the one place where every error is caught: the worker goes on and the fault is in the log
        if watch.cancelled:  # engines wrap what stops them
            desk.forget_staged(settings.HOME)
            return State.CANCELLED, {}
        log.exception("job %s failed", job.pk)
        return State.FAILED, {}


def _sayable(refused: Unfit | Misused) -> object:
    """Give what an error says as a report keeps it, so that each reader has it in their own language."""
    text = refused.args[0] if refused.args else ""
    return text.told() if isinstance(text, Said) else str(text)


def _watched(job: Job, watch: Watch) -> Report:
    """Work in a thread of its own and look after it: tell its progress, hear whether it was cancelled."""
    work = KINDS[job.kind]
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work, job, watch)
        while not wait([working], timeout=LOOK_EVERY).done:
            done, total = watch.progress()
            Job.objects.filter(pk=job.pk).update(done=done, total=total, step=watch.file[-200:])
            watch.cancelled = watch.cancelled or Job.objects.filter(pk=job.pk, cancel_asked=True).exists()
    done, total = watch.progress()
    Job.objects.filter(pk=job.pk).update(done=done, total=total)
    return working.result()


def _load(job: Job, watch: Watch) -> Report:
    """Load a job's files."""
    told = desk.load(settings.HOME, files_of(job), _mapping(job), now=_now(), progress=watch)
    return _plain(asdict(told) | _of_contracts(told))


def _try_out(job: Job, watch: Watch) -> Report:
    """Read a job's files as a load would, storing nothing."""
    told = desk.try_out(settings.HOME, files_of(job), _mapping(job), now=_now(), progress=watch)
    return _plain(asdict(told) | _of_contracts(told))


def _of_contracts(told: desk.LoadReport | desk.Trial) -> Report:
    """Give what was broken and what has changed so that each reader has it in their own language."""
    return {"contract": [one.told() for one in told.contract], "drift": [one.told() for one in told.drift]}


def _mapping(job: Job) -> Path | None:
    """Write a job's mapping to its folder under its own name, which its problems are told with.

    A job without one loads the exports that plait knows.
    """
    if job.mapping is None:
        return None
    path = Path(job.folder) / "mapping" / job.mapping.name
    path.parent.mkdir(exist_ok=True)
    path.write_text(job.mapping.text, "utf-8", newline="")
    return path


def _plain(report: Report) -> Report:
    """Give a report as its row holds it: days and amounts as text."""
    encoder = DjangoJSONEncoder()
    return {name: _jsonable(value, encoder) for name, value in report.items()}


def _jsonable(value: object, encoder: DjangoJSONEncoder) -> object:
    if isinstance(value, dict):
        return {str(name): _jsonable(one, encoder) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(one, encoder) for one in value]
    return value if value is None or isinstance(value, str | int | float | bool) else encoder.default(value)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the desk is an edge where the clock is read


def _replay(job: Job, _watch: Watch) -> Report:
    """Read a live source's events again by its present mapping; the job is named after the source."""
    return _plain(asdict(live.replay(settings.HOME, job.title)))


def _match(job: Job, _watch: Watch) -> Report:
    """Look for people or companies who are probably one; the job is named after which of both."""
    from plait.matching.proposing import propose

    found = propose(settings.HOME, job.title, now=_now().replace(tzinfo=None))
    names = ("records", "sure", "to_review", "merged")
    return {"matched": {name: getattr(found, name) for name in names}}


KINDS: dict[str, Callable[[Job, Watch], Report]] = {  # applications add theirs when they are ready
    "load": _load,
    "try_out": _try_out,
    "replay": _replay,
}
