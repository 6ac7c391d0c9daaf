"""What is new in a log that has grown, and the newest window of it that old and new models are judged by."""

from __future__ import annotations

import numpy as np

from gsrec.bundle import Bundle
from gsrec.data.log import InteractionLog
from gsrec.data.sequences import Sequences
from gsrec.data.splits import Split, at_moments, leave_one_out
from gsrec.data.times import iso_time
from gsrec.data.vocabulary import Vocabulary
from gsrec.errors import DataError
from gsrec.experiment.config import DataConfig

PARTS = 3
"""Of new events: those that are learned from, that choose the epoch, and that judge."""


def grown_vocabulary(bundle: Bundle, log: InteractionLog) -> Vocabulary:
    """The model's vocabulary with the log's new items at its end.

    Raises:
        DataError: if the model knows none of the log's items, or the log's new ids cannot stand beside the old ones.
    """
    log.known_items(bundle.vocabulary)
    return bundle.vocabulary.extended(log.frame["item_id"].unique(maintain_order=True).to_list())


def cut_newest(bundle: Bundle, log: InteractionLog, window: float) -> tuple[Split, int | None]:
    """Histories in the old vocabulary and its new items, cut before the newest window; and the old model's newest time.

    Raises:
        DataError: if the log has nothing new, or too little to judge by.
    """
    sequences, since = log.to_sequences(grown_vocabulary(bundle, log)), bundle.data.until
    if since is None:
        return _last_events_out(bundle, sequences), None
    if sequences.timestamps is None:
        raise DataError(f"{log.name} has no clock times, and what the model learned from had: what is new is not known")
    new = sequences.timestamps[sequences.timestamps > since]
    if not new.size:
        told = f"{log.name} has no event after those that the model learned from, which end at {iso_time(since)}"
        raise DataError(f"{told}: there is nothing to refresh")
    if (num_times := np.unique(new).size) < PARTS:
        raise DataError(
            f"{log.name}: its new events have {num_times} times in all, and are to be cut into {PARTS} parts one after "
            "the other, to learn from, to choose the epoch by, and to judge by. Wait for more, or give finer times."
        )
    moments = np.quantile(new, [1 - 2 * window, 1 - window], method="inverted_cdf")
    too_few = (
        f"{log.name}: {new.size:,} new events at {num_times:,} times are too few to judge by, or too many at one time. "
        "Collect more, or widen the window."
    )
    try:
        split = at_moments(sequences, *moments.tolist(), name="newest-window")
    except DataError as error:
        raise DataError(too_few) from error
    if len(split.targets("validation")) < 2 or len(split.targets("test")) < 2:
        raise DataError(too_few)
    return split, since


def _last_events_out(bundle: Bundle, sequences: Sequences) -> Split:
    """The cut where no clock tells which events are new: every user's last event and the one before are held out."""
    if (after := sequences.num_interactions) <= (before := bundle.data.num_interactions):
        told = f"{after:,}, and the model learned from {before:,}"
        raise DataError(f"{sequences.name} has no more events than before ({told}): there is nothing to refresh")
    split = leave_one_out(sequences)
    if (num_users := len(split.targets("test"))) < 2:
        raise DataError(
            f"{sequences.name}: users with three events or more, by whose last ones both models are judged: "
            f"{num_users}. At least 2 are needed."
        )
    return split


def cut_told(config: DataConfig, split: Split, since: int | None) -> DataConfig:
    """How to cut the same log the same way again."""
    if since is None:
        return config.model_copy(update={"split": "leave-one-out"})
    until = {
        "training_until": _newest(split, split.train_ends),
        "validation_until": _newest(split, split.validation_ends),
    }
    return config.model_copy(update={"split": "at-moments", **until})


def num_new(bundle: Bundle, sequences: Sequences, since: int | None) -> int:
    """How many events are new: those after this moment in Unix seconds, or by how many there are more than before."""
    if since is None or sequences.timestamps is None:
        return sequences.num_interactions - bundle.data.num_interactions
    return int((sequences.timestamps > since).sum())


def num_new_items(bundle: Bundle, sequences: Sequences) -> int:
    """How many items of a log the model has not learned from, be they in its vocabulary or not."""
    items = np.unique(sequences.items)
    counts = bundle.counts.numpy()
    return int((items >= counts.size).sum() + (counts[items[items < counts.size]] == 0).sum())


def num_learned(bundle: Bundle, split: Split, since: int | None) -> int:
    """How many of the new events are learned from: those of the training part."""
    if since is None or split.sequences.timestamps is None:
        return max(0, int(split.train_mask().sum()) - int(bundle.counts.sum()))
    return int((split.sequences.timestamps[split.train_mask()] > since).sum())


def _newest(split: Split, ends: np.ndarray) -> int:
    """Unix seconds of the newest event before these ends."""
    times, sequences = split.sequences.timestamps, split.sequences
    assert times is not None
    return int(times[np.maximum(ends - 1, 0)][ends > sequences.offsets[:-1]].max())
