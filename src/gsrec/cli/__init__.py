"""The command line: one file a command. Exit codes: 0 done, 2 wrong use, 1 everything else."""

from __future__ import annotations

import sys

import typer

from gsrec.cli.compare import compare
from gsrec.cli.data import app as data
from gsrec.cli.evaluate import evaluate
from gsrec.cli.recommend import recommend
from gsrec.cli.report import report
from gsrec.cli.thesis import thesis
from gsrec.cli.train import train
from gsrec.errors import ConfigError, GSRecError

app = typer.Typer(
    name="gsrec",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(data, name="data")
for command in (train, evaluate, compare, recommend, thesis, report):
    app.command()(command)


@app.callback()
def gsrec() -> None:
    """Sequential recommendation: from an interaction log to a judged, saved next-item model."""


def main() -> None:
    """Run the command line; an error that the user can cause is one message on stderr."""
    try:
        app()
    except GSRecError as error:
        sys.stderr.write(f"gsrec: {error}\n")
        sys.exit(2 if isinstance(error, ConfigError) else 1)
