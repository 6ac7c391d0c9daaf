"""`gsrec index`: an index of a model's items, for catalogues that are too large to score whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gsrec.cli import options


def index(
    path: options.ModelArgument,
    log: Annotated[str, typer.Argument(metavar="LOG", help="A log whose users' histories the index is measured by.")],
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the index.")],
    recall: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of the 10 best items that must be found.")
    ] = 0.95,
    columns: options.ColumnOptions,
    output: options.Output,
) -> None:
    """Build an index that finds the best of very many items.

    It is measured how many of the 10 best it finds. Where an index finds too few, or there are too few items to gain
    anything, all items go on being scored.
    """
    from gsrec.cli.console import print_json
    from gsrec.cli.logs import opened
    from gsrec.experiment.folder import any_bundle
    from gsrec.places import check_own
    from gsrec.recommend.index import index_of
    from gsrec.recommend.index_files import INDEX_FILES, save_index

    check_own(out, INDEX_FILES)
    bundle = any_bundle(path)
    built = index_of(bundle, opened(log, columns, output, trained=path), recall=recall)
    save_index(built, out, bundle.fingerprint)
    if output.as_json:
        told = {"recall": built.recall, "candidates": built.candidates, "is_exact": built.codes is None}
        print_json({"out": str(out), "num_items": built.num_items, **told})
        return
    how = "all are scored" if built.codes is None else f"{built.candidates:,} candidates are scored"
    typer.echo(f"written: {out} (of {built.num_items:,} items {how}; {built.recall:.1%} of the 10 best are found)")
