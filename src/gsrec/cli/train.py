"""`gsrec train`: from a log to a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gsrec.cli import options


def train(
    log: options.LogArgument,
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The run folder to write.")],
    model: options.Model = "gsrec",
    preset: options.Preset = "default",
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume the training that was stopped in --out, bit for bit.")
    ] = False,
    checkpoint_every: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Between checkpoints; each epoch ends with one as well.")
    ] = 300.0,
    given: options.SettingOptions,
    seed: options.Seed = 1,
    columns: options.ColumnOptions,
    output: options.Output,
) -> None:
    """Train a model on a log and keep it in a run folder.

    Kept is the epoch that does best on validation, with its metrics.
    """
    from gsrec.cli.console import print_json, print_notes, progress_bar
    from gsrec.cli.metrics import print_metrics
    from gsrec.cli.narrators import TrainingDisplay
    from gsrec.cli.signals import stopped_by_signals
    from gsrec.data.columns import Columns
    from gsrec.experiment import run
    from gsrec.experiment.configure import RunRequest, training_notes
    from gsrec.experiment.folder import LogReference, claim, resume_notes
    from gsrec.experiment.prepare import prepare_suited

    request = RunRequest(model, preset, given.config, given.texts, seed)
    reference = LogReference.of(log, Columns(*columns.names))
    if not resume:
        claim(out)
    print_notes(resume_notes(out) if resume else (), quiet=output.quiet)
    with progress_bar(log, quiet=output.quiet) as progress:
        chosen, split, notes = prepare_suited(reference, request, progress=progress)
    print_notes((*notes, *training_notes(chosen, split.sequences.sizes)), quiet=output.quiet)
    with TrainingDisplay(chosen.label, chosen.training.epochs, output.quiet) as listener, stopped_by_signals() as stop:
        trained = run.train(
            reference,
            chosen,
            out,
            split=split,
            resume=resume,
            checkpoint_seconds=checkpoint_every,
            stop=stop,
            listener=listener,
        )
    result = trained.result(trained.validation)
    if output.as_json:
        print_json({**result.model_dump(mode="json", exclude_unset=True), "out": str(out)})
    else:
        print_metrics(f"{result.label} on {result.data.name}, written to {out}", result)
