-- option: by = month
-- without: stage.set
-- Asks for each account and month end anew what its facts say; slow, but it needs no ledger.
with recursive months as (
    select date_trunc('month', min(occurred_on))::date as month_on from timeline where account is not null
    union all
    select (month_on + interval 1 month)::date from months
    where month_on + interval 1 month <= date_trunc('month', getvariable('today'))
),
questions as (
    select month_on, least((month_on + interval 1 month - interval 1 day)::date, getvariable('today')) as day,
        least((month_on + interval 1 month)::timestamp, getvariable('as_of')) - interval 1 microsecond as asked_at
    from months
),
numbered as (
    select *, row_number() over (partition by account order by occurred_at, source, id) as place,
        case when kind = 'deal.changed' then 'change' else split_part(kind, '.', 1) end as subject
    from timeline where account is not null
),
states as (
    select q.day, q.asked_at, f.*,
        max(place) over (partition by day, account, subject, object_id) = place as newest
    from questions as q join numbered as f on f.occurred_at <= q.asked_at
),
ends as (
    select account, occurred_at, kind,
        lag(kind) over (partition by account, object_id order by occurred_at, source, id) as before
    from timeline where account is not null and starts_with(kind, 'subscription.')
),
sums as (
    select
        day, asked_at, account,
        coalesce(bool_or(newest and kind in ('subscription.started', 'subscription.changed')), false) as running,
        coalesce(bool_or(newest and kind = 'deal.opened'), false) as dealing,
        bool_or(subject = 'subscription') as contracted,
        max(occurred_at) filter (kind = 'order.placed') as order_at,
        max(occurred_at) filter (kind in ('invoice.issued', 'payment.received')) as paid_at,
        max(occurred_at) filter (kind = 'deal.won') as won_at,
        max(occurred_at) filter (kind in ('lead.sal', 'lead.sql')) as accepted_at,
        max(place) filter (kind in ('lead.sal', 'lead.sql')) as accepted,
        coalesce(max(place) filter (kind in (
            'lead.recycled', 'lead.disqualified', 'subscription.started', 'deal.won', 'deal.lost'
        )), 0) as released,
        max(place) filter (kind = 'lead.disqualified') as disqualified,
        max(place) filter (kind in (
            'lead.created', 'lead.mql', 'lead.recycled', 'meeting.held', 'lead.sal', 'lead.sql', 'deal.opened'
        )) as lead,
        max(occurred_at) filter (kind in (
            'lead.created', 'lead.mql', 'lead.recycled', 'meeting.held', 'lead.sal', 'lead.sql', 'deal.opened'
        )) as lead_at,
        greatest(min(occurred_at), max(occurred_at) filter (
            kind not in (
                'message.sent', 'message.opened', 'account.created', 'contact.created', 'lead.disqualified', 'deal.changed',
                'subscription.ended', 'invoice.issued', 'payment.refunded', 'ticket.resolved',
                'ticket.changed',
                'owner.assigned', 'step.planned', 'step.done', 'handoff.created', 'handoff.assigned',
                'handoff.touched', 'handoff.paused', 'handoff.resumed', 'handoff.accepted', 'handoff.rejected',
                'handoff.expired', 'handoff.escalated', 'lifecycle.changed', 'definition.proposed',
                'definition.signed',
                'spend.paid', 'payout.paid', 'cost.booked', 'fx.rate', 'stage.set', 'offer.made', 'initiative.started',
                'initiative.delivered', 'incident.opened', 'incident.closed', 'skill.assessed', 'identity.linked', 'trial.ended'
            )
        )) as life_at,
        bool_or(kind in (
            'account.created', 'contact.created', 'form.submitted', 'content.downloaded', 'event.attended',
            'trial.started', 'referral.made', 'invoice.issued', 'payment.received', 'payment.refunded', 'product.used',
            'ticket.opened', 'ticket.changed', 'ticket.resolved', 'referral.given', 'nps.answered', 'csat.answered', 'review.posted',
            'person.identified', 'account.grouped', 'trial.ended', 'user.signed_in', 'user.signed_out', 'user.invited',
            'user.added', 'user.removed', 'workspace.deleted'
        )) as answered
    from states group by day, asked_at, account
),
with_end as (
    select sums.*,
        (select max(occurred_at) from ends where ends.account = sums.account and occurred_at <= asked_at
            and kind = 'subscription.ended' and (before is null or before != 'subscription.ended')) as ended_at
    from sums
),
lefts as (
    select *,
        greatest(
            order_at + interval 365 day, ended_at,
            case when ended_at is null or won_at > ended_at then won_at + interval 365 day end,
            case when not contracted then paid_at + interval 365 day end
        ) as left_at
    from with_end
),
stages as (
    select day, account, case
        when running or coalesce(left_at > asked_at, false) then 'expand'
        when dealing or (
            coalesce(accepted > released, false) and coalesce(accepted_at > order_at, true)
            and life_at + interval 180 day > asked_at
        ) then 'convert'
        when coalesce(lead > coalesce(disqualified, 0), false) and coalesce(lead_at >= left_at, true)
            and life_at + interval 180 day > asked_at then 'nurture'
        when left_at is not null then 'former_customer'
        when coalesce(disqualified > coalesce(lead, 0), false) then 'disqualified'
        when life_at + interval 180 day <= asked_at then 'dormant'
        when answered then 'capture'
        else 'attract'
    end as stage
    from lefts
),
names as (
    select unnest(range(8)) as place, unnest([
        'attract', 'capture', 'nurture', 'convert', 'expand', 'former_customer', 'dormant', 'disqualified'
    ]) as stage
)
select
    questions.day, names.stage, count(stages.account),
    count(stages.account) / nullif((select count(*) from stages as every where every.day = questions.day), 0)
from questions cross join names
left join stages on stages.day = questions.day and stages.stage = names.stage
group by questions.day, names.stage, place
order by questions.day, place
