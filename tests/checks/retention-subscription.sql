-- option: basis = subscription
with contracts as (
    select
        *, coalesce(account, max(account) over (partition by source, object_id), source || ':' || object_id) as payer,
        kind != 'subscription.ended' and amount > 0 as pays
    from timeline
    where kind in ('subscription.started', 'subscription.changed', 'subscription.ended')
        and occurred_on < date_trunc('month', getvariable('today'))
),
begun as (select payer, date_trunc('month', min(occurred_on))::date as cohort from contracts where pays group by payer),
months as (
    select unnest(range(
        (select min(cohort) from begun), date_trunc('month', getvariable('today'))::timestamp, interval 1 month
    ))::date as month
),
paying as (
    select distinct month, payer from (
        from months join contracts on contracts.occurred_on < months.month + interval 1 month
        qualify row_number() over (partition by month, source, object_id order by occurred_at desc, id desc) = 1
    ) where pays
)
select
    cohort, date_diff('month', cohort, months.month) as since,
    count(*), count(paying.payer), count(paying.payer) / count(*)
from begun
join months on months.month >= begun.cohort
left join paying on paying.payer = begun.payer and paying.month = months.month
group by cohort, since order by cohort, since
