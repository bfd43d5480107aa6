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
traits as (
    select *, case when kind = 'trial.started' then 'tried the product' else 'named to us' end as rule
    from timeline where account is not null and kind in ('trial.started', 'referral.made')
    qualify row_number() over (partition by account, kind order by occurred_at desc, source desc, id desc) = 1
),
kept as (
    select f.*, r.* from first_of as f join rules as r using (place)
    where (occurred_at, source, id) = if(repeat = 'once', ever, daily)
),
-- Each account is asked anew today, on each of the next 1000 days, and at and just before every fact that counts.
moments as (
    select distinct account, getvariable('as_of') + to_days(day) as moment, day, false as just_before
    from kept, unnest(range(1001)) as days(day)
    union all
    select distinct account, occurred_at, null, before from kept, (values (true), (false)) as b(before)
),
left_over as (
    select m.*, k.who, k.bundle, k.cap, k.occurred_on, round(points * pow(2.0, -date_diff('second',
            date_trunc('second', occurred_at), date_trunc('second', moment)) / 86400.0 / half_life) * 1e9)::bigint as nano
    from moments as m join kept as k on m.account = k.account
        and (occurred_at < moment or (occurred_at = moment and not just_before))
),
bundles as (
    select account, moment, day, just_before, who, bundle, least(sum(nano), any_value(cap) * 1000000000::bigint) as nano
    from left_over group by all
),
summed as (
    select account, moment, day, just_before, who, coalesce(sum(nano) filter (bundle <> 'opened mail'), 0) as strong,
        coalesce(sum(nano) filter (bundle = 'opened mail'), 0) as weak,
        least(strong + least(weak, greatest(strong, 0)), 20000000000) as counted
    from bundles group by account, moment, day, just_before, who
),
people as (
    select *, row_number() over (partition by account, moment, day, just_before order by counted desc, who) as place
    from summed
),
scores as (
    select account, moment, day, just_before, sum(counted) filter (place <= 3) / 1e9 as engagement, count(*) as people
    from people group by all
),
turns as (
    select account, max(moment) filter (day is null and not just_before and engagement >= 40) as up,
        max(moment) filter (day is null and just_before and engagement < 32) as down
    from scores group by account
),
days as (
    select account, min(day) filter (engagement < 40) as below, min(day) filter (engagement < 32) as leaves
    from scores where day is not null group by account
),
names as (
    select account, string_agg(format('{} {:.1f}', who, counted / 1e9), ' · ' order by place) as top_people
    from people where day = 0 and place <= 3 group by account
),
fits as (select account, sum(if(rule = 'named to us', 15, 10))::double as fit from traits group by account),
told as (
    select a.account, coalesce(fit, 0) as fit, coalesce(engagement, 0) as engagement, coalesce(people, 0) as people,
        top_people, below, leaves,
        engagement >= 40 or (engagement >= 32 and up is not null and (down is null or down <= up)) as qualified
    from (select distinct account from timeline where account is not null) as a
    left join fits using (account) left join (from scores where day = 0) as now using (account)
    left join turns using (account) left join days using (account) left join names using (account)
)
select account, if(fit >= 45, 'A', if(fit >= 30, 'B', if(fit >= 15, 'C', 'D')))
        || if(engagement >= 40, 1, if(engagement >= 20, 2, if(engagement >= 8, 3, 4))),
    fit, engagement, if(qualified, 'yes', 'no'), people, top_people,
    if(engagement >= 40, getvariable('today') + below::int, null), if(qualified, getvariable('today') + leaves::int, null), 0
from told order by account
