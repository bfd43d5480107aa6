"""Scores: points that fade, add up and come from stated rules."""

from __future__ import annotations

import os
import random
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from homes import NOW
from stories import Story, draw_facts

from plait.facts import Fact
from plait.measure import Table
from plait.measures.scores import lead_score, score_points
from plait.points import kept
from plait.points.reading import BadRules, read_rules
from plait.points.rules import Kept, Scoring

HISTORIES = int(os.environ.get("PLAIT_SCORED", "200"))  # 10,000 in the long form
PLAIN = """
title = "one rule"
[fit]
grid = [3, 2, 1]
[engagement]
grid = [9, 6, 3]
threshold = 4
person_cap = 100
[[engagement.group]]
name = "all"
half_life_days = 30
cap = 1000
[[engagement.rule]]
name = "met us"
group = "all"
kinds = ["meeting.held"]
points = 10
repeat = "each"
"""


def scored(story: Story, text: str) -> Story:
    """Score a story by these rules."""
    rules = Kept(read_rules(text, 1), text)
    story.built = replace(story.seen(), scoring=Scoring({0: kept.default(), 1: rules}))
    return story


def only(table: Table) -> dict[str, object]:
    (row,) = table.records()
    return dict(row)


def test_ten_points_halve_in_thirty_days_and_fall_below_four_on_the_fortieth(story: Story) -> None:
    """
    acme  2026-01-01  meeting.held
    """
    days = {30: 5.0, 45: 3.5355}
    for day, points in days.items():
        seen = scored(story.until(date(2026, 1, 1) + timedelta(day)), PLAIN)
        assert only(seen.table(lead_score))["engagement"] == pytest.approx(points, abs=5e-5)
    fresh = only(scored(story.until(datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)), PLAIN).table(lead_score))
    assert fresh["below_on"] == date(2026, 1, 1) + timedelta(40)  # 30 log2(2.5) = 39.66
    assert fresh["leaves_on"] == date(2026, 1, 1) + timedelta(50)  # 30 log2(10 / 3.2) = 49.3


def test_who_was_qualified_stays_so_until_below_four_fifths(story: Story) -> None:
    """
    acme  2026-01-01  meeting.held
    bolt  2026-02-14  form.submitted
    """
    rules = PLAIN.replace('["meeting.held"]', '["meeting.held", "form.submitted"]').replace("threshold = 4", "{}")
    day = story.until(date(2026, 2, 15))  # acme has 3.54 left of 10, bolt 9.77
    assert only_of(scored(day, rules.format("threshold = 4")).table(lead_score), "qualified") == ["yes", "yes"]
    gone = story.until(date(2026, 2, 25))  # 2.81 is below 3.2
    assert only_of(scored(gone, rules.format("threshold = 4")).table(lead_score), "qualified") == ["no", "yes"]


def only_of(table: Table, column: str) -> list[object]:
    return [row[column] for row in table.records()]


def test_caps_machines_and_many_persons_are_told_as_rows_of_their_own(story: Story) -> None:
    """
    acme  2026-01-01  message.opened  person=pia
    bolt  2026-01-01  content.downloaded  person=kim
    bolt  2026-01-01  form.submitted  person=kim
    bolt  2026-01-02  form.submitted  person=kim
    bolt  2026-01-03  form.submitted  person=kim
    bolt  2026-01-03T10:00  form.submitted  person=kim
    bolt  2026-01-04  meeting.held  person=kim
    """
    seen = story.until(date(2026, 1, 4) + timedelta(days=1))
    scores = {str(row["account"]): row for row in seen.table(lead_score).records()}
    parts = [(row["account"], row["part"], row["rule"]) for row in seen.table(score_points).records()]
    assert scores["acme"]["engagement"] == 0, "an opened message alone is no engagement"
    assert ("acme", "weak", None) in parts
    assert scores["bolt"]["engagement"] == 20, "one person counts up to half the threshold"
    assert ("bolt", "group cap", "contact") in parts
    assert ("bolt", "person cap", None) in parts
    assert parts.count(("bolt", "point", "filled in a form")) == 3, "the second form of a day counts nothing"


def test_a_trait_is_what_the_last_fact_tells_and_fades_never() -> None:
    when = datetime(2020, 1, 1, tzinfo=UTC)

    def entered(number: int, employees: str, **detail: str) -> Fact:
        told = {"employees": employees, **detail}
        return Fact(source="crm", id=f"{number}", kind="account.created", occurred_at=when + timedelta(number),
                    recorded_at=NOW, keys={"account.story": "acme"}, detail=told)  # fmt: skip

    story = Story([entered(1, "20"), entered(2, "600"), entered(3, "many"), entered(4, " ", note="x")])
    (row,) = story.until(date(2020, 1, 4)).table(score_points).records()
    assert (row["rule"], row["value"], row["points"], row["fact"]) == ("company size", "600", 30, "2")
    assert not story.until(date(2026, 1, 4)).table(score_points).rows, "the last word is no number of people"


def test_what_a_machine_is_known_to_have_done_counts_nothing() -> None:
    def clicked(number: int, verdict: str) -> Fact:
        keys = {"account.story": f"a{number}", "person.story": f"p{number}"}
        detail = {"bot": verdict} if verdict else {}
        at = datetime(2026, 1, 1, tzinfo=UTC)
        return Fact(source="web", id=f"{number}", kind="link.clicked", occurred_at=at, recorded_at=NOW, keys=keys,
                    partner="pat", detail=detail)  # fmt: skip

    story = Story([clicked(n, verdict) for n, verdict in enumerate(("human", "bot", "unknown", ""))])
    table = story.until(date(2026, 1, 1) + timedelta(1)).table(score_points)
    assert only_of(table, "account") == ["a0", "a3"]


def test_the_rows_of_random_histories_add_up_whatever_order_they_came_in() -> None:
    facts = draw_facts(5, count=6 * HISTORIES, accounts=HISTORIES)
    at = datetime(2024, 6, 1)  # noqa: DTZ001 - measures see naive UTC
    shuffled = random.Random(2).sample(facts, len(facts))  # noqa: S311 - no secret
    scores, points = (Story(facts, as_of=at).table(one) for one in (lead_score, score_points))
    sums: dict[tuple[object, str], float] = defaultdict(float)
    for row in points.records():
        sums[row["account"], str(row["score"])] += float(str(row["points"]))
    assert len(scores.rows) > HISTORIES * 0.9
    for row in scores.records():
        for name in ("fit", "engagement"):
            assert abs(sums.pop((row["account"], name), 0.0) - float(str(row[name]))) < 1e-9
    assert not sums, "no point without an account that has it"
    assert Story(shuffled, as_of=at).table(lead_score).rows == scores.rows


def test_all_that_is_wrong_with_rules_is_said_at_once() -> None:
    text = PLAIN.replace("grid = [3, 2, 1]", "grid = [1, 2]").replace("meeting.held", "message.opened")
    text = text.replace("cap = 1000", "cap = -1\nhalflife = 3").replace('repeat = "each"', 'repeat = "hourly"')
    text += (
        '[[engagement.rule]]\nname = "met us"\ngroup = "some"\nkinds = ["message.sent", "meetng.held"]\npoints = 1\n'
    )
    with pytest.raises(BadRules) as refused:
        read_rules(text, 1)
    said = "\n".join(refused.value.problems)
    for part in (
        "fit: grid must be three falling numbers",
        "'all': cap must be a number from 0",
        "'halflife' means nothing here; did you mean 'half_life_days'?",
        "which machines do too; put it in a group with weak = true",
        "repeat cannot be 'hourly'; allowed are each, day and once",
        "group 'some', which is not stated",
        "no kind 'meetng.held'; did you mean 'meeting.held'?",
        "message.sent is our own act",
        "2 rules are named 'met us'",
    ):
        assert part in said
    with pytest.raises(BadRules, match="never counts: 'met us' before it takes all facts"):
        read_rules(PLAIN + PLAIN[PLAIN.rindex("[[engagement.rule]]") :].replace("met us", "met again"), 1)
    with pytest.raises(BadRules, match="no valid TOML"):
        read_rules("title = ", 1)


def test_a_version_is_kept_with_who_and_why_and_older_ones_still_answer(tmp_path: Path) -> None:
    at = datetime(2026, 7, 1, tzinfo=UTC)
    with pytest.raises(BadRules, match="why is empty"):
        kept.adopt(tmp_path, PLAIN, by="Mara", why=" ", at=at)
    assert kept.read_scoring(tmp_path).newest.number == 0
    first = kept.adopt(tmp_path, PLAIN, by="Mara", why="We meet before we sell.", at=at)
    second = kept.adopt(tmp_path, PLAIN.replace("points = 10", "points = 12"), by="Sol", why="More.", at=at)
    scoring = kept.read_scoring(tmp_path)
    assert (first.rules.number, second.rules.number, scoring.newest.number) == (1, 2, 2)
    assert (scoring.versions[1].by, scoring.versions[1].why) == ("Mara", "We meet before we sell.")
    assert [kept.rules_of(scoring, n).acts[0].points for n in (1, 2, None)] == [10, 12, 12]
    with pytest.raises(kept.NoVersion, match="no version 7 of the score rules; there are: 0, 1, 2"):
        kept.rules_of(scoring, 7)
