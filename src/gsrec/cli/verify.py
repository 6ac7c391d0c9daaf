"""`gsrec verify`: proof that what is served is what was measured."""

from __future__ import annotations

from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from gsrec.cli import options
from gsrec.errors import GSRecError


def verify(
    path: options.ModelArgument,
    log: options.LogArgument,
    users: Annotated[
        int | None, typer.Option(min=1, help="How many test targets, spread over all; without it all of them.")
    ] = None,
    user_column: options.UserColumn = None,
    item_column: options.ItemColumn = None,
    time_column: options.TimeColumn = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Compute the test metrics again through the recommender, sessions, ONNX and HTTP, and compare the lists.

    Ways that need an extra which is not installed are named and left out. It also changes the targets in the data, to
    prove that no recommendation looks at them.
    """
    from gsrec.bundle import save_bundle
    from gsrec.cli.console import print_json, print_notes, print_table
    from gsrec.data.columns import Columns
    from gsrec.experiment.folder import LogReference, any_bundle
    from gsrec.experiment.prepare import prepare
    from gsrec.experiment.refresh import training_of
    from gsrec.experiment.verify import library_ways, onnx_ways, verify
    from gsrec.recommend.recommender import Recommender

    bundle, reference = any_bundle(path), LogReference.of(log, Columns(user_column, item_column, time_column))
    split, _ = prepare(reference, training_of(bundle), vocabulary=bundle.vocabulary)
    ways = library_ways(Recommender(bundle))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        if all(map(find_spec, ("onnx", "onnxruntime", "onnxscript"))):
            from gsrec.recommend.export import export_bundle

            export_bundle(bundle, folder / "onnx")
            ways |= onnx_ways(bundle, folder / "onnx")
        if all(map(find_spec, ("fastapi", "uvicorn", "prometheus_client"))):
            from gsrec.serving.over_http import over_http

            save_bundle(bundle, folder / "bundle")
            ways["HTTP"] = stack.enter_context(over_http(folder / "bundle"))
        found = verify(
            bundle, split, ways, users=users, progress=lambda what: print_notes([f"asking {what}"], quiet=quiet)
        )
    left_out = [name for name in ("ONNX", "HTTP") if name not in ways]
    if as_json:
        print_json({**found.record(), "left_out": left_out})
    else:
        rows = [("evaluator", "", "", "", *(f"{value:.6f}" for value in found.expected.values()))]
        for verdict in found.verdicts:
            counts = (verdict.equal, verdict.near_ties, verdict.different)
            numbers = [f"{value:.6f}" for value in verdict.metrics.values()]
            rows.append((verdict.name, *(f"{count:,}" for count in counts), *numbers))
        header = ("asked", "equal lists", "nearly tied", "different", *found.expected)
        print_table(f"{bundle.config.name} on {split.sequences.name}, test", rows, header=header)
        typer.echo(f"lists that change when the targets in the data are changed: {found.moved:,}")
        for name in left_out:
            typer.echo(f"{name} was left out: its extra is not installed")
        typer.echo("what is served is what was measured" if found.holds else "what is served is NOT what was measured")
    if not found.holds:
        raise GSRecError("at least one way does not give the evaluator's numbers")
