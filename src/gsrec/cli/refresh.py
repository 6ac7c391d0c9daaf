"""`gsrec refresh`: a trained model learns from new events, and must beat itself to be kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gsrec.cli import options


def refresh(
    path: options.ModelArgument,
    log: Annotated[str, typer.Argument(metavar="LOG", help="All events: those the model learned from, and new ones.")],
    *,
    out: Annotated[Path, typer.Option(help="Where the new bundle goes if it is better: a folder, or NAME.gsrec.")],
    window: Annotated[
        float,
        typer.Option(
            help="The newest share of the new events, by which both models are judged. As many before them choose the "
            "epoch, and neither are learned from."
        ),
    ] = 0.2,
    replay: Annotated[
        float | None, typer.Option(help="Old training rows replayed for every new one; without it all of them.")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="The most epochs.")] = 10,
    rate: Annotated[float, typer.Option(help="What the learning rate of the first training is multiplied by.")] = 1.0,
    seed: options.Seed = 1,
    columns: options.ColumnOptions,
    output: options.Output,
) -> None:
    """Train a model further, and keep it only if it is better.

    It learns from new events and items, and must beat the old one on the newest events. Users and items that are too
    rare to be trained on are left out, as in the first training. Old items keep their place for ever, new ones begin
    where their neighbours are.
    """
    from gsrec.cli.console import print_json, print_notes, print_table, replaced_notes
    from gsrec.cli.logs import opened
    from gsrec.cli.metrics import FEW_USERS
    from gsrec.cli.narrators import TrainingDisplay
    from gsrec.cli.signals import stopped_by_signals
    from gsrec.experiment.folder import any_bundle, training_of
    from gsrec.experiment.further_training import RefreshPlan
    from gsrec.experiment.refresh import refresh
    from gsrec.reporting.phrases import p_value_text

    bundle = any_bundle(path)
    training_of(bundle)  # whether it can be trained further is better known before the log is read
    plan = RefreshPlan(window=window, replay=replay, epochs=epochs, rate=rate, seed=seed)
    if out.resolve() != path.resolve():
        told = f" if the refreshed model is better than {path}, which alone it is compared with"
        print_notes(replaced_notes(out, told), quiet=output.quiet)
    new_log = opened(log, columns, output, trained=path)
    with TrainingDisplay(bundle.config.name, epochs, output.quiet) as listener, stopped_by_signals() as stop:
        found = refresh(bundle, new_log, out, plan, stop=stop, listener=listener)
    if output.as_json:
        print_json({**found.record(), "out": str(out) if found.is_better else None})
        return
    rows = []
    for name, judged in (("old", found.champion), ("refreshed", found.challenger)):
        metrics = (f"{judged.metrics[metric]:.4f}" for metric in ("HR@10", "NDCG@10", "MRR"))
        rows.append((name, *metrics))
    title = f"{bundle.config.name} on the newest window of {new_log.name}, {found.challenger.ranks.size:,} targets"
    print_table(title, rows, header=("model", "HR@10", "NDCG@10", "MRR"))
    (low, high), p_value = found.test.interval, p_value_text(found.test.p_value)
    typer.echo(
        f"new events {found.new_events:,}, {found.learned_events:,} of them learned from; new items "
        f"{found.new_items:,}; {found.epochs} epochs, {found.seconds:,.1f} s"
    )
    typer.echo(f"NDCG@10 {found.test.difference:+.4f} ({low:+.4f} to {high:+.4f}, 95%; p {p_value})")
    few = f"; {found.challenger.ranks.size:,} targets can hardly decide, a larger --window has more"
    hint = few if found.challenger.ranks.size < FEW_USERS and new_log.time_kind == "clock" else ""
    stays = f"not better by more than chance: the old model stays{hint}"
    typer.echo(f"promoted: {out}" if found.is_better else stays)
