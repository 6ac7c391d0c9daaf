"""`gsrec keys`: who may ask a server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gsrec.cli import options

KeyName = Annotated[str, typer.Option(help="Whose key; sessions belong to this name.")]
KeysFile = Annotated[Path, typer.Option(metavar="FILE", help="What `gsrec serve --keys` reads.")]

app = typer.Typer(name="keys", no_args_is_help=True, help="Keys of a server.")


@app.callback()
def keys() -> None:
    """Keys of a server."""


@app.command()
def new(
    name: KeyName,
    file: KeysFile,
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


@app.command(name="list")
def list_keys(file: KeysFile, as_json: options.Json = False) -> None:
    """Whose keys a file has."""
    from gsrec.cli.console import print_json, print_table
    from gsrec.serving.keys import read_keys

    entries = read_keys(file).entries
    if as_json:
        print_json({"keys": [{"name": entry.name, "admin": entry.admin} for entry in entries], "file": str(file)})
        return
    rows = [(entry.name, "admin" if entry.admin else "") for entry in entries]
    print_table(f"Keys of {file}", rows or [("none", "")])


@app.command()
def remove(name: KeyName, file: KeysFile, as_json: options.Json = False) -> None:
    """Take a key out of a file."""
    from gsrec.cli.console import print_json
    from gsrec.serving.keys import remove_key

    remove_key(file, name)
    if as_json:
        print_json({"name": name, "file": str(file)})
        return
    typer.echo(f"removed: {name}")
    typer.echo("note: a server that runs knows it until it loads its keys again (SIGHUP)", err=True)
