-- option: by = product
-- option: trailing_days = 500
with story as (
    select *, kind in ('deal.won', 'deal.lost') as closing from timeline
    where kind in ('deal.opened', 'deal.changed', 'deal.won', 'deal.lost')
),
deals as (
    select
        source, object_id,
        coalesce(arg_max(kind, row(occurred_at, closing, id)) filter (kind != 'deal.changed'), 'deal.opened') as state,
        arg_max(occurred_on, row(occurred_at, id)) filter (closing) as closed_on,
        arg_max(amount, row(occurred_at, closing, id)) filter (amount is not null) as amount,
        coalesce(arg_max(product, row(occurred_at, closing, id)) filter (product is not null), '(unknown)') as cohort
    from story group by source, object_id
),
counted as (
    select
        cohort,
        count_if(state = 'deal.opened') as open,
        count_if(state = 'deal.opened' and amount is null) as without_amount,
        sum(amount) filter (state = 'deal.opened') as amount,
        count_if(state != 'deal.opened' and closed_on >= getvariable('today') - 500) as closed,
        count_if(state = 'deal.won' and closed_on >= getvariable('today') - 500) as won
    from deals group by cohort
)
select
    cohort, open, without_amount, amount, closed, won / closed,
    (amount * won / closed)::decimal(38, 4), closed / won, 'EUR'
from counted order by cohort
