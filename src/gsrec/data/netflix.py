"""The files of the Netflix prize: a line `movie:`, then this movie's lines `user,rating,date`."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from gsrec.data.readers import explained
from gsrec.data.table import Table
from gsrec.errors import DataError

FILE_PATTERNS = ("combined_data_*.txt", "mv_*.txt")
"""One file for many movies, as the prize's data are passed on today, or one file a movie, as they first came."""

FIELDS = ("user_id", "rating", "date")

UNREADABLE = -1
"""Stands for a movie that is no number."""


def read_netflix(files: list[Path]) -> Table:
    """Join the prize's files as one table with the columns user_id, item_id and date.

    Raises:
        DataError: if a line is neither a movie nor a rating, or comes before any movie.
    """
    where = str(files[0].parent)
    return Table(pl.concat([_read_file(file) for file in files]).lazy(), where)


def _read_file(file: Path) -> pl.DataFrame:
    """(N, 3) the ratings of one file; held in half the bytes of text while the next file is read."""
    lines = pl.scan_csv(
        file,
        has_header=False,
        schema=dict.fromkeys(FIELDS, pl.String),
        missing_columns="insert",
        quote_char=None,
        glob=False,
        row_index_name="line",
        row_index_offset=1,
    )
    movie = pl.col("user_id").str.strip_suffix(":").cast(pl.Int32, strict=False).fill_null(UNREADABLE)
    is_movie = pl.col("user_id").str.ends_with(":").fill_null(False)
    ratings = (
        lines.filter(~pl.all_horizontal(pl.col(FIELDS).is_null()))
        .with_columns(item_id=pl.when(is_movie).then(movie).forward_fill())
        .filter(~is_movie)
    )
    typed = ratings.select(
        "line",
        pl.col("user_id").cast(pl.Int32, strict=False),
        "item_id",
        pl.col("date").str.to_date("%Y-%m-%d", strict=False),
    )
    with explained(file):
        rows = typed.collect()
    return _checked(rows, file).drop("line")


def _checked(rows: pl.DataFrame, file: Path) -> pl.DataFrame:
    broken = rows.filter(pl.any_horizontal(pl.all().is_null()) | (pl.col("item_id") == UNREADABLE))
    if broken.height:
        raise DataError(
            f"{file}: line {broken['line'][0]} is not user,rating,date (such as 1488844,3,2005-09-06) "
            "after a line with a movie (such as 1:)"
        )
    return rows
