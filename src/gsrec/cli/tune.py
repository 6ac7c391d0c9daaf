"""`gsrec tune`: settings that validation likes best."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from gsrec.cli import options


def tune(
    log: options.LogArgument,
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the study; one that is there is resumed.")],
    model: options.TrainedModel = "gsrec",
    trials: Annotated[int, typer.Option(min=1, help="How many trials the study is to have.")] = 20,
    preset: options.Preset = "default",
    given: options.SettingOptions,
    seed: options.Seed = 1,
    columns: options.ColumnOptions,
    output: options.Output,
) -> None:
    """Look for better settings, and write the best for --config.

    They are drawn; those that fall behind on validation are given up.
    """
    from gsrec.cli.console import print_json, print_notes, print_table, progress_bar
    from gsrec.cli.narrators import study_narrator
    from gsrec.cli.signals import stopped_by_signals
    from gsrec.data.columns import Columns
    from gsrec.experiment.config import check_learns
    from gsrec.experiment.configure import RunRequest
    from gsrec.experiment.folder import LogReference
    from gsrec.experiment.prepare import prepare
    from gsrec.experiment.search_space import Tuning
    from gsrec.experiment.tune import BEST_SETTINGS, TRIALS_FILE, tune
    from gsrec.reporting.plots import plots_available
    from gsrec.reporting.study import write_study_plot

    request = RunRequest(model, preset, given.config, given.texts, seed)
    check_learns(model, "tune")  # better known before the log is read
    reference = LogReference.of(log, Columns(*columns.names))
    with progress_bar(log, quiet=output.quiet) as progress:
        split, notes = prepare(reference, request.config(), progress=progress)
    wanted = Tuning(request, split.sequences.sizes)
    print_notes(notes, quiet=output.quiet)
    with stopped_by_signals() as stop:
        narrator = study_narrator(quiet=output.quiet)
        found = tune(reference, split, wanted, out, num_trials=trials, stop=stop, narrator=narrator)
    if plots_available():
        write_study_plot(found, out)
    if output.as_json:
        print_json({"out": str(out), "trials": list(map(asdict, found))})
        return
    rows = [(str(one.number), one.state, f"{one.validation:.4f}", f"{one.seconds:,.0f} s", one.told) for one in found]
    header = ("trial", "state", "validation NDCG@10", "time", "settings")
    print_table(f"{wanted.config().label} on {split.sequences.name}, best first", rows, header=header)
    written = [out / name for name in (BEST_SETTINGS, TRIALS_FILE) if (out / name).exists()]
    typer.echo(f"written: {', '.join(map(str, written))}")
