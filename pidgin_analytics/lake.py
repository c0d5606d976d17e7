"""The warehouse as a lake, for a team and for more than one machine.

DuckLake keeps the catalog in a PostgreSQL database and the tables as Parquet files, in
a folder or a store that speaks S3. Each statement of a build leaves a snapshot. When
the whole build is green, the number of the last one is noted beside the catalog, and
that is the snapshot that people read: nobody sees half a build. See docs/lake.md.
"""

from __future__ import annotations

import importlib
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import duckdb

from pidgin_analytics import settings
from pidgin_analytics.in_memory import in_memory
from pidgin_analytics.publishing import WarehouseInUseError
from pidgin_analytics.sql_text import identifier, literal

if TYPE_CHECKING:
    import psycopg

# The database's name in a session, which the target lake of profiles.yml repeats.
ALIAS = "pidgin"
NAME = "pidgin"
EXTRA = "pip install '.[lake]'"
# A machine that is gone without a word loses its lock after about a minute, and who
# waits for a server that is gone notices as soon. The session with the lock is idle for
# as long as a build takes.
KEEPALIVE = {
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
OPTIONS = (
    "-c tcp_keepalives_idle=20 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
    " -c idle_session_timeout=0"
)

PUBLISHED = """
    select snapshot_id, digest, published_at
    from {schema}.pidgin_published
    order by number desc
    limit 1
"""
NOTE = """
    create table if not exists {schema}.pidgin_published (
        number bigint generated always as identity primary key,
        snapshot_id bigint not null,
        digest text not null,
        published_at timestamptz not null default now()
    );
    comment on table {schema}.pidgin_published is
        'Snapshots that whole green builds left; people read the last one.'
"""
INSERT = """
    insert into {schema}.pidgin_published (snapshot_id, digest)
    select max(snapshot_id), %s from {schema}.ducklake_snapshot
"""
OWNER = """
    select activity.application_name
    from pg_locks as locks
    inner join pg_stat_activity as activity on locks.pid = activity.pid
    where
        locks.locktype = 'advisory'
        and locks.granted
        and locks.objsubid = 1
        and (locks.classid::bigint << 32) | locks.objid::bigint
            = hashtextextended(%s, 0)
        and locks.database = (
            select oid from pg_database where datname = current_database()
        )
"""


class LakeError(Exception):
    """The lake cannot be used; the message says why in one sentence."""


@dataclass(frozen=True)
class PublishedSnapshot:
    """What a whole green build left.

    Attributes:
        snapshot_id: DuckLake's number of the snapshot.
        digest: What the macro ``publish`` computed of it.
        published_at: When it was noted, by the clock of the catalog.
    """

    snapshot_id: int
    digest: str
    published_at: datetime


@dataclass(frozen=True)
class Lake:
    """Where a lake is.

    Attributes:
        catalog: How to reach the PostgreSQL database, without a password.
        data: Where its Parquet files lie: a folder, or a place such as
            ``s3://bucket/folder``; with a slash at the end.
        name: The schema of the database that holds the catalog.
        password: For the catalog, where the environment has none for PostgreSQL.
    """

    catalog: str
    data: str
    name: str = NAME
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        """Say which lake it is."""
        return f"the lake {self.data}"

    def connected(self, role: str) -> psycopg.Connection[Any]:
        """Open a session in the catalog's database, in which each statement counts.

        Args:
            role: What it does, for whoever looks who is there.

        Raises:
            LakeError: there is no way to it.
        """
        driver = _imported("psycopg")
        place = f"process {os.getpid()} on {socket.gethostname()}"
        parts = driver.conninfo.conninfo_to_dict(self.catalog)
        given = {
            "connect_timeout": 10,
            **KEEPALIVE,
            **parts,
            "options": f"{parts.get('options', '')} {OPTIONS}".strip(),
            "application_name": f"pidgin-analytics {role}, {place}"[:63],
        }
        try:
            connection: psycopg.Connection[Any] = driver.connect(
                **given, password=self.password, autocommit=True
            )
        except driver.Error as error:
            raise LakeError(
                f"The catalog of the lake cannot be reached: {one_line(error)}"
            ) from None
        return connection

    def prepare(
        self, connection: duckdb.DuckDBPyConnection, alias: str = ALIAS
    ) -> None:
        """Let a session attach the lake as ``ducklake:<alias>_lake``.

        Nothing is downloaded: the extensions are those of installed packages.

        Raises:
            LakeError: a package is missing.
        """
        for extension in ("ducklake", "postgres_scanner"):
            _load(connection, extension)
        if "://" in self.data:
            _load(connection, "httpfs")
            connection.execute(_secret_of_data(f"{alias}_data", self.data))
        catalog = literal(f"postgres:{self.catalog}")
        parameters = ""
        if self.password is not None:
            secret = identifier(f"{alias}_catalog")
            connection.execute(
                f"create or replace secret {secret}"
                f" (type postgres, password {literal(self.password)})"
            )
            parameters = (
                f", metadata_parameters map {{'SECRET': {literal(f'{alias}_catalog')}}}"
            )
        connection.execute(
            f"create or replace secret {identifier(f'{alias}_lake')} (type ducklake,"
            f" metadata_path {catalog}, metadata_schema {literal(self.name)},"
            f" data_path {literal(self.data)}{parameters})"
        )

    def attach(
        self,
        connection: duckdb.DuckDBPyConnection,
        alias: str = ALIAS,
        snapshot_id: int | None = None,
    ) -> None:
        """Attach the lake, to read one snapshot or else to write.

        Raises:
            LakeError: a package is missing.
            duckdb.Error: the lake, or the snapshot, cannot be opened.
        """
        self.prepare(connection, alias)
        only = (
            ""
            if snapshot_id is None
            else f" (read_only, snapshot_version {snapshot_id})"
        )
        connection.execute(
            f"attach {literal(f'ducklake:{alias}_lake')} as {identifier(alias)}{only}"
        )


def of_environment(as_of: str = "") -> Lake:
    """Return the lake that the environment names.

    Args:
        as_of: The past moment that it shows, which has a lake of its own beside that of
            the present; empty for the present.

    Raises:
        LakeError: a setting is missing or none.
    """
    catalog = settings.setting("PIDGIN_LAKE_CATALOG", "")
    data = settings.setting("PIDGIN_LAKE_DATA", "")
    for name, value in (("PIDGIN_LAKE_CATALOG", catalog), ("PIDGIN_LAKE_DATA", data)):
        if not value:
            raise LakeError(
                f"{name} is not set, and the lake needs it; see docs/lake.md."
            )
    driver = _imported("psycopg")
    try:
        # As DuckLake has it, too, but not the first part of an address.
        catalog = re.sub("^postgres:(?!//)", "", catalog)
        parts = driver.conninfo.conninfo_to_dict(catalog)
    except driver.Error:
        # Not with the text, which may hold a password.
        raise LakeError(
            "PIDGIN_LAKE_CATALOG is no connection string of PostgreSQL; write one such"
            " as: host=db.example.org dbname=pidgin user=pidgin"
        ) from None
    password = parts.pop("password", None)
    name = NAME
    if as_of:
        name += "_as_of_" + "".join(
            character if character.isalnum() or character in "+-." else "_"
            for character in as_of
        )
    data = re.sub(r"^file://(localhost(?=/))?", "", data)
    if "://" not in data:
        # As it is written, wherever links lead: every machine must say the same.
        data = os.path.abspath(Path(settings.PROJECT, Path(data).expanduser()))  # noqa: PTH100
    elif not data.startswith("s3://"):
        raise LakeError(
            f"PIDGIN_LAKE_DATA is {data}, and must be a folder or s3://bucket/folder."
        )
    return Lake(
        driver.conninfo.make_conninfo(**parts),
        f"{data.rstrip('/')}/{name}/",
        name,
        None if password is None else str(password),
    )


def _imported(package: str) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError:
        raise LakeError(f"The lake needs further packages: {EXTRA}.") from None


def _load(connection: duckdb.DuckDBPyConnection, extension: str) -> None:
    package = _imported(f"duckdb_extension_{extension}")
    file = Path(
        package.__path__[0],
        f"extensions/v{duckdb.__version__}/{extension}.duckdb_extension",
    )
    if not file.is_file():
        raise LakeError(
            f"The package with DuckDB's extension {extension} is not that of DuckDB"
            f" {duckdb.__version__}: {EXTRA}."
        )
    connection.execute(f"load {literal(str(file))}")


def _secret_of_data(secret: str, data: str) -> str:
    """Make the statement that hands the credentials of the environment to DuckDB."""
    options = {
        option: value
        for option, value in {
            "key_id": os.environ.get("AWS_ACCESS_KEY_ID"),
            "secret": os.environ.get("AWS_SECRET_ACCESS_KEY"),
            "session_token": os.environ.get("AWS_SESSION_TOKEN"),
            "region": os.environ.get("AWS_REGION")
            or os.environ.get("AWS_DEFAULT_REGION"),
        }.items()
        if value
    }
    address = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get(
        "AWS_ENDPOINT_URL"
    )
    if address:
        parts = urlsplit(address if "://" in address else f"https://{address}")
        options |= {
            "endpoint": f"{parts.netloc}{parts.path}".rstrip("/"),
            "use_ssl": str(parts.scheme == "https").lower(),
            "url_style": "path",
        }
    chosen = "".join(
        f", {option} {literal(value)}" for option, value in options.items()
    )
    return (
        f"create or replace secret {identifier(secret)}"
        f" (type s3, scope {literal(data)}{chosen})"
    )


def one_line(error: BaseException) -> str:
    """Return what an error says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def _asking() -> Iterator[None]:
    """Let what goes wrong in the catalog be one sentence."""
    driver = _imported("psycopg")
    try:
        yield
    except driver.Error as error:
        raise LakeError(
            f"The catalog of the lake cannot be queried: {one_line(error)}"
        ) from None


def _is_made(connection: psycopg.Connection[Any], lake: Lake, table: str) -> bool:
    """Whether a table stands in the lake's schema."""
    name = f"{identifier(lake.name)}.{identifier(table)}"
    ((found,),) = connection.execute(
        "select to_regclass(%s) is not null", [name]
    ).fetchall()
    return bool(found)


class Reader:
    """Asks a lake which snapshot was published last. Threads may share it."""

    def __init__(self, lake: Lake) -> None:
        """Connect when first asked."""
        self.lake = lake
        self._is_closed = False
        self._connection: psycopg.Connection[Any] | None = None
        self._lock = threading.Lock()

    def published(self) -> PublishedSnapshot | None:
        """Return the snapshot that people read; None if no build was published yet.

        Raises:
            LakeError: the catalog cannot be queried.
        """
        with self._lock:
            if self._is_closed:
                raise LakeError("The lake is closed.")
            is_known = self._connection is not None
            try:
                return self._ask()
            except LakeError:
                # A server that was started anew knows none of its old sessions.
                if not is_known:
                    raise
                return self._ask()

    def _ask(self) -> PublishedSnapshot | None:
        if self._connection is None:
            self._connection = self.lake.connected("read")
        try:
            return newest(self._connection, self.lake)
        except LakeError:
            self._connection.close()
            self._connection = None
            raise

    def close(self) -> None:
        """Leave the catalog."""
        with self._lock:
            self._is_closed = True
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def newest(connection: psycopg.Connection[Any], lake: Lake) -> PublishedSnapshot | None:
    """Return the snapshot that was published last, if any.

    Raises:
        LakeError: the catalog cannot be queried.
    """
    with _asking():
        if not _is_made(connection, lake, "pidgin_published"):
            return None
        row = connection.execute(
            PUBLISHED.format(schema=identifier(lake.name))
        ).fetchone()
    return None if row is None else PublishedSnapshot(*row)


class Lock:
    """What only one process may do with a lake at a time, whatever machine it is on.

    It goes with the process, however that ends.
    """

    def __init__(self, lake: Lake, role: str) -> None:
        """Connect, without taking the lock.

        Args:
            lake: The lake.
            role: What only one may do.

        Raises:
            LakeError: the catalog cannot be reached.
        """
        self.lake = lake
        self._key = f"pidgin-analytics {role} {lake.name}"
        self._connection = lake.connected(role)

    def take(self) -> bool:
        """Take the lock; return whether it is this one's.

        Raises:
            LakeError: the catalog cannot be queried.
        """
        with _asking():
            ((is_taken,),) = self._connection.execute(
                "select pg_try_advisory_lock(hashtextextended(%s, 0))", [self._key]
            ).fetchall()
        return bool(is_taken)

    def owner(self) -> str:
        """Name the process that has the lock.

        Raises:
            LakeError: the catalog cannot be queried.
        """
        with _asking():
            found = self._connection.execute(OWNER, [self._key]).fetchone()
        name = found[0] if found else ""
        return name.partition(", ")[2] or name or "another process"

    def close(self) -> None:
        """Let others have it."""
        self._connection.close()


class Builder(Lock):
    """The one who may change a lake."""

    def __init__(self, lake: Lake, timeout: float, say: Callable[[str], None]) -> None:
        """Wait until nobody else builds.

        Args:
            lake: The lake to change.
            timeout: Seconds to wait at most.
            say: Takes one line that names the other one, if there is reason to wait.

        Raises:
            WarehouseInUseError: another one still builds after that time.
            LakeError: the catalog cannot be reached.
        """
        super().__init__(lake, "build")
        try:
            self._wait(timeout, say)
        except BaseException:
            self.close()
            raise

    def _wait(self, timeout: float, say: Callable[[str], None]) -> None:
        end = time.monotonic() + timeout
        is_waiting = False
        while not self.take():
            if time.monotonic() >= end:
                raise WarehouseInUseError(
                    f"{self.owner()} still writes this lake after {timeout:g} seconds;"
                    " try again when it is done, or wait longer with"
                    " PIDGIN_LOCK_TIMEOUT."
                )
            if not is_waiting:
                is_waiting = True
                say(
                    f"Waiting up to {timeout:g} seconds: {self.owner()} writes this"
                    " lake."
                )
            time.sleep(0.1)

    def published(self) -> PublishedSnapshot | None:
        """Return the snapshot that people read.

        Raises:
            LakeError: the catalog cannot be queried.
        """
        return newest(self._connection, self.lake)

    def lake_name(self) -> str:
        """Say which lake it is, for what dbt prints."""
        return str(self.lake)

    def published_snapshot_digest(self) -> str | None:
        """Return what the macro ``publish`` noted of the published snapshot."""
        found = self.published()
        return found.digest if found else None

    def publish_snapshot(self, digest: str) -> str | None:
        """Let people read what the lake holds now.

        It is noted by the session that holds the lock: whoever has lost that, with the
        server perhaps, cannot publish.

        Returns:
            Why it is not published; None if it is.
        """
        driver = _imported("psycopg")
        schema = identifier(self.lake.name)
        try:
            with self._connection.transaction():
                self._connection.execute(NOTE.format(schema=schema))
                self._connection.execute(INSERT.format(schema=schema), [digest])
        except driver.Error as error:
            return one_line(error)
        return None

    def holds_lock(self) -> bool:
        """Make sure that this is still the one who may change the lake.

        Raises:
            LakeError: the session with the lock has ended, and others may build.
        """
        driver = _imported("psycopg")
        try:
            self._connection.execute("select 1")
        except driver.Error as error:
            raise LakeError(
                f"The build has lost its lock on the lake: {one_line(error)}"
            ) from None
        return True

    def is_begun(self) -> bool:
        """Whether there is a lake yet.

        Raises:
            LakeError: the catalog cannot be queried.
        """
        with _asking():
            return _is_made(self._connection, self.lake, "ducklake_metadata")

    def begin(self) -> None:
        """Make the lake if there is none yet.

        Raises:
            LakeError: its folder holds the files of another lake, which cleaning this
                one would delete; or a package is missing.
            duckdb.Error: it cannot be opened.
        """
        is_new = not self.is_begun()
        with closing(in_memory()) as connection:
            self.lake.prepare(connection)
            pattern = re.sub(r"([\[*?])", r"[\1]", self.lake.data) + "**/*.parquet"
            if (
                is_new
                and connection.execute(
                    "select 1 from glob(?) limit 1", [pattern]
                ).fetchall()
            ):
                raise LakeError(
                    f"{self.lake.data} holds the files of another lake; name another"
                    " PIDGIN_LAKE_DATA, or the database that they belong to."
                )
            self.lake.attach(connection)

    def keep_only(self, kept: Collection[int]) -> None:
        """Note no more that other snapshots than these were published.

        Raises:
            LakeError: the catalog cannot be queried.
        """
        with _asking():
            self._connection.execute(
                f"delete from {identifier(self.lake.name)}.pidgin_published"  # noqa: S608
                " where snapshot_id != all(%s)",
                [list(kept)],
            )

    def published_since(self, days: float) -> list[int]:
        """Return the snapshots that were published in these days, and the last one.

        Raises:
            LakeError: the catalog cannot be queried.
        """
        schema = identifier(self.lake.name)
        with _asking():
            if not _is_made(self._connection, self.lake, "pidgin_published"):
                return []
            rows = self._connection.execute(
                f"select distinct snapshot_id from {schema}.pidgin_published"  # noqa: S608
                " where published_at >= now() - %s * interval '1 day'"
                f" or number = (select max(number) from {schema}.pidgin_published)",
                [days],
            ).fetchall()
        return [row[0] for row in rows]
