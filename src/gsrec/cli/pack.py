"""`gsrec pack`: the model of a run by itself, as one file or a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gsrec.cli import options


def pack(
    path: options.ModelArgument,
    out: Annotated[Path, typer.Option(help="Where to: NAME.gsrec for one file, any other name for a folder.")],
    as_json: options.Json = False,
) -> None:
    """Copy a trained model out of its run, to be moved and served.

    What its log's columns are called stays with the run: commands that take a log with the copy guess them, or are
    told.
    """
    from gsrec.bundle import save_bundle
    from gsrec.cli.console import print_json, print_notes, replaced_notes
    from gsrec.experiment.folder import any_bundle, check_new_place

    bundle = any_bundle(path)
    check_new_place(out)
    print_notes(replaced_notes(out), quiet=False)
    save_bundle(bundle, out)
    if as_json:
        print_json({"out": str(out), "fingerprint": bundle.fingerprint})
        return
    typer.echo(f"written: {out} ({bundle.config.name}, {len(bundle.vocabulary):,} items)")
