"""The ready-made queries, and what is bound to them."""

from __future__ import annotations

import re
from datetime import datetime

from pidgin_analytics.warehouse.places import WarehouseError

# Of a query that found nothing, what is looked at.
LONGEST_QUERY, MOST_WORDS = 10_000, 32

CONVERSATIONS = """
    select * from analysis.conversations
    where $experiment_id is null or experiment_id = $experiment_id
    order by experiment_id, started_at, conversation_id
"""
TURNS = """
    select * from analysis.turns
    where
        ($conversation_id is null or conversation_id = $conversation_id)
        and ($experiment_id is null or experiment_id = $experiment_id)
    order by experiment_id, conversation_id, turn_number
"""
DASHBOARD = "select * from experiment_dashboard order by created_at, experiment_id"
SEARCH = """
    select
        hits.conversation_id,
        hits.experiment_id,
        experiments.name as experiment_name,
        hits.turn_number,
        hits.agent_id,
        if(
            hits.agent_id = 'agent_a',
            conversations.agent_a_model,
            conversations.agent_b_model
        ) as model,
        hits.text_kind,
        hits.sent_at,
        hits.score,
        hits.snippet
    from search_messages(
        $query,
        max_hits := $limit,
        of_experiment := $experiment,
        of_model := $model,
        of_agent := $agent,
        from_turn := $from_turn,
        to_turn := $to_turn,
        since := $since,
        marks := $marks
    ) as hits
    inner join conversations
        on hits.conversation_id = conversations.conversation_id
    left join experiments
        on hits.experiment_id = experiments.experiment_id
    order by
        hits.score desc,
        hits.conversation_id,
        hits.turn_number,
        hits.agent_id,
        hits.text_kind
"""
# Words that no text holds, and those that differ from them in the fewest letters.
NEAR_WORDS = """
    with
    asked as (select unnest($words) as word),
    known as (
        select distinct unnest([word, search_words]) as word
        from intermediate.int_word_postings
        where word != ''
    ),
    parts as (
        select distinct unnest(string_split(word, ' ')) as word
        from known
        where word is not null
    ),
    unknown as (from asked anti join parts using (word)),
    distances as (
        select
            unknown.word,
            parts.word as near,
            damerau_levenshtein(unknown.word, parts.word) as distance
        from unknown
        inner join parts
            on abs(length(unknown.word) - length(parts.word)) <= 2
    )
    select
        unknown.word,
        coalesce(
            (
                list(distances.near order by distances.distance, distances.near)
                filter (where distances.near is not null)
            )[:3],
            []
        ) as near_words
    from unknown
    left join distances
        on
            unknown.word = distances.word
            and distances.distance <= if(length(unknown.word) < 5, 1, 2)
    group by unknown.word
    order by unknown.word
"""


def search_parameters(
    query: str,
    experiment: str | None,
    model: str | None,
    agent: str | None,
    turns: tuple[int | None, int | None],
    since: datetime | None,
    limit: int | None,
    marks: tuple[str, str],
) -> dict[str, object]:
    """Make the parameters of a search."""
    if limit is not None and limit < 0:
        raise WarehouseError("The limit of a search cannot be negative.")
    return {
        # Halves of a character are none, and DuckDB takes characters only.
        "query": query.encode(errors="replace").decode(),
        "limit": limit,
        "experiment": experiment,
        "model": model,
        "agent": agent,
        "from_turn": turns[0],
        "to_turn": turns[1],
        "since": since,
        "marks": list(marks),
    }


def near_words_parameters(query: str) -> dict[str, object]:
    """Make the parameters of a look for near words."""
    words = re.findall(r"\w+", query.lower()[:LONGEST_QUERY])
    return {"words": list(dict.fromkeys(words))[:MOST_WORDS]}
