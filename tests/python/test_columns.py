"""What the yml says of columns in `meta`, that ranges are tested, macros described."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from conftest import ProjectMaker
from helpers.harness import ROOT, SAMPLE, Project

from pidgin_analytics.descriptions import facts_of, range_in_words

FACTS = {
    "range": list | dict,
    "one_of": list,
    "range_of_each": list,
    "range_note": str,
    "unit": str,
    "null_when": str,
    "source": str,
}
# What the tests of ranges held before ranges stood in `meta`: tables, columns, bounds.
SHARES_OF_MESSAGES = """
type_token_ratio hapax_ratio lexical_diversity_index self_repetition turn_repetition
symbol_density symbol_share symbol_line_share mattr recent_mattr similarity_to_last
similarity_to_last_but_one similarity_to_partner question_density hedge_density
formality_score
"""
SHARES_OF_TURNS = """
convergence_score legacy_convergence_score convergence_balanced convergence_structural
convergence_semantic convergence_strict vocabulary_overlap cumulative_convergence
phrase_alignment mimicry_score_a_to_b mimicry_score_b_to_a repetition_ratio
returning_phrase_share nearest_turn_similarity length_convergence structural_similarity
sentence_pattern_similarity formality_convergence punctuation_similarity
turn_taking_balance lexical_metrics.type_token_ratio
"""
PRICES = """
prompt_usd_per_million_tokens completion_usd_per_million_tokens
cache_read_usd_per_million_tokens cache_write_usd_per_million_tokens
"""
HELD = {
    **{("message_metrics", name): (0, 1) for name in SHARES_OF_MESSAGES.split()},
    **{("turn_metrics", name): (0, 1) for name in SHARES_OF_TURNS.split()},
    **{("model_prices", name): (0, None) for name in PRICES.split()},
    ("convergence_profiles", "weight"): (0, 1),
    ("event_files", "pending_count"): (0, 1),
    ("int_duplicate_lines", "occurrence"): (2, None),
}


def relations() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Go through all models and seeds that a yml describes."""
    for folder in ("models", "seeds"):
        for path in sorted((ROOT / folder).rglob("*.yml")):
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
            for kind in ("models", "seeds"):
                for relation in content.get(kind, ()):
                    yield path, relation


def is_tested(relation: dict[str, Any]) -> bool:
    """Whether the ranges of a relation are tested."""
    return any("values_in_range" in test for test in relation.get("data_tests", ()))


def test_every_macro_is_described() -> None:
    """Each once, and none that there is not."""
    written = [
        name
        for path in (ROOT / "macros").rglob("*.sql")
        for name in re.findall(r"{%-? *macro (\w+)", path.read_text(encoding="utf-8"))
    ]
    content = yaml.safe_load((ROOT / "macros/_macros.yml").read_text("utf-8"))
    described = [macro["name"] for macro in content["macros"] if macro["description"]]
    assert sorted(described) == sorted(written)


def test_facts_are_of_known_kinds() -> None:
    """A misspelt one would say nothing, and nobody would miss it."""
    count = 0
    for _, relation in relations():
        for column in relation["columns"]:
            is_whole = column.get("data_type") in ("integer", "bigint")
            assert not (is_whole and facts_of(column).get("unit") == "ratio"), column
            for fact, value in facts_of(column).items():
                place = (relation["name"], column["name"], fact)
                assert isinstance(value, FACTS[fact]), place
                # Of sentences the rest is added.
                if fact in ("null_when", "range_note", "unit"):
                    assert not value.endswith("."), place
                count += 1
    assert count > 1000


def test_ranges_of_tables_are_tested() -> None:
    """Each table with a range in its yml; most views show what tables hold."""
    tested = []
    for path, relation in relations():
        facts = map(facts_of, relation["columns"])
        has_range = any({"range", "one_of"} & fact.keys() for fact in facts)
        sql = path.with_suffix(".sql")
        text = sql.read_text(encoding="utf-8") if sql.exists() else ""
        # What is made by a model of language is there for those who name one.
        others = ("= 'view'", "= 'table_function'", "enabled = embedding_model()")
        is_table = {"analysis", "compat"}.isdisjoint(path.parts) and not any(
            words in text for words in others
        )
        assert has_range or not is_tested(relation), relation["name"]
        assert is_tested(relation) or not (has_range and is_table), relation["name"]
        tested += [relation["name"]] * is_tested(relation)
    assert len(tested) > 8


def test_no_range_is_wider_than_it_was() -> None:
    """What tests held when their columns stood in lists, they hold still."""
    bounds = {}
    for _, relation in relations():
        for column in relation["columns"] if is_tested(relation) else ():
            found = facts_of(column).get("range", [None, None])
            fields = (
                {f"{column['name']}.{name}": own for name, own in found.items()}
                if isinstance(found, dict)
                else {column["name"]: found}
            )
            for name, own in fields.items():
                bounds[relation["name"], name] = own
    for place, (low, high) in HELD.items():
        least, most = bounds[place]
        assert least >= low, place
        assert high is None or most <= high, place


def test_ranges_in_words() -> None:
    assert range_in_words({"range": [0, 1]}) == "From 0 to 1."
    assert range_in_words({"range": [0.02, None]}) == "At least 0.02."
    assert range_in_words({"range": [None, 2]}) == "At most 2."
    assert range_in_words({"range": [None, None], "range_note": "of all"}) == (
        "Any number; of all."
    )
    assert range_in_words({"range": [0, "words"]}) == "From 0 to `words`."
    assert range_in_words({"range": {"part": [0, 1]}}) == "From 0 to 1 for `part`."
    assert range_in_words({"range_of_each": [1, None]}) == "At least 1 each."
    assert range_in_words({"one_of": ["up", "down"]}) == "One of up, down."
    assert range_in_words({"unit": "words"}) == ""


# The tests, against values that are out of range


@pytest.fixture(scope="module")
def sample(project: ProjectMaker) -> Project:
    """Build the bundled sample, and run all tests of ranges."""
    built = project(SAMPLE)
    built.build_only()
    outcome = built.dbt("test", "--select", "test_name:values_in_range")
    assert outcome.success, outcome.text
    return built


def beyond(column: dict[str, Any]) -> Iterator[object]:
    """Give values that a column must not have."""
    facts = facts_of(column)
    bounds = facts.get("range")
    if "one_of" in facts:
        yield "sideways"
    elif isinstance(bounds, list):
        low, high = bounds
        is_double = column["data_type"] == "double"
        step = 1e-9 if is_double else 1
        if not isinstance(low, str | None):
            yield low - step
        if not isinstance(high, str | None):
            yield high + step
        if isinstance(high, str):
            yield 1_000_000
        if isinstance(low, str):
            yield -1_000_000
        if is_double:
            yield from (math.nan, math.inf, -math.inf)


@pytest.mark.parametrize(
    "table",
    ["message_metrics", "turn_metrics", "rolling_convergence", "conversation_patterns"],
)
def test_a_value_out_of_range_is_found(table: str, sample: Project) -> None:
    """In any column and on either side, infinite ones and NaN, each by its name."""
    sql = sample.compiled(f"{table}_values_in_range")
    ((_, model),) = [one for one in relations() if one[1]["name"] == table]
    count = 0
    with duckdb.connect(str(sample.warehouse)) as connection:
        assert connection.execute(sql).fetchall() == []
        for column in model["columns"]:
            name = column["name"]
            for value in beyond(column):
                connection.execute("begin")
                # In a row where what bounds it is known, if there is one.
                row = f"coalesce(min(rowid) filter ({name} is not null), 0)"
                connection.execute(
                    f"update {table} set {name} = ?"
                    f" where rowid = (select {row} from {table})",
                    [value],
                )
                found = [row[0] for row in connection.execute(sql).fetchall()]
                connection.execute("rollback")
                assert any(one.split(" ")[0] == name for one in found), (name, value)
                count += 1
        if table == "turn_metrics":
            connection.execute("begin")
            connection.execute(
                "update turn_metrics set lexical_metrics = struct_pack(vocabulary_size"
                " := 1, unique_words := 1, type_token_ratio := 'nan'::double)"
            )
            ((found_name, *_),) = connection.execute(sql).fetchall()
            connection.execute("rollback")
            assert found_name == "lexical_metrics.type_token_ratio"
    assert count > 30 or table == "rolling_convergence"


def test_a_broken_range_fails_the_build(project: ProjectMaker) -> None:
    """What the query finds is what dbt reports."""
    built = project(SAMPLE)
    built.build_only("--select", "+message_metrics")
    with duckdb.connect(str(built.warehouse)) as connection:
        connection.execute("update message_metrics set word_count = -1 where rowid = 0")
    outcome = built.dbt("test", "--select", "message_metrics_values_in_range")
    assert not outcome.success
    with duckdb.connect(str(built.warehouse)) as connection:
        connection.execute("update message_metrics set word_count = null")
    outcome = built.dbt("test", "--select", "message_metrics_values_in_range")
    assert outcome.success, outcome.text
