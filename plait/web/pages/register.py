"""The register: every measure with its class, who must agree on its definition and whether they have; sign it here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import ndiff
from hashlib import sha256
from http import HTTPStatus

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_POST

from plait import desk, report
from plait.facts import DEPARTMENTS
from plait.failure import Misused
from plait.measure import Definition, Measure, known_measure
from plait.register import Register, Version, agreed_by, is_agreed, read_register
from plait.web import words
from plait.web.pages.measure import default_text
from plait.web.people.models import User
from plait.web.people.rights import may, permit
from plait.web.rail import Rail
from plait.web.reader import answer, measure_for, results, user_of
from plait.web.register import acts
from plait.web.register.models import Proposal
from plait.web.register.numbers import Sides, compare
from plait.web.results import Ask
from plait.web.state import BadState
from plait.web.templatetags.plait import spoken

STATES = {
    "": gettext_noop("any"), "unsigned": gettext_noop("unsigned"), "signed": gettext_noop("signed"),
    "proposed": gettext_noop("with a proposal"),
}  # fmt: skip
SORTS = {
    "": gettext_noop("any"), "money": gettext_noop("money"), "count": gettext_noop("count"),
    "proxy": gettext_noop("proxy"),
}  # fmt: skip

DEEPEST = 6  # steps by which a measure is set in below those that it helps to explain


@dataclass(frozen=True, slots=True)
class Entry:
    """A measure as the list shows it: what holds, what waits, and when something was last done about it."""

    measure: Measure
    held: Definition
    waits: Version | None
    changed_at: datetime | None
    depth: int = 0

    @property
    def means(self) -> str:
        """Give the first sentence of what it means."""
        return words.paragraphs(self.measure)[0]


@dataclass(frozen=True, slots=True)
class Choice:
    """An option that a definition states: its value in force, by plait's default, and as proposed."""

    name: str
    held: str
    default: str
    proposed: str = ""

    @property
    def changes(self) -> bool:
        """Tell whether the proposal gives it another value."""
        return self.proposed != self.held


def reader_of(request: HttpRequest) -> User:
    """Give who reads the register: colleagues who may see numbers; to others it does not exist."""
    user = user_of(request)
    permit(user, "numbers.see")
    if user.outside:
        raise Http404
    return user


def register(request: HttpRequest) -> HttpResponse:
    """List every measure, by name or as the tree of what explains what."""
    user = reader_of(request)
    chosen = {name: _one_of(name, request.GET.get(name, ""), allowed) for name, allowed in _FILTERS.items()}
    kept = read_register(results().home)
    every = [_entry(measure, kept) for _, measure in sorted(desk.measures().items())]
    entries = [one for one in every if _wanted(one, chosen)]
    if chosen["view"] == "tree":
        entries = _tree(entries)
    context = {
        "title": _("Register"), "entries": entries, "chosen": chosen, "known": len(every),
        "unsigned": sum(not one.held.holds for one in every), "waiting": sum(one.waits is not None for one in every),
        "states": STATES.items(), "sorts": SORTS.items(), "owners": DEPARTMENTS,
        "mine": [one for one in every if _mine(user, one)],
    }  # fmt: skip
    return render(request, "pages/register.html", context)


def definition(request: HttpRequest, name: str, status: int = 200, refused: str = "") -> HttpResponse:
    """Show what a measure means, what was agreed and when, and the proposal that waits for signatures."""
    user = reader_of(request)
    measure = measure_for(user, name)
    kept = read_register(results().home)
    waits = Proposal.objects.filter(measure=name, settled=False).select_related("proposed_by").first()
    held = kept.in_force(measure)
    shown: dict[str, object] = {
        "title": words.label(name), "measure": measure, "held": held, "refused": refused,
        "paragraphs": words.paragraphs(measure), "choices": _choices(measure, held, None),
        "history": [(one, kept.state_of(one)) for one in reversed(kept.of(name))],
        "explains": [one for one in desk.measures().values() if one.parent == name],
        "proposes": may(user, "numbers.work").allowed, "form": _form(measure, held, request.POST),
        "reason": request.POST.get("reason", ""), "validated": _validation(measure),
    }  # fmt: skip
    if waits is not None:
        shown |= _proposal(user, measure, held, waits, kept)
    return render(request, "pages/definition.html", shown, status=status)


@require_POST
def propose(request: HttpRequest, name: str) -> HttpResponse:
    """Propose another definition."""
    user = reader_of(request)
    measure = measure_for(user, name)
    chosen = {one: request.POST[one] for one in measure.options if request.POST.get(one)}
    try:
        acts.propose(user, name, chosen, request.POST.get("reason", ""), now=_now())
    except Misused as refused:
        return definition(request, name, HTTPStatus.BAD_REQUEST, words.failure(refused))
    except acts.Contested as refused:
        return definition(request, name, HTTPStatus.CONFLICT, words.failure(refused))
    messages.success(request, _("The proposal is made. What is in force stays until both departments have signed."))
    return redirect("definition", name)


@require_POST
def sign(request: HttpRequest, name: str, number: int) -> HttpResponse:
    """Sign a proposal for one's own department."""
    user, found = _found(request, name, number)
    try:
        signed = acts.sign(user, found.pk, now=_now())
    except acts.Contested as refused:
        return definition(request, name, HTTPStatus.CONFLICT, words.failure(refused))
    said = _("Signed by both departments: it is in force.") if signed.settled else _("Signed for your department.")
    messages.success(request, said)
    return redirect("definition", name)


@require_POST
def withdraw(request: HttpRequest, name: str, number: int) -> HttpResponse:
    """Withdraw one's own proposal."""
    user, found = _found(request, name, number)
    try:
        acts.withdraw(user, found.pk, now=_now())
    except acts.Contested as refused:
        return definition(request, name, HTTPStatus.CONFLICT, words.failure(refused))
    messages.success(request, _("The proposal is withdrawn."))
    return redirect("definition", name)


def numbers(request: HttpRequest, name: str, number: int) -> HttpResponse:
    """Show the numbers of the last year by the definition in force and by a proposed one."""
    user = reader_of(request)
    measure = measure_for(user, name)
    found = get_object_or_404(Proposal, measure=name, number=number)
    held = read_register(results().home).in_force(measure)
    proposed = Definition(number, options=tuple(sorted(agreed_by(measure, found.options).items())))
    old = replace(held, options=tuple(sorted(agreed_by(measure, dict(held.options)).items())))
    sides = Sides(measure, None if held.state == "changed" else old, proposed, user.scope())
    shown = compare(sides, request.GET.get("column", ""))
    several = len({row.subject for row in shown.rows}) > 1
    context = {
        "measure": measure, "number": number, "shown": shown, "several": several,
        "chart": shown.chart.told() if shown.chart else None,
    }  # fmt: skip
    return render(request, "parts/definition_numbers.html", context)


def same(request: HttpRequest, name: str) -> HttpResponse:
    """Show the fingerprint of today's answer: whoever of the firm asks gets exactly these bytes."""
    user = reader_of(request)
    measure = measure_for(user, name)
    ask = Ask.of(measure.name, {}, scope=user.scope())
    table = answer(ask)
    digest = sha256(report.as_csv(table).encode()).hexdigest()
    context = {"measure": measure, "ask": ask, "table": table, "digest": digest}
    return render(request, "parts/definition_same.html", context)


def _found(request: HttpRequest, name: str, number: int) -> tuple[User, Proposal]:
    user = reader_of(request)
    measure_for(user, name)
    return user, get_object_or_404(Proposal, measure=name, number=number)


def _proposal(user: User, measure: Measure, held: Definition, waits: Proposal, kept: Register) -> dict[str, object]:
    """Give what the page shows of the proposal that waits for signatures."""
    signed = list(waits.signatures.select_related("by"))
    missing = [name for name in measure.signers if name not in {one.department for one in signed}]
    last = kept.signed(measure.name)
    return {
        "waits": waits, "signed": signed, "missing": missing, "changes": _choices(measure, held, waits),
        "text": _text_changes(last.means, waits.means) if last is not None and last.means != waits.means else [],
        "cannot": acts.may_sign(user, waits), "withdraws": waits.proposed_by_id == user.pk,
    }  # fmt: skip


def _choices(measure: Measure, held: Definition, waits: Proposal | None) -> list[Choice]:
    """Give the options that a definition states."""
    default, agreed = agreed_by(measure), agreed_by(measure, dict(held.options))
    proposed = agreed_by(measure, waits.options) if waits else agreed
    return [
        Choice(name, _spoken(agreed[name]), _spoken(value), _spoken(proposed[name])) for name, value in default.items()
    ]


def _spoken(value: object) -> str:
    """Give an option's value as people read it."""
    if value is None or isinstance(value, bool):
        return {None: _("none"), True: _("yes"), False: _("no")}[value]
    return spoken(value)


def _form(measure: Measure, held: Definition, given: Mapping[str, str]) -> list[dict[str, object]]:
    """Give the fields with which another definition is proposed, filled in with what is in force."""
    agreed = measure.read_options({}, held.options)
    return [
        {
            "name": name, "allowed": words.said(option.allowed()), "optional": option.optional,
            "choices": ("yes", "no") if option.type is bool else option.choices,
            "value": given.get(name, default_text(agreed[name])),
        }
        for name, option in measure.options.items()
        if is_agreed(measure, name)
    ]  # fmt: skip


def _text_changes(old: str, new: str) -> list[tuple[str, str]]:
    """Give the sentences that were taken out (`-`), put in (`+`) or kept of a definition's text."""
    before, after = ([" ".join(one.split()) for one in text.replace("\n\n", ". ").split(". ")] for text in (old, new))
    return [(line[0], line[2:]) for line in ndiff(before, after) if line[0] in "+- "]


def _validation(measure: Measure) -> bool:
    """Tell whether there is a measure that says how tightly proxies follow revenue."""
    return measure.proxy and "proxy_validation" in desk.measures()


def _entry(measure: Measure, kept: Register) -> Entry:
    versions = kept.of(measure.name)
    instants = [
        at for one in versions for at in (one.proposed_at, one.withdrawn_at, *(s.at for s in one.signatures)) if at
    ]
    return Entry(measure, kept.in_force(measure), kept.proposal(measure.name), max(instants, default=None))


def _wanted(one: Entry, chosen: Mapping[str, str]) -> bool:
    state, sort, owner = chosen["state"], chosen["class"], chosen["owner"]
    fits = {"": True, "unsigned": not one.held.holds, "signed": one.held.holds, "proposed": one.waits is not None}
    return fits[state] and sort in ("", one.measure.sort) and owner in ("", one.measure.owner)


def _mine(user: User, one: Entry) -> bool:
    """Tell whether a proposal waits for this person's department, and for them."""
    if one.waits is None or user.department not in one.measure.signers or not may(user, "numbers.approve").allowed:
        return False
    return user.department not in {signature.department for signature in one.waits.signatures}


def _tree(entries: list[Entry]) -> list[Entry]:
    """Put measures below the one that they help to explain; those whose parent is not shown stand at the left."""
    shown = {one.measure.name for one in entries}

    def below(parent: str, depth: int) -> list[Entry]:
        children = [one for one in entries if _parent(one, shown) == parent]
        return [
            row
            for one in children
            for row in (replace(one, depth=min(depth, DEEPEST)), *below(one.measure.name, depth + 1))
        ]

    return below("", 0)


def _parent(one: Entry, shown: set[str]) -> str:
    parent = one.measure.parent
    while parent and parent not in shown:
        parent = known_measure(parent).parent
    return parent


def _one_of(name: str, value: str, allowed: Mapping[str, str]) -> str:
    if value not in allowed:
        said = _("%(name)s cannot be %(value)r; allowed: %(allowed)s.")
        raise BadState(said % {"name": name, "value": value, "allowed": ", ".join(filter(None, allowed))})
    return value


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the desk is an edge where the clock is read


_VIEWS = {"": gettext_noop("by name"), "tree": gettext_noop("as a tree")}
_FILTERS: Mapping[str, Mapping[str, str]] = {
    "state": STATES, "class": SORTS, "view": _VIEWS, "owner": {"": "", **dict.fromkeys(DEPARTMENTS, "")},
}  # fmt: skip
RAIL = Rail("lifecycle.see", "register", gettext_noop("Register"), "y", place=21)
URLS = [
    path("register/", register, name="register"),
    path("register/<slug:name>/", definition, name="definition"),
    path("register/<slug:name>/propose/", propose, name="definition_propose"),
    path("register/<slug:name>/<int:number>/sign/", sign, name="definition_sign"),
    path("register/<slug:name>/<int:number>/withdraw/", withdraw, name="definition_withdraw"),
    path("register/<slug:name>/<int:number>/numbers/", numbers, name="definition_numbers"),
    path("register/<slug:name>/same/", same, name="definition_same"),
]
