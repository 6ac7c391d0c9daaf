"""What `gsrec recommend` answers: for a history, for some users of the run's log, for everybody in a log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from gsrec.bundle import Bundle
from gsrec.cli.console import (
    count_notes,
    print_json,
    print_notes,
    print_table,
    progress_bar,
    replaced_notes,
    unknown_notes,
)
from gsrec.cli.logs import check_other, opened
from gsrec.cli.options import ColumnOptions, Output, WishOptions, split_ids
from gsrec.data.sequences import Sequences
from gsrec.data.vocabulary import ItemId
from gsrec.errors import ConfigError
from gsrec.experiment.folder import any_bundle, is_run
from gsrec.experiment.run import open_histories
from gsrec.recommend.everyone import check_table, recommend_users, write_recommendations
from gsrec.recommend.recommender import Recommender
from gsrec.recommend.rules import Rules, rules_of
from gsrec.recommend.users import user_histories


def answer_history(path: Path, index: Path | None, history: str, wishes: WishOptions, output: Output) -> None:
    """Print what comes next after a history."""
    given = split_ids(history, "--history")
    recommender = _recommender(path, index)
    parse = recommender.bundle.vocabulary.parse
    _answer(recommender, [None], [[parse(text) for text in given]], wishes, output)


def answer_users(
    path: Path,
    index: Path | None,
    users: Path,
    log: str | None,
    columns: ColumnOptions,
    wishes: WishOptions,
    output: Output,
) -> None:
    """Print what comes next for some users of the run's log, or of the one that is named."""
    found = user_histories(_sequences(path, log, columns, output), users)
    owners, histories = [user for user, _ in found], [items for _, items in found]
    _answer(_recommender(path, index), owners, histories, wishes, output)


def answer_everybody(
    path: Path, log: str, columns: ColumnOptions, out: Path, wishes: WishOptions, output: Output
) -> None:
    """Write what comes next for every user of a log into a table."""
    check_table(out)
    check_other(out, log)
    print_notes(replaced_notes(out), quiet=output.quiet)
    bundle = any_bundle(path)
    rules = _rules(bundle, wishes, output)
    whole = opened(log, columns, output, trained=path)
    counted = bundle.usage.cleaned(whole)
    known = counted.known_items(bundle.vocabulary)
    print_notes(known.notes[len(whole.notes) :], quiet=output.quiet)
    with progress_bar(log, quiet=output.quiet) as progress:
        frame = recommend_users(bundle, whole, wishes.k, filter_seen=wishes.filter_seen, rules=rules, progress=progress)
    write_recommendations(frame, out)
    lengths = frame.group_by("user_id").len()["len"]
    unknown, without = counted.num_users - known.num_users, known.num_users - lengths.len()
    short = int((lengths < wishes.k).sum())
    notes = count_notes("users of whom the model knows no item, who have no rows", unknown)
    notes += count_notes("users for whom nothing is left to recommend, who have no rows", without)
    print_notes([*notes, *_notes(short, 0, wishes.k)], quiet=output.quiet)
    record = {"out": str(out), "rows": frame.height, "users": lengths.len(), "k": wishes.k}
    if output.as_json:
        print_json(record)
        return
    typer.echo(f"written: {out}, {record['rows']:,} rows for {record['users']:,} users")


def _sequences(path: Path, log: str | None, columns: ColumnOptions, output: Output) -> Sequences:
    """What the users of this log took, or of the run's own; a bundle by itself does not know where its log is."""
    if log is None and is_run(path):
        return open_histories(path)
    bundle = any_bundle(path)
    if log is None:
        raise ConfigError(f"{path} is a model by itself, not a run folder: say with --log whose users are meant")
    counted = bundle.usage.cleaned(opened(log, columns, output, trained=path))
    return counted.to_sequences(counted.vocabulary())


def _recommender(path: Path, index: Path | None) -> Recommender:
    recommender = Recommender(any_bundle(path))
    return recommender if index is None else recommender.with_index(index)


def _answer(
    recommender: Recommender,
    owners: Sequence[ItemId | None],
    histories: Sequence[Sequence[ItemId]],
    wishes: WishOptions,
    output: Output,
) -> None:
    """Print what comes next after histories, each of a user or, for None, of nobody in particular."""
    rules = _rules(recommender.bundle, wishes, output)
    found = recommender.recommend(histories, wishes.k, filter_seen=wishes.filter_seen, rules=rules)
    known = recommender.bundle.vocabulary.encode
    unknown = (item for history in histories for item, is_in in zip(history, known(history), strict=True) if not is_in)
    answers = [{"user_id": user, **asdict(one)} for user, one in zip(owners, found, strict=True)]
    _print(answers, dict.fromkeys(unknown), wishes.k, output)


def _rules(bundle: Bundle, wishes: WishOptions, output: Output) -> Rules | None:
    """The rules that --exclude and --only make; how many of their items the model does not know is told."""
    parse = bundle.vocabulary.parse
    never = [parse(text) for text in split_ids(wishes.exclude, "--exclude")] if wishes.exclude else []
    chosen = [parse(text) for text in split_ids(wishes.only, "--only")] if wishes.only is not None else None
    unknown = int((bundle.vocabulary.encode([*never, *(chosen or ())]) == 0).sum())
    print_notes(count_notes("items of --exclude and --only that the model does not know", unknown), quiet=output.quiet)
    return rules_of(never, chosen, None)


def _print(answers: Sequence[dict[str, Any]], unknown: Iterable[ItemId], k: int, output: Output) -> None:
    """Print what was recommended to whom, and which items the model does not know."""
    num_unknown = sum(answer["num_unknown"] for answer in answers)
    if output.as_json:
        print_json({"k": k, "recommendations": answers, "num_unknown_items": num_unknown})
        return
    num_short = sum(len(answer["items"]) < k for answer in answers)
    num_popular = sum(answer["source"] == "popularity" for answer in answers)
    print_notes([*unknown_notes(num_unknown, unknown), *_notes(num_short, num_popular, k)], quiet=output.quiet)
    for answer in answers:
        ranked = zip(answer["items"], answer["scores"], strict=True)
        rows_of = [(str(place), str(item), f"{score:.4f}") for place, (item, score) in enumerate(ranked, start=1)]
        title = "next" if answer["user_id"] is None else f"next for user {answer['user_id']}"
        print_table(title, rows_of, header=("rank", "item_id", "score"))


def _notes(num_short: int, num_popular: int, k: int) -> list[str]:
    return [
        *count_notes("histories of which the model knows no item, answered by popularity", num_popular),
        *count_notes(f"lists of fewer than {k:,} items, because no more are left", num_short),
    ]
