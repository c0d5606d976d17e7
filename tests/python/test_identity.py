"""What is one conversation, one experiment, one event, and which copy of it speaks.

Nearly all cases lie in one folder, which is built once; each has a test of its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from conftest import ProjectMaker
from harness import Project
from log_oracle import Logs
from log_writer import (
    START,
    Conversation,
    OutputFolder,
    as_line,
    conversation,
    manifest,
)

LATER = START + timedelta(days=2)
ONE = [("Alpha.", "Beta."), ("Gamma?", "Delta!")]
TWO = [("Words of the other.", "So they are.")]
A2, A4 = "experiment_000000a2", "experiment_000000a4"


def respelt(lines: Sequence[str], **options: Any) -> list[str]:
    """Write lines as another program would: other spaces, order of keys and escapes."""

    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(value)}
        if isinstance(value, list):
            return [turned(part) for part in value]
        # A program that knows no integers, or no floating-point numbers.
        if isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        return value

    options = {"ensure_ascii": False, "separators": (" , ", " : "), **options}
    return [json.dumps(turned(json.loads(line)), **options) for line in lines]


def twice(line: str, key: str, first: Any) -> str:
    """Put a key with another value in front of where it stands."""
    marked = f'"{key}":'
    assert marked in line
    return line.replace(marked, f"{marked}{json.dumps(first)},{marked}", 1)


def write_same_id(folder: OutputFolder) -> None:
    """Write two conversations of one id, with copies of each."""
    one = conversation("conv_same", ONE)
    two = conversation("conv_same", TWO, start=LATER)
    folder.write("first_000000a1/events_conv_same.jsonl", one)
    folder.write(
        "first_000000a1/manifest.json",
        manifest("experiment_000000a1", ["conv_same"], name="first"),
    )
    folder.write("a second_000000a2/events_conv_same.jsonl", two)
    folder.write(
        "a second_000000a2/manifest.json",
        manifest(
            "experiment_000000a2",
            ["conv_same"],
            name="second",
            conversations={"conv_same": {"status": "failed"}},
        ),
    )
    folder.write("a copy/events_conv_same.jsonl", two)
    folder.write("z part/events_conv_same.jsonl", one[3:7])
    folder.write("z long/events_conv_same.jsonl", [*respelt(one), late("conv_same")])

    # Without manifests, the folders tell; models do where the experiment is one.
    folder.write("loose_000000a3/events_conv_loose.jsonl", conversation("conv_loose"))
    folder.write(
        "loose_000000a4/events_conv_loose.jsonl",
        conversation("conv_loose", TWO, start=LATER),
    )
    folder.write("x_000000a5/events_conv_models.jsonl", conversation("conv_models"))
    folder.write(
        "copy of x_000000a5/events_conv_models.jsonl",
        [
            line.replace("local:test", "local:other")
            for line in conversation("conv_models", TWO, start=LATER)
        ],
    )


def late(conversation_id: str) -> str:
    """Write an event long after the end."""
    maker = Conversation(conversation_id, START, 3600)
    return as_line(maker.event("SystemPrompt", prompt="Too late."))


def write_one_id(folder: OutputFolder) -> None:
    """Write single conversations that look like two."""
    lines = conversation("conv_copied", ONE)
    folder.write("copied_000000b1/events_conv_copied.jsonl", lines)
    folder.write("copied_000000b2/events_conv_copied.jsonl", lines[:6])
    folder.write(
        "copied_000000b3/events_conv_copied.jsonl", [*lines, late("conv_copied")]
    )
    # August 2025: a log of all conversations, in which one was started again.
    folder.write(
        "shared_000000b4/events.jsonl",
        conversation("conv_again", ONE[:1], None)
        + conversation("conv_other", ONE)
        + conversation("conv_again", TWO, start=LATER),
    )


def write_respelt(folder: OutputFolder) -> None:
    """Write logs twice in other bytes, and lines that only look the same."""
    lines = conversation("conv_respelt", [("Größe\u2028 \U0001f600", "0.0 = 0"), *ONE])
    maker = Conversation("conv_respelt", START, 600)
    history = [{"role": "user", "content": "é"}]
    lines.append(
        as_line(
            maker.event(
                "MessageRequest",
                agent_id="agent_a",
                turn_number=3,
                conversation_history=history,
                temperature=0.0,
            )
        )
    )
    folder.write("respelt_000000c1/events_conv_respelt.jsonl", lines)
    folder.write("respelt_000000c1/again.jsonl", respelt(lines))
    folder.write("respelt_000000c1/sorted.jsonl", respelt(lines, sort_keys=True))
    anonymous = json.dumps({"event_type": "NoteEvent", "value": 1})
    folder.write("respelt_000000c1/notes.jsonl", [anonymous, " " + anonymous + " "])

    # One moment, one agent, one turn: other words all the same.
    maker = Conversation("conv_alike", START)
    first, second = (
        maker.event("SystemPrompt", prompt=prompt, number=number)
        for prompt, number in (("Speak.", 9007199254740993), ("Speak!", 1))
    )
    second["timestamp"] = first["timestamp"]
    third = {**first, "number": 9007199254740992}
    fourth = {**second, "number": True}
    fifth = {**second, "number": "1"}
    alike = [as_line(event) for event in (first, second, third, fourth, fifth)]
    folder.write("alike_000000c2/events_conv_alike.jsonl", alike)
    folder.write("alike_000000c2/zagain.jsonl", respelt(alike[1:2]))


def write_templates(folder: OutputFolder) -> None:
    """Write folders whose manifests share an experiment's id."""

    def write(folder_name: str, conversation_id: str, **fields: Any) -> None:
        folder.write(
            f"{folder_name}/events_{conversation_id}.jsonl",
            conversation(conversation_id, ONE),
        )
        fields = {"name": folder_name, **fields}
        folder.write(
            f"{folder_name}/manifest.json",
            manifest("experiment_000000d1", [conversation_id], **fields),
        )

    write("pilot_000000d1", "conv_pilot", name="pilot")
    write("final run", "conv_final", created_at=LATER.isoformat())
    write("copy of the final run", "conv_final", created_at=LATER.isoformat())
    # Logged, too, with the id that both have, and listed by nobody.
    named = Conversation("conv_unlisted", LATER).begin() | {
        "experiment_id": "experiment_000000d1"
    }
    folder.write("final run/events_conv_unlisted.jsonl", [as_line(named)])
    # A copy that was only renamed is a copy.
    folder.write("e_000000d2/events_conv_e.jsonl", conversation("conv_e"))
    for name in ("e_000000d2", "e renamed"):
        folder.write(
            f"{name}/manifest.json",
            manifest("experiment_000000d2", ["conv_e"], name=name),
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> OutputFolder:
    """Write all cases."""
    made = OutputFolder(tmp_path_factory.mktemp("identity") / "pidgin_output")
    for write in (write_same_id, write_one_id, write_respelt, write_templates):
        write(made)
    return made


@pytest.fixture(scope="module")
def built(folder: OutputFolder, project: ProjectMaker) -> Project:
    """Build them, with every test of the data."""
    made: Project = project(folder.path)
    made.build_and_test()
    return made


def test_two_conversations_of_one_id(built: Project) -> None:
    """Each has its own words, turns, models and experiment."""
    rows = built.query(
        "select conversation_id, experiment_id, turn_count, manifest_status,"
        " agent_a_model from conversations"
        " where regexp_matches(conversation_id, 'conv_(same|loose|models)')"
        " order by all"
    )
    # Of one experiment, the start tells them apart.
    models = rows[3][0]
    assert models.startswith("conv_models@experiment_000000a5.")
    assert rows == [
        ("conv_loose", "experiment_000000a3", 2, None, "local:test"),
        (f"conv_loose@{A4}", A4, 1, None, "local:test"),
        ("conv_models", "experiment_000000a5", 2, None, "local:test"),
        (models, "experiment_000000a5", 1, None, "local:other"),
        ("conv_same", "experiment_000000a1", 2, "completed", "local:test"),
        (f"conv_same@{A2}", A2, 1, "failed", "local:test"),
    ]
    assert built.query(
        "select conversation_id, content from messages"
        " where starts_with(conversation_id, 'conv_same') order by all"
    ) == sorted(
        (conversation_id, text)
        for conversation_id, replies in (
            ("conv_same", ONE),
            ("conv_same@experiment_000000a2", TWO),
        )
        for reply in replies
        for text in reply
    )
    assert built.query(
        "select experiment_id, conversations, turns from experiment_dashboard"
        " where experiment_id in ('experiment_000000a1', 'experiment_000000a2')"
        " order by all"
    ) == [("experiment_000000a1", 1, 2), ("experiment_000000a2", 1, 1)]


def test_incident_names_both(built: Project) -> None:
    """Who looks for the id that was logged learns that there are two."""
    found = built.query(
        "select conversation_id, event_type, occurred_at, detail from incidents"
        " where incident_type = 'id_collision' order by all"
    )
    assert len(found) == 3
    ((_, event_type, occurred_at, detail),) = [
        row for row in found if row[0] == "conv_same@experiment_000000a2"
    ]
    assert (event_type, occurred_at) == ("ConversationStartEvent", LATER)
    assert "conv_same," in detail
    assert "experiment_000000a1" in detail


def test_at_a_moment_before_the_second(built: Project) -> None:
    """The past knows one of them."""
    assert built.query(
        "select conversation_id, turn_count from conversation_state_as_of(?)"
        " where starts_with(conversation_id, 'conv_same')",
        [START + timedelta(days=1)],
    ) == [("conv_same", 2)]


def test_copies_are_one_conversation(built: Project) -> None:
    """Whole, shorter, longer, or started again in one folder."""
    assert built.query(
        "select conversation_id, turn_count, event_count from conversation_state"
        " where conversation_id in ('conv_copied', 'conv_again', 'conv_other')"
        " or contains(conversation_id, '@') and not regexp_matches(conversation_id,"
        " 'conv_(same|loose|models)') order by all"
    ) == [
        ("conv_again", 1, 11),
        ("conv_copied", 2, 11),
        ("conv_other", 2, 10),
    ]


def test_other_bytes(built: Project, folder: OutputFolder) -> None:
    """An event is what it says: each is there once, and none too few."""
    assert built.query(
        "select event_count, turn_count from conversation_state"
        " where conversation_id = 'conv_respelt'"
    ) == [(15, 3)]
    place = str(folder.path / "respelt_000000c1")
    assert built.query(
        "select parse_filename(source_file), line_count, event_count, duplicate_count"
        " from event_files where starts_with(source_file, ?) order by all",
        [place],
    ) == [
        ("again.jsonl", 15, 15, 0),
        ("events_conv_respelt.jsonl", 15, 0, 15),
        ("notes.jsonl", 2, 1, 1),
        ("sorted.jsonl", 15, 0, 15),
    ]
    assert (
        built.value(
            "select event_count from conversation_state where conversation_id='conv_alike'"
        )
        == 5
    )


def test_lines_add_up_as_in_python(built: Project, folder: OutputFolder) -> None:
    """Counts of every file are those of an independent reading."""
    assert built.query(
        "select source_file, line_count, event_count, duplicate_count, rejected_count"
        " from event_files order by all"
    ) == sorted(
        (name, c.line_count, c.event_count, c.duplicate_count, c.rejected_count)
        for name, c in Logs(folder.path).files.items()
    )


def test_two_experiments_of_one_id(built: Project) -> None:
    """A folder that was copied to begin another with is another experiment."""
    final = f"experiment_000000d1@{LATER:%Y-%m-%dT%H:%M:%S}"
    assert built.query(
        "select experiment_id, name, conversations from experiment_dashboard"
        " where starts_with(experiment_id, 'experiment_000000d') order by all"
    ) == [
        ("experiment_000000d1", "pilot", 1),
        (final, "copy of the final run", 2),
        ("experiment_000000d2", "e renamed", 1),
    ]
    assert built.query(
        "select conversation_id, experiment_id from conversations where conversation_id"
        " in ('conv_pilot', 'conv_final', 'conv_unlisted') order by all"
    ) == [
        ("conv_final", final),
        ("conv_pilot", "experiment_000000d1"),
        ("conv_unlisted", final),
    ]
