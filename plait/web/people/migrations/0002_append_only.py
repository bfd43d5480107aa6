"""The audit log is append-only in the database itself: whoever goes past the desk is refused too."""

from django.db import migrations

SAID = "the audit log is append-only"
SQLITE = [
    f"create trigger audit_no_{verb} before {verb} on people_auditentry begin select raise(abort, '{SAID}'); end"
    for verb in ("update", "delete")
]
POSTGRES = [
    f"""create function audit_is_append_only() returns trigger language plpgsql as
    $$ begin raise exception '{SAID}' using errcode = 'integrity_constraint_violation'; end $$""",
    "create trigger audit_append_only before update or delete on people_auditentry "
    "for each row execute function audit_is_append_only()",
]
UNDO = {
    "sqlite": ["drop trigger audit_no_update", "drop trigger audit_no_delete"],
    "postgresql": ["drop trigger audit_append_only on people_auditentry", "drop function audit_is_append_only()"],
}


def guard(_apps, schema_editor):
    for statement in {"sqlite": SQLITE, "postgresql": POSTGRES}[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def unguard(_apps, schema_editor):
    for statement in UNDO[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("people", "0001_initial")]
    operations = [migrations.RunPython(guard, unguard)]
