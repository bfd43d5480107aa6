-- The rules that come with plait, written out once more; details of facts are read as JSON.
with rules(place, rule, bundle, half_life, cap, points, repeat) as (
    values (0, 'looked at prices', 'site', 14, 15, 3, 'day'), (1, 'visited', 'site', 14, 15, 1, 'day'),
        (2, 'followed an advertisement or a link', 'site', 14, 15, 2, 'day'),
        (3, 'followed a link in a message', 'content', 30, 25, 3, 'day'),
        (4, 'asked for news', 'content', 30, 25, 3, 'once'), (5, 'took a paper', 'content', 30, 25, 8, 'day'),
        (6, 'came to an event', 'contact', 45, 40, 12, 'day'), (7, 'filled in a form', 'contact', 45, 40, 10, 'day'),
        (8, 'met us', 'contact', 45, 40, 15, 'day'), (9, 'began a trial', 'product', 14, 25, 20, 'once'),
        (10, 'used the product', 'product', 14, 25, 2, 'day'), (11, 'opened a message', 'opened mail', 14, 5, 1, 'day'),
        (12, 'wants no more messages', 'turned away', 90, 0, -15, 'once')
),
looked as (
    select *, coalesce(person, '(unknown)') as who, lower(coalesce(json_extract_string(detail, '$.page'), '')) as page
    from timeline where account is not null and coalesce(json_extract_string(detail, '$.bot'), 'human') = 'human'
),
fitted as (
    select *, case
        when kind in ('page.viewed', 'visit.started') and (page like '%pricing%' or page like '%demo%') then 0
        when kind in ('visit.started', 'screen.viewed') then 1 when kind in ('ad.clicked', 'link.clicked') then 2
        when kind = 'message.clicked' then 3 when kind = 'subscriber.joined' then 4
        when kind = 'content.downloaded' then 5 when kind = 'event.attended' then 6 when kind = 'form.submitted' then 7
        when kind = 'meeting.held' then 8 when kind = 'trial.started' then 9 when kind = 'product.used' then 10
        when kind = 'message.opened' then 11 when kind = 'message.unsubscribed' then 12 end as place
    from looked
),
first_of as (
    select *, min((occurred_at, source, id)) over (partition by account, who, place) as ever,
        min((occurred_at, source, id)) over (partition by account, who, place, occurred_on) as daily
    from fitted where place is not null
),
acts as (
    select f.*, r.*, date_diff('second', date_trunc('second', occurred_at), getvariable('as_of')) / 86400.0 as age,
        round(points * pow(2.0, -age / half_life) * 1e9)::bigint as nano
    from first_of as f join rules as r using (place)
    where (occurred_at, source, id) = if(repeat = 'once', ever, daily)
),
bundles as (
    select account, who, bundle, sum(nano)::bigint as nano, least(sum(nano), any_value(cap) * 1000000000::bigint)::bigint as kept
    from acts group by all
),
summed as (
    select account, who, coalesce(sum(kept) filter (bundle <> 'opened mail'), 0) as strong,
        coalesce(sum(kept) filter (bundle = 'opened mail'), 0) as weak, least(weak, greatest(strong, 0)) as borne,
        strong + borne as total, least(strong + borne, 20000000000) as counted
    from bundles group by account, who
),
people as (select *, row_number() over (partition by account order by counted desc, who) as place from summed),
traits as (
    select *, case when kind = 'trial.started' then 'tried the product' else 'named to us' end as rule
    from timeline where account is not null and kind in ('trial.started', 'referral.made')
    qualify row_number() over (partition by account, kind order by occurred_at desc, source desc, id desc) = 1
),
parts as (
    select account, 'fit' as score, 0 as place, 'point' as part, person, occurred_on as day, kind, source, id as fact,
        rule, null::varchar as value, if(rule = 'named to us', 15.0, 10.0)::double as raw, null::double as age_days,
        (raw * 1e9)::bigint as nano
    from traits
    union all
    select account, 'engagement', 0, 'point', who, occurred_on, kind, source, id, rule, null, points::double, age, nano
    from acts
    union all
    select account, 'engagement', 1, 'group cap', who, null, null, null, null, bundle, null, null, null, kept - nano
    from bundles
    union all
    select account, 'engagement', 2, 'weak', who, null, null, null, null, null, null, null, null, borne - weak
    from people
    union all
    select account, 'engagement', 3, 'person cap', who, null, null, null, null, null, null, null, null, counted - total
    from people
    union all
    select account, 'engagement', 4, 'other persons', who, null, null, null, null, null, null, null, null, -counted
    from people where place > 3
)
select account, score, part, person, day, kind, source, fact, rule, value, raw, age_days, nano / 1e9 as points, 0 as rules
from parts where nano <> 0
order by account, score, person nulls first, place, day nulls first, source nulls first, fact nulls first, rule nulls first
