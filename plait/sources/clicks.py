"""Clicks: who followed a partner's tracked link, as the collector writes it, read into facts.

A click names nobody: its id travels in an address, and addresses are passed on. What joins it to an order is the order
that names it. Neither the visitor's address nor the user agent is in it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from plait import duck
from plait.sources.events import FIELDS, Envelope, EventMapping, Row
from plait.store import FACTS, Store, view_sql

KEY = "link"  # what an envelope of clicks says in the place of its key's kind: no sender can
KIND = "link.clicked"


class Click(msgspec.Struct, omit_defaults=True):
    """A click as the inbox keeps it: the link as it was then, and what its visitor's request said."""

    id: str
    code: str
    link: int
    partner: str
    campaign: str = ""
    channel: str = ""
    consent: str = "unknown"
    bot: str = "unknown"
    bot_rule: str = ""
    bot_reason: str = ""
    referrer_host: str = ""
    sub: list[str] = []


@dataclass(frozen=True, slots=True)
class Clicked:
    """How often a link was followed: by people, by bots, and by who can be told to be neither."""

    human: int
    bot: int
    unknown: int


_decode = msgspec.json.Decoder(Click).decode


def read_clicks(envelope: Envelope, _: EventMapping) -> Iterator[Row]:
    """Read clicks into facts' rows."""
    at = datetime.fromtimestamp(envelope.at / 1e6, UTC).replace(tzinfo=None)
    for raw in envelope.events:
        yield _row(_decode(raw), envelope.source, at)


def _row(click: Click, source: str, at: datetime) -> Row:
    told = {
        "link": str(click.link), "consent": click.consent, "bot": click.bot, "bot_rule": click.bot_rule,
        "bot_reason": click.bot_reason, "referrer_host": click.referrer_host,
        **{f"sub{number}": text for number, text in enumerate(click.sub, 1)},
    }  # fmt: skip
    return {
        **dict.fromkeys(FIELDS),
        "id": click.id, "source": source, "kind": KIND, "occurred_at": at, "recorded_at": at, "keys": "{}",
        "text": click.code, "partner": click.partner, "campaign": click.campaign or None,
        "channel": click.channel or None,
        "detail": json.dumps({name: text for name, text in told.items() if text}, sort_keys=True, ensure_ascii=False),
    }  # fmt: skip


def counted(store: Store, *, since: datetime, partners: Collection[str] | None = None) -> Mapping[str, Clicked]:
    """Count the clicks on tracked links since an instant, by code; of some partners' links only, or of all (None)."""
    since = since.astimezone(UTC).replace(tzinfo=None)
    mine = "" if partners is None else f"and partner in (select unnest({duck.text_list(partners)}::varchar[]))"
    with duck.connect(store.spill) as db:
        db.execute(view_sql("facts", store.snapshot(), FACTS))
        rows = db.execute(
            f"""
            with clicks as (
                select text as code, json_extract_string(detail, '$.bot') as who from facts
                where kind = '{KIND}' and month >= ? and occurred_at >= ? {mine}
            )
            select code, count(*) filter (who = 'human'), count(*) filter (who = 'bot'),
                count(*) filter (who = 'unknown')
            from clicks where code is not null and who is not null group by code
            """,
            [f"{since:%Y-%m}", since],
        ).fetchall()
    return {code: Clicked(*numbers) for code, *numbers in rows}
