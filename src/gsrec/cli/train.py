"""`gsrec train`: from a log to a run folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from gsrec.cli import options


def train(
    log: options.LogArgument,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The run folder to write.")],
    model: Annotated[
        str, typer.Option(help="gsrec, sasrec, gru4rec, bert4rec, poprec, or a hybrid such as gat4rec.")
    ] = "gsrec",
    preset: Annotated[str, typer.Option(help="One of the model's presets.")] = "default",
    config: options.ConfigFile = None,
    settings: options.Settings = None,
    seed: options.Seed = 1,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the training that was stopped in --out, bit for bit.")
    ] = False,
    checkpoint_every: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Between checkpoints; each epoch ends with one as well.")
    ] = 300.0,
    user_column: options.UserColumn = None,
    item_column: options.ItemColumn = None,
    time_column: options.TimeColumn = None,
    min_user_interactions: options.MinUserInteractions = None,
    min_item_interactions: options.MinItemInteractions = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Train a model on a log and keep it in a run folder, with the metrics of its best validation epoch."""
    from gsrec.cli.console import (
        TrainingDisplay,
        print_json,
        print_metrics,
        print_notes,
        progress_bar,
        stopped_by_signals,
    )
    from gsrec.data.columns import Columns
    from gsrec.experiment import run
    from gsrec.experiment.configure import AS_PUBLISHED, run_config, suited
    from gsrec.experiment.defaults import catalogue_note, suited_note
    from gsrec.experiment.folder import LogReference, claim
    from gsrec.experiment.prepare import prepare_suited
    from gsrec.training.precision import precision_note

    wanted = options.all_settings(settings, min_user_interactions, min_item_interactions)
    given = partial(run_config, model, preset, file=config, settings=wanted, seed=seed)
    given()  # what is wrong with it is better known before there is a folder
    reference = LogReference.of(log, Columns(user_column, item_column, time_column))
    if not resume:
        claim(out)
    with progress_bar(log, quiet=quiet) as progress:
        chosen, split, notes = prepare_suited(reference, given, progress=progress)
    sizes = split.sequences.sizes
    suits = suited_note(suited(model, sizes), chosen) if preset not in AS_PUBLISHED and model != "poprec" else ()
    dear = (*catalogue_note(chosen.training, sizes.num_items), precision_note(chosen.training.precision))
    print_notes((*notes, *suits, *(dear if model != "poprec" else ())), quiet=quiet)
    with TrainingDisplay(chosen.label, chosen.training.epochs, quiet) as listener, stopped_by_signals() as stop:
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
    record = run.result_record(trained, trained.validation)
    if as_json:
        print_json({**record, "out": str(out)})
    else:
        print_metrics(f"{chosen.label} on {split.sequences.name}, written to {out}", record)
