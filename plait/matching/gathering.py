"""Today's people and companies as records: what the facts of each say, newest first, by the fields' usual names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from plait import duck, identity
from plait.derived import Derived
from plait.matching.fields import COMPANY, NAMED, PERSON, SORTS, Layout
from plait.store import FACTS, Store, view_sql

if TYPE_CHECKING:
    import duckdb

ENTERED = (  # what says who somebody is; visits, messages and payments do not
    "account.created", "contact.created", "person.identified", "account.grouped", "lead.created", "form.submitted",
    "subscriber.joined", "user.invited", "user.added", "trial.started",
)  # fmt: skip
NAMES = {PERSON: ("contact.created", "person.identified"), COMPANY: ("account.created", "account.grouped")}
OF_KEYS = {PERSON: {"email": "email", "phone": "phone"}, COMPANY: {"domain": "domain"}}
FORBIDDEN = {PERSON: ("company", "domain", "name"), COMPANY: ("given", "family", "born", "name", "company", "email")}


def gather(db: duckdb.DuckDBPyConnection, store: Store, derived: Derived, scope: str) -> Layout:
    """Make the table `list` of all people or companies: `row_number`, `id` and a column for each field that is known.

    Of several values the newest counts, as people move; who nothing is known of but a key is a record all the same.
    """
    db.execute(view_sql("facts", store.snapshot(), FACTS))
    db.execute(view_sql("nodes", derived.nodes.snapshot(), identity.NODES))
    db.execute(view_sql("identity", derived.identity.snapshot(), identity.IDENTITY))
    db.execute(_told_sql(scope))
    fields = [name for name in SORTS if name in _known(db)]
    told = ", ".join(f"max(value) filter (sort = '{name}') as {name}" for name in fields)
    db.execute(
        f"""
        create or replace temp table list as
        select row_number() over (order by owner) - 1 as row_number, owner as id{"," if told else ""} {told}
        from (select distinct belongs_to as owner from nodes where scope = '{scope}' and belongs_to is not null)
        left join newest using (owner) group by owner
        """
    )
    return Layout(scope, {name: name for name in fields})


def _known(db: duckdb.DuckDBPyConnection) -> set[str]:
    return {name for (name,) in db.execute("select distinct sort from newest").fetchall()}


def _told_sql(scope: str) -> str:
    """Give the query that makes the table `newest` of owner, sort of field and value."""
    owner = "account" if scope == COMPANY else "person"
    keys = " ".join(f"when '{name}' then '{sort}'" for name, sort in OF_KEYS[scope].items())
    fields = ", ".join(f"({duck.literal(name)}, '{sort}')" for name, sort in _fields(scope))
    kinds = duck.literals(ENTERED)
    firm = (
        """
        union all
        select person, 'company', arg_max(name, (occurred_at, account)), max(occurred_at), 'firm'
        from entered join named using (account) where person is not null group by person
        """
        if scope == PERSON
        else ""
    )
    return f"""
    create or replace temp table entered as
    select identity.account, identity.person, kind, occurred_at, source, id, text, detail
    from facts join (from identity where from_at is null) as identity using (keys) where kind in ({kinds});

    create or replace temp table named as
    select account, arg_max(text, (occurred_at, source, id)) as name from entered
    where kind in ({duck.literals(NAMES[COMPANY])}) and text is not null and account is not null group by account;

    create or replace temp table told as
    select {owner} as owner, 'name' as sort, text as value, occurred_at, source || id as tie from entered
    where kind in ({duck.literals(NAMES[scope])}) and text is not null
    union all
    select {owner}, fields.sort, entry.value, occurred_at, source || id from (
        select account, person, occurred_at, source, id,
            unnest(map_entries(detail::json::map(varchar, varchar))) as entry from entered where detail <> '{{}}'
    ) join (values {fields}) as fields(name, sort)
        on fields.name = trim(regexp_replace(lower(entry.key), '[^\\p{{L}}\\p{{N}}]+', ' ', 'g'))
    union all
    select belongs_to, case name {keys} end, value, first_at, value from nodes
    where scope = '{scope}' and name in ({duck.literals(OF_KEYS[scope])}) and belongs_to is not null
    {firm};

    create or replace temp table newest as
    select owner, sort, arg_max(trim(value), (occurred_at, tie)) as value from told
    where owner is not null and trim(value) <> '' group by owner, sort;
    """


def _fields(scope: str) -> Iterator[tuple[str, str]]:
    """Give the names that a field has in the facts' details, each with its sort."""
    for sort, names in NAMED.items():
        if sort not in FORBIDDEN[scope]:
            yield from ((name, sort) for name in names.split("|"))
