"""A table as data, told in markdown or on a terminal, however narrow it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.table import Table as RichTable
from rich.text import Text

GAP = 2
"""Blanks between a terminal's columns: one of padding, one where the box has its line."""


NOT_RUN = "–"  # noqa: RUF001
"""What stands where there is no number."""


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


def to_terminal(tables: Iterable[Table]) -> Group:
    """Tables as something that rich prints: sentences wrap, and columns that find no room go on below."""
    return Group(*(part for table in tables for part in _parts(table)))


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


def _parts(table: Table) -> Iterator[Text | _Grid]:
    yield Text(table.title, style="bold")
    yield from (Text(line) for line in table.above)
    yield _Grid(table)
    yield from (Text(line, style="dim") for line in table.below)
    yield Text()


@dataclass(frozen=True)
class _Grid:
    """The rows and columns of a table, in as many blocks as the width asks for."""

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for places in self._blocks(options.max_width):
            yield self._block(places)
            yield Text()

    def _blocks(self, width: int) -> Iterator[list[int]]:
        """The columns of every block: those that name the row, and as many others as fit, but one at least."""
        columns = self.table.columns
        names = [place for place, column in enumerate(columns) if not column.is_number]
        block: list[int] = []
        for place in (place for place, column in enumerate(columns) if column.is_number):
            if block and sum(map(self._width, [*names, *block, place])) > width:
                yield names + block
                block = []
            block.append(place)
        yield names + block

    def _width(self, place: int) -> int:
        texts = [self.table.columns[place].heading, *(row[place].text for row in self.table.rows)]
        return max(map(cell_len, texts)) + GAP

    def _block(self, places: list[int]) -> RichTable:
        grid = RichTable(box=box.SIMPLE_HEAD, padding=(0, GAP - 1, 0, 0), show_edge=False)
        for place in places:
            column = self.table.columns[place]
            width = self._width(place) - GAP
            if column.is_number:
                grid.add_column(Text(column.heading), justify="right", min_width=width, overflow="fold")
            else:
                grid.add_column(Text(column.heading), min_width=width, overflow="fold")
        for row in self.table.rows:
            grid.add_row(*(Text(row[place].text, style="bold" if row[place].bold else "") for place in places))
        return grid
