"""`gsrec compare`: many models, many seeds, one table."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from gsrec.cli import options


def compare(
    log: options.LogArgument,
    models: Annotated[str, typer.Option(metavar="A,B,...", help="Models, each as name or name:preset.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the results; what is in it is not redone.")],
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, from --seed on.")] = 1,
    candidates: options.Candidates = "full",
    trained: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Another comparison: what it trained is only judged anew.")
    ] = None,
    config: options.ConfigFile = None,
    presets: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="Further presets, as [name.model] and [name.training].")
    ] = None,
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
    """Train models with several seeds, judge each once on test, and write table, plots and results."""
    from gsrec.cli.console import narrator, print_json, print_notes, print_parts, progress_bar, stopped_by_signals
    from gsrec.data.columns import Columns
    from gsrec.experiment.compare import compare_models
    from gsrec.experiment.configure import run_configs
    from gsrec.experiment.folder import LogReference
    from gsrec.experiment.prepare import prepare
    from gsrec.reporting.comparison_tables import comparison_tables
    from gsrec.reporting.plots import plots_available
    from gsrec.reporting.report import write_report
    from gsrec.reporting.tables import to_terminal

    wanted = options.all_settings(settings, min_user_interactions, min_item_interactions)
    given = partial(
        run_configs, models.split(","), range(seed, seed + seeds), file=config, settings=wanted, presets_file=presets
    )
    first = given()[0]
    reference = LogReference.of(log, Columns(user_column, item_column, time_column))
    with progress_bar(log, quiet=quiet) as progress:
        prepared = prepare(reference, first, progress=progress)
    with stopped_by_signals() as stop:
        results = compare_models(
            reference,
            given(sizes=prepared[0].sequences.sizes),
            out,
            candidates=candidates,
            trained=trained,
            prepared=prepared,
            stop=stop,
            narrator=narrator(quiet=quiet),
        )
    if not plots_available():
        print_notes(["no plots: they need the extra `report`"], quiet=quiet)
    report = write_report(results, out, plots=plots_available())
    if as_json:
        print_json({"out": str(out), "results": [result.model_dump(mode="json") for result in results]})
    else:
        print_parts(to_terminal(comparison_tables(report.comparison)), report.paths)
