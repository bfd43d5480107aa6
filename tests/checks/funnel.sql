-- option: chain = lead.mql,lead.sal,deal.won
-- option: within_days = 120
-- option: by = quarter
with mql as (
    select account, min(occurred_at) as entered_at from timeline
    where kind = 'lead.mql' and account is not null group by account
),
cohorts as (
    select distinct on (account) account, year(occurred_on) || '-Q' || quarter(occurred_on) as cohort
    from timeline where kind = 'lead.mql' and account is not null
    order by account, occurred_at, source, id
),
lives as (
    select
        cohort, entered_at,
        (select min(occurred_at) from timeline as t where t.account = mql.account and kind = 'lead.sal') as sal_at,
        (select min(occurred_at) from timeline as t where t.account = mql.account and kind = 'deal.won') as won_at
    from mql join cohorts using (account)
),
states as (
    select
        cohort,
        coalesce(won_at < entered_at + interval 120 day, false) as won,
        won or coalesce(sal_at < entered_at + interval 120 day, false) as accepted,
        entered_at + interval 120 day > getvariable('as_of') as fresh
    from lives
),
sums as (
    select
        cohort, count(*) as n, count_if(accepted) as a, count_if(won) as w,
        count_if(fresh and not accepted) as open_a, count_if(fresh and accepted and not won) as open_w,
        count_if(not fresh) as old_n, count_if(not fresh and accepted) as old_a, count_if(not fresh and won) as old_w
    from states group by cohort
)
select cohort, step, entered, rate, rate_of_first, waiting, expired, mature_rate from (
    select cohort, 1 as place, 'lead.mql' as step, n as entered, null as rate, 1.0::double as rate_of_first,
        0 as waiting, 0 as expired, null as mature_rate from sums
    union all
    select cohort, 2, 'lead.sal', a, a / n, a / n, open_a, n - a - open_a, old_a / nullif(old_n, 0) from sums
    union all
    select cohort, 3, 'deal.won', w, w / nullif(a, 0), w / n, open_w, a - w - open_w, old_w / nullif(old_a, 0) from sums
)
order by cohort, place
