"""Propose who is probably one: gather today's people or companies, compare them, keep what people shall look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from plait import duck
from plait.derived import Derived, refresh
from plait.failure import Said
from plait.matching import kept
from plait.matching.acts import Steward, merge_all
from plait.matching.cleaning import Block, key_columns, make_records
from plait.matching.fields import Layout
from plait.matching.gathering import gather
from plait.matching.kept import Likeness, Proposal, Trained
from plait.matching.model import Model, TooLittle, require_splink, train
from plait.matching.pairs import Pairs, cluster, score, weight_of
from plait.matching.quality import estimated
from plait.stewardship import APART, Key, read_decisions
from plait.store import Store

if TYPE_CHECKING:
    import duckdb

MOST_PROPOSALS = 5_000  # the likeliest; more nobody looks through
KNOWN_BY = (
    "case name when 'email' then 0 when 'domain' then 0 when 'user_id' then 1 when 'anonymous_id' then 3 else 2 end"
)
FEWEST_EXPECTED = 5  # pairs that are one: of fewer no share is told
RULE = "plait"  # who decides where the firm lets matching decide


@dataclass(frozen=True, slots=True)
class Matched:
    """What a run has found: records looked at, the model, pairs for people, sure pairs, and how many were merged."""

    scope: str
    records: int
    trained: Trained
    blocks: list[Block]
    to_review: int
    sure: int
    merged: int
    anew: bool


def propose(home: Path, scope: str, *, now: datetime, anew: bool = False) -> Matched:
    """Compare all people or companies of a home and keep the pairs that are probably one.

    The kept model is used as long as the fields are the same; `anew` trains another.
    """
    require_splink()
    store, derived = Store.open(home), Derived.open(home)
    refresh(store, derived)
    setting = kept.read_setting(home, scope)
    with duck.connect(store.spill) as db:
        db.execute("set preserve_insertion_order = true")
        layout = gather(db, store, derived, scope)
        if not layout.columns:
            raise TooLittle(Said("nothing is known of them but their keys; load names or addresses first."))
        fields, blocks = make_records(db, layout, "list", "row_number")
        before = kept.read_model(home, scope)
        anew = anew or before is None or before.model.fields != tuple(fields)
        model = train(db, scope, fields, key_columns(blocks)) if anew or before is None else before.model
        pairs = score(db, model, key_columns(blocks))
        (records,) = db.execute("select count(*) from list").fetchall()[0]
        together = cluster(pairs, records, least=weight_of(setting.upper))
        proposals = _proposals(db, layout, model, pairs, together, setting)
    proposals = _open(home, proposals)
    sure = [one for one in proposals if one.sure]
    quality = estimated(pairs.probability, pairs.weight >= weight_of(setting.upper))
    recall = quality.recall if quality.all >= FEWEST_EXPECTED else None
    trained = Trained(
        model, now if anew or before is None else before.trained_at, pairs.share, quality.precision, recall,
        len(proposals), len(sure),
    )  # fmt: skip
    kept.keep_model(home, trained)
    kept.keep_proposals(home, scope, proposals)
    merged = merge_sure(home, sure, setting, now=now) if setting.automatic else 0
    return Matched(scope, records, trained, blocks, len(proposals) - len(sure), len(sure), merged, anew)


def merge_sure(home: Path, sure: Sequence[Proposal], setting: kept.Setting, *, now: datetime) -> int:
    """Merge what is sure, where the firm lets matching decide; each merge is a decision of its own."""
    pairs = [(one.left, one.right, evidence_of(one, setting.upper)) for one in sure]
    why = f"sure from {setting.upper:g} on, as {setting.by} decided: {setting.why}"[:500]
    return len(merge_all(home, pairs, Steward(RULE, why, now))) if pairs else 0


def evidence_of(one: Proposal, threshold: float) -> dict[str, str]:
    """Give what a decision on a pair rests on, as texts."""
    told = {"because": one.because}
    if one.probability is not None:
        alike = "; ".join(f"{likeness.field}: {likeness.level}" for likeness in one.fields if likeness.weight > 0)
        told |= {"probability": f"{one.probability:.4f}", "threshold": f"{threshold:g}", "alike": alike}
    return told


def _open(home: Path, proposals: Sequence[Proposal]) -> list[Proposal]:
    """Leave out the pairs that people have reviewed as two."""
    apart = {frozenset(one.keys) for one in read_decisions(home).of(APART)}
    return [one for one in proposals if frozenset(one.keys) not in apart]


def _proposals(
    db: duckdb.DuckDBPyConnection, layout: Layout, model: Model, pairs: Pairs, together: np.ndarray,
    setting: kept.Setting,
) -> list[Proposal]:  # fmt: skip
    """Give the pairs from the lower threshold on, the likeliest first, with how their fields compare."""
    import pyarrow as pa

    chosen = np.flatnonzero(pairs.weight >= weight_of(setting.lower))
    chosen = chosen[np.argsort(-pairs.weight[chosen], kind="stable")][:MOST_PROPOSALS]
    sure = (pairs.weight >= weight_of(setting.upper)) & (together[pairs.left] == together[pairs.right])
    table = pa.table(
        {
            "place": np.arange(len(chosen)), "l": pairs.left[chosen], "r": pairs.right[chosen],
            "probability": pairs.probability[chosen], "sure": sure[chosen],
        }
    )  # fmt: skip
    db.register("chosen", table)
    places = ", ".join(f"compared.{one['output_column_name']}" for one in model.parameters["comparisons"])
    levels = ", ".join(_level_sql(one) for one in model.parameters["comparisons"])
    shown = list(layout.columns)
    told = ", ".join(f"coalesce({side}.{name}, '')" for name in shown for side in ("a", "b"))
    rows = db.execute(
        f"""
        with compared as (select place, {levels} from chosen
            join (select unique_id as l, {_sided(model, "l")} from records) using (l)
            join (select unique_id as r, {_sided(model, "r")} from records) using (r)),
        eldest as (  -- the key by which people know somebody best
            select belongs_to, arg_min([name, value], ({KNOWN_BY}, first_at, name, value)) as key from nodes
            where belongs_to is not null group by belongs_to
        )
        select a.id, b.id, one.key, two.key, probability, sure, [{places}], [{told}]
        from chosen join compared using (place)
        join list as a on a.row_number = l join list as b on b.row_number = r
        join eldest as one on one.belongs_to = a.id join eldest as two on two.belongs_to = b.id
        order by place
        """
    ).fetchall()
    db.unregister("chosen")
    return [_proposal(model, shown, row) for row in rows]


def _sided(model: Model, side: str) -> str:
    return ", ".join(f"{name} as {name}_{side}" for name in model.fields)


def _level_sql(comparison: Mapping[str, Any]) -> str:
    """Give the query's part that names the level of a comparison by its place."""
    levels = comparison["comparison_levels"]
    ways = " ".join(
        f"when {one['sql_condition']} then {place}"
        for place, one in enumerate(levels)
        if one["sql_condition"] != "ELSE"
    )
    return f"case {ways} else {len(levels) - 1} end as {comparison['output_column_name']}"


def _proposal(model: Model, shown: Sequence[str], row: Sequence[Any]) -> Proposal:
    left_id, right_id, left, right, probability, sure, places, told = row
    values = {name: (told[2 * place], told[2 * place + 1]) for place, name in enumerate(shown)}
    likeness = []
    for comparison, place in zip(model.parameters["comparisons"], places, strict=True):
        level = comparison["comparison_levels"][place]
        name = comparison["output_column_name"]
        one, other = _shown(name, values)
        likeness.append(Likeness(name, one, other, level["label_for_charts"], _says(level)))
    keys: tuple[Key, Key] = (left[0], left[1]), (right[0], right[1])
    return Proposal(model.scope, *keys, left_id, right_id, float(probability), tuple(likeness), sure=bool(sure))


def _shown(name: str, values: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
    """Give the two values of a field as they were written; a name that was told whole is shown whole."""
    if name == "workplace":
        parts = [values[part] for part in ("company", "postcode", "city") if part in values]
        return ", ".join(filter(None, (one for one, _ in parts))), ", ".join(filter(None, (two for _, two in parts)))
    fallback = {"given": "name", "family": "name", "house": "street", "domain": "email"}
    return values.get(name) or values.get(fallback.get(name, ""), ("", ""))


def _says(level: Mapping[str, Any]) -> float:
    m, u = level.get("m_probability"), level.get("u_probability")
    return 0.0 if level.get("is_null_level") or not m or not u else round(float(np.log2(m / u)), 2)
