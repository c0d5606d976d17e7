"""Says on a terminal what a long command is doing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape


@contextmanager
def shown_progress(*, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Give a function that shows what is done now, until the next thing is.

    It writes to the standard error, and only if that is a terminal: a log or a pipe
    gets nothing.
    """
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda _: None
        return
    with console.status("") as status:
        yield lambda text: status.update(escape(text))
