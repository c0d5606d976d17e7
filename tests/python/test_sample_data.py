"""The bundled sample is what its generator writes and what pidgin-ai 1.1.0 would write.

The strongest check is a replay: Pidgin itself runs every experiment of the sample once
more, with its network calls replaced by the replies, errors and interrupts that the
sample recorded, and must write the same events and the same manifest, times apart.
"""

import asyncio
import copy
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

Json = dict[str, Any]

SAMPLE_DATA = Path(__file__).parents[2] / "sample_data"
EXPERIMENTS = SAMPLE_DATA / "pidgin_output" / "experiments"
MANIFESTS = sorted(EXPERIMENTS.glob("*/manifest.json"))
LOGS = sorted(EXPERIMENTS.glob("*/events_*.jsonl"))

SIZE_LIMIT_BYTES = 3_000_000
# Recorded in both, but necessarily different in a replay.
TIME_KEYS = {
    "timestamp",
    "created_at",
    "started_at",
    "completed_at",
    "last_updated",
    "duration_ms",
    "current_usage_rate",
}
# Written by 1.1.0, yet unknown to its reader.
UNREADABLE_TYPES = {"ContextLimitEvent", "EmptyResponseEvent"}

each_log = pytest.mark.parametrize(
    "log", LOGS, ids=lambda log: f"{log.parent.name}-{log.stem}"
)
each_manifest = pytest.mark.parametrize(
    "manifest", MANIFESTS, ids=lambda manifest: manifest.parent.name
)


def pidgin(module: str) -> Any:
    """Import a module of Pidgin, late: it takes seconds, and has few types."""
    return importlib.import_module(f"pidgin.{module}")


def read_events(log: Path) -> list[Json]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def read_manifest(manifest: Path) -> Json:
    content: Json = json.loads(manifest.read_text())
    return content


def without_times(value: Any) -> Any:
    """Replace what a replay cannot repeat by the name of its type."""
    if isinstance(value, dict):
        return {
            key: type(item).__name__ if key in TIME_KEYS else without_times(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [without_times(item) for item in value]
    return value


def as_text(value: Any) -> str:
    """Write a value in a form in which the order of keys matters."""
    return json.dumps(without_times(value), indent=1)


@dataclass
class Step:
    """What the sample says about one request: the wait before it, what came of it."""

    wait_time: float
    outcome: list[Json]

    def event(self, event_type: str) -> Json | None:
        """Return the first event of a type among those that followed the request."""
        for event in self.outcome:
            if event["event_type"] == event_type:
                return event
        return None


def steps_of(events: list[Json]) -> deque[Step]:
    steps: deque[Step] = deque()
    wait_time = 0.0
    for event in events:
        if event["event_type"] == "RateLimitPaceEvent":
            wait_time = event["wait_time"]
        elif event["event_type"] == "MessageRequestEvent":
            steps.append(Step(wait_time, []))
            wait_time = 0.0
        elif steps:
            steps[-1].outcome.append(event)
    return steps


class Replay:
    """Makes Pidgin live through a recorded experiment once more."""

    # Kept for all replays, because each real one loads its certificates anew.
    _built: ClassVar[dict[str, Any]] = {}

    def __init__(self, source: Path) -> None:
        """Read the recording."""
        self.manifest = read_manifest(source / "manifest.json")
        self.stalled = asyncio.Event()
        self._source = source
        self._conversations = iter(self.manifest["conversations"].items())
        self._steps: deque[Step] = deque()
        self._step = Step(0.0, [])

    async def run(self, target: Path) -> Path:
        """Run the experiment and return the folder that holds what Pidgin wrote."""
        config = pidgin("experiments.config").ExperimentConfig(
            **self.manifest["config"]
        )
        written = target / "live" / self._source.name
        running = asyncio.create_task(
            pidgin("experiments.runner")
            .ExperimentRunner(written.parent)
            .run_experiment_with_id(
                self.manifest["experiment_id"], written.name, config
            )
        )
        stalled = asyncio.create_task(self.stalled.wait())
        await asyncio.wait({running, stalled}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            # As found while it runs; ending it would change the files.
            written = Path(shutil.copytree(written, target / "stalled" / written.name))
            running.cancel()
        stalled.cancel()
        # The reply to an interrupted request comes late, that to a stalled one never.
        others = asyncio.all_tasks() - {asyncio.current_task()}
        _, unanswered = await asyncio.wait(others, timeout=0.6)
        for task in unanswered:
            task.cancel()
        return written

    def next_id(self) -> SimpleNamespace:
        """Stand in for uuid4, which Pidgin asks once per conversation."""
        conversation_id, entry = next(self._conversations)
        self._steps = steps_of(read_events(self._source / entry["jsonl"]))
        return SimpleNamespace(hex=conversation_id.removeprefix("conv_"))

    async def acquire(self, *_: Any) -> float:
        """Stand in for the rate limiter, which Pidgin asks before every request."""
        self._step = self._steps.popleft()
        return self._step.wait_time

    def waiting(self, original: Any) -> Any:
        """Wrap the wait for a reply, to let a recorded timeout pass quickly."""

        async def wait(*args: Any) -> Any:
            if self._step.event("ProviderTimeoutEvent"):
                raise TimeoutError
            return await original(*args)

        return wait

    async def provider(self, model_id: str, **_: Any) -> Any:
        """Build Pidgin's own provider, but let it say what the sample recorded."""
        build = pidgin("providers.builder").build_provider
        if model_id not in self._built:
            self._built[model_id] = await build(model_id)
        provider = copy.copy(self._built[model_id])
        if model_id != "silent:none":
            provider.stream_response = lambda *_, **__: self._stream(provider)
        return provider

    async def _stream(self, provider: Any) -> AsyncIterator[Any]:
        step = self._step
        provider._last_usage = None
        failure = step.event("APIErrorEvent") or step.event("ContextLimitEvent")
        if failure:
            # A bare one, as Pidgin's providers raise: the type's name is evidence.
            raise Exception(failure["error_message"])
        if step.event("EmptyResponseEvent"):
            return
        if step.event("InterruptRequestEvent"):
            # Between two of Pidgin's looks at the flag, so that the turn completes.
            await asyncio.sleep(0)
            signal.raise_signal(signal.SIGINT)
        elif step.event("ConversationPausedEvent"):
            signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(0.4)
        reply = step.event("MessageCompleteEvent")
        if reply is None:
            if not step.event("ProviderTimeoutEvent"):
                self.stalled.set()
            await asyncio.Event().wait()
            return
        chunk = pidgin("providers.base").ResponseChunk
        thoughts = step.event("ThinkingCompleteEvent")
        if thoughts:
            yield chunk(thoughts["thinking_content"], "thinking")
        yield chunk(reply["message"]["content"], "response")
        provider._last_usage = {
            key: reply[key] for key in reply if key.endswith("_tokens")
        }


@pytest.fixture(scope="module")
def cli_process(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Start the command line; it needs a while, and the replays go on beside it."""
    home = tmp_path_factory.mktemp("cli")
    command = Path(sys.executable).with_name("pidgin")
    found = str(command) if command.exists() else shutil.which("pidgin")
    assert found, "the pidgin command of pidgin-ai 1.1.0 is not installed"
    arguments = "run -a local:test -b local:test -t 2 -n offline --tail -p Hi"
    with subprocess.Popen(
        [found, *arguments.split()],
        cwd=home,
        env=os.environ | {"HOME": str(home), "PWD": str(home)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as process:
        yield process, home
        process.kill()


@pytest.fixture(scope="module")
def cli_run(cli_process: tuple[subprocess.Popen[bytes], Path]) -> Path:
    """Return the folder of an experiment run offline by the command line."""
    process, home = cli_process
    assert process.wait(timeout=60) == 0
    (written,) = (home / "pidgin_output" / "experiments").iterdir()
    # Pidgin notes the end of an experiment after its command has come to an end.
    end = time.monotonic() + 60
    while not read_manifest(written / "manifest.json").get("completed_at"):
        assert time.monotonic() < end
        time.sleep(0.2)
    return written


@pytest.fixture(scope="module")
def replays(
    tmp_path_factory: pytest.TempPathFactory, cli_process: object
) -> dict[str, Path]:
    """Return every experiment as Pidgin writes it, by the name of its folder."""
    home = tmp_path_factory.mktemp("replays")
    return {
        manifest.parent.name: asyncio.run(replay(manifest.parent, home))
        for manifest in MANIFESTS
    }


async def replay(source: Path, home: Path) -> Path:
    recorded = Replay(source)
    runner = pidgin("experiments.runner")
    setup = pidgin("experiments.experiment_setup")
    handler = pidgin("core.message_handler").MessageHandler
    limiter = pidgin("core.rate_limiter").StreamingRateLimiter
    wait = "_wait_for_message_with_interrupt"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("ANTHROPIC_API_KEY", "sk-ant-none")
        patch.setenv("OPENAI_API_KEY", "sk-none")
        patch.setattr(runner, "uuid", SimpleNamespace(uuid4=recorded.next_id))
        patch.setattr("rich.console.Console.print", lambda *_, **__: None)
        # Pidgin's import and its transcripts take long and add no events.
        patch.setattr(runner, "PostProcessor", NoPostProcessor)
        patch.setattr(setup, "get_provider_for_model", recorded.provider)
        patch.setattr(limiter, "acquire", recorded.acquire)
        patch.setattr(handler, wait, recorded.waiting(getattr(handler, wait)))
        return await recorded.run(home)


class NoPostProcessor:
    """Stands in for Pidgin's PostProcessor."""

    def __init__(self, *_: Any) -> None:
        """Subscribe to nothing."""

    async def wait_for_completion(self) -> None:
        """Return at once."""


def test_the_sample_is_what_the_generator_writes(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-B", SAMPLE_DATA / "generate.py", "--output", tmp_path],
        check=True,
        timeout=60,
    )

    def contents(root: Path) -> dict[str, bytes]:
        files = (path for path in root.rglob("*") if path.is_file())
        return {str(path.relative_to(root)): path.read_bytes() for path in files}

    assert contents(SAMPLE_DATA / "pidgin_output") == contents(tmp_path)


def test_the_sample_is_small() -> None:
    size = sum(path.stat().st_size for path in [*LOGS, *MANIFESTS])
    assert 0 < size < SIZE_LIMIT_BYTES


@each_log
def test_lines_are_compact_and_whole(log: Path) -> None:
    text = log.read_text()
    assert text.endswith("\n")
    for line in text.splitlines():
        assert line.isascii()
        assert line == json.dumps(json.loads(line), separators=(",", ":"))


@each_log
def test_events_equal_those_of_a_replay(log: Path, replays: dict[str, Path]) -> None:
    written = replays[log.parent.name] / log.name
    assert as_text(read_events(log)) == as_text(read_events(written))


@each_manifest
def test_manifest_equals_that_of_a_replay(
    manifest: Path, replays: dict[str, Path]
) -> None:
    written = replays[manifest.parent.name] / manifest.name
    content = read_manifest(manifest)
    assert manifest.read_text() == json.dumps(content, indent=2)
    assert as_text(content) == as_text(read_manifest(written))


def shape(value: Any) -> Any:
    """Reduce a value to its keys, in order; of a list, only its first item counts."""
    if isinstance(value, dict):
        return [(key, shape(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return None


def test_keys_equal_those_of_a_run_by_the_command_line(cli_run: Path) -> None:
    real_events = [
        event for log in cli_run.glob("events_*.jsonl") for event in read_events(log)
    ]
    expected = {event["event_type"]: shape(event) for event in real_events}
    assert len(expected) == 7
    for log in LOGS:
        for event in read_events(log):
            if event["event_type"] in expected:
                assert shape(event) == expected[event["event_type"]]


def test_manifest_keys_equal_those_of_a_run_by_the_command_line(cli_run: Path) -> None:
    real = read_manifest(cli_run / "manifest.json")
    (expected,) = (shape(entry) for entry in real.pop("conversations").values())
    for path in MANIFESTS:
        manifest = read_manifest(path)
        thinks = manifest["config"]["think"]
        for entry in manifest.pop("conversations").values():
            if thinks:
                for agent_id in ("agent_a", "agent_b"):
                    entry["token_usage"][agent_id].pop("thinking_tokens")
            assert shape(entry) == expected
        if manifest["status"] == "running":
            manifest["completed_at"] = None
        assert shape(manifest) == shape(real)


@each_log
def test_scores_equal_those_of_pidgins_calculator(log: Path) -> None:
    calculator = pidgin("analysis.convergence").ConvergenceCalculator()
    said: list[SimpleNamespace] = []
    turns = [e for e in read_events(log) if e["event_type"] == "TurnCompleteEvent"]
    assert turns
    for event in turns:
        said += [SimpleNamespace(**message) for message in event["turn"].values()]
        assert event["convergence_score"] == calculator.calculate(said)


@each_log
def test_pidgin_reads_every_line(log: Path) -> None:
    reader = pidgin("io.event_deserializer").EventDeserializer()
    events = read_events(log)
    read = dict(reader.read_jsonl_events(log))
    assert list(read) == list(range(1, len(events) + 1))
    for number, event in enumerate(events, start=1):
        if event["event_type"] not in UNREADABLE_TYPES:
            assert type(read[number]).__name__ == event["event_type"]


@each_log
def test_times_are_utc_outside_and_local_inside(log: Path) -> None:
    previous = requested = datetime(2026, 1, 1, tzinfo=UTC)
    for event in read_events(log):
        moment = datetime.fromisoformat(event["timestamp"])
        assert moment.utcoffset() == timedelta(0)
        assert moment > previous
        previous = moment
        if event["event_type"] == "MessageRequestEvent":
            requested = moment
        elif event["event_type"] == "MessageCompleteEvent":
            local = datetime.fromisoformat(event["message"]["timestamp"])
            assert local.tzinfo is None
            written = (local - timedelta(hours=1)).replace(tzinfo=UTC)
            assert timedelta(0) < moment - written < timedelta(milliseconds=1)
            took = timedelta(milliseconds=event["duration_ms"])
            assert (
                timedelta(0) <= written - requested - took < timedelta(milliseconds=1)
            )


class FakeTime:
    """A clock for Pidgin's limiters that follows the sample."""

    def __init__(self) -> None:
        """Start at no time in particular."""
        self.now = 0.0

    def time(self) -> float:
        """Stand in for time.time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Stand in for asyncio.sleep."""
        self.now += seconds

    def follow(self, event: Json) -> None:
        """Move to the time of an event."""
        self.now = datetime.fromisoformat(event["timestamp"]).timestamp()


@each_log
def test_waits_are_those_of_pidgins_rate_limiter(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeTime()
    module = pidgin("core.rate_limiter")
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(module, "asyncio", clock)
    limiter = module.StreamingRateLimiter(pidgin("config.config").Config())
    names = pidgin("core.name_coordinator").NameCoordinator()
    handler = pidgin("core.message_handler").MessageHandler(None, limiter, names)
    events = read_events(log)
    models = {}
    recorded = 0.0
    for previous, event in pairwise(events):
        if event["event_type"] == "ConversationStartEvent":
            models = {
                "agent_a": event["agent_a_model"],
                "agent_b": event["agent_b_model"],
            }
        elif event["event_type"] == "RateLimitPaceEvent":
            recorded = event["wait_time"]
            clock.follow(previous)
        elif event["event_type"] == "MessageRequestEvent":
            if not recorded:
                clock.follow(previous)
            model = models[event["agent_id"]]
            said = [SimpleNamespace(**each) for each in event["conversation_history"]]
            tokens = handler._estimate_payload_tokens(said, model) + 500
            provider = names.get_provider_name(model)
            waited = asyncio.run(limiter.acquire(provider, tokens))
            assert waited == pytest.approx(recorded, abs=0.02 if recorded else 0.1)
            recorded = 0.0


@each_manifest
def test_usage_rates_are_those_of_pidgins_token_tracker(
    manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeTime()
    module = pidgin("providers.token_tracker")
    monkeypatch.setattr(module, "time", clock)
    tracker = module.GlobalTokenTracker(pidgin("config.config").Config())
    events = [
        event
        for log in manifest.parent.glob("events_*.jsonl")
        for event in read_events(log)
        if event["event_type"] == "TokenUsageEvent"
    ]
    for event in sorted(events, key=lambda event: str(event["timestamp"])):
        clock.follow(event)
        provider = event["provider"].lower()
        tracker.record_usage(provider, event["tokens_used"], event["model"])
        stats = tracker.get_usage_stats(provider)
        assert event["tokens_per_minute_limit"] == stats["rate_limit"]
        assert event["current_usage_rate"] == stats["current_rate"]


def test_readme_names_every_experiment() -> None:
    readme = (SAMPLE_DATA / "README.md").read_text()
    names = [read_manifest(path)["name"] for path in MANIFESTS]
    assert [name for name in names if f"`{name}`" not in readme] == []
