"""Running: one time that a connection is asked. Read, load, and only then remember up to where.

A run that is killed anywhere is done again from the cursors of before: what was loaded already is known by its ids and
added once. Of one connection there is one run at a time.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import IntegrityError, connections, transaction
from django.db.models import F
from django.utils import timezone

from plait import desk
from plait.desk import LoadReport, NothingToLoad
from plait.failure import Misused, Said, Unfit
from plait.sources.pull.asking import Pace
from plait.sources.pull.rest import Pulled
from plait.web import secret
from plait.web.connections import reaching, schedule
from plait.web.connections.models import Connection, Run
from plait.web.people.models import User, record
from plait.web.work import jobs
from plait.web.work.models import Job

MOST_FAILURES = 5  # in a row, then a connection is paused
State = Run.State
Tell = Callable[[str, int, int], None]
log = logging.getLogger(__name__)
_ENDS = {Job.State.CANCELLED: State.CANCELLED, Job.State.REFUSED: State.REFUSED, Job.State.DONE: State.DONE}


class Busy(Unfit, RuntimeError):
    """A connection that is being asked already."""


class Unread(Unfit, ValueError):
    """What was fetched is of no kind that plait knows, and nobody has said what it means."""


def start(connection: Connection, *, full: bool = False, actor: User | None = None) -> Job:
    """Make the job that asks a connection; `actor` is nobody where the schedule does it."""
    owner = actor or connection.owner
    if owner is None:
        raise Unfit(Said("{name} belongs to nobody on the desk; run it on the command line.", name=connection.name))
    with transaction.atomic():
        job = Job.objects.create(kind="pull", owner=owner, title=connection.name)
        _open(connection, job, full=full)
        if actor is not None:
            record(actor, "connection.run", connection.name, after={"full": full})
        transaction.on_commit(lambda: jobs.start(job))
    return job


def work(job: Job, watch: jobs.Watch) -> dict[str, object]:
    """Ask the connection of a job."""
    run = Run.objects.select_related("connection", "connection__mapping").filter(job=job).first()
    if run is None:
        raise Unfit(Said("the connection {name} is no longer there.", name=job.title))

    def tell(what: str, count: int, total: int = 0) -> None:
        watch(what, count if total else 0, total)
        if not total:
            watch.file = f"{what} ({count:,})"

    try:
        report = carry_out(run, now=timezone.now(), tell=tell, cancelled=lambda: watch.cancelled)
        if report["unfinished"] and run.connection.owner_id is not None:
            start(run.connection)  # it was too much for one job
        return report
    finally:
        if threading.current_thread() is not threading.main_thread():
            connections.close_all()  # this thread's own


def due(number: int) -> None:
    """Ask a connection whose time has come; one that is being asked still is left in peace."""
    connection = Connection.objects.select_related("owner").filter(pk=number, paused=False).first()
    if connection is None or connection.owner is None:
        return
    try:
        start(connection)
    except Busy:
        return


def run_now(connection: Connection, *, full: bool, now: datetime, tell: Tell, pace: Pace | None = None) -> Run:
    """Ask a connection in this process until there is no more; gives the last run as it ended."""
    while True:
        run = _open(connection, None, full=full)
        report = carry_out(run, now=now, tell=tell, pace=pace)
        run.refresh_from_db()
        connection.refresh_from_db()
        if not report["unfinished"]:
            return run
        full = False


def carry_out(
    run: Run, *, now: datetime, tell: Tell, pace: Pace | None = None, cancelled: Callable[[], bool] = lambda: False
) -> dict[str, object]:
    """Carry out a run; how it ends is written down, and a failure raised."""
    Run.objects.filter(pk=run.pk).update(state=State.OPEN, began_at=timezone.now(), pid=os.getpid(), ended_at=None)
    _clear(run)  # of an attempt that was killed
    folder = secret.folder(_folder(run))
    try:
        return _carried_out(run, folder / "files", now, tell, pace or Pace())
    except BaseException as error:
        if cancelled():  # engines wrap what stops them
            _close(run, State.CANCELLED)
        elif isinstance(error, Unfit | Misused):
            _fail(run, State.REFUSED, error)
        else:
            _fail(run, State.FAILED, None)
        raise
    finally:
        _clear(run)


def settle() -> None:
    """Close the runs whose job, or process, is gone without having said so."""
    for run in Run.objects.filter(state=State.OPEN).select_related("job", "connection"):
        if run.job is not None and run.job.over:
            ended = _ENDS.get(Job.State(run.job.state), State.FAILED)
            if ended == State.FAILED:
                _fail(run, State.FAILED, None)
            else:
                _close(run, ended)
            _clear(run)
        elif run.job is None and not _alive(run.pid):
            _close(run, State.FAILED, problem=Said("it was broken off; the next run reads the same again.").told())
            _clear(run)


def _open(connection: Connection, job: Job | None, *, full: bool) -> Run:
    settle()
    try:
        with transaction.atomic():
            return Run.objects.create(connection=connection, job=job, full=full, pid=None if job else os.getpid())
    except IntegrityError:
        raise Busy(Said("{name} is being asked already; wait until that is over.", name=connection.name)) from None


def _carried_out(run: Run, folder: Path, now: datetime, tell: Tell, pace: Pace) -> dict[str, object]:
    connection = run.connection
    before = {} if run.full else dict(connection.cursors)
    pulled = reaching.pull(connection, folder, full=run.full, now=now, tell=lambda what, n: tell(what, n, 0), pace=pace)
    Run.objects.filter(pk=run.pk).update(read=dict(pulled.rows), requests=pulled.requests)
    report = _load(connection, pulled, folder, tell) if pulled.rows and not pulled.same else None
    not_read = report.not_read if report else []
    with transaction.atomic():  # only now: what is loaded need not be read again
        cursors = pulled.loaded(before, not_read)
        Connection.objects.filter(pk=connection.pk).update(cursors=cursors, failures=0)
        _close(run, State.DONE, report)
    told = _told(report) if report else {"files": [], "not_read": [], "refused": [], "controls": [], "took": 0}
    return {**told, "read": dict(pulled.rows), "requests": pulled.requests, "unfinished": pulled.unfinished}


def _load(connection: Connection, pulled: Pulled, folder: Path, tell: Tell) -> LoadReport:
    """Load the files of a run by the connection's mapping, or by what plait knows of such files."""
    mapping = None
    if connection.mapping is not None:
        mapping = folder.parent / connection.mapping.name
        mapping.write_text(connection.mapping.text, "utf-8", newline="")
    try:
        return desk.load(settings.HOME, folder, mapping, now=timezone.now(), progress=tell)
    except NothingToLoad as error:
        files = ", ".join(sorted(pulled.rows)[:5])
        says = "nothing of {files} is of a kind that plait knows; give the connection a mapping that reads it."
        raise Unread(Said(says, files=files)) from error


def _told(report: LoadReport) -> dict[str, object]:
    """Give a report as a job keeps it: days and amounts as text."""
    told: dict[str, object] = json.loads(json.dumps(asdict(report), cls=DjangoJSONEncoder))
    return told


def _sayable(refused: Unfit | Misused) -> object:
    """Give what an error says so that each reader has it in their own language."""
    text = refused.args[0] if refused.args else ""
    return text.told() if isinstance(text, Said) else str(text)


def _folder(run: Run) -> Path:
    return Path(settings.STATE) / "pulled" / str(run.pk)


def _clear(run: Run) -> None:
    """Remove what a run has fetched: it holds people, and has no place beside the facts."""
    shutil.rmtree(_folder(run), ignore_errors=True)


def _close(run: Run, state: str, report: LoadReport | None = None, problem: object = "") -> None:
    counts = {
        "added": sum(file.added for file in report.files), "refused": sum(file.refused for file in report.files),
        "not_read": report.not_read,
    } if report else {}  # fmt: skip
    Run.objects.filter(pk=run.pk).update(state=state, ended_at=timezone.now(), pid=None, problem=problem, **counts)


def _fail(run: Run, state: str, refused: Unfit | Misused | None) -> None:
    """Close a run that failed; a connection that fails too often in a row is paused, with the reason."""
    problem = _sayable(refused) if refused else ""
    with transaction.atomic():
        _close(run, state, problem=problem)
        Connection.objects.filter(pk=run.connection_id).update(failures=F("failures") + 1)
        tired = Connection.objects.filter(pk=run.connection_id, failures__gte=MOST_FAILURES, paused=False)
        if tired.update(paused=True, why=problem or "fault"):
            record(None, "connection.paused", run.connection.name, after={"failures": MOST_FAILURES})
            schedule.clear(run.connection)


def _alive(pid: int | None) -> bool:
    try:
        os.kill(pid or 0, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return bool(pid)
