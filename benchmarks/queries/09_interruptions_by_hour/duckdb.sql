-- How many conversations begin in each hour, and how many of them are interrupted?
select
    strftime(started_at, '%Y-%m-%d %H') as hour,
    count(*) as conversations,
    count(*) filter (where status = 'interrupted') as interrupted
from conversations
group by all
order by 1
