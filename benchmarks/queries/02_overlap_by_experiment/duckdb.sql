-- Do vocabularies overlap more in the second half of an experiment's conversations?
select
    conversations.experiment_id,
    turn_metrics.turn_number * 2 >= conversations.turn_count as is_second_half,
    count(turn_metrics.vocabulary_overlap) as turns,
    avg(turn_metrics.vocabulary_overlap) as mean_overlap
from turn_metrics
inner join conversations using (conversation_id)
group by all
order by 1, 2
