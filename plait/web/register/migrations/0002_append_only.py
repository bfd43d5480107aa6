"""Signatures are append-only in the database itself: whoever goes past the desk is refused too."""

from django.db import migrations

SAID = "signatures are append-only"
SQLITE = [
    f"create trigger signature_no_{verb} before {verb} on register_signature begin select raise(abort, '{SAID}'); end"
    for verb in ("update", "delete")
]
POSTGRES = [
    f"""create function signature_is_append_only() returns trigger language plpgsql as
    $$ begin raise exception '{SAID}' using errcode = 'integrity_constraint_violation'; end $$""",
    "create trigger signature_append_only before update or delete on register_signature "
    "for each row execute function signature_is_append_only()",
]
UNDO = {
    "sqlite": ["drop trigger signature_no_update", "drop trigger signature_no_delete"],
    "postgresql": [
        "drop trigger signature_append_only on register_signature",
        "drop function signature_is_append_only()",
    ],
}


def guard(_apps, schema_editor):
    for statement in {"sqlite": SQLITE, "postgresql": POSTGRES}[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def unguard(_apps, schema_editor):
    for statement in UNDO[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("register", "0001_definitions")]
    operations = [migrations.RunPython(guard, unguard)]
