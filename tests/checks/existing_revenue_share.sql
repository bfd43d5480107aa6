-- option: by = month
-- option: basis = order
with orders as (from timeline where kind = 'order.placed' and account is not null),
split as (
    select
        date_trunc('month', occurred_on) as period, amount,
        exists (
            from orders as earlier
            where earlier.account = orders.account and earlier.occurred_on < date_trunc('month', orders.occurred_on)
        ) as existing
    from orders
)
select
    strftime(period, '%Y-%m') as cohort,
    coalesce(sum(amount) filter (existing), 0) / sum(amount),
    sum(amount), coalesce(sum(amount) filter (existing), 0), 'EUR'
from split group by period order by cohort
