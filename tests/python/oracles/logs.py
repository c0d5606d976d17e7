"""An independent reading of a Pidgin output folder, in plain Python.

Written from the description of Pidgin's data, not from the SQL of the models, and with
other means (the json, re and datetime modules), so that a mistake in one of the two is
not repeated in the other. Clarity goes before speed.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import gzip
import itertools
import json
import math
import os
import re
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

Kind = Literal["blank", "event", "duplicate", "rejected", "pending"]
TurnKey = tuple[str, int]
MessageKey = tuple[str, int, str]

AGENTS = ("agent_a", "agent_b")
COMPLETED = {
    "max_turns",
    "max_turns_reached",
    "high_convergence",
    "convergence_threshold",
}
FAILED = {"error", "api_error", "exception"}
TURN_NUMBERS = range(1_000_000)
TOKENS = range(1_000_000_001)
MILLISECONDS = 100_000_000_000
YEARS = range(1970, 2200)
NO_REPLY = "[Unable to generate response due to API error]"
WHITESPACE = " \t\n\r\f"
# The names of Pidgin's events, of all versions, without their common ending.
KNOWN_EVENTS = {
    *("ConversationStart", "ConversationEnd", "ConversationBranched"),
    *("ConversationPaused", "ConversationResumed", "SystemPrompt"),
    *("TurnStart", "TurnComplete", "MessageRequest", "MessageChunk"),
    *("MessageComplete", "ThinkingComplete", "TokenUsage", "MetricsCalculated"),
    *("RateLimitPace", "Error", "APIError", "ProviderTimeout", "ContextLimit"),
    *("EmptyResponse", "ContextTruncation", "InterruptRequest"),
    *("ExperimentStart", "ExperimentComplete"),
    *("PostProcessingStart", "PostProcessingComplete"),
}
LOGS = r"(?s)(?!\._).*\.(?i:(jsonl|ndjson)(\.gz|\.zst)?)"
DOCUMENT_START = r'\{\s*"(?:conversation_id|timestamp|event_type|experiment_id)"\s*:'


@dataclass(frozen=True)
class Event:
    """One event, whatever the era of its envelope."""

    source_file: str
    line_number: int
    event_type: str
    timestamp: datetime | None
    conversation_id: str | None
    experiment_id: str | None
    turn_number: int | None
    agent_id: str | None
    fields: dict[str, Any]


@dataclass(frozen=True)
class Line:
    """One physical line of a log, or a part of one that holds several."""

    source_file: str
    line_number: int
    kind: Kind
    event: Event | None = None
    raw: bytes = b""


@dataclass(frozen=True)
class FileCounts:
    """What became of the lines of one file."""

    line_count: int
    event_count: int
    duplicate_count: int
    rejected_count: int
    pending_count: int


@dataclass(frozen=True)
class Turn:
    """A complete turn: what both said, and the score that was recorded."""

    completed_at: datetime | None
    score: float | None
    contents: dict[str, str | None]


@dataclass(frozen=True)
class Message:
    """What one agent said in one turn."""

    content: str | None
    sent_at: datetime | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    response_time_ms: int | None
    is_turn_complete: bool

    @property
    def is_api_error(self) -> bool:
        """Whether it is Pidgin's placeholder for a reply that never came."""
        return is_placeholder(self.content)

    @property
    def is_spoken(self) -> bool:
        """Whether somebody said this."""
        return self.content is not None and not self.is_api_error

    @property
    def tokens(self) -> list[str]:
        """Its words, as Pidgin counts them."""
        return re.findall(r"\b[\w']+\b", (self.content or "").lower())


@dataclass(frozen=True)
class State:
    """Where a conversation stands."""

    status: str
    end_reason: str | None
    turn_count: int
    event_count: int
    started_at: datetime | None
    ended_at: datetime | None
    last_event_at: datetime | None


@dataclass(frozen=True)
class Call:
    """One request to a model: as its provider reported it, or as Pidgin noted it."""

    is_reported: bool
    model: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    total_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None

    @property
    def billed_tokens(self) -> int | None:
        """Tokens billed as output, with thinking that only a report's total holds."""
        if self.is_reported and None not in (self.total_tokens, self.prompt_tokens):
            assert self.total_tokens is not None
            assert self.prompt_tokens is not None
            rest = self.total_tokens - self.prompt_tokens
            if rest >= 0:
                return max(rest, self.completion_tokens or 0)
        return self.completion_tokens


class Prices:
    """What a token of a model costs, from the seeds as they stand."""

    def __init__(self, folder: Path) -> None:
        """Read them."""
        with (folder / "model_aliases.csv").open(encoding="utf-8", newline="") as file:
            self.aliases = {
                key_of(row["logged_model"]): key_of(row["model"])
                for row in csv.DictReader(file)
            }
        with (folder / "model_prices.csv").open(encoding="utf-8", newline="") as file:
            self.rows = sorted(csv.DictReader(file), key=lambda row: row["valid_from"])

    def cost(self, usage: Usage, day: date | None) -> float | None:
        """Return what all calls cost in dollars; None if one of them is not known."""
        costs = [self._call_cost(call, day) for call in usage.calls]
        known = [cost for cost in costs if cost is not None]
        if not costs or len(known) < len(costs):
            return None
        return float(sum(known) / 1_000_000)

    def _call_cost(self, call: Call, day: date | None) -> Fraction | None:
        key = key_of(call.model or "")
        model = self.aliases.get(key, key)
        price = None
        for row in self.rows:
            is_valid = day is not None and row["valid_from"] <= day.isoformat()
            if key_of(row["model"]) == model and is_valid:
                price = row
        billed = call.billed_tokens
        if price is None or call.prompt_tokens is None or billed is None:
            return None
        prompt = Fraction(price["prompt_usd_per_million_tokens"])
        cached = {
            "read": call.cache_read_tokens or 0,
            "write": call.cache_write_tokens or 0,
        }
        cost = max(call.prompt_tokens - sum(cached.values()), 0) * prompt
        cost += billed * Fraction(price["completion_usd_per_million_tokens"])
        for kind, tokens in cached.items():
            text = price[f"cache_{kind}_usd_per_million_tokens"]
            cost += tokens * (Fraction(text) if text else prompt)
        return cost


def key_of(model: str) -> str:
    """Return what a model is looked up by."""
    return model.strip().lower()


@dataclass
class Usage:
    """The calls of one agent in one conversation, and what was logged of thinking."""

    calls: list[Call] = field(default_factory=list)
    thoughts: list[int | None] = field(default_factory=list)

    @property
    def is_reported(self) -> bool:
        """Whether all figures are the provider's."""
        return bool(self.calls) and all(call.is_reported for call in self.calls)

    @property
    def thinking_tokens(self) -> int | None:
        """The sum of what is known."""
        return added(self.thoughts)

    def total(self, name: str) -> int | None:
        """Add what is known of one figure of the calls."""
        return added(getattr(call, name) for call in self.calls)


@dataclass(frozen=True)
class Manifest:
    """What a manifest.json says."""

    source_file: str
    folder: str
    experiment_id: str
    is_readable: bool
    name: str | None
    updated_at: datetime
    conversation_ids: frozenset[str]


def split_lines(content: bytes) -> list[tuple[bytes, bool]]:
    r"""Split at \n, \r\n and lone \r; say of each line whether it is terminated."""
    pieces = re.split(rb"(\r\n|\n|\r)", content)
    lines = [(line, True) for line in pieces[:-1:2]]
    return [*lines, (pieces[-1], False)] if pieces[-1] else lines


def parse_line(content: bytes) -> tuple[str | None, dict[str, Any] | None]:
    """Return a line's text and its event; None where it has none."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None, None
    try:
        document = json.loads(text, parse_int=parse_integer)
    except (ValueError, RecursionError):
        return text, None
    if not isinstance(document, dict):
        return text, {}
    event_type = document.get("event_type")
    return text, document if isinstance(event_type, str) and event_type else {}


def what_is_said(content: bytes) -> str:
    """Write an event in one form, however its line writes it.

    A history counts by its length, since its text is not stored.
    """
    _, document = parse_line(content)
    document = dict(document or {})
    fields = document.get("data") or document
    history = fields.get("conversation_history") if isinstance(fields, dict) else None
    if isinstance(history, list):
        fields["conversation_history"] = len(history)
    try:
        return json.dumps(plain(document), sort_keys=True)
    except RecursionError:
        return content.decode()


def plain(value: Any) -> Any:
    """Write numbers by their value: 1.0 is 1."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def parse_integer(digits: str) -> float:
    """Return an integer; one of thousands of digits as a float."""
    return int(digits) if len(digits) < 1000 else float(digits)


def parts_of(raw: bytes) -> list[bytes]:
    """Part a line in which documents begin behind something else.

    A line stays whole if it is a document, or if none of its parts is an event.
    """
    text, document = parse_line(raw)
    if text is None or document is not None:
        return [raw]
    starts = [
        found.start()
        for found in re.finditer(DOCUMENT_START, text, re.ASCII)
        # The fields of an event of June 2025.
        if not re.search(r'"data"\s*:\s*$', text[: found.start()], re.ASCII)
    ]
    ends = [*starts[1:], None] if starts[:1] == [0] else [*starts, None]
    begins = starts if starts[:1] == [0] else [0, *starts]
    parts = [
        text[begin:end].strip(" \t").encode()
        for begin, end in zip(begins, ends, strict=True)
    ]
    parts = [part for part in parts if part]
    return parts if any(parse_line(part)[1] for part in parts) else [raw]


def read_lines(path: Path, timezone: str = "UTC") -> list[Line]:
    """Classify every line of one file, duplicates aside."""
    name = str(path)
    lines = []
    for number, (raw, is_terminated) in enumerate(
        split_lines(unpacked(path).removeprefix(b"\xef\xbb\xbf")), start=1
    ):
        if not raw.strip(WHITESPACE.encode()):
            lines.append(Line(name, number, "blank"))
            continue
        parts = parts_of(raw)
        for part in parts:
            _, document = parse_line(part)
            if document:
                event = make_event(name, number, document, timezone)
                lines.append(Line(name, number, "event", event, part))
            elif document is None and not is_terminated and part is parts[-1]:
                lines.append(Line(name, number, "pending"))
            else:
                lines.append(Line(name, number, "rejected"))
    if any(
        line.event.event_type.removesuffix("Event") in KNOWN_EVENTS
        for line in lines
        if line.event
    ):
        return lines
    # The log of another program.
    return [
        Line(name, line.line_number, "rejected") if line.event else line
        for line in lines
    ]


def unpacked(path: Path) -> bytes:
    """Return the bytes of a log, of a compressed one as far as it can be unpacked."""
    content = path.read_bytes()
    if not content.startswith(b"\x1f\x8b"):
        return content
    text = bytearray()
    with gzip.open(path) as file, contextlib.suppress(OSError, EOFError, zlib.error):
        while byte := file.read(1):
            text += byte
    return bytes(text) or content


def make_event(
    source_file: str, line_number: int, document: dict[str, Any], timezone: str
) -> Event:
    """Find the envelope of an event: flat, or with its fields under "data"."""
    fields = document
    if document.get("conversation_id") is None and isinstance(
        document.get("data"), dict
    ):
        fields = document["data"]
    return Event(
        source_file=source_file,
        line_number=line_number,
        event_type=document["event_type"],
        timestamp=parse_time(document.get("timestamp"), timezone),
        conversation_id=fields.get("conversation_id") or None,
        experiment_id=fields.get("experiment_id") or None,
        turn_number=whole_number(fields.get("turn_number"), TURN_NUMBERS),
        agent_id=fields.get("agent_id"),
        fields=fields,
    )


def parse_time(value: Any, timezone: str) -> datetime | None:
    """Return the moment; a time without an offset is one of the given zone."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    if moment.year not in YEARS:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(timezone))
    return moment.astimezone(UTC)


def whole_number(value: Any, limits: range = TOKENS) -> int | None:
    """Return an integer, also where it is written as a string or as 10.0."""
    result = number(value, limits[-1])
    return int(result) if result is not None and result.is_integer() else None


def number(value: Any, limit: float = 1) -> float | None:
    """Return a measurement from 0 to a limit; anything else is none."""
    if isinstance(value, bool):
        return None
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return result if 0 <= result <= limit else None


def milliseconds(value: Any) -> int | None:
    """Return a time, rounded."""
    result = number(value, MILLISECONDS)
    return None if result is None else math.floor(result + 0.5)


def readable(text: Any) -> str | None:
    """Return text with halves of surrogate pairs replaced, as UTF-8 demands."""
    if not isinstance(text, str):
        return None
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def added(numbers: Iterable[int | None]) -> int | None:
    """Add what is known; None where nothing is."""
    known = [value for value in numbers if value is not None]
    return sum(known) if known else None


def status_of(reason: str | None) -> str:
    """Map the reason of an end to a status, as Pidgin 1.1.0 does."""
    if reason in COMPLETED:
        return "completed"
    return "failed" if reason in FAILED else "interrupted"


def files_below(folder: Path, pattern: str) -> list[Path]:
    """Find files by their names, in every folder, not through links."""
    return sorted(
        path
        for parent, _, names in os.walk(folder)
        for name in names
        if re.fullmatch(pattern, name) and (path := Path(parent, name)).is_file()
    )


class Logs:
    """All logs and manifests below one folder."""

    def __init__(self, folder: Path, timezone: str = "UTC") -> None:
        """Read them."""
        self.folder = folder
        self.timezone = timezone
        self.lines: list[Line] = []
        seen: set[str] = set()
        for path in files_below(folder, LOGS):
            for line in read_lines(path, timezone):
                if line.kind == "event":
                    said = what_is_said(line.raw)
                    if said in seen:
                        line = Line(line.source_file, line.line_number, "duplicate")
                    seen.add(said)
                self.lines.append(line)
        self.events = [line.event for line in self.lines if line.event is not None]

    @functools.cached_property
    def files(self) -> dict[str, FileCounts]:
        """Count the lines of every file."""
        kinds: dict[str, Counter[Kind]] = {
            str(path): Counter() for path in files_below(self.folder, LOGS)
        }
        for line in self.lines:
            kinds[line.source_file][line.kind] += 1
        return {
            name: FileCounts(
                line_count=counts["event"] + counts["duplicate"] + counts["rejected"],
                event_count=counts["event"],
                duplicate_count=counts["duplicate"],
                rejected_count=counts["rejected"],
                pending_count=counts["pending"],
            )
            for name, counts in kinds.items()
        }

    @functools.cached_property
    def conversations(self) -> dict[str, list[Event]]:
        """Gather the events of each conversation in the order they happened.

        Within a file lines are in order; of two files, that comes first whose first
        event of the conversation is earlier.
        """
        by_file: dict[str, dict[str, list[Event]]] = {}
        for event in self.events:
            if event.conversation_id is not None:
                files = by_file.setdefault(event.conversation_id, {})
                files.setdefault(event.source_file, []).append(event)
        never = datetime.max.replace(tzinfo=UTC)

        def first_time(events: list[Event]) -> datetime:
            return min((e.timestamp for e in events if e.timestamp), default=never)

        return {
            conversation_id: [
                event
                for _, events in sorted(
                    files.items(), key=lambda item: (first_time(item[1]), item[0])
                )
                for event in events
            ]
            for conversation_id, files in by_file.items()
        }

    def states(self, as_of: datetime | None = None) -> dict[str, State]:
        """Tell the state of each conversation, now or at an earlier moment."""
        result = {}
        for conversation_id, events in self.conversations.items():
            known = [
                event
                for event in events
                if as_of is None
                or (event.timestamp is not None and event.timestamp <= as_of)
            ]
            if known:
                result[conversation_id] = state_of(known)
        return result

    @functools.cached_property
    def turns(self) -> dict[TurnKey, Turn]:
        """Collect the complete turns; a number that comes again replaces the first."""
        result = {}
        for conversation_id, events in self.conversations.items():
            for event in complete_turns(events):
                assert event.turn_number is not None
                turn = event.fields.get("turn")
                result[conversation_id, event.turn_number] = Turn(
                    completed_at=event.timestamp,
                    score=number(event.fields.get("convergence_score")),
                    contents={agent: content_of(turn, agent) for agent in AGENTS},
                )
        return result

    @functools.cached_property
    def messages(self) -> dict[MessageKey, Message]:
        """Collect what was said, in complete turns and in those cut short."""
        result = {}
        for conversation_id, events in self.conversations.items():
            replies = taken_replies(events)
            keys = set(replies) | {
                (turn, agent)
                for conversation, turn in self.turns
                if conversation == conversation_id
                for agent in AGENTS
            }
            for turn_number, agent in keys:
                turn = self.turns.get((conversation_id, turn_number))
                reply = replies.get((turn_number, agent))
                fields = reply.fields if reply else {}
                content = turn.contents[agent] if turn else None
                if content is None:
                    content = spoken_text(fields)
                if is_placeholder(content):
                    # Nobody counted the tokens of a reply that never came.
                    fields = {
                        name: None if name.endswith("_tokens") and value == 0 else value
                        for name, value in fields.items()
                    }
                result[conversation_id, turn_number, agent] = Message(
                    content=content,
                    sent_at=reply.timestamp if reply else None,
                    prompt_tokens=whole_number(fields.get("prompt_tokens")),
                    completion_tokens=whole_number(fields.get("completion_tokens")),
                    cache_read_tokens=whole_number(fields.get("cache_read_tokens")),
                    cache_write_tokens=whole_number(fields.get("cache_write_tokens")),
                    response_time_ms=milliseconds(fields.get("duration_ms")),
                    is_turn_complete=turn is not None,
                )
        return result

    @functools.cached_property
    def usage(self) -> dict[tuple[str, str], Usage]:
        """Find the calls of each agent: reports, and replies that none follows."""
        result: dict[tuple[str, str], Usage] = {}
        for conversation_id, events in self.conversations.items():
            for agent in AGENTS:
                usage = usage_of(events, agent)
                if usage is not None:
                    result[conversation_id, agent] = usage
        return result

    @functools.cached_property
    def manifests(self) -> list[Manifest]:
        """Read every manifest.json that may be Pidgin's."""
        result = []
        for path in files_below(self.folder, r"manifest\.json"):
            if path.name != "manifest.json":
                continue
            try:
                document = json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                document = None
            if not isinstance(document, dict):
                document = None
            elif document.get("experiment_id") is None:
                continue
            result.append(self._manifest(path, document))
        return result

    def _manifest(self, path: Path, document: dict[str, Any] | None) -> Manifest:
        fields = document or {}
        listed = fields.get("conversations")
        listed = listed if isinstance(listed, dict) else {}
        times = [
            *(fields.get(key) for key in ("created_at", "started_at", "completed_at")),
            *(e.get("last_updated") for e in listed.values() if isinstance(e, dict)),
        ]
        # In manifests, times without an offset were UTC.
        moments = [parse_time(time, "UTC") for time in times]
        return Manifest(
            source_file=str(path),
            folder=str(path.parent),
            experiment_id=fields.get("experiment_id")
            or self.experiment_of_folder(path.parent),
            is_readable=document is not None,
            name=fields.get("name"),
            updated_at=max(
                (moment for moment in moments if moment is not None),
                default=datetime.min.replace(tzinfo=UTC),
            ),
            conversation_ids=frozenset(listed),
        )

    def experiment_of_folder(self, folder: Path) -> str:
        """Tell an experiment's id from its folder's name."""
        if day := re.search(r"/conversations/(\d{4}-\d\d-\d\d)(/|$)", str(folder)):
            return f"chats_{day[1]}"
        if folder.name == "events":
            folder = folder.parent
        if folder == self.folder or not folder.is_relative_to(self.folder):
            return "unfiled"
        if match := re.match(r"(exp|experiment)_[0-9a-f]{8}(?=_|$)", folder.name):
            return match[0]
        is_dated = re.search(
            r"_20\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$", folder.name
        )
        if not is_dated and (match := re.search(r"_([0-9a-f]{8})$", folder.name)):
            return f"experiment_{match[1]}"
        return folder.name

    @functools.cached_property
    def memberships(self) -> dict[str, str]:
        """Tell the experiment of each conversation.

        A manifest that lists it decides, above all the one beside its log; then the
        events themselves; then an id inside the conversation's; then the folder.
        """
        return {
            conversation_id: self._experiment_of(conversation_id, events)
            for conversation_id, events in self.conversations.items()
        }

    def _experiment_of(self, conversation_id: str, events: list[Event]) -> str:
        folder = Path(events[0].source_file).parent
        home = folder.parent if folder.name == "events" else folder
        claims = [m for m in self.manifests if conversation_id in m.conversation_ids]
        if claims:
            best = max(claims, key=lambda m: (m.folder == str(home), m.updated_at))
            return best.experiment_id
        logged = {event.experiment_id for event in events if event.experiment_id}
        if logged:
            return min(logged)
        embedded = re.fullmatch(
            r"conv_((?:exp|experiment)_[0-9a-f]{8})_[0-9a-f]{8}", conversation_id
        )
        if embedded:
            return embedded[1]
        for manifest in self.manifests:
            if manifest.folder == str(home) and manifest.is_readable:
                return manifest.experiment_id
        return self.experiment_of_folder(folder)

    @functools.cached_property
    def experiments(self) -> dict[str, list[str]]:
        """List the conversations of each experiment; some experiments have none."""
        result: dict[str, list[str]] = {m.experiment_id: [] for m in self.manifests}
        for conversation_id, experiment_id in self.memberships.items():
            result.setdefault(experiment_id, []).append(conversation_id)
        return result


def state_of(events: list[Event]) -> State:
    """Tell where a conversation stands after these events.

    Several ends may be logged, and lines after an end. The first end that no complete
    turn follows counts; where turns follow every end, the last.
    """
    end: Event | None = None
    is_final = False
    for event in events:
        if event.event_type == "ConversationEndEvent":
            last_end = event
            end = end if is_final else event
            is_final = True
        elif event.event_type == "TurnCompleteEvent" and event.turn_number is not None:
            is_final = False
    if end and not is_final:
        end = last_end
    reason = readable(end.fields.get("reason")) if end else None
    times = [event.timestamp for event in events if event.timestamp is not None]
    starts = [
        event.timestamp
        for event in events
        if event.event_type == "ConversationStartEvent" and event.timestamp is not None
    ]
    return State(
        status=status_of(reason) if end else "unfinished",
        end_reason=reason,
        turn_count=len(list(complete_turns(events))),
        event_count=len(events),
        started_at=min(starts or times, default=None),
        ended_at=end.timestamp if end else None,
        last_event_at=max(times, default=None),
    )


def usage_of(events: list[Event], agent: str) -> Usage | None:
    """Find the calls of one agent; None where it has neither calls nor thoughts.

    A report counts. A reply counts by itself unless a report follows it before the
    agent's next reply. A reply's model is the one last named or, before any was, that
    of the conversation's start.
    """
    usage = Usage()
    is_known = False
    model: str | None = None
    first_model: str | None = None
    # The last reply, for as long as no report came.
    reply: Call | None = None
    for event in events:
        fields = event.fields
        if event.event_type == "ConversationStartEvent":
            started = fields.get(f"{agent}_model") or model_of(fields.get(agent))
            model = started or model
            first_model = first_model or started
        if event.agent_id != agent:
            continue
        if event.event_type == "MessageCompleteEvent":
            if reply:
                usage.calls.append(reply)
            model = fields.get("model") or model
            is_failed = is_placeholder(spoken_text(fields))
            reply = None if is_failed else call_of(fields, model, is_reported=False)
        elif event.event_type == "TokenUsageEvent":
            is_known = True
            model = fields.get("model") or model
            # June 2025 reported tokens without saying whose or which.
            if fields.get("prompt_tokens") is not None:
                usage.calls.append(call_of(fields, model, is_reported=True))
                reply = None
        elif event.event_type == "ThinkingCompleteEvent":
            usage.thoughts.append(whole_number(fields.get("thinking_tokens")))
    if reply:
        usage.calls.append(reply)
    usage.calls = [
        call if call.model else replace(call, model=first_model) for call in usage.calls
    ]
    return usage if is_known or usage.calls or usage.thoughts else None


def call_of(fields: dict[str, Any], model: str | None, *, is_reported: bool) -> Call:
    """Read the figures of one call."""
    return Call(
        is_reported,
        model,
        whole_number(fields.get("prompt_tokens")),
        whole_number(fields.get("completion_tokens")),
        whole_number(fields.get("tokens_used")),
        whole_number(fields.get("cache_read_tokens")),
        whole_number(fields.get("cache_write_tokens")),
    )


def model_of(agent: Any) -> str | None:
    """Return the model that a start names for an agent."""
    return agent.get("model") if isinstance(agent, dict) else None


def complete_turns(events: list[Event]) -> Iterable[Event]:
    """Return the last TurnCompleteEvent of each turn number."""
    last = {
        event.turn_number: event
        for event in events
        if event.event_type == "TurnCompleteEvent" and event.turn_number is not None
    }
    return last.values()


def taken_replies(events: list[Event]) -> dict[tuple[int, str], Event]:
    """Find, for each turn and agent, the reply that the turn took.

    A reply does not say its turn: it answers the last request to its agent or, if the
    turn that started last has none, belongs to that turn. Of several, a turn takes the
    last before its own record.
    """
    recorded = {event.turn_number: event for event in complete_turns(events)}
    position = {id(event): index for index, event in enumerate(events)}
    requested: dict[str | None, int | None] = {}
    started: int | None = None
    taken: dict[tuple[int, str], Event] = {}
    for index, event in enumerate(events):
        if event.event_type == "TurnStartEvent":
            started = event.turn_number
            requested.clear()
        elif event.event_type == "MessageRequestEvent":
            requested[event.agent_id] = event.turn_number
        elif event.event_type == "MessageCompleteEvent" and event.agent_id in AGENTS:
            turn = requested.get(event.agent_id)
            turn = started if turn is None else turn
            if turn is None:
                continue
            record = recorded.get(turn)
            if record is None or index < position[id(record)]:
                assert event.agent_id is not None
                taken[turn, event.agent_id] = event
    return taken


def content_of(turn: Any, agent: str) -> str | None:
    """Return what an agent said in a turn's record."""
    message = turn.get(f"{agent}_message") if isinstance(turn, dict) else None
    return text_of(message.get("content")) if isinstance(message, dict) else None


def spoken_text(fields: dict[str, Any]) -> str | None:
    """Return the text of a reply."""
    message = fields.get("message")
    return text_of(message.get("content")) if isinstance(message, dict) else None


def text_of(content: Any) -> str | None:
    """Return the text of a message: a string, a block, or a list of them.

    Blocks other than text are no speech. A line break keeps words of neighbours apart.
    """
    if not isinstance(content, list):
        return block_text(content)
    pieces = [piece for piece in map(block_text, content) if piece is not None]
    if not pieces:
        return None
    text = pieces[0]
    for before, piece in itertools.pairwise(pieces):
        is_parted = not before or not piece or before[-1].isspace()
        text += piece if is_parted or piece[0].isspace() else "\n" + piece
    return text


def block_text(block: Any) -> str | None:
    """Return the text of one block; None where it is no text."""
    if isinstance(block, dict):
        is_text = block.get("type") in (None, "text", "output_text")
        return (
            readable(block.get("text"))
            if is_text and not block.get("thought")
            else None
        )
    return readable(block)


def is_placeholder(text: str | None) -> bool:
    """Tell whether Pidgin wrote this in place of a reply that never came."""
    if text is None:
        return False
    return text == NO_REPLY or (text.startswith("[API error: ") and text.endswith("]"))


def vocabulary_overlap(a: list[str], b: list[str]) -> float:
    """Return Jaccard's index of two messages' words; 0 if either is empty."""
    if not a or not b:
        return 0.0
    return len({*a} & {*b}) / len({*a} | {*b})
