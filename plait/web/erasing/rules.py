"""What each table of the desk's database keeps, field by field, and what becomes of it when a person is erased.

Numbers, days and references to other rows hold nobody; every field of text needs a rule here, or a test fails.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.apps import apps
from django.db.models import Field, Model

from plait.erasure.rules import COUNTED, EMPTIED, ERASE, NOTHING, OURS, STRIP, Rule

TEXTS = frozenset(
    (
        "CharField",
        "TextField",
        "JSONField",
        "SlugField",
        "EmailField",
        "URLField",
        "GenericIPAddressField",
        "BinaryField",
    )
)
COLLEAGUES = Rule(NOTHING, "colleagues who use the desk; ends with their account")
DEFINED = Rule(NOTHING, "definitions and goals of the firm, in the words of colleagues")
CONFIGURED = Rule(NOTHING, "how plait is set up")
WRITTEN = Rule(STRIP, "words of colleagues: the person's values and, in their account, names are taken out")
CHAINED = Rule(STRIP, "the person's values are taken out; the entry that says so carries the new content's hash")
NOBODYS = Rule(ERASE, "the reference to the person is emptied")
CARD = Rule(STRIP, "emptied where the hand-off is about the person; elsewhere as words of colleagues")

WHOLE: Mapping[str, Rule] = {  # other people's packages
    "auth.Permission": CONFIGURED, "auth.Group": CONFIGURED, "auth.Group_permissions": CONFIGURED,
    "contenttypes.ContentType": CONFIGURED, "sessions.Session": COLLEAGUES, "account.EmailAddress": COLLEAGUES,
    "account.EmailConfirmation": COLLEAGUES, "mfa.Authenticator": COLLEAGUES, "usersessions.UserSession": COLLEAGUES,
    "django_q.Task": CONFIGURED, "django_q.Success": CONFIGURED, "django_q.Failure": CONFIGURED,
    "django_q.Schedule": CONFIGURED, "django_q.OrmQ": Rule(NOTHING, "numbers of jobs"),
}  # fmt: skip
OUTSIDE: Mapping[str, Rule] = {  # tables without a model
    "django_migrations": CONFIGURED,
    "web_cache": Rule(NOTHING, "how often somebody failed to log in"),
    "sqlite_sequence": COUNTED,
}
FIELDS: Mapping[str, Mapping[str, Rule]] = {
    "people.Role": {"name title": CONFIGURED},
    "people.RoleRight": {"area level": CONFIGURED},
    "people.User": {"password email name department partners language theme": COLLEAGUES},
    "people.Invitation": {"email name department partners digest": COLLEAGUES},
    "people.Token": {"name digest scopes": COLLEAGUES},
    "people.AuditEntry": {"action previous hash": OURS, "subject before after": CHAINED},
    "work.KnownMapping": {"digest": COUNTED, "name text": EMPTIED},
    "work.Job": {"kind state folder": OURS, "title step report": EMPTIED},
    "collector.LiveSource": {"name": CONFIGURED},
    "collector.WriteKey": {"sort shown digest origins": CONFIGURED},
    "collector.TrackedLink": {"code target partner campaign channel parameter hosts fallback": OURS},
    "collector.PromoCode": {"code partner": OURS},
    "handoffs.HandOff": {
        "id type account sender receiver mode state reason recycle_to currency previous": OURS,
        "sent_by assignee answered_by touches escalated": COLLEAGUES,
        "account_name folded keys start because note pauses": WRITTEN,
        "person": NOBODYS,
        "context": CARD,
    },
    "handoffs.Step": {"id act": OURS, "by": COLLEAGUES, "reason note detail": WRITTEN},
    "handoffs.Outbox": {"fact told": WRITTEN},
    "handoffs.Looked": {"name mark": CONFIGURED},
    "handoffs.Answered": {"asked": COUNTED, "key body": WRITTEN},
    "handoffs.Absence": {}, "handoffs.Digest": {},
    "register.Proposal": {"measure means digest options reason": DEFINED},
    "register.Signature": {"department": DEFINED},
    "register.Goal": {"stage sort measure column where verdict": DEFINED, "text": WRITTEN},
    "benchmarks.Opinion": {"challenges": COLLEAGUES},
    "connections.Connection": {
        "name system login settings secrets description cursors": CONFIGURED, "why": EMPTIED,
    },
    "connections.Run": {"state": CONFIGURED, "read not_read problem": EMPTIED},
    "erasing.PersonRequest": {"sort state counts": COUNTED, "why": WRITTEN,
        "digest": Rule(NOTHING, "a keyed hash; nobody can be told from it without the home's secret")},
}  # fmt: skip


def rule_of(field: Field[object, object]) -> Rule | None:
    """Give the rule of a field; None where nobody has thought of it."""
    label = field.model._meta.label  # noqa: SLF001 - the documented way to a model's own description
    whole = WHOLE.get(label)
    if whole is not None:
        return whole
    if field.model._meta.auto_created:  # noqa: SLF001
        return COUNTED  # joins two tables
    if label not in FIELDS:
        return None
    if field.get_internal_type() not in TEXTS or field.is_relation:
        return COUNTED
    return next((rule for names, rule in FIELDS[label].items() if field.name in names.split()), None)


def stripped() -> list[tuple[type[Model], list[Field[object, object]]]]:
    """Give the tables from which a person's values are taken out, each with its fields."""
    found = []
    for model in apps.get_models():
        fields = [field for field in model._meta.local_concrete_fields if _is_stripped(field)]  # noqa: SLF001
        if fields:
            found.append((model, fields))
    return found


def _is_stripped(field: Field[object, object]) -> bool:
    rule = rule_of(field)
    return rule is not None and rule.does == STRIP
