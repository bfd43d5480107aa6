-- option: start = visit.started
-- option: to = form.submitted
-- option: by = quarter
-- option: within_days = 120
with entered as (
    select account, min(occurred_at) as entered_at, min(occurred_on) as entered_on
    from timeline where kind = 'visit.started' and account is not null group by account
),
reached as (
    select account, min(occurred_at) as reached_at from timeline where kind = 'form.submitted' group by account
),
lives as (
    select
        year(entered_on) || '-Q' || quarter(entered_on) as cohort, reached_at is not null as happened,
        coalesce(reached_at < entered_at + interval 120 day, false) as inside,
        entered_at + interval 120 day <= getvariable('as_of') as over,
        greatest(epoch(coalesce(reached_at, getvariable('as_of'))) - epoch(entered_at), 0) as waited
    from entered left join reached using (account)
),
times as (select cohort, waited, count(*) as units, count_if(happened) as events from lives group by cohort, waited),
risks as (
    select *, sum(units) over (partition by cohort order by waited desc rows unbounded preceding) as at_risk from times
),
curve as (
    select cohort,
        if(bool_or(at_risk = events), 0, exp(sum(ln(nullif(at_risk - events, 0) / at_risk)))) as survival
    from risks where events > 0 and waited < 120 * 86400 group by cohort
)
select
    cohort, count(*), count_if(inside), count_if(not inside and not over), count_if(not inside and over),
    count_if(inside) / count(*), count_if(inside and over) / nullif(count_if(over), 0),
    case when max(waited) >= 120 * 86400 or any_value(survival) = 0 then 1 - coalesce(any_value(survival), 1) end
from lives left join curve using (cohort) group by cohort
order by cohort
