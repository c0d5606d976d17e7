"""The Python half of Pidgin Analytics: what SQL cannot do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pidgin_analytics.warehouse import (
        AsyncSnapshot,
        AsyncWarehouse,
        PublishedState,
        Snapshot,
        Warehouse,
        WarehouseError,
    )

__all__ = [
    "AsyncSnapshot",
    "AsyncWarehouse",
    "PublishedState",
    "Snapshot",
    "Warehouse",
    "WarehouseError",
]


def __getattr__(name: str) -> object:
    """Import what reads the warehouse when it is asked for: dbt does not need it."""
    if name in __all__:
        from pidgin_analytics import warehouse

        return getattr(warehouse, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
