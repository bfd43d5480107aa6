-- option: by = channel
select
    case kind when 'payout.paid' then 'partner' else coalesce(channel, '(unknown)') end as cohort, sum(amount), currency
from timeline where kind in ('spend.paid', 'payout.paid')
group by all order by cohort, currency
