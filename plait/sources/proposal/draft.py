"""Draft: from the profiles of files to a proposal - what each is, what its columns become, the facts, the questions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import duckdb

from plait.failure import Said
from plait.sources.form import HOME, Column, FileMapping, Template, Value
from plait.sources.proposal.entity import entity_of
from plait.sources.proposal.links import find_links, stem_tokens
from plait.sources.proposal.model import ENTITIES, LISTS, NOTHING, Answers, ColumnDraft, Draft, FileDraft, Link
from plait.sources.proposal.overlap import told_once
from plait.sources.proposal.profile import FileProfile, Profiles
from plait.sources.proposal.questions import questions_of, zone_of
from plait.sources.proposal.reading import WHOLE_ROW, Reading, currency_of
from plait.sources.proposal.recipe import facts_of
from plait.sources.proposal.roles import assign
from plait.sources.proposal.sort import ENUM, OPAQUE, TEXT, TIME, WHOLE
from plait.sources.proposal.vocabulary import concepts

MOST_ID_COLUMNS = 4
FEW = 3  # columns
LEAST_TELLING = 4  # columns by which a file is recognised, where it has so many


@dataclass(frozen=True, slots=True)
class Looked:
    """What was seen in the files: profiles, links between them, and for each file the columns that tell rows apart."""

    profiles: Profiles
    links: Mapping[str, Sequence[Link]]
    ids: Mapping[str, tuple[str, ...]]


def look(profiles: Profiles, engine: duckdb.DuckDBPyConnection) -> Looked:
    """Find the links between files, and how the rows of each are told apart."""
    links = find_links(profiles.files, engine)
    return Looked(profiles, links, {file.name: _row_id(file, engine) for file in profiles.files})


def draft(looked: Looked, *, source: str, answers: Answers, day: str) -> Draft:
    """Make the proposal from what was seen and what people said; `day` is that of rows which have none."""
    files = [_file(profile, looked, answers) for profile in _different(looked.profiles.files)]
    by_name = {file.profile.name: file for file in files}
    _like(files, looked.profiles.files, by_name)
    pointed: dict[str, str] = {name: file.entity for name, file in by_name.items()}
    source = answers.get("source") or source
    for file in files:
        _said_roles(file, answers)
        assign(file, pointed)
        _shape(file, files)
    told_once(files, answers)
    for file in files:
        row_id = _own_id(file, looked)
        reading = Reading(file, by_name, source, answers, row_id, answers.get(f"day:{file.profile.name}") or day)
        file.facts = facts_of(reading)
        if not file.facts and file.entity not in LISTS:
            file.notes.append(Said("nothing can be made of it: a column that it needs was not found"))
    made = Draft(source, "", "", files, [], list(looked.profiles.unreadable), answers)
    made.timezone = answers.get("zone") or zone_of(made)
    made.currency = answers.get("currency") or currency_of(files) or HOME
    made.questions = questions_of(made, day)
    for file in files:
        file.mapping = _mapping(file, files, made)
    return made


def _different(profiles: Sequence[FileProfile]) -> list[FileProfile]:
    """Give one file, the one with the most rows, of those that have the same columns."""
    best: dict[tuple[str, ...], FileProfile] = {}
    for profile in profiles:
        key = _key(profile)
        if key not in best or profile.rows > best[key].rows:
            best[key] = profile
    kept = {profile.name for profile in best.values()}
    return [profile for profile in profiles if profile.name in kept]


def _key(profile: FileProfile) -> tuple[str, ...]:
    """Give by what files are of one sort: their columns, and the words of their names that say something."""
    said = [w for w in stem_tokens(profile.name) if concepts(w) - {"time", "created", "updated", "new"}]
    few = [] if len(profile.columns) > FEW else [profile.name]  # few columns may be alike by chance
    return (profile.format, *few, *said, *sorted(c.name for c in profile.columns))


def _like(files: Sequence[FileDraft], profiles: Sequence[FileProfile], by_name: Mapping[str, FileDraft]) -> None:
    for profile in profiles:
        if profile.name in by_name:
            continue
        alike = next((file for file in files if _key(file.profile) == _key(profile)), None)
        if alike is not None:
            alike.like.append(profile.name)


def _file(profile: FileProfile, looked: Looked, answers: Answers) -> FileDraft:
    links = list(looked.links.get(profile.name, ()))
    pointing = [
        f"{link.column}@{name}"
        for name, some in looked.links.items()
        for link in some
        if link.file == profile.name and name != profile.name
    ]
    given = answers.get(f"entity:{profile.name}", "")
    entity, score, why = entity_of(profile, links, pointing, [one.name for one in looked.profiles.files])
    if given in ENTITIES:
        entity, score, why = given, 1.0, Said("you said so")
    by_column = {link.column: link for link in links}
    columns = {c.name: ColumnDraft(c, link=by_column.get(c.name)) for c in profile.columns}
    return FileDraft(profile, entity, score, why, "", columns, links)


def _said_roles(file: FileDraft, answers: Answers) -> None:
    """Give columns the roles that people gave them."""
    for column in file.columns.values():
        given = answers.get(f"role:{file.profile.name}:{column.profile.name}")
        if given is not None:
            column.role, column.score, column.why = given or NOTHING, 1.0, Said("you said so")
    for role in ("amount", "created"):
        picked = file.columns.get(answers.get(f"pick:{file.profile.name}:{role}", ""))
        if picked is not None:
            picked.role, picked.score, picked.why = role, 1.0, Said("you said so")


def _shape(file: FileDraft, files: Sequence[FileDraft]) -> None:
    """Name a file's shape by what its name says, differently from all others."""
    words = [word for word in stem_tokens(file.profile.name) if word.isascii()] or [file.entity]
    name = re.sub(r"[^a-z0-9_]", "", "_".join(words)) or file.entity
    name = name if name[0].isalpha() else f"{file.entity}_{name}"
    plain = file.entity if file.entity not in LISTS and not any(f.shape == file.entity for f in files) else name
    taken = {other.shape for other in files if other is not file}
    file.shape = next(n for k in range(1, len(files) + 2) if (n := plain if k == 1 else f"{name}_{k}") not in taken)


def _own_id(file: FileDraft, looked: Looked) -> Template:
    own = file.of("id")
    if own is not None:
        return (Column(own.profile.name),)
    names = looked.ids.get(file.profile.name, ())
    if not names:
        file.notes.append(
            Said("no columns tell its rows apart: they are numbered, so load it only while it does not change")
        )
        return WHOLE_ROW
    parts: list[str | Column] = []
    for n, name in enumerate(names):
        parts += [*([":"] if n else []), Column(name)]
    return tuple(parts)


def _row_id(file: FileProfile, engine: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """Find the fewest columns, filled in every row, that tell the rows apart."""
    columns = [
        (n, c) for n, c in enumerate(file.columns)
        if c.filled == file.rows and c.sort.name in (WHOLE, OPAQUE, TEXT, ENUM, TIME) and c.wide <= 60  # noqa: PLR2004
        and not c.name.startswith("_")
    ]  # fmt: skip
    ranked = sorted(columns, key=lambda pair: (-_telling(pair[1]), pair[0]))[:9]
    for many in range(1, MOST_ID_COLUMNS + 1):
        for some in combinations(ranked, many):
            cells = ", ".join(f"x{n}" for n, _ in some)
            (different,) = engine.execute(
                f"select count(*) from (select distinct {cells} from {file.table})"
            ).fetchall()[0]
            if different == file.rows:
                return tuple(c.name for _, c in sorted(some))
    return ()


def _telling(column: object) -> int:
    from plait.sources.proposal.profile import ColumnProfile
    from plait.sources.proposal.vocabulary import meaning

    assert isinstance(column, ColumnProfile)  # noqa: S101 - as its only caller gives it
    means = meaning(column.name)
    good = 3 * ("id" in means) + 2 * (column.sort.name == TIME) + (column.sort.name in (ENUM, OPAQUE))
    return good - 2 * bool(means & {"updated", "amount", "score"})


# -- the mapping of a file


def _mapping(file: FileDraft, files: Sequence[FileDraft], made: Draft) -> FileMapping | None:
    """Give the mapping of a file that gives facts, or in which others look values up."""
    looked_up = {lookup.name for other in files for value in _values(other) if (lookup := value.lookup) is not None}
    if not file.facts and file.shape not in looked_up and file.profile.name not in looked_up:
        return None
    profile = file.profile
    mapping = FileMapping(
        patterns=(), source=made.source, facts=tuple(fact for fact, _ in file.facts), shape=file.shape,
        let=tuple(file.lets.items()), about=ENTITIES[file.entity].capitalize() + ".", sheet=profile.sheet,
        skip=profile.skip, nulls=profile.nulls, comment=profile.comment, escape=profile.escape,
    )  # fmt: skip
    zone = zone_of(made, file)
    if zone != made.timezone:
        mapping = replace(mapping, timezone=zone)
    keyed = [
        name
        for other in files
        for value in _values(other)
        if (k := value.lookup) and k.shape == file.shape
        for name in k.columns()
    ]
    used = [name for name in dict.fromkeys([*mapping.named(), *keyed]) if name in profile.told_by]
    if not profile.told_by or not used:
        if not file.facts:  # others name the file itself
            return None
        return replace(mapping, patterns=(_pattern(profile.name), *map(_pattern, file.like)), shape="")
    columns, enough = _telling_columns(file, files, used)
    names = () if enough else tuple(dict.fromkeys(map(_pattern, (profile.name, *file.like))))
    return replace(mapping, columns=columns, patterns=names)


def _values(file: FileDraft) -> list[Value]:
    return [*file.lets.values(), *(value for fact, _ in file.facts for value in fact.values())]


def _pattern(name: str) -> str:
    """Give the glob that fits a file's name next month, too: days and numbers in it may change."""
    folder, slash, last = name.rpartition("/")
    loose = re.sub(r"\d[\d_.-]*\d", "*", re.sub(r"([\[\]?])", "?", last))
    return folder + slash + (loose if loose.strip("*._-") else last)


def _telling_columns(file: FileDraft, files: Sequence[FileDraft], used: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    """Give the columns by which a file is recognised, more until no other has them; whether that was enough."""
    others = [other.profile.told_by for other in files if other is not file]
    chosen = list(used)
    rest = [c for c in file.columns if c in file.profile.told_by and c not in chosen]
    rest.sort(key=lambda name: sum(name in other for other in others))
    while rest and (len(chosen) < LEAST_TELLING or any(other.issuperset(chosen) for other in others)):
        chosen.append(rest.pop(0))
    return tuple(chosen), not any(other.issuperset(chosen) for other in others)
