-- option: case = deal
-- option: yearly_percent = 20
with steps as (
    select source || ' ' || object_id as case_, coalesce(if(kind = 'deal.changed', text, null), kind) as step,
        epoch(occurred_at)::bigint as at_second, row_number() over (
            partition by source, object_id order by occurred_at, id
        ) as place
    from timeline where starts_with(kind, 'deal.')
),
pairs as (
    select one.case_, one.step as from_step, two.step as to_step, (two.at_second - one.at_second) / 86400.0::double as days
    from steps as one join steps as two on two.case_ = one.case_ and two.place = one.place + 1
),
amounts as (
    select source || ' ' || object_id as case_, arg_max(amount, (occurred_at, id)) as amount
    from timeline where starts_with(kind, 'deal.') and amount is not null group by source, object_id
)
select
    from_step, to_step, count(distinct case_), count(*), median(days), quantile_disc(days, 0.9), sum(days),
    sum(round((amount * 0.2 * days / 365)::double, 4)::decimal(38, 4)), if(count(amount) > 0, 'EUR', null)
from pairs left join amounts using (case_)
group by from_step, to_step
order by count(*) desc, from_step, to_step
