"""What can happen to an output folder, and a warehouse that follows it.

A change is a value, so that a history that fails can be read and typed in again. Files
are chosen by number among those that are there; a change that finds none does nothing.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from unittest import mock

from hypothesis import strategies as st
from writers.logs import (
    START,
    Conversation,
    Json,
    OutputFolder,
    as_line,
    joined,
    manifest,
)

from helpers.harness import ROOT, Project, assert_same_contents

# Logs of several eras, one of them in a copied folder; few, so that histories meet.
LOGS = (
    "experiments/one_00000001/events_a.jsonl",
    "experiments/one_00000001/events.jsonl",
    "experiments/two_00000002/events/b.jsonl",
    "backup of one_00000001/events_a.jsonl",
    "conversations/2025-06-16/111324_e4tgs/events.jsonl",
)
MANIFESTS = (
    "experiments/one_00000001/manifest.json",
    "experiments/two_00000002/manifest.json",
    "backup of one_00000001/manifest.json",
)
CONVERSATIONS = ("a", "b", "c", "conv_exp_00000003_0000000d")
# Words that can take each other's place in a file without changing its size.
FRUITS = ("apples", "lemons")
DEBRIS = (
    b"\n",
    b" \t\n",
    b"\r\n",
    b"{broken\n",
    b'{"no": "event"}\n',
    b"[1, 2]\n",
    b"\xff\xfe\n",
    b"\xc3",
)
MODELS = tuple(
    sorted(
        path.stem
        for path in (ROOT / "models").rglob("*.sql")
        if not path.stem.endswith("_as_of")
    )
)
# Nothing in a history changes what people may correct.
WITHOUT_TESTS_AND_SEEDS = ("--exclude-resource-type", "test", "unit_test", "seed")
RELATIONS = (
    "select table_schema || '.' || table_name from information_schema.tables"
    " where table_schema in ('main', 'intermediate')"
)
MOMENTS = (START + timedelta(seconds=5), START + timedelta(days=365))


class Version(NamedTuple):
    """What a build can see of a file's state: size and modification time."""

    size: int
    modified: float


@dataclass(frozen=True)
class Story:
    """How a conversation goes; the longer one of two begins with the shorter."""

    conversation: str = "a"
    turns: int = 1
    fruit: str = FRUITS[0]
    is_ended: bool = True
    is_nested: bool = False

    def lines(self) -> list[str]:
        """Write the lines of its log."""
        maker = Conversation(self.conversation)
        events = [maker.begin(initial_prompt=f"Talk about {self.fruit}.")]
        for number in range(self.turns):
            events += self._turn(maker, number)
        if self.is_ended:
            events.append(maker.end("high_convergence"))
        return [
            as_line(_nested(event) if self.is_nested else event) for event in events
        ]

    def _turn(self, maker: Conversation, number: int) -> Iterator[Json]:
        question = f"I think we need {number} {self.fruit}, thank you! \u2192"
        answer = f"Perhaps {self.fruit}? {'Thank you. ' * number}"
        at_agent_b: dict[str, Any] = {"turn_number": number, "agent_id": "agent_b"}
        # The second turn of some fails, among turns that do not.
        if number == 1 and self.conversation in ("b", "c"):
            yield maker.event("APIError", **at_agent_b, error_message="overloaded")
            answer = "[API error: overloaded]"
        if number == 1 and self.conversation == "a":
            yield maker.event(
                "ThinkingComplete",
                **at_agent_b,
                thinking_content=f"What about {self.fruit}?",
                thinking_tokens=7,
            )
        if self.conversation == "c":
            yield maker.event(
                "TokenUsage", **at_agent_b, prompt_tokens=11, completion_tokens=number
            )
        yield from maker.turn(number, question, answer, score=0.3 + number / 8)


def _nested(event: Json) -> Json:
    """Write an event as in June 2025, in local time without an offset."""
    moment = datetime.fromisoformat(event.pop("timestamp")).replace(tzinfo=None)
    return {
        "timestamp": moment.isoformat(),
        "event_type": event.pop("event_type"),
        "data": event,
    }


@dataclass
class Inputs:
    """An output folder, with what it held before."""

    folder: OutputFolder
    # Every content that was ever written, with its file.
    past: list[tuple[str, bytes]] = field(default_factory=list)
    contents: dict[tuple[str, Version], bytes] = field(default_factory=dict)
    # What is missing of the last line of a file, as long as the file is as it is here.
    torn: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)

    def names(self) -> list[str]:
        """Name the files that are there."""
        return sorted(
            str(path.relative_to(self.folder.path))
            for path in self.folder.path.rglob("*")
            if path.is_file()
        )

    def pick(self, number: int, suffix: str = "") -> str | None:
        """Choose a file among those that are there."""
        names = [name for name in self.names() if name.endswith(suffix)]
        return names[number % len(names)] if names else None

    def read(self, name: str) -> bytes:
        """Return what a file holds."""
        return (self.folder.path / name).read_bytes()

    def write(self, name: str, content: bytes | Json | Iterable[str]) -> None:
        """Write a file, at a time of its own."""
        path = self.folder.write(name, content)
        self.past.append((name, path.read_bytes()))

    def version(self, name: str) -> Version:
        """Return what tells this state of a file from its others, and remember it."""
        path = self.folder.path / name
        found = path.stat()
        version = Version(found.st_size, found.st_mtime)
        self.contents[name, version] = path.read_bytes()
        return version

    def restore(self, name: str, version: Version) -> None:
        """Put a file back as it was, with its time."""
        path = self.folder.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.contents[name, version])
        os.utime(path, (version.modified, version.modified))


class Change:
    """Something that happens to the files."""

    def apply(self, inputs: Inputs) -> None:
        """Make it happen."""
        raise NotImplementedError


@dataclass(frozen=True)
class Write(Change):
    """A log is new, or written anew; with a second story, the two alternate."""

    name: str
    story: Story
    other: Story | None = None

    def apply(self, inputs: Inputs) -> None:
        """Make it happen."""
        lines = self.story.lines()
        if self.other is not None:
            others = self.other.lines()
            pairs = list(zip(lines, others, strict=False))
            rest = lines[len(pairs) :] + others[len(pairs) :]
            lines = [line for pair in pairs for line in pair] + rest
        inputs.write(self.name, lines)


@dataclass(frozen=True)
class Grow(Change):
    """A log gets more lines of a story; the last of them may be torn."""

    number: int
    story: Story
    count: int
    missing: int = 0

    def apply(self, inputs: Inputs) -> None:
        """Make it happen."""
        name = inputs.pick(self.number, ".jsonl")
        if name is None:
            return
        content = inputs.read(name)
        present = content.decode(errors="replace").split("\n")
        lines = [line for line in self.story.lines() if line not in present]
        added = joined(lines[: self.count])
        whole = content + added
        missing = min(self.missing, len(added))
        inputs.write(name, whole[: len(whole) - missing])
        if missing:
            inputs.torn[name] = (inputs.read(name), whole[-missing:])


@dataclass(frozen=True)
class Complete(Change):
    """A torn line gets what it lacks."""

    number: int

    def apply(self, inputs: Inputs) -> None:
        """Make it happen."""
        for name in sorted(inputs.torn)[self.number % max(len(inputs.torn), 1) :][:1]:
            content, rest = inputs.torn.pop(name)
            if name in inputs.names() and inputs.read(name) == content:
                inputs.write(name, content + rest)


@dataclass(frozen=True)
class Spoil(Change):
    """A file gets bytes that are no event."""

    number: int
    debris: bytes

    def apply(self, inputs: Inputs) -> None:
        """Make it happen."""
        name = inputs.pick(self.number)
        if name is not None:
            inputs.write(name, inputs.read(name) + self.debris)


@dataclass(frozen=True)
class Late(Change):
    """A log gets an event that happened before, or at no known time."""

    number: int
    conversation: str
    seconds: int | None

    def apply(self, inputs: Inputs) -> None:
        """Make it happen."""
        name = inputs.pick(self.number, ".jsonl")
        if name is None:
            return
        maker = Conversation(self.conversation, count=-(self.seconds or 0))
        event = maker.event("SystemPrompt", prompt="Speak.")
        if self.seconds is None:
            event["timestamp"] = "no time"
        inputs.write(name, inputs.read(name) + joined([as_line(event)]))


@dataclass(frozen=True)
class Truncate(Change):
    """A file is cut, in the middle of a line or of a character."""

    number: int
    percent: int

    def apply(self, inputs: Inputs) -> None:
        """Make it happen."""
        name = inputs.pick(self.number)
        if name is not None:
            content = inputs.read(name)
            inputs.write(name, content[: len(content) * self.percent // 100])


@dataclass(frozen=True)
class Reword(Change):
    """A file says something else in as many bytes, a minute later."""

    number: int

    def apply(self, inputs: Inputs) -> None:
        """Make it happen."""
        name = inputs.pick(self.number)
        if name is None:
            return
        first, second = (fruit.encode() for fruit in FRUITS)
        inputs.write(
            name,
            re.sub(
                first + b"|" + second,
                lambda found: second if found[0] == first else first,
                inputs.read(name),
            ),
        )


@dataclass(frozen=True)
class Touch(Change):
    """A file has another time and the same content."""

    number: int

    def apply(self, inputs: Inputs) -> None:
        """Make it happen."""
        name = inputs.pick(self.number)
        if name is not None:
            inputs.write(name, inputs.read(name))


@dataclass(frozen=True)
class Revert(Change):
    """A file holds again what it once held."""

    number: int

    def apply(self, inputs: Inputs) -> None:
        """Make it happen."""
        if inputs.past:
            inputs.write(*inputs.past[self.number % len(inputs.past)])


@dataclass(frozen=True)
class Delete(Change):
    """A file goes away."""

    number: int

    def apply(self, inputs: Inputs) -> None:
        """Make it happen."""
        name = inputs.pick(self.number)
        if name is not None:
            (inputs.folder.path / name).unlink()


@dataclass(frozen=True)
class Move(Change):
    """A file is renamed or copied, keeping its time, maybe over another."""

    number: int
    target: int
    is_copy: bool

    def apply(self, inputs: Inputs) -> None:
        """Make it happen."""
        name = inputs.pick(self.number)
        if name is None:
            return
        targets = LOGS if name.endswith(".jsonl") else MANIFESTS
        source = inputs.folder.path / name
        target = inputs.folder.path / targets[self.target % len(targets)]
        if source == target:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        if self.is_copy:
            shutil.copy2(source, target)
        else:
            source.replace(target)


@dataclass(frozen=True)
class RenameFolder(Change):
    """An experiment's folder is renamed, with all that lies in it."""

    number: int

    def apply(self, inputs: Inputs) -> None:
        """Make it happen."""
        name = inputs.pick(self.number)
        if name is not None:
            source = (inputs.folder.path / name).parent
            target = source.with_name("renamed " + source.name[-12:])
            if not target.exists():
                source.rename(target)


@dataclass(frozen=True)
class WriteManifest(Change):
    """A manifest is new, or written anew, as Pidgin does at each update."""

    name: str
    experiment: int
    conversations: tuple[str, ...]
    label: str
    status: str
    planned: int

    def apply(self, inputs: Inputs) -> None:
        """Make it happen."""
        experiment_id = f"experiment_0000000{self.experiment}"
        inputs.write(
            self.name,
            manifest(
                experiment_id,
                self.conversations,
                name=self.label,
                status=self.status,
                total_conversations=self.planned,
                config={"temperature": len(self.label) / 10},
            ),
        )


numbers = st.integers(0, 9)
stories = st.builds(
    Story,
    st.sampled_from(CONVERSATIONS),
    st.integers(1, 3),
    st.sampled_from(FRUITS),
    st.booleans(),
    st.booleans(),
)
manifests = st.builds(
    WriteManifest,
    st.sampled_from(MANIFESTS),
    st.integers(1, 2),
    st.lists(st.sampled_from(CONVERSATIONS), max_size=3, unique=True).map(tuple),
    st.sampled_from(FRUITS),
    st.sampled_from(["running", "completed", "failed"]),
    st.integers(0, 3),
)
changes: st.SearchStrategy[Change] = st.one_of(
    st.builds(Write, st.sampled_from(LOGS), stories, st.none() | stories),
    manifests,
    st.builds(Grow, numbers, stories, st.integers(1, 8)),
    st.builds(Grow, numbers, stories, st.integers(1, 4), st.integers(1, 150)),
    st.builds(Complete, numbers),
    st.builds(Spoil, numbers, st.sampled_from(DEBRIS)),
    st.builds(
        Late, numbers, st.sampled_from(CONVERSATIONS), st.none() | st.integers(1, 90)
    ),
    st.builds(Truncate, numbers, st.integers(0, 99)),
    st.builds(Reword, numbers),
    st.builds(Touch, numbers),
    st.builds(Revert, st.integers(0, 50)),
    st.builds(Delete, numbers),
    st.builds(Move, numbers, numbers, st.booleans()),
    st.builds(RenameFolder, numbers),
)


class Follower:
    """A warehouse that follows an output folder, whatever happens to either."""

    def __init__(
        self, inputs: Inputs, project: Project, fresh: Callable[[], Project]
    ) -> None:
        """Begin without a warehouse; `fresh` makes projects without one."""
        self.inputs = inputs
        self.project = project
        self.fresh = fresh
        self.has_built = False
        # Of each file, which states the warehouse may hold; None for none at all. More
        # than one only after builds that were not whole.
        self.states: dict[str, list[Version | None]] = {}

    def build(self, *options: str) -> None:
        """Build the whole project; whatever was there before is seen now."""
        self.project.build(*WITHOUT_TESTS_AND_SEEDS, *options)
        self.has_built = True
        self._settle()
        for name in self.inputs.names():
            self.states[name] = [self.inputs.version(name)]

    def build_in_part(self, *options: str) -> None:
        """Build a selection."""
        self._may_be_read()
        self.project.build(*WITHOUT_TESTS_AND_SEEDS, *options)

    def build_until(self, statement: int) -> None:
        """Build the whole project, as far as a kill at this statement leaves it."""
        self._may_be_read()
        with at_statement(statement, die):
            self.project.dbt("build", *WITHOUT_TESTS_AND_SEEDS)

    def build_while(self, change: Change, statement: int) -> None:
        """Build the whole project; at this statement, a file changes."""
        done = threading.Event()

        def happen() -> None:
            if not done.is_set():
                done.set()
                change.apply(self.inputs)

        self._may_be_read()
        with at_statement(statement, happen):
            self.project.build(*WITHOUT_TESTS_AND_SEEDS)
        happen()

    def _may_be_read(self) -> None:
        for name in self.inputs.names():
            states = self.states.setdefault(name, [None])
            version = self.inputs.version(name)
            if version not in states:
                states.append(version)

    def _settle(self) -> None:
        """Ask which state of a file that is gone was read last, if that is open."""
        gone = {name for name in self.states if name not in self.inputs.names()}
        for name in gone:
            if len(self.states[name]) > 1:
                self.states[name] = [self._held(name)]

    def _held(self, name: str) -> Version | None:
        path = str(self.inputs.folder.path / name)
        store = (
            "stg_pidgin__event_lines where line_number = 0 and"
            if name.endswith(".jsonl")
            else "stg_pidgin__manifests where"
        )
        rows = self.project.query(
            f"select size_bytes, epoch(modified_at) from staging.{store}"
            " source_file = ?",
            [path],
        )
        held = Version(*rows[0]) if rows else None
        assert held in self.states[name], (name, held, self.states[name])
        return held

    def assert_equals_fresh_build(self) -> None:
        """Compare with a fresh build, before which what went away is put back.

        It goes away again and a second build follows, since of copies that speaks which
        is still there.
        """
        present = self.inputs.names()
        gone = {
            name: version
            for name, (version,) in self.states.items()
            if name not in present and version is not None
        }
        for name, version in gone.items():
            self.inputs.restore(name, version)
        fresh = self.fresh()
        try:
            fresh.build(*WITHOUT_TESTS_AND_SEEDS)
            if gone:
                self._remove(gone)
                fresh.build(*WITHOUT_TESTS_AND_SEEDS)
            assert_same_contents(contents(self.project), contents(fresh))
        finally:
            shutil.rmtree(fresh.home)
            self._remove(gone)

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            (self.inputs.folder.path / name).unlink(missing_ok=True)


def contents(project: Project) -> dict[str, list[str]]:
    """Return every row of every mart and of what they are built from."""
    states = {
        f"{moment} {function}": project.rows(f"{function}(timestamptz '{moment}')")
        for moment in MOMENTS
        for function in ("conversation_state_as_of", "experiment_dashboard_as_of")
    }
    return project.relations(RELATIONS) | states


def die() -> None:
    """Let nothing more reach the warehouse: what is not committed is lost."""
    raise RuntimeError("killed")


@contextlib.contextmanager
def at_statement(number: int, action: Callable[[], None]) -> Iterator[None]:
    """Act before each statement of builds in this process, from this one on."""
    from dbt.adapters.duckdb.environments.local import DuckDBCursorWrapper

    execute = DuckDBCursorWrapper.execute
    lock = threading.Lock()
    count = 0

    def counting(self: Any, sql: str, bindings: Any = None) -> Any:
        nonlocal count
        with lock:
            count += 1
            is_due = count > number
        if is_due:
            action()
        return execute(self, sql, bindings)  # type: ignore[no-untyped-call]

    with mock.patch.object(DuckDBCursorWrapper, "execute", counting):
        yield
