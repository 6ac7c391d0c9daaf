"""`gsrec keys`: who may ask a server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gsrec.cli import options

app = typer.Typer(name="keys", no_args_is_help=True, help="Keys of a server.")


@app.callback()
def keys() -> None:
    """Keys of a server."""


@app.command()
def new(
    name: Annotated[str, typer.Option(help="Whose key; sessions belong to this name.")],
    file: Annotated[Path, typer.Option(metavar="FILE", help="What `gsrec serve --keys` reads.")],
    admin: Annotated[bool, typer.Option("--admin", help="A key that may also load bundles again.")] = False,
    as_json: options.Json = False,
) -> None:
    """Make a key and print it, this once: the file has only what it hashes to."""
    from gsrec.cli.console import print_json
    from gsrec.serving.keys import new_key

    key = new_key(file, name, admin=admin)
    if as_json:
        print_json({"name": name, "key": key, "admin": admin, "file": str(file)})
        return
    typer.echo(key)
    typer.echo(f"note: this is the only time the key is shown; {file} has its hash", err=True)
