"""Satisfaction: what customers answer, and how sure that is."""

from __future__ import annotations

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st
from stories import Story, told

from plait.measures.satisfaction import satisfaction

NEW_YEAR = date(2027, 1, 1)


def test_nps_is_promoters_minus_detractors(story: Story) -> None:
    """
    acme  2026-01-05  nps.answered  quantity=10
    bolt  2026-01-06  nps.answered  quantity=9
    cork  2026-01-07  nps.answered  quantity=8
    dart  2026-01-08  nps.answered  quantity=6
    """
    (row,) = story.until(NEW_YEAR).table(satisfaction).rows
    assert row[:7] == ("2026-01", "nps", 4, 8.25, 0.5, 0.25, 0.25)
    # 3 added answers: n 7, mean 1 / 7, variance 4.5 / 7 - 1 / 49, so 1 / 7 +- 1.96 x 0.2982
    assert row[7:] == (-0.4415976853, 0.727311971)


def test_csat_and_reviews_count_the_satisfied(story: Story) -> None:
    """
    acme  2026-01-05  csat.answered  quantity=5
    bolt  2026-01-06  csat.answered  quantity=3
    cork  2026-01-07  csat.answered  quantity=4
    dart  2026-01-08  csat.answered  quantity=2
    elan  2026-01-08  review.posted  quantity=1
    """
    csat, review = story.until(NEW_YEAR).table(satisfaction, by="all").rows
    assert csat[:7] == ("all", "csat", 4, 3.5, 0.5, 0.25, 0.5)
    assert review[:7] == ("all", "review", 1, 1.0, 0.0, 1.0, 0.0)
    assert csat[7:] == (0.1535240439, 0.8464759561)  # as Agresti and Coull: 4 of 8, 0.5 +- 1.96 x sqrt(1 / 32)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 10), min_size=1, max_size=20))
def test_the_score_lies_within_its_bounds(points: list[int]) -> None:
    lines = "\n".join(f"a 2026-01-05 nps.answered quantity={point}" for point in points)
    (row,) = Story(told(lines), con=CON).table(satisfaction).records()
    assert -1 <= row["score_low"] <= row["score"] <= row["score_high"] <= 1  # type: ignore[operator]


CON = Story([]).con
