-- without: stage.set
-- Asks each account's facts for their last word with arg_max over (occurred_at, source, id) instead of numbering them.
with told as (
    select *, (occurred_at, source, id) as moment, getvariable('today') - occurred_on as ago from timeline
),
numbered as (
    select *, row_number() over (partition by account order by moment) as place from told where account is not null
),
latest as (
    select source, object_id, split_part(kind, '.', 1) as subject, arg_max(kind, moment) as kind,
        coalesce(arg_max(struct_pack(account), moment).account, max(account)) as account,
        arg_max(occurred_on, moment) as day, arg_max(struct_pack(amount), moment).amount as amount,
        arg_max(struct_pack(currency), moment).currency as currency
    from told where starts_with(kind, 'subscription.') or starts_with(kind, 'deal.') and kind <> 'deal.changed'
    group by all
),
contracts as (
    select account, bool_or(kind <> 'subscription.ended') as runs,
        max(day) filter (kind = 'subscription.ended') as ended_on,
        sum(amount) filter (kind <> 'subscription.ended' and amount > 0)::decimal(38, 4) as monthly,
        max(currency) filter (kind <> 'subscription.ended' and amount > 0) as currency
    from latest where subject = 'subscription' and account is not null group by account
),
tickets as (
    select account, count(*) as n, min(day) as since from (
        select arg_max(account, (occurred_at, kind, id)) as account, arg_max(kind, (occurred_at, kind, id)) as kind,
            arg_max(occurred_on, (occurred_at, kind, id)) as day, count(*) filter (account is null) as lost
        from told where kind in ('ticket.opened', 'ticket.resolved') group by source, object_id
    ) where kind = 'ticket.opened' and account is not null group by account
),
ends as (
    select account, occurred_at, kind,
        lag(kind) over (partition by account, object_id order by occurred_at, source, id) as before
    from told where account is not null and starts_with(kind, 'subscription.')
),
closings as (
    select account, max(occurred_at) as ended_at from ends
    where kind = 'subscription.ended' and before is distinct from 'subscription.ended' group by account
),
threads as (
    select account, object_id, split_part(kind, '.', 1) as subject, arg_max(kind, moment) as kind
    from numbered where starts_with(kind, 'subscription.') or starts_with(kind, 'deal.') and kind <> 'deal.changed'
    group by all
),
running as (
    select account, bool_or(kind in ('subscription.started', 'subscription.changed')) as running,
        bool_or(kind = 'deal.opened') as dealing, bool_or(subject = 'subscription') as contracted
    from threads group by account
),
sums as (
    select account, getvariable('as_of') as till,
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
        greatest(min(occurred_at), max(occurred_at) filter (kind not in (
            'message.sent', 'message.opened', 'account.created', 'contact.created', 'lead.disqualified', 'deal.changed',
            'subscription.ended', 'invoice.issued', 'payment.refunded', 'ticket.resolved', 'spend.paid', 'payout.paid',
            'ticket.changed',
            'owner.assigned', 'step.planned', 'step.done', 'handoff.created', 'handoff.assigned', 'handoff.touched',
            'handoff.paused', 'handoff.resumed', 'handoff.accepted', 'handoff.rejected', 'handoff.expired',
            'handoff.escalated', 'lifecycle.changed', 'definition.proposed', 'definition.signed',
            'cost.booked', 'fx.rate', 'stage.set', 'offer.made', 'initiative.started', 'initiative.delivered',
            'incident.opened', 'incident.closed', 'skill.assessed'
        ))) as life_at,
        bool_or(kind in (
            'account.created', 'contact.created', 'form.submitted', 'content.downloaded', 'event.attended',
            'trial.started', 'referral.made', 'invoice.issued', 'payment.received', 'payment.refunded', 'product.used',
            'ticket.opened', 'ticket.changed', 'ticket.resolved', 'referral.given', 'nps.answered', 'csat.answered', 'review.posted',
            'person.identified', 'account.grouped', 'trial.ended', 'user.signed_in', 'user.signed_out', 'user.invited',
            'user.added', 'user.removed', 'workspace.deleted'
        )) as answered,
        arg_max(text, moment) filter (kind = 'account.created' and text is not null) as name,
        arg_max(owner, moment) filter (owner is not null and kind in (
            'account.created', 'contact.created', 'lead.recycled', 'lead.disqualified', 'lead.sal', 'lead.sql',
            'meeting.held', 'deal.opened', 'deal.changed', 'deal.won', 'deal.lost', 'order.placed', 'owner.assigned'
        )) as owner,
        arg_max(struct_pack(quantity, ago), moment) filter (kind = 'nps.answered') as nps,
        arg_max(struct_pack(quantity, ago), moment) filter (kind = 'csat.answered') as csat,
        max(occurred_on) filter (kind = 'product.used') as used_on,
        min(occurred_on) as first_on, max(occurred_on) as last_on, count(*) as facts
    from numbered group by account
),
lefts as (
    select *, coalesce(running.running, false) as is_running, greatest(
        order_at + interval 365 day, ended_at,
        case when ended_at is null or won_at > ended_at then won_at + interval 365 day end,
        case when not coalesce(contracted, false) then paid_at + interval 365 day end
    ) as left_at
    from sums left join closings using (account) left join running using (account)
),
staged as (
    select *, case
        when is_running or coalesce(left_at >= till, false) then 'expand'
        when coalesce(dealing, false) or (
            coalesce(accepted > released, false) and coalesce(accepted_at > order_at, true)
            and life_at + interval 180 day >= till
        ) then 'convert'
        when coalesce(lead > coalesce(disqualified, 0), false) and coalesce(lead_at >= left_at, true)
            and life_at + interval 180 day >= till then 'nurture'
        when left_at is not null then 'former_customer'
        when coalesce(disqualified > coalesce(lead, 0), false) then 'disqualified'
        when life_at + interval 180 day < till then 'dormant'
        when answered then 'capture'
        else 'attract'
    end as stage
    from lefts
),
signs as (
    select *, list_filter([
        case when not runs then 'contract_ended' end,
        case when getvariable('today') - since > 14 then 'ticket_waiting' end,
        case when nps.ago <= 365 and nps.quantity <= 6 or csat.ago <= 365 and csat.quantity <= 2 then 'dissatisfied' end,
        case when getvariable('today') - used_on > 30 then 'use_stopped' end
    ], lambda sign: sign is not null) as bad, list_filter([
        case when (nps.ago <= 365 and nps.quantity >= 9 or csat.ago <= 365 and csat.quantity >= 4)
            and not coalesce(nps.ago <= 365 and nps.quantity <= 6, false)
            and not coalesce(csat.ago <= 365 and csat.quantity <= 2, false) then 'satisfied' end,
        case when getvariable('today') - used_on <= 30 then 'in_use' end
    ], lambda sign: sign is not null) as good
    from staged left join contracts using (account) left join tickets using (account)
)
select account, name, stage,
    case when 'contract_ended' in bad or len(bad) > 1 then 'poor' when len(bad) = 1 then 'watch'
        when len(good) > 0 then 'good' else 'unknown' end,
    nullif(array_to_string(list_concat(bad, good), ' '), ''),
    owner, monthly, if(monthly is null, null, currency), coalesce(n, 0), since,
    nps.quantity::double, csat.quantity::double, used_on, if(runs, null, ended_on), first_on, last_on, facts
from signs order by account
