"""Every address that the router knows, with an example of each: who may open it, and what every page has in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from plait.handoff import state
from plait.measures import load_measures
from plait.sources.contract import home as kept
from plait.web.board import all_boards
from plait.web.collector import sources, tracking
from plait.web.collector.models import WriteKey
from plait.web.connections.models import Connection
from plait.web.handoffs import accounts, acts, clock
from plait.web.handoffs.models import Absence, HandOff
from plait.web.people.models import Invitation, Token, User, digest_of
from plait.web.reader import results
from plait.web.register.models import Goal, Proposal
from plait.web.results import Ask
from plait.web.work.models import Job

CHANGES = {  # addresses to which a form is sent, inside a transaction that is undone
    "account_logout", "deactivate", "end_session", "invite", "invite_again", "job_cancel", "language", "new_role",
    "person", "reactivate", "reset_factor", "role", "tokens", "token-revoke", "upload", "withdraw_invitation", "me",
    "mfa_generate_recovery_codes", "account_change_password", "mfa_deactivate_totp", "live", "live_key", "live_key_end",
    "live_origins", "live_quota", "live_mapping", "live_replay",
    "definition_propose", "definition_sign", "definition_withdraw", "api-definition-sign",
    "new_goal", "goal", "end_goal",
    "score_rules", "score_model",
    "partner_links", "partner_link_end", "partner_codes", "partner_code_end", "cracks_assign", "cracks_plan",
    "benchmarks_opinion", "map_answer", "map_use",
    "handoff_new", "handoff_act", "handoff_rules", "handoff_away", "handoff_back", "digest",
    "api-handoff-accept", "api-handoff-reject",
    "api-handoff-touch", "stages",
    "identity_answer", "identity_rule", "identity_match", "identity_tune", "identity_undo", "identity_find",
    "identity_split", "identity_merge", "contracts", "contract_drift",
    "connection_new", "connection_test_new", "connection_test", "connection_run", "connection_change",
    "connection_remove",
    "personal_data_find", "personal_data_export", "personal_data_note", "personal_data_erase", "personal_data_allow",
    "personal_data_resume",
}  # fmt: skip
CONNECTION = (
    "connection", "connection_test", "connection_run", "connection_change", "connection_remove",
)  # fmt: skip
Examples = Mapping[str, dict[str, Any]]
CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: example
name: %s
version: 1.0.0
status: active
schema: [{name: visitors, properties: [{name: visitor, logicalType: string, required: true}]}]
team:
  members:
    - {username: ida, role: IT owner}
    - {username: mara, role: department owner, customProperties: [{property: plait.department, value: marketing}]}
"""


def examples_of(mara: User, ida: User) -> Examples:
    """Give an example of every object that an address names: mostly Mara's."""
    job = Job.objects.create(kind="load", title="an upload", owner=ida)
    token = Token.objects.create(user=mara, name="a token", digest=digest_of("secret"), scopes=["numbers"])
    invited = Invitation.objects.create(email="new@demo.example", name="New", digest=digest_of("x"), invited_by=ida)
    sources.add("shop", sort="web")
    key = {"name": "shop", "number": WriteKey.objects.get(source__name="shop").pk}
    shop = {"name": "shop"}
    link = tracking.add_link(tracking.Wanted("https://shop.example/", "P-02", code="rights"))
    day = date(2026, 1, 1)
    code = tracking.add_code("RIGHTS", partner="P-02", first=day, last=day, zone=ZoneInfo("UTC"))
    account = results().table(Ask.of("account_health", {}, scope=mara.scope())).records()[0]["account"]
    away = Absence.objects.create(person=mara, first=day, last=day)
    handed = {"number": handed_over(str(account), mara).pk}
    definition = {"name": "win_rate", "number": proposal_of(mara).number}
    words = Goal.objects.create(stage="convert", sort="qualitative", text="a goal", owner=mara, due_on=day)
    goal = {"number": words.pk}
    asked = {
        "name": Connection.objects.create(name="drop", system="folder", settings={"path": "/nowhere"}, owner=ida).name
    }
    fair = {"source": contract_of("fair")}
    return {
        "new_goal": {"sort": "quantitative"}, "stage_goals": {"name": "convert"}, "goal": goal, "end_goal": goal,
        "definition": {"name": "win_rate"}, "definition_propose": {"name": "win_rate"},
        "definition_same": {"name": "win_rate"}, "api-definition-sign": {"name": "win_rate"},
        "definition_sign": definition, "definition_withdraw": definition, "definition_numbers": definition,
        "account": {"number": account}, "account_joins": {"number": account}, "account_stages": {"number": account},
        "stages_text": {"number": 0},
        "contract": fair, "contract_drift": fair, "contract_file": {**fair, "number": 1},
        "api-measure": {"name": "win_rate"},
        "api-table": {"name": "win_rate"}, "api-story": {"account": account}, "api-nothing": {"rest": "nothing"},
        "score": {"number": account}, "attribution_panel": {"name": "models"}, "value_panel": {"name": "origins"},
        "process_panel": {"name": "steps"}, "benchmarks_panel": {"name": "check"},
        "board": {"name": "sales"}, "block": {"name": "sales", "number": 0}, "invite_again": {"number": invited.pk},
        "withdraw_invitation": {"number": invited.pk}, "invitation": {"secret": "no-such-secret"},
        "job": {"number": job.pk}, "job_progress": {"number": job.pk}, "job_cancel": {"number": job.pk},
        "end_session": {"number": 1}, "measure": {"name": "win_rate"},
        "history": {"name": "win_rate"}, "rows": {"name": "win_rate"}, "drawer": {"name": "win_rate"},
        "behind": {"name": "win_rate"},
        "csv": {"name": "win_rate"}, "person": {"number": mara.pk},
        "deactivate": {"number": mara.pk}, "reactivate": {"number": mara.pk}, "reset_factor": {"number": mara.pk},
        "role": {"name": "analyst"}, "token-revoke": {"number": token.pk},
        "live_source": shop, "live_key": shop, "live_quota": shop, "live_mapping": shop, "live_replay": shop,
        "live_key_end": key, "live_origins": key,
        "handoff": handed, "handoff_score": handed, "handoff_act": {**handed, "act": "accept"},
        "handoffs_panel": {"name": "handoffs"}, "handoff_back": {"number": away.pk},
        "account_handoffs": {"number": account}, "api-handoff": handed,
        "api-handoff-accept": handed, "api-handoff-reject": handed, "api-handoff-touch": handed,
        "identity_undo": {"number": 1}, "identity_who": {"number": account}, "identity_split": {"number": account},
        "identity_merge": {"number": account},
        "partner_link_end": {"code": link.code}, "partner_code_end": {"number": code.pk},
        **dict.fromkeys(CONNECTION, asked),
        **{name: {"token": "no-such-draft"} for name in ("map_draft", "map_answer", "map_use")},
        "account_reset_password_from_key": {"uidb36": "1", "key": "no-such-key"},
    }  # fmt: skip


def contract_of(source: str) -> str:
    """Let a source that nothing is loaded of have a contract."""
    if not kept.read_versions(settings.HOME, source):
        kept.adopt(settings.HOME, CONTRACT % source, by="Ida", why="an example", now=datetime(2026, 1, 1, tzinfo=UTC))
    return source


def proposal_of(mara: User) -> Proposal:
    """Give a definition that Mara has proposed."""
    measure, at = load_measures()["win_rate"], datetime(2026, 6, 29, tzinfo=UTC)
    return Proposal.objects.create(
        measure="win_rate", number=1, means=measure.means, code_version=measure.version, digest=measure.digest,
        options={"denominator": "created"}, reason="an example", proposed_by=mara, proposed_at=at,
    )  # fmt: skip


def handed_over(account: str, sender: User) -> HandOff:
    """Hand an account over from marketing to sales."""
    start = state.Start(type="lead", account=account, key="example", sent_by=sender.email, captured_at=clock.present())
    return acts.create(start, accounts.known(account, [], "an account"), actor=sender)


def names(patterns: list[URLPattern | URLResolver] | None = None) -> Iterator[str]:
    """Give the name of every address that the router knows."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLResolver):
            yield from names(pattern.url_patterns)
        else:
            yield pattern.name or str(pattern.pattern)


def rows() -> list[tuple[str, str]]:
    """Give the method and the name of everything that can be asked for."""
    known = list(dict.fromkeys(names()))
    return [("GET", name) for name in known] + [("POST", name) for name in known if name in CHANGES]


def paths(examples: Examples) -> list[str]:
    """Give a path of every address, and those of every board."""
    one_each = [reverse(name, kwargs=examples.get(name)) for name in names()]
    return list(dict.fromkeys([*one_each, *(reverse("board", kwargs={"name": name}) for name in all_boards())]))


def measure_paths() -> list[str]:
    """Give the path of every measure's page."""
    return [reverse("measure", kwargs={"name": name}) for name in load_measures()]
