"""Questions: what no file tells, each with the values that make it necessary and the answer that is taken."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from zoneinfo import available_timezones

from plait.facts import CURRENCIES, nearest
from plait.failure import Said
from plait.sources.form import HOME
from plait.sources.proposal.links import words_of
from plait.sources.proposal.model import ENTITIES, LISTS, ColumnDraft, Draft, FileDraft, Question
from plait.sources.proposal.overlap import question_of
from plait.sources.proposal.reading import Reading, maybe_minor, unit_of
from plait.sources.proposal.roles import rivals
from plait.sources.proposal.sort import NUMBER, TIME

SYNCED = ("_fivetran_", "_airbyte_", "_sdc_", "_dlt_", "_hevo_")  # tools that copy tables write times in UTC
UNSURE = 0.6
CLOSE = 0.12  # two columns so near to each other are asked about


def zone_of(draft: Draft, file: FileDraft | None = None) -> str:
    """Give the zone of a file's times, or of all: UTC where columns say so, else the home's."""
    files = [file] if file is not None else [f for f in draft.files if f.facts]
    if files and all(_in_utc(one) for one in files):
        return "UTC"
    return draft.answers.get("zone") or HOME


def _in_utc(file: FileDraft) -> bool:
    if any(name.startswith(SYNCED) for name in file.columns):
        return True
    times = _times(file)
    return bool(times) and all(c.profile.sort.zoned or {"utc", "gmt"} & set(words_of(c.profile.name)) for c in times)


def _times(file: FileDraft) -> list[ColumnDraft]:
    """Give the times that facts are dated by."""
    used = {name for fact, _ in file.facts for name in fact.fields["occurred_at"].columns()}
    return [c for c in file.columns.values() if c.profile.name in used and c.profile.sort.name == TIME]


def questions_of(draft: Draft, day: str) -> list[Question]:
    """Give all that has to be asked, what matters most first."""
    asked = [question for file in draft.files for question in _of_file(file, draft, day)]
    return [*_of_all(draft), *_same_money(draft), *asked]


def _of_all(draft: Draft) -> Iterator[Question]:
    plain = [f for f in draft.files if f.facts and not _in_utc(f) and any(c.profile.sort.timed for c in _times(f))]
    if plain:
        column = next(c for c in _times(plain[0]) if c.profile.sort.timed)
        yield Question(
            "zone", Said("In which time zone are the times?"),
            Said("{value} in {column} of {file} names none", value=_first(column), column=column.profile.name,
                 file=plain[0].profile.name),
            ((HOME, Said("the time zone of this home")), ("UTC", "UTC")), HOME, free=True,
        )  # fmt: skip
    money = [f for f in draft.files if f.facts and f.of("amount") and not f.of("currency") and _gives_amount(f)]
    if money and (draft.currency == HOME or "currency" in draft.answers):
        (amount,) = [c for c in money[0].columns.values() if c is money[0].of("amount")]
        yield Question(
            "currency", Said("In which currency are the amounts?"),
            Said("{value} in {column} of {file} names none", value=_first(amount), column=amount.profile.name,
                 file=money[0].profile.name),
            ((HOME, Said("the currency of this home")),), HOME, free=True,
        )  # fmt: skip


def _same_money(draft: Draft) -> Iterator[Question]:
    if (question := question_of(draft.files)) is not None:
        yield question


def _gives_amount(file: FileDraft) -> bool:
    return any("amount" in fact.fields for fact, _ in file.facts)


def _first(column: ColumnDraft) -> str:
    return next(iter(column.profile.examples), "")


def _of_file(file: FileDraft, draft: Draft, day: str) -> Iterator[Question]:
    name = file.profile.name
    if file.score < UNSURE and file.profile.rows:
        options = tuple((entity, words) for entity, words in ENTITIES.items())
        columns = ", ".join(list(file.columns)[:6])
        yield Question(f"entity:{name}", Said("What are the rows of {file}?", file=name),
                       Said("its columns are {columns}", columns=columns), options, file.entity)  # fmt: skip
    if not file.facts:
        return
    for column in _times(file):
        if column.profile.sort.ambiguous:
            yield _day_or_month(name, column)
    if file.entity not in LISTS and any(not fact.fields["occurred_at"].columns() for fact, _ in file.facts):
        yield Question(f"day:{name}", Said("On which day was {file} as it is?", file=name),
                       Said("none of its columns says when its rows were made"), ((day, day),), day,
                       free=True)  # fmt: skip
    yield from _money(file)
    yield from _outcomes(file, draft)
    company = file.of("company_name")
    if (
        company is not None
        and not file.of("company")
        and not file.of("domain")
        and file.entity not in ("company", *LISTS)
    ):
        default = "no" if file.entity in ("contact", "lead") else "yes"
        yield Question(
            f"key:{name}", Said("Does the name of a company tell companies apart in {file}?", file=name),
            Said("{value} in {column} is a name, and no column has an id or a domain", value=_first(company),
                 column=company.profile.name),
            (("yes", Said("yes, the same name is the same company")), ("no", Said("no, keep it as a detail"))), default,
        )  # fmt: skip
    if file.entity == "spend" and not file.of("channel"):
        yield Question(f"channel:{name}", Said("Through which channel was the money of {file} spent?", file=name),
                       Said("no column names one"), ((draft.source, draft.source),), draft.source,
                       free=True)  # fmt: skip
    yield from _ties(file)


def _day_or_month(file: str, column: ColumnDraft) -> Question:
    chosen = column.profile.sort.formats[0]
    other = chosen.replace("%d", "%_").replace("%m", "%d").replace("%_", "%m")
    form, mirrored = (chosen, other) if chosen.startswith("%d") else (other, chosen)
    return Question(
        f"format:{file}:{column.profile.name}",
        Said("{value} in {column}: day first or month first?", value=column.profile.sort.ambiguous,
             column=column.profile.name),
        Said("no value of {file} is above 12 in either place", file=file),
        ((form, Said("day first")), (mirrored, Said("month first"))), chosen,
    )  # fmt: skip


def _money(file: FileDraft) -> Iterator[Question]:
    amount, name = file.of("amount"), file.profile.name
    if amount is None or not _gives_amount(file):
        return
    column, sort = amount.profile.name, amount.profile.sort
    if sort.name == NUMBER and sort.ambiguous:
        options = ((".", Said("a point before the decimals")), (",", Said("a comma before the decimals")))
        yield Question(
            f"decimal:{name}:{column}",
            Said("{value} in {column}: is that thousands?", value=sort.ambiguous, column=column),
            Said("the mark stands before just three digits throughout"), options, sort.decimal,
        )  # fmt: skip
    if maybe_minor(amount, file.of("currency")):
        yield Question(
            f"unit:{name}", Said("{value} in {column}: is that in cents?", value=_first(amount), column=column),
            Said("all amounts of {file} are whole numbers, as programs write cents", file=name),
            (("minor", Said("cents, or the smallest unit of the currency")), ("major", Said("whole units"))),
            unit_of(file),
        )  # fmt: skip


def _outcomes(file: FileDraft, draft: Draft) -> Iterator[Question]:
    status = file.of("status")
    if file.entity != "deal" or status is None or not status.profile.choices:
        return
    reading = Reading(file, {f.profile.name: f for f in draft.files}, draft.source, {}, (), "")
    if reading.outcome("won") is None:
        values = ", ".join(status.profile.choices[:12])
        yield Question(
            f"won:{file.profile.name}",
            Said("Which values of {column} say that a deal was won?", column=status.profile.name),
            Said("they are: {values}", values=values), (("", Said("none of them")),), "", free=True,
        )  # fmt: skip


def _ties(file: FileDraft) -> Iterator[Question]:
    """Ask where two columns are as good for the amount, or for the day."""
    name = file.profile.name
    which = {
        "amount": Said("Which column of {file} is the amount?", file=name),
        "created": Said("Which column of {file} says when?", file=name),
    }
    for role, asks in which.items():
        chosen = file.of(role)
        if chosen is None or (role == "amount" and not _gives_amount(file)):
            continue
        near = rivals(file, role, CLOSE)
        if near:
            options = tuple((c.profile.name, f"{c.profile.name} ({_first(c)})") for c in (chosen, *near))
            yield Question(f"pick:{name}:{role}", asks,
                           Said("{n} columns may be it", n=len(options)), options, chosen.profile.name)  # fmt: skip


def will_do(key: str, answer: str) -> str:
    """Tell what is wrong with an answer of people's own; nothing where it will do."""
    what = key.partition(":")[0]
    if what == "zone" and answer != HOME and answer not in available_timezones():
        return Said("{answer!r} is no time zone; {hint}write a name such as Europe/Berlin.", answer=answer,
                    hint=nearest(answer, sorted(available_timezones())))  # fmt: skip
    if what == "currency" and answer != HOME and answer not in CURRENCIES:
        return Said("{answer!r} is no currency; {hint}write a code of ISO 4217 such as EUR.", answer=answer,
                    hint=nearest(answer, CURRENCIES))  # fmt: skip
    if what == "day":
        try:
            date.fromisoformat(answer)
        except ValueError:
            return Said("{answer!r} is no day; write it as 2026-01-31.", answer=answer)
    if what == "channel" and not answer.strip():
        return Said("name the channel, such as google_ads.")
    return ""
