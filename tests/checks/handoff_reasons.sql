-- option: by = pair
-- option: origin = desk
with steps as (
    select *, row_number() over (
        partition by source, object_id, kind order by occurred_at, id
    ) as place
    from timeline where starts_with(kind, 'handoff.') and object_id is not null
),
made as (
    select
        source, object_id,
        coalesce(nullif(json_extract_string(detail, '$.sender'), ''), '(unknown)') || ' > '
        || coalesce(nullif(json_extract_string(detail, '$.receiver'), ''), '(unknown)') as cohort
    from steps where kind = 'handoff.created' and place = 1
),
refused as (
    select source, object_id, occurred_at, text, nullif(json_extract_string(detail, '$.target'), '') as target
    from steps where kind = 'handoff.rejected' and place = 1
),
others as (
    select source, object_id, min(occurred_at) filter (kind = 'handoff.accepted') as accepted_at,
        min(occurred_at) filter (kind = 'handoff.expired') as expired_at
    from steps group by source, object_id
),
rejected as (
    select cohort, coalesce(text, '(unknown)') as reason, coalesce(target, '(unknown)') as target
    from made join refused using (source, object_id) join others using (source, object_id)
    where (accepted_at is null or occurred_at < accepted_at) and (expired_at is null or occurred_at <= expired_at)
)
select cohort, reason, target, count(*) as n, count(*) / sum(count(*)) over (partition by cohort)
from rejected group by cohort, reason, target order by cohort, n desc, reason, target
