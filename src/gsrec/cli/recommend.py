"""`gsrec recommend`: what comes next, for a history or for users of the log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gsrec.cli import options
from gsrec.errors import ConfigError


def recommend(
    folder: options.RunArgument,
    history: Annotated[str | None, typer.Option(metavar="ID,ID,...", help="Item ids, oldest first.")] = None,
    users: Annotated[
        Path | None, typer.Option(metavar="FILE", help="User ids of the run's log, one a line: after all they took.")
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many items.")] = 10,
    keep_seen: options.KeepSeen = False,
    log: options.MovedLog = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Recommend the K items most likely to come next."""
    from gsrec.cli.console import print_json, print_notes, print_table
    from gsrec.data.vocabulary import ItemId
    from gsrec.experiment.folder import open_bundle
    from gsrec.experiment.run import open_run
    from gsrec.recommend.recommender import Recommender
    from gsrec.recommend.users import user_histories

    if (history is None) == (users is None):
        raise ConfigError("give either --history ID,ID,... or --users FILE")
    given = _split(history or "")
    if history is not None and not given:
        raise ConfigError("--history names no item: expected item ids as ID,ID,..., oldest first")
    recommender = Recommender(open_bundle(folder))
    owners: list[ItemId | None] = [None]
    histories = [[recommender.bundle.vocabulary.parse(text) for text in given]]
    if users is not None:
        found = user_histories(open_run(folder, moved_to=log).split.sequences, users)
        owners, histories = [user for user, _ in found], [items for _, items in found]
    answers = recommender.recommend_all(histories, k, filter_seen=not keep_seen)
    named = list(zip(owners, answers, strict=True))
    num_unknown = sum(answer.num_unknown for answer in answers)
    if as_json:
        rows = [{"user_id": user, "items": answer.items, "scores": answer.scores} for user, answer in named]
        print_json({"k": k, "recommendations": rows, "num_unknown_items": num_unknown})
        return
    print_notes(_notes(num_unknown, sum(len(answer.items) < k for answer in answers), k), quiet=quiet)
    for user, answer in named:
        ranked = zip(answer.items, answer.scores, strict=True)
        rows_of = [(str(place), str(item), f"{score:.4f}") for place, (item, score) in enumerate(ranked, start=1)]
        title = "next" if user is None else f"next for user {user}"
        print_table(title, rows_of, header=("rank", "item_id", "score"))


def _split(history: str) -> list[str]:
    return [text for text in map(str.strip, history.split(",")) if text]


def _notes(num_unknown: int, num_short: int, k: int) -> list[str]:
    unknown = f"items of the history that the model does not know, left out: {num_unknown:,}"
    short = f"lists of fewer than {k:,} items, because no more are left: {num_short:,}"
    return [*[unknown][:num_unknown], *[short][:num_short]]
