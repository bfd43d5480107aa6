"""Skills: how well colleagues know what is needed, as they were rated last."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
from ibis import _

from plait.measure import Facts, measure
from plait.measures._money import share

GOOD = 4  # points
FEWEST = 5  # colleagues from which a mean is shown: fewer would tell who was rated how


@measure(
    owner="hr",
    parent="revenue",
    proxy=True,
    grain="skill",
    columns={"skill": "text", "people": "people", "mean": "points", "high": "people", "last_on": "day"},
)
def skill_level(facts: Facts) -> ir.Table:
    """How well colleagues know each skill: the mean of their last ratings, 1 to 5 points.

    A colleague counts with the last rating of the skill (`skill.assessed`). `high` are those with 4 or 5. Both are
    empty where fewer than 5 colleagues were rated, as they would tell who was rated how. `last_on` is the day of the
    newest rating.
    """
    newest_first = [_.occurred_at.desc(), _.source.desc(), _.id.desc()]
    rated = facts.of("skill.assessed")
    last = rated.mutate(turn=ibis.row_number().over(group_by=["owner", "text"], order_by=newest_first))
    rows = (
        last.filter(_.turn == 0)
        .group_by(skill="text")
        .agg(
            people=_.count(),
            points=_.quantity.sum(),
            high=(_.quantity >= GOOD).sum().cast("int64"),
            last_on=_.occurred_on.max(),
        )
    )
    enough = rows.people >= FEWEST
    rows = rows.mutate(mean=ibis.cases((enough, share(rows.points, rows.people))), high=ibis.cases((enough, rows.high)))
    return rows.select(*skill_level.columns).order_by("skill")
