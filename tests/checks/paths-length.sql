-- option: show = length
-- Journeys to a won deal by their number of touches, told with subqueries per conversion instead of windows.
with last_told as (
    select source, object_id, arg_max(kind, (occurred_at, kind in ('deal.won', 'deal.lost'), id)) as state
    from timeline where kind in ('deal.opened', 'deal.won', 'deal.lost') group by all
),
priced as (
    select source, object_id, arg_max(amount, (occurred_at, kind in ('deal.won', 'deal.lost'), id)) as amount,
        arg_max(currency, (occurred_at, kind in ('deal.won', 'deal.lost'), id)) as currency
    from timeline where starts_with(kind, 'deal.') and amount is not null group by all
),
owned as (
    select source, object_id, arg_max(account, (occurred_at, kind in ('deal.won', 'deal.lost'), id)) as account
    from timeline where starts_with(kind, 'deal.') and account is not null group by all
),
signed as (
    select source, object_id, max(occurred_at) as moment, arg_max(person, (occurred_at, id)) as person
    from timeline where kind = 'deal.won' group by all
),
won as (
    select row_number() over (order by source, object_id) as number, coalesce(account, person) as unit, moment, amount, currency
    from signed join last_told using (source, object_id)
    left join owned using (source, object_id) left join priced using (source, object_id)
    where state = 'deal.won' and coalesce(account, person) is not null
),
touches as (
    select coalesce(account, person) as unit, occurred_at as moment from timeline
    where channel is not null and coalesce(account, person) is not null and kind in (
        'visit.started', 'ad.clicked', 'link.clicked', 'subscriber.joined', 'form.submitted', 'content.downloaded',
        'event.attended', 'trial.started', 'referral.made', 'message.clicked', 'lead.created'
    )
),
since as (  -- of two conversions at one instant the second has no time for a touch
    select number, won.*, (
        select max(earlier.moment) from won as earlier where earlier.unit = won.unit
            and (earlier.moment < won.moment or (earlier.moment = won.moment and earlier.number < won.number))
    ) as begun from won
),
converted as (
    select number, any_value(amount) as amount, any_value(currency) as currency, any_value(since.moment) as ends,
        count(touches.moment) as touches, min(touches.moment) as first, max(touches.moment) as last
    from since left join touches on touches.unit = since.unit and touches.moment < since.moment
        and touches.moment >= coalesce(begun, timestamp '1900-01-01') and touches.moment >= since.moment - interval 365 days
    group by number
),
patience as (
    select list_sort(list(epoch(ends) - epoch(last)))[ceil(0.9 * count(*))::int] as most
    from converted where touches > 0
),
rest as (
    select unit, moment, max(moment) over (partition by unit) as last from touches
    where moment >= coalesce((select max(won.moment) from won where won.unit = touches.unit), timestamp '1900-01-01')
),
ended as (
    select count(*) as touches, min(moment) as first, any_value(last) as last from rest
    where moment >= last - interval 365 days
    group by unit
    having epoch(getvariable('as_of')) - epoch(any_value(last)) >= (select most from patience)
),
journeys as (
    select touches, 1 as won, amount, currency, epoch(ends) - epoch(first) as lag from converted
    union all select touches, 0, null, null, epoch(last) - epoch(first) from ended
)
select case when touches = 0 then '(no touch)' when touches > 10 then 'over 10' else touches::varchar end as path,
    count(*)::bigint as journeys, sum(won)::bigint as converted, sum(won) / count(*)::double as conversion_rate,
    if(min(currency) = max(currency), sum(amount), null)::decimal(38, 4) as value, avg(touches) as mean_touches,
    avg(lag) / 86400 as mean_days, if(min(currency) = max(currency), min(currency), null) as currency
from journeys group by path order by min(least(touches, 11))
