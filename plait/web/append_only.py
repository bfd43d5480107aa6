"""Append-only tables: the database itself refuses to change or delete a row, whoever goes past the desk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def append_only(name: str, table: str, said: str) -> migrations.RunPython:
    """Give the migration that guards a table; `name` is what its triggers are called by, `said` what they answer."""
    refuses = f"raise exception '{said}' using errcode = 'integrity_constraint_violation'"
    once = f"{name}_is_append_only()"
    whenever = f"before update or delete on {table} for each row"
    ways = {
        "sqlite": (
            [
                f"create trigger {name}_no_{verb} before {verb} on {table} begin select raise(abort, '{said}'); end"
                for verb in ("update", "delete")
            ],
            [f"drop trigger {name}_no_{verb}" for verb in ("update", "delete")],
        ),
        "postgresql": (
            [
                f"create function {once} returns trigger language plpgsql as $$ begin {refuses}; end $$",
                f"create trigger {name}_append_only {whenever} execute function {once}",
            ],
            [f"drop trigger {name}_append_only on {table}", f"drop function {once}"],
        ),
    }

    def guard(_apps: object, editor: BaseDatabaseSchemaEditor) -> None:
        for statement in ways[editor.connection.vendor][0]:
            editor.execute(statement)

    def unguard(_apps: object, editor: BaseDatabaseSchemaEditor) -> None:
        for statement in ways[editor.connection.vendor][1]:
            editor.execute(statement)

    return migrations.RunPython(guard, unguard)


@contextmanager
def lifted(table: str) -> Iterator[None]:
    """Let rows of a table be changed, inside the transaction that does it; for who erases a person, and nobody else.

    The guards are back before anybody else sees the table: they are lifted in the same transaction.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for does in ("disable", "enable"):
                cursor.execute("set constraints all immediate")  # what waits for the end forbids to alter the table
                cursor.execute(f"alter table {table} {does} trigger user")
                if does == "disable":
                    yield
            cursor.execute("set constraints all deferred")
            return
        cursor.execute("select name, sql from sqlite_master where type = 'trigger' and tbl_name = %s", [table])
        guards = cursor.fetchall()
        for name, _ in guards:
            cursor.execute(f"drop trigger {name}")
        yield
        for _, sql in guards:
            cursor.execute(sql)
