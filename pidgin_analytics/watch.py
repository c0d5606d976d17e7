"""Keeps the warehouse up to date while experiments run: ``pidgin-analytics watch``.

One process parses the project once and then builds whenever logs change. It never
writes the published file itself: each refresh is a plain ``dbt build``, which publishes
what is whole and green. See docs/watch.md.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb
from dbt.cli.main import dbtRunner, dbtRunnerResult

from pidgin_analytics import lake, publishing, settings
from pidgin_analytics.dbt_plugin import close_connections
from pidgin_analytics.warehouse import Warehouse, WarehouseError
from pidgin_analytics.watch_files import Files, Folder, Schedule, project_files
from pidgin_analytics.watch_view import (
    Display,
    Failed,
    Holdings,
    Refreshed,
    Refreshing,
    Running,
    Started,
    Stopped,
    Waiting,
)

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

T = TypeVar("T")

# Seconds between two looks at the files.
PAUSE = 0.5
OPTIONS = ("--quiet", "--log-level", "none", "--log-level-file", "none")
READ = re.compile(r"^Read .*: ([\d,]+) lines?, of which [\d,]+ repeat", re.DOTALL)
LONGEST_ERROR = 500

COUNTS = """
    select
        (select count(*) from conversations) as conversations,
        (select count(*) from conversations where status = 'unfinished') as running,
        (select count(*) from turn_metrics) as turns,
        (select count(*) from messages) as messages,
        (select count(*) from rejected_lines) as rejected_lines
"""
NEWEST_RUNNING = """
    select
        conversations.conversation_id,
        experiments.name as experiment,
        concat_ws(' + ', conversations.agent_a_model, conversations.agent_b_model)
            as models,
        conversations.turn_count as turns,
        conversations.final_convergence as score,
        conversations.last_event_at
    from conversations
    left join experiments using (experiment_id)
    where conversations.status = 'unfinished'
    order by conversations.last_event_at desc nulls last, conversations.conversation_id
    limit 15
"""


class WatchError(Exception):
    """The watch cannot begin; the message says why in one sentence."""


@dataclass(frozen=True)
class Outcome:
    """What a refresh came to.

    Attributes:
        error: Why it failed, in one line; None if it did not.
        is_published: Whether there is a new state.
        is_whole: Whether what is published is what this build left.
        lines_read: Lines of the logs that it read.
    """

    error: str | None = None
    is_published: bool = False
    is_whole: bool = False
    lines_read: int = 0


class Stop:
    """Ends the watch on Ctrl-C or SIGTERM: cleanly the first time, hard the second."""

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self.is_asked = False
        self._can_interrupt = False

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals meanwhile."""
        before = {
            number: signal.signal(number, self._ask)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ask(self, number: int, _: FrameType | None) -> None:
        if self.is_asked:
            if sys.stdout.isatty():
                # The view has hidden it.
                os.write(sys.stdout.fileno(), b"\x1b[?25h\n")
            os._exit(128 + number)
        self.is_asked = True
        # dbt cancels its queries then.
        if self._can_interrupt:
            raise KeyboardInterrupt

    def run(self, step: Callable[[], T]) -> T | None:
        """Do a step that a signal cuts short; None if it did, or came before."""
        try:
            self._can_interrupt = True
            return None if self.is_asked else step()
        except KeyboardInterrupt:
            return None
        finally:
            self._can_interrupt = False


def only_one(warehouse: Path | None) -> contextlib.AbstractContextManager[None]:
    """Keep other watches of the same warehouse out.

    Args:
        warehouse: The file; None for the lake of the environment.

    Raises:
        WatchError: when it begins, if another process watches it, or the lock cannot be
            had.
    """
    return _only_one_of_lake() if warehouse is None else _only_one_of_file(warehouse)


@contextlib.contextmanager
def _only_one_of_lake() -> Iterator[None]:
    try:
        place = lake.of_environment()
        lock = lake.Lock(place, "watch")
    except lake.LakeError as error:
        raise WatchError(str(error)) from error
    with contextlib.closing(lock):
        if not lock.take():
            raise WatchError(f"{lock.owner()} is already watching {place}.")
        yield


@contextlib.contextmanager
def _only_one_of_file(warehouse: Path) -> Iterator[None]:
    # The lock goes with the process, however that ends; the file stays.
    place = publishing.working_file(warehouse).with_name("watch.lock")
    with contextlib.ExitStack() as stack:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(place.open("a+"))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip() or "another one"
            raise WatchError(
                f"Process {owner} is already watching the warehouse {warehouse}."
            ) from None
        except OSError as error:
            raise WatchError(
                f"The warehouse {warehouse} cannot be watched: {error}"
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


class Refresher:
    """Builds with a project that is parsed once, and again when it changes."""

    def __init__(self) -> None:
        """Parse nothing yet."""
        self._manifest: Manifest | None = None
        self._parsed: Files = {}
        # Whether a whole build of the parsed project was published.
        self._can_select = False

    def refresh(self, say: Callable[[str], None]) -> Outcome:
        """Run a build.

        Args:
            say: Takes a line that names another build, if there is one to wait for.
        """
        try:
            project = project_files()
            if self._manifest is None or self._parsed != project:
                self._manifest = None
                gc.unfreeze()
                gc.collect()
                parsed = dbtRunner().invoke([*OPTIONS, "--no-write-json", "parse"])
                if not parsed.success:
                    return Outcome(error=_first_error(parsed, []))
                self._manifest = parsed.result  # type: ignore[assignment]
                self._parsed = project
                self._can_select = False
            if self._can_select:
                outcome = self._build(say, "--selector", "refresh")
                if outcome.error is not None or outcome.is_whole:
                    return outcome
                # Somebody has changed the tables meanwhile, by forgetting for example.
            outcome = self._build(say)
            self._can_select = outcome.error is None and outcome.is_whole
            return outcome
        finally:
            # The lock on the file or the lake goes with the connection, and
            # what an error passed through holds on to that.
            close_connections()
            gc.collect()

    def _build(self, say: Callable[[str], None], *selection: str) -> Outcome:
        outcome = Outcome()
        errors: list[str] = []

        def take(message: Any) -> None:
            nonlocal outcome
            text = message.info.msg
            if message.info.level == "error" and len(errors) < 1:
                errors.append(text)
            elif message.info.name == "Note" and text.startswith("Waiting up to"):
                say(text)
            elif message.info.name == "JinjaLogInfo":
                if found := READ.search(text):
                    count = int(found[1].replace(",", ""))
                    outcome = replace(outcome, lines_read=count)
                elif text.startswith("Warehouse: "):
                    outcome = replace(
                        outcome,
                        is_published=text.endswith(", published."),
                        is_whole=", not published" not in text,
                    )

        runner = dbtRunner(self._manifest, callbacks=[take])
        result = runner.invoke([*OPTIONS, "--no-write-json", "build", *selection])
        if not result.success:
            return Outcome(error=_first_error(result, errors))
        return outcome


def _first_error(result: dbtRunnerResult, errors: list[str]) -> str:
    """Return what went wrong first, in one line."""
    for one in getattr(result.result, "results", ()):
        if one.status in ("error", "fail", "runtime error"):
            return one_line(f"{one.node.name}: {one.message}")
    exception = result.exception
    said = getattr(exception, "msg", None) or str(exception or "")
    return one_line(str(said) or (errors[0] if errors else "dbt gave no reason."))


def one_line(text: str) -> str:
    """Make one line of an error of dbt, without its headings and calls."""
    lines = [
        line.strip()
        for line in text.splitlines()
        if not re.match(r"\s*(>|$|\w+ Error( in .*)?$|Encountered an error:$)", line)
    ]
    line = " ".join(lines) or " ".join(text.split())
    return line if len(line) <= LONGEST_ERROR else f"{line[:LONGEST_ERROR]} …"


def holdings(warehouse: Path | None) -> Holdings | None:
    """Ask the published warehouse what it holds; None if it cannot be queried."""
    try:
        with Warehouse(warehouse) as opened, opened.snapshot() as snapshot:
            (counts,) = snapshot.fetch(COUNTS)
            newest = [Running(**row) for row in snapshot.fetch(NEWEST_RUNNING)]
            return Holdings(
                published_at=snapshot.state.written_at,
                newest_running=tuple(newest),
                **counts,
            )
    except (WarehouseError, duckdb.Error):
        return None


class Watch:
    """The loop: look, decide, refresh."""

    def __init__(
        self,
        display: Display,
        interval: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; the folder of the process is the project.

        Args:
            display: Takes the events.
            interval: Seconds between the beginnings of two refreshes.
            clock: Gives seconds; it never goes back.
        """
        self._display = display
        self._clock = clock
        self._warehouse = (
            None if settings.is_lake() else Path(settings.warehouse()).absolute()
        )
        self._output_dir = settings.output_dir()
        self._schedule = Schedule(interval)
        self._refresher = Refresher()
        self._stop = Stop()
        self._has_succeeded = False

    def run(self, *, is_once: bool = False) -> bool:
        """Refresh until a signal comes, or once.

        Returns:
            Whether the last refresh succeeded; one that was cut short did not.

        Raises:
            WatchError: another process watches the warehouse.
        """
        with only_one(self._warehouse), self._stop.listening(), self._display:
            self._display.show(
                Started(
                    os.getpid(),
                    str(Path(self._output_dir).absolute()),
                    str(self._warehouse or lake.of_environment()),
                    None if is_once else self._schedule.interval,
                )
            )
            # A signal may come between two steps.
            with contextlib.suppress(KeyboardInterrupt):
                self._loop(is_once=is_once)
            held = holdings(self._warehouse)
            self._display.show(Stopped(held.published_at if held else None))
        return self._has_succeeded

    def _loop(self, *, is_once: bool) -> None:
        folder = Folder(self._output_dir, settings.archive_dir())
        said: tuple[int, float | None] | None = None
        while not self._stop.is_asked:
            due = self._schedule.due(self._clock())
            if due is not None and due <= self._clock():
                self._refresh()
                said = None
                if is_once:
                    return
            elif said != (news := (len(self._schedule.changed), due)):
                # Not told again only because time passed.
                said = news
                moment = None if due is None else self._moment(due)
                self._display.show(Waiting(len(self._schedule.changed), moment))
            self._stop.run(lambda: time.sleep(PAUSE))
            changed, is_urgent = folder.look()
            self._schedule.note(changed, is_urgent=is_urgent)

    def _refresh(self) -> None:
        self._has_succeeded = False
        refreshing = Refreshing(self._schedule.reason(), len(self._schedule.changed))
        self._display.show(refreshing)
        began = self._clock()
        self._schedule.begin(began)
        outcome = self._stop.run(
            lambda: self._refresher.refresh(
                lambda note: self._display.show(replace(refreshing, note=note))
            )
        )
        seconds = self._clock() - began
        if outcome is None or (outcome.error is not None and self._stop.is_asked):
            # Cut short, which is no failure.
            return
        self._has_succeeded = outcome.error is None
        self._schedule.end(is_success=self._has_succeeded)
        if outcome.error is None:
            self._display.show(
                Refreshed(
                    round(seconds, 3),
                    outcome.is_published,
                    outcome.lines_read,
                    round(outcome.lines_read / max(seconds, 1e-3), 1),
                    holdings(self._warehouse),
                )
            )
        else:
            due = self._schedule.due(self._clock())
            self._display.show(
                Failed(round(seconds, 3), outcome.error, self._moment(due or 0))
            )

    def _moment(self, due: float) -> datetime:
        """Return the time of day of a moment of the clock, in whole seconds."""
        moment = datetime.now(UTC) + timedelta(seconds=due - self._clock())
        return (moment + timedelta(seconds=0.5)).replace(microsecond=0)
