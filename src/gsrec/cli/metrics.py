"""How a command prints what a model was judged by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from gsrec.cli.console import print_table
from gsrec.reporting.comparison_tables import METRICS
from gsrec.reporting.phrases import audit_sentence

FEW_USERS = 100
"""Users below whom an interval by normal approximation is not to be trusted."""


def print_metrics(title: str, record: Mapping[str, Any]) -> None:
    """Print how a run was judged: its metrics with their intervals, under what protocol, and the audit."""
    protocol, data, intervals = record["protocol"], record["data"], record["intervals"]
    rows = [
        (name, f"{record['metrics'][name]:.4f}", f"{intervals[name][0]:.4f} to {intervals[name][1]:.4f}")
        if name in intervals
        else (name, f"{record['metrics'][name]:.4f}", "")
        for name in METRICS
    ]
    print_table(title, rows, header=("metric", "mean", "95% interval"))
    seen = "seen items left out" if protocol["filter_seen"] else "seen items are candidates"
    typer.echo(
        f"{protocol['split']} part of {record['split']}, {record['num_users_evaluated']:,} users, candidates: "
        f"{protocol['candidates']}, {seen}, ties {protocol['ties']}"
    )
    sizes = f"{data['num_users']:,} users, {data['num_items']:,} items, {data['num_interactions']:,} interactions"
    typer.echo(f"data: {data['name']}, {sizes}")
    if record["num_users_evaluated"] < FEW_USERS:
        typer.echo(f"fewer than {FEW_USERS} users judge it: the intervals are rough, and say little")
    typer.echo(audit_sentence(record["audit"]))
