"""`gsrec export`: a model as ONNX graphs, for where there is no PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gsrec.cli import options


def export(
    path: options.ModelArgument,
    out: Annotated[Path, typer.Option(help="The folder of the graphs and of what they are.")],
    as_json: options.Json = False,
) -> None:
    """Write a trained model as ONNX graphs.

    One is of whole histories, and one takes one more event.
    """
    from gsrec.cli.console import print_json, print_notes, replaced_notes
    from gsrec.experiment.folder import any_bundle
    from gsrec.recommend.export import export_bundle

    bundle = any_bundle(path)
    print_notes(replaced_notes(out), quiet=False)
    facts = export_bundle(bundle, out)
    if as_json:
        print_json({"out": str(out), "fingerprint": facts.fingerprint, "streams": facts.step is not None})
        return
    graphs = [graph.file for graph in (facts.scores, facts.step) if graph]
    typer.echo(f"written: {out} ({facts.model}, {facts.num_items:,} items: {', '.join(graphs)})")
