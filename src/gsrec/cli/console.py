"""What commands say: results on stdout, progress and notes on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import typer
from rich.console import Console, Group
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from gsrec.places import shown

NAMED = 3
"""How many of several ids a note names."""


def print_json(content: Mapping[str, object]) -> None:
    """Print one JSON object on one line of stdout."""
    typer.echo(json.dumps(content, allow_nan=False, ensure_ascii=False))


def print_table(title: str, rows: Iterable[tuple[str, ...]], *, header: tuple[str, ...] = ()) -> None:
    """Print rows under each other on stdout, the first column left, as all without a header, the others right."""
    typer.echo(title)
    table = Table(show_header=bool(header), box=None, pad_edge=False)
    rows = list(rows)
    for place, name in enumerate(header or ("",) * len(rows[0])):
        table.add_column(name, justify="right" if header and place else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    _stdout().print(table)


def print_notes(notes: Iterable[str], *, quiet: bool) -> None:
    """Tell on stderr what was guessed, converted and dropped."""
    for note in () if quiet else notes:
        typer.echo(f"note: {note}", err=True)


def replaced_notes(out: Path, when: str = "") -> list[str]:
    """A note that what is to be written takes the place of something, where it does."""
    is_there = any(shown(out)) if out.is_dir() else out.exists()
    return [f"{out} is there already, and is replaced{when}"] if is_there else []


def count_notes(what: str, number: int, names: Iterable[object] = ()) -> list[str]:
    """A note of how many there are, if there are any, and of what the first ones are called."""
    first = [str(name) for name in islice(names, NAMED + 1)]
    some = ", ".join([*first[:NAMED], *(["..."] if len(first) > NAMED else [])])
    return [f"{what}: {number:,}" + (f" ({some})" if some else "")] if number else []


def unknown_notes(number: int, items: Iterable[object]) -> list[str]:
    """A note of the items of a history that the model does not know, if there are any."""
    return count_notes("items of the history that the model does not know, left out", number, items)


def _stdout() -> Console:
    """As wide as the terminal; a file or a pipe gets wide tables."""
    return Console(width=None if sys.stdout.isatty() else 120, highlight=False, markup=False, emoji=False)


def stderr() -> Console:
    """What shows on stderr, as it is."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def plain_column(text: str) -> TextColumn:
    """A column of a bar whose text is shown as it is."""
    return TextColumn(text, markup=False)


def print_parts(parts: Group, written: Iterable[Path]) -> None:
    """Print the tables of a report on stdout, and where its files are."""
    _stdout().print(parts)
    typer.echo("written: " + ", ".join(str(path) for path in written))


@contextmanager
def progress_bar(label: str, *, quiet: bool) -> Iterator[Callable[[int, int | None], None]]:
    """A bar on stderr for work that tells how much of how much is done."""
    console = stderr()
    columns = plain_column("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    hidden = quiet or not console.is_terminal
    with Progress(*columns, console=console, disable=hidden, transient=True) as progress:
        task = progress.add_task(label, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
