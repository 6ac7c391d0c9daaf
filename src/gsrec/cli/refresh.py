"""`gsrec refresh`: a trained model learns from new events, and must beat itself to be kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gsrec.cli import options


def refresh(
    path: options.ModelArgument,
    log: Annotated[str, typer.Argument(metavar="LOG", help="All events: those the model learned from, and new ones.")],
    out: Annotated[Path, typer.Option(help="Where the new bundle goes if it is better: a folder, or NAME.gsrec.")],
    window: Annotated[float, typer.Option(help="The newest share of the new events, by which both are judged.")] = 0.2,
    replay: Annotated[
        float | None, typer.Option(help="Old rows to learn from again, for every new one; without it all.")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="The most epochs.")] = 10,
    rate: Annotated[float, typer.Option(help="The learning rate, as a share of the one before.")] = 1.0,
    seed: options.Seed = 1,
    user_column: options.UserColumn = None,
    item_column: options.ItemColumn = None,
    time_column: options.TimeColumn = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Train a model further with new events and items; it is kept only if it beats the old one on the newest events.

    Old items keep their place for ever, new ones begin where their neighbours are.
    """
    from gsrec.cli.console import (
        FEW_USERS,
        TrainingDisplay,
        print_json,
        print_notes,
        print_table,
        progress_bar,
        stopped_by_signals,
    )
    from gsrec.data.columns import Columns
    from gsrec.data.sources import open_log
    from gsrec.experiment.folder import any_bundle, columns_of
    from gsrec.experiment.refresh import RefreshPlan, refresh, training_of

    bundle, plan = any_bundle(path), RefreshPlan(window, replay, epochs, rate, seed)
    training_of(bundle)
    columns = columns_of(path, Columns(user_column, item_column, time_column))
    with progress_bar(log, quiet=quiet) as progress:
        opened = open_log(log, columns=columns, progress=progress)
    print_notes(opened.notes, quiet=quiet)
    with TrainingDisplay(bundle.config.name, epochs, quiet) as listener, stopped_by_signals() as stop:
        found = refresh(bundle, opened, out, plan, stop=stop, listener=listener)
    if as_json:
        print_json({**found.record(), "out": str(out) if found.is_better else None})
        return
    rows = []
    for name, judged in (("old", found.champion), ("refreshed", found.challenger)):
        metrics = (f"{judged.metrics[metric]:.4f}" for metric in ("HR@10", "NDCG@10", "MRR"))
        rows.append((name, *metrics))
    title = f"{bundle.config.name} on the newest window of {opened.name}, {found.challenger.ranks.size:,} targets"
    print_table(title, rows, header=("model", "HR@10", "NDCG@10", "MRR"))
    low, high = found.test.interval
    typer.echo(
        f"new events {found.new_events:,}, new items {found.new_items:,}; {found.epochs} epochs, {found.seconds:,.1f} s"
    )
    typer.echo(f"NDCG@10 {found.test.difference:+.4f} ({low:+.4f} to {high:+.4f}, 95%)")
    few = f"; {found.challenger.ranks.size:,} targets can hardly decide, a larger --window has more"
    hint = few if found.challenger.ranks.size < FEW_USERS else ""
    stays = f"not better by more than chance: the old model stays{hint}"
    typer.echo(f"promoted: {out}" if found.is_better else stays)
