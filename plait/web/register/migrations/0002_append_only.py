"""Signatures are append-only in the database itself: whoever goes past the desk is refused too."""

from django.db import migrations

from plait.web.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("register", "0001_definitions")]
    operations = [append_only("signature", "register_signature", "signatures are append-only")]
