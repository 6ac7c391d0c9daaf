"""The command line: one file a command. Exit codes: 0 done, 2 wrong use, 1 everything else."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Annotated, NoReturn

import typer

from gsrec import __version__
from gsrec.cli.audit import audit
from gsrec.cli.compare import compare
from gsrec.cli.data import app as data
from gsrec.cli.drift import drift
from gsrec.cli.evaluate import evaluate
from gsrec.cli.explain import explain
from gsrec.cli.export import export
from gsrec.cli.index import index
from gsrec.cli.inspect import inspect
from gsrec.cli.keys import app as keys
from gsrec.cli.pack import pack
from gsrec.cli.plan import plan
from gsrec.cli.recommend import recommend
from gsrec.cli.refresh import refresh
from gsrec.cli.report import report
from gsrec.cli.serve import serve
from gsrec.cli.spread import spread
from gsrec.cli.thesis import thesis
from gsrec.cli.train import train
from gsrec.cli.tune import tune
from gsrec.cli.verify import verify
from gsrec.errors import ConfigError, GSRecError, StoppedError

INTERRUPTED = 130
"""The exit code of what Ctrl-C has ended."""

TRACEBACK = "GSREC_TRACEBACK"
"""The environment variable that shows where an error came from, for those who look for a bug in GSRec."""

app = typer.Typer(
    name="gsrec",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(data, name="data")
app.add_typer(keys, name="keys")
COMMANDS: tuple[Callable[..., None], ...] = (
    *(audit, plan, tune, train, evaluate, compare, drift, refresh),
    *(recommend, explain, inspect, pack, export, index, verify, serve),
    *(thesis, report),
)
for command in COMMANDS:
    app.command()(spread(command))


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gsrec {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")]


@app.callback()
def gsrec(version: Version = False) -> None:
    """From an interaction log to a judged, saved next-item recommender."""


def main() -> None:
    """Run the command line; an error is one message on stderr, and never a traceback unless it is asked for."""
    try:
        app(prog_name="gsrec")
    except SystemExit as end:
        if end.code == INTERRUPTED:
            _end("stopped by Ctrl-C before it was done", INTERRUPTED)
        raise
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        code = INTERRUPTED if isinstance(error, StoppedError) else 2 if isinstance(error, ConfigError) else 1
        _end(_told(error), code)


def _told(error: Exception) -> str:
    if isinstance(error, GSRecError):
        return str(error)
    if isinstance(error, OSError):
        return f"cannot read or write {error.filename or 'the output'}: {error.strerror or error}"
    return f"unexpected {type(error).__name__}: {error}. This is a bug in GSRec; {TRACEBACK}=1 shows where."


def _end(message: str, code: int) -> NoReturn:
    sys.stderr.write(f"gsrec: {message}\n")
    sys.exit(code)
