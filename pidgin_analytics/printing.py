"""What commands print: lines that may hold text from outside."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

import click


def printable(text: str) -> str:
    """Replace what a terminal obeys instead of showing, as the macro does."""
    return re.sub(
        "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff"
        "\ud800-\udfff]",
        "\ufffd",
        text,
    )


def say(text: str) -> None:
    """Print a line that may hold text from outside."""
    click.echo(printable(text))


def counted(number: int, name: str) -> str:
    """Say how many of something there are."""
    return f"{number} {name}" + "s" * (number != 1)


def unknown(kind: str, name: str, known: Iterable[str], otherwise: str) -> str:
    """Say that something is not there, and what was perhaps meant."""
    near = difflib.get_close_matches(name, list(known))
    hint = f"did you mean {' or '.join(near)}?" if near else f"{otherwise}."
    return f"There is no {kind} {name}; {hint}"
