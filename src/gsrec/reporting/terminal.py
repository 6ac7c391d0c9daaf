"""Tables on a terminal, however narrow it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.table import Table as RichTable
from rich.text import Text

from gsrec.reporting.tables import Table

GAP = 2
"""Blanks between columns: one of padding, one where the box has its line."""


def to_terminal(tables: Iterable[Table]) -> Group:
    """Tables as something that rich prints: sentences wrap, and columns that find no room go on below."""
    return Group(*(part for table in tables for part in _parts(table)))


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
