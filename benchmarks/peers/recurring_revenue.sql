-- option: months = 3
with contracts as (
    select
        source, object_id, occurred_at, id, date_trunc('month', occurred_on) as month,
        coalesce(account, max(account) over (partition by source, object_id), source || ':' || object_id) as payer,
        if(kind = 'subscription.ended', 0, amount) as pays
    from timeline
    where kind in ('subscription.started', 'subscription.changed', 'subscription.ended')
        and occurred_on < date_trunc('month', getvariable('today'))
),
firsts as (select payer, min(month) as first from contracts where pays > 0 group by payer),
month_ends as (
    select source, object_id, month, payer, pays,
        lead(month, 1, date_trunc('month', getvariable('today'))) over (partition by source, object_id order by month)
        as until
    from (
        from contracts
        qualify row_number() over (partition by source, object_id, month order by occurred_at desc, id desc) = 1
    )
),
balances as (
    select payer, month, sum(pays) as pays from (
        select payer, pays, unnest(range(month::timestamp, until::timestamp, interval 1 month)) as month
        from month_ends where pays > 0
    ) group by payer, month
),
sides as (
    select payer, month, pays as e, 0 as s from balances
    union all
    select payer, month + interval 3 month, 0, pays from balances
    where month + interval 3 month < date_trunc('month', getvariable('today'))
),
accounts as (
    select month, payer, sum(s) as s, sum(e) as e, any_value(first) <= month - interval 3 month as known
    from sides join firsts using (payer) group by month, payer
),
moves as (
    select
        month::date as month, sum(s) as start,
        coalesce(sum(e) filter (s = 0 and not known), 0) as new,
        coalesce(sum(e - s) filter (s > 0 and e > s), 0) as expansion,
        coalesce(sum(s - e) filter (e > 0 and e < s), 0) as contraction,
        coalesce(sum(s) filter (e = 0), 0) as churn,
        coalesce(sum(e) filter (s = 0 and known), 0) as reactivation,
        sum(e) as finish, count_if(s > 0) as accounts, count_if(s > 0 and e = 0) as lost
    from accounts group by month
)
select
    *exclude (accounts, lost),
    (start - churn - contraction + expansion) / nullif(start, 0), (start - churn - contraction) / nullif(start, 0),
    accounts, lost, lost / nullif(accounts, 0),
    (new + expansion + reactivation) / nullif(churn + contraction, 0), 'EUR'
from moves where start > 0 or finish > 0 order by month
