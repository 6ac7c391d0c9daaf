"""`gsrec recommend`: what comes next, for a history, for some users of the log, or for everybody in a log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gsrec.cli import options
from gsrec.errors import ConfigError


def recommend(
    path: options.ModelArgument,
    history: Annotated[str | None, typer.Option(metavar="ID,ID,...", help="Item ids, oldest first.")] = None,
    users: Annotated[
        Path | None, typer.Option(metavar="FILE", help="User ids of the run's log, one a line: after all they took.")
    ] = None,
    everybody: Annotated[
        str | None, typer.Option(metavar="LOG", help="After all that every user of this log took, into --out.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Of --everybody: a table with a row a user and place, .parquet or .csv.")
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many items.")] = 10,
    exclude: Annotated[str, typer.Option(metavar="ID,ID,...", help="Items that are never recommended.")] = "",
    only: Annotated[str | None, typer.Option(metavar="ID,ID,...", help="The items to choose from.")] = None,
    keep_seen: options.KeepSeen = False,
    log: options.MovedLog = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Recommend the K items most likely to come next."""
    from gsrec.cli.console import print_json, print_notes, print_table
    from gsrec.data.vocabulary import ItemId
    from gsrec.experiment.folder import any_bundle
    from gsrec.experiment.run import open_run
    from gsrec.recommend.recommender import Recommender
    from gsrec.recommend.users import user_histories

    if [history, users, everybody].count(None) != 2:
        raise ConfigError("give one of --history ID,ID,..., --users FILE and --everybody LOG")
    given = options.split_ids(history, "--history") if history is not None else []
    recommender = Recommender(any_bundle(path))
    if everybody is not None:
        _for_everybody(recommender, everybody, out, k, keep_seen=keep_seen, as_json=as_json, quiet=quiet)
        return
    parse = recommender.bundle.vocabulary.parse
    owners: list[ItemId | None] = [None]
    histories = [[parse(text) for text in given]]
    if users is not None:
        found = user_histories(open_run(path, moved_to=log).split.sequences, users)
        owners, histories = [user for user, _ in found], [items for _, items in found]
    answers = recommender.recommend(
        histories,
        k,
        filter_seen=not keep_seen,
        exclude=[parse(text) for text in exclude.split(",") if text],
        only=None if only is None else [parse(text) for text in options.split_ids(only, "--only")],
    )
    named = list(zip(owners, answers, strict=True))
    num_unknown = sum(answer.num_unknown for answer in answers)
    if as_json:
        rows = [
            {"user_id": user, "items": answer.items, "scores": answer.scores, "source": answer.source}
            for user, answer in named
        ]
        print_json({"k": k, "recommendations": rows, "num_unknown_items": num_unknown})
        return
    notes = _notes(
        num_unknown,
        sum(len(answer.items) < k for answer in answers),
        sum(answer.source == "popularity" for answer in answers),
        k,
    )
    print_notes(notes, quiet=quiet)
    for user, answer in named:
        ranked = zip(answer.items, answer.scores, strict=True)
        rows_of = [(str(place), str(item), f"{score:.4f}") for place, (item, score) in enumerate(ranked, start=1)]
        title = "next" if user is None else f"next for user {user}"
        print_table(title, rows_of, header=("rank", "item_id", "score"))


def _for_everybody(
    recommender: object, log: str, out: Path | None, k: int, *, keep_seen: bool, as_json: bool, quiet: bool
) -> None:
    from gsrec.cli.console import print_json, print_notes, progress_bar
    from gsrec.data.sources import open_log
    from gsrec.recommend.everyone import write_recommendations
    from gsrec.recommend.recommender import Recommender

    assert isinstance(recommender, Recommender)
    if out is None:
        raise ConfigError("say with --out where the recommendations for everybody go, such as --out next.parquet")
    events = open_log(log)
    known = events.known_items(recommender.bundle.vocabulary)
    print_notes([*events.notes, *known.notes[len(events.notes) :]], quiet=quiet)
    with progress_bar("recommending", quiet=quiet) as progress:
        frame = recommender.recommend_users(known, k, filter_seen=not keep_seen, progress=progress)
    write_recommendations(frame, out)
    told = {"out": str(out), "rows": frame.height, "users": frame["user_id"].n_unique(), "k": k}
    if as_json:
        print_json(told)
        return
    typer.echo(f"written: {out}, {told['rows']:,} rows for {told['users']:,} users")


def _notes(num_unknown: int, num_short: int, num_popular: int, k: int) -> list[str]:
    unknown = f"items of the history that the model does not know, left out: {num_unknown:,}"
    short = f"lists of fewer than {k:,} items, because no more are left: {num_short:,}"
    popular = f"histories of which the model knows no item, answered by popularity: {num_popular:,}"
    return [*[unknown][:num_unknown], *[popular][:num_popular], *[short][:num_short]]
