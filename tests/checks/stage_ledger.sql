-- without: stage.set
-- Asks at every instant at which anything can change, for each account anew, what its facts say.
with recursive own_acts as (
    select unnest([
        'message.sent', 'message.opened', 'account.created', 'contact.created', 'lead.disqualified',
        'deal.changed', 'subscription.ended', 'invoice.issued', 'payment.refunded', 'ticket.resolved',
        'ticket.changed', 'owner.assigned', 'step.planned', 'step.done', 'handoff.created',
        'handoff.assigned', 'handoff.touched', 'handoff.paused', 'handoff.resumed', 'handoff.accepted',
        'handoff.rejected', 'handoff.expired', 'handoff.escalated', 'lifecycle.changed',
        'definition.proposed', 'definition.signed', 'spend.paid', 'payout.paid', 'cost.booked', 'fx.rate',
        'stage.set', 'offer.made', 'initiative.started', 'initiative.delivered', 'incident.opened',
        'incident.closed', 'skill.assessed', 'identity.linked', 'trial.ended'
    ]) as kind
),
numbered as (
    select *, row_number() over (partition by account order by occurred_at, source, id) as place,
        case when kind = 'deal.changed' then 'change' else split_part(kind, '.', 1) end as subject
    from timeline where account is not null
),
instants as (
    select distinct account, asked_at from (
        select account, unnest([occurred_at, occurred_at + interval 180 day, occurred_at + interval 365 day]) as asked_at
        from numbered
    ) where asked_at < getvariable('as_of')
),
states as (
    select i.asked_at, f.*,
        max(place) over (partition by asked_at, i.account, subject, object_id) = place as newest
    from instants as i join numbered as f on f.account = i.account and f.occurred_at <= i.asked_at
),
ends as (
    select account, occurred_at, kind,
        lag(kind) over (partition by account, object_id order by occurred_at, source, id) as before
    from timeline where account is not null and starts_with(kind, 'subscription.')
),
sums as (
    select
        asked_at, account,
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
            kind not in (from own_acts))) as life_at,
        bool_or(kind in (
            'account.created', 'contact.created', 'form.submitted', 'content.downloaded', 'event.attended',
            'trial.started', 'referral.made', 'invoice.issued', 'payment.received', 'payment.refunded', 'product.used',
            'ticket.opened', 'ticket.changed', 'ticket.resolved', 'referral.given', 'nps.answered', 'csat.answered', 'review.posted',
            'person.identified', 'account.grouped', 'trial.ended', 'user.signed_in', 'user.signed_out', 'user.invited',
            'user.added', 'user.removed', 'workspace.deleted'
        )) as answered
    from states group by asked_at, account
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
reasons as (
    select asked_at, account, case
        when running then 'a contract runs'
        when order_at + interval 365 day > asked_at then 'it ordered'
        when (ended_at is null or won_at > ended_at) and won_at + interval 365 day > asked_at then 'a deal was won'
        when coalesce(left_at > asked_at, false) then 'it pays without a known contract'
        when dealing then 'a deal is open'
        when coalesce(accepted > released, false) and coalesce(accepted_at > order_at, true)
            and life_at + interval 180 day > asked_at then 'sales accepted the lead'
        when coalesce(lead > coalesce(disqualified, 0), false) and coalesce(lead_at >= left_at, true)
            and life_at + interval 180 day > asked_at then 'there is a lead'
        when left_at is not null then 'it was a customer once'
        when coalesce(disqualified > coalesce(lead, 0), false) then 'the lead was closed for good'
        when life_at + interval 180 day <= asked_at then 'it is silent'
        when answered then 'it answered'
        else 'it was seen'
    end as why
    from lefts
),
names (why, stage, place, department) as (
    values ('a contract runs', 'expand', 5, 'service'), ('it ordered', 'expand', 5, 'service'),
        ('a deal was won', 'expand', 5, 'service'), ('it pays without a known contract', 'expand', 5, 'service'),
        ('a deal is open', 'convert', 4, 'sales'), ('sales accepted the lead', 'convert', 4, 'sales'),
        ('there is a lead', 'nurture', 3, 'marketing'), ('it was a customer once', 'former_customer', 9, 'service'),
        ('the lead was closed for good', 'disqualified', 9, 'sales'), ('it is silent', 'dormant', 9, 'marketing'),
        ('it answered', 'capture', 2, 'marketing'), ('it was seen', 'attract', 1, 'marketing')
),
moves as (
    select *, lag(stage) over (partition by account order by asked_at) as from_stage,
        lag(place) over (partition by account order by asked_at) as from_place
    from reasons join names using (why)
    qualify from_stage is null or from_stage != stage
),
stays as (
    select *, row_number() over () as number,
        lead(asked_at) over (partition by account order by asked_at) as to_at,
        min(asked_at) over (partition by account) as first_at,
        count(*) over (partition by account, stage order by asked_at) > 1 as again
    from moves
),
evidence as (
    select number, source || '/' || id as word, f.occurred_at != asked_at as later
    from stays join numbered as f on f.account = stays.account and (
        f.occurred_at = asked_at
        or (f.occurred_at + interval 180 day = asked_at and (kind not in (from own_acts) or f.occurred_at = first_at))
        or (f.occurred_at + interval 365 day = asked_at
            and kind in ('order.placed', 'invoice.issued', 'payment.received', 'deal.won'))
    )
),
told as (
    select number, list_aggregate(list_sort(list(distinct word))[:5], 'string_agg', ', ') as words
    from (select *, min(later) over (partition by number) as soonest from evidence) where later = soonest
    group by number
),
assigned as (
    select number, arg_max(owner, (occurred_at, source, id)) filter (occurred_at <= asked_at) as at_entry,
        arg_max(owner, (occurred_at, source, id)) as at_end
    from stays join numbered as f on f.account = stays.account and kind = 'owner.assigned'
        and coalesce(nullif(lower(trim(text)), ''), stage) = stage
        and occurred_at <= coalesce(to_at, getvariable('as_of'))
    group by number
)
select account, coalesce(from_stage, '(new)'), stage, strftime(asked_at, '%Y-%m-%d %H:%M:%S'), asked_at::date, to_at::date,
    epoch(coalesce(to_at, getvariable('as_of')) - asked_at) / 86400,
    case when place = 9 or from_place between place and 5 then 'back' when again then 'loop' else 'forward' end,
    why, 'rule', words, coalesce(at_entry, department), coalesce(at_end, department), 0
from stays left join told using (number) left join assigned using (number)
order by asked_at desc, account
limit 1000
