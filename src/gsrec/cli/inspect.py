"""`gsrec inspect`: what a bundle holds, without running any of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gsrec.cli import options


def inspect(
    path: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle (folder or file), or a run folder.")],
    as_json: options.Json = False,
) -> None:
    """Tell what a bundle holds, and whether it is as it was saved.

    Nothing in it is run.
    """
    from gsrec.bundle import bundle_place
    from gsrec.bundle.inspection import inspect_bundle
    from gsrec.cli.console import print_json, print_table
    from gsrec.errors import BundleError

    told = inspect_bundle(bundle_place(path))
    if as_json:
        print_json(told.record())
    else:
        manifest = told.manifest
        facts = {
            "model": manifest.model.name,
            "parameters": f"{told.num_parameters:,}",
            "data": f"{manifest.data.name}, fingerprint {manifest.data.fingerprint[:12]}",
            "items": f"{manifest.data.num_items:,}",
            "licence of the data": manifest.licence or "unknown",
            "written by": f"gsrec {manifest.version}, format {manifest.format}",
            "on validation": ", ".join(f"{name} {value:.4f}" for name, value in manifest.metrics.items()) or "unknown",
        }
        print_table(str(path), [*facts.items()])
        checksums = manifest.checksums
        files = [(name, f"{size:,} bytes", checksums.get(name, "")[:12]) for name, size in told.sizes.items()]
        print_table("files", files, header=("file", "size", "SHA-256"))
        typer.echo("as it was saved" if told.fault is None else f"NOT as it was saved: {told.fault}")
    if told.fault is not None:
        raise BundleError(told.fault)
