-- How often are some words used, day by day?
with

followed as (

    select unnest(['perhaps', 'thank', 'lantern', 'river', 'we']) as word

),

uses as (

    select
        strftime(turn_metrics.timestamp, '%Y-%m-%d') as day,
        followed.word,
        coalesce(turn_metrics.agent_a_word_frequencies[followed.word], 0)
        + coalesce(turn_metrics.agent_b_word_frequencies[followed.word], 0) as uses

    from turn_metrics

    cross join followed

)

select
    day,
    word,
    cast(sum(uses) as bigint) as uses
from uses
group by all
having sum(uses) > 0
order by 1, 2
