-- option: lookback_days = 200
with wins as (
    select distinct on (account) account, occurred_at, source, id
    from timeline where kind = 'deal.won' and account is not null
    order by account, occurred_at, source, id
),
touches as (
    select wins.account, touch.channel, row(touch.occurred_at, touch.source, touch.id) as place
    from wins join timeline as touch using (account)
    where touch.channel is not null
        and touch.kind in (
            'visit.started', 'ad.clicked', 'link.clicked', 'subscriber.joined', 'form.submitted', 'content.downloaded',
            'event.attended', 'trial.started', 'referral.made', 'message.clicked', 'lead.created'
        )
        and row(touch.occurred_at, touch.source, touch.id) < row(wins.occurred_at, wins.source, wins.id)
        and touch.occurred_at >= wins.occurred_at - interval 200 day
),
ends as (
    select wins.account, arg_min(channel, place) as first_channel, arg_max(channel, place) as last_channel
    from wins left join touches using (account) group by wins.account
),
counted as (
    select coalesce(first_channel, '(unknown)') as channel, 1 as is_first, 0 as is_last from ends
    union all
    select coalesce(last_channel, '(unknown)'), 0, 1 from ends
)
select
    channel, sum(is_first)::bigint as firsts, sum(is_last)::bigint as lasts,
    sum(is_first) / (select count(*) from wins) as first_share, sum(is_last) / (select count(*) from wins) as last_share
from counted group by channel
order by lasts desc, channel
