"""Skills: the last rating of each colleague counts, and nobody's rating can be read off a mean."""

from __future__ import annotations

from datetime import date

from stories import Story

from plait.measures.skills import skill_level


def test_a_colleague_counts_with_the_last_rating_and_few_are_not_shown(story: Story) -> None:
    """
    -  2026-01-01  skill.assessed  owner=a  text=SQL  quantity=1
    -  2026-02-01  skill.assessed  owner=a  text=SQL  quantity=4
    -  2026-01-01  skill.assessed  owner=b  text=SQL  quantity=5
    -  2026-01-01  skill.assessed  owner=c  text=SQL  quantity=2
    -  2026-01-01  skill.assessed  owner=d  text=SQL  quantity=2
    -  2026-01-01  skill.assessed  owner=e  text=SQL  quantity=3
    -  2026-01-01  skill.assessed  owner=a  text=Law  quantity=5
    """
    assert story.until(date(2026, 3, 1)).table(skill_level).rows == [
        ("Law", 1, None, None, date(2026, 1, 1)), ("SQL", 5, 3.2, 2, date(2026, 2, 1)),
    ]  # fmt: skip
