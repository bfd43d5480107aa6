-- option: within_months = 2
-- option: priority = any
-- Asks of every account and month end what it pays, and of every request and incident whether anything ended it in time.
with contracts as (
    select
        *, coalesce(account, max(account) over (partition by source, object_id), source || ':' || object_id) as payer,
        kind <> 'subscription.ended' and amount > 0 as pays
    from timeline
    where kind in ('subscription.started', 'subscription.changed', 'subscription.ended')
        and occurred_on < date_trunc('month', getvariable('today'))
),
ends as (
    select unnest(range(
        date_trunc('month', (select min(occurred_on) from contracts))::timestamp,
        date_trunc('month', getvariable('today'))::timestamp, interval 1 month
    ))::date as month
),
customers as (select payer, date_trunc('month', min(occurred_on))::date as first from contracts where pays group by payer),
held as (
    select month, payer, source, object_id, arg_max(pays, (occurred_at, id)) as pays
    from ends join contracts on date_trunc('month', occurred_on) <= month
    group by month, payer, source, object_id
),
paying as (select month, payer from held group by month, payer having bool_or(pays)),
met as (
    select coalesce(account, (
        select max(account) from timeline as other
        where other.kind in ('ticket.opened', 'ticket.resolved')
            and other.source = opened.source and other.object_id = opened.object_id
    )) as payer, occurred_on + 5 as day
    from timeline as opened
    where kind = 'ticket.opened' and occurred_at + interval 5 day < getvariable('as_of') and not exists (
        from timeline as answer where answer.kind = 'ticket.resolved' and answer.source = opened.source
            and answer.object_id = opened.object_id
            and answer.occurred_at between opened.occurred_at and opened.occurred_at + interval 5 day
    )
    union all
    select account, occurred_on from timeline as opened
    where kind = 'incident.opened' and occurred_at + interval 8 hour < getvariable('as_of') and not exists (
        from timeline as closed where closed.kind = 'incident.closed' and closed.source = opened.source
            and closed.object_id = opened.object_id and coalesce(closed.account, opened.account) = opened.account
            and closed.occurred_at between opened.occurred_at and opened.occurred_at + interval 8 hour
    )
),
failed as (
    select payer, date_trunc('month', min(day))::date as failed from met join customers using (payer)
    where date_trunc('month', day) >= first group by payer
),
cases as (
    select
        month, failed is not distinct from month as exposed,
        case when month < first + interval 6 month then 0 when month < first + interval 12 month then 6
            when month < first + interval 24 month then 12 else 24 end as tenure,
        not exists (
            from paying as later where later.payer = paying.payer and later.month = paying.month + interval 2 month
        ) as gone
    from paying join customers using (payer) left join failed using (payer)
    where coalesce(failed >= month, true) and month + interval 2 month < date_trunc('month', getvariable('today'))
),
strata as (
    select
        count_if(exposed) as n1, count_if(exposed and gone) as a,
        count_if(not exposed) as m0, count_if(not exposed and gone) as b, m0 / 2 as n0, b / 2 as c, n1 + n0 as n
    from cases group by month, tenure having n1 > 0 and n0 > 0
),
sums as (
    select
        sum(n1)::bigint as cases, sum(a)::bigint as lost, sum(m0)::bigint as others, sum(b)::bigint as others_lost,
        sum(a) / sum(n1) as p1, sum(n1 * c / n0) / sum(n1) as p0,
        sum(n1) ** 2 / sum(n1 ** 2 / n0) as size,
        sum(a * n0 / n) as r, sum(c * n1 / n) as s, sum(n1 * n0 / n) as w,
        sum((n1 ** 2 * c - n0 ** 2 * a + n1 * n0 * (n0 - n1) / 2) / n ** 2) as p,
        sum((a * (n0 - c) + c * (n1 - a)) / (2 * n)) as q,
        sum(((a + c) * n1 * n0 - a * c * n) / n ** 2) as g
    from strata
),
spread as (
    select
        *, 1.959963984540054 as z, (r - s) / w as rd, z * sqrt((rd * p + q) / w ** 2) as dh,
        if(r > 0 and s > 0, r / nullif(s, 0), null) as rr, z * sqrt(g / nullif(r * s, 0)) as rh
    from sums
),
groups as (
    select 1 as place, 'with a failure' as name, cases, lost, p1 as p, cases as size from sums
    union all
    select 2, 'alike, without a failure', others, others_lost, p0, size from sums
    union all
    select 3, 'published: up to', null, null, 0.75, null
),
wilson as (
    select
        *, z * z / size as zz, z * sqrt(p * (1 - p) / size + zz / 4 / size) as half
    from (select groups.*, 1.959963984540054 as z from groups)
)
select
    name, wilson.cases, wilson.lost, wilson.p,
    if(place < 3, greatest(0, (wilson.p + zz / 2 - half) / (1 + zz)), null),
    if(place < 3, least(1, (wilson.p + zz / 2 + half) / (1 + zz)), null),
    if(place = 1 and dh > 0, rd, null), if(place = 1 and dh > 0, greatest(-1, rd - dh), null),
    if(place = 1 and dh > 0, least(1, rd + dh), null), if(place = 1, rr, null),
    if(place = 1, rr * exp(-rh), null), if(place = 1, rr * exp(rh), null)
from wilson cross join spread order by place
