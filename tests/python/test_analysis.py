"""The schema `analysis`, questions that start from it, comments in the database."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from conftest import ProjectMaker
from helpers.harness import ROOT, SAMPLE, Project
from writers.logs import Conversation, OutputFolder, as_line, manifest

from pidgin_analytics.descriptions import all_columns, comment

QUESTIONS = (ROOT / "docs" / "questions.md").read_text(encoding="utf-8")
VIEWS = ("conversations", "turns", "messages")
# But not elsewhere.
EQUAL_IN_THE_SAMPLE = {
    ("main.event_files", "event_count", "line_count"),
    ("main.token_usage", "model", "model_logged"),
    # A list of one is hashed like the one.
    ("main.token_usage", "model", "models"),
    ("main.token_usage", "model_logged", "models"),
}


@pytest.fixture(scope="module")
def sample(project: ProjectMaker) -> Project:
    """Build the bundled sample."""
    built = project(SAMPLE)
    built.build_only()
    return built


def questions() -> dict[str, str]:
    """Return the SQL of each question of the cookbook, by its heading."""
    sections = re.split(r"^### ", QUESTIONS, flags=re.MULTILINE)[1:]
    return {
        section.splitlines()[0]: "\n".join(
            re.findall(r"^```sql\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
        )
        for section in sections
    }


def test_each_question_has_its_sql() -> None:
    """Every question is asked in one block, and no block stands elsewhere."""
    assert [heading.split(".")[0] for heading in questions()] == [
        str(number) for number in range(1, len(questions()) + 1)
    ]
    assert all(questions().values())
    assert QUESTIONS.count("```sql") == len(questions()) >= 20


@pytest.mark.parametrize("question", questions())
def test_question_has_an_answer_in_the_sample(question: str, sample: Project) -> None:
    """Each block runs as it stands, and finds rows."""
    assert sample.query(questions()[question])


def test_vocabulary_grows_as_in_the_mart(sample: Project) -> None:
    """Question 11 is answered by sums; the mart counts the words of both so far."""
    (question,) = (sql for name, sql in questions().items() if name.startswith("11."))
    answers = {turn: (count, share) for turn, count, _, share in sample.query(question)}
    expected = sample.query(
        "select turn_number, count(*), round(avg(cumulative_convergence), 3)"
        " from turn_metrics where is_spoken group by turn_number"
    )
    assert answers == {turn: (count, share) for turn, count, share in expected}
    assert sample.value("select count(*) from turn_metrics where not is_spoken")


def test_requests_without_a_reply_have_failed(sample: Project) -> None:
    """Question 18 counts timeouts and the like, after which a conversation ended."""
    (question,) = (sql for name, sql in questions().items() if name.startswith("18."))
    failed = {provider: count for provider, _, count, _ in sample.query(question)}
    ends: dict[str, int] = dict(
        sample.query(
            "select if(agent_id = 'agent_a', agent_a_provider, agent_b_provider),"
            " count(*) from incidents inner join conversations using (conversation_id)"
            " where incident_type in ('timeout', 'context_limit') group by all"
        )
    )
    placeholders: dict[str, int] = dict(
        sample.query(
            "select provider, count(*) from analysis.messages"
            " where is_api_error group by provider"
        )
    )
    assert ends == {"openai": 2}
    assert failed["openai"] == ends["openai"] + placeholders["openai"]


def descriptions(*folders: str) -> dict[tuple[str, str, str], str]:
    """Return what the project's yml says, by schema, relation and column."""
    models: dict[str, tuple[str, dict[str, Any]]] = {}
    for folder in folders:
        for path in (ROOT / "models" / folder).rglob("*.yml"):
            sql = path.with_suffix(".sql")
            # Functions and private steps have no comments, and models that are not
            # enabled no tables.
            if sql.exists() and any(
                words in sql.read_text(encoding="utf-8")
                for words in (
                    "'table_function'",
                    "access = 'private'",
                    "enabled = embedding_model()",
                )
            ):
                continue
            for model in yaml.safe_load(path.read_text(encoding="utf-8")).get(
                "models", []
            ):
                schema = "analysis" if folder == "analysis" else "main"
                models[model["name"]] = (schema, model)
    declared = {name: model["columns"] for name, (_, model) in models.items()}
    found = {}
    for name, (schema, model) in models.items():
        table = name.removeprefix("analysis_")
        found[schema, table, ""] = model["description"].strip()
        for column in all_columns(model, declared):
            found[schema, table, column["name"]] = comment(column)
    return found


def comments(project: Project) -> dict[tuple[str, str, str], str]:
    """Return the comments in the database, likewise."""
    rows = project.query(
        """
        select schema_name, table_name, column_name, comment from duckdb_columns()
        where schema_name in ('main', 'analysis') and not internal
        union all
        select schema_name, table_name, '', comment from duckdb_tables()
        where schema_name in ('main', 'analysis') and not internal
        union all
        select schema_name, view_name, '', comment from duckdb_views()
        where schema_name in ('main', 'analysis') and not internal
        """
    )
    return {(schema, table, column): text for schema, table, column, text in rows}


def test_descriptions_are_comments_and_come_back(sample: Project) -> None:
    """Every table, view and column says what it is; one that does not is told again."""
    expected = descriptions("marts", "analysis")
    assert any("'" in text for text in expected.values())
    assert comments(sample) == expected

    with duckdb.connect(str(sample.warehouse)) as connection:
        connection.execute("comment on table messages is 'old'")
        connection.execute("comment on column messages.content is null")
        connection.execute("comment on view analysis.turns is 'old'")
        connection.execute("comment on column analysis.turns.a_content is 'old'")
        # A view that is another by now is made anew, with all its comments.
        connection.execute(
            "create or replace view analysis.messages as select * from main.messages"
        )
    sample.build_only()
    assert comments(sample) == expected


def test_comments_are_written_once(
    sample: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build that finds nothing new makes no view of them anew, and writes none."""
    from dbt.adapters.duckdb.environments.local import DuckDBCursorWrapper

    sample.build_only()
    execute = DuckDBCursorWrapper.execute
    statements: list[str] = []

    def note(self: DuckDBCursorWrapper, sql: str, bindings: Any = None) -> Any:
        statements.append(sql)
        return execute(self, sql, bindings)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(DuckDBCursorWrapper, "execute", note)
    sample.build_only()
    assert any("duckdb_columns()" in sql for sql in statements)
    assert not [sql for sql in statements if "comment on" in sql]
    made = [sql for sql in statements if re.search("create (or replace )?view", sql)]
    # The one of all notes, which stands.
    assert [sql for sql in made if "staging.relations_digest" not in sql] == []


@pytest.mark.parametrize("view", VIEWS)
def test_view_needs_no_join_and_no_unnest(view: str, sample: Project) -> None:
    """Every column holds one plain value, and none is a fingerprint."""
    columns = sample.query(
        "select column_name, data_type from duckdb_columns()"
        f" where schema_name = 'analysis' and table_name = '{view}'"
    )
    assert {"experiment_id", "experiment_name", "conversation_id"} <= dict(
        columns
    ).keys()
    assert "fingerprint" not in dict(columns)
    plain = {
        "BIGINT",
        "BOOLEAN",
        "DOUBLE",
        "INTEGER",
        "TIMESTAMP WITH TIME ZONE",
        "VARCHAR",
    }
    assert {data_type for _, data_type in columns} <= plain


@pytest.mark.parametrize(
    ("view", "mart"),
    [
        ("conversations", "conversations"),
        ("turns", "turn_metrics"),
        ("messages", "messages"),
    ],
)
def test_view_has_the_rows_of_its_mart(view: str, mart: str, sample: Project) -> None:
    """No row is lost or doubled, and what bears the mart's name has its value."""
    keys = {
        "conversations": "conversation_id",
        "turns": "conversation_id, turn_number",
        "messages": "conversation_id, turn_number, agent_id",
    }[view]
    shared = [
        name
        for (name,) in sample.query(
            "select column_name from duckdb_columns()"
            f" where schema_name = 'analysis' and table_name = '{view}'"
            " intersect select column_name from duckdb_columns()"
            f" where schema_name = 'main' and table_name = '{mart}' order by all"
        )
    ]
    assert len(shared) > 5
    columns = ", ".join(shared)
    assert sample.rows(f"analysis.{view}", columns) == sample.rows(
        f"main.{mart}", columns
    )
    assert sample.value(f"select count(distinct ({keys})) from analysis.{view}") == (
        sample.value(f"select count(*) from analysis.{view}")
    )


@pytest.mark.parametrize("agent", ["a", "b"])
def test_metrics_of_both_messages_stand_side_by_side(
    agent: str, sample: Project
) -> None:
    """What begins with an agent's letter is of that agent's message, in both views."""
    names = [
        name
        for (name,) in sample.query(
            "select column_name from duckdb_columns() where schema_name = 'main'"
            " and table_name = 'message_metrics' and column_name not in"
            " ('conversation_id', 'experiment_id', 'turn_number', 'agent_id',"
            " 'sentence_lengths', 'fingerprint')"
        )
    ]
    of_turns = ", ".join(f"{agent}_{name} as {name}" for name in names)
    measured = sample.rows(
        f"(from message_metrics where agent_id = 'agent_{agent}')",
        f"conversation_id, turn_number, {', '.join(names)}",
    )
    assert measured
    assert (
        sample.rows(
            f"(from analysis.turns where {agent}_word_count is not null)",
            f"conversation_id, turn_number, {of_turns}",
        )
        == measured
    )
    assert (
        sample.rows(
            "(from analysis.messages where is_spoken and is_turn_complete"
            f" and agent_id = 'agent_{agent}')",
            f"conversation_id, turn_number, {', '.join(names)}",
        )
        == measured
    )


def test_totals_of_conversations_are_those_of_the_marts(sample: Project) -> None:
    """What is summed per agent loses nothing."""
    ours = sample.query(
        """
        select
            sum(message_count_a + message_count_b),
            sum(placeholder_count_a + placeholder_count_b),
            sum(word_count_a), sum(word_count_b), sum(vocabulary_size_b),
            sum(prompt_tokens_a), sum(completion_tokens_b), sum(thinking_tokens_a),
            round(sum(coalesce(cost_usd_a, 0) + coalesce(cost_usd_b, 0)), 9),
            count(*) filter (where cost_usd is null) > 0,
            sum(incident_count), sum(rate_limit_wait_count), sum(timeout_count)
        from analysis.conversations
        """
    )
    marts = sample.query(
        """
        select
            (select count(*) from messages where not is_api_error),
            (select count(*) from messages where is_api_error),
            (select sum(word_count) from message_metrics where agent_id = 'agent_a'),
            (select sum(word_count) from message_metrics where agent_id = 'agent_b'),
            (select sum(new_words) from message_metrics where agent_id = 'agent_b'),
            (select sum(prompt_tokens) from token_usage where agent_id = 'agent_a'),
            (select sum(completion_tokens) from token_usage where agent_id = 'agent_b'),
            (select sum(thinking_tokens) from token_usage where agent_id = 'agent_a'),
            (select round(sum(cost_usd), 9) from token_usage),
            (select count(*) from token_usage where cost_usd is null) > 0,
            (select count(*) from incidents),
            (select count(*) from incidents where incident_type = 'rate_limit_wait'),
            (select count(*) from incidents where incident_type = 'timeout')
        """
    )
    assert ours == marts
    assert None not in ours[0]


def test_no_value_has_two_names(sample: Project) -> None:
    """Columns that differ in name only would have people wonder which to use."""
    twins = set()
    with sample.opened() as connection:
        relations: dict[str, list[str]] = {}
        for relation, column in connection.execute(
            "select schema_name || '.' || table_name, column_name from duckdb_columns()"
            " where schema_name in ('main', 'analysis') and not internal order by all"
        ).fetchall():
            relations.setdefault(relation, []).append(column)
        for relation, columns in relations.items():
            rows = connection.execute(
                f"select {', '.join(f'hash({column})' for column in columns)}"
                f" from {relation}"
            ).fetchall()
            if not rows:
                continue
            values = dict(zip(columns, zip(*rows, strict=True), strict=True))
            twins |= {
                (relation, one, other)
                for one, other in combinations(columns, 2)
                # Few values may agree by chance.
                if len(set(values[one])) > 5 and values[one] == values[other]
            }
    assert twins <= EQUAL_IN_THE_SAMPLE


def spoken_log(name: str, models: tuple[str, str]) -> list[str]:
    """Write a conversation of two models with one turn."""
    maker = Conversation(name)
    begin = maker.begin() | {"agent_a_model": models[0], "agent_b_model": models[1]}
    return [
        as_line(event) for event in [begin, *maker.turn(0, "One.", "Two."), maker.end()]
    ]


def test_spellings_of_a_model_are_one_model(
    project: ProjectMaker, tmp_path: Path
) -> None:
    """Capitals, white space and older names part no group, from log to views."""
    folder = OutputFolder(tmp_path / "output")
    pairs = {
        "plain": ("gpt-4o", "claude-sonnet-4-5-20250929"),
        "loud": (" GPT-4o", "CLAUDE-SONNET-4-5-20250929 "),
        "short": ("gpt-4O", "claude-sonnet-4.5"),
        "turned": ("Claude-Sonnet-4-5", "GPT-4O"),
    }
    for name, models in pairs.items():
        folder.write(f"experiments/x/events_{name}.jsonl", spoken_log(name, models))
    folder.write("experiments/x/manifest.json", manifest("experiment_1", pairs))
    built = project(folder.path)
    built.build_only()

    pair = "claude-sonnet-4-5-20250929 + gpt-4o"
    assert built.query(
        "select model_pair, count(*) from analysis.conversations group by all"
    ) == [(pair, 4)]
    assert built.query(
        "select distinct model, provider, partner_provider from analysis.messages"
        " order by all"
    ) == [
        ("claude-sonnet-4-5-20250929", "anthropic", "openai"),
        ("gpt-4o", "openai", "anthropic"),
    ]
    assert built.query(
        "select model, provider, count(*), count(cost_usd),"
        " count(distinct model_logged) from token_usage group by all order by all"
    ) == [
        ("claude-sonnet-4-5-20250929", "anthropic", 4, 4, 4),
        ("gpt-4o", "openai", 4, 4, 4),
    ]
    assert built.query(
        "select agent_a_model_logged from conversations where conversation_id = 'loud'"
    ) == [(" GPT-4o",)]
