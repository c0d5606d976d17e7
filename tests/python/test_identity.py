"""What is one conversation, one experiment, one event, and which copy of it speaks.

Nearly all cases lie in one folder, which is built once; each has a test of its own.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from conftest import ProjectMaker
from helpers.harness import Project, assert_same_contents
from oracles.logs import Logs
from test_archives import contents
from writers.logs import (
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
    # Two writers at once left two events on a line.
    folder.write(
        "a second_000000a2/events_conv_same.jsonl",
        [*two[:3], two[3] + two[4], *two[5:]],
    )
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
    anonymous = json.dumps({"event_type": "ExperimentCompleteEvent", "value": 1})
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


def write_repeated_keys(folder: OutputFolder) -> None:
    """Write objects in which a key comes twice."""
    lines = conversation("conv_keys", ONE)
    lines[0] = twice(twice(lines[0], "max_turns", 1), "agent_a_model", "local:first")
    lines[2] = twice(twice(lines[2], "content", "Not this."), "prompt_tokens", 99)
    lines[4] = twice(twice(lines[4], "turn_number", 7), "convergence_score", 0.9)
    lines[6] = twice(lines[6], "conversation_id", "conv_first")
    lines[-1] = twice(twice(lines[-1], "event_type", "FooEvent"), "timestamp", None)
    folder.write("keys_000000e1/events_conv_keys.jsonl", lines)
    # What it means, and a line that looks like none of Pidgin's to begin with.
    folder.write(
        "keys_000000e1/plain.jsonl",
        [
            json.dumps(json.loads(lines[4])),
            twice(late("conv_keys"), "event_type", None),
        ],
    )
    folder.write(
        "keys_000000e1/manifest.json",
        '{"experiment_id": "experiment_000000ee",'
        ' "experiment_id": "experiment_000000e1", "name": "first",'
        ' "config": {"temperature": 1, "temperature": 0.5},'
        ' "conversations": {"conv_keys": {"status": "failed"},'
        ' "conv_keys": {"status": "running", "status": "completed"}}, "name": "last"}',
    )
    # June 2025, in a file that is not UTF-8 throughout, and in one that is.
    nested = [
        json.dumps(
            {
                "timestamp": f"2025-06-16T11:13:0{second}",
                "event_type": event.pop("event_type"),
                "data": event,
            },
            separators=(",", ":"),
        )
        for second, event in enumerate(map(json.loads, conversation("chat_keys", TWO)))
    ]
    nested[3] = twice(
        twice(nested[3], "event_type", "FooEvent"), "content", "Not this."
    )
    nested[4] = twice(twice(nested[4], "convergence_score", 0.9), "data", {"x": 1})
    folder.write("conversations/2025-06-16/chat_keys/events.jsonl", nested)
    folder.write(
        "binary_000000e2/binary.jsonl",
        b"\xff\n" + twice(late("conv_binary"), "prompt", "Not this.").encode() + b"\n",
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> OutputFolder:
    """Write all cases."""
    made = OutputFolder(tmp_path_factory.mktemp("identity") / "pidgin_output")
    for write in (
        write_same_id,
        write_one_id,
        write_respelt,
        write_templates,
        write_repeated_keys,
    ):
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
    assert built.query(
        "select event_count from conversation_state"
        " where conversation_id = 'conv_alike'"
    ) == [(5,)]


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


def test_last_of_a_key_counts(built: Project, folder: OutputFolder) -> None:
    """As in Python, in the envelope, in what is nested and in manifests."""
    assert built.query(
        "select conversation_id, conversations.experiment_id, name, turn_count,"
        " conversations.manifest_status, max_turns, agent_a_model, final_convergence,"
        " temperature_a from conversations join experiments using (experiment_id)"
        " where conversation_id in ('conv_keys', 'conv_first') order by all"
    ) == [
        (
            *("conv_keys", "experiment_000000e1", "last", 2, "completed"),
            *(9, "local:test", 0.375, 0.5),
        )
    ]
    assert built.query(
        "select conversation_id, status, turn_count, final_convergence"
        " from conversations where conversation_id = 'chat_keys'"
    ) == [("chat_keys", "completed", 1, 0.25)]
    assert built.query(
        "select turn_number, content, prompt_tokens from messages"
        " where conversation_id in ('conv_keys', 'chat_keys') order by all"
    ) == sorted(
        (turn, text, 10)
        for replies in (ONE, TWO)
        for turn, reply in enumerate(replies)
        for text in reply
    )
    assert built.query(
        "select event_data ->> 'prompt' from events"
        " where conversation_id = 'conv_binary'"
    ) == [("Too late.",)]
    assert built.query(
        "select source_file, line_number, event_type, timestamp, conversation_id,"
        " turn_number, agent_id from events where regexp_matches(conversation_id,"
        " 'keys|first|binary') order by all"
    ) == sorted(
        (
            *(e.source_file, e.line_number, e.event_type, e.timestamp),
            *(e.conversation_id, e.turn_number, e.agent_id),
        )
        for e in Logs(folder.path).events
        if e.conversation_id in ("chat_keys", "conv_binary", "conv_keys")
    )


def test_archived_and_restored(
    built: Project, folder: OutputFolder, project: ProjectMaker
) -> None:
    """An archive holds what its own logs say, and the tables show the same."""
    before = contents(built)
    experiments = ["experiment_000000a1", A2, "experiment_000000e1"]
    for name in ("a copy", "z part", "z long"):
        # Copies elsewhere are no reason to leave an experiment where it is.
        assert (folder.path / name).is_dir()
    options = [option for name in experiments for option in ("--experiment", name)]
    outcome = built.command("archive", "--older-than-days", "0", *options)
    assert outcome.success, outcome.errors
    assert outcome.text.count(": archived") == len(experiments), outcome.text
    built.build_and_test()
    assert_same_contents(contents(built), before)
    outcome = built.command("restore", *experiments)
    assert outcome.success, outcome.errors
    assert_same_contents(contents(built), before)


def test_what_comes_and_goes(tmp_path: Any, project: ProjectMaker) -> None:
    """The copy that is still there speaks; names change only where they have to."""
    folder = OutputFolder(tmp_path / "out")
    path = folder.path
    listed = manifest("experiment_000000f1", ["conv_moved"], name="before")
    folder.write("a before/events_conv_moved.jsonl", conversation("conv_moved"))
    folder.write("a before/manifest.json", listed)
    folder.write("a_000000f2/events_conv_loose.jsonl", conversation("conv_loose"))
    folder.write("gone_000000f3/events_conv_gone.jsonl", conversation("conv_gone"))
    folder.write(
        "second_000000f4/events_conv_same.jsonl",
        conversation("conv_same", TWO, start=LATER),
    )
    built = project(path)
    built.build_only()

    # Two folders are renamed, one with its manifest, and one is deleted; a conversation
    # of an id that is taken comes in, which began before.
    (path / "a before").rename(path / "z after")
    folder.write("z after/manifest.json", listed | {"name": "after"})
    (path / "a_000000f2").rename(path / "z_000000f5")
    shutil.rmtree(path / "gone_000000f3")
    folder.write(
        "first_000000f6/events_conv_same.jsonl", conversation("conv_same", ONE)
    )
    built.build_and_test()
    sources = (
        "select conversation_id, name, conversations.experiment_id, turn_count,"
        " list_distinct(list(parse_path(source_file)[-2])), count(*)"
        " from conversations join experiments using (experiment_id)"
        " join events using (conversation_id) group by all order by all"
    )
    f3, f4, f5, f6 = (f"experiment_000000f{number}" for number in range(3, 7))
    same = [
        ("conv_same", f6, f6, 2, ["first_000000f6"], 10),
        (f"conv_same@{f4}", f4, f4, 1, ["second_000000f4"], 6),
    ]
    gone = ("conv_gone", f3, f3, 2, ["gone_000000f3"], 10)
    assert built.query(sources) == [
        gone,
        ("conv_loose", f5, f5, 2, ["z_000000f5"], 10),
        ("conv_moved", "after", "experiment_000000f1", 2, ["z after"], 10),
        *same,
    ]
    assert built.query("select name from experiments order by all") == [
        ("after",),
        (f3,),
        (f4,),
        (f5,),
        (f6,),
    ]

    # Nothing new, nothing changes.
    before = built.contents(rowids=True)
    built.build_only()
    assert_same_contents(built.contents(rowids=True), before)

    # The old folders are back, beside the new ones.
    shutil.copytree(path / "z after", path / "a before")
    folder.write("a before/manifest.json", listed)
    shutil.copytree(path / "z_000000f5", path / "a_000000f2")
    built.build_only()
    f2 = "experiment_000000f2"
    assert built.query(sources) == [
        gone,
        ("conv_loose", f2, f2, 2, ["a_000000f2"], 10),
        ("conv_moved", "before", "experiment_000000f1", 2, ["a before"], 10),
        *same,
    ]
    fresh = project(path)
    fresh.build_only()
    fresh_rows, rows = (
        {
            name: [row for row in project.rows(name) if "gone" not in row]
            for name in ("messages", "events", "incidents", "conversation_state")
        }
        for project in (fresh, built)
    )
    assert_same_contents(rows, fresh_rows)
