-- option: by = quarter
-- option: basis = payment
with moved as (
    select
        account, occurred_on, kind, currency, date_trunc('quarter', occurred_on) as period,
        case kind when 'payment.refunded' then -amount else amount end as amount
    from timeline where kind in ('payment.received', 'payment.refunded')
)
select
    year(period) || '-Q' || quarter(period) as cohort,
    sum(amount),
    coalesce(sum(amount) filter (account is not null and exists (
        from moved as other where other.account = moved.account and other.kind = 'payment.received'
    ) and not exists (
        from moved as other
        where other.account = moved.account and other.kind = 'payment.received' and other.occurred_on < moved.period
    )), 0),
    coalesce(sum(amount) filter (account is not null and (exists (
        from moved as other
        where other.account = moved.account and other.kind = 'payment.received' and other.occurred_on < moved.period
    ) or not exists (
        from moved as other where other.account = moved.account and other.kind = 'payment.received'
    ))), 0),
    coalesce(sum(amount) filter (account is null), 0),
    currency
from moved group by all order by cohort, currency
