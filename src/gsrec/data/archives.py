"""Files out of zip and tar archives."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import IO

from gsrec.data.compression import CHUNK, DAMAGE, most_bytes, too_much
from gsrec.errors import DataError

BROKEN = (*DAMAGE, OSError, zipfile.BadZipFile, tarfile.TarError, RuntimeError)
"""What is raised where an archive is cut short or damaged; RuntimeError: encrypted, or packed in an unknown way."""


def extract(archive: Path, patterns: tuple[str, ...], folder: Path) -> list[Path]:
    """Copy the files whose names match one of the patterns out of an archive, and of archives within it.

    Args:
        archive: a zip or tar file, the latter also compressed.
        patterns: such as `ratings.dat` or `mv_*.txt`, without folders.
        folder: where the files go, without the archive's folders.

    Returns:
        The files in the order of their names.

    Raises:
        DataError: if the archive is damaged, unpacks to far more than its size, or holds no such file or two of a name.
    """
    files: list[Path] = []
    left = most = most_bytes(archive.stat().st_size) if archive.exists() else 0
    members = _zip_members if archive.suffix == ".zip" else _tar_members
    try:
        for name, content in members(archive, lambda name: any(fnmatch(name, pattern) for pattern in patterns)):
            if folder / name in files:
                raise DataError(f"{archive}: holds two files named {name}, and which one is meant is not known")
            files.append(folder / name)
            with files[-1].open("wb") as file:
                while chunk := content.read(CHUNK):
                    left -= file.write(chunk)
                    if left < 0:
                        raise too_much(archive, most)
    except BROKEN as error:
        raise DataError(f"{archive}: cannot be unpacked; it may be cut short, damaged or encrypted: {error}") from error
    if not files:
        raise DataError(f"{archive}: holds no file named {' or '.join(patterns)}")
    return sorted(files)


def _zip_members(archive: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(archive) as opened:
        for member in opened.namelist():
            if wanted(name := PurePosixPath(member).name):
                yield name, opened.open(member)


def _tar_members(archive: Path | IO[bytes], wanted: Callable[[str], bool]) -> Iterator[tuple[str, IO[bytes]]]:
    opening = {"name": archive} if isinstance(archive, Path) else {"fileobj": archive}
    with tarfile.open(**opening) as opened:
        for member in opened:
            content = opened.extractfile(member)
            name = PurePosixPath(member.name).name
            if content is not None and wanted(name):
                yield name, content
            elif content is not None and name.endswith(".tar"):
                yield from _tar_members(content, wanted)
