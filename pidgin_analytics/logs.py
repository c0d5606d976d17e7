"""Files that a build reads: whether it may, and what compressed ones hold."""

from __future__ import annotations

import os
import shutil
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

# How compressed files begin.
GZIP, ZSTANDARD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
CHUNK = 1 << 20
SLICE = 1 << 14


def file_problem(path: str) -> str | None:
    """Say why a file may not be read; None if it may."""
    try:
        # Opening a pipe would wait for somebody to write to it.
        if not stat.S_ISREG(Path(path).stat().st_mode):
            return "it is no file"
        os.close(os.open(path, os.O_RDONLY))
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return None


def unreadable_folders(path: str) -> list[str]:
    """Name the folders below a folder that may not be looked into."""
    folders: list[str] = []

    def note(error: OSError) -> None:
        folders.append(str(error.filename))

    for _ in os.walk(path, onerror=note):
        pass
    return sorted(set(folders))


def file_problems(paths: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Say why files may not be read, one by one; null where they may."""
    return pa.array(
        [None if path is None else file_problem(path) for path in paths.to_pylist()],
        type=pa.string(),
    )


def is_compressed(path: str) -> bool:
    """Tell whether a log must be unpacked, by how it begins, or by its name.

    A log that is named as if it were compressed and is not must be given another name
    for readers, which go by names.
    """
    try:
        with Path(path).open("rb") as file:
            start = file.read(4)
    except OSError:
        return False
    return (
        start.startswith(GZIP)
        or start == ZSTANDARD
        or path.lower().endswith((".gz", ".zst"))
    )


def are_compressed(paths: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Tell of logs whether they must be unpacked, one by one."""
    return pa.array(
        [path is not None and is_compressed(path) for path in paths.to_pylist()],
        type=pa.bool_(),
    )


def unpack_log(path: str, copy: str) -> str | None:
    """Write what a compressed log holds to another file.

    Returns:
        None if it is whole; else what is wrong. What could be unpacked is written, or
        the log as it is where nothing could: its lines are then rejected one by one.

    Raises:
        OSError: the copy cannot be written.
    """
    problem = None
    Path(copy).parent.mkdir(parents=True, exist_ok=True)
    with Path(copy).open("wb") as target:
        chunks = _unpacked(path)
        while True:
            try:
                chunk = next(chunks, None)
            except (OSError, EOFError, zlib.error, pa.ArrowInvalid) as error:
                problem = f"its compressed data is damaged ({error})"
                break
            if chunk is None:
                break
            target.write(chunk)
    if problem and not Path(copy).stat().st_size:
        shutil.copyfile(path, copy)
    return problem


def _unpacked(path: str) -> Iterator[bytes]:
    """Read a log, unpacking it if it is packed, as far as that goes."""
    with Path(path).open("rb") as file:
        start = file.read(4)
        file.seek(0)
        if start.startswith(GZIP):
            yield from _unzipped(iter(lambda: file.read(CHUNK), b""))
        elif start == ZSTANDARD:
            with pa.CompressedInputStream(file, "zstd") as stream:
                yield from iter(lambda: stream.read(CHUNK), b"")
        else:
            yield from iter(lambda: file.read(CHUNK), b"")


def _unzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack gzip, of which one file may hold several, one behind the other."""
    # Not the gzip module, which keeps back what it unpacked before it met damage.
    unpacker = zlib.decompressobj(wbits=31)
    for chunk in chunks:
        data = chunk
        while data:
            if unpacker.eof:
                # What follows the end and is no gzip is padding.
                if not data.startswith(GZIP):
                    return
                unpacker = zlib.decompressobj(wbits=31)
            # Little at a time: with an error goes what the same call has unpacked.
            yield unpacker.decompress(data, SLICE)
            data = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
    if not unpacker.eof:
        raise EOFError("it ends too early")


def clear_folder(path: str) -> str:
    """Delete a folder with all that it holds, if it is there; return its path."""
    shutil.rmtree(path, ignore_errors=True)
    return path
