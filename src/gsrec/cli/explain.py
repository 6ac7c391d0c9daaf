"""`gsrec explain`: which past items carry a recommendation."""

from __future__ import annotations

from typing import Annotated

import typer

from gsrec.cli import options


def explain(
    path: options.ModelArgument,
    *,
    history: Annotated[
        str, typer.Option(metavar="ID,ID,...", help="Item ids, oldest first; with a comma in double quotes.")
    ],
    item: Annotated[str | None, typer.Option(metavar="ID", help="The item; if not given, the best one.")] = None,
    output: options.Output,
) -> None:
    """Tell why an item is recommended after a history.

    Each event is left out once, and each part of the model. What they add need not sum to the score: events and parts
    work together.
    """
    from gsrec.cli.console import print_json, print_notes, print_table, progress_bar, unknown_notes
    from gsrec.experiment.folder import any_bundle
    from gsrec.recommend.recommender import Recommender

    bundle = any_bundle(path)
    parse = bundle.vocabulary.parse
    given = [parse(text) for text in options.split_ids(history, "--history")]
    with progress_bar("explaining", quiet=output.quiet) as progress:
        found = Recommender(bundle).explain(given, None if item is None else parse(item), progress=progress)
    if output.as_json:
        print_json(found.record())
        return
    events = [(str(event.place), str(event.item_id), f"{event.change:+.4f}") for event in found.events]
    header = ("place, from 0", "item_id", "what it adds")
    print_table(f"item {found.item_id}, score {found.score:.4f}: what every event adds to it", events, header=header)
    unknown = (item for item, is_in in zip(given, bundle.vocabulary.encode(given), strict=True) if not is_in)
    print_notes(unknown_notes(found.num_unknown, unknown), quiet=output.quiet)
    parts = {"attention": found.attention, "recurrence": found.recurrence}
    for name, change in parts.items():
        if change is not None:
            typer.echo(f"through {name}: {change:+.4f}")
