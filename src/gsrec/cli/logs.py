"""Logs opened for a command: with a bar while they are fetched, and notes of what was guessed and dropped."""

from __future__ import annotations

from pathlib import Path

from gsrec.cli.console import print_notes, progress_bar
from gsrec.cli.options import ColumnOptions, Output
from gsrec.data.columns import Columns
from gsrec.data.log import InteractionLog
from gsrec.data.sources import find_local, open_log
from gsrec.errors import ConfigError
from gsrec.experiment.folder import columns_of


def opened(log: str, columns: ColumnOptions, output: Output, *, trained: Path) -> InteractionLog:
    """A log for a trained model: with the columns that are given, or else those that its run folder was told of."""
    meant = columns_of(trained, Columns(*columns.names))
    with progress_bar(log, quiet=output.quiet) as progress:
        found = open_log(log, columns=meant, progress=progress)
    print_notes(found.notes, quiet=output.quiet)
    return found


def check_other(out: Path, log: str) -> None:
    """Make sure that what is written does not take the place of the log it comes from.

    Raises:
        ConfigError: if it would.
    """
    place = Path(log) if Path(log).is_file() else find_local(log)
    if place is not None and out.resolve() == place.resolve():
        raise ConfigError(f"{out} is the log itself, which would be lost. Give another name with --out.")
