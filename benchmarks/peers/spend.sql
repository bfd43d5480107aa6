-- option: by = channel
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
)
select
    case kind when 'payout.paid' then 'partner' else coalesce(channel, '(unknown)') end as cohort,
    sum(coalesce((amount * rate)::decimal(38, 4), amount)), if(rate is null, currency, 'EUR') as money_currency
from timeline left join rates on fx = currency and fx_month = year(occurred_on) * 12 + month(occurred_on)
where kind in ('spend.paid', 'payout.paid')
group by all order by cohort, money_currency
