"""Options that several commands share."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

import typer

from gsrec.errors import ConfigError

LogArgument = Annotated[str, typer.Argument(metavar="LOG", help="A file, or the name of a source such as ml-1m.")]
ModelArgument = Annotated[
    Path, typer.Argument(metavar="BUNDLE", help="A run folder that `gsrec train` wrote, or a bundle (folder or file).")
]
RunArgument = Annotated[Path, typer.Argument(metavar="DIR", help="A run folder that `gsrec train` wrote.")]

UserColumn = Annotated[str | None, typer.Option(help="The column of users; guessed from the usual names.")]
ItemColumn = Annotated[str | None, typer.Option(help="The column of items; guessed from the usual names.")]
TimeColumn = Annotated[str | None, typer.Option(help="The column of times or positions; guessed likewise.")]

MinUserInteractions = Annotated[
    int | None, typer.Option(help="Leave out users with fewer interactions.  [default: 3]", show_default=False)
]
MinItemInteractions = Annotated[
    int | None, typer.Option(help="Leave out items with fewer interactions.  [default: 1]", show_default=False)
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE.toml", help="Settings in sections data, model and training.")
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting, such as epochs=20; repeatable.")
]
Candidates = Annotated[str, typer.Option(metavar="full|popularity:N|uniform:N", help="What targets are ranked among.")]
MovedLog = Annotated[str | None, typer.Option("--log", metavar="LOG", help="Where the log is now, if it moved.")]
KeepSeen = Annotated[bool, typer.Option("--keep-seen", help="Let items of the history be candidates too.")]
Seed = Annotated[int, typer.Option(min=0, help="Of everything random.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object as the last line of stdout, nothing else there.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress and no notes.")]


def all_settings(
    settings: list[str] | None, min_user_interactions: int | None, min_item_interactions: int | None
) -> list[str]:
    """The settings given one by one, the least interactions among them."""
    least = {"min_user_interactions": min_user_interactions, "min_item_interactions": min_item_interactions}
    return [*(settings or []), *(f"data.{key}={value}" for key, value in least.items() if value is not None)]


def split_ids(text: str, option: str) -> list[str]:
    """The ids in `ID,ID,...`; one that holds a comma is in double quotes, as in CSV.

    >>> split_ids('7, "Ham, smoked" ,9', "--history")
    ['7', 'Ham, smoked', '9']

    Raises:
        ConfigError: if there is none.
    """
    fields = (field for row in csv.reader([text], skipinitialspace=True) for field in row)
    ids = [one for one in map(str.strip, fields) if one]
    if not ids:
        raise ConfigError(f"{option} names no item: expected item ids as ID,ID,..., oldest first")
    return ids
