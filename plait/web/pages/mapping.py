"""Map an export: what plait thinks of files that nobody has described, to be corrected, previewed, kept and loaded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_POST

from plait.facts import KINDS, SOURCE_NAME
from plait.failure import Misused, Unfit
from plait.sources.proposal.model import ENTITIES, LISTS, NOTHING, ROLES, ColumnDraft, FileDraft, Question
from plait.sources.proposal.proposing import Proposal
from plait.sources.proposal.questions import will_do
from plait.sources.proposal.trial import Tried, TriedFact
from plait.web import words
from plait.web.limit import GIGABYTE, MOST_BYTES
from plait.web.people.models import User, record
from plait.web.people.rights import permit
from plait.web.rail import Rail
from plait.web.reader import user_of
from plait.web.work import drafts, uploads
from plait.web.work.drafts import Draft

VERDICTS = {"sure": "good", "likely": "", "a guess": "warn"}
ANSWERED = ("role", "entity", "pick", "format", "decimal", "unit", "day", "won", "key", "channel", "zone", "currency",
            "spend", "source")  # fmt: skip
LONGEST = 60  # signs of an example


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as the page shows it; `value` is what is taken for now."""

    key: str
    asks: str
    because: str
    options: Sequence[tuple[str, str]]
    value: str
    free: bool
    open: bool


@dataclass(frozen=True, slots=True)
class ShownColumn:
    """A column as the page shows it."""

    id: str
    name: str
    key: str
    sort: str
    filled: int
    examples: Sequence[str]
    role: str
    sure: str
    verdict: str
    why: str


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file as the page shows it; `used` columns become something, the others do not yet."""

    name: str
    key: str
    entity: str
    sure: str
    verdict: str
    why: str
    rows: int
    whole: bool
    gives: bool
    like: Sequence[str]
    notes: Sequence[str]
    used: Sequence[ShownColumn]
    unused: Sequence[ShownColumn]
    empty: Sequence[str]


def start(request: HttpRequest) -> HttpResponse:
    """Take the files that are to be mapped."""
    permit(user_of(request), "data.work")
    context = {
        "title": _("Map an export"), "endings": uploads.ENDINGS, "most": MOST_BYTES // GIGABYTE,
    }  # fmt: skip
    return render(request, "pages/mapping.html", context)


def draft(request: HttpRequest, token: str) -> HttpResponse:
    """Show what is thought of the files, and what their rows would give."""
    found = _draft_of(request, token)
    try:
        proposal = found.proposal()
    except (Unfit, Misused) as unfit:
        found.forget()
        problems = words.failure(unfit).splitlines()
        context = {"title": _("Map an export"), "problems": problems, "endings": uploads.ENDINGS,
                   "most": MOST_BYTES // GIGABYTE}  # fmt: skip
        return render(request, "pages/mapping.html", context, status=HTTPStatus.BAD_REQUEST)
    return render(request, "pages/mapping_draft.html", _context(found, proposal, []))


@require_POST
def answer(request: HttpRequest, token: str) -> HttpResponse:
    """Take corrections and answers, and show what becomes of them."""
    found = _draft_of(request, token)
    problems = _said(request.POST.items(), found)
    return render(request, "pages/mapping_form.html", _context(found, found.proposal(), problems))


@require_POST
def use(request: HttpRequest, token: str) -> HttpResponse:
    """Load the files, try them out, keep the mapping, take it along, or forget all."""
    user = user_of(request)
    found = _draft_of(request, token)
    if "forget" in request.POST:
        found.forget()
        return redirect("map_export")
    problems = _said(request.POST.items(), found)
    proposal = found.proposal()
    if problems or not _gives(proposal):
        problems = problems or [_("No file gives facts yet: say above what their rows are.")]
        context = _context(found, proposal, problems)
        return render(request, "pages/mapping_draft.html", context, status=HTTPStatus.BAD_REQUEST)
    return _done(request, user, found, proposal)


def _done(request: HttpRequest, user: User, found: Draft, proposal: Proposal) -> HttpResponse:
    name, content = f"{proposal.draft.source}.toml", proposal.toml.encode()
    if "download" in request.POST:
        response = HttpResponse(content, content_type="application/toml; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response
    if "save" in request.POST:
        uploads.keep_mapping(name, content)
        record(user, "data.mapping", name)
        found.forget()
        messages.success(request, _("%(name)s is kept: choose it for the next export.") % {"name": name})
        return redirect("upload")
    kind = "try_out" if "try_out" in request.POST else "load"
    return redirect("job", uploads.start_job(user, kind, found.folder, name, content).pk)


def _draft_of(request: HttpRequest, token: str) -> Draft:
    user = user_of(request)
    permit(user, "data.work")
    return drafts.of(user, token)


def _said(given: Iterator[tuple[str, object]] | Mapping[str, object], found: Draft) -> list[str]:
    """Keep what differs from what is taken already; gives what is wrong with answers of people's own."""
    before, problems = found.proposal(), []
    taken = dict(_taken(before))
    answers = found.answers
    for key, value in dict(given).items():
        text = str(value).strip()
        if key.partition(":")[0] not in ANSWERED or taken.get(key) == text or key not in taken:
            continue
        problem = will_do(key, text)
        if key == "source" and not SOURCE_NAME.fullmatch(text):
            problem = _("A source is named with lower case letters, digits and underscores, a letter first.")
        if problem:
            problems.append(words.said(problem))
        else:
            answers[key] = text
    found.say(answers)
    return problems


def _taken(proposal: Proposal) -> Iterator[tuple[str, str]]:
    """Give what is taken for now, by the key of what could be said otherwise."""
    made = proposal.draft
    yield "source", made.source
    for question in made.questions:
        yield question.key, made.answers.get(question.key, question.default)
    for file in made.files:
        name = file.profile.name
        yield f"entity:{name}", file.entity
        for column in file.columns.values():
            yield f"role:{name}:{column.profile.name}", column.role or NOTHING


def _gives(proposal: Proposal) -> bool:
    return any(file.mapping and file.facts for file in proposal.draft.files)


# -- as pages show it


def _context(found: Draft, proposal: Proposal, problems: list[str]) -> dict[str, object]:
    tried, trouble = None, ""
    if _gives(proposal):
        try:
            tried = found.trial(proposal.toml)
        except (Unfit, Misused) as unfit:
            trouble = words.failure(unfit)
    shown = [_file(file, n) for n, file in enumerate(proposal.draft.files)]
    return {
        "title": _("Map an export"), "token": found.token, "source": proposal.draft.source, "problems": problems,
        "questions": [_asked(question, proposal) for question in proposal.draft.questions],
        "files": [file for file in shown if file.gives], "rest": [file for file in shown if not file.gives],
        "unreadable": [why for _name, why in proposal.draft.unreadable], "trouble": trouble, "toml": proposal.toml,
        "entities": [(name, words.said(said)) for name, said in ENTITIES.items()],
        "roles": [(name, words.said(said)) for name, said in ROLES.items()],
        "tried": tried, "facts": _facts(tried), "rows": sum(f.rows for f in tried.files) if tried else 0,
        "accepted": sum(f.accepted for f in tried.files) if tried else 0,
        "refused": sum(f.refused for f in tried.files) if tried else 0,
        "cut": any(f.cut for f in tried.files) if tried else False, "home": settings.HOME,
    }  # fmt: skip


def _asked(question: Question, proposal: Proposal) -> Asked:
    answers = proposal.draft.answers
    options = [(value, words.said(means)) for value, means in question.options]
    value = answers.get(question.key, question.default)
    return Asked(
        question.key, words.said(question.asks), words.said(question.because), options, value, question.free,
        question.key not in answers,
    )  # fmt: skip


def _file(file: FileDraft, number: int) -> ShownFile:
    columns = [(one, _column(file, one, f"c{number}-{n}")) for n, one in enumerate(file.columns.values())]
    used = [shown for column, shown in columns if column.role and column.role != NOTHING]
    rest = [(column, shown) for column, shown in columns if not column.role or column.role == NOTHING]
    return ShownFile(
        file.profile.name, f"entity:{file.profile.name}", file.entity, words.said(file.sure), VERDICTS[file.sure],
        words.said(file.why), file.profile.rows, file.profile.whole, bool(file.facts) or file.entity not in LISTS,
        file.like, [words.said(note) for note in file.notes], used,
        [shown for column, shown in rest if column.profile.filled],
        [shown.name for column, shown in rest if not column.profile.filled],
    )  # fmt: skip


def _column(file: FileDraft, column: ColumnDraft, id_: str) -> ShownColumn:
    profile = column.profile
    named = bool(column.role) and column.role != NOTHING
    share = round(100 * profile.filled / file.profile.rows) if file.profile.rows else 0
    return ShownColumn(
        id_, profile.name, f"role:{file.profile.name}:{profile.name}", _(profile.sort.name), share,
        [example[:LONGEST] for example in profile.examples], column.role or NOTHING,
        words.said(column.sure) if named else "", VERDICTS[column.sure] if named else "", words.said(column.why),
    )  # fmt: skip


def _facts(tried: Tried | None) -> list[dict[str, object]]:
    return [_fact(fact) for fact in tried.facts] if tried else []


def _fact(fact: TriedFact) -> dict[str, object]:
    fields = dict(fact.fields)
    kind, amount = fields.get("kind", ""), fields.get("amount")
    rest = [
        (words.label(name), value[:LONGEST]) for name, value in fact.fields
        if name not in ("kind", "occurred_at", "id", "keys", "amount", "currency")
    ]  # fmt: skip
    money = f"{amount.rstrip('0').rstrip('.')} {fields.get('currency', '')}" if amount else ""
    return {
        "file": fact.file, "line": fact.line, "kind": kind if kind in KINDS else "",
        "at": fields.get("occurred_at", ""),
        "keys": list(json.loads(fields.get("keys", "{}")).items()), "money": money, "rest": rest,
    }  # fmt: skip


RAIL = Rail("data.work", "map_export", gettext_noop("Map an export"), "", place=31, within="data")
URLS = [
    path("data/map/", start, name="map_export"),
    path("data/map/<slug:token>/", draft, name="map_draft"),
    path("data/map/<slug:token>/answers/", answer, name="map_answer"),
    path("data/map/<slug:token>/use/", use, name="map_use"),
]
