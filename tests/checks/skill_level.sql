with last as (
    select text as skill, owner, arg_max(quantity, (occurred_at, source, id)) as points, max(occurred_on) as day
    from timeline where kind = 'skill.assessed' group by text, owner
)
select skill, count(*), if(count(*) >= 5, avg(points), null), if(count(*) >= 5, count_if(points >= 4), null), max(day)
from last group by skill order by skill
