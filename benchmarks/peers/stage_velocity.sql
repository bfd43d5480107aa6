-- option: start = visit.started
-- option: to = form.submitted
-- option: by = year
with entered as (
    select account, min(occurred_at) as entered_at, min(occurred_on)::date as entered_on
    from timeline where kind = 'visit.started' and account is not null group by account
),
reached as (
    select account, min(occurred_at) as reached_at from timeline where kind = 'form.submitted' group by account
),
lives as (
    select
        year(entered_on)::varchar as cohort, reached_at is not null as happened,
        epoch(coalesce(reached_at, getvariable('as_of'))) - epoch(entered_at) as waited
    from entered left join reached using (account)
),
times as (
    select cohort, waited, count(*) as units, count_if(happened) as events from lives where waited >= 0
    group by cohort, waited
),
risks as (
    select *, sum(units) over (partition by cohort order by waited desc rows unbounded preceding) as at_risk from times
),
curve as (
    select cohort, waited,
        exp(sum(ln(nullif(at_risk - events, 0) / at_risk)) over (partition by cohort order by waited)) as survival
    from risks where events > 0
),
halves as (select cohort, min(waited) / 86400 as half from curve where round(survival, 9) <= 0.5 group by cohort)
select
    cohort, count(*), count_if(happened), count_if(not happened), any_value(half),
    median(waited) filter (happened and waited >= 0) / 86400
from lives left join halves using (cohort) group by cohort
order by cohort
