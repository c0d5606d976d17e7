"""Pidgin's own databases, read as the logs that their conversations would have.

Until July 2025 Pidgin kept experiments in SQLite and wrote no logs of them; later it
read its logs into DuckDB. Such a file may be all that is left of a conversation.
``docs/decisions/0005-databases-of-earlier-days.md`` says what becomes of what.

``tables`` reads rows, ``shapes`` recognises whose they are, ``events`` makes events of
them, and ``importer`` puts these into archives.
"""

from pidgin_analytics.legacy.events import Conversation, Database, Experiment
from pidgin_analytics.legacy.reading import read_database
from pidgin_analytics.legacy.tables import LegacyError

__all__ = [
    "Conversation",
    "Database",
    "Experiment",
    "LegacyError",
    "read_database",
]
