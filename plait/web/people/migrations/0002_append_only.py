"""The audit log is append-only in the database itself: whoever goes past the desk is refused too."""

from django.db import migrations

from plait.web.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("people", "0001_initial")]
    operations = [append_only("audit", "people_auditentry", "the audit log is append-only")]
