"""Options that several commands share, those that go together in groups (`gsrec.cli.spread`)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Annotated

import typer

from gsrec.errors import ConfigError

LogArgument = Annotated[str, typer.Argument(metavar="LOG", help="A file, or the name of a source such as ml-1m.")]
ModelArgument = Annotated[
    Path, typer.Argument(metavar="BUNDLE", help="A run folder that `gsrec train` wrote, or a bundle (folder or file).")
]
RunArgument = Annotated[Path, typer.Argument(metavar="DIR", help="A run folder that `gsrec train` wrote.")]

Model = Annotated[str, typer.Option(help="gsrec, sasrec, gru4rec, bert4rec, poprec, or a hybrid such as gat4rec.")]
TrainedModel = Annotated[str, typer.Option(help="Any model that `gsrec train` takes, except poprec.")]
Preset = Annotated[str, typer.Option(help="One of the model's presets.")]
Candidates = Annotated[str, typer.Option(metavar="full|popularity:N|uniform:N", help="What targets are ranked among.")]
MovedLog = Annotated[str | None, typer.Option("--log", metavar="LOG", help="Where the log is now, if it moved.")]
KeepSeen = Annotated[bool, typer.Option("--keep-seen", help="Let items of the history be candidates too.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting, such as epochs=20; repeatable.")
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything random.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object as the last line of stdout, nothing else there.")]


@dataclass(frozen=True)
class ColumnOptions:
    """Which columns of a log are meant."""

    user_column: Annotated[str | None, typer.Option(help="The column of users; guessed from the usual names.")] = None
    item_column: Annotated[str | None, typer.Option(help="The column of items; guessed from the usual names.")] = None
    time_column: Annotated[str | None, typer.Option(help="The column of times or positions; guessed likewise.")] = None

    @property
    def names(self) -> tuple[str | None, str | None, str | None]:
        """The columns of users, items and times, as `Columns` takes them."""
        return self.user_column, self.item_column, self.time_column


@dataclass(frozen=True)
class SettingOptions:
    """How a run's configuration differs from its preset."""

    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE.toml", help="Settings in sections data, model and training."),
    ] = None
    settings: Settings = None
    min_user_interactions: Annotated[
        int | None, typer.Option(help="Leave out users with fewer interactions.  [default: 3]", show_default=False)
    ] = None
    min_item_interactions: Annotated[
        int | None, typer.Option(help="Leave out items with fewer interactions.  [default: 1]", show_default=False)
    ] = None

    @property
    def texts(self) -> tuple[str, ...]:
        """The settings given one by one as `key=value`, the least interactions among them."""
        names = ("min_user_interactions", "min_item_interactions")
        least = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return (*(self.settings or ()), *(f"data.{name}={value}" for name, value in least.items()))


@dataclass(frozen=True)
class Output:
    """What a command says, and how."""

    as_json: Json = False
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress and no notes.")] = False


@dataclass(frozen=True)
class WishOptions:
    """What is wished of the recommendations, for whomever they are."""

    k: Annotated[int, typer.Option("-k", min=1, help="How many items.")] = 10
    exclude: Annotated[str, typer.Option(metavar="ID,ID,...", help="Items that are never recommended.")] = ""
    only: Annotated[str | None, typer.Option(metavar="ID,ID,...", help="The items to choose from.")] = None
    keep_seen: KeepSeen = False

    @property
    def filter_seen(self) -> bool | None:
        """Whether items of the history are left out; None: as the model was judged."""
        return False if self.keep_seen else None


def split_ids(text: str, option: str) -> list[str]:
    """The ids in `ID,ID,...`; one that holds a comma is in double quotes, as in CSV.

    >>> split_ids('7, "Ham, smoked" ,9', "--history")
    ['7', 'Ham, smoked', '9']

    Raises:
        ConfigError: if there is none, or one that is longer than CSV allows.
    """
    try:
        fields = [field for row in csv.reader(StringIO(text, newline=""), skipinitialspace=True) for field in row]
    except csv.Error as error:
        raise ConfigError(f"{option} cannot be read as ids with commas between them: {error}") from error
    ids = [one for one in map(str.strip, fields) if one]
    if not ids:
        raise ConfigError(f"{option} names no item: expected item ids as ID,ID,...")
    return ids
