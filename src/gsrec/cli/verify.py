"""`gsrec verify`: proof that what is served is what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Annotated, Any

import typer

from gsrec.cli import options
from gsrec.errors import GSRecError


def verify(
    path: options.ModelArgument,
    log: options.LogArgument,
    *,
    targets: Annotated[
        int | None, typer.Option(min=1, help="How many test targets, spread over all; without it all of them.")
    ] = None,
    columns: options.ColumnOptions,
    output: options.Output,
) -> None:
    """Prove that what is served is what was measured.

    The test metrics are computed again through the recommender, sessions, ONNX and HTTP, and the lists compared. Ways
    that need an extra which is not installed are named and left out, and so is HTTP for a log with histories that no
    session takes. It also changes the targets in the data, to prove that no recommendation looks at them.
    """
    from gsrec.cli.console import print_json, print_notes, progress_bar
    from gsrec.data.columns import Columns
    from gsrec.experiment.folder import LogReference, any_bundle, columns_of, training_of
    from gsrec.experiment.prepare import prepare
    from gsrec.experiment.verify import verify
    from gsrec.serving.ways import all_ways

    bundle, meant = any_bundle(path), columns_of(path, Columns(*columns.names))
    with progress_bar(log, quiet=output.quiet) as progress:
        split, notes = prepare(
            LogReference.of(log, meant), training_of(bundle), vocabulary=bundle.vocabulary, progress=progress
        )
    print_notes((*notes, "getting ready: the export, and a server"), quiet=output.quiet)
    with ExitStack() as stack:
        ways, left_out = all_ways(bundle, int(split.sequences.lengths.max()), stack)
        found = verify(
            bundle,
            split,
            ways,
            num_targets=targets,
            on_stage=lambda what: print_notes([f"asking {what}"], quiet=output.quiet),
        )
    record = {**found.record(), "left_out": left_out}
    if output.as_json:
        print_json(record)
    else:
        _tell(record, f"{bundle.config.name} on {split.sequences.name}, test")
    if not found.holds:
        raise GSRecError("at least one way does not give the evaluator's numbers")


def _tell(record: Mapping[str, Any], title: str) -> None:
    from gsrec.cli.console import print_table

    rows = [("evaluator", "", "", "", *(f"{value:.6f}" for value in record["expected"].values()))]
    for verdict in record["verdicts"]:
        counts = [f"{verdict[count]:,}" for count in ("equal", "near_ties", "different")]
        rows.append((verdict["name"], *counts, *(f"{value:.6f}" for value in verdict["metrics"].values())))
    print_table(title, rows, header=("asked", "equal lists", "nearly tied", "different", *record["expected"]))
    typer.echo(f"lists that change when the targets in the data are changed: {record['moved']:,}")
    for name, reason in record["left_out"].items():
        typer.echo(f"{name} was left out: {reason}")
    typer.echo(f"what is served is {'' if record['holds'] else 'NOT '}what was measured")
