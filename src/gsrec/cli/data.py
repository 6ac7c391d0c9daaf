"""`gsrec data`: look at a log, or fetch a source."""

from __future__ import annotations

from typing import Annotated

import typer

from gsrec.cli import options
from gsrec.cli.spread import spread

app = typer.Typer(help="Look at a log, or fetch a source.", no_args_is_help=True)


@app.command()
@spread
def describe(
    log: options.LogArgument,
    *,
    min_user_interactions: Annotated[int, typer.Option(help="Leave out users with fewer interactions.")] = 1,
    min_item_interactions: Annotated[int, typer.Option(help="Leave out items with fewer interactions.")] = 1,
    columns: options.ColumnOptions,
    output: options.Output,
) -> None:
    """Say what a log is like: sizes, lengths, ties, repeats, time span."""
    from gsrec.cli.console import print_json, print_notes, print_table, progress_bar
    from gsrec.data.columns import Columns
    from gsrec.data.describe import describe as describe_log
    from gsrec.data.sources import open_log

    with progress_bar(log, quiet=output.quiet) as progress:
        opened = open_log(log, columns=Columns(*columns.names), progress=progress)
    kept = opened.filtered(min_user_interactions=min_user_interactions, min_item_interactions=min_item_interactions)
    description = describe_log(kept)
    if output.as_json:
        print_json(description.record())
        return
    print_notes(description.notes, quiet=output.quiet)
    content = {key: value for key, value in description.record().items() if key not in ("name", "notes")}
    print_table(description.name, [(key.replace("_", " "), _text(value)) for key, value in content.items()])


@app.command()
@spread
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of a source, such as ml-1m.")],
    *,
    base_url: Annotated[str | None, typer.Option(help="Fetch from this folder instead of the publisher's.")] = None,
    output: options.Output,
) -> None:
    """Fetch a source once and keep it, and say on what terms it may be used."""
    from gsrec.cli.console import print_json, print_notes, progress_bar
    from gsrec.data.catalogue import SOURCES
    from gsrec.data.sources import fetch as fetch_source

    with progress_bar(name, quiet=output.quiet) as progress:
        path = fetch_source(name, base_url=base_url, progress=progress)
    licence = SOURCES[name].licence if name in SOURCES else None
    if output.as_json:
        print_json({"name": name, "path": str(path), "licence": licence})
        return
    print_notes([licence] if licence else [], quiet=output.quiet)
    typer.echo(str(path))


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {_text(number)}" for key, number in value.items())
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:,.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
