"""The conversations as a corpus of ConvoKit."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from pidgin_analytics.exports.codebook import (
    CODEBOOK,
    Codebook,
    program_version,
    time_of_export,
)
from pidgin_analytics.exports.files import Exported, staged
from pidgin_analytics.exports.tables import (
    NESTED,
    NUMBERS,
    Row,
    Table,
    bound,
    check_experiments,
    known_tables,
    named,
    reading,
    rows_of,
)
from pidgin_analytics.sql_text import identifier

CORPUS = (
    *("utterances.jsonl", "speakers.json", "conversations.json"),
    *("corpus.json", "index.json"),
)

RESEARCHER = "researcher"
# What belongs to an agent and not to one of its messages.
SPEAKER_COLUMNS = (
    *("conversation_id", "experiment_id", "agent_id", "agent_name", "model"),
    *("provider", "partner_model", "partner_provider", "awareness"),
    *("has_custom_awareness", "temperature", "thinking_enabled", "thinking_budget"),
    "max_tokens",
)

Json = dict[str, Any]


def export_corpus(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    *,
    experiments: Sequence[str] = (),
    overwrite: bool = False,
) -> list[Exported]:
    """Write the conversations as a corpus of ConvoKit, with a codebook.

    The prompt of the researcher and the messages of a conversation are its utterances,
    each a reply to the one before. The first bears the id of the conversation. An agent
    is another speaker in every conversation, because its name, its partner and its
    conditions belong to that conversation; what makes agents comparable, such as the
    model, is the speaker's metadata. Everything that the views ``analysis.messages``
    and ``analysis.conversations`` hold is metadata of one of the three.

    Args:
        connection: A warehouse, as for ``export_tables``.
        folder: Where the files go, which ``convokit.Corpus(filename=...)`` then takes.
        experiments: Ids of the experiments to keep to; without any, all.
        overwrite: Whether files that are there may be replaced.

    Returns:
        How many utterances, speakers and conversations there are, and where.

    Raises:
        ExportError: As for ``export_tables``.
        duckdb.Error: Likewise.
        OSError: Likewise.
    """
    with reading(connection) as cursor:
        known = known_tables(cursor)
        messages = named("analysis.messages", known)
        conversations = named("analysis.conversations", known)
        check_experiments(cursor, experiments)
        parts = {
            "utterances": _part(
                messages,
                "utterances",
                [
                    column.name
                    for column in messages.columns
                    if column.name in ("agent_id", "model")
                    or not (
                        column.name in ("content", *SPEAKER_COLUMNS)
                        or conversations.has(column.name)
                    )
                ],
            ),
            "speakers": _part(messages, "speakers", SPEAKER_COLUMNS),
            "conversations": replace(conversations, name="conversations"),
        }
        with staged(folder, [*CORPUS, *CODEBOOK], overwrite=overwrite) as part:
            exported = _write_corpus(cursor, parts, part, folder, experiments)
            book = Codebook("convokit", experiments, list(parts.values()), exported)
            book.write(part)
        return exported


def _part(table: Table, name: str, columns: Sequence[str]) -> Table:
    """Return some of a table's columns under a name of their own."""
    return replace(
        table,
        name=name,
        columns=[column for column in table.columns if column.name in columns],
    )


def _write_corpus(
    cursor: duckdb.DuckDBPyConnection,
    parts: dict[str, Table],
    part: Path,
    folder: Path,
    experiments: Sequence[str],
) -> list[Exported]:
    """Write the files of a corpus."""
    values = bound(experiments)
    condition = "list_contains(?, experiment_id)" if experiments else "true"
    counts = {}

    rows = rows_of(cursor, _utterance_query(parts["utterances"], condition), values * 2)
    counts["utterances"] = 0
    has_researcher = False
    with (part / "utterances.jsonl").open("x", encoding="ascii") as file:
        for utterance in _utterances(rows, parts["utterances"]):
            file.write(json.dumps(utterance, allow_nan=False) + "\n")
            counts["utterances"] += 1
            has_researcher |= utterance["speaker"] == RESEARCHER

    columns = ", ".join(identifier(column.name) for column in parts["speakers"].columns)
    rows = rows_of(
        cursor,
        f"select distinct on (conversation_id, agent_id) {columns}"  # noqa: S608
        f" from analysis.messages where {condition} order by conversation_id, agent_id",
        values,
    )
    speakers = (
        (_speaker(meta["conversation_id"], meta["agent_id"]), meta)
        for meta in (_meta(parts["speakers"], row) for row in rows)
    )
    researcher = _meta(parts["speakers"], [None] * len(parts["speakers"].columns))
    counts["speakers"] = _write_object(
        part / "speakers.json",
        (
            (name, {"meta": meta, "vectors": []})
            for pairs in ([(RESEARCHER, researcher)] * has_researcher, speakers)
            for name, meta in pairs
        ),
    )

    rows = rows_of(
        cursor,
        # The others have no utterance, and so no place in a corpus.
        f"select * from analysis.conversations where {condition}"  # noqa: S608
        " and (initial_prompt is not null or conversation_id in"
        " (select conversation_id from analysis.messages)) order by conversation_id",
        values,
    )
    counts["conversations"] = _write_object(
        part / "conversations.json",
        (
            (_id(meta["conversation_id"]), {"meta": meta, "vectors": []})
            for meta in (_meta(parts["conversations"], row) for row in rows)
        ),
    )

    corpus: Json = {
        "exported_by": f"pidgin-analytics {program_version()}",
        "exported_at": time_of_export(),
        "experiments": list(experiments) or ["all"],
    }
    index = {
        f"{name}-index": {
            column.name: [str(_json_type(column.type))] for column in table.columns
        }
        for name, table in parts.items()
    } | {
        "overall-index": {name: [str(type(value))] for name, value in corpus.items()},
        "version": 1,
        "vectors": [],
    }
    for name, content in (("corpus.json", corpus), ("index.json", index)):
        (part / name).write_text(json.dumps(content, indent=1), encoding="ascii")
    files = dict(zip(parts, CORPUS, strict=False))
    return [
        Exported(name, count, folder / files[name]) for name, count in counts.items()
    ]


def _utterance_query(utterances: Table, condition: str) -> str:
    """Write the query of all utterances, each conversation's in their order.

    ConvoKit sorts by time, which must not contradict the order: an utterance is never
    earlier than the one before, and one without a time has that of the one before.
    """
    columns = ", ".join(identifier(column.name) for column in utterances.columns)
    return f"""
        with utterances as (
            select
                conversation_id,
                initial_prompt as text_of_utterance,
                started_at as time_of_utterance
            from analysis.conversations
            where {condition} and initial_prompt is not null
            union all by name
            select
                conversation_id,
                content as text_of_utterance,
                sent_at as time_of_utterance,
                {columns}
            from analysis.messages
            where {condition}
        )
        select
            conversation_id,
            coalesce(text_of_utterance, ''),
            epoch_us(
                coalesce(
                    max(time_of_utterance) over (
                        partition by conversation_id
                        order by turn_number nulls first, agent_id nulls first
                    ),
                    min(time_of_utterance) over (partition by conversation_id)
                )
            ) / 1000000,
            {columns}
        from utterances
        order by conversation_id, turn_number nulls first, agent_id nulls first
    """  # noqa: S608


def _utterances(rows: Iterable[Row], table: Table) -> Iterator[Json]:
    """Make utterances of their rows: each replies to the one before."""
    conversation = previous = None
    for conversation_id, text, seconds, *values in rows:
        meta = _meta(table, values)
        agent = meta["agent_id"]
        root = _id(conversation_id)
        own = root
        if conversation_id == conversation:
            own = f"{root}/{meta['turn_number']}/{agent}"
        else:
            conversation, previous = conversation_id, None
        yield {
            "id": own,
            "conversation_id": root,
            "text": text,
            "speaker": _speaker(conversation_id, agent) if agent else RESEARCHER,
            "meta": meta,
            "reply-to": previous,
            "timestamp": seconds,
            "vectors": [],
        }
        previous = own


def _id(conversation_id: str) -> str:
    """Write the id of a conversation without slashes, which ids are joined with."""
    return conversation_id.replace("%", "%25").replace("/", "%2F")


def _speaker(conversation_id: str, agent_id: str) -> str:
    return f"{_id(conversation_id)}/{agent_id}"


def _meta(table: Table, row: Sequence[Any]) -> Json:
    """Return a row as metadata, in types that JSON has."""
    return {
        column.name: _plain(value)
        for column, value in zip(table.columns, row, strict=True)
    }


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str, list, dict)):
        return value
    return str(value)


def _json_type(data_type: str) -> type:
    """Return the type that a column's values have when JSON is read in Python."""
    if data_type == "BOOLEAN":
        return bool
    if data_type in ("DOUBLE", "FLOAT"):
        return float
    if NUMBERS.fullmatch(data_type) and not data_type.startswith("DECIMAL"):
        return int
    if data_type.endswith("]"):
        return list
    if NESTED.fullmatch(data_type):
        return dict
    return str


def _write_object(path: Path, entries: Iterable[tuple[str, Json]]) -> int:
    """Write a JSON object entry by entry, and return how many there are."""
    count = 0
    with path.open("x", encoding="ascii") as file:
        file.write("{")
        for name, value in entries:
            file.write(",\n" if count else "\n")
            file.write(f"{json.dumps(name)}: {json.dumps(value, allow_nan=False)}")
            count += 1
        file.write("\n}\n")
    return count
