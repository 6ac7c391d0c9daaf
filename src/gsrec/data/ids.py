"""User and item ids: strings or integers, kept as they are.

Legend: N rows.
"""

from __future__ import annotations

import polars as pl

from gsrec.data.table import spells_integers
from gsrec.errors import DataError

LARGEST_EXACT: dict[type[pl.DataType], int] = {pl.Float16: 2**11, pl.Float32: 2**24, pl.Float64: 2**53}
"""From this on a float of these kinds no longer tells neighbouring integers apart."""

MISSING = ("", "NaN", "nan", "<NA>", "null", "NULL", "None", "NA", "N/A")
"""How text files write that there is nothing; the first is nothing anywhere."""


def read_ids(column: pl.Series, where: str, *, text: bool = False) -> tuple[pl.Series, tuple[str, ...]]:
    """Turn a column into ids of one type, Int64 or String, and say what was converted.

    >>> read_ids(pl.Series("item", ["007", "12"]), "a.csv")[0].to_list()
    ['007', '12']
    >>> read_ids(pl.Series("item", [7.0, 12.0]), "a frame")
    (shape: (2,)
    Series: 'item' [i64]
    [
        7
        12
    ], ("column 'item': whole numbers written as floats were read as integers",))

    Args:
        column: (N,) the ids as read.
        where: the file or frame, for messages.
        text: whether the ids come from a format without types, where 1.0 and NaN are text.

    Raises:
        DataError: if an id is missing, not whole, too large or of no type an id can have.
    """
    _check_present(column, where, text)
    if column.dtype.is_integer():
        return _as_integers(column, where), ()
    if column.dtype.is_float():
        return _whole(column, where)
    if column.dtype.is_decimal():
        return _whole(column, where)
    if column.dtype in (pl.String, pl.Categorical, pl.Enum):
        return _strings(column.cast(pl.String), text)
    raise DataError(
        f"{where}: column {column.name!r} must hold ids that are all integers or all strings, found {column.dtype}"
    )


def largest_exact(column: pl.Series) -> int:
    """From which number on a column (N,) of floats no longer tells neighbouring integers apart.

    >>> largest_exact(pl.Series([1.0]))
    9007199254740992
    """
    return next(size for kind, size in LARGEST_EXACT.items() if column.dtype == kind)


def first_row(mask: pl.Series) -> int:
    """The first row, counting from 1, where a mask (N,) holds."""
    return int(mask.arg_true()[0]) + 1


def _check_present(column: pl.Series, where: str, text: bool) -> None:
    missing = column.is_null()
    if column.dtype.is_float():
        missing |= column.is_nan().fill_null(True)
    elif column.dtype in (pl.String, pl.Categorical, pl.Enum):
        missing |= column.cast(pl.String).is_in(MISSING if text else MISSING[:1]).fill_null(True)
    if missing.any():
        raise DataError(
            f"{where}: column {column.name!r} has no id in row {first_row(missing)} "
            f"(rows without one: {missing.sum():,}). Every interaction needs a user and an item: "
            "fill in or remove these rows."
        )


def _as_integers(column: pl.Series, where: str) -> pl.Series:
    integers = column.cast(pl.Int64, strict=False)
    if integers.null_count():
        raise _unfit(column, integers.is_null(), where, "an integer id must fit 64 bits with a sign")
    return integers


def _whole(column: pl.Series, where: str) -> tuple[pl.Series, tuple[str, ...]]:
    integers = column.cast(pl.Int64, strict=False)
    broken = (integers != column).fill_null(True)
    if column.dtype.is_float():
        broken |= column.abs() >= largest_exact(column)
    if broken.any():
        raise _unfit(column, broken, where, "an id must be an integer or a string")
    return integers, (_told_as_integers(column.name),)


def _strings(column: pl.Series, text: bool) -> tuple[pl.Series, tuple[str, ...]]:
    whole = column.str.strip_suffix(".0")
    if text and column.str.ends_with(".0").all() and whole.to_frame().select(spells_integers(pl.all()).all()).item():
        return whole.cast(pl.Int64), (_told_as_integers(column.name),)
    blank = column.unique()
    count = int((blank != blank.str.strip_chars()).sum())
    note = f"column {column.name!r}: ids that begin or end with a blank, which is a part of them: {count:,}"
    return column, (note,) if count else ()


def _unfit(column: pl.Series, mask: pl.Series, where: str, rule: str) -> DataError:
    row = first_row(mask)
    return DataError(f"{where}: column {column.name!r}, row {row}: {rule}, found {column[row - 1]}. Use strings.")


def _told_as_integers(name: str) -> str:
    return f"column {name!r}: whole numbers written as floats were read as integers"
