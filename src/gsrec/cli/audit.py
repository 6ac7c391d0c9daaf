"""`gsrec audit`: what makes a log's numbers less than they seem, before anything is trained."""

from __future__ import annotations

from typing import Annotated

import typer

from gsrec.cli import options


def audit(
    log: options.LogArgument,
    *,
    held_out: Annotated[int, typer.Option(min=1, help="Events of each user in validation, and as many in test.")] = 1,
    given: options.SettingOptions,
    columns: options.ColumnOptions,
    output: options.Output,
) -> None:
    """Count, for every split of a log, targets not to be trusted.

    They are older than training, cold, tied in time, or repeats. Counted are the events that would be trained on by the
    same settings. A target older than a training event was learned about from its future; a cold one is a miss for
    every model; of two tied in time, only the file's order says which is the target; a repeat is a miss where seen
    items are filtered.
    """
    from dataclasses import asdict

    from gsrec.cli.console import print_json, print_notes, print_table, progress_bar
    from gsrec.data.columns import Columns
    from gsrec.data.sources import open_log
    from gsrec.evaluation.audit import audit_log
    from gsrec.experiment.configure import RunRequest

    counted = RunRequest("poprec", file=given.config, settings=given.texts).config().data
    with progress_bar(log, quiet=output.quiet) as progress:
        opened = open_log(log, columns=Columns(*columns.names), progress=progress)
    kept = counted.filtered(opened)
    audits, left_out = audit_log(kept.to_sequences(), held_out=held_out)
    if output.as_json:
        print_json(
            {"data": kept.name, "splits": [asdict(one) for one in audits], "left_out": left_out, "notes": kept.notes}
        )
        return
    print_notes((*kept.notes, *(f"{name}: {reason}" for name, reason in left_out.items())), quiet=output.quiet)
    rows = [(one.split, f"{one.targets:,}", *map(_share, asdict(one.audit).values())) for one in audits]
    header = ("split, test part", "targets", "older than training", "cold", "tied in time", "repeats")
    print_table(f"{kept.name}, {kept.num_interactions:,} interactions", rows, header=header)


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2%}"
