"""Reads the warehouse from Python, also while builds publish new states.

A successful build replaces the file, or publishes a new snapshot of the lake. Readers
who have the old one open keep it, so each query first checks whether it is still the
newest, and opens the new one if not. A state that nobody uses any more is closed.
"""

from pidgin_analytics.warehouse.asynchronous import AsyncSnapshot, AsyncWarehouse
from pidgin_analytics.warehouse.places import (
    MissingWarehouseError,
    PublishedState,
    WarehouseError,
)
from pidgin_analytics.warehouse.readers import Snapshot, Warehouse
from pidgin_analytics.warehouse.running import Parameters, Row
from pidgin_analytics.warehouse.states import connect

__all__ = [
    "AsyncSnapshot",
    "AsyncWarehouse",
    "MissingWarehouseError",
    "Parameters",
    "PublishedState",
    "Row",
    "Snapshot",
    "Warehouse",
    "WarehouseError",
    "connect",
]
