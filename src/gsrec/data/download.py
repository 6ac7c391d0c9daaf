"""One file from the network, whole and checked, or not at all."""

from __future__ import annotations

import hashlib
import http.client
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from gsrec.data.archives import BROKEN
from gsrec.data.compression import CHUNK, most_bytes, open_bytes, too_much
from gsrec.errors import ConfigError, DataError
from gsrec.files import replacing, write_text
from gsrec.progress import Progress

TIMEOUT = 30.0
"""Seconds without a byte after which a server counts as gone."""


def download(url: str, target: Path, *, md5: str | None = None, progress: Progress | None = None) -> None:
    """Fetch a file into its place, and write its SHA-256 beside it for later checks.

    Args:
        url: http or https.
        target: where the file goes; nothing is there until it is whole and checked.
        md5: what its publisher says it must have.
        progress: told of the bytes received.

    Raises:
        ConfigError: if the address is neither http nor https.
        DataError: if the file is missing, cut short, not what its publisher says, damaged, or cannot be written.
    """
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"expected an address that begins with http:// or https://, found {url!r}")
    with replacing(target) as part:
        with part.open("wb") as file:
            _receive(url, file, progress)
        _check(part, target.name, url, md5)
        write_text(_record(target), f"{digest(part, 'sha256')}  {target.name}\n")


def _receive(url: str, file: IO[bytes], progress: Progress | None) -> None:
    received = 0
    for chunk, total in _chunks(url):
        received += file.write(chunk)
        if progress:
            progress(received, total)
    if total is not None and received != total:
        raise DataError(f"{url}: cut short after {received:,} of {total:,} bytes; nothing was kept. Try again.")


def _chunks(url: str) -> Iterator[tuple[bytes, int | None]]:
    """The file in pieces, each with the bytes in all; the last piece is empty."""
    request = urllib.request.Request(url, headers={"User-Agent": "gsrec"})  # noqa: S310 - download checks the address
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:  # noqa: S310 - download checks the address
            length = response.headers["Content-Length"]
            while chunk := response.read(CHUNK):
                yield chunk, int(length) if length else None
            yield b"", int(length) if length else None
    except (OSError, http.client.HTTPException) as error:
        raise DataError(
            f"cannot fetch {url}: {error}. Where there is no network, put the file "
            "into the folder that the environment variable GSREC_DATA names."
        ) from error


def _check(part: Path, name: str, url: str, md5: str | None) -> None:
    if md5 and (found := digest(part, "md5")) != md5:
        raise DataError(f"{url}: expected a file with MD5 {md5}, received {found}; nothing was kept. Try again.")
    try:
        _unpack(part, name)
    except BROKEN as error:
        raise DataError(f"{url}: what was received is damaged ({error}); nothing was kept. Try again.") from error


def _unpack(part: Path, name: str) -> None:
    """Read a compressed file through, which compares the checksums within."""
    if name.endswith(".zip"):
        with zipfile.ZipFile(part) as archive:
            if sum(member.file_size for member in archive.infolist()) > (most := most_bytes(part.stat().st_size)):
                raise too_much(Path(name), most)
            if broken := archive.testzip():
                raise zipfile.BadZipFile(f"bad checksum of {broken}")
    elif name.endswith(".gz"):
        with open_bytes(part) as file:
            while file.read(CHUNK):
                pass


def digest(path: Path, algorithm: str) -> str:
    """The checksum of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def _record(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def check_unchanged(path: Path) -> None:
    """Compare a file with the checksum written when it was fetched, if there is one.

    Raises:
        DataError: if it is not the file that was fetched.
    """
    record = _record(path)
    if record.exists() and record.read_text().split()[:1] != [digest(path, "sha256")]:
        raise DataError(f"{path}: this is no longer the file that was fetched. Remove it and fetch it again.")
