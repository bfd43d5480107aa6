"""Identity: which keys are one person, which are one company.

Deterministic. Two keys of one fact are joined; what is joined directly or over others is one component (scipy). Its id
is made from its oldest key, so it stays the same when later loads add keys, and a merge keeps the older id; building
again from the facts gives the same ids. A key that is shared by more strangers than its limit, a role mailbox like
`info@` and the domain of a free-mail service never join anybody. Each join keeps the fact's keys and the day it was
known. What people decided (`plait.stewardship`) goes before: who is one, who is apart, which values join nobody.

A browser on which two users sign in is nobody's for good, but somebody's at each moment: what it does without a name is
of whoever signed in last, and before the first sign-in of that first user. Those stretches are its epochs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import duckdb
import numpy as np
import pyarrow as pa

from plait import duck
from plait.stewardship import MERGE, NOTHING_DECIDED, PART, Decision, Decisions, Key
from plait.stewardship.graph import STRENGTH, components, joined, strength_sql

__all__ = [
    "ACCOUNT_LIMIT", "FREE_MAIL", "IDENTITY", "NODES", "PERSON_LIMIT", "ROLE_MAILBOXES", "STRENGTH", "Join", "build",
    "id_sql", "joins_of",
]  # fmt: skip

# A key is shared when it meets more than this many values of one equally strong or stronger name: a kiosk's cookie many
# addresses, a switchboard's number many people. A person's address may meet any number of cookies: those are weaker.
# A cookie that meets two user ids is a shared computer at once, since a person has one user id: it then has epochs.
PERSON_LIMIT = 5
ACCOUNT_LIMIT = 20

ROLE_MAILBOXES = (  # RFC 2142 and what firms really use: whoever answers there, it is not one person
    "abuse accounting accounts admin administration billing booking buchhaltung careers contact contacto einkauf "
    "enquiries finance hello help helpdesk hostmaster hr info infos inquiries invoice invoices it jobs kontakt "
    "legal mail marketing media noc no-reply noreply office orders partners payments postmaster press privacy "
    "purchase purchasing reception sales secretariat security service support team vertrieb webmaster"
).split()
FREE_MAIL = (  # mailboxes of the public: the domain says nothing about the employer
    "163.com 126.com aim.com aol.com bluewin.ch daum.net duck.com email.com fastmail.com free.fr gmail.com gmx.at "
    "gmx.ch gmx.com gmx.de gmx.net googlemail.com hanmail.net hey.com hotmail.co.uk hotmail.com hotmail.de "
    "hotmail.fr hotmail.it icloud.com kakao.com laposte.net libero.it live.com live.fr mac.com mail.com mail.ru "
    "me.com msn.com naver.com nate.com orange.fr outlook.com outlook.de outlook.fr pm.me proton.me protonmail.com "
    "qq.com rocketmail.com sfr.fr t-online.de tutanota.com uol.com.br wanadoo.fr web.de yahoo.co.jp yahoo.co.uk "
    "yahoo.com yahoo.de yahoo.fr yandex.ru ymail.com zoho.com"
).split()

IDENTITY = pa.schema(
    [
        ("keys", pa.string()),
        ("account", pa.string()),
        ("person", pa.string()),
        ("from_at", pa.timestamp("us")),  # of an epoch: its facts happened in [from_at, until_at); null: at any time
        ("until_at", pa.timestamp("us")),
    ]
)
NODES = pa.schema(
    [
        ("scope", pa.string()),  # account or person
        ("name", pa.string()),
        ("value", pa.string()),
        ("belongs_to", pa.string()),  # null when the key joins nobody
        ("why_not", pa.string()),  # shared, role mailbox, free mail or blocked; null when it joins
        ("first_at", pa.timestamp("us")),
    ]
)


@dataclass(frozen=True, slots=True)
class Join:
    """Two keys that are one person or one company: one fact of a source carries both, or somebody decided it."""

    scope: str
    left: Key
    right: Key
    because: str
    recorded_at: datetime
    source: str = ""
    decision: Decision | None = None


def build(db: duckdb.DuckDBPyConnection, decisions: Decisions = NOTHING_DECIDED) -> None:
    """Make the tables `identity` (`keys` to account and person) and `nodes` from the view `facts` and the decisions.

    A set of keys has one row, or one for each epoch. Memory grows with the number of distinct key sets, not of facts.
    """
    db.execute(_SEEN_SQL)
    db.execute(_usable_sql(decisions))
    _connect(db, decisions)
    db.execute(_placed_sql(decisions))
    (shared,) = db.execute("select count(*) from logins").fetchall()[0]
    db.execute(_EPOCHS_SQL.format(facts="facts" if shared else "(from facts limit 0)"))
    db.execute(_IDENTITY_SQL)


def joins_of(db: duckdb.DuckDBPyConnection, owner: str, decisions: Decisions = NOTHING_DECIDED) -> list[Join]:
    """Tell why the keys of a person or an account are one, oldest first: pairs that met in one fact, and decisions.

    Needs the view `facts` and the table `nodes`.
    """
    rows = db.execute(
        """
        with mine as (select * from nodes where belongs_to = ?),
        met as (
            select keys, min(recorded_at) as recorded_at, arg_min(source, (recorded_at, source, id)) as source
            from facts
            where exists (select 1 from mine where contains(facts.keys, to_json(mine.value)::varchar))
            group by keys
        ),
        held as (
            select mine.scope, mine.name, mine.value, met.keys, met.recorded_at, met.source from met
            join mine on json_extract_string(met.keys, '$."' || mine.name || '"') = mine.value
        )
        select one.scope, one.name, one.value, two.name, two.value,
            arg_min(one.keys, (one.recorded_at, one.keys)), min(one.recorded_at),
            arg_min(one.source, (one.recorded_at, one.keys))
        from held as one join held as two on one.keys = two.keys and one.name < two.name
        group by all order by 7, 2, 3, 4, 5
        """,
        [owner],
    ).fetchall()
    met = [Join(scope, (a, b), (c, d), because, at, source) for scope, a, b, c, d, because, at, source in rows]
    return sorted([*met, *_decided(db, owner, decisions)], key=lambda join: join.recorded_at)


def _decided(db: duckdb.DuckDBPyConnection, owner: str, decisions: Decisions) -> list[Join]:
    """Give the merges in force that hold a person or an account together."""
    merges = [one for one in decisions.of(MERGE) if one.keys]
    if not merges:
        return []
    mine = set(db.execute("select name, value from nodes where belongs_to = ?", [owner]).fetchall())
    return [
        Join(one.scope, one.keys[0], one.keys[1], one.why, one.at, decision=one)
        for one in merges
        if set(one.keys) <= mine
    ]


def _connect(db: duckdb.DuckDBPyConnection, decisions: Decisions) -> None:
    """Join the usable keys that met in a fact or by a decision; each component is named after its oldest key."""
    edges = db.execute(
        """
        select min(number) over (partition by set_number, scope) as one, number as other
        from members semi join (select number from usable where why_not is null) using (number)
        """
    ).fetchnumpy()
    (count,) = db.execute("select count(*) from usable").fetchall()[0]
    one, other = np.asarray(edges["one"]), np.asarray(edges["other"])
    component = joined(db, decisions, one, other, count) if decisions.in_force else components(one, other, count)
    # Numbers rise with age, so the smallest number of a component is its oldest key.
    oldest = np.full(component.max(initial=-1) + 1, count, dtype=np.int64)
    np.minimum.at(oldest, component, np.arange(count))
    db.register("eldest", pa.table({"number": np.arange(count), "eldest": oldest[component]}))
    db.execute(
        f"""
        create or replace temp table numbered_nodes as
        select own.*, case when own.why_not is null then {id_sql("old")} end as belongs_to
        from usable as own join eldest using (number) join seen as old on old.number = eldest.eldest
        """
    )
    db.unregister("eldest")


def id_sql(key: str) -> str:
    """Make an id from a key: `a` or `p` and 64 bits of its MD5 (any two of a million alike: 3 in 100 million)."""
    return f"left({key}.scope, 1) || left(md5({key}.name || chr(31) || {key}.value), 16)"


# Keys are told apart by their texts once; from then on a number stands for each, and numbers rise with age.
_SEEN_SQL = f"""
create or replace temp table key_sets as
select keys, min(recorded_at) as first_at from facts where keys <> '{{}}' group by keys;

create or replace temp table entries as
select set_number, first_at, entry.key as name, entry.value as value,
    case when entry.key = 'domain' or entry.key like 'account.%' then 'account' else 'person' end as scope,
    case when entry.key = 'email' and contains(entry.value, '@')
        and split_part(entry.value, '@', 2) not in ({duck.literals(FREE_MAIL)})
        then split_part(entry.value, '@', 2) end as employer
from (
    select rowid as set_number, first_at, unnest(map_entries(keys::json::map(varchar, varchar))) as entry from key_sets
);

create or replace temp table seen as
select scope, name, value, min(first_at) as first_at, any_value(employer) as employer,
    row_number() over (order by min(first_at), name, value) - 1 as number
from (
    select scope, name, value, first_at, employer from entries
    union all  -- the company behind a business address names the account when no fact does
    select 'account', 'domain', employer, first_at, null from entries where employer is not null
) group by scope, name, value;

create or replace temp table members as
select set_number, entries.first_at, scope, name, number from entries join seen using (scope, name, value);
"""


def _usable_sql(decisions: Decisions) -> str:
    """Give the query that says of each key whether it may join others, and why not."""
    limits = decisions.limits()
    own = " ".join(f"when {duck.literal(name)} then {most}" for name, most in sorted(limits.items()))
    usual = f"if(scope = 'person', {PERSON_LIMIT}, {ACCOUNT_LIMIT})"
    limit = f"case name {own} else {usual} end" if own else usual
    verdicts = sorted((*key, kind) for key, kind in decisions.verdicts().items())
    rows = ", ".join(f"({duck.literals(row)})" for row in verdicts)
    told = f"from (values {rows}) as told(name, value, verdict)" if rows else "from seen"
    ways = (
        f"""when (name, value) in (select (name, value) {told} where verdict = 'block') then 'blocked'
        when (name, value) in (select (name, value) {told} where verdict = 'allow') then null"""
        if rows
        else ""
    )
    return f"""
    create or replace temp table usable as
    with ranked as (select *, {strength_sql("name")} as strength from members),
    met as (
        select one.number, two.name,
            count(distinct two.number) * if(
                any_value(one.name) = 'anonymous_id' and two.name = 'user_id',
                {limits.get("anonymous_id", PERSON_LIMIT)}, 1
            ) as others
        from ranked as one join ranked as two
            on one.set_number = two.set_number and one.scope = two.scope
            and one.name <> two.name and two.strength >= one.strength
        group by one.number, two.name
    ),
    degree as (select number, max(others) as degree from met group by number)
    select seen.*, case {ways}
        when name = 'email' and split_part(value, '@', 1) in ({duck.literals(ROLE_MAILBOXES)}) then 'role mailbox'
        when name = 'domain' and value in ({duck.literals(FREE_MAIL)}) then 'free mail'
        when degree > {limit} then 'shared'
    end as why_not
    from seen left join degree using (number);
    """


def _placed_sql(decisions: Decisions) -> str:
    """Give the query that says whom each set of keys concerns.

    Where somebody was parted the keys of one set may be of two: then its strongest key tells, equal ones by name.
    """
    least = "min({id})"
    if decisions.of(PART):
        order = f"(-({strength_sql('own.name')}), own.name, own.value)"
        least = f"arg_min({{id}}, {order}) filter ({{id}} is not null)"
    mine = {
        scope: least.format(id=f"(case when members.scope = '{scope}' then own.belongs_to end)")
        for scope in ("account", "person")
    }
    return _PLACED_SQL.format(**mine)


_PLACED_SQL = """
create or replace temp table nodes as
select scope, name, value, belongs_to, why_not, first_at from numbered_nodes;

create or replace temp table placed as
select set_number, members.first_at,
    {account} as account, {person} as person,
    min(firm.belongs_to) as mail_account
from members join numbered_nodes as own using (number)
left join (select value, belongs_to from numbered_nodes where name = 'domain') as firm on firm.value = own.employer
group by set_number, members.first_at;

create or replace temp table employer as
select person,
    arg_min(account, (first_at, account)) filter (account is not null) as account,
    arg_min(mail_account, (first_at, mail_account)) filter (mail_account is not null) as mail_account
from placed where person is not null group by person;

create or replace temp table logins as
select key_sets.keys, browser.number as browser, placed.person
from members as browser join usable using (number) join members as login using (set_number)
join placed using (set_number) join key_sets on key_sets.rowid = set_number
where browser.name = 'anonymous_id' and usable.why_not = 'shared' and login.name = 'user_id' and person is not null;
"""

# Who signed in last has the browser; equal instants are told apart as everywhere, by source and id.
_EPOCHS_SQL = """
create or replace temp table epochs as
with seen as (select browser, person, occurred_at, source, id from {facts} as facts join logins using (keys)),
signed_in as (
    select *, lag(person) over (partition by browser order by occurred_at, source, id) as before from seen
),
starts as (
    select *, lead(occurred_at) over (partition by browser order by occurred_at, source, id) as until_at
    from signed_in where person is distinct from before
)
select browser, person, if(before is null, timestamp '0001-01-01', occurred_at) as from_at,
    coalesce(until_at, timestamp '9999-12-31') as until_at
from starts where occurred_at is distinct from until_at;

create or replace temp table placed_in_epochs as
select placed.* exclude (person), coalesce(placed.person, epochs.person) as person, epochs.from_at, epochs.until_at
from placed left join (
    select set_number, epochs.* from epochs join members on members.number = browser
) as epochs on epochs.set_number = placed.set_number and placed.person is null;
"""

_IDENTITY_SQL = """
create or replace temp table identity as
select key_sets.keys,
    coalesce(placed.account, employer.account, placed.mail_account, employer.mail_account) as account, placed.person,
    placed.from_at, placed.until_at
from key_sets
join placed_in_epochs as placed on placed.set_number = key_sets.rowid
left join employer on placed.person = employer.person;
"""
