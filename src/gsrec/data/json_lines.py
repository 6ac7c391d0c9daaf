"""Files with a JSON object a line."""

from __future__ import annotations

import codecs
import glob
import io
import json
import re
from functools import partial
from pathlib import Path

import polars as pl

from gsrec.data.compression import open_bytes
from gsrec.data.lines import collect_lines, scan_lines
from gsrec.data.table import Table
from gsrec.errors import DataError


def read_json_lines(path: Path) -> Table:
    """Open a file with a JSON object a line.

    Raises:
        DataError: if a line is not a JSON object.
    """
    rows = pl.scan_ndjson(_source(path), infer_schema_length=None)
    try:
        schema = rows.collect_schema()
    except pl.exceptions.PolarsError as error:
        raise _bad_json(path, str(error)) from error
    strings = [name for name, dtype in schema.items() if dtype == pl.String]
    return Table(rows, str(path), check_ids=partial(_check_json_strings, path, strings))


def _source(path: Path) -> str | io.BytesIO:
    """The file, or what is in it behind a byte order mark, which Polars does not know here."""
    with open_bytes(path) as file:
        return io.BytesIO(file.read()) if file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8 else glob.escape(str(path))


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
