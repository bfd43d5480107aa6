-- option: trailing_days = 700
with story as (
    select *, kind in ('deal.won', 'deal.lost') as closing from timeline
    where kind in ('deal.opened', 'deal.changed', 'deal.won', 'deal.lost')
),
deals as (
    select
        coalesce(arg_max(kind, row(occurred_at, closing, id)) filter (kind != 'deal.changed'), 'deal.opened') as state,
        arg_max(occurred_on, row(occurred_at, id)) filter (closing) as closed_on,
        min(occurred_on) filter (kind = 'deal.opened') as opened_on,
        arg_max(amount, row(occurred_at, closing, id)) filter (amount is not null) as amount
    from story group by source, object_id
),
recent as (from deals where state != 'deal.opened' and closed_on >= getvariable('today') - 700),
wins as (from recent where state = 'deal.won'),
parts as (
    select
        (select count(*) from deals where state = 'deal.opened') as open,
        (select count(*) from wins) / (select count(*) from recent) as win_rate,
        (select sum(amount) / count(amount) from wins) as average,
        (select median(closed_on - opened_on) from wins where closed_on >= opened_on) as cycle
)
select 'all', open, win_rate, average::decimal(18, 4), cycle, (open * win_rate * average / cycle)::decimal(18, 4), 'EUR'
from parts
