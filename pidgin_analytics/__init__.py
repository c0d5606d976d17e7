"""The Python half of Pidgin Analytics: what SQL cannot do."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pidgin_analytics.archive.forget import forget
    from pidgin_analytics.archive.format import ArchiveError
    from pidgin_analytics.archive.restore import restore_experiments
    from pidgin_analytics.archive.write import archive_experiments
    from pidgin_analytics.building import BuildError
    from pidgin_analytics.warehouse import (
        AsyncSnapshot,
        AsyncWarehouse,
        PublishedState,
        Snapshot,
        Warehouse,
        WarehouseError,
    )

__all__ = [
    "ArchiveError",
    "AsyncSnapshot",
    "AsyncWarehouse",
    "BuildError",
    "PublishedState",
    "Snapshot",
    "Warehouse",
    "WarehouseError",
    "archive_experiments",
    "forget",
    "restore_experiments",
]

_MODULES = {
    "ArchiveError": "archive.format",
    "BuildError": "building",
    "archive_experiments": "archive.write",
    "forget": "archive.forget",
    "restore_experiments": "archive.restore",
}


def __getattr__(name: str) -> object:
    """Import what is asked for when it is: dbt does not need all of it."""
    if name in __all__:
        module = import_module(f"pidgin_analytics.{_MODULES.get(name, 'warehouse')}")
        return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
