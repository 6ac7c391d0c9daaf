"""`gsrec report`: a page out of recorded results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gsrec.cli import options
from gsrec.errors import ConfigError


def report(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders that `gsrec compare` wrote.")],
    out: Annotated[Path, typer.Option(metavar="FILE.md", help="The page to write.")],
    fill: Annotated[
        Path | None, typer.Option(metavar="FILE.md", help="A page whose block of results is to be filled as well.")
    ] = None,
    published: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="What others published, to stand beside it.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Write one page of several comparisons.

    What they come to, tables, tests and plots.
    """
    from gsrec.cli.console import print_json
    from gsrec.experiment.config import as_now
    from gsrec.reporting.pages import around_block, check_results_page, fill_results_block, write_results_page
    from gsrec.reporting.published import read_published

    theirs = read_published(published) if published else ()
    for page in (out, fill or out):
        check_results_page(folders, page)
    if fill is not None:
        if fill.resolve() == out.resolve():
            raise ConfigError(f"{out} is to be written and to be filled, and would be lost. Give another --out.")
        around_block(fill)  # what cannot be filled is better known now
    comparisons = write_results_page(folders, out, published=theirs, as_now=as_now)
    if fill is not None:
        fill_results_block(comparisons, fill, theirs)
    if as_json:
        print_json({"out": str(out), "filled": str(fill) if fill else None})
    else:
        typer.echo(f"written: {out}")
