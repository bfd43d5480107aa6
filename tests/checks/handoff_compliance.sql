-- option: by = assignee
-- option: origin = desk
with steps as (
    select
        source, object_id, id, kind, occurred_at, text, owner,
        nullif(json_extract_string(detail, '$.sender'), '') as sender,
        nullif(json_extract_string(detail, '$.receiver'), '') as receiver,
        json_extract_string(detail, '$.mode') as mode,
        try_cast(json_extract_string(detail, '$.due') as timestamp) as due,
        try_cast(json_extract_string(detail, '$.touch_due') as timestamp) as touch_due,
        try_cast(json_extract_string(detail, '$.completeness') as double) as complete
    from timeline where starts_with(kind, 'handoff.') and object_id is not null
),
made as (
    select source, object_id, sender, receiver, complete from steps where kind = 'handoff.created'
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
    select source, object_id, owner, mode, due, touch_due from steps
    qualify row_number() over (
        partition by source, object_id order by occurred_at desc, kind = 'handoff.created', kind = 'handoff.assigned', id desc
    ) = 1
),
touches as (
    select source, object_id, min(occurred_at) as touched_at from steps where kind = 'handoff.touched'
    group by source, object_id
),
told as (
    select
        coalesce(owner, '(unknown)') as cohort, coalesce(sender, '(unknown)') as sender,
        coalesce(receiver, '(unknown)') as receiver, complete, ended_at, due, touched_at, touch_due,
        case coalesce(ended, '') when '' then 'open' else split_part(ended, '.', 2) end as state,
        coalesce(ended = 'handoff.rejected' and reason = 'withdrawn', false) as withdrawn,
        coalesce(mode = 'one_team', false) as team
    from made left join ends using (source, object_id) left join refusals using (source, object_id)
    left join newest using (source, object_id) left join touches using (source, object_id)
),
judged as (
    select *,
        due is not null and not withdrawn and not team as owes,
        state = 'expired' or coalesce(ended_at, (getvariable('as_of') - interval 1 microsecond)::date::timestamp) > due as late,
        touch_due is not null and state in ('accepted', 'open') as owes_touch,
        coalesce(touched_at, (getvariable('as_of') - interval 1 microsecond)::date::timestamp) > touch_due as no_touch
    from told
)
select
    cohort, if(min(sender) = max(sender), min(sender), null), if(min(receiver) = max(receiver), min(receiver), null),
    count(*), avg(complete),
    count_if(state = 'accepted') / nullif(count_if(state in ('accepted', 'rejected') and not withdrawn), 0),
    count_if(owes and (late or state != 'open')) as due_now,
    count_if(owes and not late and state != 'open') / nullif(due_now, 0),
    count_if(owes and late),
    count_if(owes_touch and (no_touch or touched_at is not null)) as touches,
    count_if(owes_touch and not no_touch and touched_at is not null) / nullif(touches, 0)
from judged group by cohort order by cohort
