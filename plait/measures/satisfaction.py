"""Satisfaction: what customers answer and write."""

import ibis
from ibis import _

from plait.measure import Day, Facts, measure
from plait.measures._cohort import By, cohort, during
from plait.measures._money import share

SURVEYS = {"nps.answered": "nps", "csat.answered": "csat", "review.posted": "review"}
Z = 1.959963984540054  # 95 % of a normal distribution lies within so many standard deviations


@measure(
    owner="service",
    parent="retention",
    proxy=True,
    grain="cohort and survey",
    columns={
        "cohort": "cohort",
        "survey": "text",
        "answers": "answers",
        "mean": "points",
        "satisfied": "share",
        "dissatisfied": "share",
        "score": "score",
        "score_low": "score",
        "score_high": "score",
    },
    origin="Rocks 2016, arXiv:1601.07235 (NPS); Agresti and Coull 1998 (shares)",
)
def satisfaction(facts: Facts, *, by: By = "month", since: Day | None = None, until: Day | None = None) -> ibis.Table:
    """How satisfied customers say they are: NPS, CSAT and public reviews, with how sure that is.

    `nps`: 0 to 10 points, satisfied (promoters) 9-10, dissatisfied (detractors) 0-6; the score is the Net Promoter
    Score, satisfied minus dissatisfied, -1 to 1. `csat` and `review`: 1 to 5 points, satisfied 4-5, dissatisfied 1-2;
    the score is the share satisfied. Each answer counts, a customer who answers twice counts twice.

    `score_low` and `score_high` bound the score with 95 % confidence if those who answered are like those who did not
    (adjusted Wald: for NPS 3 answers are added, a quarter of them satisfied and a quarter dissatisfied; for a share 4,
    half of them satisfied). `since` and `until` keep the answers given in [since, until).
    """
    answers = during(facts.of(*SURVEYS), since, until).mutate(is_nps=_.kind == "nps.answered")
    happy = _.quantity >= ibis.ifelse(_.is_nps, 9, 4)
    unhappy = _.quantity < ibis.ifelse(_.is_nps, 7, 3)
    counts = (
        answers.mutate(cohort=cohort(answers, by))
        .group_by("cohort", "is_nps", survey=_.kind.cases(*SURVEYS.items()))
        .agg(
            answers=_.count(),
            points=_.quantity.sum(),
            happy=happy.sum().cast("int64"),
            unhappy=unhappy.sum().cast("int64"),
        )
    )
    # An answer is worth 1 when it speaks for us, in NPS -1 when against: mean and variance follow from two counts.
    # Counts become doubles before a fraction is added: Spark takes 0.75 as a decimal and would cut the quotients.
    happy_n, unhappy_n = _.happy.cast("float64"), _.unhappy.cast("float64")
    plus = happy_n + ibis.ifelse(_.is_nps, 0.75, 2.0)
    minus = ibis.ifelse(_.is_nps, unhappy_n + 0.75, 0.0)
    scored = counts.mutate(
        mean=share(_.points, _.answers),
        satisfied=share(_.happy, _.answers),
        dissatisfied=share(_.unhappy, _.answers),
        score=share(_.happy - ibis.ifelse(_.is_nps, _.unhappy, 0), _.answers),
        n=_.answers.cast("float64") + ibis.ifelse(_.is_nps, 3.0, 4.0),
    ).mutate(middle=(plus - minus) / _.n, square=(plus + minus) / _.n)
    scored = scored.mutate(half=Z * ((_.square - _.middle * _.middle) / _.n).sqrt())
    return (
        scored.mutate(
            score_low=ibis.least(ibis.greatest(_.middle - _.half, ibis.ifelse(_.is_nps, -1.0, 0.0)).round(10), _.score),
            score_high=ibis.greatest(ibis.least(_.middle + _.half, 1.0).round(10), _.score),
        )
        .select(*satisfaction.columns)
        .order_by("cohort", "survey")
    )
