"""Interaction logs from files; the format goes by the extension."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from gsrec.data.build import log_from_table
from gsrec.data.columns import Columns
from gsrec.data.compression import DAMAGE, without_compression
from gsrec.data.formats import Reader, read_table
from gsrec.data.log import InteractionLog
from gsrec.data.separated import open_quote
from gsrec.errors import DataError


def read_log(
    path: str | Path, *, columns: Columns = Columns(), name: str | None = None, reader: Reader = read_table
) -> InteractionLog:
    """Read a log from a file: CSV, TSV, Parquet, JSON lines, MovieLens, RecBole or S3-Rec, also with .gz or .zst.

    Args:
        path: the file.
        columns: which columns to read; those not named are guessed.
        name: what to call the log; None calls it as the file without its extensions.
        reader: what opens the file; as its extension says unless given.

    Raises:
        DataError: if the file is missing, empty, damaged, of no known format, or holds what is no log.
    """
    path = Path(path)
    with explained(path):
        return log_from_table(reader(path), columns=columns, name=name or without_compression(path).stem)


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise DataError(f"{path}: this is a folder; expected a file")
    if not path.exists():
        raise DataError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Say which file it was where reading fails.

    Raises:
        DataError: instead of what a library or the system raised, or if there is no file, or an empty one.
    """
    _check_file(path)
    try:
        yield
    except (*DAMAGE, OSError) as error:
        raise DataError(f"{path}: cannot be read; it may be cut short or damaged: {error}") from error
    except pl.exceptions.NoDataError as error:
        raise DataError(f"{path}: the file is empty") from error
    except _refusals() as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        place = open_quote(path)
        told = f"Is it damaged, or a quote left open{f', such as in line {place}' if place else ''}?"
        raise DataError(f"{path}: cannot be read as its extension says: {reason}. {told}") from error


def _refusals() -> tuple[type[BaseException], ...]:
    """What libraries raise that read files, or give up on them; Arrow is asked only where it was there to read."""
    arrow = sys.modules.get("pyarrow")
    of_arrow = (arrow.ArrowException, UnicodeDecodeError) if arrow else ()
    return (pl.exceptions.PolarsError, pl.exceptions.PanicException, *of_arrow)
