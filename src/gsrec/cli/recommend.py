"""`gsrec recommend`: what comes next, for a history, for some users of the log, or for everybody in a log."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from gsrec.cli import options
from gsrec.errors import ConfigError


def recommend(
    path: options.ModelArgument,
    *,
    history: Annotated[
        str | None, typer.Option(metavar="ID,ID,...", help="Item ids, oldest first; with a comma in double quotes.")
    ] = None,
    users: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="User ids of the run's log, or of --log, one a line: after all they took."),
    ] = None,
    everybody: Annotated[
        str | None, typer.Option(metavar="LOG", help="After all that every user of this log took, into --out.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="With --everybody: the table to write, .parquet or .csv, a row for each user and rank."),
    ] = None,
    index: Annotated[
        Path | None, typer.Option(metavar="DIR", help="An index of `gsrec index`: faster among very many items.")
    ] = None,
    log: Annotated[
        str | None,
        typer.Option(metavar="LOG", help="With --users: the log whose users are meant, if not the run's own."),
    ] = None,
    wishes: options.WishOptions,
    columns: options.ColumnOptions,
    output: options.Output,
) -> None:
    """Recommend the K items most likely to come next."""
    from gsrec.cli.answers import answer_everybody, answer_history, answer_users

    of_log = dict(zip(("--user-column", "--item-column", "--time-column"), columns.names, strict=True))
    if [history, users, everybody].count(None) != 2:
        raise ConfigError("give one of --history ID,ID,..., --users FILE and --everybody LOG")
    if everybody is not None:
        _check_unused("--everybody", {"--index": index, "--log": log})
        if out is None:
            raise ConfigError("say with --out where the recommendations for everybody go, such as --out next.parquet")
        answer_everybody(path, everybody, columns, out, wishes, output)
        return
    if history is not None:
        _check_unused("--history", {"--out": out, "--log": log, **of_log})
        answer_history(path, index, history, wishes, output)
    elif users is not None:
        _check_unused("--users", {"--out": out})
        if log is None:
            _check_unused("--users without --log", of_log)
        answer_users(path, index, users, log, columns, wishes, output)


def _check_unused(given: str, others: Mapping[str, object]) -> None:
    """Refuse options that have no meaning beside the one that is given."""
    for name, value in others.items():
        if value is not None:
            raise ConfigError(f"{name} means nothing with {given}. Leave it out.")
