"""The command ``pidgin-analytics watch``."""

from __future__ import annotations

import contextlib
import sys

import click

from pidgin_analytics import settings
from pidgin_analytics.printing import printable


@click.command(short_help="Keep the warehouse up to date while experiments run.")
@click.option(
    "--interval",
    type=click.IntRange(min=1),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="Time between refreshes when files change but no conversation ends.",
)
@click.option("--once", is_flag=True, help="Refresh once and exit, for cron.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print events as JSON, one per line."
)
def watch(interval: int, once: bool, as_json: bool) -> None:
    """Keep the warehouse up to date while experiments run.

    Refreshes at once when a conversation ends, and every --interval seconds if a file
    changed. Shows running conversations; prints plain lines if there is no
    terminal. Press Ctrl-C to stop.

    \b
    Examples:
      pidgin-analytics watch
      pidgin-analytics watch --interval 10 --json
      pidgin-analytics watch --once
    """
    # Late, because these take the other commands in, and seconds.
    from pidgin_analytics import watch as watching
    from pidgin_analytics import watch_view

    display: watch_view.Display
    if as_json:
        display = watch_view.JsonDisplay()
    elif sys.stdout.isatty() and not once:
        display = watch_view.LiveDisplay()
    else:
        display = watch_view.LineDisplay()
    with contextlib.chdir(settings.PROJECT):
        try:
            succeeded = watching.Watch(display, interval).run(is_once=once)
        except watching.WatchError as error:
            raise click.ClickException(printable(str(error))) from error
    if once and not succeeded:
        sys.exit(1)
