"""Steps of hand-offs are append-only in the database itself: whoever goes past the desk is refused too."""

from django.db import migrations

from plait.web.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("handoffs", "0001_handoffs")]
    operations = [append_only("step", "handoffs_step", "steps of hand-offs are append-only")]
