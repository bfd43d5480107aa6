-- option: by = month
-- option: basis = order
with orders as (
    select account, amount, date_trunc('month', occurred_on) as period, occurred_on from timeline
    where kind = 'order.placed' and account is not null
),
firsts as (select account, min(occurred_on) as first_on from orders group by account)
select
    strftime(period, '%Y-%m') as cohort,
    coalesce(sum(amount) filter (first_on < period), 0) / sum(amount),
    sum(amount), coalesce(sum(amount) filter (first_on < period), 0), 'EUR'
from orders join firsts using (account) group by period order by cohort
