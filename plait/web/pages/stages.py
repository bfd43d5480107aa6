"""The stages of the cycle: who leads it, who owns each, when an account is in one, and the versions of the rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from plait import desk
from plait.facts import DEPARTMENTS
from plait.ledger import Trial, try_rules
from plait.stages import BadRules, Owner, RuleSet, Signal, Stage, Version, keep_version, read_rules, read_versions
from plait.stages.versions import Unfounded
from plait.web import directory, words
from plait.web.people.models import User, record
from plait.web.people.rights import may, permit
from plait.web.rail import Rail
from plait.web.reader import answer, results, user_of
from plait.web.results import Ask

LARGEST = 200_000  # letters of a rule set
MOST_MOVES, MOST_STAYS = 12, 200


@dataclass(frozen=True, slots=True)
class Given:
    """What somebody sent with the form, what is wrong with it, or what it would change."""

    text: str = ""
    why: str = ""
    problems: Sequence[tuple[str, str]] = ()
    trial: Trial | None = None


def stages(request: HttpRequest) -> HttpResponse:
    """Show the rules that hold, or an older version; who leads a department may try others and adopt them."""
    user = user_of(request)
    if request.method != "POST":
        permit(user, "lifecycle.see")
        return _page(request, Given())
    permit(user, "lifecycle.approve")
    text, why = _text(request), str(request.POST.get("why", "")).strip()
    try:
        if request.POST.get("doing") == "adopt":
            version = adopt(user, text, why)
            messages.success(request, _("Version %(n)s of the stage rules holds from now on.") % {"n": version.number})
            return redirect("stages")
        trial = try_rules(settings.HOME, read_rules(text), _now())
    except BadRules as bad:
        problems = [(one.where, words.said(one.says)) for one in bad.problems]
        return _page(request, Given(text, why, problems), HTTPStatus.BAD_REQUEST)
    except Unfounded as refused:
        return _page(request, Given(text, why, [(_("adopting"), words.failure(refused))]), HTTPStatus.BAD_REQUEST)
    return _page(request, Given(text, why, trial=trial))


def adopt(user: User, text: str, why: str) -> Version:
    """Make rules hold from now on; the entry in the audit log is written with them or neither is."""
    now = datetime.now(UTC)  # noqa: TID251 - the desk is an edge where the clock is read
    with transaction.atomic():
        before = read_versions(settings.HOME)[-1].number
        read_rules(text)
        record(
            user,
            "stages.adopted",
            _("stage rules"),
            before={"version": before},
            after={"version": before + 1, "why": why},
        )
        version = keep_version(settings.HOME, text, by=user.name, why=why, now=now.replace(tzinfo=None))
    desk.tell_adoptions(settings.HOME, now=now)
    return version


def text_of(request: HttpRequest, number: int) -> HttpResponse:
    """Give the file of a version."""
    permit(user_of(request), "lifecycle.see")
    versions = read_versions(settings.HOME)
    if number >= len(versions):
        raise Http404
    response = HttpResponse(versions[number].rules.text, content_type="application/toml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="stage-rules-{number}.toml"'
    return response


def account_stages(request: HttpRequest, number: str) -> HttpResponse:
    """Tell the stays of an account, the newest first; fetched by its page."""
    user = user_of(request)
    permit(user, "customers.see")
    if user.outside or directory.keys().get(number) is None:
        raise Http404
    desk.measures()
    ask = Ask.of("stage_ledger", {"account": number, "most": MOST_STAYS}, scope=user.scope())
    titles = {stage.name: _title(stage) for stage in results().timeline().rules[-1].rules.stages}
    stays = [
        row
        | {"title": titles.get(str(row["to_stage"]), row["to_stage"]), "why": words.value(row["why"])}
        | {"owner": words.label(row["owner"]) if row["owner"] in DEPARTMENTS else row["owner"]}
        for row in answer(ask).records()
    ]
    return render(request, "parts/account_stages.html", {"stays": stays, "ask": ask})


def _text(request: HttpRequest) -> str:
    file = request.FILES.get("file")
    given = file.read(LARGEST + 1).decode("utf-8", "replace") if file else str(request.POST.get("text", ""))
    return given.replace("\r\n", "\n")[: LARGEST + 1]


def _now() -> datetime:
    """Give the first instant not seen, naive UTC."""
    return results().timeline().settings.newest(datetime.now(UTC))  # noqa: TID251 - an edge where the clock is read


def _page(request: HttpRequest, given: Given, status: HTTPStatus = HTTPStatus.OK) -> HttpResponse:
    user, versions = user_of(request), read_versions(settings.HOME)
    asked = request.GET.get("version", "")
    if asked and not (asked.isascii() and asked.isdigit() and len(asked) < 6 and int(asked) < len(versions)):  # noqa: PLR2004
        raise Http404
    shown = versions[int(asked)] if asked else versions[-1]
    ask, counts = _stocks(user, shown.number)
    today = results().timeline().settings.day(_now())
    told = {stage.name: _told(shown.rules, stage, counts) for stage in shown.rules.stages}
    context = {
        "title": _("Stages"), "version": shown, "holds": shown is versions[-1], "versions": versions[::-1],
        "lead": shown.rules.lead, "ask": ask, "given": given, "text": given.text or shown.rules.text,
        "ring": [told[name] for name in shown.rules.ring], "outside": [told[name] for name in shown.rules.outside],
        "stages": list(told.values()), "approves": may(user, "lifecycle.approve").allowed, "today": today,
        "signals": [(one, _heading(one), words.said(one.told())) for one in shown.rules.signals],
        **_trial(versions[-1].rules, given),
    }  # fmt: skip
    return render(request, "pages/stages.html", context, status=status)


def _stocks(user: User, version: int) -> tuple[Ask, dict[str, int]]:
    """Give how many accounts stand in each stage by a version, and the question that asks it."""
    desk.measures()
    held = len(results().timeline().rules) - 1
    ask = Ask.of("stage_stock", {} if version == held else {"rules": version}, scope=user.scope())
    return ask, {str(row["stage"]): int(str(row["accounts"])) for row in answer(ask).records()}


def _told(rules: RuleSet, stage: Stage, counts: Mapping[str, int]) -> dict[str, object]:
    """Give a stage as the page tells it: owners, accounts, and its lines in words."""
    ways = []
    for way in stage.when:
        asks = [_heading(rules.signal(name)) for name in way.all]
        asks += [_("not: %(signal)s") % {"signal": _heading(rules.signal(name))} for name in way.none]
        asks += [_("it left the stage %(stage)s") % {"stage": _title(rules.stage(way.left))}] if way.left else []
        ways.append((_(way.name), asks))
    return {
        "name": stage.name, "title": _title(stage), "ways": ways, "inside": stage.name in rules.ring,
        "owner": stage.owner_on(results().timeline().settings.day(_now())), "owners": stage.owners,
        "accounts": counts.get(stage.name),
    }  # fmt: skip


def _trial(held: RuleSet, given: Given) -> dict[str, object]:
    """Give what a trial found: accounts by stage before and after, and the moves between."""
    if given.trial is None:
        return {}
    trial, rules = given.trial, read_rules(given.text)
    titles = {stage.name: _title(stage) for stage in (*held.stages, *rules.stages)}
    names = dict.fromkeys((*held.order, *rules.order))
    rows = [(titles[name], trial.before.get(name), trial.after.get(name)) for name in names]
    moves = [(titles[left], titles[entered], n) for left, entered, n in trial.moves if left != entered]
    return {
        "rows": rows, "moves": moves[:MOST_MOVES], "more": max(0, len(moves) - MOST_MOVES),
        "elsewhere": trial.elsewhere, "total": sum(trial.before.values()), "new_owners": _changed_owners(held, rules),
    }  # fmt: skip


def _changed_owners(held: RuleSet, rules: RuleSet) -> list[tuple[str, Owner, Owner]]:
    before = {stage.name: stage.owners[-1] for stage in held.stages}
    return [
        (_title(stage), before[stage.name], stage.owners[-1])
        for stage in rules.stages
        if stage.name in before and before[stage.name] != stage.owners[-1]
    ]


def _title(stage: Stage) -> str:
    return _(stage.title)


def _heading(signal: Signal) -> str:
    return signal.called(_(signal.title))


URLS = [
    path("stages/", stages, name="stages"),
    path("stages/<int:number>.toml", text_of, name="stages_text"),
    path("accounts/<slug:number>/stages/", account_stages, name="account_stages"),
]
RAIL = Rail("lifecycle.see", "stages", gettext_noop("Stages"), "t", place=19)
