"""The desk's own rows of a person: found by their values in every field of words, and erased from them."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path

from django.conf import settings
from django.db import OperationalError, connection
from django.db.models import CharField, F, Field, Model, Q, QuerySet, TextField
from django.db.models.functions import Cast, Lower

from plait import suppression
from plait.erasure.finding import Section
from plait.erasure.rules import ERASE, STRIP
from plait.erasure.subject import Subject
from plait.erasure.texts import replaced, replaced_in
from plait.failure import Said, Unfit
from plait.web.append_only import lifted
from plait.web.connections.models import Run
from plait.web.erasing.rules import stripped
from plait.web.handoffs.models import HandOff, Outbox, Step
from plait.web.people.models import AuditEntry
from plait.web.work.models import Job

TRIES, PAUSE = 20, 0.5  # to write the database file anew while others use it
AT_ONCE = 500


class DatabaseBusy(Unfit, RuntimeError):
    """The database could not be written anew: somebody used it all the time."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A row of the desk that holds a person's values, with the fields that do."""

    row: Model
    fields: list[str]


def sections(subject: Subject) -> list[Section]:
    """Give what the desk's tables keep of a person: the fields that hold one of their values."""
    found = []
    for model, fields in stripped():
        hits = list({hit.row.pk: hit for hit in _hits(model, fields, subject)}.values())
        rows = [{"row": str(hit.row.pk), **{name: getattr(hit.row, name) for name in hit.fields}} for hit in hits]
        found.append(Section(_name(model), STRIP, len(rows), rows))
    cards = [{"row": one.pk, "context": one.context, "note": one.note} for one in _handoffs_of(subject)]
    found += [Section("handoffs_of_the_person", ERASE, len(cards), cards)]
    mails = [path for path in _mail_files() if _names(path, subject)]
    found += [Section("mails", ERASE, len(mails))]
    return [one for one in found if one.count]


def erase(subject: Subject) -> tuple[dict[str, int], dict[str, str]]:
    """Take a person out of the desk's rows; gives how many rows changed, by table, and the new hashes of audit entries.

    The caller holds the transaction.
    """
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("pragma secure_delete = on")
    counts = {"handoffs_of_the_person": _empty_cards(subject)}
    hashes: dict[str, str] = {}
    for model, fields in stripped():
        hits = list(_hits(model, fields, subject))
        counts[_name(model)] = len({hit.row.pk for hit in hits})
        if not hits:
            continue
        with lifted(model._meta.db_table):  # noqa: SLF001
            for hit in hits:
                _strip(hit, subject)
        if model is AuditEntry:
            told = AuditEntry.objects.filter(pk__in=[hit.row.pk for hit in hits])
            hashes = {str(one.pk): one.computed_hash() for one in told}
    return {name: count for name, count in counts.items() if count}, hashes


def erase_files(subject: Subject) -> int:
    """Delete mails that name a person, and files uploaded, fetched or being mapped; gives the number of mails."""
    named = [path for path in _mail_files() if _names(path, subject)]
    for path in named:
        path.unlink(missing_ok=True)
    waiting = Job.objects.filter(state__in=(Job.State.WAITING, Job.State.RUNNING)).values_list("folder", flat=True)
    open_runs = Run.objects.filter(state=Run.State.OPEN).values_list("pk", flat=True)
    worked_on = {*map(str, waiting), *(str(settings.STATE / "pulled" / str(number)) for number in open_runs)}
    for folder in (one for kind in ("uploads", "pulled", "drafts") for one in (settings.STATE / kind).glob("*")):
        if folder.is_dir() and str(folder) not in worked_on:
            shutil.rmtree(folder, ignore_errors=True)
    return len(named)


def write_anew() -> None:
    """Let the database's file, and the log beside it, hold nothing but what its rows say now."""
    if connection.in_atomic_block:
        return  # only in tests: whoever asks inside a transaction cannot have it written anew
    for left in reversed(range(TRIES)):
        try:
            with connection.cursor() as cursor:
                cursor.execute("vacuum")
                if connection.vendor != "sqlite":
                    return
                cursor.execute("pragma wal_checkpoint(truncate)")
                ((busy, *_),) = cursor.fetchall()
            if not busy:
                return
        except OperationalError:
            if not left:
                raise
        time.sleep(PAUSE)
    raise DatabaseBusy(Said("the desk's database is in use all the time; the erasure is gone on with: try again."))


def _name(model: type[Model]) -> str:
    return model._meta.label.lower().replace(".", "_")  # noqa: SLF001


def _hits(model: type[Model], fields: Sequence[Field[object, object]], subject: Subject) -> Iterator[Hit]:
    """Give the rows that hold a value, and in hand-offs of the person's accounts those that hold a name.

    A row with a value is about the person: a name in it is theirs, too.
    """
    words = [*subject.values, *_names_of(subject)]
    named = _rows_of_accounts(model, subject)
    for values, rows in ((subject.values, model._default_manager.all()), (_names_of(subject), named)):  # noqa: SLF001
        if not values or rows is None:
            continue
        lower = {f"told_{field.name}": Lower(Cast(F(field.name), TextField())) for field in fields}
        told = rows.annotate(**lower).filter(_contains(list(lower), values))
        for row in told.iterator(AT_ONCE):
            if any(_changes(getattr(row, field.name), values) for field in fields):
                yield Hit(row, [field.name for field in fields if _changes(getattr(row, field.name), words)])


def _contains(columns: Sequence[str], values: Sequence[str]) -> Q:
    """Give whether any of these columns holds any of these values, plain or as JSON writes them."""
    wanted = Q()
    for column in columns:
        for value in {form for one in values for form in (one, json.dumps(one)[1:-1])}:
            wanted |= Q(**{f"{column}__contains": value})
    return wanted


def _names_of(subject: Subject) -> list[str]:
    return [name.lower() for name in subject.names]


def _handoffs_of_accounts(subject: Subject) -> QuerySet[HandOff]:
    return HandOff.objects.filter(Q(account__in=subject.accounts) | Q(person__in=subject.ids))


def _handoffs_of(subject: Subject) -> QuerySet[HandOff]:
    return HandOff.objects.filter(person__in=subject.ids) if subject.ids else HandOff.objects.none()


def _rows_of_accounts(model: type[Model], subject: Subject) -> QuerySet[Model] | None:
    """Give the rows about hand-offs of the person's accounts: only there a name means this person."""
    of_accounts = _handoffs_of_accounts(subject)
    if model is HandOff:
        return of_accounts
    if model is Step:
        return Step.objects.filter(handoff__in=of_accounts)
    if model is Outbox:
        return Outbox.objects.filter(told__object_id__in=list(of_accounts.values_list("pk", flat=True)))
    return None


def _changes(told: object, values: Sequence[str]) -> bool:
    return told is not None and replaced_in(told, values) != told


def _strip(hit: Hit, subject: Subject) -> None:
    """Write a row anew without the person's values."""
    values = [*subject.values, *_names_of(subject)]
    changed = {name: replaced_in(getattr(hit.row, name), values) for name in hit.fields}
    if isinstance(hit.row, HandOff) and "start" in changed:
        changed["start"] = _start(hit.row.start)
    if isinstance(hit.row, Job) and "report" in changed:
        changed["report"] = _without(hit.row.report, values)
    for field in hit.row._meta.local_concrete_fields:  # noqa: SLF001
        if field.name in changed and isinstance(field, CharField) and field.max_length:
            changed[field.name] = str(changed[field.name])[: field.max_length]
    type(hit.row)._default_manager.filter(pk=hit.row.pk).update(**changed)  # noqa: SLF001


def _start(start: str) -> str:
    """Give what a hand-off was made from as its fact is known now: its id held a value."""
    source, _, id_ = start.partition("/")
    known = suppression.erased_id(suppression.secret_of(settings.HOME), suppression.fact_value(source, id_))
    return f"{source}/{known}"


def _without(told: object, values: Sequence[str]) -> object:
    """Give a job's report: an example of a row, or a fact, that names the person says nothing any more."""
    if isinstance(told, dict):
        flat = all(not isinstance(one, dict | list) for one in told.values())
        if flat and any(isinstance(one, str) and replaced(one, values) != one for one in told.values()):
            return {name: one if name in TELLING or not isinstance(one, str) else "" for name, one in told.items()}
        return {name: _without(one, values) for name, one in told.items()}
    return [_without(one, values) for one in told] if isinstance(told, list) else replaced_in(told, values)


TELLING = frozenset(("line", "field", "rule", "next_step", "kind", "source", "currency"))


def _empty_cards(subject: Subject) -> int:
    """Empty what hand-offs of the person say about them; who has them, and what came of them, stays."""
    return _handoffs_of(subject).update(person="", context={})


def _mail_files() -> list[Path]:
    folder = settings.STATE / "mail"
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []


def _names(path: Path, subject: Subject) -> bool:
    """Tell whether a file of mails names a person, however it is encoded."""
    content = path.read_bytes()
    told = [content.decode("utf-8", "replace")]
    for one in content.split(b"-" * 79 + b"\n"):  # what stands between two mails of a file
        mail = message_from_bytes(one.lstrip(), policy=policy.default)
        told += [part.get_content() for part in mail.walk() if part.get_content_maintype() == "text"]
        told.append(str(mail.get("subject", "")))
    wanted = [*subject.values, *_names_of(subject)]
    return any(replaced(text, wanted) != text for text in told)
