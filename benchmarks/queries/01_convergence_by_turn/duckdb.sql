-- How does convergence grow with the turns, for each pair of models?
select
    conversations.agent_a_model,
    conversations.agent_b_model,
    turn_metrics.turn_number,
    count(*) as turns,
    avg(turn_metrics.convergence_score) as mean_convergence
from turn_metrics
inner join conversations using (conversation_id)
group by all
order by 1, 2, 3
