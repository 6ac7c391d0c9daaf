"""Every file format a log or a table of titles can have, by extension, each opened lazily as a table."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import polars as pl

from gsrec.data.columns import is_header
from gsrec.data.compression import check_unpacks, open_bytes, without_compression
from gsrec.data.json_lines import read_json_lines
from gsrec.data.lines import check_lines, filled_lines
from gsrec.data.parquet import read_parquet
from gsrec.data.separated import Separated, read_csv, read_recbole, read_tsv
from gsrec.data.table import Table
from gsrec.errors import DataError

Reader = Callable[[Path], Table]

RATINGS_HEADER = ("user_id", "item_id", "rating", "timestamp")
"""The columns of rating files that have no line with their names."""


def read_table(path: Path) -> Table:
    """Open a file as its extension says.

    Raises:
        DataError: if no format has this extension, or the file breaks the rules of its format.
    """
    extension = without_compression(path).suffix.lower()
    readers = READERS | READERS_OF_ITEMS
    if extension not in readers:
        raise DataError(
            f"{path}: no format has the extension {extension!r}; "
            f"expected one of {', '.join(READERS)}, each also with .gz or .zst after it"
        )
    check_unpacks(path)
    return readers[extension](path)


def read_double_colons(path: Path) -> Table:
    """Open a MovieLens file: lines of user::item::rating::timestamp.

    Raises:
        DataError: if a line has more or fewer fields.
    """
    fields = pl.col("line").str.split("::")
    notes = check_lines(path, fields.list.len() == len(RATINGS_HEADER), pl.lit("user::item::rating::timestamp"))
    rows = filled_lines(path).select(fields.list.get(place).alias(name) for place, name in enumerate(RATINGS_HEADER))
    return Table(rows, str(path), text=True, notes=notes)


def read_histories(path: Path) -> Table:
    """Open a file of S3-Rec's form: a line is a user and then this user's items, oldest first, separated by blanks.

    Lines of one user and one item each, as SASRec has them, are a case of it.

    Raises:
        DataError: if a line has a user but no item, or the first one is a table's names of columns.
    """
    with open_bytes(path) as file:
        first = next((line for line in file if line.strip()), b"").decode("utf-8-sig", errors="replace")
    if is_header(re.split(r"[,;|\s]+", first)):
        raise DataError(
            f"{path}: its first line names columns, so it is a table, and a .txt is lines of a user and then items. "
            "Call it .csv, or .tsv where its columns are apart by tabs."
        )
    ids = pl.col("line").str.strip_chars().str.replace_all(r"\s+", " ").str.split(" ")
    notes = check_lines(path, ids.list.len() >= 2, pl.lit("a user and then items"))
    rows = filled_lines(path).select(user_id=ids.list.first(), item_id=ids.list.slice(1)).explode("item_id")
    return Table(rows, str(path), text=True, notes=notes)


READERS: dict[str, Reader] = {
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".parquet": read_parquet,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".json": read_json_lines,
    ".inter": read_recbole,
    ".dat": read_double_colons,
    ".data": Separated("\t", quote=None, header=RATINGS_HEADER),
    ".txt": read_histories,
}
"""The reader of each extension that a log can have."""

READERS_OF_ITEMS: dict[str, Reader] = {".item": read_recbole}
"""The same of tables that hold no events but what items are called."""
