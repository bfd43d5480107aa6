"""The audit log: who did what to whom, before and after, and whether the chain of its rows is whole."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from plait.sources.cells import guarded
from plait.web.people.models import AuditEntry, User, broken_chain
from plait.web.people.rights import permit
from plait.web.rail import Rail
from plait.web.reader import user_of
from plait.web.state import day_of

ROWS = 50
NOBODY = "nobody"  # the desk itself, the command line, or somebody who did not come in
COLUMNS = ("number", "at", "who", "action", "subject", "before", "after", "hash")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that was changed."""

    name: str
    before: str
    after: str


def audit(request: HttpRequest) -> HttpResponse:
    """Show what was done, the newest first."""
    permit(user_of(request), "audit.see")
    entries = _filtered(request)
    count = entries.count()
    pages = max(1, -(-count // ROWS))
    asked = request.GET.get("page", "1")
    page = min(max(1, int(asked)), pages) if asked.isdigit() and len(asked) < len(str(10**9)) else 1
    shown = entries.select_related("actor")[(page - 1) * ROWS : page * ROWS]
    context = {
        "title": _("Audit log"), "rows": [(entry, differences(entry.before, entry.after)) for entry in shown],
        "count": count, "page": page, "pages": pages, "nobody": NOBODY, "chosen": request.GET,
        "people": User.objects.order_by("name", "email"), "query": urlencode(_asked(request)),
        "actions": AuditEntry.objects.order_by("action").values_list("action", flat=True).distinct(),
    }  # fmt: skip
    return render(request, "pages/audit.html", context)


def chain(request: HttpRequest) -> HttpResponse:
    """Tell whether every row is as it was written, and none is missing between them."""
    permit(user_of(request), "audit.see")
    return render(request, "parts/chain.html", {"broken": broken_chain(), "count": AuditEntry.objects.count()})


def as_csv(request: HttpRequest) -> StreamingHttpResponse:
    """Give exactly the filtered rows as CSV."""
    permit(user_of(request), "audit.see")
    response = StreamingHttpResponse(_lines(_filtered(request)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="audit.csv"'
    return response


def differences(before: object, after: object) -> list[Difference]:
    """Give what was another before, name by name; what was only told once has the other side empty."""
    was = before if isinstance(before, Mapping) else {} if before is None else {"": before}
    now = after if isinstance(after, Mapping) else {} if after is None else {"": after}
    return [Difference(name, _said(was.get(name)), _said(now.get(name))) for name in {**was, **now}]


def _said(value: object) -> str:
    if value is None or value in ("", []):
        return "–"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return ", ".join(map(_said, value)) if isinstance(value, list) else str(value)


def _asked(request: HttpRequest) -> dict[str, str]:
    names = ("who", "action", "subject", "from", "to")
    return {name: request.GET[name] for name in names if request.GET.get(name)}


def _filtered(request: HttpRequest) -> QuerySet[AuditEntry]:
    asked, wanted = _asked(request), Q()
    if asked.get("who") == NOBODY:
        wanted &= Q(actor=None)
    elif "who" in asked:
        wanted &= Q(actor_id=int(asked["who"])) if asked["who"].isdigit() and len(asked["who"]) < 10 else Q(pk=None)  # noqa: PLR2004
    if "action" in asked:
        wanted &= Q(action=asked["action"])
    if "subject" in asked:
        wanted &= Q(subject__icontains=asked["subject"])
    if "from" in asked:
        wanted &= Q(at__gte=_midnight(day_of("from", asked["from"])))
    if "to" in asked:
        wanted &= Q(at__lt=_midnight(day_of("to", asked["to"]) + timedelta(days=1)))
    return AuditEntry.objects.filter(wanted).order_by("-id")


def _midnight(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), UTC)


def _lines(entries: QuerySet[AuditEntry]) -> Iterator[str]:
    yield ",".join(COLUMNS) + "\r\n"
    for entry in entries.select_related("actor").iterator(chunk_size=500):
        who = entry.actor.email if entry.actor else ""
        told = [guarded(text) for text in (who, entry.action, entry.subject, _json(entry.before), _json(entry.after))]
        out = io.StringIO()
        csv.writer(out, lineterminator="\r\n").writerow([entry.pk, entry.at.isoformat(), *told, entry.hash])
        yield out.getvalue()


def _json(value: object) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)


RAIL = Rail("audit.see", "audit", gettext_noop("Audit log"), "u", place=90)
URLS = [
    path("audit/", audit, name="audit"),
    path("audit/chain/", chain, name="audit_chain"),
    path("audit/csv/", as_csv, name="audit_csv"),
]
