"""Files of lines: what every line should be is checked before any is read.

Legend: N lines.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from gsrec.data.compression import open_bytes
from gsrec.errors import DataError

EVERY = pl.lit(True)
"""All lines."""

BLANK = pl.col("line").str.strip_chars() == ""
"""Lines without anything."""

BYTE_ORDER_MARK = "\ufeff"
"""What some editors put at the start of a file in UTF-8."""


def scan_lines(path: Path) -> pl.LazyFrame:
    """The lines (N,) of a text file as the column `line`."""
    return pl.scan_lines(path, glob=False).with_columns(pl.col("line").str.strip_prefix(BYTE_ORDER_MARK))


def check_lines(
    path: Path, good: pl.Expr, expected: pl.Expr, *, among: pl.Expr = EVERY, blank: pl.Expr = BLANK
) -> tuple[str, ...]:
    """Look for a line that is not as it should be. Polars itself would fill short lines and cut long ones.

    Args:
        path: a text file.
        good: whether a line is as it should be.
        expected: how a line should be, by the line itself: text for the message.
        among: which lines to look at.
        blank: whether a line holds nothing.

    Returns:
        A note on blank lines, if there are any.

    Raises:
        DataError: if a line is not as it should be, or bytes are not UTF-8.
    """
    bad = among & ~blank & ~good
    counts = scan_lines(path).select(
        num_blank=(among & blank).sum(), index=bad.arg_max(), found=bad.any(), line=pl.col("line").get(bad.arg_max())
    )
    num_blank, index, found, line = collect_lines(counts, path).row(0)
    if found:
        rule = pl.DataFrame({"line": [line]}).select(expected).item()
        raise DataError(f"{path}: line {index + 1} is not {rule}: {line!r}. Repair or remove this line.")
    return (f"blank lines skipped: {num_blank:,}",) if num_blank else ()


def collect_lines(lines: pl.LazyFrame, path: Path) -> pl.DataFrame:
    """Collect what was made of a file's lines.

    Raises:
        DataError: if the file holds bytes that are not UTF-8, with the line.
    """
    try:
        return lines.collect(engine="streaming")
    except pl.exceptions.ComputeError as error:
        with open_bytes(path) as file:
            line = next((number for number, line in enumerate(file, start=1) if not _decodable(line)), "?")
        raise DataError(f"{path}: line {line} holds bytes that are not UTF-8. Convert the file to UTF-8.") from error


def filled_lines(path: Path) -> pl.LazyFrame:
    """The lines of a text file that hold anything."""
    return scan_lines(path).filter(~BLANK)


def _decodable(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
