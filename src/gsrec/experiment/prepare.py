"""What is there before a training: the log opened and cut, a configuration that suits it, a new model, its batches."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gsrec.data.batches import Batches, training_batches
from gsrec.data.catalogue import SOURCES
from gsrec.data.sources import open_log
from gsrec.data.splits import Split
from gsrec.data.vocabulary import Vocabulary
from gsrec.experiment.config import RunConfig
from gsrec.experiment.configure import RunRequest
from gsrec.experiment.folder import LogReference
from gsrec.experiment.layers import each
from gsrec.models import Model, SequenceEncoder, build_model
from gsrec.models.neighbours import start_from_neighbours
from gsrec.progress import Progress

MANY_REPEATS = 0.1
"""The share of validation targets that were seen before from which it is told that they are misses."""


def prepare(
    reference: LogReference,
    config: RunConfig,
    *,
    vocabulary: Vocabulary | None = None,
    progress: Progress | None = None,
) -> tuple[Split, tuple[str, ...]]:
    """Open, filter and split a log.

    Args:
        reference: the log.
        config: how it is filtered and split.
        vocabulary: of a trained model, which a refresh may have grown; None: a new one of the log's items.
        progress: told of the bytes received where the log is fetched.

    Returns:
        The split, and what the user should be told: guesses, conversions, drops, terms of use, many repeats.

    Raises:
        DataError: if the log cannot be read, or nothing is left of it.
    """
    log = config.data.filtered(open_log(reference.log, columns=reference.columns, progress=progress))
    terms = (SOURCES[reference.log].licence,) if reference.log in SOURCES else ()
    split = config.data.cut(log.to_sequences(vocabulary))
    return split, (*log.notes, *terms, *_repeats_note(split, config))


def _repeats_note(split: Split, config: RunConfig) -> tuple[str, ...]:
    if not config.data.filter_seen:
        return ()
    share = split.sequences.share_of_repeats(split.targets("validation").positions)
    told = (
        f"{share:.0%} of the validation targets are of items that their users had before, and so misses. Where items "
        "are taken again, --set filter_seen=false lets them be candidates"
    )
    return (told,) if share > MANY_REPEATS else ()


def prepare_suited(
    reference: LogReference, request: RunRequest, *, progress: Progress | None = None
) -> tuple[RunConfig, Split, tuple[str, ...]]:
    """The configuration that suits the sizes of a log, and the log as `prepare` gives it.

    Args:
        reference: the log.
        request: the run that is asked for.
        progress: as for `prepare`.
    """
    split, notes = prepare(reference, request.config(), progress=progress)
    return request.config(split.sequences.sizes), split, notes


def config_for(
    log: str | Path | LogReference,
    model: str = "gsrec",
    preset: str = "default",
    *,
    file: Path | None = None,
    settings: Iterable[str] = (),
    seed: int = 1,
) -> RunConfig:
    """The configuration that `gsrec train` trains: `run_config`, suited to the sizes of the log.

    Args:
        log: a path or the name of a source, or one with the columns that are meant; it is read for its sizes.
        model: as for `run_config`, like all that follows.
        preset: one of the model's presets.
        file: a TOML file.
        settings: `key=value` texts.
        seed: of everything random in the run.

    Raises:
        ConfigError: if a name or a key is unknown, or a value is out of its range.
        DataError: if the log cannot be read, or nothing is left of it.
    """
    request = RunRequest(model, preset, file, each(settings), seed)
    return prepare_suited(LogReference.of(log), request)[0]


def new_model(config: RunConfig, split: Split) -> Model:
    """The model that a training of this configuration begins with; it may know the training part of the split."""
    num_items = split.sequences.num_items
    model = build_model(config.model, num_items=num_items, seed=config.seed)
    if config.training.item_start == "neighbours" and isinstance(model, SequenceEncoder):
        start_from_neighbours(model, *split.training_histories(), num_items=num_items, seed=config.seed)
    return model


def batches_of(split: Split, config: RunConfig, model: SequenceEncoder) -> Batches:
    """The batches that this configuration trains a model on.

    Raises:
        DataError: if no user has two training events.
    """
    training = config.training
    return training_batches(
        split,
        length=model.max_row,
        batch_size=training.batch_size,
        seed=config.seed,
        windows=training.windows,
        alike="rows" if training.objective == "last-item" else "events",
    )
