"""What is to be forgotten is gone for good, from tables, stores, archives and bytes."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from conftest import ProjectMaker
from helpers.harness import Project, assert_same_contents
from writers.logs import START, OutputFolder, conversation, manifest

from pidgin_analytics.archive.forget import without_conversations
from pidgin_analytics.archive.verify import (
    ArchivedFile,
    archive_problem,
    archived_files,
)

HOSTILE = "o'brien\"; drop table x; --%"
# By conversation, a word that nothing else says.
SECRETS = {
    "alone": "Rumpelstilzchen",
    "shared": "Schneewittchen",
    HOSTILE: "Dornröschen",
    "packed": "Rapunzel",
    "boxed": "Aschenputtel",
    "ended": "Rotkäppchen",
    "begun": "Hänsel",
}
KEPT = ("beside", "left", "stays")


def talk(name: str) -> list[str]:
    """Write the log of a conversation that says its word."""
    word = SECRETS.get(name, "nothing")
    texts = [(f"I am {word} and {n}.", f"{word}? {'So ' * n}") for n in range(4)]
    return conversation(name, texts)


def write(folder: OutputFolder, names: set[str]) -> None:
    """Write an output folder in which only these conversations are."""

    def lines(*conversations: str) -> list[str]:
        return [line for name in conversations if name in names for line in talk(name)]

    def entry(experiment: str, *conversations: str) -> None:
        listed = [name for name in conversations if name in names]
        described = manifest(experiment, listed, config={})
        for name in listed:
            described["conversations"][name]["error"] = f"{SECRETS.get(name)} failed"
        folder.write(f"one_{experiment[-8:]}/manifest.json", described)

    # Logs of one conversation, and of two with lines that are none.
    if "alone" in names:
        folder.write("one_00000001/alone.jsonl", [*lines("alone"), SECRETS["alone"]])
    torn = [talk("shared")[1][:-9] + SECRETS["shared"]] if "shared" in names else []
    folder.write(
        "one_00000001/two.jsonl", [*lines("shared", "beside"), *torn, "no event"]
    )
    folder.write("one_00000001/hostile.jsonl", lines(HOSTILE, "left"))
    entry("experiment_00000001", "alone", "shared", "beside", HOSTILE, "left")
    # One experiment that is archived with two conversations in a log, and in one that
    # is not lines alone.
    folder.write("one_00000002/two.jsonl", lines("packed", "stays"))
    folder.write(
        "one_00000002/bytes.jsonl",
        b"\xff\n" + "\r\n".join(lines("boxed", "last")).encode(),
    )
    entry("experiment_00000002", "packed", "stays", "boxed", "last")
    # Experiments that go whole, one archived and one not, with what is no event beside.
    for experiment, name in (("3", "ended"), ("4", "begun")):
        if name in names:
            folder.write(f"one_0000000{experiment}/log.jsonl", lines(name))
            folder.write(f"one_0000000{experiment}/torn.jsonl", SECRETS[name])
            entry(f"experiment_0000000{experiment}", name)


@dataclass(frozen=True)
class Case:
    """A warehouse with something to forget, and what is to be left."""

    folder: OutputFolder
    project: Project
    rest: dict[str, list[str]]


ALL = {*SECRETS, *KEPT, "last"}
CHOSEN = (
    *("alone", "shared", HOSTILE, "packed", "boxed"),
    *("experiment_00000003", "experiment_00000004"),
)


def tables(project: Project) -> dict[str, list[str]]:
    """Return the marts, but for where lines are, which others have otherwise."""
    with project.opened() as connection:
        found = {}
        for name, columns in connection.execute(
            "select table_name, string_agg(column_name, ', ' order by ordinal_position)"
            " from information_schema.columns where table_schema = 'main'"
            " and table_name not in ('archive_candidates', 'event_files')"
            " and column_name not in ('fingerprint', 'line_number', 'is_archived')"
            " group by table_name"
        ).fetchall():
            rows = connection.execute(f"select {columns} from {name}").fetchall()
            found[name] = sorted(map(repr, rows))
        return found


def archive(project: Project, *experiments: str) -> None:
    """Archive experiments, and build."""
    options = [option for name in experiments for option in ("--experiment", name)]
    outcome = project.command("archive", "--older-than-days", "0", *options)
    assert outcome.success, outcome.text


@pytest.fixture(scope="module")
def case(project: ProjectMaker, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Build a folder, and one of the same path in which nothing is to be forgotten."""
    path = tmp_path_factory.mktemp("forget") / "output"
    write(OutputFolder(path), ALL - SECRETS.keys())
    fresh = project(path)
    fresh.build_only()
    archive(fresh, "experiment_00000002")
    rest = tables(fresh)
    shutil.rmtree(path)

    folder = OutputFolder(path)
    write(folder, ALL)
    made = project(path)
    made.build_only()
    archive(made, "experiment_00000002", "experiment_00000003")
    return Case(folder, made, rest)


def all_text(path: Path) -> str:
    """Return all that a warehouse's or an archive's tables hold, and their bytes."""
    text = path.read_bytes().decode("latin-1")
    with duckdb.connect() as connection:
        if path.suffix == ".parquet":
            for file in archived_files(path):
                text += file.content.decode("utf-8", "replace")
            text += repr(connection.read_parquet(str(path)).fetchall())
            return text
        connection.execute(f"attach '{path}' as pidgin (read_only)")
        for name in connection.execute(
            "select 'pidgin.' || schema_name || '.' || table_name from duckdb_tables()"
        ).fetchall():
            text += repr(connection.execute(f"from {name[0]}").fetchall())
    return text


def said(text: str) -> list[str]:
    """Return the words that a text says, also in bytes read as Latin-1."""
    return [
        word
        for word in SECRETS.values()
        if word in text or word.encode().decode("latin-1") in text
    ]


def test_forget(case: Case) -> None:
    """It is gone, whatever comes after, and all else is as if it had never been."""
    project, folder = case.project, case.folder
    boxes = sorted((folder.path / "archive").rglob("*.parquet"))
    assert len(boxes) == 2
    before = project.contents()
    packed = [box.read_bytes() for box in boxes]
    # In tables and in bytes that can be found.
    assert len(said(all_text(project.warehouse))) == len(SECRETS)
    assert said(project.warehouse.read_bytes().decode("latin-1"))
    assert said("".join(map(all_text, boxes))) == [
        "Rapunzel",
        "Aschenputtel",
        "Rotkäppchen",
    ]

    unknown = project.command("forget", "alone", "nobody", "x' or 1=1")
    assert not unknown.success
    assert "experiment here: nobody, x' or 1=1" in "\n".join(unknown.errors)
    outcome = project.command("forget", "--dry-run", *CHOSEN)
    assert outcome.success, outcome.text
    assert "experiment experiment_00000004 would be forgotten" in outcome.text
    assert_same_contents(project.contents(), before)
    assert [box.read_bytes() for box in boxes] == packed

    outcome = project.command("forget", *CHOSEN)
    assert outcome.success, outcome.text
    assert said(all_text(project.warehouse)) == []
    left = [box for box in boxes if box.exists()]
    assert len(left) == 1
    assert said(all_text(left[0])) == []
    assert archive_problem(str(left[0])) is None
    assert_same_contents(tables(project), case.rest)
    assert project.query(
        "select split_part(source_file, '/', -2), split_part(source_file, '/', -1),"
        " forgotten_count, event_count, rejected_count from event_files order by all"
    ) == [
        ("one_00000001", "alone.jsonl", 19, 0, 0),
        ("one_00000001", "hostile.jsonl", 18, 18, 0),
        ("one_00000001", "two.jsonl", 19, 18, 1),
        ("one_00000002", "bytes.jsonl", 18, 18, 1),
        ("one_00000002", "two.jsonl", 18, 18, 0),
        ("one_00000003", "log.jsonl", 18, 0, 0),
        ("one_00000003", "torn.jsonl", 1, 0, 0),
        ("one_00000004", "log.jsonl", 18, 0, 0),
        ("one_00000004", "torn.jsonl", 1, 0, 0),
    ]

    # Whatever is read again, or can be read no more.
    for log in folder.path.rglob("*.json*"):
        folder.touch(log)
    project.build("--full-refresh")
    assert_same_contents(tables(project), case.rest)
    assert said(all_text(project.warehouse)) == []
    # The same again is no error, and an archive that comes back stays out.
    outcome = project.command("forget", *CHOSEN[-2:], CHOSEN[0])
    assert outcome.success, outcome.text
    for box, content in zip(boxes, packed, strict=True):
        box.parent.mkdir(exist_ok=True)
        box.write_bytes(content)
    for log in folder.path.rglob("*.json*"):
        log.unlink()
    project.build()
    assert_same_contents(tables(project), case.rest)


def test_of_two_conversations_on_a_line_one_stays() -> None:
    """In archives as in the event store, parts of a line belong to whom they name."""
    one, other = talk("alone"), talk("beside")
    torn = other[2][:60]
    lines = [a + " " + b for a, b in zip(one, other, strict=True)]
    file = ArchivedFile("log.jsonl", "\n".join([*lines, torn + one[3]]).encode(), 0)
    left = without_conversations(file, ["alone"])
    assert left is not None
    assert [line.strip() for line in left.decode().split("\n")] == [*other, torn]
    everything = without_conversations(file, ["alone", "beside"])
    assert everything is None
    assert without_conversations(file, ["nobody"]) == file.content


def test_experiments_of_one_id_go_together(
    project: ProjectMaker, tmp_path: Path
) -> None:
    """Their logs say the same id, so that one alone cannot be taken out."""
    folder = OutputFolder(tmp_path / "output")
    for name, day in (("alone", 1), ("left", 2)):
        folder.write(f"{name}_000000aa/log.jsonl", talk(name))
        folder.write(
            f"{name}_000000aa/manifest.json",
            manifest(
                "experiment_000000aa",
                [name],
                name=name,
                created_at=f"2026-03-0{day}T12:00:00",
            ),
        )
    made = project(folder.path)
    made.build_only()
    first, second = (
        name
        for (name,) in made.query("select experiment_id from experiments order by 1")
    )
    before = made.contents()
    for name in (first, second):
        outcome = made.command("forget", name)
        assert not outcome.success
        assert f"name all of {first}, {second}" in "\n".join(outcome.errors)
    assert_same_contents(made.contents(), before)
    assert made.command("forget", first, second).success
    assert made.query("select * from experiments") == []
    assert said(all_text(made.warehouse)) == []


def test_an_id_that_another_experiment_has_stays_forgotten(
    project: ProjectMaker, tmp_path: Path
) -> None:
    """Also where the log is read again, and the other conversation is untouched."""
    folder = OutputFolder(tmp_path / "output")
    for number, name in enumerate(("left", "alone")):
        texts = [(f"I am {SECRETS.get(name)}.", f"So {name}.")]
        folder.write(
            f"q{number}/log.jsonl",
            conversation("shared id", texts, start=START + timedelta(days=number)),
        )
        folder.write(
            f"q{number}/manifest.json",
            manifest(f"experiment_000000b{number}", ["shared id"], name=name),
        )
    made = project(folder.path)
    made.build_only()
    assert len(made.query("select * from conversations")) == 2
    assert said(all_text(made.warehouse)) == ["Rumpelstilzchen"]
    assert made.command("forget", "experiment_000000b1").success
    rest = tables(made)
    assert said(all_text(made.warehouse)) == []
    for log in folder.path.rglob("*.json*"):
        folder.touch(log)
    made.build_only()
    assert said(all_text(made.warehouse)) == []
    assert_same_contents(tables(made), rest)
    assert len(made.query("select * from conversations")) == 1
