"""Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from gsrec.data.compression import most_bytes, open_bytes, too_much, without_compression
from gsrec.data.table import Table

BYTES_OF_A_NUMBER = 8


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
