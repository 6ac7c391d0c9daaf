"""`gsrec recommend`: what comes next, for a history, for some users of the log, or for everybody in a log."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

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
    index: Annotated[
        Path | None, typer.Option(metavar="DIR", help="An index of `gsrec index`: faster among very many items.")
    ] = None,
    log: options.MovedLog = None,
    user_column: options.UserColumn = None,
    item_column: options.ItemColumn = None,
    time_column: options.TimeColumn = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Recommend the K items most likely to come next."""
    from gsrec.cli.console import print_notes
    from gsrec.data.vocabulary import ItemId
    from gsrec.experiment.folder import any_bundle
    from gsrec.experiment.run import open_run
    from gsrec.recommend.recommender import Recommender
    from gsrec.recommend.users import user_histories

    if [history, users, everybody].count(None) != 2:
        raise ConfigError("give one of --history ID,ID,..., --users FILE and --everybody LOG")
    if everybody is not None:
        columns = (user_column, item_column, time_column)
        _for_everybody(path, everybody, columns, out, k, keep_seen=keep_seen, as_json=as_json, quiet=quiet)
        return
    given = options.split_ids(history, "--history") if history is not None else []
    recommender = Recommender(any_bundle(path))
    recommender = recommender if index is None else recommender.with_index(index)
    parse = recommender.bundle.vocabulary.parse
    owners: list[ItemId | None] = [None]
    histories = [[parse(text) for text in given]]
    if users is not None:
        found = user_histories(open_run(path, moved_to=log).split.sequences, users)
        owners, histories = [user for user, _ in found], [items for _, items in found]
    never = [parse(text) for text in options.split_ids(exclude, "--exclude")] if exclude else []
    chosen = [parse(text) for text in options.split_ids(only, "--only")] if only is not None else None
    unknown = int((recommender.bundle.vocabulary.encode([*never, *(chosen or ())]) == 0).sum())
    print_notes([f"items of --exclude and --only that the model does not know: {unknown:,}"][:unknown], quiet=quiet)
    answers = recommender.recommend(histories, k, filter_seen=False if keep_seen else None, exclude=never, only=chosen)
    told = [{"user_id": user, **asdict(answer)} for user, answer in zip(owners, answers, strict=True)]
    _tell(told, k, as_json=as_json, quiet=quiet)


def _tell(answers: list[dict[str, Any]], k: int, *, as_json: bool, quiet: bool) -> None:
    """Print what was recommended to whom."""
    from gsrec.cli.console import print_json, print_notes, print_table

    num_unknown = sum(answer["num_unknown"] for answer in answers)
    if as_json:
        print_json({"k": k, "recommendations": answers, "num_unknown_items": num_unknown})
        return
    num_short = sum(len(answer["items"]) < k for answer in answers)
    num_popular = sum(answer["source"] == "popularity" for answer in answers)
    print_notes(_notes(num_unknown, num_short, num_popular, k), quiet=quiet)
    for answer in answers:
        ranked = zip(answer["items"], answer["scores"], strict=True)
        rows_of = [(str(place), str(item), f"{score:.4f}") for place, (item, score) in enumerate(ranked, start=1)]
        title = "next" if answer["user_id"] is None else f"next for user {answer['user_id']}"
        print_table(title, rows_of, header=("rank", "item_id", "score"))


def _for_everybody(
    path: Path,
    log: str,
    columns: tuple[str | None, str | None, str | None],
    out: Path | None,
    k: int,
    *,
    keep_seen: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write what comes next for every user of a log into a table."""
    from gsrec.cli.console import print_json, print_notes, progress_bar
    from gsrec.data.columns import Columns
    from gsrec.data.sources import open_log
    from gsrec.experiment.folder import any_bundle, columns_of
    from gsrec.recommend.everyone import check_table, recommend_users, write_recommendations

    if out is None:
        raise ConfigError("say with --out where the recommendations for everybody go, such as --out next.parquet")
    check_table(out)
    bundle = any_bundle(path)
    known = open_log(log, columns=columns_of(path, Columns(*columns))).known_items(bundle.vocabulary)
    print_notes(known.notes, quiet=quiet)
    with progress_bar(log, quiet=quiet) as progress:
        frame = recommend_users(bundle, known, k, filter_seen=False if keep_seen else None, progress=progress)
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
