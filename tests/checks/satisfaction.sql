-- option: by = all
with answers as (
    select 'nps' as survey, quantity, quantity >= 9 as good, quantity <= 6 as bad, 0.75 as plus, 0.75 as minus, 3 as more
    from timeline where kind = 'nps.answered'
    union all
    select split_part(kind, '.', 1), quantity, quantity >= 4, quantity <= 2, 2, 0, 4
    from timeline where kind in ('csat.answered', 'review.posted')
),
counted as (
    select
        survey, count(*) as n, avg(quantity) as mean, count_if(good) as good, count_if(bad) as bad,
        any_value(plus)::double as plus, any_value(minus)::double as minus, any_value(more) as more
    from answers group by survey
),
shares as (
    select
        *, (good + plus) / (n + more) as p, if(survey = 'nps', (bad + minus) / (n + more), 0) as q,
        if(survey = 'nps', (good - bad) / n, good / n) as score
    from counted
)
select
    'all', survey, n, mean, good / n, bad / n, score,
    p - q - 1.959963984540054 * sqrt((p + q - (p - q) ^ 2) / (n + more)),
    p - q + 1.959963984540054 * sqrt((p + q - (p - q) ^ 2) / (n + more))
from shares order by survey
