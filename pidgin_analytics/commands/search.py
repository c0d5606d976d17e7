"""The command ``pidgin-analytics search``."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime

import click
import duckdb

from pidgin_analytics.printing import counted, printable, say
from pidgin_analytics.warehouse import Row, Warehouse, WarehouseError

# What no terminal shows: what is between them is shown in bold.
MARKS = ("\x02", "\x03")


def _turns(
    _context: click.Context, _option: click.Parameter, text: str
) -> tuple[int | None, int | None]:
    """Read the first and the last turn."""
    found = re.fullmatch(r"(\d{0,6})(\.\.)?(\d{0,6})", text, re.ASCII)
    if not found or (found[3] and not found[2]):
        raise click.BadParameter("write turns as 3..9, 3.., ..9 or 3.")
    first = int(found[1]) if found[1] else None
    last = int(found[3]) if found[3] else None
    return first, last if found[2] else first


def _moment(
    _context: click.Context, _option: click.Parameter, text: str | None
) -> datetime | None:
    """Read a day or a moment, in UTC where it has no offset."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            "write a moment as 2026-03-01 or 2026-03-01T12:00+01:00."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@click.command(short_help="Find messages by their words.")
@click.argument("query")
@click.option("--experiment", metavar="ID", help="Only this experiment, by id or name.")
@click.option("--model", metavar="NAME", help="Only what this model said.")
@click.option(
    "--agent", type=click.Choice(["a", "b"]), help="Only what this agent said."
)
@click.option(
    "--turns",
    callback=_turns,
    default="..",
    metavar="3..9",
    help="Only these turns; also 3.. and ..9. Counted from 0.",
)
@click.option(
    "--since", callback=_moment, metavar="DAY", help="Only what was said since then."
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Maximum number of hits.",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON instead of text.")
def search(
    query: str,
    experiment: str | None,
    model: str | None,
    agent: str | None,
    turns: tuple[int | None, int | None],
    since: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """Find messages and thinking by their words, best first.

    QUERY holds words in any order, "phrases", -excluded words and prefix*. Quote the
    whole query in a shell.

    \b
    Examples:
      pidgin-analytics search 'keep* "lamp room" -storm'
      pidgin-analytics search lamp --agent b --turns 3.. --limit 50
    """
    if not re.search(r"\w", query):
        raise click.UsageError("Name the words to look for.")
    is_bold = not as_json and sys.stdout.isatty()
    try:
        with Warehouse() as warehouse, warehouse.snapshot() as snapshot:
            hits = snapshot.search(
                query,
                experiment=experiment,
                model=model,
                agent=agent and f"agent_{agent}",
                turns=turns,
                since=since,
                limit=limit,
                marks=MARKS if is_bold else ("«", "»"),
            )
            near = {} if hits or as_json else snapshot.near_words(query)
    except WarehouseError as error:
        raise click.ClickException(printable(str(error))) from error
    except duckdb.CatalogException as error:
        raise click.ClickException(
            "This warehouse was built by a version without search; run `dbt build`."
        ) from error
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise click.ClickException(printable(f"No answer: {reason}")) from error
    if as_json:
        click.echo(json.dumps(hits, default=str, indent=2))
        return
    for rank, hit in enumerate(hits, 1):
        say(f"{rank}. {_heading(hit)}")
        click.echo(f"   {_marked(hit['snippet'] or '', is_bold=is_bold)}")
    if len(hits) == limit:
        say(f"The best {counted(limit, 'hit')}; --limit shows more.")
    if not hits:
        filters = (experiment, model, agent, *turns, since)
        where = " where you look" if any(one is not None for one in filters) else ""
        say(f"Nothing holds all of this{where}: {query}")
        for word, others in near.items():
            say(
                f"{word} is nowhere"
                + (f"; there is {', '.join(others)}." if others else ".")
            )


def _heading(hit: Row) -> str:
    """Say where a hit is and how well it fits."""
    parts = [
        hit["experiment_name"] or hit["experiment_id"],
        hit["conversation_id"],
        f"turn {hit['turn_number']}",
        hit["agent_id"],
        hit["model"],
        f"{hit['sent_at']:%Y-%m-%d %H:%M}" if hit["sent_at"] else None,
        "thinking" if hit["text_kind"] == "thinking" else None,
        f"score {hit['score']:.2f}",
    ]
    return ", ".join(part for part in parts if part)


def _marked(snippet: str, *, is_bold: bool) -> str:
    """Show a snippet with its marks, and nothing else that a terminal obeys."""
    if not is_bold:
        return printable(snippet)
    begin, end = MARKS
    pieces = re.split(f"{begin}([^{begin}{end}]*){end}", snippet)
    return "".join(
        click.style(printable(piece), bold=True) if number % 2 else printable(piece)
        for number, piece in enumerate(pieces)
    )
