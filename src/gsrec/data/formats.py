"""Every file format a log can have, by extension, each opened lazily as a table."""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from gsrec.data.columns import is_header
from gsrec.data.compression import check_unpacks, most_bytes, open_bytes, too_much, without_compression
from gsrec.data.table import Table
from gsrec.errors import DataError

Reader = Callable[[Path], Table]

RATINGS_HEADER = ("user_id", "item_id", "rating", "timestamp")
"""The columns of rating files that have no line with their names."""

EVERY = pl.lit(True)
"""All lines."""

OTHER_SEPARATORS = (";", "\t", "|")
"""What stands between the fields of a .csv file where it is no comma."""

MOST_OF_A_HEADER = 1 << 16
"""Bytes of a first line that are looked at."""

BYTES_OF_A_NUMBER = 8

BYTE_ORDER_MARK = "\ufeff"
"""What some editors put at the start of a file in UTF-8."""


def read_table(path: Path) -> Table:
    """Open a file as its extension says.

    Raises:
        DataError: if no format has this extension, or the file breaks the rules of its format.
    """
    extension = without_compression(path).suffix.lower()
    if extension not in READERS:
        raise DataError(
            f"{path}: no format has the extension {extension!r}; "
            f"expected one of {', '.join(READERS)}, each also with .gz or .zst after it"
        )
    check_unpacks(path)
    return READERS[extension](path)


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
            DataError: if a line has more or fewer fields, or bytes that are not UTF-8.
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
        found = self._unquoted().str.count_matches(self.separator, literal=True) + 1
        expected = f"{num_fields} fields separated by {self.separator!r}"
        notes = check_lines(path, found == num_fields, expected, among=self._whole())
        if notes:
            rows = rows.filter(~pl.all_horizontal(pl.all().fill_null("").str.strip_chars() == ""))
        if self.header:
            rows = rows.rename(dict(zip(rows.collect_schema().names(), self.header, strict=True)))
        return Table(rows, str(path), text=True, notes=notes)

    def _unquoted(self) -> pl.Expr:
        """A line without its fields in quotes, so that its separators count its fields."""
        if self.quote is None:
            return pl.col("line")
        separator, quote = re.escape(self.separator), re.escape(self.quote)
        return pl.col("line").str.replace_all(f"(^|{separator}){quote}([^{quote}]|{quote}{quote})*{quote}", "${1}")

    def _whole(self) -> pl.Expr:
        """Whether a line begins and ends outside quotes, so that all of its fields are in it."""
        if self.quote is None:
            return EVERY
        is_odd = _has_odd_quotes(self.quote)
        return ~is_odd & (is_odd.cum_sum() % 2 == 0)


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
        header = file.readline(MOST_OF_A_HEADER).decode(errors="replace")
    separator = "," if "," in header else next((one for one in OTHER_SEPARATORS if one in header), ",")
    table = Separated(separator)(path)
    return table if separator == "," else replace(table, notes=(f"fields separated by {separator!r}", *table.notes))


def scan_lines(path: Path) -> pl.LazyFrame:
    """The lines (N,) of a text file as the column `line`."""
    return pl.scan_lines(path, glob=False).with_columns(pl.col("line").str.strip_prefix(BYTE_ORDER_MARK))


def check_lines(path: Path, good: pl.Expr, expected: str, *, among: pl.Expr = EVERY) -> tuple[str, ...]:
    """Look for a line that is not as it should be. Polars itself would fill short lines and cut long ones.

    Args:
        path: a text file.
        good: whether a line is as it should be.
        expected: how a line should be, for the message.
        among: which lines to look at.

    Returns:
        A note on blank lines, if there are any.

    Raises:
        DataError: if a line is not as it should be, or bytes are not UTF-8.
    """
    blank = pl.col("line").str.strip_chars() == ""
    bad = among & ~blank & ~good
    counts = scan_lines(path).select(
        num_blank=(among & blank).sum(), index=bad.arg_max(), found=bad.any(), line=pl.col("line").get(bad.arg_max())
    )
    num_blank, index, found, line = collect_lines(counts, path).row(0)
    if found:
        raise DataError(f"{path}: line {index + 1} is not {expected}: {line!r}. Repair or remove this line.")
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


def _decodable(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def read_recbole(path: Path) -> Table:
    """Open a RecBole file: separated by tabs, its header names a column and its type, as `user_id:token`."""
    table = Separated("\t", quote=None)(path)
    return replace(table, rows=table.rows.rename(lambda column: column.split(":")[0]))


def read_double_colons(path: Path) -> Table:
    """Open a MovieLens file: lines of user::item::rating::timestamp.

    Raises:
        DataError: if a line has more or fewer fields.
    """
    fields = pl.col("line").str.split("::")
    notes = check_lines(path, fields.list.len() == len(RATINGS_HEADER), "user::item::rating::timestamp")
    rows = _filled_lines(path).select(fields.list.get(place).alias(name) for place, name in enumerate(RATINGS_HEADER))
    return Table(rows, str(path), text=True, notes=notes)


def _filled_lines(path: Path) -> pl.LazyFrame:
    return scan_lines(path).filter(pl.col("line").str.strip_chars() != "")


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
    notes = check_lines(path, ids.list.len() >= 2, "a user and then items")
    rows = _filled_lines(path).select(user_id=ids.list.first(), item_id=ids.list.slice(1)).explode("item_id")
    return Table(rows, str(path), text=True, notes=notes)


def read_json_lines(path: Path) -> Table:
    """Open a file with a JSON object a line.

    Raises:
        DataError: if a line is not a JSON object.
    """
    rows = pl.scan_ndjson(glob.escape(str(path)), infer_schema_length=None)
    try:
        schema = rows.collect_schema()
    except pl.exceptions.PolarsError as error:
        raise _bad_json(path, str(error)) from error
    strings = [name for name, dtype in schema.items() if dtype == pl.String]
    return Table(rows, str(path), check_ids=partial(_check_json_strings, path, strings))


def _bad_json(path: Path, reason: str) -> DataError:
    number = 0
    with open_bytes(path) as file:
        for number, line in enumerate(file, start=1):
            if line.strip() and not _is_json_object(line):
                return DataError(f"{path}: line {number} is not a JSON object: {line[:80].decode(errors='replace')!r}")
    if number == 0:
        return DataError(f"{path}: the file is empty")
    return DataError(f"{path}: its lines do not agree on the types of their fields: {reason}")


def _is_json_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _check_json_strings(path: Path, strings: list[str], name: str) -> None:
    """Polars reads 7 beside "x" as "7"; that would make one id of 7 and "7"."""
    if name not in strings:
        return
    suspect = pl.col("line").str.contains(rf'"{re.escape(name)}"\s*:\s*[^"\sn]')
    for index, line in collect_lines(scan_lines(path).with_row_index().filter(suspect), path).iter_rows():
        value = json.loads(line).get(name)
        if not isinstance(value, str | None):
            raise DataError(
                f"{path}: column {name!r} has ids of mixed types: strings, and in line {index + 1} {value!r}. "
                "Make all ids strings or all integers."
            )


def read_parquet(path: Path) -> Table:
    """Open a Parquet file; one that is compressed as a whole is read into memory.

    By Arrow: Polars's own reader believes what a damaged page says of its size, and takes the process down with it.

    Raises:
        DataError: if it has far more rows than its bytes can hold.
    """
    from pyarrow import BufferReader, parquet  # a tenth of a second that other formats need not wait for

    source: Path | BufferReader = path
    if path != without_compression(path):
        with open_bytes(path) as file:
            source = BufferReader(file.read())
    told, most = parquet.read_metadata(source), most_bytes(path.stat().st_size)
    if told.num_rows * told.num_columns * BYTES_OF_A_NUMBER > most:  # a column of one value takes no room in the file
        raise too_much(path, most)

    def batches(  # pragma: no cover - Polars runs it in a thread of its own, where coverage is blind
        columns: list[str] | None, where: pl.Expr | None, num_rows: int | None, size: int | None
    ) -> Iterator[pl.DataFrame]:
        for batch in parquet.ParquetFile(source).iter_batches(columns=columns):
            batch.validate(full=True)
            rows = _without_metadata(batch)
            yield rows if where is None else rows.filter(where)

    schema = _without_metadata(told.schema.to_arrow_schema().empty_table()).schema
    return Table(register_io_source(batches, schema=schema), str(path))


def _without_metadata(rows: Any) -> pl.DataFrame:
    """The columns of an Arrow table or batch, without metadata, which Polars believes to be UTF-8."""
    pairs = zip(rows.schema.names, rows.columns, strict=True)
    return pl.DataFrame([pl.Series(name, column) for name, column in pairs])


READERS: dict[str, Reader] = {
    ".csv": read_csv,
    ".tsv": Separated("\t"),
    ".parquet": read_parquet,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".json": read_json_lines,
    ".inter": read_recbole,
    ".dat": read_double_colons,
    ".data": Separated("\t", quote=None, header=RATINGS_HEADER),
    ".txt": read_histories,
}
"""The reader of each extension."""
