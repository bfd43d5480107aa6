"""What is done for a person who asks: told what is kept, given it, erased, let in again. Commands and page alike."""

from __future__ import annotations

import calendar
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from plait import inbox, live, suppression
from plait.erasure import erasing, export, finding, plan
from plait.erasure.finding import Section
from plait.erasure.subject import Subject, find_subject
from plait.erasure.texts import replaced
from plait.failure import Misused, Said, Unfit
from plait.web.erasing import rows
from plait.web.erasing.models import PersonRequest
from plait.web.people.models import ERASED, User, record
from plait.web.work import jobs
from plait.web.work.models import Job

Sort, State = PersonRequest.Sort, PersonRequest.State
MOST_SECONDS, PAUSE = 30.0, 0.2  # until events that wait are stored, and between two looks
READERS_END = 1.5  # seconds that whoever reads an old version of a table has to end
TITLES: Mapping[str, str] = {
    "facts_of_a_person": gettext_noop("What they did, were sent and said of themselves"),
    "facts_of_an_account": gettext_noop("Money, contracts, deals, tickets and answers"),
    "facts_naming": gettext_noop("Other facts that name them"),
    "facts_removed": gettext_noop("Facts removed"),
    "facts_stripped": gettext_noop("Facts that stay without them"),
    "facts_mended": gettext_noop("Other facts from which their values were taken"),
    "refused_rows": gettext_noop("Refused rows"),
    "keys": gettext_noop("Keys by which they are known"),
    "timeline": gettext_noop("The line of time made from the facts"),
    "decisions": gettext_noop("Decisions about who they are"),
    "proposals": gettext_noop("Pairs that somebody is asked about"),
    "waiting_events": gettext_noop("Live events that wait to be stored"),
    "left_files": gettext_noop("Files left over from loads that were ended"),
    "handoffs_of_the_person": gettext_noop("Hand-offs about them"),
    "handoffs_handoff": gettext_noop("Hand-offs of their account that name them"),
    "handoffs_step": gettext_noop("Steps of hand-offs that name them"),
    "handoffs_outbox": gettext_noop("Facts of hand-offs on their way"),
    "handoffs_answered": gettext_noop("Answers given to programs"),
    "people_auditentry": gettext_noop("The audit log"),
    "work_job": gettext_noop("Reports of jobs"),
    "work_knownmapping": gettext_noop("Mappings"),
    "register_goal": gettext_noop("Goals that name them"),
    "erasing_personrequest": gettext_noop("Reasons given for requests"),
    "mails": gettext_noop("Mails that wait for no server"),
}
"""Each table as people call it."""


class NotAgreed(Misused, ValueError):
    """An erasure that nobody has confirmed or explained."""


class NothingErased(Unfit, LookupError):
    """A key that stands on no list: whoever it is was never kept out."""


@dataclass(frozen=True, slots=True)
class Found:
    """A person and all that is kept of them; `colleague` where a key is the address of somebody who uses the desk."""

    subject: Subject
    sections: Sequence[Section]
    colleague: str = ""
    kept_out: bool = False


def look(home: Path, asked: str) -> Found:
    """Find all that is kept of the person whom a key names; nothing is changed or written down."""
    subject = find_subject(home, asked)
    found = [*finding.sections(home, subject), *rows.sections(subject)]
    mails = [value.lower() for _name, value in subject.keys if "@" in value]
    colleague = User.objects.filter(email__in=mails).first()
    kept_out = suppression.read(home).concerns(dict(subject.keys))
    return Found(subject, found, colleague.name if colleague else "", kept_out)


def title_of(name: str) -> str:
    """Give how people call a table."""
    return _(TITLES[name]) if name in TITLES else name


def note(home: Path, asked: str, sort: str, *, by: User | None, received_on: date, why: str = "") -> PersonRequest:
    """Write down that a person has asked for something, to be done within a month."""
    subject = find_subject(home, asked)
    with transaction.atomic():
        request = _request(home, subject, sort, by=by, received_on=received_on, why=why)
        record(by, "person.asked", request, after={"sort": sort, "due_on": request.due_on.isoformat()})
    return request


def hand_out(home: Path, asked: str, *, by: User | None, now: datetime) -> bytes:
    """Give all that is kept of a person as an archive; who was given it, and when, is written down."""
    found = look(home, asked)
    counts = {one.name: one.count for one in found.sections}
    with transaction.atomic():
        request = _open_or_new(home, found.subject, Sort.ACCESS, by=by, now=now)
        _done(request, by, now, counts)
        record(by, "person.exported", request, after={"counts": counts})
    head = {
        "title": _("What is kept of a person"),
        "made_at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "request": str(request.pk),
        "by": by.name if by else _("command line"),
    }
    titles = {one.name: title_of(one.name) for one in found.sections}
    return export.as_zip(found.sections, titles, head, now=now)


def begin(home: Path, asked: str, *, why: str, by: User | None, now: datetime) -> PersonRequest:
    """Write down whom to erase and keep them out from now on; `finish` does the rest."""
    if not why.strip():
        raise NotAgreed(Said("say why the person is erased, such as: asked by mail on 3 May."))
    subject = find_subject(home, asked)
    with transaction.atomic():
        request = _open_or_new(home, subject, Sort.ERASURE, by=by, now=now, why=why)
        if any(one.number == request.pk for one in plan.unfinished(home)):
            return request  # begun already, by somebody else or before a kill
        request.state = State.UNDER_WAY
        request.save(update_fields=["state"])
        record(by, "person.erasure_begun", request, after={"why": request.why})
    erasing.prepare(home, subject, number=request.pk, now=now)
    return request


def work(job: Job, _watch: jobs.Watch) -> dict[str, object]:
    """Go on with every erasure that was begun; the job is named after its request."""
    return {"counts": finish(settings.HOME, by=job.owner)}


def start(user: User, request: PersonRequest) -> None:
    """Hand an erasure to the worker; what a job keeps of it is the number of the request."""
    with transaction.atomic():
        jobs.start(Job.objects.create(kind="erase", owner=user, title=str(request)))


def finish(home: Path, *, by: User | None) -> dict[str, int]:
    """Go on with every erasure that was begun, to its end; gives how much was erased, by table.

    Nothing is told as done before all of it is; a kill in between is gone on with by calling this again.
    """
    counts: dict[str, int] = {}
    for one in plan.unfinished(home):
        done = _finish(home, one, by)
        counts = {name: counts.get(name, 0) + done.get(name, 0) for name in {**counts, **done}}
    return counts


def _finish(home: Path, one: plan.Plan, by: User | None) -> dict[str, int]:
    _store_what_waits(home)
    one = erasing.carry_out(one, now=timezone.now(), rest=READERS_END)
    one = one.noted({"mails": rows.erase_files(one.subject)})
    request = PersonRequest.objects.filter(pk=one.number).first()
    with transaction.atomic():
        changed, entries = rows.erase(one.subject)
        counts = {name: count for name, count in {**one.counts, **changed}.items() if count}
        if request is None or request.state != State.DONE:
            if request is not None:
                request.refresh_from_db()
                _done(request, by, timezone.now(), counts)
            record(by, ERASED, request or f"request {one.number}", after={"counts": counts, "entries": entries})
        else:
            counts = {**request.counts, **counts}
    rows.write_anew()
    one.finish()
    return counts


def allow(home: Path, asked: str, *, why: str, by: User | None, now: datetime) -> int:
    """Let a person in again who has come back and agrees; gives how many of their keys stood on the list."""
    if not why.strip():
        raise NotAgreed(Said("say why the person is let in again, such as: signed up and agreed on 3 May."))
    subject = find_subject(home, asked)
    taken = suppression.allow(home, subject.keys)
    if not taken:
        raise NothingErased(Said("this key is on no list: nobody by it was erased, or they were let in again."))
    with transaction.atomic():
        request = _request(home, subject, Sort.ALLOWED, by=by, received_on=now.date(), why=why)
        _done(request, by, now, {"keys": taken})
        record(by, "person.allowed", request, after={"why": request.why, "keys": taken})
    return taken


def _store_what_waits(home: Path) -> None:
    """Store the live events that wait now, under the list; those that come later are judged when they are stored."""
    waiting = set(inbox.folder_of(home).glob("*.jsonl"))
    began = time.monotonic()
    while waiting := _still(waiting):
        live.seal(home, now=timezone.now())
        if time.monotonic() - began > MOST_SECONDS:
            raise Unfit(Said("live events are still waiting to be stored; try again in a moment."))
        if _still(waiting):
            time.sleep(PAUSE)


def _still(waiting: set[Path]) -> set[Path]:
    """Give the segments that are there yet, under their closed names where they were closed meanwhile."""
    names = {path if path.exists() else inbox.closed_name(path) for path in waiting}
    return {path for path in names if path.exists()}


def _open_or_new(
    home: Path, subject: Subject, sort: str, *, by: User | None, now: datetime, why: str = ""
) -> PersonRequest:
    """Give the request that waits for this person, else a new one."""
    waiting = PersonRequest.objects.select_for_update().filter(
        digest__in=_digests(home, subject), sort=sort, state__in=(State.OPEN, State.UNDER_WAY)
    )
    request = waiting.order_by("id").first()
    if request is None:
        return _request(home, subject, sort, by=by, received_on=now.date(), why=why)
    if why.strip():
        request.why = replaced(why.strip(), subject.values)
        request.save(update_fields=["why"])
    return request


def _request(home: Path, subject: Subject, sort: str, *, by: User | None, received_on: date, why: str) -> PersonRequest:
    told = replaced(why.strip(), [*subject.values, *(name.lower() for name in subject.names)])
    return PersonRequest.objects.create(
        sort=sort, digest=min(_digests(home, subject)), why=told, received_on=received_on,
        due_on=month_after(received_on), by=by,
    )  # fmt: skip


def _digests(home: Path, subject: Subject) -> list[str]:
    secret = suppression.secret_of(home)
    return [suppression.digest(secret, value) for _name, value in subject.keys]


def _done(request: PersonRequest, by: User | None, now: datetime, counts: Mapping[str, int]) -> None:
    request.state, request.done_at, request.done_by, request.counts = State.DONE, now, by, dict(counts)
    request.save()


def month_after(day: date) -> date:
    """Give the day a month later, by which the law wants an answer (Art. 12 (3) GDPR)."""
    year, month = (day.year + day.month // 12, day.month % 12 + 1)
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))
