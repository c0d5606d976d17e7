-- How many conversations begin in each hour, and how many of them are interrupted?
select
    strftime('%Y-%m-%d %H', started_at) as hour,
    count(*) as conversations,
    count(*) filter (where status = 'interrupted') as interrupted
from conversations
group by 1
order by 1
