-- option: by = quarter
-- option: basis = payment
with moved as (
    select
        account, occurred_on, kind, currency, date_trunc('quarter', occurred_on) as period,
        case kind when 'payment.refunded' then -amount else amount end as amount
    from timeline where kind in ('payment.received', 'payment.refunded')
),
firsts as (
    select account, min(occurred_on) as first_on from moved
    where kind = 'payment.received' and account is not null group by account
)
select
    year(period) || '-Q' || quarter(period) as cohort,
    sum(amount),
    coalesce(sum(amount) filter (first_on >= period), 0),
    coalesce(sum(amount) filter (account is not null and coalesce(first_on < period, true)), 0),
    coalesce(sum(amount) filter (account is null), 0),
    currency
from moved left join firsts using (account)
group by period, currency order by cohort, currency
