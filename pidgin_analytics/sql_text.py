"""Text that enters SQL where nothing can be bound: file names, names of tables."""

from __future__ import annotations


def literal(text: str) -> str:
    """Write a text as a string of SQL."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


def identifier(name: str) -> str:
    """Write the name of a table or column, whatever characters it holds."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
