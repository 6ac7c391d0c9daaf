"""The folder of a run: what is in it, whether one may be written, and how it is read again."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from gsrec.bundle import (
    BUNDLE_FOLDER,
    CHECKPOINTS_FOLDER,
    RUN_FILE,
    Bundle,
    DataFacts,
    check_place,
    load_bundle,
    unfinished,
)
from gsrec.data.columns import Columns
from gsrec.description import Description, first_problem
from gsrec.errors import BundleError, ConfigError
from gsrec.experiment.config import RunConfig
from gsrec.places import check_folder, shown
from gsrec.reporting.ranks import RANKS_FILE
from gsrec.reporting.results import RESULTS_FILE, EpochRecord, TrainingRecord

HISTORY_FILE, METRICS_FILE = "history.jsonl", "metrics.json"
OF_A_TRAINING = {HISTORY_FILE, METRICS_FILE, CHECKPOINTS_FOLDER, BUNDLE_FOLDER, RANKS_FILE}
"""What the folder of a run may hold before it is done, or done again."""


class LogReference(Description):
    """Where a log is and which of its columns are meant: enough to open it again."""

    log: str
    user_column: str | None = None
    item_column: str | None = None
    time_column: str | None = None

    @classmethod
    def of(cls, log: str | Path | LogReference, columns: Columns = Columns()) -> LogReference:
        """A log by its name, or by its path, which is then made absolute, and its columns.

        Raises:
            ConfigError: if it is something else, such as a log in memory, which could not be opened again.
        """
        if isinstance(log, LogReference):
            return log
        if not isinstance(log, str | Path):
            raise ConfigError(
                f"a run opens its log again, so it needs a path or the name of a source, found {type(log).__name__}. "
                "Write it to a file first, and give that: a log with `log.frame.write_parquet('my.parquet')`, a data "
                "frame of pandas with `frame.to_parquet('my.parquet')`."
            )
        log = str(log)
        place = str(Path(log).resolve()) if Path(log).is_file() else log
        return cls(log=place, user_column=columns.user, item_column=columns.item, time_column=columns.time)

    @property
    def columns(self) -> Columns:
        """The columns as the readers take them."""
        return Columns(self.user_column, self.item_column, self.time_column)


class RunRecord(Description):
    """What a run folder remembers besides the model: the log, the configuration, and what training took."""

    log: LogReference
    config: RunConfig
    data: DataFacts
    training: TrainingRecord
    history: tuple[EpochRecord, ...]
    threads: int
    version: str
    commit: str | None


def read_record(folder: Path) -> RunRecord:
    """What a run folder remembers.

    Raises:
        BundleError: if it is not a run folder, or damaged.
    """
    path = folder / RUN_FILE
    try:
        return RunRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        if (folder / CHECKPOINTS_FOLDER).exists():
            raise BundleError(unfinished(folder)) from error
        raise BundleError(
            f"{folder} is not a run folder: it holds no {RUN_FILE}. `gsrec train LOG --out DIR` makes one."
        ) from error
    except (ValidationError, UnicodeDecodeError) as error:
        reason = first_problem(error) if isinstance(error, ValidationError) else error
        raise BundleError(f"{path} is damaged or of another version: {reason}. Train or copy it again.") from error


def open_bundle(folder: Path) -> Bundle:
    """The trained model of a run folder.

    Raises:
        BundleError: if it is not a run folder, or damaged.
    """
    record = read_record(folder)
    bundle = load_bundle(folder / BUNDLE_FOLDER)
    if (bundle.config, bundle.data) != (record.config.model, record.data):
        told = f"{folder / BUNDLE_FOLDER} is not the model that {folder / RUN_FILE} tells of"
        raise BundleError(f"{told}: one of them was changed or comes from another run. Train or copy it again.")
    return bundle


def is_run(path: Path) -> bool:
    """Whether a path is a run folder, be it whole or not, and not a bundle by itself."""
    return any((path / name).exists() for name in (RUN_FILE, CHECKPOINTS_FOLDER, BUNDLE_FOLDER))


def any_bundle(path: Path) -> Bundle:
    """The trained model of a run folder, or of a bundle by itself.

    Raises:
        BundleError: if it is neither, or damaged, or a whole comparison.
    """
    if is_run(path):
        return open_bundle(path)
    if (path / RESULTS_FILE).exists():
        raise BundleError(f"{path} is a comparison of several models. Name the folder of one, in {path / 'runs'}.")
    return load_bundle(path)


def training_of(bundle: Bundle) -> RunConfig:
    """How the model of a bundle was trained.

    Raises:
        ConfigError: if the bundle does not tell.
    """
    try:
        return RunConfig.model_validate(dict(bundle.settings))
    except ValidationError as error:
        told = f"this bundle does not tell how it was trained ({first_problem(error)})"
        raise ConfigError(f"{told}: give one that `gsrec train` wrote") from error


def columns_of(path: Path, given: Columns) -> Columns:
    """The columns that are given, and for the others what a run folder was told of its own log.

    Raises:
        BundleError: if the run folder is damaged.
    """
    if not (path / RUN_FILE).exists():
        return given
    own = read_record(path).log.columns
    return Columns(given.user or own.user, given.item or own.item, given.time or own.time)


def claim(out: Path, *, unfinished: bool = False) -> None:
    """Make sure that a run may be written into a folder, before anything is done for it.

    Args:
        out: the folder.
        unfinished: whether it may hold a training that was stopped, to be resumed.

    Raises:
        ConfigError: if the folder holds a file already, or cannot be made or written to.
    """
    check_folder(out)
    found = shown(out)
    is_begun = (out / CHECKPOINTS_FOLDER).is_dir() or {place.name for place in found} <= OF_A_TRAINING
    if unfinished and is_begun and not (out / RUN_FILE).exists():
        return
    if any(not place.is_dir() for folder in found for place in (folder, *folder.rglob("*"))):
        raise ConfigError(f"{out} {_content(out)}. Give another folder with --out, or remove it.")


def resume_notes(out: Path) -> tuple[str, ...]:
    """What somebody who resumes the training of a folder may not expect: there is none, or it is done."""
    if (out / RUN_FILE).exists():
        return (f"the training in {out} is done: nothing is left to resume",)
    return () if (out / CHECKPOINTS_FOLDER).exists() else (f"no training in {out} to resume: it begins at the start",)


def _content(folder: Path) -> str:
    if (folder / RUN_FILE).exists():
        return "holds a run already"
    begun = any((folder / name).exists() for name in (HISTORY_FILE, CHECKPOINTS_FOLDER, BUNDLE_FOLDER))
    return "holds a training that was not finished: continue it with --resume" if begun else "is not empty"


def check_new_place(out: Path) -> None:
    """Make sure that a bundle can be written to a path, before anything is done for it, and is in no run's way.

    Raises:
        ConfigError: if it is the model of a run folder.
        DataError: if something else is there, or it cannot be written to.
    """
    place = out.resolve()  # what a link stands for is replaced
    if (place.parent / RUN_FILE).exists() and place.name == BUNDLE_FOLDER:
        raise ConfigError(f"{out} is the model that {place.parent / RUN_FILE} tells of. Give another name with --out.")
    check_place(out)
