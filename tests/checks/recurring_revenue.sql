-- option: months = 3
with contracts as (
    select
        *, coalesce(account, max(account) over (partition by source, object_id), source || ':' || object_id) as payer,
        if(kind = 'subscription.ended', 0, amount) as pays
    from timeline
    where kind in ('subscription.started', 'subscription.changed', 'subscription.ended')
        and occurred_on < date_trunc('month', getvariable('today'))
),
months as (
    select unnest(range(
        date_trunc('month', (select min(occurred_on) from contracts))::timestamp,
        date_trunc('month', getvariable('today'))::timestamp, interval 1 month
    ))::date as month
),
firsts as (select payer, date_trunc('month', min(occurred_on))::date as first from contracts where pays > 0 group by payer),
balances as (
    select month, payer, sum(pays) as pays from (
        from months join contracts on contracts.occurred_on < months.month + interval 1 month
        qualify row_number() over (partition by month, source, object_id order by occurred_at desc, id desc) = 1
    ) group by month, payer
),
accounts as (
    select
        months.month, firsts.payer, first,
        coalesce(before.pays, 0) as s, coalesce(after.pays, 0) as e, first <= months.month - interval 3 month as known
    from months cross join firsts
    left join balances as before on before.payer = firsts.payer and before.month = months.month - interval 3 month
    left join balances as after on after.payer = firsts.payer and after.month = months.month
),
moves as (
    select
        month, sum(s) as start,
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
