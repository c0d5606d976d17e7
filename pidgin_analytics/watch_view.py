"""What ``pidgin-analytics watch`` says: a live view, lines, or JSON for scripts.

Names and ids come from logs, so everything shown is made harmless first.
"""

from __future__ import annotations

import dataclasses
import json
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Protocol, Self

import click
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pidgin_analytics.printing import printable

# Lines of the view besides those of conversations.
FRAME = 10


@dataclass(frozen=True)
class Running:
    """A conversation without an end."""

    conversation_id: str
    experiment: str | None
    models: str | None
    turns: int
    score: float | None
    last_event_at: datetime | None


@dataclass(frozen=True)
class Holdings:
    """What the published warehouse holds.

    Attributes:
        running: Conversations of which no end was logged.
        newest_running: The newest of them by their last event, 15 at most.
    """

    published_at: datetime
    conversations: int
    running: int
    turns: int
    messages: int
    rejected_lines: int
    newest_running: tuple[Running, ...]


@dataclass(frozen=True)
class Started:
    """The watch begins.

    Attributes:
        interval: Seconds between two refreshes at least; None if there is only one.
    """

    process: int
    output_dir: str
    warehouse: str
    interval: float | None


@dataclass(frozen=True)
class Refreshing:
    """A refresh begins, or waits for another build (then with a note).

    Attributes:
        reason: first, ended (a conversation), interval or failed before.
    """

    reason: str
    changed_files: int
    note: str | None = None


@dataclass(frozen=True)
class Refreshed:
    """A refresh succeeded.

    Attributes:
        published: Whether there is a new state; if not, nothing in it has changed.
        lines_read: Lines of the logs that were read. A log is read whole when it grew.
        lines_per_second: The same by the seconds of the whole refresh.
    """

    seconds: float
    published: bool
    lines_read: int
    lines_per_second: float
    holdings: Holdings | None


@dataclass(frozen=True)
class Failed:
    """A refresh failed; what is published stays."""

    seconds: float
    error: str
    next_refresh: datetime


@dataclass(frozen=True)
class Waiting:
    """Nothing to do until then, or until a file changes."""

    changed_files: int
    next_refresh: datetime | None


@dataclass(frozen=True)
class Stopped:
    """The watch ends."""

    published_at: datetime | None


Event = Started | Refreshing | Refreshed | Failed | Waiting | Stopped


class Display(AbstractContextManager["Display"], Protocol):
    """Where events go."""

    def show(self, event: Event) -> None:
        """Take one event."""


class _Plain:
    """A display with nothing to open or to close."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass


class JsonDisplay(_Plain):
    """One JSON object a line."""

    def show(self, event: Event) -> None:
        """Print the event with its name and time."""
        head = {"event": type(event).__name__.lower(), "time": datetime.now(UTC)}
        click.echo(json.dumps(head | dataclasses.asdict(event), default=_as_json))


def _as_json(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds")
    raise TypeError(value)


class LineDisplay(_Plain):
    """Lines with the time of day, for logs."""

    def show(self, event: Event) -> None:
        """Print the event, unless it only says that nothing happens."""
        sentence = in_words(event)
        if sentence:
            now = datetime.now().astimezone()
            click.echo(printable(f"{now:%Y-%m-%d %H:%M:%S} {sentence}"))


def in_words(event: Event) -> str | None:
    """Say an event in a sentence or two; None if it is not worth a line."""
    match event:
        case Started():
            if event.interval is None:
                return f"Reading {event.output_dir} into {event.warehouse}."
            return (
                f"Watching {event.output_dir} for {event.warehouse}: refreshing when a"
                f" conversation ends, or every {event.interval:g} seconds if a file"
                " changed."
            )
        case Refreshing():
            return event.note or f"Refreshing: {_why(event)}."
        case Refreshed():
            return _refreshed_in_words(event)
        case Failed():
            return (
                f"Failed after {event.seconds:.1f} s: {event.error} The published"
                f" warehouse stays; next try at {_clock(event.next_refresh)}."
            )
        case Waiting():
            return None
        case Stopped():
            if event.published_at is None:
                return "Stopped. Nothing is published yet."
            return f"Stopped. Last published at {_moment(event.published_at)}."


def _why(event: Refreshing) -> str:
    reason = {
        "first": "first refresh",
        "ended": "a conversation ended",
        "failed before": "the last one failed",
    }.get(event.reason)
    changed = f"{counted(event.changed_files, 'file')} changed"
    if not event.changed_files:
        return reason or "it is time"
    return f"{reason}, {changed}" if reason else changed


def _refreshed_in_words(event: Refreshed) -> str:
    said = f"Refreshed in {event.seconds:.1f} s, "
    said += "published." if event.published else "nothing new to publish."
    if event.lines_read:
        said += f" {_speed(event)}."
    held = event.holdings
    if held is not None:
        said += (
            f" {counted(held.conversations, 'conversation')} ({held.running} running),"
            f" {counted(held.turns, 'turn')}, {counted(held.messages, 'message')},"
            f" {counted(held.rejected_lines, 'rejected line')}."
        )
    return said


def _speed(event: Refreshed) -> str:
    return (
        f"Read {counted(event.lines_read, 'line')},"
        f" {event.lines_per_second:,.0f} per second"
    )


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone():%H:%M:%S}"


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


class LiveDisplay:
    """A view in a terminal that stays in its place."""

    def __init__(self, console: Console | None = None) -> None:
        """Take the terminal, or another console."""
        self._console = console or Console()
        self._live = Live(self, console=self._console, refresh_per_second=4)
        self._started: Started | None = None
        self._holdings: Holdings | None = None
        self._last: tuple[Refreshed, datetime] | None = None
        self._failure: tuple[Failed, datetime] | None = None
        self._now: Event | None = None
        self._since = time.monotonic()

    def __enter__(self) -> Self:
        """Begin to show."""
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the last view, and the cursor below it."""
        self._live.stop()

    def show(self, event: Event) -> None:
        """Take the event into the view."""
        now = datetime.now(UTC)
        match event:
            case Started():
                self._started = event
            case Refreshed():
                self._last, self._failure = (event, now), None
                self._holdings = event.holdings or self._holdings
            case Failed():
                self._failure = (event, now)
            case Refreshing():
                if not event.note:
                    self._since = time.monotonic()
        self._now = event
        self._live.refresh()

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> RenderResult:
        """Draw the view as it is now."""
        yield Group(*self._head(), *self._table(console.height - FRAME), *self._foot())

    def _head(self) -> list[Text]:
        if self._started is None:
            return []
        return [
            _line(
                ("Pidgin Analytics", "bold"),
                (f"  {self._started.output_dir} → {self._started.warehouse}", "dim"),
            ),
        ]

    def _table(self, height: int) -> list[Text | Table]:
        held = self._holdings
        if held is None:
            return []
        title = _line((f"{held.running:,} running", "bold"), ("  no end logged", "dim"))
        shown = held.newest_running[: max(height, 1)]
        if not shown:
            return [Text(), title]
        table = Table(box=None, pad_edge=False, header_style="dim")
        # Only these give way where the terminal is narrow; their texts do not wrap.
        for name in ("conversation", "experiment", "models"):
            table.add_column(name)
        for name, width in (("turns", 5), ("score", 5), ("last event", 11)):
            table.add_column(name, justify="right", no_wrap=True, min_width=width)
        now = datetime.now(UTC)
        for one in shown:
            table.add_row(
                _text(one.conversation_id),
                _text(one.experiment or ""),
                _text(one.models or ""),
                Text(f"{one.turns:,}"),
                Text("–" if one.score is None else f"{one.score:.2f}"),
                Text(_age(one.last_event_at, now)),
            )
        rows: list[Text | Table] = [Text(), title, table]
        if held.running > len(shown):
            rows.append(_line((f"and {held.running - len(shown):,} more", "dim")))
        return rows

    def _foot(self) -> list[Text]:
        lines = [Text()]
        held = self._holdings
        if held is not None:
            lines.append(
                _line(
                    ("Published     ", "dim"),
                    f"{counted(held.conversations, 'conversation')},"
                    f" {counted(held.turns, 'turn')},"
                    f" {counted(held.messages, 'message')}, ",
                    (
                        counted(held.rejected_lines, "rejected line"),
                        "yellow" if held.rejected_lines else "",
                    ),
                )
            )
        if self._last is not None:
            last, moment = self._last
            new = "published" if last.published else "nothing new to publish"
            speed = f"; {_speed(last).lower()}" if last.lines_read else ""
            lines.append(
                _line(
                    ("Last refresh  ", "dim"),
                    f"{_clock(moment)}, took {last.seconds:.1f} s, {new}{speed}",
                )
            )
        if self._failure is not None:
            failed, moment = self._failure
            said = f"{_clock(moment)}, after {failed.seconds:.1f} s: {failed.error}"
            lines.append(_line(("Failed        ", "dim"), (said, "red")))
        if isinstance(self._now, Stopped):
            lines.append(_line(in_words(self._now) or ""))
        else:
            lines.append(_line(("Next refresh  ", "dim"), self._next()))
        return lines

    def _next(self) -> str:
        match self._now:
            case Refreshing() as event:
                seconds = time.monotonic() - self._since
                return f"running for {seconds:.0f} s: {event.note or _why(event)}"
            case Waiting(next_refresh=datetime() as moment) as event:
                seconds = max(0, (moment - datetime.now(UTC)).total_seconds())
                changed = counted(event.changed_files, "file")
                return f"in {seconds:.0f} s, {changed} changed; Ctrl-C to stop"
            case Waiting():
                return "when a file changes; Ctrl-C to stop"
        return "soon"


def counted(number: int, name: str) -> str:
    """Say how many of something there are."""
    return f"{number:,} {name}" + "s" * (number != 1)


def _line(*parts: str | tuple[str, str]) -> Text:
    """Make one line of the view, cut where the terminal ends."""
    text = Text(no_wrap=True, overflow="ellipsis")
    for part in parts:
        content, style = (part, "") if isinstance(part, str) else part
        text.append(printable(content), style)
    return text


def _text(content: str) -> Text:
    """Make text that is shown as it is: no markup, nothing that a terminal obeys."""
    return Text(printable(content), no_wrap=True, overflow="ellipsis")


def _age(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return "–"
    seconds = max(0, int((now - moment).total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:,} {unit} ago"
    return f"{seconds} s ago"
