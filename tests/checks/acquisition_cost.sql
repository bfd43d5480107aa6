-- option: by = quarter
-- option: lag_days = 30
-- option: margin = 0.5
with paid as (
    select date_trunc('quarter', occurred_on + 30) as period, sum(amount) as spend
    from timeline
    where kind in ('spend.paid', 'payout.paid') and occurred_on + 30 <= getvariable('today')
    group by period
),
customers as (
    select account, date_trunc('quarter', min(occurred_on)) as period
    from timeline where kind = 'deal.won' and account is not null group by account
),
contracts as (
    select account, sum(amount) as monthly from timeline as fact
    where kind = 'subscription.started' and occurred_on = (
        select min(occurred_on) from timeline as other
        where other.kind = 'subscription.started' and other.account = fact.account
    )
    group by account
),
won as (
    select period, count(*) as customers, avg(monthly) as monthly
    from customers left join contracts using (account) group by period
)
select
    year(period) || '-Q' || quarter(period) as cohort,
    spend, coalesce(customers, 0),
    (spend / customers)::decimal(18, 4),
    monthly::decimal(18, 4),
    (spend / customers)::decimal(18, 4) / monthly::decimal(18, 4) / 0.5,
    'EUR'
from paid full join won using (period) order by cohort
