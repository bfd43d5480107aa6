"""Concern: whom a row is about - company, person, e-mail - and who of us is in charge, looked up where files say it."""

from __future__ import annotations

from dataclasses import dataclass

from plait.sources.form import Column, Value
from plait.sources.proposal.model import FileDraft
from plait.sources.proposal.reading import Keys, Reading, column, lookup

PEOPLE = ("contact", "lead")
MIDDLE = ("ticket", "deal", "payment", "order", "subscription")  # through which a row may say whom it is about


@dataclass(frozen=True, slots=True)
class Whom:
    """An id of a person or company, and the file that lists them with the column that has their ids."""

    value: Value
    file: FileDraft | None = None
    key: str = ""


def keys_of(r: Reading, own: str | None = None) -> Keys:
    """Give the keys of a row: ids of company and person, e-mail, phone, domain; `own` is the key of its own id."""
    found: dict[str, Value] = {}
    if own and (mine := r.name("id")) is not None:
        found[own] = Value(column(mine))
    person, company = _person(r, own), _company(r, own)
    if company is not None:
        found.setdefault(f"account.{r.source}", company.value)
    if person is not None:
        found.setdefault(f"person.{r.source}", person.value)
    for role, key in (("email", "email"), ("domain", "domain"), ("anonymous", "anonymous_id"), ("user", "user_id")):
        if (value := r.value(role)) is not None:
            found.setdefault(key, value)
    if r.draft.entity in (*PEOPLE, "company") and (phone := r.value("phone")):
        found["phone"] = phone
    if "email" not in found and (email := _email(r, person) or _email(r, company)):
        found["email"] = email
    if not any(key.startswith(("account", "domain")) for key in found) and by_name(r):
        found[f"account.{r.source}"] = Value(column(r.name("company_name") or ""))
    return tuple(sorted(found.items()))


def _person(r: Reading, own: str | None) -> Whom | None:
    if own and own.startswith("person"):
        return None
    return _whom(r, "person", "contact")


def _company(r: Reading, own: str | None) -> Whom | None:
    """Give the company: of the row itself, or of the person whom it is about."""
    if own and own.startswith("account"):
        return None
    direct = _whom(r, "company", "company")
    person = None if own else _whom(r, "person", "contact")
    firm = person.file.of("company") if person and person.file else None
    if person is None or person.file is None or firm is None:
        return direct
    theirs = Value(_plain(r, "the_person", person.value), lookup=lookup(person.file, person.key, firm.profile.name))
    if direct is None:
        return Whom(theirs)
    both = Value(_plain(r, "direct", direct.value), otherwise=r.let("their_company", theirs))
    return Whom(both, direct.file, direct.key)


def _whom(r: Reading, role: str, entity: str) -> Whom | None:
    """Find an id in a column of its own, in a file that says which belongs to which, or through a ticket or deal."""
    own = r.draft.of(role)
    if own is not None:
        listed = r.files.get(own.link.file) if own.link else None
        known = listed if listed and listed.entity in (entity, "lead", "company") else None
        key, ids = own.link.key if own.link else "", known.of("id") if known else None
        if known is None or ids is None or ids.profile.name == key:
            return Whom(Value(column(own.profile.name)), known, key)
        by_name = Value(column(own.profile.name), lookup=lookup(known, key, ids.profile.name))
        return Whom(by_name, known, ids.profile.name)  # the name of one whose id others use
    return _joined(r, entity) or _through(r, role, entity)


def _joined(r: Reading, entity: str) -> Whom | None:
    mine = r.name("id")
    if mine is None or r.draft.entity in ("company", entity):
        return None
    for other in r.files.values():
        if other.entity != "join":
            continue
        to_us = next((k for k in other.links if r.files.get(k.file) is r.draft or _same_key(r, other, k.column)), None)
        to_them = next((k for k in other.links if _is(r, k.file, entity)), None)
        if to_us and to_them and to_us.column != to_them.column:
            value = Value(column(mine), lookup=lookup(other, to_us.column, to_them.column))
            return Whom(value, r.files[to_them.file], to_them.key)
    return None


def _same_key(r: Reading, other: FileDraft, name: str) -> bool:
    """Tell whether a file that joins has the row's own id under the same name, such as `engagement_id`."""
    return name == r.name("id") and name.lower() not in ("id", "guid", "uuid") and other is not r.draft


def _is(r: Reading, file: str, entity: str) -> bool:
    return (found := r.files.get(file)) is not None and found.entity == entity


def _through(r: Reading, role: str, entity: str) -> Whom | None:
    for middle in MIDDLE:
        own = r.draft.of(middle)
        other = r.files.get(own.link.file) if own and own.link else None
        theirs = other.of(role) if other else None
        if own is None or own.link is None or other is None or other is r.draft or theirs is None:
            continue
        listed = r.files.get(theirs.link.file) if theirs.link else None
        known = listed if listed and listed.entity == entity else None
        value = Value(column(own.profile.name), lookup=lookup(other, own.link.key, theirs.profile.name))
        return Whom(value, known, theirs.link.key if theirs.link else "")
    return None


def _email(r: Reading, whom: Whom | None) -> Value | None:
    """Give the e-mail address of whom a row is about, from the list of them."""
    theirs = whom.file.of("email") if whom and whom.file and whom.file is not r.draft else None
    if whom is None or whom.file is None or theirs is None or not theirs.profile.filled:
        return None
    name = "the_person" if whom.file.entity in PEOPLE else "the_company"
    return Value(_plain(r, name, whom.value), lookup=lookup(whom.file, whom.key, theirs.profile.name))


def _plain(r: Reading, name: str, value: Value) -> tuple[Column | str, ...]:
    """Give a value as one column: itself, or put beside the columns where it is looked up."""
    return value.template if value == Value(value.template) else r.let(name, value)


def by_name(r: Reading) -> bool:
    """Tell whether companies are told apart by their names, as nothing else tells them."""
    if r.name("company_name") is None or r.draft.entity == "company":
        return False
    default = "no" if r.draft.entity in PEOPLE else "yes"
    return r.answers.get(f"key:{r.draft.profile.name}", default) == "yes"


# -- our own people and things


def owner_of(r: Reading) -> Value | None:
    """Give who is in charge: by e-mail or name where a file of colleagues tells it, else as the column says."""
    found = r.draft.of("owner")
    if found is None:
        return None
    cell = column(found.profile.name)
    target = r.files.get(found.link.file) if found.link else None
    if target is None or found.link is None or target is r.draft or target.entity not in ("staff", "contact", "list"):
        return Value(cell)
    there = Reading(target, r.files, r.source, r.answers, (), r.day)
    ids = target.of("id")
    if ids is None or ids.profile.name != found.link.key:
        return Value(cell)  # it is a name already
    email, first, last, whole = (target.of(role) for role in ("email", "first_name", "last_name", "name"))
    by_email = email if email and email.profile.filled else None
    best = whole if whole and whole.profile.filled and target.entity == "staff" else by_email or whole
    if best is None and first and last:
        parts = [
            r.let(f"owner_{which}", Value(cell, lookup=lookup(target, found.link.key, one.profile.name)))
            for which, one in (("first", first), ("last", last))
        ]
        return Value((*parts[0], " ", *parts[1]), otherwise=cell)
    if best is None or best.profile.name == found.link.key or there.draft is r.draft:
        return Value(cell)
    return Value(cell, lookup=lookup(target, found.link.key, best.profile.name), otherwise=cell)


def named(r: Reading, role: str, by: str = "name") -> Value | None:
    """Give a product or campaign, by name where a file of them tells it."""
    found = r.draft.of(role)
    if found is None:
        return None
    cell = column(found.profile.name)
    target = r.files.get(found.link.file) if found.link else None
    theirs = target.of(by) if target and target is not r.draft else None
    if target is None or found.link is None or theirs is None or theirs.profile.name == found.link.key:
        return Value(cell) if by == "name" else None
    otherwise = cell if by == "name" else None
    return Value(cell, lookup=lookup(target, found.link.key, theirs.profile.name), otherwise=otherwise)
