-- option: by = quarter
-- option: denominator = created
with deals as (
    select distinct source, object_id from timeline
    where kind in ('deal.opened', 'deal.changed', 'deal.won', 'deal.lost')
),
known as (
    select
        deals.*,
        (select min(occurred_on) from timeline as fact
         where fact.kind = 'deal.opened' and fact.source = deals.source and fact.object_id = deals.object_id) as opened_on,
        coalesce((select kind from timeline as fact
         where fact.kind in ('deal.opened', 'deal.won', 'deal.lost')
             and fact.source = deals.source and fact.object_id = deals.object_id
         order by occurred_at desc, fact.kind != 'deal.opened' desc, id desc limit 1), 'deal.opened') as state,
        (select amount from timeline as fact
         where fact.kind in ('deal.opened', 'deal.changed', 'deal.won', 'deal.lost') and amount is not null
             and fact.source = deals.source and fact.object_id = deals.object_id
         order by occurred_at desc, fact.kind in ('deal.won', 'deal.lost') desc, id desc limit 1) as amount
    from deals
),
counted as (
    select
        coalesce(year(opened_on) || '-Q' || quarter(opened_on), '(unknown)') as cohort,
        count_if(state = 'deal.won') as won, count_if(state = 'deal.lost') as lost, count_if(state = 'deal.opened') as open,
        sum(amount) filter (state = 'deal.won') as won_amount, sum(amount) filter (state = 'deal.lost') as lost_amount,
        sum(amount) filter (state = 'deal.opened') as open_amount, if(count(amount) = 0, null, 'EUR') as currency
    from known group by cohort
)
select
    cohort, won, lost, open, won / (won + lost + open),
    if(currency is null, null, if(won = 0, 0, won_amount)), if(currency is null, null, if(lost = 0, 0, lost_amount)),
    if(won = 0, 0, won_amount)
        / (if(won = 0, 0, won_amount) + if(lost = 0, 0, lost_amount) + if(open = 0, 0, open_amount)),
    currency
from counted order by cohort
