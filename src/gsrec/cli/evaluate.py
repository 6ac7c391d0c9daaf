"""`gsrec evaluate`: judge a trained model."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from gsrec.cli import options


def evaluate(
    folder: options.RunArgument,
    *,
    split: Annotated[Literal["test", "validation"], typer.Option(help="Which held-out events.")] = "test",
    candidates: options.Candidates = "full",
    keep_seen: options.KeepSeen = False,
    log: options.MovedLog = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sampled candidates.")] = 0,
    output: options.Output,
) -> None:
    """Judge a trained model by the held-out events of its log.

    Every one is ranked; what came out, and what qualifies it, is told and kept in the run.
    """
    from gsrec.cli.console import print_json, progress_bar
    from gsrec.cli.metrics import print_metrics
    from gsrec.evaluation.evaluator import Protocol
    from gsrec.experiment import run
    from gsrec.files import write_json
    from gsrec.places import check_file

    opened = run.open_run(folder, moved_to=log)
    filter_seen = opened.record.config.data.filter_seen and not keep_seen
    protocol = Protocol(split, candidates, filter_seen=filter_seen, seed=seed)
    place = folder / f"{protocol.name}.json"
    check_file(place)
    with progress_bar("ranking", quiet=output.quiet) as progress:
        result = opened.result(opened.evaluate(protocol, progress=progress))
    record = result.model_dump(mode="json", exclude_unset=True)
    write_json(place, record)
    if output.as_json:
        print_json(record)
    else:
        print_metrics(f"{result.label} on {result.data.name}", result)
        typer.echo(f"written: {place}")
