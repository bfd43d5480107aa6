-- option: by = month
-- option: basis = order
with quotes as (
    select
        if(currency = 'EUR', object_id, currency) as fx, currency = 'EUR' as direct,
        if(currency = 'EUR', quantity, round(1 / quantity::double, 10))::decimal(19, 10) as rate,
        year(occurred_on) * 12 + month(occurred_on) + if(day(occurred_on) > 1, 1, 0) as since,
        occurred_at, source, id
    from timeline
    where kind = 'fx.rate' and quantity > 0 and quantity < 1e9 and (currency = 'EUR') != (object_id = 'EUR')
),
own as (
    select fx, rate, since from (from quotes qualify direct = max(direct) over (partition by fx))
    qualify row_number() over (partition by fx, since order by occurred_at desc, source desc, id desc) = 1
),
rates as (
    select
        fx, rate, unnest(range(since, coalesce(
            lead(since) over (partition by fx order by since),
            year(getvariable('today')) * 12 + month(getvariable('today')) + 1
        ))) as fx_month
    from own
),
orders as (
    select account, coalesce((amount * rate)::decimal(38, 4), amount) as money, if(rate is null, currency, 'EUR') as money_currency, date_trunc('month', occurred_on) as period, occurred_on
    from timeline left join rates on fx = currency and fx_month = year(occurred_on) * 12 + month(occurred_on)
    where kind = 'order.placed' and account is not null
),
firsts as (select account, min(occurred_on) as first_on from orders group by account),
months as (
    select
        period, sum(money) as revenue, coalesce(sum(money) filter (first_on < period), 0) as existing,
        min(money_currency) as one, max(money_currency) as other
    from orders join firsts using (account) group by period
)
select
    strftime(period, '%Y-%m') as cohort, if(one = other, existing / revenue, null),
    if(one = other, revenue, null), if(one = other, existing, null), if(one = other, one, null)
from months order by cohort
