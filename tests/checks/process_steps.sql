-- option: case = handoff
with steps as (
    select source || ' ' || object_id as case_, kind as step, epoch(occurred_at) / 86400 as day, row_number() over (
            partition by source, object_id order by occurred_at, id
        ) as place
    from timeline where starts_with(kind, 'handoff.')
),
firsts as (select case_, step, min(place) as place, count(*) as times from steps group by case_, step),
waits as (
    select two.step, median(two.day - one.day) as waited, count_if(one.step = two.step) as loops
    from steps as one join steps as two on two.case_ = one.case_ and two.place = one.place + 1 group by two.step
),
lasts as (select case_, max(place) as place from steps group by case_)
select
    step, count(*), sum(times), sum(times - 1), count_if(times > 1), sum(times - 1) / sum(times), coalesce(loops, 0),
    count_if(firsts.place = 1), (
        select count(*) from steps join lasts using (case_, place) where steps.step = firsts.step
    ), avg(firsts.place), waited
from firsts left join waits using (step)
group by step, loops, waited
order by sum(times) desc, step
