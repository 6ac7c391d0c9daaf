"""`gsrec drift`: how far a log has moved from what a model learned."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gsrec.cli import options


def drift(
    path: options.ModelArgument,
    log: Annotated[str, typer.Argument(metavar="LOG", help="What the model learned from, and what came after.")],
    *,
    days: Annotated[float, typer.Option(help="Days of a period.")] = 7.0,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="A page with plots and tables as well (extra `report`).")
    ] = None,
    columns: options.ColumnOptions,
    output: options.Output,
) -> None:
    """Tell how well a model still fits what came after it.

    By its age: how many new events are of items and users it does not know, and how good it still is. All new events
    count, also those of users and items that are too rare to be trained on.
    """
    from gsrec.cli.console import print_json, print_notes, print_table, progress_bar
    from gsrec.cli.logs import check_other, opened
    from gsrec.experiment.drift import drift
    from gsrec.experiment.folder import any_bundle
    from gsrec.experiment.prepare import MANY_REPEATS
    from gsrec.reporting.drift_page import check_drift_page, write_drift_page

    if out is not None:
        check_drift_page(out)
        check_other(out, log)
    bundle, new_log = any_bundle(path), opened(log, columns, output, trained=path)
    with progress_bar("periods", quiet=output.quiet) as progress:
        found = drift(bundle, new_log, days=days, progress=progress)
    if out is not None:
        write_drift_page(found, out)
    if output.as_json:
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
            f"{period.metrics['NDCG@10']:.4f}" if period.targets else "none",
        )
        for period in (*found.periods, found.whole)
    ]
    rows[-1] = ("all since", *rows[-1][1:])
    header = ("from", "events", "unknown items", "new users", "shift (by chance)", "targets", "NDCG@10")
    print_table(f"{found.model}, which knows {found.data} until {found.until}", rows, header=header)
    if bundle.filter_seen and found.whole.repeats > MANY_REPEATS:
        told = "of the targets are of items that their users had before, and so misses: is something in the log twice?"
        print_notes([f"{found.whole.repeats:.0%} {told}"], quiet=output.quiet)
    if out is not None:
        typer.echo(f"written: {out}")
