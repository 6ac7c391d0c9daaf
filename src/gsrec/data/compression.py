"""Bytes of a file that may be compressed with gzip or zstd."""

from __future__ import annotations

import gzip
import io
import zlib
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

import zstandard

from gsrec.errors import DataError

EXTENSIONS = (".gz", ".zst")
DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError)
"""What is raised where a compressed file is cut short or damaged."""

CHUNK = 1 << 20
"""Bytes read at a time."""

DEFLATE_AT_MOST = 1032
"""Times its own size that a gzip file can unpack to."""

ALWAYS_ALLOWED, TIMES_ALLOWED = 2**30, 200
"""Bytes that every file may unpack to, and how many times its own size a larger one may."""


def without_compression(path: Path) -> Path:
    """The path without .gz or .zst.

    >>> without_compression(Path("log.csv.gz")).name
    'log.csv'
    """
    return path.with_suffix("") if path.suffix.lower() in EXTENSIONS else path


def most_bytes(packed: int) -> int:
    """The most bytes that a file of so many packed ones may unpack to; what has more is made to fill a disk."""
    return max(ALWAYS_ALLOWED, TIMES_ALLOWED * packed)


class Bounded(io.RawIOBase):
    """Reads a stream, up to a number of bytes."""

    def __init__(self, stream: io.BufferedIOBase | IO[bytes], most: int, path: Path) -> None:
        """Read at most so many bytes of what was packed in the file at `path`."""
        self._stream, self._left, self._most, self._path = stream, most, most, path

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As of any raw stream.

        Raises:
            DataError: if there are more bytes than allowed.
        """
        view = memoryview(buffer)
        found = self._stream.read(len(view))
        self._left -= len(found)
        if self._left < 0:
            raise too_much(self._path, self._most)
        view[: len(found)] = found
        return len(found)

    def close(self) -> None:
        """Close the stream as well."""
        self._stream.close()
        super().close()


def too_much(path: Path, most: int) -> DataError:
    """What is told of a file that unpacks to more than allowed."""
    return DataError(
        f"{path}: it unpacks to more than {most:,} bytes, which no log of its size does. If it is one, unpack it first."
    )


def check_unpacks(path: Path) -> None:
    """Make sure that a compressed file unpacks to no more than `most_bytes` allows, before another reader unpacks it.

    Raises:
        DataError: if it does.
    """
    is_small = path.suffix.lower() == ".gz" and path.stat().st_size * DEFLATE_AT_MOST <= ALWAYS_ALLOWED
    if is_small or path == without_compression(path):
        return
    with open_bytes(path) as file, suppress(*DAMAGE, OSError):  # the reader tells better what is damaged
        while file.read(CHUNK):
            pass


def open_bytes(path: Path) -> io.BufferedIOBase:
    """Open a file to read what was in it before it was compressed; its first bytes say whether it was.

    Reading raises a DataError where there is more in it than `most_bytes` allows.
    """
    with path.open("rb") as file:
        start = file.read(4)
    most = most_bytes(path.stat().st_size)
    if start[:2] == b"\x1f\x8b":
        return io.BufferedReader(Bounded(gzip.open(path, "rb"), most, path))
    if start == zstandard.FRAME_HEADER:
        stream = zstandard.ZstdDecompressor().stream_reader(path.open("rb"), read_across_frames=True)
        return io.BufferedReader(Bounded(cast(IO[bytes], stream), most, path))
    return path.open("rb")
