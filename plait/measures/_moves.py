"""What is known of each move in the stage ledger: who caused it, which facts tell of it, who answers for the stage."""

from __future__ import annotations

from functools import reduce

import ibis
import ibis.expr.types as ir

from plait.stages import RuleSet, Stage

MOST_EVIDENCE = 5  # facts named for a move


def why(code: ir.IntegerValue, corrected: ir.IntegerValue, rules: RuleSet) -> ir.StringValue:
    """Say the line of the rules that held, or that a person set the stage."""
    lines = ((code == number, way.name) for number, (_, way) in enumerate(rules.alternatives))
    return ibis.cases((corrected == 1, "a person set it"), *lines)


def direction(left: ir.IntegerValue, entered: ir.IntegerValue, rules: RuleSet) -> ir.StringValue:
    """Say whether a move leads on in the ring or back; out of the ring is back, into it forward."""
    inside = len(rules.ring)
    forward = (entered < inside) & ((entered > left) | (left >= inside) | (left < 0))
    return ibis.cases((forward, "forward"), else_="back")


def actors(known: ir.Table, moves: ir.Table) -> ir.Table:
    """Give who set the stage of moves that a person corrected: account, from_at, actor."""
    told = known.filter(known.kind == "stage.set")
    told = told.select("account", from_at=told.occurred_at, word=told.source + " " + told.id, owner=told.owner)
    told = told.semi_join(moves, ["account", "from_at"])
    last = told.group_by("account", "from_at").agg(actor=told.owner.argmax(told.word, where=told.owner.notnull()))
    return last.select("account", "from_at", "actor")


def evidence(known: ir.Table, moves: ir.Table, rules: RuleSet) -> ir.Table:
    """Give the facts behind each move as text: those of its instant, else those whose days were over then.

    `moves` has account, from_at and first_at, the instant of the account's first fact.
    """
    facts = known.select("account", "kind", told_at=known.occurred_at, word=known.source + "/" + known.id)
    dated: dict[int, tuple[tuple[str, ...], bool]] = {}
    for signal in rules.signals:
        if signal.days:
            kinds, first = dated.get(signal.days, ((), False))
            dated[signal.days] = tuple(dict.fromkeys((*kinds, *signal.kinds))), first or signal.first
    parts = [_named(facts.mutate(from_at=facts.told_at), moves, 0)]
    for days, (kinds, first) in dated.items():
        later = facts.mutate(from_at=facts.told_at + ibis.interval(days=days))
        if not first:
            later = later.filter(later.kind.isin(kinds))
        named = _named(later, moves, 1)
        parts.append(named.filter(named.kind.isin(kinds) | (named.told_at == named.first_at)) if first else named)
    every = ibis.union(*parts)
    now = every.mutate(soonest=every.rank.min().over(ibis.window(group_by=["account", "from_at"])))
    now = now.filter(now.rank == now.soonest).select("account", "from_at", "word").distinct()
    words = now.group_by("account", "from_at").agg(words=now.word.collect())
    return words.select("account", "from_at", evidence=words.words.sort()[:MOST_EVIDENCE].join(", "))


def _named(facts: ir.Table, moves: ir.Table, rank: int) -> ir.Table:
    found = facts.join(moves, ["account", "from_at"])
    return found.select("account", "from_at", "kind", "told_at", "first_at", "word", rank=ibis.literal(rank, "int64"))


def owners(known: ir.Table, moves: ir.Table, rules: RuleSet, *, at: str, on: str) -> ir.Table:
    """Give the one who answers for each move's stage at an instant: account, from_at, owner.

    The colleague assigned last to the account, in this stage or in all, else the owner of the stage on that day.
    `at` and `on` name the columns of the instant, which counts, and of its local day.
    """
    told = known.filter(known.kind == "owner.assigned", known.owner.notnull())
    told = told.select(
        "account",
        person=told.owner,
        told_at=told.occurred_at,
        word=told.source + " " + told.id,
        told_stage=told.text.strip().lower().nullif(""),
    )
    moved = moves.select("account", "from_at", "to_stage", at=moves[at], on=moves[on])
    asked = moved.join(told, "account")
    asked = asked.filter(asked.told_at <= asked["at"], asked.told_stage.isnull() | (asked.told_stage == asked.to_stage))
    newest = ibis.window(group_by=["account", "from_at"], order_by=[asked.told_at.desc(), asked.word.desc()])
    asked = asked.mutate(turn=ibis.row_number().over(newest))
    named = asked.filter(asked.turn == 0).select("account", "from_at", "person")
    both = moved.left_join(named, ["account", "from_at"])
    stages = [(both.to_stage == stage.name, _owner_on(both["on"], stage)) for stage in rules.stages]
    return both.select("account", "from_at", owner=ibis.coalesce(both.person, ibis.cases(*stages)))


def _owner_on(day: ir.DateValue, stage: Stage) -> ir.StringValue:
    """Give the owner of a stage on a day, by its dated owners."""
    first, *later = stage.owners
    since = [(day >= ibis.date(owner.since.isoformat()), owner.called) for owner in reversed(later) if owner.since]
    return ibis.cases(*since, else_=first.called) if since else ibis.literal(first.called)


def beside(rows: ir.Table, *parts: ir.Table) -> ir.Table:
    """Put what is known of each move beside it; every part has account and from_at."""

    def put(one: ir.Table, other: ir.Table) -> ir.Table:
        joined = one.left_join(other, ["account", "from_at"])
        return joined.drop("account_right", "from_at_right")

    return reduce(put, parts, rows)
