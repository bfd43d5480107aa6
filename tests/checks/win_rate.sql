-- option: by = owner
with story as (
    select *, row_number() over deal as place
    from timeline
    where kind in ('deal.opened', 'deal.changed', 'deal.won', 'deal.lost')
    window deal as (
        partition by source, object_id order by occurred_at, kind in ('deal.won', 'deal.lost'), id
    )
),
last_state as (
    select source, object_id, kind as state from story where kind != 'deal.changed'
    qualify row_number() over (partition by source, object_id order by place desc) = 1
),
last_amount as (
    select source, object_id, amount, currency from story where amount is not null
    qualify row_number() over (partition by source, object_id order by place desc) = 1
),
last_owner as (
    select source, object_id, owner from story where owner is not null
    qualify row_number() over (partition by source, object_id order by place desc) = 1
),
closed as (
    select *, state = 'deal.won' as is_won
    from last_state
    left join last_amount using (source, object_id)
    left join last_owner using (source, object_id)
    where state in ('deal.won', 'deal.lost')
)
select
    coalesce(owner, '(unknown)') as cohort,
    count_if(is_won), count_if(not is_won), null,
    count_if(is_won) / count(*),
    sum(amount) filter (is_won), sum(amount) filter (not is_won),
    sum(amount) filter (is_won) / sum(amount),
    'EUR'
from closed group by cohort order by cohort
