-- without: stage.set
-- Asks for each account, at each instant at which its stage could change, anew what its facts say; no ledger is needed.
with numbered as (
    select *, row_number() over (partition by account order by occurred_at, source, id) as place,
        case when kind = 'deal.changed' then 'change' else split_part(kind, '.', 1) end as subject
    from timeline where account is not null
),
questions as (
    select distinct account, occurred_at + to_days(later) as asked_at
    from numbered cross join (select unnest([0, 180, 365]) as later)
    where occurred_at + to_days(later) < getvariable('as_of')
),
states as (
    select q.asked_at, f.*,
        max(place) over (partition by f.account, asked_at, subject, object_id) = place as newest
    from questions as q join numbered as f on f.account = q.account and f.occurred_at <= q.asked_at
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
stages as (
    select asked_at, account, case
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
moves as (
    select account, stage, asked_at as from_at,
        lag(stage) over (partition by account order by asked_at) as stage_before
    from stages
),
stays as (
    select account, stage, from_at::date as from_on, lead(from_at) over (partition by account order by from_at)::date as to_on
    from moves where stage_before is distinct from stage
),
standing as (select account, stage, from_on from stays where to_on is null),
ended as (
    select stage, to_on - from_on as length, count(*) over (partition by stage) as n,
        row_number() over (partition by stage order by to_on - from_on) as place
    from stays where to_on is not null and stage in ('attract', 'capture', 'nurture', 'convert')
),
usual as (select stage, min(length) as usual from ended where n >= 20 and place >= ceil(n * 0.75) group by stage),
deal_states as (
    select source, object_id, arg_max(account, (occurred_at, id)) filter (account is not null) as account,
        arg_max(kind, (occurred_at, kind != 'deal.opened', id)) filter (kind != 'deal.changed') as state,
        min(occurred_on) filter (kind = 'deal.opened') as opened_on,
        arg_max(amount, (occurred_at, kind in ('deal.won', 'deal.lost'), id)) filter (amount is not null) as amount
    from timeline where starts_with(kind, 'deal.') group by source, object_id
),
open_deals as (
    select account, opened_on, amount from deal_states
    where coalesce(state, 'deal.opened') = 'deal.opened' and account is not null
),
things as (
    select account, source, object_id, kind, occurred_on, detail,
        row_number() over (partition by source, object_id, split_part(kind, '.', 1) order by occurred_at desc, id desc) as age
    from timeline where account is not null and (kind in ('step.planned', 'step.done') or starts_with(kind, 'handoff.'))
),
latest as (
    select *, (kind = 'step.planned' and coalesce(try_cast(detail ->> 'due' as date) >= getvariable('today'), true)) or (
        starts_with(kind, 'handoff.') and kind not in ('handoff.accepted', 'handoff.rejected', 'handoff.expired')
    ) as going
    from things where age = 1
),
worked as (
    select account, min(begun_on) as begun_on from (
        select account, from_on as begun_on from standing where stage = 'convert'
        union all select account, opened_on from open_deals
    ) group by account
),
idle as (
    select account, greatest(begun_on, (
        select max(occurred_on) from latest where latest.account = worked.account and not going
    )) as since
    from worked where not exists (from latest where latest.account = worked.account and going)
),
owners as (
    select account, arg_max(owner, (occurred_at, source, id)) as owner from timeline
    where account is not null and owner is not null and kind in (
        'account.created', 'contact.created', 'lead.recycled', 'lead.disqualified', 'lead.sal', 'lead.sql',
        'meeting.held', 'deal.opened', 'deal.changed', 'deal.won', 'deal.lost', 'order.placed', 'owner.assigned'
    )
    group by account
),
found as (
    select account, 'no_owner' as crack, from_on as since, null as usual from standing
    where stage in ('nurture', 'convert', 'expand') and account not in (select account from owners)
    union all
    select account, 'no_next_step', since, null from idle
    where since is null or getvariable('today') - since >= 7
    union all
    select account, 'stalled', from_on, usual from standing join usual using (stage)
    where getvariable('today') - from_on > usual
    union all
    select account, 'lost_in_handoff', min(lost_on), null from (
        select account, occurred_on as lost_on from latest
        where kind = 'handoff.expired' and (source, object_id) not in (
            select source, detail ->> 'previous' from timeline
            where kind = 'handoff.created' and (detail ->> 'previous') is not null
        )
        union all
        select account, (detail ->> 'due')::date from latest
        where going and starts_with(kind, 'handoff.') and (detail ->> 'due') != ''
            and (detail ->> 'due')::timestamp < (getvariable('as_of') - interval 1 microsecond)::date::timestamp
    ) group by account
),
contracts as (
    select coalesce(arg_max(account, (occurred_at, source, id)), any_value(whose)) as account,
        arg_max(kind, (occurred_at, source, id)) as state, arg_max(amount, (occurred_at, source, id)) as amount
    from (
        select *, max(account) over (partition by source, object_id) as whose
        from timeline where starts_with(kind, 'subscription.')
    ) group by source, object_id
),
stakes as (
    select account, sum(amount) as value, 'open deals' as value_is from open_deals group by account
    having sum(amount) is not null
    union all
    select account, sum(amount), 'a month' from contracts
    where state != 'subscription.ended' and amount > 0
        and account not in (select account from open_deals where amount is not null)
    group by account
)
select found.account, (
        select arg_max(text, (occurred_at, source, id)) from timeline
        where timeline.account = found.account and kind = 'account.created' and text is not null
    ), stage, crack, since, getvariable('today') - since, usual, owner, value,
    if(value is null, null, 'EUR'), value_is
from found join standing using (account) left join owners using (account) left join stakes using (account)
order by account, crack
