"""Rows as read from a file or a frame, before anything is known of them.

Legend: N rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True, eq=False)
class Table:
    """A table that a reader has opened.

    Attributes:
        rows: the columns as they came, not yet collected.
        where: the file or frame, for messages.
        text: whether the format has no types of its own, so that all columns are strings.
        notes: what the reader decided.
        check_ids: what else the reader can check of a column of ids, by its name; it raises a DataError.
    """

    rows: pl.LazyFrame
    where: str
    text: bool = False
    notes: tuple[str, ...] = ()
    check_ids: Callable[[str], None] | None = None

    def columns(self) -> list[str]:
        """The names of its columns."""
        return self.rows.collect_schema().names()

    def collect(self, names: list[str]) -> pl.DataFrame:
        """Read these columns (N, len(names)) and no others; columns of text that spell integers become Int64.

        The text is looked through in a first pass, so that strings are never held where integers will do.
        """
        rows = self.rows.select(names)
        if self.text:
            spelled = rows.select(spells_integers(pl.all()).all()).collect(engine="streaming").row(0)
            rows = rows.with_columns(
                pl.col(name).cast(pl.Int64) for name, integer in zip(names, spelled, strict=True) if integer
            )
        return rows.collect(engine="streaming")


def spells_integers(text: pl.Expr) -> pl.Expr:
    """Where text read as an integer and written again is the same text, so that nothing such as '007' is lost.

    >>> pl.select(spells_integers(pl.lit(pl.Series(["7", "-3", "007", "1.0", None])))).to_series().to_list()
    [True, True, False, False, True]
    """
    return text.cast(pl.Int64, strict=False).cast(pl.String).eq_missing(text)
