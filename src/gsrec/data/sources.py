"""Logs by path or by name: found in a folder, or fetched once and kept."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from gsrec.data.catalogue import SOURCES, Source
from gsrec.data.columns import Columns
from gsrec.data.compression import without_compression
from gsrec.data.download import check_unchanged, download
from gsrec.data.formats import READERS
from gsrec.data.log import InteractionLog
from gsrec.data.readers import read_log
from gsrec.data.synthetic import synthetic_log
from gsrec.errors import DataError
from gsrec.progress import Progress

SYNTHETIC = "synthetic"
"""The name of the log that is made up on the spot."""


def open_log(
    log: str | Path, *, columns: Columns = Columns(), base_url: str | None = None, progress: Progress | None = None
) -> InteractionLog:
    """A log by the path of its file or by its name.

    A file of that path wins. A name is looked for in the folder that `GSREC_DATA` names (as NAME.csv.gz, NAME.parquet
    and so on, or as the source's own archive), then among the files fetched before, then fetched.

    >>> open_log("synthetic")
    InteractionLog(name='synthetic', num_users=1,000, num_items=200, num_interactions=20,018, time='clock')

    Args:
        log: a path, the name of a source, `synthetic`, or the name of any file in `GSREC_DATA`.
        columns: which columns to read; those not named are guessed.
        base_url: fetch from this folder instead of the publisher's.
        progress: told of the bytes received.

    Raises:
        DataError: if it is neither path nor name, there is no such file or source, it cannot be fetched or is no log.
    """
    if not isinstance(log, str | Path):
        kind = type(log).__name__
        raise DataError(f"expected a path or a name, found {kind}. A data frame becomes a log by gsrec.log_from_frame.")
    log = str(log)
    if Path(log).is_file():
        return read_log(log, columns=columns)
    if log == SYNTHETIC:
        return synthetic_log()
    path = fetch(log, base_url=base_url, progress=progress)
    if log in SOURCES and path.name in SOURCES[log].files:
        return SOURCES[log].read(path, columns, log)
    return read_log(path, columns=columns, name=log)


def fetch(name: str, *, base_url: str | None = None, progress: Progress | None = None) -> Path:
    """The file of a log: as it lies in `GSREC_DATA` or among those fetched before, else fetched now.

    Args:
        name: the name of a source, or of any file in `GSREC_DATA`.
        base_url: fetch from this folder instead of the publisher's.
        progress: told of the bytes received.

    Raises:
        DataError: if there is no such source, or its file cannot be had or was changed since it was fetched.
    """
    if found := find_local(name):
        check_unchanged(found)
        return found
    if name == SYNTHETIC:
        raise DataError(f"{name} is made up where it is needed: there is nothing to fetch")
    source = find_source(name)
    if source.url is None:
        raise DataError(
            f"{name}: its publisher offers it no longer. If you have it, put it as {' or '.join(source.files)} into "
            f"{cache_folder()} or into the folder that the environment variable GSREC_DATA names."
        )
    target = cache_folder() / source.files[0]
    download(f"{(base_url or source.url).rstrip('/')}/{target.name}", target, md5=source.md5, progress=progress)
    return target


def find_local(name: str) -> Path | None:
    """Where a log of this name lies: in `GSREC_DATA` as a table or as a source's own file, or among those fetched.

    Raises:
        DataError: if `GSREC_DATA` names no folder.
    """
    if Path(name).name != name:
        return None
    own = SOURCES[name].files if name in SOURCES else ()
    tables = [f"{name}{extension}{packed}" for extension in READERS for packed in (".gz", "", ".zst")]
    folder = data_folder()
    places = [folder / file for file in (*tables, *own)] if folder else []
    places += [cache_folder() / file for file in own]
    return next((place for place in places if place.exists()), None)


def find_source(name: str) -> Source:
    """The source of this name.

    Raises:
        DataError: if there is none, with names that come close.
    """
    if name in SOURCES:
        return SOURCES[name]
    if Path(name).is_dir():
        raise DataError(f"{name}: this is a folder; expected a file with interactions or the name of a source")
    known = known_names()
    close = difflib.get_close_matches(without_compression(Path(name)).stem, known, n=3)
    hint = f"Did you mean {' or '.join(close)}?" if close else f"Names that are known: {', '.join(known)}."
    raise DataError(f"{name}: there is neither a file nor a source of this name. {hint}")


def known_names() -> list[str]:
    """The names that `open_log` knows: the sources, the synthetic log, and the files in `GSREC_DATA`."""
    folder = data_folder()
    files = [without_compression(file) for file in sorted(folder.iterdir())] if folder else []
    local = [file.stem for file in files if file.suffix in READERS]
    return list(dict.fromkeys([*SOURCES, SYNTHETIC, *local]))


def data_folder() -> Path | None:
    """The folder that `GSREC_DATA` names, if it is set.

    Raises:
        DataError: if there is no such folder.
    """
    name = os.environ.get("GSREC_DATA")
    if not name:
        return None
    if not Path(name).is_dir():
        raise DataError(f"the environment variable GSREC_DATA names {name!r}, and there is no such folder")
    return Path(name)


def cache_folder() -> Path:
    """Where fetched files are kept: `GSREC_CACHE`, else `gsrec` in the user's folder of caches."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("GSREC_CACHE") or Path(caches, "gsrec"))
