-- option: by = quarter
with wins as (
    select source, object_id, kind, occurred_on from timeline
    where kind in ('deal.opened', 'deal.won', 'deal.lost')
    qualify row_number() over (
        partition by source, object_id order by occurred_at desc, kind != 'deal.opened' desc, id desc
    ) = 1
),
agreed as (
    select source, object_id, amount, currency from timeline
    where kind in ('deal.opened', 'deal.changed', 'deal.won', 'deal.lost') and amount is not null
    qualify row_number() over (
        partition by source, object_id order by occurred_at desc, kind in ('deal.won', 'deal.lost') desc, id desc
    ) = 1
)
select
    year(occurred_on) || '-Q' || quarter(occurred_on) as cohort,
    count(*), sum(amount), round(sum(amount)::decimal(38, 10) / count(*), 4)::decimal(38, 4), currency
from wins left join agreed using (source, object_id)
where kind = 'deal.won'
group by cohort, currency order by cohort, currency
