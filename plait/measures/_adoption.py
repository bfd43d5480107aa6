"""What other score rules would change: told before they are adopted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from plait.measures.scores import lead_score
from plait.points.rules import Kept, Rules, Scoring
from plait.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Moves:
    """The accounts in each cell of the grid and those qualified, before and after, and how many change the cell."""

    before: Mapping[str, int]
    after: Mapping[str, int]
    qualified_before: int
    qualified_after: int
    moved: int
    accounts: int


def moves(timeline: Timeline, rules: Rules) -> Moves:
    """Score every account by the rules in force and by others."""
    number = max(timeline.scoring.versions) + 1
    tried = Kept(replace(rules, number=number), "")
    both = replace(timeline, scoring=Scoring({**timeline.scoring.versions, number: tried}))
    before, after = (both.table(lead_score, rules=version).records() for version in (number - 1, number))
    cells = [{str(row["account"]): str(row["cell"]) for row in rows} for rows in (before, after)]
    now, then = (sum(row["qualified"] == "yes" for row in rows) for rows in (before, after))
    moved = sum(cells[1][account] != cell for account, cell in cells[0].items())
    return Moves(Counter(cells[0].values()), Counter(cells[1].values()), now, then, moved, len(before))
