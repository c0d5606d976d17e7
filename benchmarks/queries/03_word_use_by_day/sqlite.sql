-- How often are some words used, day by day?
select
    substr(turn_metrics.timestamp, 1, 10) as day,
    word_frequencies.word,
    sum(word_frequencies.frequency) as uses
from word_frequencies
inner join turn_metrics using (conversation_id, turn_number)
where word_frequencies.word in ('perhaps', 'thank', 'lantern', 'river', 'we')
group by 1, 2
order by 1, 2
