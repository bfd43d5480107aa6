"""Failures of service: requests for help that waited too long, and incidents that took too long to end."""

from __future__ import annotations

from typing import Literal

import ibis
import ibis.expr.types as ir
from ibis import _

from plait.measure import Caution, Facts
from plait.measures._steps import DAY, seconds

Priority = Literal["high", "any"]
HIGH = ("critical", "urgent", "highest", "high", "p1")
HOUR = 3_600
INCIDENT = ["source", "object_id"]
REQUEST = ["source", "object_id"]


def failures(facts: Facts, *, priority: Priority, slow_days: int, major_hours: int) -> ir.Table:
    """Give `account` and `failed_on`, the local day, of every failure of service that an account met.

    A request for help is a failure once it has been without an answer for `slow_days`, counted from each
    `ticket.opened` to the next `ticket.resolved` of the same source and object_id. An incident is one for each account
    that an `incident.opened` names, dated on the day it began, once it has lasted longer than `major_hours`: up to the
    next `incident.closed` of that account, or to one that names no account.
    """
    requests, incidents = _requests(facts, priority, slow_days), _incidents(facts, major_hours)
    return requests.union(incidents).filter(_.account.notnull())


def unjudged(facts: Facts, priority: Priority) -> Caution:
    """Warn of requests for help that tell no priority, where the priority decides."""
    silent = _tickets(facts).group_by(REQUEST).agg(told=_.says.max(), opened=(_.kind == "ticket.opened").max())
    silent = silent.filter(_.opened, ~_.told, ibis.literal(priority == "high"))
    return Caution(
        silent.select("object_id", "source").order_by("object_id", "source"),
        "{n} requests for help tell no priority and are no failures, however long they waited: {some}. To count "
        "requests of any priority, ask with priority=any.",
    )


def nameless(facts: Facts) -> Caution:
    """Warn of incidents that name no account at all."""
    hit = facts.of("incident.opened").group_by(INCIDENT).agg(known=_.account.count())
    return Caution(
        hit.filter(_.known == 0).select("object_id", "source").order_by("object_id", "source"),
        "{n} incidents name no account and are left out: {some}. Load one fact for each account that one hit.",
    )


def _requests(facts: Facts, priority: Priority, slow_days: int) -> ir.Table:
    tickets = _tickets(facts)
    whole = ibis.window(group_by=REQUEST)
    tickets = tickets.mutate(
        account=ibis.coalesce(_.account, _.account.max().over(whole)),
        counts=ibis.literal(value=True) if priority == "any" else _.high.max().over(whole),
    )
    waits = _waits(tickets, "ticket.opened", ended=_.kind == "ticket.resolved", by=REQUEST)
    slow = waits.filter(waits.counts, _lasted(facts, waits, waits.ended_at) > slow_days * DAY)
    return slow.select("account", failed_on=(slow.occurred_on + ibis.interval(days=slow_days)).cast("date"))


def _incidents(facts: Facts, major_hours: int) -> ir.Table:
    told = facts.of("incident.opened", "incident.closed")
    told = _waits(told, None, ended=(_.kind == "incident.closed") & _.account.isnull(), by=INCIDENT)
    told = told.mutate(for_all_at=_.ended_at)
    hit = _waits(told, "incident.opened", ended=_.kind == "incident.closed", by=[*INCIDENT, "account"])
    ended_at = ibis.coalesce(ibis.least(hit.ended_at, hit.for_all_at), hit.ended_at, hit.for_all_at)
    major = hit.filter(_lasted(facts, hit, ended_at) > major_hours * HOUR)
    return major.select("account", failed_on=major.occurred_on)


def _tickets(facts: Facts) -> ir.Table:
    """Give the facts about requests for help, with whether one `says` a priority and whether that is `high`."""
    told = facts.of("ticket.opened", "ticket.resolved")
    # Found as text: engines do not read JSON alike. A quote within a value is written \", so that nothing else matches.
    detail = told.detail.fill_null("").lower().replace(" ", "")
    high = [detail.contains(f'"priority":"{word}"') for word in HIGH]
    says = detail.contains('"priority":"') & ~detail.contains('"priority":""')
    return told.mutate(says=says, high=ibis.or_(*high))


def _waits(told: ir.Table, began: str | None, *, ended: ir.Deferred, by: list[str]) -> ir.Table:
    """Give the facts of the kind `began` (None: all), each with `ended_at`, the next `ended` of the same thing."""
    # At one instant what ends stands first: `closed` and `resolved` would else come before `opened` by their id.
    newest_first = [_.occurred_at.desc(), ended.cast("int8").desc(), _.id]
    later = ibis.cumulative_window(group_by=by, order_by=newest_first)
    ends = told.mutate(end_at=ibis.ifelse(ended, _.occurred_at, ibis.null("timestamp")))
    ends = ends.mutate(ended_at=_.end_at.min().over(later)).drop("end_at")
    return ends if began is None else ends.filter(_.kind == began)


def _lasted(facts: Facts, waits: ir.Table, ended_at: ir.TimestampValue) -> ir.IntegerValue:
    """Give the seconds from the beginning to the end, or so far."""
    return seconds(ibis.coalesce(ended_at, facts.as_of)) - seconds(waits.occurred_at)
