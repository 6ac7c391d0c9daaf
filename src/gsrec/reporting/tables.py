"""A table as data, and told in markdown; `gsrec.reporting.terminal` tells the same on a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice


@dataclass(frozen=True)
class Cell:
    """What stands in one place of a table; the best of its kind is bold."""

    text: str
    bold: bool = False


@dataclass(frozen=True)
class Column:
    """A column's heading; numbers stand at the right."""

    heading: str
    is_number: bool = True


@dataclass(frozen=True)
class Table:
    """Rows and columns with the sentences that they may not be read without.

    Attributes:
        above: sentences above the table.
        rows: as many cells each as there are columns.
        below: sentences below the table.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()


def to_markdown(tables: Iterable[Table], *, level: int = 3) -> str:
    """Tables as markdown, one after the other, padded so that the source reads as well.

    >>> columns = (Column("Model", is_number=False), Column("HR@10"))
    >>> print(to_markdown([Table("Ranks", columns, ((Cell("a"), Cell("0.1", bold=True)),))]))
    ### Ranks
    <BLANKLINE>
    | Model |   HR@10 |
    | :---- | ------: |
    | a     | **0.1** |
    <BLANKLINE>

    Args:
        tables: what to tell.
        level: of the titles' headings.
    """
    return "\n".join(_markdown(table, level) for table in tables)


def _markdown(table: Table, level: int) -> str:
    texts = [[_escaped(column.heading) for column in table.columns]]
    texts += [
        [f"**{_escaped(cell.text)}**" if cell.bold else _escaped(cell.text) for cell in row] for row in table.rows
    ]
    widths = [max(3, *(len(text) for text in column)) for column in zip(*texts, strict=True)]
    rules = [
        "-" * (width - 1) + ":" if column.is_number else ":" + "-" * (width - 1)
        for column, width in zip(table.columns, widths, strict=True)
    ]
    lines = [_markdown_row(row, table.columns, widths) for row in islice(texts, 1, None)]
    head = [_markdown_row(texts[0], table.columns, widths), f"| {' | '.join(rules)} |"]
    paragraphs = [f"{'#' * level} {table.title}", *table.above, "\n".join([*head, *lines]), *table.below]
    return "\n\n".join(paragraphs) + "\n"


def _markdown_row(texts: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    padded = [
        text.rjust(width) if column.is_number else text.ljust(width)
        for text, column, width in zip(texts, columns, widths, strict=True)
    ]
    return f"| {' | '.join(padded)} |"


def _escaped(text: str) -> str:
    return re.sub("<(?=[A-Za-z/!?])", "&lt;", text).replace("|", "\\|").replace("*", "\\*").replace("\n", " ")
