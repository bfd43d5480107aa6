"""Uploads and jobs: exports brought in the browser, the progress of each job, its report, and the way to cancel it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_POST

from plait.failure import Said
from plait.sources.known import NAME
from plait.web import words
from plait.web.limit import GIGABYTE, MOST_BYTES
from plait.web.people.models import User, record
from plait.web.people.rights import may, permit
from plait.web.reader import user_of
from plait.web.work import drafts, jobs, uploads
from plait.web.work.models import Job
from plait.web.work.uploads import BadUpload

SHOWN = 100
STATES = {
    "waiting": (gettext_noop("waiting"), ""),
    "running": (gettext_noop("running"), ""),
    "done": (gettext_noop("done"), "good"),
    "refused": (gettext_noop("refused"), "bad"),
    "cancelled": (gettext_noop("cancelled"), "warn"),
    "failed": (gettext_noop("failed"), "bad"),
}


def upload(request: HttpRequest) -> HttpResponse:
    """Take exports and a mapping, and begin the job that loads them or tries them out."""
    user = user_of(request)
    permit(user, "data.work")
    if request.method != "POST":
        return _form(request, [])
    try:
        if "map" in request.POST:
            return redirect("map_draft", drafts.keep(user, request.FILES.getlist("files")).token)
        if request.POST.get("known") == uploads.RECOGNISE and not request.FILES.get("mapping"):
            return _recognised(request, user)
        job = _made(request, user)
    except BadUpload as refused:
        return _form(request, refused.problems, HTTPStatus.BAD_REQUEST)
    return redirect("job", job.pk)


def _recognised(request: HttpRequest, user: User) -> HttpResponse:
    """Begin the job that loads the exports that plait knows; those that it does not know are there to be mapped."""
    draft = drafts.keep(user, request.FILES.getlist("files"))
    known, unknown = drafts.recognised(draft)
    if not known:
        messages.info(request, _("No file is an export that plait knows; this is what it proposes for them."))
        return redirect("map_draft", draft.token)
    if unknown:
        left = drafts.part(user, draft, sorted({name for name in unknown if (draft.files / name).exists()}))
        said = _("Not known to plait: %(names)s.") % {"names": ", ".join(unknown)}
        link = format_html('{} <a href="{}">{}</a>', said, reverse("map_draft", args=[left.token]), _("Map them"))
        messages.warning(request, link)
    kind = "try_out" if "try_out" in request.POST else "load"
    return redirect("job", uploads.start_job(user, kind, draft.folder, NAME, None).pk)


def listing(request: HttpRequest) -> HttpResponse:
    """List the reader's jobs; who may approve data sees everybody's."""
    user = user_of(request)
    permit(user, "data.work")
    shown = [_told(job) for job in _mine(user).select_related("owner")[:SHOWN]]
    everybody = may(user, "data.approve").allowed
    return render(request, "pages/jobs.html", {"title": _("Jobs"), "jobs": shown, "everybody": everybody})


def job(request: HttpRequest, number: int) -> HttpResponse:
    """Show a job: how far it is, or its report."""
    found = _job_for(user_of(request), number)
    return render(request, "pages/job.html", {"title": found.title, **_told(found)})


def progress(request: HttpRequest, number: int) -> HttpResponse:
    """Show how far a job is; the page asks every second until it is over."""
    found = _job_for(user_of(request), number)
    return render(request, "parts/job_progress.html", _told(found))


@require_POST
def cancel(request: HttpRequest, number: int) -> HttpResponse:
    """Cancel a job."""
    user = user_of(request)
    found = _job_for(user, number)
    if not found.over:
        with transaction.atomic():
            record(user, "data.cancel", f"job {found.pk}", before={"state": found.state})
            jobs.cancel(found)
    return redirect("job", found.pk)


def _mine(user: User) -> QuerySet[Job]:
    every = Job.objects.all()
    return every if may(user, "data.approve").allowed else every.filter(owner=user)


def _job_for(user: User, number: int) -> Job:
    """Load a job that somebody may see: their own, or anybody's for who may approve data."""
    permit(user, "data.work")
    found = _mine(user).select_related("owner", "mapping").filter(pk=number).first()
    if found is None:
        raise Http404
    return found


def _made(request: HttpRequest, user: User) -> Job:
    brought = request.FILES.get("mapping")
    name, content = uploads.mapping_of(str(request.POST.get("known") or ""), brought)
    kind = "try_out" if "try_out" in request.POST else "load"
    return uploads.make_job(user, kind, request.FILES.getlist("files"), name, content)


def _form(request: HttpRequest, problems: list[str], status: HTTPStatus = HTTPStatus.OK) -> HttpResponse:
    context = {
        "title": _("Upload exports"), "problems": problems, "choices": uploads.choices(),
        "endings": uploads.ENDINGS, "most": MOST_BYTES // GIGABYTE,
        "chosen": request.POST.get("known", uploads.RECOGNISE), "recognise": uploads.RECOGNISE,
    }  # fmt: skip
    return render(request, "pages/upload.html", context, status=status)


def _told(found: Job) -> dict[str, object]:
    """Give a job as its page shows it."""
    said, verdict = STATES[found.state]
    report = found.report
    rows = sum(file["rows"] for file in report.get("files", []))
    took = report.get("took") or found.seconds
    return {
        "job": found, "said": _(said), "verdict": verdict, "report": report, "rows": rows,
        "refused": sum(file["refused"] for file in report.get("files", [])),
        "added": sum(file["added"] for file in report.get("files", [])),
        "per_second": int(rows / took) if rows and took else 0, "problems": _problems(report.get("problem", "")),
        "speed": found.done / found.seconds / 1e6 if found.seconds > 1 and not found.over else 0,
        "percent": min(100, 100 * found.done // found.total) if found.total else 0,
        "late_cancel": found.cancel_asked and found.state == Job.State.DONE,
        "notices": [words.said(Said.of(one)) for name in ("contract", "drift") for one in report.get(name, [])],
    }  # fmt: skip


def _problems(kept: Mapping[str, object] | str) -> list[str]:
    """Give what was wrong in the reader's language; a report of an older version holds a text in English."""
    return (kept if isinstance(kept, str) else words.said(Said.of(kept))).splitlines()


URLS = [
    path("data/upload/", upload, name="upload"),
    path("jobs/", listing, name="jobs"),
    path("jobs/<int:number>/", job, name="job"),
    path("jobs/<int:number>/progress/", progress, name="job_progress"),
    path("jobs/<int:number>/cancel/", cancel, name="job_cancel"),
]
