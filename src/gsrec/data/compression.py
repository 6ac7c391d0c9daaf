"""Bytes of a file that may be compressed with gzip or zstd."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import cast

import zstandard

EXTENSIONS = (".gz", ".zst")
DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError)
"""What is raised where a compressed file is cut short or damaged."""


def without_compression(path: Path) -> Path:
    """The path without .gz or .zst.

    >>> without_compression(Path("log.csv.gz")).name
    'log.csv'
    """
    return path.with_suffix("") if path.suffix in EXTENSIONS else path


def open_bytes(path: Path) -> io.BufferedIOBase:
    """Open a file to read what was in it before it was compressed; its first bytes say whether it was."""
    with path.open("rb") as file:
        start = file.read(4)
    if start[:2] == b"\x1f\x8b":
        return gzip.open(path, "rb")
    if start == zstandard.FRAME_HEADER:
        stream = zstandard.ZstdDecompressor().stream_reader(path.open("rb"), read_across_frames=True)
        return io.BufferedReader(cast(io.RawIOBase, stream))
    return path.open("rb")
