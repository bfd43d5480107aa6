-- option: crm_days = 45
with steps as (
    select
        source, object_id, id, kind, occurred_at, text, quantity, amount,
        nullif(json_extract_string(detail, '$.sender'), '') as sender,
        nullif(json_extract_string(detail, '$.receiver'), '') as receiver,
        json_extract_string(detail, '$.mode') as mode,
        try_cast(json_extract_string(detail, '$.due') as timestamp) as due
    from timeline where starts_with(kind, 'handoff.') and object_id is not null
),
made as (
    select source, object_id, occurred_at as made_at, amount, sender, receiver from steps where kind = 'handoff.created'
    qualify row_number() over (partition by source, object_id order by occurred_at, id) = 1
),
ends as (
    select source, object_id, kind as ended, occurred_at as ended_at from steps
    where kind in ('handoff.accepted', 'handoff.rejected', 'handoff.expired')
    qualify row_number() over (partition by source, object_id order by occurred_at, kind = 'handoff.expired', kind) = 1
),
refusals as (
    select source, object_id, text as reason from steps where kind = 'handoff.rejected'
    qualify row_number() over (partition by source, object_id order by occurred_at, id) = 1
),
newest as (
    select source, object_id, mode, due from steps
    qualify row_number() over (
        partition by source, object_id order by occurred_at desc, kind = 'handoff.created', kind = 'handoff.assigned', id desc
    ) = 1
),
times as (
    select
        source, object_id,
        min(quantity) filter (kind in ('handoff.accepted', 'handoff.rejected')) as answer,
        min(quantity) filter (kind = 'handoff.assigned') as system,
        min(quantity) filter (kind = 'handoff.touched') as human
    from steps group by source, object_id
),
desk as (
    select
        coalesce(sender, '(unknown)') as sender, coalesce(receiver, '(unknown)') as receiver, made_at, amount,
        case coalesce(ended, '') when '' then 'open' else split_part(ended, '.', 2) end as state,
        coalesce(ended = 'handoff.rejected' and reason = 'withdrawn', false) as withdrawn,
        ended_at, due, coalesce(mode = 'one_team', false) as team,
        answer::double as answer, system::double as system, human::double as human
    from made left join ends using (source, object_id) left join refusals using (source, object_id)
    left join newest using (source, object_id) left join times using (source, object_id)
),
events as (
    select coalesce(account, person) as who, person, source, id, occurred_at, kind from timeline
    where kind = 'lead.mql' or (
        kind = 'handoff.created' and json_extract_string(detail, '$.sender') = 'marketing'
        and json_extract_string(detail, '$.receiver') = 'sales'
    )
),
offered as (
    select *,
        who is not null and lead(kind) over (
            partition by who order by occurred_at, kind = 'handoff.created', source, id
        ) = 'handoff.created' as covered
    from events
),
answers as (
    select coalesce(account, person) as who, person, source, id, kind, occurred_at from timeline
    where kind in ('lead.sal', 'lead.sql', 'lead.recycled', 'lead.disqualified')
),
found as (
    select o.source, o.id, arg_min(row(a.kind, a.occurred_at), row(a.occurred_at, a.source, a.id)) as answer
    from offered o join answers a
    on a.who = o.who and a.occurred_at >= o.occurred_at
    and (a.person = o.person or a.person is null or o.person is null)
    where o.kind = 'lead.mql' group by o.source, o.id
),
crm as (
    select
        'marketing' as sender, 'sales' as receiver, occurred_at as made_at, null::decimal(18, 4) as amount,
        case
            when coalesce(answer[2], (getvariable('as_of') - interval 1 microsecond)::date::timestamp) > occurred_at + interval 45 day then 'expired'
            when answer is null then 'open'
            when answer[1] in ('lead.sal', 'lead.sql') then 'accepted'
            else 'rejected'
        end as state,
        false as withdrawn, answer[2] as ended_at, occurred_at + interval 45 day as due, false as team,
        null::double as answer, null::double as system, null::double as human
    from offered left join found using (source, id)
    where kind = 'lead.mql' and not coalesce(covered, false)
),
every as (
    select *, not withdrawn and not team and state in ('accepted', 'rejected') as timed
    from (from desk union all from crm)
)
select
    sender || ' > ' || receiver as cohort, min(sender), min(receiver),
    count(*), count_if(state = 'accepted'), count_if(state = 'rejected'), count_if(withdrawn),
    count_if(state = 'expired'), count_if(state = 'open'), count_if(state = 'open' and due < (getvariable('as_of') - interval 1 microsecond)::date::timestamp),
    count_if(state = 'accepted') / nullif(count_if(state in ('accepted', 'rejected') and not withdrawn), 0),
    sum(amount) filter (state = 'open'), count_if(state = 'open' and amount is null),
    median(answer) filter (timed),
    median((epoch(ended_at) - epoch(made_at)) / 86400) filter (timed),
    median(system), median(human),
    case when count(amount) filter (state = 'open') > 0 then 'EUR' end
from every group by cohort order by cohort
