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
steps as (
    select
        one.cohort, one.waited,
        1 - (count_if(other.waited = one.waited and other.happened) / count_if(other.waited >= one.waited)) as factor
    from (select distinct cohort, waited from lives where happened and waited >= 0) as one
    join lives as other on other.cohort = one.cohort and other.waited >= 0
    group by one.cohort, one.waited
),
curve as (
    select cohort, waited, product(factor) over (partition by cohort order by waited) as survival from steps
)
select
    cohort, count(*), count_if(happened), count_if(not happened),
    (select min(waited) / 86400 from curve where curve.cohort = lives.cohort and round(survival, 9) <= 0.5),
    median(waited) filter (happened and waited >= 0) / 86400
from lives group by cohort
order by cohort
