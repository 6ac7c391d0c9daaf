"""`gsrec plan`: what a training will take, before it starts."""

from __future__ import annotations

import typer

from gsrec.cli import options


def plan(
    log: options.LogArgument,
    *,
    model: options.TrainedModel = "gsrec",
    preset: options.Preset = "default",
    given: options.SettingOptions,
    seed: options.Seed = 1,
    columns: options.ColumnOptions,
    output: options.Output,
) -> None:
    """Say how much time and memory a training will take.

    And what to change if it does not fit.
    """
    from gsrec.cli.console import print_json, print_notes, print_table, progress_bar
    from gsrec.data.columns import Columns
    from gsrec.experiment.config import check_learns
    from gsrec.experiment.configure import RunRequest
    from gsrec.experiment.folder import LogReference
    from gsrec.experiment.plan import plan_training
    from gsrec.experiment.prepare import prepare_suited

    request = RunRequest(model, preset, given.config, given.texts, seed)
    check_learns(model, "plan")  # better known before the log is read
    reference = LogReference.of(log, Columns(*columns.names))
    with progress_bar(log, quiet=output.quiet) as progress:
        chosen, split, notes = prepare_suited(reference, request, progress=progress)
    print_notes(notes, quiet=output.quiet)
    tried = plan_training(split, chosen, on_stage=lambda what: print_notes([f"trying {what}"], quiet=output.quiet))
    epochs = chosen.training.epochs
    most = tried.seconds_at_most(epochs, chosen.training.validate_every)
    if output.as_json:
        print_json({"model": chosen.label, "epochs": epochs, "seconds_at_most": most, **tried.record()})
        return
    rows = [
        ("parameters", f"{tried.num_parameters:,}"),
        ("precision of products", tried.precision),
        ("steps an epoch", f"{tried.num_steps:,}"),
        ("before the first step", _time(tried.seconds_to_begin)),
        ("an epoch", _time(tried.seconds_an_epoch)),
        ("a validation", _time(tried.seconds_a_validation)),
        (f"{epochs} epochs, without early stopping", _time(most)),
        ("memory at its peak", _size(tried.peak_bytes)),
        ("memory available", "unknown" if tried.available_bytes is None else _size(tried.available_bytes)),
    ]
    print_table(f"{chosen.label} on {split.sequences.name}", rows)
    for advice in tried.advice:
        typer.echo(f"{'a loss over so many items is slow' if tried.fits else 'does not fit'}; try {advice}")


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "does not fit"
    return f"{seconds:,.1f} s" if seconds < 100 else f"{seconds / 60:,.0f} min"


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:,.2f} GB"
