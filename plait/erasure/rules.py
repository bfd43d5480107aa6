"""What a home keeps, table by table and file by file, and what becomes of it when a person is erased.

Nothing is found by a list that somebody remembers to extend: a table, a column or a file without a rule here fails a
test. The desk's database has its rules in `plait.web.erasing.rules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

ERASE, STRIP, KEEP, NOTHING = SORTS = ("erase", "strip", "keep", "holds no customer's data")


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of something: `erase`, `strip` (stays without the person), `keep`, or it holds nothing of anybody.

    `because` says why it is kept, or what is done; for `keep` it is the reason in law.
    """

    does: str
    because: str


ERASED_WITH = Rule(ERASE, "goes with the row, or is emptied")
EMPTIED = Rule(STRIP, "the person's values are taken out")
COUNTED = Rule(NOTHING, "a number, a name of ours or an instant")
OURS = Rule(NOTHING, "names a system, a product, a colleague or a partner")
MONEY = Rule(KEEP, "commercial and tax law: what was agreed and paid is kept, without the person")
ACCOUNTS = Rule(NOTHING, "a company, not a person")

TABLES: Mapping[str, Mapping[str, Rule]] = {
    "facts": {
        "id": Rule(STRIP, "replaced by a keyed hash where it holds a value of the person"),
        "object_id": Rule(STRIP, "replaced by a keyed hash where it holds a value of the person"),
        "keys": Rule(STRIP, "the person's keys are taken out, the account's stay"),
        "text": ERASED_WITH, "detail": ERASED_WITH,
        "amount": MONEY, "currency": MONEY, "quantity": MONEY,
        **dict.fromkeys(("channel", "campaign", "partner", "product"), EMPTIED),
        "owner": Rule(STRIP, "a colleague's name stays; where it is the person's own value it is taken out"),
        **dict.fromkeys(("source", "month", "kind", "occurred_at", "recorded_at"), COUNTED),
    },
    "rejects": {
        "value": ERASED_WITH, "row": ERASED_WITH, "file": EMPTIED,
        **dict.fromkeys(("source", "line", "field", "rule", "next_step", "recorded_at"), COUNTED),
    },
    "loads": {
        "file": EMPTIED,
        **dict.fromkeys(
            ("source", "digest", "rows", "accepted", "refused", "without_fact", "added", "known", "recorded_at",
             "received_at"), COUNTED),
    },
    "timeline": {
        **dict.fromkeys(
            ("person", "id", "object_id", "text", "detail", "channel", "campaign", "partner", "product", "owner"),
            Rule(ERASE, "made again from the facts")),
        **dict.fromkeys(("amount", "currency", "quantity"), MONEY),
        **dict.fromkeys(("account", "bucket"), ACCOUNTS),
        **dict.fromkeys(("source", "kind", "occurred_on", "occurred_at", "recorded_at", "often"), COUNTED),
    },
    "identity": {
        **dict.fromkeys(("keys", "person"), Rule(ERASE, "made again from the facts")),
        "account": ACCOUNTS, **dict.fromkeys(("from_at", "until_at"), COUNTED),
    },
    "nodes": {
        **dict.fromkeys(("value", "belongs_to"), Rule(ERASE, "made again from the facts")),
        **dict.fromkeys(("scope", "name", "why_not", "first_at"), COUNTED),
    },
    "ledger": {
        "account": ACCOUNTS,
        **dict.fromkeys(
            ("stage", "from_stage", "from_at", "from_on", "to_at", "to_on", "why", "corrected", "generation"), COUNTED),
    },
}  # fmt: skip
"""Every Delta table of a home, and every column of it."""

FILES: Mapping[str, Rule] = {
    ".*.durable": COUNTED,
    ".*.lock": COUNTED,
    ".*.widen": COUNTED,
    "locks/*": COUNTED,
    "plait.toml": COUNTED,
    "register.json": Rule(NOTHING, "definitions and who signed them, all colleagues"),
    "controls/*": Rule(NOTHING, "totals of whole exports"),
    "lifecycle/*": Rule(NOTHING, "the firm's rules"),
    "handoffs/*": Rule(NOTHING, "the firm's rules"),
    "scores/*": Rule(NOTHING, "the firm's rules, and models that keep weights and no one's data"),
    "contracts/*": Rule(STRIP, "how loads kept to the rules: names of files lose the person's values"),
    "live/*.toml": Rule(NOTHING, "how events are read"),
    "inbox/*": Rule(ERASE, "events that wait are stored or refused under the list of erased persons, then deleted"),
    "staging/*": Rule(ERASE, "left over from a load that was killed"),
    "sealing/*": Rule(ERASE, "left over from storing events that was killed"),
    "replaying/*": Rule(ERASE, "left over from reading events again that was killed"),
    "spill/*": Rule(ERASE, "left over from a query that was killed, after an hour"),
    "erasing/*": Rule(ERASE, "an erasure that is not finished; deleted when it is"),
    "stewardship/*": Rule(STRIP, "decisions lose the person's keys, numbers and days stay"),
    "matching/settings.json": Rule(NOTHING, "thresholds of the firm"),
    "matching/model-*.json": Rule(NOTHING, "weights by field; no name, no address"),
    "matching/proposals-*.jsonl": Rule(ERASE, "pairs that name the person are taken out"),
    "suppression/*": Rule(KEEP, "keyed hashes, so that nobody is brought back by the next import (Art. 17 (3) b GDPR)"),
    "demo/*": Rule(NOTHING, "the exports of an invented firm: nobody in them exists"),
    "web/plait.sqlite3*": Rule(STRIP, "by the rules of each table, then written anew without free pages"),
    "web/secret.key": COUNTED,
    "web/connections.key": COUNTED,
    "web/connections.lock": COUNTED,
    "web/demo-password": COUNTED,
    "web/static/*": COUNTED,
    "web/uploads/*": Rule(ERASE, "what waits to be loaded is judged when it is loaded and then deleted"),
    "web/drafts/*": Rule(ERASE, "exports that are being mapped are deleted: they can be brought again"),
    "web/pulled/*": Rule(ERASE, "what was fetched is judged when it is loaded and then deleted"),
    "web/mail/*": Rule(ERASE, "mails that wait for no server: those that name the person are deleted"),
}
"""Every other file, by its path in the home; a star stands for anything."""


def rule_of_file(path: str) -> Rule | None:
    """Give the rule of a file by its path in the home; None where nobody has thought of it."""
    for table in TABLES:
        if path.startswith(f"{table}/"):
            return Rule(STRIP, f"the table {table}: see its columns")
    return next((rule for pattern, rule in FILES.items() if fnmatchcase(path, pattern)), None)


def rule_of_column(table: str, column: str) -> Rule | None:
    """Give the rule of a column of a Delta table; None where nobody has thought of it."""
    return TABLES.get(table, {}).get(column)
