"""Named logs: found in a folder, or fetched once and kept."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from gsrec.data.archives import extract
from gsrec.data.columns import Columns
from gsrec.data.compression import EXTENSIONS, without_compression
from gsrec.data.download import Progress, check_unchanged, download
from gsrec.data.formats import RATINGS_HEADER, READERS, Separated
from gsrec.data.log import InteractionLog, log_from_table
from gsrec.data.netflix import FILE_PATTERNS, read_netflix
from gsrec.data.readers import read_log
from gsrec.data.synthetic import synthetic_log
from gsrec.errors import DataError

SYNTHETIC = "synthetic"
"""The name of the log that is made up on the spot."""

FolderReader = Callable[[Path, Columns, str], InteractionLog]


@dataclass(frozen=True)
class Source:
    """A public log: where it comes from, how it is read and on what terms it may be used.

    Attributes:
        name: what the log is called.
        files: the names its file goes by; the first is the one fetched.
        read: reads the file into a log with the given columns and name.
        licence: the terms of its publisher, to be shown to the user.
        url: the folder it is fetched from; None where it cannot be had without asking.
        md5: the checksum its publisher gives.
    """

    name: str
    files: tuple[str, ...]
    read: FolderReader
    licence: str
    url: str | None = None
    md5: str | None = None


def open_log(
    log: str, *, columns: Columns = Columns(), base_url: str | None = None, progress: Progress | None = None
) -> InteractionLog:
    """A log by the path of its file or by its name.

    A file of that path wins. A name is looked for in the folder that `GSREC_DATA` names (as NAME.csv.gz, NAME.parquet
    and so on, or as the source's own archive), then among the files fetched before, then fetched.

    Args:
        log: a path, the name of a source, `synthetic`, or the name of any file in `GSREC_DATA`.
        columns: which columns to read; those not named are guessed.
        base_url: fetch from this folder instead of the publisher's.
        progress: told of the bytes received.

    Raises:
        DataError: if there is no such file or source, it cannot be fetched or it is no log.
    """
    if Path(log).is_file():
        return read_log(log, columns=columns)
    if log == SYNTHETIC:
        return synthetic_log()
    path = find_local(log) or fetch(log, base_url=base_url, progress=progress)
    source = SOURCES.get(log)
    if source and path.name in source.files:
        return source.read(path, columns, log)
    return read_log(path, columns=columns, name=log)


def fetch(name: str, *, base_url: str | None = None, progress: Progress | None = None) -> Path:
    """The file of a source: as found in `GSREC_DATA` or among those fetched before, else fetched now.

    Raises:
        DataError: if there is no such source, or its file cannot be had or was changed.
    """
    if local := find_local(name):
        return local
    source = find_source(name)
    target = cache_folder() / source.files[0]
    if target.exists():
        check_unchanged(target)
    elif source.url is None:
        raise DataError(
            f"{name}: its publisher offers it no longer. If you have it, put one of {', '.join(source.files)} "
            f"(archive or unpacked folder) into the folder that GSREC_DATA names or into {cache_folder()}."
        )
    else:
        url = f"{(base_url or source.url).rstrip('/')}/{source.files[0]}"
        download(url, target, md5=source.md5, progress=progress)
    return target


def find_source(name: str) -> Source:
    """The source of this name.

    Raises:
        DataError: if there is none, with names that come close.
    """
    if name in SOURCES:
        return SOURCES[name]
    if Path(name).is_dir():
        raise DataError(f"{name}: this is a folder; expected a file with interactions or the name of a source")
    known = [*SOURCES, SYNTHETIC, *_local_names()]
    close = difflib.get_close_matches(name, known, n=3)
    hint = f"Did you mean {' or '.join(close)}?" if close else f"Sources are {', '.join(known)}."
    raise DataError(f"{name}: there is neither a file nor a source of this name. {hint}")


def find_local(name: str) -> Path | None:
    """Where a log of this name lies in the folder that `GSREC_DATA` names, if it does."""
    folder = os.environ.get("GSREC_DATA")
    if not folder or Path(name).name != name:
        return None
    tables = (Path(folder, f"{name}{extension}") for extension in _extensions())
    archives = (Path(folder, file) for file in (SOURCES[name].files if name in SOURCES else ()))
    found = (path for path in tables if path.is_file()), (path for path in archives if path.exists())
    return next((path for paths in found for path in paths), None)


def _extensions() -> Iterator[str]:
    for extension in READERS:
        yield from (f"{extension}.gz", extension, f"{extension}.zst")


def _local_names() -> list[str]:
    folder = Path(os.environ.get("GSREC_DATA", ""))
    files = (path for path in sorted(folder.iterdir()) if path.is_file()) if os.environ.get("GSREC_DATA") else ()
    return [without_compression(path).stem for path in files if without_compression(path).suffix in READERS]


def cache_folder() -> Path:
    """Where fetched files are kept: `GSREC_CACHE`, else `gsrec` in the user's folder of caches."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("GSREC_CACHE") or Path(caches, "gsrec"))
