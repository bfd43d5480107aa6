-- option: basis = order
with active as (
    select distinct account, year(occurred_on) * 12 + month(occurred_on) as month
    from timeline
    where kind = 'order.placed' and account is not null and occurred_on < date_trunc('month', getvariable('today'))
),
begun as (select account, min(month) as cohort from active group by account),
counts as (select cohort, month, count(*) as active from active join begun using (account) group by all),
sizes as (
    select cohort, count(*) as size,
        unnest(range(cohort, year(getvariable('today')) * 12 + month(getvariable('today')))) as month
    from begun group by cohort
)
select
    make_date((cohort - 1) // 12, (cohort - 1) % 12 + 1, 1) as cohort_on, month - cohort, size,
    coalesce(active, 0), coalesce(active, 0) / size
from sizes left join counts using (cohort, month) order by cohort, month
