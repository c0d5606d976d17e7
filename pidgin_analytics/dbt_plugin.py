"""The project's plugin for dbt-duckdb, loaded by the profile's default target.

dbt-duckdb calls it around opening the warehouse. Nothing needs it to build: the target
``plain`` does without.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin


class Plugin(BasePlugin):
    """Prepares the place of the warehouse before DuckDB opens it."""

    def update_connection_config(
        self, creds: DuckDBCredentials, config: dict[str, Any]
    ) -> None:
        """Create the warehouse's folder, which DuckDB does not do itself.

        Raises:
            OSError: the folder cannot be created; the message names it.
        """
        Path(creds.path).parent.mkdir(parents=True, exist_ok=True)
