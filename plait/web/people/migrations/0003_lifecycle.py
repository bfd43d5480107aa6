"""The area of the lifecycle: the roles that every desk begins with get their level in it."""

from django.db import migrations, models

AREAS = [
    "company", "marketing", "sales", "service", "product", "finance", "it", "hr", "partners", "numbers", "lifecycle",
    "customers", "data", "people", "audit",
]  # fmt: skip
SEES = ("chief", "analyst")


def grant(apps, _schema_editor):
    role_right = apps.get_model("people", "RoleRight")
    for role in apps.get_model("people", "Role").objects.all():
        kind = role.name.split("-")[0]
        level = "see" if role.name in SEES else {"head": "approve", "member": "work"}.get(kind)
        if level:
            role_right.objects.get_or_create(role=role, area="lifecycle", defaults={"level": level})


class Migration(migrations.Migration):
    dependencies = [("people", "0002_append_only")]
    operations = [
        migrations.AlterField(
            "roleright", "area", models.CharField(choices=[(area, area) for area in AREAS], max_length=20)
        ),
        migrations.RunPython(grant, migrations.RunPython.noop),
    ]
