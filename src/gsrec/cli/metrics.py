"""How a command prints what a model was judged by."""

from __future__ import annotations

import typer

from gsrec.cli.console import print_table
from gsrec.reporting.comparison_tables import METRICS
from gsrec.reporting.phrases import audit_sentence
from gsrec.reporting.results import RunResult

FEW_USERS = 100
"""Users below whom an interval by normal approximation is not to be trusted."""


def print_metrics(title: str, result: RunResult) -> None:
    """Print how a run was judged: its metrics with their intervals, under what protocol, and the audit."""
    protocol, data = result.protocol, result.data
    rows = [(name, f"{result.metrics[name]:.4f}", _text(result.intervals.get(name))) for name in METRICS]
    print_table(title, rows, header=("metric", "mean", "95% interval"))
    seen = "seen items left out" if protocol.filter_seen else "seen items are candidates"
    typer.echo(
        f"{protocol.part} part of {result.split}, {result.num_users_evaluated:,} users, candidates: "
        f"{protocol.candidates}, {seen}, ties {protocol.ties}"
    )
    sizes = f"{data.num_users:,} users, {data.num_items:,} items, {data.num_interactions:,} interactions"
    typer.echo(f"data: {data.name}, {sizes}")
    if result.num_users_evaluated < FEW_USERS:
        typer.echo(f"fewer than {FEW_USERS} users judge it: the intervals are rough, and say little")
    typer.echo(audit_sentence(result.audit))


def _text(interval: tuple[float, float] | None) -> str:
    return f"{interval[0]:.4f} to {interval[1]:.4f}" if interval else ""
