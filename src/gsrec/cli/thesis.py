"""`gsrec thesis`: the thesis's experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gsrec.cli import options


def thesis(
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the report; what is in it is not redone.")],
    small: Annotated[
        bool, typer.Option("--small", help="Width 32, length 50 and 10 epochs, told in the table: minutes, not hours.")
    ] = False,
    models: Annotated[
        str | None,
        typer.Option(metavar="A,B,...", help="Only these now; the table holds what is recorded of the others too."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds.")] = 1,
    candidates: options.Candidates = "popularity:100",
    settings: options.Settings = None,
    seed: options.Seed = 1,
    output: options.Output,
) -> None:
    """Run the thesis's experiment again.

    Five models, two data sets, its table beside ours, its questions answered.
    """
    from gsrec.cli.console import print_json, print_parts
    from gsrec.cli.narrators import narrator
    from gsrec.cli.signals import stopped_by_signals
    from gsrec.experiment.thesis import run_thesis

    with stopped_by_signals() as stop:
        report = run_thesis(
            out,
            models=[one.strip() for one in models.split(",")] if models is not None else None,
            small=small,
            seeds=range(seed, seed + seeds),
            candidates=candidates,
            settings=settings or [],
            stop=stop,
            narrator=narrator(quiet=output.quiet),
        )
    if output.as_json:
        print_json({"out": str(out), **report.record()})
    else:
        print_parts(report.terminal(), [out / "thesis.md", out / "thesis.json"])
