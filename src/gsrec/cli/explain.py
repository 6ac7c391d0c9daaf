"""`gsrec explain`: which past items carry a recommendation."""

from __future__ import annotations

from typing import Annotated

import typer

from gsrec.cli import options
from gsrec.errors import ConfigError


def explain(
    path: options.ModelArgument,
    history: Annotated[str, typer.Option(metavar="ID,ID,...", help="Item ids, oldest first.")],
    item: Annotated[str | None, typer.Option(metavar="ID", help="The item; if not given, the best one.")] = None,
    as_json: options.Json = False,
) -> None:
    """Tell why an item is recommended after a history: each event is left out once, and each part of the model."""
    from gsrec.cli.console import print_json, print_table
    from gsrec.experiment.folder import any_bundle
    from gsrec.recommend.explain import explain
    from gsrec.recommend.recommender import Recommender

    bundle = any_bundle(path)
    vocabulary = bundle.vocabulary
    given = [vocabulary.parse(text) for text in options.split_ids(history, "--history")]
    best = Recommender(bundle).recommend(given, 1).items if item is None else (vocabulary.parse(item),)
    if not best:
        raise ConfigError("the history holds every item: nothing is left to recommend. Name an item with --item.")
    found = explain(bundle, given, best[0])
    if as_json:
        print_json(found.record())
        return
    events = [(str(event.place), str(event.item_id), f"{event.change:+.4f}") for event in found.events]
    header = ("place, from 0", "item_id", "what it adds")
    print_table(f"item {found.item_id}, score {found.score:.4f}: what every event adds to it", events, header=header)
    if found.num_unknown:
        typer.echo(f"items of the history that the model does not know, left out: {found.num_unknown:,}")
    parts = {"attention": found.attention, "recurrence": found.recurrence}
    for name, change in parts.items():
        if change is not None:
            typer.echo(f"through {name}: {change:+.4f}")
