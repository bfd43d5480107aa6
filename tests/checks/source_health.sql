with deals as (
    select source, object_id, count(account) as known from timeline where starts_with(kind, 'deal.') group by all
)
select
    source, count(*), min(occurred_on), max(occurred_on), max(recorded_at)::date,
    (getvariable('today') - max(occurred_on))::double,
    count_if(account is null and kind not in (
        'owner.assigned', 'step.planned', 'step.done', 'handoff.created', 'handoff.assigned', 'handoff.touched',
        'handoff.paused', 'handoff.resumed', 'handoff.accepted', 'handoff.rejected', 'handoff.expired',
        'handoff.escalated', 'lifecycle.changed', 'definition.proposed', 'definition.signed',
        'spend.paid', 'payout.paid', 'cost.booked', 'fx.rate', 'identity.linked', 'stage.set', 'offer.made', 'initiative.started',
        'initiative.delivered', 'incident.opened', 'incident.closed', 'skill.assessed'
    )),
    (select count(*) from deals where deals.source = timeline.source and known = 0),
    (select count(*) from rejects where rejects.source = timeline.source)
from timeline group by source
order by source
