"""Where builds publish, a file or a lake, and which state is published there."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from duckdb import DuckDBPyConnection

from pidgin_analytics import lake, settings
from pidgin_analytics.sql_text import identifier, literal

# Names that DuckDB keeps for itself; it too adds `_db` to them.
RESERVED = ("main", "memory", "system", "temp")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class WarehouseError(Exception):
    """The warehouse cannot be queried; the message says why in one sentence."""


class MissingWarehouseError(WarehouseError):
    """No build has published anything there yet."""


@dataclass(frozen=True)
class PublishedState:
    """What a build published, as far as its place tells.

    Attributes:
        path: The file of the warehouse, as an absolute path; None for a lake.
        written_at: When it was published, in UTC.
        identity: Of a file its device, inode, time of writing in nanoseconds and size
            in bytes; of a lake the number of the snapshot and the time of publishing in
            microseconds. Two states differ in at least one of them.
    """

    path: Path | None
    written_at: datetime
    identity: tuple[int, ...]


class Place(ABC):
    """Where builds publish: a file or a lake."""

    @abstractmethod
    def published(self) -> PublishedState:
        """Look which state is published now.

        Raises:
            WarehouseError: there is none, or it cannot be told.
        """

    @abstractmethod
    def attach(self, connection: DuckDBPyConnection, state: PublishedState) -> str:
        """Attach a state for reading only, and return the name of its database.

        Raises:
            duckdb.Error: it is not there any more, or no database.
        """

    @abstractmethod
    def directories(self) -> list[str]:
        """Return the folders that DuckDB reads the state from."""

    @abstractmethod
    def close(self) -> None:
        """Ask no more."""

    def failed(self, error: Exception) -> WarehouseError:
        """Make the error that says why the warehouse cannot be opened."""
        reason = str(error).partition("\n")[0]
        return WarehouseError(f"The warehouse {self} cannot be opened: {reason}")


class _FilePlace(Place):
    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def published(self) -> PublishedState:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            raise MissingWarehouseError(
                f"There is no warehouse at {self._path}; run `dbt build`."
            ) from None
        except OSError as error:
            raise self.failed(error) from error
        return PublishedState(
            self._path,
            datetime.fromtimestamp(found.st_mtime, UTC),
            (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size),
        )

    def attach(
        self,
        connection: DuckDBPyConnection,
        state: PublishedState,  # noqa: ARG002
    ) -> str:
        name = self._path.stem
        name += "_db" if name.lower() in RESERVED else ""
        # The type, lest DuckDB look for an extension that reads the file.
        connection.execute(
            f"attach {literal(str(self._path))} as {identifier(name)}"
            " (read_only, type duckdb)"
        )
        return name

    def directories(self) -> list[str]:
        return []

    def close(self) -> None:
        pass


class _LakePlace(Place):
    def __init__(self, place: lake.Lake) -> None:
        self._lake = place
        self._reader = lake.Reader(place)

    def __str__(self) -> str:
        return str(self._lake)

    def published(self) -> PublishedState:
        try:
            found = self._reader.published()
        except lake.LakeError as error:
            raise WarehouseError(str(error)) from error
        if found is None:
            raise MissingWarehouseError(
                f"Nothing is published in {self._lake}; run `dbt build`."
            )
        moment = found.published_at.astimezone(UTC)
        return PublishedState(
            None,
            moment,
            (found.snapshot_id, (moment - EPOCH) // timedelta(microseconds=1)),
        )

    def attach(self, connection: DuckDBPyConnection, state: PublishedState) -> str:
        try:
            self._lake.attach(connection, snapshot_id=state.identity[0])
        except lake.LakeError as error:
            raise WarehouseError(str(error)) from error
        return lake.ALIAS

    def directories(self) -> list[str]:
        return [self._lake.data]

    def close(self) -> None:
        self._reader.close()


def place_of(path: str | os.PathLike[str] | None) -> Place:
    """Find the place: a file that is named, or what the environment says.

    Raises:
        WarehouseError: a setting of the lake is missing or none.
    """
    if path is None and settings.is_lake():
        try:
            return _LakePlace(lake.of_environment())
        except lake.LakeError as error:
            raise WarehouseError(str(error)) from error
    if path is None:
        path = Path(settings.PROJECT, settings.warehouse(settings.PROJECT))
    # Absolute, so that the process may go elsewhere meanwhile.
    return _FilePlace(Path(path).absolute())
