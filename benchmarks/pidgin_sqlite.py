"""The marts' data in SQLite, in the schema of Pidgin's databases of June 2025.

Tables, keys and indexes are those that Pidgin created; one row per word of a message.
Message texts and response times are in `message_metrics.metrics_json`, where Pidgin
kept them. JSON keys that have no counterpart among the marts are left out.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import duckdb

SCHEMA = """
create table experiments (
    experiment_id text primary key,
    name text not null,
    created_at timestamp default current_timestamp,
    started_at timestamp,
    completed_at timestamp,
    status text default 'created',
    config json not null,
    total_conversations integer not null,
    completed_conversations integer default 0,
    failed_conversations integer default 0,
    metadata json
);
create table conversations (
    conversation_id text primary key,
    experiment_id text not null,
    created_at timestamp default current_timestamp,
    started_at timestamp,
    completed_at timestamp,
    status text default 'created',
    config json not null,
    first_speaker text default 'agent_a',
    agent_a_model text not null,
    agent_b_model text not null,
    agent_a_chosen_name text,
    agent_b_chosen_name text,
    total_turns integer default 0,
    convergence_reason text,
    final_convergence_score real,
    error_message text,
    foreign key (experiment_id) references experiments (experiment_id)
);
create table turn_metrics (
    id integer primary key autoincrement,
    conversation_id text not null,
    turn_number integer not null,
    timestamp timestamp default current_timestamp,
    convergence_score real,
    vocabulary_overlap real,
    structural_similarity real,
    topic_similarity real,
    style_match real,
    metrics_json json,
    foreign key (conversation_id) references conversations (conversation_id),
    unique (conversation_id, turn_number)
);
create table message_metrics (
    id integer primary key autoincrement,
    conversation_id text not null,
    turn_number integer not null,
    agent_id text not null,
    message_length integer,
    word_count integer,
    unique_words integer,
    type_token_ratio real,
    avg_word_length real,
    response_time_ms integer,
    metrics_json json,
    foreign key (conversation_id) references conversations (conversation_id)
);
create table word_frequencies (
    id integer primary key autoincrement,
    conversation_id text not null,
    turn_number integer not null,
    agent_id text not null,
    word text not null,
    frequency integer,
    foreign key (conversation_id) references conversations (conversation_id)
);
create index idx_conversations_experiment on conversations (experiment_id);
create index idx_turn_metrics_conversation on turn_metrics (conversation_id);
create index idx_message_metrics_conversation on message_metrics (conversation_id);
create index idx_word_frequencies_conversation on word_frequencies (conversation_id);
"""

TIME_FORMAT = "%Y-%m-%d %H:%M:%S"

# What goes into the columns of each table: SQL over the marts. The rows come in the
# order in which Pidgin wrote them, turn by turn.
CONTENTS = {
    "experiments (experiment_id, name, created_at, started_at, status, config,"
    " total_conversations, completed_conversations)": f"""
        select
            experiment_id, name, strftime(created_at, '{TIME_FORMAT}'),
            strftime(started_at, '{TIME_FORMAT}'), status, config,
            stats.total_conversations, stats.completed_conversations
        from experiments
        order by created_at, experiment_id
    """,
    "conversations (conversation_id, experiment_id, created_at, started_at,"
    " completed_at, status, config, agent_a_model, agent_b_model, total_turns)": f"""
        select
            conversation_id, experiment_id, strftime(started_at, '{TIME_FORMAT}'),
            strftime(started_at, '{TIME_FORMAT}'), strftime(ended_at, '{TIME_FORMAT}'),
            status,
            json_object(
                'agent_a_model', agent_a_model, 'agent_b_model', agent_b_model,
                'initial_prompt', initial_prompt, 'max_turns', max_turns,
                'temperature_a', temperature_a, 'temperature_b', temperature_b,
                'first_speaker', 'agent_a'
            ),
            agent_a_model, agent_b_model, turn_count
        from conversations
        order by started_at, conversation_id
    """,
    "turn_metrics (conversation_id, turn_number, timestamp, convergence_score,"
    " vocabulary_overlap, structural_similarity, metrics_json)": f"""
        select
            conversation_id, turn_number, strftime(timestamp, '{TIME_FORMAT}'),
            convergence_score, vocabulary_overlap, structural_similarity,
            json_object(
                'convergence_score', convergence_score,
                'vocabulary_overlap', vocabulary_overlap,
                'length_ratio', length_convergence,
                'structural_similarity', structural_similarity,
                'mimicry_score', mimicry_score_a_to_b,
                'combined_vocabulary_size', lexical_metrics.vocabulary_size
            )
        from turn_metrics
        order by timestamp, conversation_id
    """,
    "message_metrics (conversation_id, turn_number, agent_id, message_length,"
    " word_count, type_token_ratio, metrics_json)": """
        select
            conversation_id, turn_number, agent_id,
            metrics.message_length, metrics.word_count, metrics.type_token_ratio,
            json_object(
                'message', messages.content,
                'message_length', metrics.message_length,
                'word_count', metrics.word_count,
                'sentence_count', metrics.sentence_count,
                'paragraph_count', metrics.paragraph_count,
                'vocabulary_size', metrics.vocabulary_size,
                'type_token_ratio', metrics.type_token_ratio,
                'hapax_ratio', metrics.hapax_ratio,
                'compression_ratio', metrics.compression_ratio,
                'lexical_diversity_index', metrics.lexical_diversity_index,
                'average_sentence_length', metrics.avg_sentence_length,
                'punctuation_diversity', metrics.punctuation_diversity,
                'question_count', metrics.question_count,
                'exclamation_count', metrics.exclamation_count,
                'hedge_count', metrics.hedge_words,
                'agreement_marker_count', metrics.agreement_markers,
                'disagreement_marker_count', metrics.disagreement_markers,
                'politeness_marker_count', metrics.politeness_markers,
                'emoji_count', metrics.emoji_count,
                'arrow_count', metrics.arrow_count,
                'math_symbol_count', metrics.math_symbol_count,
                'first_person_singular_count', metrics.first_person_singular,
                'first_person_plural_count', metrics.first_person_plural,
                'second_person_count', metrics.second_person,
                'number_count', metrics.number_count,
                'proper_noun_count', metrics.proper_noun_count,
                'repeated_bigrams', metrics.repeated_bigrams,
                'repeated_trigrams', metrics.repeated_trigrams,
                'self_repetition_score', metrics.self_repetition,
                'word_entropy', metrics.word_entropy,
                'character_entropy', metrics.character_entropy,
                'new_words_count', metrics.new_words,
                'response_time_ms', messages.response_time_ms
            )
        from message_metrics as metrics
        inner join messages using (conversation_id, turn_number, agent_id)
        order by conversation_id, turn_number, agent_id
    """,
    "word_frequencies (conversation_id, turn_number, agent_id, word, frequency)": """
        with messages as (
            select
                conversation_id, turn_number, 'agent_a' as agent_id,
                agent_a_word_frequencies as frequencies
            from turn_metrics
            union all
            select
                conversation_id, turn_number, 'agent_b', agent_b_word_frequencies
            from turn_metrics
        )
        select
            conversation_id, turn_number, agent_id,
            unnest(map_keys(frequencies)), unnest(map_values(frequencies))
        from messages
        order by conversation_id, turn_number, agent_id
    """,
}
BATCH = 50_000


def fill(marts: duckdb.DuckDBPyConnection, target: Path) -> None:
    """Create the database and fill it from the marts of an open warehouse."""
    marts.execute("set TimeZone = 'UTC'")
    with contextlib.closing(sqlite3.connect(target)) as database:
        database.executescript(SCHEMA)
        for columns, sql in CONTENTS.items():
            rows = marts.execute(sql)
            places = ", ".join("?" * (columns.count(",") + 1))
            insert = f"insert into {columns} values ({places})"
            while batch := rows.fetchmany(BATCH):
                database.executemany(insert, batch)
        database.commit()
        database.execute("vacuum")


@contextlib.contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the database for reading only, with SQLite's own settings."""
    with contextlib.closing(
        sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    ) as database:
        yield database
