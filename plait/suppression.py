"""Suppression: the persons who were erased, kept as keyed hashes only, so that no later load brings them back.

The hash is HMAC-SHA256 over a key's value, trimmed, NFKC, in lower case; its secret lies in the home, for its owner to
read. What is new is judged as what was stored is erased: a fact that only concerns such a person is refused without
what it says, any other is stored without the person.
"""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from plait import duck
from plait.delta import locked, sync, write_durably
from plait.facts import KINDS, PERSON_KEYS
from plait.failure import Said, Unfit

if TYPE_CHECKING:
    import duckdb

FOLDER, KEY, LIST = "suppression", "key", "list.json"
FACT = "fact"  # under this name stand facts that no key of an erased person tells: what was done at a shared browser
BLOCK = 64  # bytes, of SHA-256
SHORTEST = 6  # signs: a shorter value is looked for only where a column says that it holds an id

PERSON_RULE = "of a person who was erased"
PERSON_STEP = "nothing; if the person is a customer again and agrees, let them in: plait person allow"
MARK = "plait.erased"  # what a fact's detail, or a refused row, says that has lost a person
BLANK = json.dumps({MARK: "yes"}, separators=(",", ":"))
ERASED_ID = "erased:"  # how an id begins that held a personal value

ONLY_OF_A_PERSON = frozenset(
    (
        "visit.started", "page.viewed", "screen.viewed", "event.other", "ad.clicked", "link.clicked",
        "subscriber.joined", "contact.created", "person.identified", "form.submitted", "content.downloaded",
        "event.attended", "message.sent", "message.opened", "message.clicked", "message.unsubscribed",
        "user.signed_in", "user.signed_out", "user.invited", "user.added", "user.removed", "identity.linked",
    )
)  # fmt: skip
"""The kinds of facts that are removed with a person: all that somebody did, was sent or said about themselves."""

OF_AN_ACCOUNT = frozenset(
    (
        "account.created", "account.grouped", "trial.started", "trial.ended", "referral.made", "referral.given",
        "lead.created", "lead.mql", "lead.recycled", "lead.disqualified", "lead.sal", "lead.sql", "meeting.held",
        "deal.opened", "deal.changed", "deal.won", "deal.lost", "subscription.started", "subscription.changed",
        "subscription.ended", "order.placed", "invoice.issued", "payment.received", "payment.refunded", "product.used",
        "workspace.deleted", "ticket.opened", "ticket.resolved", "ticket.changed", "nps.answered", "csat.answered",
        "review.posted", "spend.paid", "payout.paid", "cost.booked", "fx.rate", "stage.set", "owner.assigned",
        "step.planned", "step.done", "handoff.created", "handoff.assigned", "handoff.touched", "handoff.paused",
        "handoff.resumed", "handoff.accepted", "handoff.rejected", "handoff.expired", "handoff.escalated",
        "lifecycle.changed", "definition.proposed", "definition.signed", "offer.made", "initiative.started",
        "initiative.delivered", "incident.opened", "incident.closed", "skill.assessed",
    )
)  # fmt: skip
"""The kinds that stay, without the person: money, contracts, deals; tickets, use and answers as counts; our acts."""

NAME_ACCOUNTS = ("account.created", "account.grouped")  # their text is a company's name

_TOKENS = re.compile(r"[\s\"'<>(){}\[\],;|=&?/\\:]+")
_HOLDS_IDS = re.compile(r"\b(id|ids|key|user|person|contact|customer|member|visitor|phone|mobile|tel|cookie)\b")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|[_.\-]")


class LostKey(Unfit, RuntimeError):
    """The secret of the list of erased persons is gone: nobody can say any more who is on it."""


@dataclass(frozen=True)
class Suppression:
    """The list of erased persons: under the name of each key the hashes of its values."""

    secret: bytes
    hashes: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, home: Path, keys: Iterable[tuple[str, str]]) -> Suppression:
        """Give a list of these keys alone, as if they were erased, to look for them the same way."""
        secret = secret_of(home)
        found: dict[str, set[str]] = {}
        for name, value in keys:
            found.setdefault(name, set()).add(digest(secret, value))
        return cls(secret, {name: frozenset(some) for name, some in found.items()})

    def __bool__(self) -> bool:
        return any(self.hashes.values())

    def holds(self, name: str, value: str) -> bool:
        """Tell whether a key is on the list."""
        some = self.hashes.get(name, frozenset())
        return bool(some) and digest(self.secret, value) in some

    def concerns(self, keys: Mapping[str, str]) -> bool:
        """Tell whether a fact with these keys concerns an erased person."""
        return any(self.holds(name, value) for name, value in keys.items() if name != FACT)

    def is_told_in(self, text: str) -> bool:
        """Tell whether a text, or any cell of a JSON row, holds a value that is on the list."""
        return any(self._is_value(told) for column, cell in _cells(text) for told in _values(column, cell))

    def _is_value(self, told: str) -> bool:
        seen = self._seen.get(told)
        if seen is None:
            if len(self._seen) > 1_000_000:  # noqa: PLR2004 - some hundred megabytes
                self._seen.clear()
            seen = self._seen[told] = digest(self.secret, told) in self._values
        return seen

    @cached_property
    def _values(self) -> frozenset[str]:
        return frozenset().union(*(some for name, some in self.hashes.items() if name != FACT))

    @cached_property
    def _seen(self) -> dict[str, bool]:
        return {}


def read(home: Path) -> Suppression:
    """Read the list of a home; it is empty where nobody was erased."""
    path = home / FOLDER / LIST
    if not path.exists():
        return Suppression(b"")
    if not (home / FOLDER / KEY).exists():
        says = "{file} is missing: without it nobody can tell who was erased; restore it from a backup, then try again."
        raise LostKey(Said(says, file=str(home / FOLDER / KEY)))
    told = json.loads(path.read_text("utf-8"))
    return Suppression(secret_of(home), {name: frozenset(some) for name, some in told["hashes"].items()})


def suppress(home: Path, keys: Iterable[tuple[str, str]], *, number: int, now: datetime) -> None:
    """Put the keys of one person on the list; those that are there stay as they are. Of `FACT` it is `fact_value`.

    `number` is that of the request: by it the keys of one person are let in again together.
    """
    secret = secret_of(home)
    new = [(name, digest(secret, value)) for name, value in keys]
    with locked(home / "locks" / ".suppression"):
        told = _told(home)
        for name, hashed in new:
            told.setdefault(name, {}).setdefault(hashed, f"{number} {now:%Y-%m-%d}")
        _write(home, told)


def allow(home: Path, keys: Iterable[tuple[str, str]]) -> int:
    """Take the persons who have these keys off the list, all keys of theirs; gives how many stood on it."""
    secret = secret_of(home)
    with locked(home / "locks" / ".suppression"):
        told = _told(home)
        met = [told.get(name, {}).get(digest(secret, value), "") for name, value in keys]
        numbers = {one.partition(" ")[0] for one in met if one}
        left = {
            name: {hashed: one for hashed, one in some.items() if one.partition(" ")[0] not in numbers}
            for name, some in told.items()
        }
        if numbers:
            _write(home, left)
    return sum(map(len, told.values())) - sum(map(len, left.values()))


def fact_value(source: str, id_: str) -> str:
    """Give what stands for one fact on the list."""
    return f"{source}\x1f{id_}"


def normalised(value: str) -> str:
    """Write a value the one way in which it is hashed."""
    return unicodedata.normalize("NFKC", value).strip().lower()


def digest(secret: bytes, value: str) -> str:
    """Give the keyed hash of a value."""
    return hmac.digest(secret, normalised(value).encode(), "sha256").hex()


def erased_id(secret: bytes, text: str) -> str:
    """Give what stands in the place of an id that held a personal value, as `erased_id_sql` does."""
    return ERASED_ID + hmac.digest(secret, text.lower().encode(), "sha256").hex()[:32]


def secret_of(home: Path) -> bytes:
    """Read the secret of a home's hashes, or make one where there is none."""
    path = home / FOLDER / KEY
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return bytes.fromhex(path.read_text("ascii"))
    made = secrets.token_bytes(32)
    with os.fdopen(number, "w") as file:
        file.write(made.hex())
    sync(path)
    sync(path.parent)
    return made


def _told(home: Path) -> dict[str, dict[str, str]]:
    path = home / FOLDER / LIST
    told: dict[str, dict[str, str]] = json.loads(path.read_text("utf-8"))["hashes"] if path.exists() else {}
    return told


def _write(home: Path, told: Mapping[str, Mapping[str, str]]) -> None:
    write_durably(home / FOLDER / LIST, json.dumps({"format": 1, "hashes": told}, indent=1, sort_keys=True))


def _cells(text: str, column: str = "") -> Iterator[tuple[str, str]]:
    """Give the cells of a JSON text, each with its column; of any other text the text itself."""
    if text[:1] in "{[" and text[1:]:
        try:
            told = json.loads(text)
        except ValueError:
            told = text
        if not isinstance(told, str):
            yield from _leaves(told, column)
            return
    yield column, text


def _leaves(told: object, column: str) -> Iterator[tuple[str, str]]:
    if isinstance(told, dict):
        for name, value in told.items():
            yield from _leaves(value, str(name))
    elif isinstance(told, list):
        for value in told:
            yield from _leaves(value, column)
    elif isinstance(told, str):
        yield from _cells(told, column)  # an event may be kept as a text in a text
    elif told is not None and not isinstance(told, bool):
        yield column, str(told)


def _values(column: str, cell: str) -> Iterator[str]:
    """Give what in a cell may be a key's value: the whole cell, and each of its words that is no number."""
    whole = cell.strip()
    telling = _HOLDS_IDS.search(_CAMEL.sub(" ", column).lower()) is not None
    if telling or (len(whole) >= SHORTEST and not whole.isdigit()):
        yield whole
    for text in {cell, unquote(cell)} if "%" in cell else (cell,):
        for word in _TOKENS.split(text):
            one = word.strip(".!")
            if len(one) >= SHORTEST and one != whole and not one.isdigit():
                yield one


# -- judging what is staged


def spare(db: duckdb.DuckDBPyConnection, held: Suppression, facts: str, *, any_stored: bool) -> str:
    """Give a relation in the place of staged facts in which no erased person is; `facts` where there is none anyway.

    Makes the table `erased_lines` of the lines that gave nothing else. Needs the view `stored` where `any_stored`.
    """
    db.execute("create or replace temp table erased_lines (source varchar, file varchar, line bigint)")
    if not held.secret:
        return facts
    set_secret(db, held.secret)
    concerned, listed = _concerned(db, held, facts), held.hashes.get(FACT, frozenset())
    known = _known_ids(db) if any_stored else False
    if not (concerned or listed or known):
        return facts
    _view_judged(db, facts, listed, known=known)
    db.execute(
        """
        insert into erased_lines
        select source, file, line from judged group by all having bool_and(gone);
        create or replace temp view spared as select * exclude (gone) from judged where not gone
        """
    )
    return "spared"


def blank(db: duckdb.DuckDBPyConnection, held: Suppression, refused: str) -> str:
    """Give a relation in the place of refused rows in which those that hold an erased person's values say nothing."""
    if not held:
        return refused
    db.execute(f"create or replace temp table told_rows as select *, row_number() over () as place from {refused}")
    reader = db.execute("select place, coalesce(row, ''), coalesce(value, '') from told_rows")
    found: list[int] = []
    while rows := reader.fetchmany(10_000):
        found += [place for place, row, value in rows if held.is_told_in(row) or held.is_told_in(value)]
    if not found:
        return refused
    db.execute("create or replace temp table blank_rows as select unnest(?::bigint[]) as place", [found])
    db.execute(
        f"""
        create or replace temp view blanked as
        select * exclude (place, hit) replace (if(hit, null, value) as value, if(hit, '{BLANK}', row) as row)
        from (select *, place in (select place from blank_rows) as hit from told_rows)
        """
    )
    return "blanked"


def set_secret(db: duckdb.DuckDBPyConnection, secret: bytes) -> None:
    """Let an engine hash: `digest_sql` needs it."""
    pad = secret.ljust(BLOCK, b"\0")
    for name, byte in (("inner", 0x36), ("outer", 0x5C)):
        db.execute(f"set variable suppression_{name} = unhex('{bytes(one ^ byte for one in pad).hex()}')")


def digest_sql(text: str) -> str:
    """Give the keyed hash of a normalised text, as `digest` does."""
    inner = f"sha256(getvariable('suppression_inner') || encode({text}))"
    return f"sha256(getvariable('suppression_outer') || unhex({inner}))"


def is_person_key_sql(name: str) -> str:
    """Give whether a key names a person."""
    return f"({name} in ({duck.literals(PERSON_KEYS)}) or starts_with({name}, 'person.'))"


def erased_id_sql(parts: str) -> str:
    """Give what stands in the place of an id that held a personal value."""
    return f"'{ERASED_ID}' || left({digest_sql(f'lower({parts})')}, 32)"


FACT_SQL = "{0}source || chr(31) || {0}id"


def kept_text_sql(kind: str, text: str) -> str:
    """Give what stays of a fact's text once its person is gone: nothing, or the word that its kind is read by."""
    told = [name for name, one in KINDS.items() if "text" in one.needs]
    return f"if({kind} in ({duck.literals([*told, *NAME_ACCOUNTS])}), {text}, null)"


def _concerned(db: duckdb.DuckDBPyConnection, held: Suppression, facts: str) -> bool:
    """Make the table `concerned`: which sets of keys name an erased person, and what stays of them."""
    db.execute(
        f"""
        create or replace temp table told_entries as
        select keys, entry.key as name, entry.value as value
        from (
            select keys, unnest(map_entries(keys::json::map(varchar, varchar))) as entry
            from (select distinct keys from {facts} where keys <> '{{}}')
        );
        create or replace temp table told_values as
        select distinct name, value, null::varchar as spelt from told_entries where {is_person_key_sql("name")}
        """
    )
    odd = db.execute("select name, value from told_values where not regexp_full_match(value, '[ -~]*')").fetchall()
    db.execute("create or replace temp table erased_values (name varchar, value varchar)")
    plain = digest_sql("lower(trim(value))")
    for name, some in held.hashes.items():
        if name != FACT and some:
            db.execute(
                f"""
                insert into erased_values
                select name, value from told_values
                where name = ? and regexp_full_match(value, '[ -~]*')
                    and {plain} in (select unnest({duck.text_list(sorted(some))}))
                """,
                [name],
            )
    found = [one for one in odd if held.holds(*one)]
    if found:
        db.executemany("insert into erased_values values (?, ?)", found)
    _keep_of_keys(db)
    return bool(db.execute("select 1 from concerned limit 1").fetchall())


def _known_ids(db: duckdb.DuckDBPyConnection) -> bool:
    """Make the table `erased_ids` of what was stored in the place of ids that held a value; tell whether there is any.

    They are known again though the person came back: a fact is stored once, whatever becomes of its id.
    """
    like = f"source, id from stored where starts_with(id, '{ERASED_ID}')"
    db.execute(f"create or replace temp table erased_ids as select {like}")
    return bool(db.execute("select 1 from erased_ids limit 1").fetchall())


def _keep_of_keys(db: duckdb.DuckDBPyConnection) -> None:
    """Keep the account's keys; without any the domain of a business address, by which its account is known."""
    db.execute(
        f"""
        create or replace temp table concerned as
        with kept as (
            select keys, map_from_entries(list((name, value) order by name)) as kept from told_entries
            where not {is_person_key_sql("name")} group by keys
        ),
        firms as (
            select keys, any_value(split_part(value, '@', 2)) as domain from told_entries
            where name = 'email' and contains(value, '@') group by keys
        ),
        own as (
            select keys, list(lower(value)) as own from told_entries
            where {is_person_key_sql("name")} and length(value) >= {SHORTEST}
                and not regexp_full_match(value, '[0-9]+') group by keys
        )
        select keys, own, coalesce(
            to_json(kept)::varchar, if(domain is null, null, json_object('domain', domain)::varchar), '{{}}'
        ) as kept
        from (select distinct keys from told_entries semi join erased_values using (name, value))
        left join kept using (keys) left join firms using (keys) left join own using (keys)
        """
    )


def _view_judged(db: duckdb.DuckDBPyConnection, facts: str, listed_facts: frozenset[str], *, known: bool) -> None:
    """Make the view `judged` of staged facts without erased persons; `gone` are those that only concern them."""
    value = digest_sql(f"lower({FACT_SQL.format('told.')})")
    hashed = erased_id_sql(FACT_SQL.format("told."))
    known_sql = f"(told.source, {hashed}) in (select (source, id) from erased_ids)" if known else "false"
    listed = "false"
    if listed_facts:
        hashes = duck.text_list(sorted(listed_facts))
        db.execute(f"create or replace temp table erased_facts as select unnest({hashes}) as hashed")
        listed = f"{value} in (select hashed from erased_facts)"
    holds = "len(list_filter(coalesce(own, []), one -> contains(lower({0}), one))) > 0"
    gone = f"kind in ({duck.literals(sorted(ONLY_OF_A_PERSON))})"
    db.execute(
        f"""
        create or replace temp view judged as
        select told.* replace (
            case when {known_sql} or (kept is not null and {holds.format("told.id")}) then {hashed}
                else told.id end as id,
            case when kept is not null and {holds.format("told.object_id")} then {erased_id_sql("told.object_id")}
                else told.object_id end as object_id,
            coalesce(kept, told.keys) as keys,
            if(kept is null, told.text, {kept_text_sql("told.kind", "told.text")}) as text,
            if(kept is null, told.detail, '{BLANK}') as detail
        ), coalesce(kept is not null and {gone}, false) or {listed} as gone
        from {facts} as told left join concerned using (keys)
        """
    )
