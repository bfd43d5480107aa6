"""Judging what is staged: the same hashes in the engine, which looks at a million rows in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plait import duck
from plait.facts import KINDS, PERSON_KEYS
from plait.suppression.kinds import NAME_ACCOUNTS, ONLY_OF_A_PERSON
from plait.suppression.listed import BLANK, BLOCK, ERASED_ID, FACT, SHORTEST, Suppression

if TYPE_CHECKING:
    import duckdb


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
