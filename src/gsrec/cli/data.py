"""`gsrec data`: look at a log, or fetch a source."""

from __future__ import annotations

import typer

app = typer.Typer(help="Look at a log, or fetch a source.", no_args_is_help=True)
