"""`gsrec compare`: many models, many seeds, one table."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from gsrec.cli import options


def compare(
    log: options.LogArgument,
    *,
    models: Annotated[str, typer.Option(metavar="A,B,...", help="Models, each as name or name:preset.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the results; what is in it is not redone.")],
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, from --seed on.")] = 1,
    candidates: options.Candidates = "full",
    trained: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Another comparison, whose trained models are judged, not trained again."),
    ] = None,
    presets: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="Further presets, as [name.model] and [name.training].")
    ] = None,
    given: options.SettingOptions,
    seed: options.Seed = 1,
    columns: options.ColumnOptions,
    output: options.Output,
) -> None:
    """Train several models and judge them side by side.

    Each is trained with several seeds and judged once on test; table, plots and results are written.
    """
    from gsrec.cli.console import print_json, print_notes, print_parts, progress_bar
    from gsrec.cli.narrators import narrator
    from gsrec.cli.signals import stopped_by_signals
    from gsrec.data.columns import Columns
    from gsrec.experiment.compare import check_one_each, compare_models, recorded_results
    from gsrec.experiment.configure import run_configs
    from gsrec.experiment.folder import LogReference
    from gsrec.experiment.prepare import prepare
    from gsrec.reporting.comparison_tables import comparison_tables
    from gsrec.reporting.plots import plots_available
    from gsrec.reporting.report import write_report
    from gsrec.reporting.tables import to_terminal

    names, numbers = models.split(","), range(seed, seed + seeds)
    configs = partial(run_configs, names, numbers, file=given.config, settings=given.texts, presets_file=presets)
    first = configs()[0]
    reference = LogReference.of(log, Columns(*columns.names))
    with progress_bar(log, quiet=output.quiet) as progress:
        prepared = prepare(reference, first, progress=progress)
    suited = configs(sizes=prepared[0].sequences.sizes)
    check_one_each(out, suited)
    with stopped_by_signals() as stop:
        results = compare_models(
            reference,
            suited,
            out,
            candidates=candidates,
            trained=trained,
            prepared=prepared,
            stop=stop,
            narrator=narrator(quiet=output.quiet),
        )
    if not plots_available():
        print_notes(["no plots: they need the extra `report`"], quiet=output.quiet)
    report = write_report(recorded_results(out), out, plots=plots_available())
    if output.as_json:
        print_json({"out": str(out), "results": [result.model_dump(mode="json") for result in results]})
    else:
        print_parts(to_terminal(comparison_tables(report.comparison)), report.paths)
