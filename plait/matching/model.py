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
    ("email",), ("before @",), ("given", "family"), ("born",), ("phone",), ("number",), ("family", "postcode"),
    ("given", "postcode"),
    ("name",), ("domain",), ("domain name",), ("street", "house"), ("company", "family"), ("company", "given"),
    ("postcode", "house"), ("given", "city"),
)  # fmt: skip
DERIVED = {
    "before @": ("email", "split_part({side}email, '@', 1)"),
    "domain name": ("domain", "split_part({side}domain, '.', 1)"),
}
MOST_RULES = 4
USUAL, UNUSUAL = 0.75, 0.05  # of pairs that are one: a field is equal, different, where the data cannot tell
# The most that one's records may differ in a field: people change where they work and how they are reached. Pairs of
# namesakes would else teach that whoever has one's name is one, wherever.
MOST_DIFFERENT, CHANGES = 0.15, {"workplace": 0.35, "email": 0.35, "phone": 0.35, "postcode": 0.35, "city": 0.35}


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
        "comparisons": [_as_told(one) for one in comparisons(fields)],
        "blocking_rules_to_generate_predictions": [f"l.{key} = r.{key}" for key in keys],
        "probability_two_random_records_match": CHANCE,
        "retain_matching_columns": False,
        "retain_intermediate_calculation_columns": False,
    }
    rules = _rules(db, fields)
    if records < 2:  # noqa: PLR2004 - a pair
        raise TooLittle(Said("there are fewer than two records to compare; load more."))
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
        remarks.insert(0, f"trained on {len(rules)} rules: too few records are alike to learn every field from")
    return Model(scope, tuple(fields), parameters, records, tuple(rules), tuple(remarks))


def _as_told(comparison: Any) -> dict[str, Any]:  # noqa: ANN401 - Splink's own shape
    """Give a comparison as Splink keeps it."""
    told: dict[str, Any] = comparison.get_comparison("duckdb").as_dict()
    return told


def _rules(db: duckdb.DuckDBPyConnection, fields: Sequence[str]) -> list[str]:
    """Give the training rules for which there are enough pairs, so that every field is free in one of them."""
    found: list[tuple[str, ...]] = []
    for rule in RULES:
        if not {DERIVED.get(name, (name,))[0] for name in rule} <= set(fields) or len(found) >= MOST_RULES:
            continue
        columns = ", ".join(_side(name, "") for name in rule)
        filled = " and ".join(f"{_side(name, '')} is not null" for name in rule)
        (pairs,) = db.execute(
            f"select coalesce(sum(n * (n - 1) // 2), 0) from (select count(*) as n from records where {filled} "
            f"group by {columns} having count(*) between 2 and 1000)"
        ).fetchall()[0]
        if pairs >= FEWEST_PAIRS:
            found.append(rule)
    return [" and ".join(f"{_side(name, 'l.')} = {_side(name, 'r.')}" for name in rule) for rule in found]


def _side(name: str, side: str) -> str:
    return DERIVED[name][1].format(side=side) if name in DERIVED else f"{side}{name}"


def _soften(parameters: dict[str, Any]) -> None:
    """Let no level be impossible, as people change their address, and none that was not learnt say anything.

    Where the data could not tell how pairs that are one look, it is what is usual; a field of which not even chance
    was learnt is left out: Splink would put a guess in its place.
    """
    kept = []
    for comparison in parameters["comparisons"]:
        levels = [one for one in comparison["comparison_levels"] if not one.get("is_null_level")]
        seen = [one for one in levels if one.get("u_probability") is not None]
        if seen and all(one.get("m_probability") is None for one in levels):
            for place, one in enumerate(levels):
                between = (1 - USUAL - UNUSUAL) / max(len(levels) - 2, 1)
                one["m_probability"] = USUAL if place == 0 else UNUSUAL if place == len(levels) - 1 else between
        for one in levels:
            if one in seen:
                one["m_probability"] = max(one.get("m_probability") or 0, SELDOM)
            else:  # never seen, so that it is of no matter
                one["m_probability"] = one["u_probability"] = SELDOM
        _bound(levels, CHANGES.get(comparison["output_column_name"], MOST_DIFFERENT))
        kept += [comparison] if seen else []
    parameters["comparisons"] = kept


def _bound(levels: Sequence[dict[str, Any]], most: float) -> None:
    """Make the shares of the levels one whole, that of `different`, which stands last, at most so much."""
    *alike, different = levels
    share = min(different["m_probability"] / sum(one["m_probability"] for one in levels), most)
    total = sum(one["m_probability"] for one in alike)
    for one in alike:
        one["m_probability"] *= (1 - share) / total
    different["m_probability"] = share


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
