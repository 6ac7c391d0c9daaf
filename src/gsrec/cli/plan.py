"""`gsrec plan`: what a training will take, before it starts."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from gsrec.cli import options


def plan(
    log: options.LogArgument,
    model: Annotated[str, typer.Option(help="As for train, but poprec.")] = "gsrec",
    preset: Annotated[str, typer.Option(help="One of the model's presets.")] = "default",
    config: options.ConfigFile = None,
    settings: options.Settings = None,
    seed: options.Seed = 1,
    user_column: options.UserColumn = None,
    item_column: options.ItemColumn = None,
    time_column: options.TimeColumn = None,
    min_user_interactions: options.MinUserInteractions = None,
    min_item_interactions: options.MinItemInteractions = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Say how much time and memory a training will take, and what to change if it does not fit."""
    import math

    from gsrec.cli.console import print_json, print_notes, print_table, progress_bar
    from gsrec.data.columns import Columns
    from gsrec.experiment.configure import run_config
    from gsrec.experiment.folder import LogReference
    from gsrec.experiment.plan import plan_training
    from gsrec.experiment.prepare import prepare_suited

    wanted = options.all_settings(settings, min_user_interactions, min_item_interactions)
    reference = LogReference.of(log, Columns(user_column, item_column, time_column))
    with progress_bar(log, quiet=quiet) as progress:
        given = partial(run_config, model, preset, file=config, settings=wanted, seed=seed)
        chosen, split, notes = prepare_suited(reference, given, progress=progress)
    print_notes(notes, quiet=quiet)
    tried = plan_training(split, chosen, progress=lambda what: print_notes([f"trying {what}"], quiet=quiet))
    epochs, every = chosen.training.epochs, chosen.training.validate_every
    whole = None
    if tried.seconds_an_epoch is not None and tried.seconds_a_validation is not None:
        whole = (
            tried.seconds_to_begin
            + epochs * tried.seconds_an_epoch
            + math.ceil(epochs / every) * tried.seconds_a_validation
        )
    if as_json:
        print_json({"model": chosen.label, "epochs": epochs, "seconds_at_most": whole, **tried.record()})
        return
    rows = [
        ("parameters", f"{tried.num_parameters:,}"),
        ("products in", tried.precision),
        ("steps an epoch", f"{tried.num_steps:,}"),
        ("before the first step", _time(tried.seconds_to_begin)),
        ("an epoch", _time(tried.seconds_an_epoch)),
        ("a validation", _time(tried.seconds_a_validation)),
        (f"{epochs} epochs, if none is spared", _time(whole)),
        ("memory at its peak", _size(tried.peak_bytes)),
        ("memory available", "unknown" if tried.available_bytes is None else _size(tried.available_bytes)),
    ]
    print_table(f"{chosen.label} on {split.sequences.name}", rows)
    for advice in tried.advice:
        typer.echo(f"{'so many items take long' if tried.fits else 'does not fit'}; try {advice}")


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "does not fit"
    return f"{seconds:,.1f} s" if seconds < 100 else f"{seconds / 60:,.0f} min"


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:,.2f} GB"
