-- The ledger of stays by hand, without people's corrections (the synthetic firm has none).
with stretches as (
    select account, epoch(occurred_at)::bigint // 15552000 as stretch, min(occurred_at) as seen_at,
        min(occurred_on) as seen_on,
        min(occurred_on) filter (life) as life_first_on, max(occurred_on) filter (life) as life_last_on,
        min(occurred_on) filter (kind = 'order.placed') as order_first_on,
        max(occurred_on) filter (kind = 'order.placed') as order_last_on,
        min(occurred_on) filter (kind in ('invoice.issued', 'payment.received')) as paid_first_on,
        max(occurred_on) filter (kind in ('invoice.issued', 'payment.received')) as paid_last_on,
        min(occurred_on) filter (answer) as answered_on,
        min(occurred_at) filter (life) as life_first, max(occurred_at) filter (life) as life_last,
        min(occurred_at) filter (kind = 'order.placed') as order_first,
        max(occurred_at) filter (kind = 'order.placed') as order_last,
        min(occurred_at) filter (kind in ('invoice.issued', 'payment.received')) as paid_first,
        max(occurred_at) filter (kind in ('invoice.issued', 'payment.received')) as paid_last,
        min(occurred_at) filter (answer) as answered_at
    from (
        select account, occurred_at, occurred_on, kind, kind in (
            'visit.started', 'page.viewed', 'ad.clicked', 'link.clicked', 'subscriber.joined', 'form.submitted',
            'content.downloaded', 'event.attended', 'trial.started', 'referral.made', 'message.clicked',
            'message.unsubscribed', 'lead.created', 'lead.mql', 'lead.recycled', 'lead.sal', 'lead.sql',
            'meeting.held', 'deal.opened', 'deal.won', 'deal.lost', 'subscription.started',
            'subscription.changed', 'order.placed', 'payment.received', 'product.used', 'ticket.opened',
            'referral.given', 'nps.answered', 'csat.answered', 'review.posted'
        ) as life, kind in (
            'account.created', 'contact.created', 'form.submitted', 'content.downloaded', 'event.attended',
            'trial.started', 'referral.made', 'invoice.issued', 'payment.received', 'payment.refunded',
            'product.used', 'ticket.opened', 'ticket.resolved', 'referral.given', 'nps.answered',
            'csat.answered', 'review.posted'
        ) as answer
        from timeline where account is not null
    ) group by all
),
ends as (
    select account, 'awake' as what, 180 as days, stretch, life_first as first_at, life_last as last_at,
        life_first_on as first_on, life_last_on as last_on from stretches
    union all select account, 'ordered', 365, stretch, order_first, order_last, order_first_on, order_last_on
    from stretches
    union all select account, 'paid', 365, stretch, paid_first, paid_last, paid_first_on, paid_last_on from stretches
),
gaps as (
    select *, lag(last_at) over spell as before_at, lead(first_at) over spell as next_at
    from ends where first_at is not null
    window spell as (partition by account, what order by stretch)
),
spells as (
    select account, what, first_at as moment, first_on as moved_on, 1 as change from gaps
    where before_at is null or before_at + to_days(days) <= first_at
    union all
    select account, what, last_at + to_days(days), last_on + days, -1 from gaps
    where next_at is null or next_at >= last_at + to_days(days)
),
firsts as (
    select account, min(seen_at) as seen_at, min(seen_on) as seen_on, min(answered_at) as answered_at,
        min(answered_on) as answered_on
    from stretches group by account
),
steps as (
    select account, kind, occurred_at, occurred_on, object_id, source, id,
        case when starts_with(kind, 'deal.') then 'deal' when starts_with(kind, 'subscription.') then 'contract' end
        as thing, kind in ('deal.opened', 'subscription.started', 'subscription.changed') as is_on
    from timeline where account is not null and kind in (
        'lead.created', 'lead.mql', 'lead.recycled', 'lead.disqualified', 'meeting.held', 'lead.sal', 'lead.sql',
        'deal.opened', 'deal.won', 'deal.lost', 'subscription.started', 'subscription.changed', 'subscription.ended'
    )
),
turns as (
    select *, row_number() over (partition by account order by occurred_at, source, id) as place,
        lag(is_on::int) over (partition by account, thing, object_id order by occurred_at, source, id) as was_on
    from steps
),
moments as (
    select account, occurred_at as moment, occurred_on as moved_on, 0 as awake, 0 as ordered, 0 as paid,
        case thing when 'deal' then is_on::int - coalesce(was_on, 0) else 0 end as deals,
        case thing when 'contract' then is_on::int - coalesce(was_on, 0) else 0 end as contracts,
        null::timestamp as order_until, null::timestamp as paid_until, null::timestamp as answered_at,
        case when kind = 'deal.won' then occurred_at end as won_at,
        case when kind = 'subscription.ended' and coalesce(was_on, 1) = 1 then occurred_at end as ended_at,
        case when kind in ('lead.sal', 'lead.sql') then occurred_at end as accepted_at,
        case when kind in ('lead.created', 'lead.mql', 'lead.recycled', 'meeting.held', 'lead.sal', 'lead.sql', 'deal.opened')
            then occurred_at end as lead_at,
        case when kind in ('lead.sal', 'lead.sql') then place * 2 + 1
            when kind in ('lead.recycled', 'lead.disqualified', 'subscription.started', 'deal.won', 'deal.lost')
                then place * 2 end as acceptance,
        case when kind = 'lead.disqualified' then place * 2
            when not starts_with(kind, 'subscription.') and kind not in ('deal.won', 'deal.lost')
                then place * 2 + 1 end as standing
    from turns
    union all by name
    select account, moment, moved_on, (what = 'awake')::int * change as awake, (what = 'ordered')::int * change as ordered,
        (what = 'paid')::int * change as paid, case when what = 'ordered' and change < 0 then moment end as order_until,
        case when what = 'paid' and change < 0 then moment end as paid_until
    from spells
    union all by name
    select account, seen_at as moment, seen_on as moved_on, 1 as awake from firsts
    union all by name
    select account, seen_at + interval 180 day as moment, seen_on + 180 as moved_on, -1 as awake from firsts
    union all by name
    select account, answered_at as moment, answered_on as moved_on, answered_at from firsts where answered_at is not null
    union all by name
    select account, occurred_at + interval 365 day as moment, occurred_on + 365 as moved_on from steps where kind = 'deal.won'
),
instants as (
    select account, moment, max(moved_on) as moved_on, sum(awake) as awake, sum(ordered) as ordered, sum(paid) as paid, sum(deals) as deals,
        sum(contracts) as contracts, max(order_until) as order_until, max(paid_until) as paid_until,
        max(answered_at) as answered_at, max(won_at) as won_at, max(ended_at) as ended_at,
        max(accepted_at) as accepted_at, max(lead_at) as lead_at, max(acceptance) as acceptance,
        max(standing) as standing
    from moments where moment < getvariable('as_of') group by account, moment
),
known as (
    select account, moment, moved_on, coalesce(sum(awake) over past, 0) > 0 as awake,
        coalesce(sum(ordered) over past, 0) > 0 as ordered, coalesce(sum(paid) over past, 0) > 0 as paid,
        coalesce(sum(deals) over past, 0) > 0 as dealing, coalesce(sum(contracts) over past, 0) > 0 as running,
        max(order_until) over past as order_until, max(paid_until) over past as paid_until,
        max(answered_at) over past as answered_at, max(won_at) over past as won_at,
        max(ended_at) over past as ended_at, max(accepted_at) over past as accepted_at,
        max(lead_at) over past as lead_at, max(acceptance) over past as acceptance,
        max(standing) over past as standing
    from instants
    window past as (partition by account order by moment rows unbounded preceding)
),
lefts as (
    select *, running or ended_at is not null as contracted,
        case when ended_at is null or won_at > ended_at then won_at + interval 365 day end as won_until,
        greatest(order_until, ended_at, won_until, case when not contracted then paid_until end) as left_at
    from known
),
stages as (
    select account, moment, moved_on, case
        when running or ordered or (paid and not contracted) or coalesce(won_until > moment, false) then 4
        when dealing or (coalesce(acceptance % 2 = 1, false) and awake
            and (order_until is null or coalesce(accepted_at > order_until - interval 365 day, false))) then 3
        when coalesce(standing % 2 = 1, false) and awake and (left_at is null or lead_at >= left_at) then 2
        when left_at is not null then 5
        when coalesce(standing % 2 = 0, false) then 7
        when not awake then 6
        when answered_at is not null then 1
        else 0
    end as stage
    from lefts
),
stays as (
    select account, moment, moved_on, stage, lag(stage) over (partition by account order by moment) as from_stage
    from stages
    qualify from_stage is null or from_stage != stage
),
moves as (
    select account, stage, from_stage,
        max(moved_on) over (partition by account order by moment rows unbounded preceding) as moved_on
    from stays
),
names as (
    select unnest(range(8)) as code, unnest([
        'attract', 'capture', 'nurture', 'convert', 'expand', 'former_customer', 'dormant', 'disqualified'
    ]) as stage
)
select
    strftime(moved_on, '%Y-%m') as month, coalesce(one.stage, '(new)'), two.stage,
    case when two.code < 5 and (two.code > coalesce(from_stage, -1) or from_stage >= 5) then 'forward' else 'back' end,
    count(*), count(distinct account)
from moves left join names as one on one.code = from_stage join names as two on two.code = moves.stage
group by month, one.stage, two.stage, from_stage, two.code order by month, coalesce(from_stage, -1), two.code
