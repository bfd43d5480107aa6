"""Hand-offs between departments: what became of them, why they were refused, and whether both sides keep their word."""

from __future__ import annotations

from typing import Annotated, Literal

import ibis
from ibis import _

from plait.measure import Answer, Bounds, Day, Facts, measure
from plait.measures._cohort import UNKNOWN, during
from plait.measures._handoffs import ONE_TEAM, Origin, cohort_of, handoffs_of, uncreated
from plait.measures._money import alone, apart, in_one_currency, only, share

Limit = Annotated[int | None, Bounds(1, 365)]


@measure(
    owner="marketing",
    parent="funnel",
    grain="cohort",
    columns={
        "cohort": "cohort",
        "sender": "text",
        "receiver": "text",
        "created": "hand-offs",
        "accepted": "hand-offs",
        "rejected": "hand-offs",
        "withdrawn": "hand-offs",
        "expired": "hand-offs",
        "open": "hand-offs",
        "overdue": "hand-offs",
        "acceptance": "share",
        "value_open": "money",
        "without_value": "hand-offs",
        "answer_minutes": "minutes",
        "answer_days": "days",
        "system_delay": "minutes",
        "human_delay": "minutes",
        "currency": "currency",
    },
)
def handoffs(
    facts: Facts,
    *,
    by: Literal["pair", "type", "month"] = "pair",
    origin: Origin = "all",
    crm_days: Limit = None,
    since: Day | None = None,
    until: Day | None = None,
) -> Answer:
    """How hand-offs between departments ended: created = accepted + rejected + expired + open.

    Hand-offs, by the local day on which they were made; `since` and `until` keep those made in [since, until).
    `withdrawn` are those of the rejected that the sender took back; `overdue` those of the open whose time to answer
    was over when the last day that is seen began: what is due on that day is not late yet. `acceptance` = accepted /
    (accepted + rejected - withdrawn): expired ones are not the sender's fault and are left out. `value_open` is the
    value at stake in open hand-offs, to which the open ones `without_value` add nothing. One that expired has a
    successor, which counts as a hand-off of its own.

    Medians: `answer_minutes` working minutes of the receiver's calendar from assignment to answer, pauses left out;
    `answer_days` all days from making to answer; `system_delay` all minutes from the reason to the assignment, before
    which the receiver can do nothing; `human_delay` working minutes from the assignment to the first touch by a
    person. Withdrawn ones, and those within one team, which are accepted at once, have no time to answer.

    Origin `desk`: hand-offs made in plait. Origin `crm`: each `lead.mql` that nobody handed over in plait, from
    marketing to sales, accepted by the first later `lead.sal` or `lead.sql` of the account (of the same person, where
    both name one), rejected by `lead.recycled` or `lead.disqualified`, else open; its working time is not known.
    `crm_days` lets those expire that were not answered within so many days; without it none does.
    """
    rows = during(handoffs_of(facts, origin, crm_days), since, until)
    rows = in_one_currency(facts, rows.mutate(cohort=cohort_of(rows, by)))
    is_open, counted = _.state == "open", _.state.isin(("accepted", "rejected")) & ~_.withdrawn
    rows = rows.mutate(timed=counted & (_.mode.fill_null("") != ONE_TEAM)).mutate(
        answer_minutes=ibis.ifelse(_.timed, _.answer_minutes, ibis.null("float64")),
        answer_days=ibis.ifelse(_.timed, _.answer_days, ibis.null("float64")),
        open_currency=ibis.ifelse(is_open, _.money_currency, ibis.null("string")),
    )
    counts = {state: (_.state == state).sum().cast("int64") for state in ("accepted", "rejected", "expired", "open")}
    told = rows.group_by("cohort").agg(
        sender=alone(_.sender),
        receiver=alone(_.receiver),
        created=_.count(),
        **counts,
        withdrawn=_.withdrawn.sum().cast("int64"),
        overdue=_.overdue.sum().cast("int64"),
        value_open=_.money.sum(where=is_open),
        without_value=(is_open & _.money.isnull()).sum().cast("int64"),
        answer_minutes=_.answer_minutes.median(),
        answer_days=_.answer_days.median(),
        system_delay=_.system_minutes.median(),
        human_delay=_.human_minutes.median(),
        currency=alone(_.open_currency),
    )
    told = told.mutate(
        acceptance=share(_.accepted, _.accepted + _.rejected - _.withdrawn), value_open=only(_.value_open, _.currency)
    )
    valued = in_one_currency(facts, facts.of("handoff.created", "lead.mql"))
    cautions = (uncreated(facts, origin), apart(valued, "amounts are left empty where a row has several"))
    return Answer(told.select(*handoffs.columns).order_by("cohort"), cautions)


@measure(
    owner="sales",
    parent="handoffs",
    grain="cohort, reason and target",
    columns={
        "cohort": "cohort",
        "reason": "text",
        "target": "text",
        "rejected": "hand-offs",
        "share": "share",
    },
)
def handoff_reasons(
    facts: Facts,
    *,
    by: Literal["all", "pair", "type", "month"] = "all",
    origin: Origin = "all",
    since: Day | None = None,
    until: Day | None = None,
) -> Answer:
    """Why hand-offs were rejected, and what became of the accounts.

    Hand-offs, by the local day on which they were made; `since` and `until` keep those made in [since, until). The
    reason is the code of the firm's policy, for leads of the CRM (origin `crm`, see `handoffs`) the text that stands
    there. `target`: nurture, merge, reroute, disqualify or withdrawn. `share` is of all rejected ones of the cohort,
    those that the sender took back included.
    """
    rows = during(handoffs_of(facts, origin, None), since, until).filter(_.state == "rejected")
    rows = rows.mutate(
        cohort=cohort_of(rows, by), reason=rows.reason.fill_null(UNKNOWN), target=rows.target.fill_null(UNKNOWN)
    )
    told = rows.group_by("cohort", "reason", "target").agg(rejected=_.count())
    told = told.mutate(share=share(_.rejected, _.rejected.sum().over(group_by="cohort")))
    most_first = ["cohort", ibis.desc("rejected"), "reason", "target"]
    return Answer(told.select(*handoff_reasons.columns).order_by(most_first), (uncreated(facts, origin),))


@measure(
    owner="sales",
    parent="handoffs",
    grain="cohort",
    columns={
        "cohort": "cohort",
        "sender": "text",
        "receiver": "text",
        "sent": "hand-offs",
        "completeness": "share",
        "acceptance": "share",
        "answers_due": "hand-offs",
        "answered_in_time": "share",
        "breached": "hand-offs",
        "touches_due": "hand-offs",
        "touched_in_time": "share",
    },
)
def handoff_compliance(
    facts: Facts,
    *,
    by: Literal["pair", "type", "assignee", "sent_by", "month"] = "pair",
    origin: Origin = "all",
    crm_days: Limit = None,
    since: Day | None = None,
    until: Day | None = None,
) -> Answer:
    """Whether both sides keep their word: what the sender owes, and what the receiver owes.

    Hand-offs, by the local day on which they were made; `since` and `until` keep those made in [since, until). By
    department pair, type, month, or person: `assignee` who had it last, `sent_by` who made it.

    The sender owes: `sent`, how many; `completeness`, the mean share of required fields of the context card that were
    filled in; `acceptance` = accepted / (accepted + rejected - withdrawn). What is owed stands in the firm's policy.

    The receiver owes an answer and a touch in its working time. `answers_due` are hand-offs that were answered or
    whose time to answer is over; `answered_in_time` is the share of them answered by then, `breached` the others:
    answered late, expired, or open and overdue (see `handoffs`). `touches_due` are accepted and open ones that were
    touched by a person or whose time to be is over; `touched_in_time` is the share of them touched by then. Withdrawn
    ones, those whose clock is stopped, and those within one team owe nothing. Origins and `crm_days` are those of
    `handoffs`; a lead of the CRM owes an answer only with `crm_days`.
    """
    rows = during(handoffs_of(facts, origin, crm_days), since, until)
    now = facts.began.strftime("%Y-%m-%d %H:%M:%S")
    owes = rows.due.notnull() & ~rows.withdrawn & (rows.mode.fill_null("") != ONE_TEAM)
    late = (rows.state == "expired") | rows.overdue | (rows.answered > rows.due).fill_null(False)  # noqa: FBT003
    owes_touch = rows.touch_due.notnull() & rows.state.isin(("accepted", "open"))
    no_touch = (rows.touched.fill_null(now) > rows.touch_due).fill_null(False)  # noqa: FBT003
    rows = rows.mutate(
        cohort=cohort_of(rows, by),
        answer_due=(owes & (late | rows.answered.notnull())).cast("int64"),
        breach=(owes & late).cast("int64"),
        touch=(owes_touch & (no_touch | rows.touched.notnull())).cast("int64"),
        untouched=(owes_touch & no_touch).cast("int64"),
        taken=(rows.state == "accepted").cast("int64"),
        judged=(rows.state.isin(("accepted", "rejected")) & ~rows.withdrawn).cast("int64"),
    )
    told = rows.group_by("cohort").agg(
        sender=alone(_.sender),
        receiver=alone(_.receiver),
        sent=_.count(),
        completeness=_.completeness.mean(),
        acceptance=share(_.taken.sum(), _.judged.sum()),
        answers_due=_.answer_due.sum().cast("int64"),
        breached=_.breach.sum().cast("int64"),
        touches_due=_.touch.sum().cast("int64"),
        untouched=_.untouched.sum().cast("int64"),
    )
    told = told.mutate(
        answered_in_time=share(_.answers_due - _.breached, _.answers_due),
        touched_in_time=share(_.touches_due - _.untouched, _.touches_due),
    )
    return Answer(told.select(*handoff_compliance.columns).order_by("cohort"), (uncreated(facts, origin),))
