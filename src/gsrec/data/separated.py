"""Lines of fields with something between them: CSV and its kin."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from gsrec.data.compression import open_bytes, without_compression
from gsrec.data.lines import check_lines, collect_lines, scan_lines
from gsrec.data.table import Table
from gsrec.errors import DataError

OTHER_SEPARATORS = (";", "\t", "|")
"""What stands between the fields of a .csv file where it is no comma."""

MOST_OF_A_HEADER = 1 << 16
"""Bytes of a first line that are looked at."""


@dataclass(frozen=True)
class Separated:
    """Reads lines of fields.

    Attributes:
        separator: what stands between two fields, one character.
        quote: what encloses a field that holds separators or line ends, if anything.
        header: the names of the columns of a file whose first line does not hold them.
    """

    separator: str
    quote: str | None = '"'
    header: tuple[str, ...] | None = None

    def __call__(self, path: Path) -> Table:
        """Open a file all of whose lines have the same number of fields.

        Raises:
            DataError: if a line has more or fewer fields, a quote that encloses none, or bytes that are not UTF-8.
        """
        rows = pl.scan_csv(
            path,
            separator=self.separator,
            quote_char=self.quote,
            has_header=self.header is None,
            infer_schema=False,
            glob=False,
        )
        num_fields = len(self.header or rows.collect_schema())
        found = self._unquoted(pl.col("line")).str.count_matches(self.separator, literal=True) + 1
        expected = pl.lit(f"{num_fields} fields separated by {self.separator!r}")
        notes = self._check(path, found == num_fields, expected)
        if notes:
            rows = rows.filter(~pl.all_horizontal(pl.all().fill_null("").str.strip_chars() == ""))
        if self.header:
            rows = rows.rename(dict(zip(rows.collect_schema().names(), self.header, strict=True)))
        return Table(rows, str(path), text=True, notes=notes)

    def _check(self, path: Path, good: pl.Expr, expected: pl.Expr) -> tuple[str, ...]:
        """Check the lines that begin outside quotes; those that end inside some must open them with a field."""
        if self.quote is None:
            return check_lines(path, good, expected, blank=self._blank())
        is_odd = _has_odd_quotes(self.quote)
        begins_outside = (is_odd.cum_sum() % 2 == 1) == is_odd
        return check_lines(
            path,
            pl.when(is_odd).then(self._opens(is_odd)).otherwise(good),
            pl.when(is_odd).then(pl.lit("fields in which a quote begins and ends a whole one")).otherwise(expected),
            among=begins_outside,
            blank=self._blank() & ~is_odd,
        )

    def _blank(self) -> pl.Expr:
        """Whether all fields of a line are empty, as spreadsheets write the rows below a table."""
        return pl.col("line").str.strip_chars(f" \t\r{self.separator}{self.quote or ''}") == ""

    def _unquoted(self, line: pl.Expr) -> pl.Expr:
        """A line without its fields in quotes, so that its separators count its fields."""
        if self.quote is None:
            return line
        separator, quote = re.escape(self.separator), re.escape(self.quote)
        return line.str.replace_all(f"(^|{separator}){quote}([^{quote}]|{quote}{quote})*{quote}", "${1}")

    def _opens(self, among: pl.Expr) -> pl.Expr:
        """Whether the last field of a line begins with a quote, and goes on in the next line; null of other lines."""
        separator, quote = re.escape(self.separator), re.escape(self.quote or "")
        line = pl.when(among).then(pl.col("line"))  # the others cost nothing then
        return self._unquoted(line).str.contains(f"(^|{separator}){quote}([^{quote}]|{quote}{quote})*$")


def _has_odd_quotes(quote: str) -> pl.Expr:
    return pl.col("line").str.count_matches(quote, literal=True) % 2 == 1


def open_quote(path: Path) -> int | None:
    """The first line, from 1, of a file of separated fields in which a quote is opened and not closed, if there is one.

    Raises:
        DataError: if the file holds bytes that are not UTF-8.
    """
    if without_compression(path).suffix.lower() not in (".csv", ".tsv"):
        return None
    lines = scan_lines(path).with_row_index("place", offset=1).filter(_has_odd_quotes('"')).select("place").head(1)
    return next(iter(collect_lines(lines, path)["place"].to_list()), None)


def read_csv(path: Path) -> Table:
    """Open a file of fields separated by commas, or by what else its first line is separated by where it has none.

    Raises:
        DataError: as `Separated` does.
    """
    with open_bytes(path) as file:
        header = re.sub('"[^"]*"', "", file.readline(MOST_OF_A_HEADER).decode(errors="replace"))
    separator = "," if "," in header else next((one for one in OTHER_SEPARATORS if one in header), ",")
    table = Separated(separator)(path)
    return table if separator == "," else replace(table, notes=(f"fields separated by {separator!r}", *table.notes))


def read_tsv(path: Path) -> Table:
    """Open a file of fields separated by tabs, with quotes round some fields or with quotes that are plain text.

    Quotes are text where some line has an odd number of them and yet every line has its fields without them.

    Raises:
        DataError: as `Separated` does.
    """
    in_quotes, plain = Separated("\t"), Separated("\t", quote=None)
    place = open_quote(path)
    if place is None:
        return in_quotes(path)
    try:
        table = plain(path)
    except DataError:
        return in_quotes(path)
    return replace(table, notes=(f"quotes are text, as in line {place:,}", *table.notes))


def read_recbole(path: Path) -> Table:
    """Open a RecBole file: separated by tabs, its header names a column and its type, as `user_id:token`."""
    table = Separated("\t", quote=None)(path)
    return replace(table, rows=table.rows.rename(lambda column: column.split(":")[0]))
