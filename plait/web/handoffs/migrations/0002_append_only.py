"""Steps of hand-offs are append-only in the database itself: whoever goes past the desk is refused too."""

from django.db import migrations

SAID = "steps of hand-offs are append-only"
SQLITE = [
    f"create trigger step_no_{verb} before {verb} on handoffs_step begin select raise(abort, '{SAID}'); end"
    for verb in ("update", "delete")
]
POSTGRES = [
    f"""create function step_is_append_only() returns trigger language plpgsql as
    $$ begin raise exception '{SAID}' using errcode = 'integrity_constraint_violation'; end $$""",
    "create trigger step_append_only before update or delete on handoffs_step "
    "for each row execute function step_is_append_only()",
]
UNDO = {
    "sqlite": ["drop trigger step_no_update", "drop trigger step_no_delete"],
    "postgresql": ["drop trigger step_append_only on handoffs_step", "drop function step_is_append_only()"],
}


def guard(_apps, schema_editor):
    for statement in {"sqlite": SQLITE, "postgresql": POSTGRES}[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def unguard(_apps, schema_editor):
    for statement in UNDO[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("handoffs", "0001_handoffs")]
    operations = [migrations.RunPython(guard, unguard)]
