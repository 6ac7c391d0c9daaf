"""`gsrec drift`: how far a log has moved from what a model learned."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gsrec.cli import options


def drift(
    path: options.ModelArgument,
    log: Annotated[str, typer.Argument(metavar="LOG", help="What the model learned from, and what came after.")],
    days: Annotated[float, typer.Option(help="Days of a period.")] = 7.0,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="A page with plots and tables as well (extra `report`).")
    ] = None,
    user_column: options.UserColumn = None,
    item_column: options.ItemColumn = None,
    time_column: options.TimeColumn = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Tell how many new events are of items and users the model does not know, and how good it still is, by its age."""
    from gsrec.cli.console import print_json, print_notes, print_table, progress_bar
    from gsrec.data.columns import Columns
    from gsrec.data.sources import open_log
    from gsrec.experiment.drift import drift
    from gsrec.experiment.folder import any_bundle, columns_of
    from gsrec.reporting.drift_page import write_drift_page

    columns = columns_of(path, Columns(user_column, item_column, time_column))
    bundle, opened = any_bundle(path), open_log(log, columns=columns)
    print_notes(opened.notes, quiet=quiet)
    with progress_bar("periods", quiet=quiet) as progress:
        found = drift(bundle, opened, days=days, progress=progress)
    if out is not None:
        write_drift_page(found.record(), out)
    if as_json:
        print_json({**found.record(), "out": str(out) if out else None})
        return
    rows = [
        (
            period.first_day,
            f"{period.events:,}",
            f"{period.unknown_items:.1%}",
            f"{period.new_users:.1%}",
            f"{period.shift:.3f} ({period.shift_by_chance:.3f})",
            f"{period.targets:,}",
            f"{period.metrics['NDCG@10']:.4f}",
        )
        for period in (*found.periods, found.whole)
    ]
    rows[-1] = ("all since", *rows[-1][1:])
    header = ("from", "events", "unknown items", "new users", "shift (by chance)", "targets", "NDCG@10")
    print_table(f"{found.model} on {found.data}, which ended {found.until}", rows, header=header)
    if out is not None:
        typer.echo(str(out))
