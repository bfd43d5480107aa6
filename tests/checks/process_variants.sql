-- option: case = deal
-- option: least_percent = 2
with paths as (
    select string_agg(coalesce(if(kind = 'deal.changed', text, null), kind), ' > ' order by occurred_at, id) as path,
        count(*) as steps, (epoch(max(occurred_at)) - epoch(min(occurred_at))) / 86400 as days
    from timeline where starts_with(kind, 'deal.') group by source, object_id
),
ways as (
    select path, steps, count(*) as cases, median(days) as days, sum(count(*)) over () as every_case
    from paths group by path, steps
),
ranked as (select *, row_number() over (order by cases desc, path) as variant from ways)
select * from (
    select variant, path, steps, cases, cases / every_case as share, days from ranked where cases / every_case >= 0.02
    union all
    select null, '(others)', null, sum(cases), sum(cases) / any_value(every_case), null
    from ranked where cases / every_case < 0.02 having count(*) > 0
)
order by variant nulls last
