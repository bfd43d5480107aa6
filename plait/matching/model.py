"""The model: how much each level of likeness says, learnt from the firm's own records without anybody labelling pairs.

Splink's (https://moj-analytical-services.github.io/splink/): the model of Fellegi and Sunter (1969), its parameters by
expectation maximisation. Levels that the data could not teach keep a default and are reported.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from plait.failure import Said, Unfit

if TYPE_CHECKING:
    import duckdb
    from splink import Linker

SEED = 1
SAMPLED_PAIRS = 1_000_000  # of records that are strangers, to learn what chance alone makes alike
TRAINING_PAIRS = 500_000  # of one training rule
FEWEST_PAIRS = 30  # that a training rule must bring
CHANCE, FLOOR = 0.0001, 1e-5
SELDOM = 0.01  # the least share of pairs that are one in which a level is seen
# What pairs are trained on; a rule says nothing on the fields that it holds equal, so there are several.
RULES = (
    ("email",), ("given", "family"), ("born",), ("phone",), ("number",), ("family", "postcode"), ("given", "postcode"),
    ("name",), ("domain",), ("street", "house"), ("company", "family"), ("postcode", "house"), ("given", "city"),
)  # fmt: skip
MOST_RULES = 4


class NoSplink(Unfit, RuntimeError):
    """The extra that matching needs is not installed."""

    def __init__(self) -> None:
        super().__init__(
            Said(
                "matching needs the extra `fuzzy`: pip install 'plait[fuzzy]'. Joining by exact keys works without it."
            )
        )


class TooLittle(Unfit, ValueError):
    """Too few records alike to learn from."""


@dataclass(frozen=True, slots=True)
class Model:
    """A trained model: its parameters as Splink keeps them, what it was trained on, and what could not be learnt."""

    scope: str
    fields: tuple[str, ...]
    parameters: Mapping[str, Any]
    records: int
    rules: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    about: Mapping[str, str] = field(default_factory=dict)


def require_splink() -> None:
    """Go on only where the extra is installed."""
    try:
        import splink  # noqa: F401 - only whether it is there
    except ImportError:
        raise NoSplink from None


@contextmanager
def linker(db: duckdb.DuckDBPyConnection, settings: Any) -> Iterator[Linker]:  # noqa: ANN401 - Splink's own shape
    """Open Splink over the table `records`; what it would print is not printed."""
    from splink import Linker
    from splink.internals.duckdb.database_api import DuckDBAPI

    yield Linker(DuckDBAPI(db).register("records"), settings, log_level=logging.CRITICAL)


def train(db: duckdb.DuckDBPyConnection, scope: str, fields: Sequence[str], keys: Sequence[str]) -> Model:
    """Learn a model from the table `records`."""
    require_splink()
    from plait.matching.levels import comparisons

    (records,) = db.execute("select count(*) from records").fetchall()[0]
    settings = {
        "link_type": "dedupe_only",
        "comparisons": [one.get_comparison("duckdb").as_dict() for one in comparisons(fields)],
        "blocking_rules_to_generate_predictions": [f"l.{key} = r.{key}" for key in keys],
        "probability_two_random_records_match": CHANCE,
        "retain_matching_columns": False,
        "retain_intermediate_calculation_columns": False,
    }
    rules = _rules(db, fields)
    if not rules:
        says = "too few records are alike to learn from: a rule needs {n} pairs. Load more, or decide pairs by hand."
        raise TooLittle(Said(says, n=FEWEST_PAIRS))
    with linker(db, settings) as link:
        link.training.estimate_u_using_random_sampling(max_pairs=SAMPLED_PAIRS, seed=SEED)
        for rule in rules:
            link.training.estimate_parameters_using_expectation_maximisation(
                rule, max_pairs=TRAINING_PAIRS, estimate_without_term_frequencies=True
            )
        parameters = link.misc.save_model_to_json()
    remarks = list(_untrained(parameters))
    _soften(parameters)
    if len(rules) < 2:  # noqa: PLR2004 - on one rule its own fields stay unlearnt
        remarks.append("trained on one rule only: the fields of that rule could not be learnt")
    return Model(scope, tuple(fields), parameters, records, tuple(rules), tuple(remarks))


def _rules(db: duckdb.DuckDBPyConnection, fields: Sequence[str]) -> list[str]:
    """Give the training rules for which there are enough pairs, so that every field is free in one of them."""
    found: list[tuple[str, ...]] = []
    for rule in RULES:
        if not set(rule) <= set(fields) or len(found) >= MOST_RULES:
            continue
        columns = ", ".join(rule)
        filled = " and ".join(f"{name} is not null" for name in rule)
        (pairs,) = db.execute(
            f"select coalesce(sum(n * (n - 1) // 2), 0) from (select count(*) as n from records where {filled} "
            f"group by {columns} having count(*) between 2 and 1000)"
        ).fetchall()[0]
        if pairs >= FEWEST_PAIRS:
            found.append(rule)
    return [" and ".join(f"l.{name} = r.{name}" for name in rule) for rule in found]


def _soften(parameters: dict[str, Any]) -> None:
    """Let no level be impossible, as people change their address, and none that was not learnt say anything.

    A field of which nothing was learnt is left out: Splink would put a guess in its place.
    """
    kept = []
    for comparison in parameters["comparisons"]:
        levels = [one for one in comparison["comparison_levels"] if not one.get("is_null_level")]
        learnt = [
            one for one in levels if one.get("m_probability") is not None and one.get("u_probability") is not None
        ]
        total = sum(max(one["m_probability"], SELDOM) for one in learnt)
        for one in learnt:
            one["m_probability"] = max(one["m_probability"], SELDOM) / total
        for one in levels:
            if one not in learnt:
                one["m_probability"] = one["u_probability"] = one.get("u_probability") or SELDOM
        kept += [comparison] if learnt else []
    parameters["comparisons"] = kept


def _untrained(parameters: Mapping[str, Any]) -> Iterator[str]:
    """Say which levels the data could not teach."""
    for comparison in parameters["comparisons"]:
        for level in comparison["comparison_levels"]:
            if level.get("is_null_level"):
                continue
            missing = [name[0] for name in ("m_probability", "u_probability") if level.get(name) is None]
            if missing:
                yield f"{comparison['output_column_name']}: {level['label_for_charts']} ({', '.join(missing)})"


def as_text(model: Model) -> str:
    """Give a model as a file keeps it."""
    told = {name: getattr(model, name) for name in Model.__slots__}
    return json.dumps(told, indent=1)


def from_text(text: str) -> Model:
    """Read a model from a file."""
    told = json.loads(text)
    for name in ("fields", "rules", "remarks"):
        told[name] = tuple(told[name])
    return Model(**told)
