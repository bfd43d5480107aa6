-- option: basis = order
with active as (
    select distinct account, date_trunc('month', occurred_on)::date as month
    from timeline
    where kind = 'order.placed' and account is not null and occurred_on < date_trunc('month', getvariable('today'))
),
begun as (select account, min(month) as cohort from active group by account),
months as (
    select unnest(range(
        (select min(cohort) from begun), date_trunc('month', getvariable('today'))::timestamp, interval 1 month
    ))::date as month
)
select
    cohort, date_diff('month', cohort, months.month) as since,
    count(*), count(active.account), count(active.account) / count(*)
from begun
join months on months.month >= begun.cohort
left join active on active.account = begun.account and active.month = months.month
group by cohort, since order by cohort, since
