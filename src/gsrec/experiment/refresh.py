"""New events for a trained model: it learns from them, takes in new items, and must beat the model it would replace.

Legend: U users, M targets, V items.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gsrec.bundle import Bundle, save_bundle
from gsrec.data.batches import Batches
from gsrec.data.log import InteractionLog
from gsrec.data.sequences import Sequences
from gsrec.data.splits import Split, at_moments, leave_one_out
from gsrec.errors import ConfigError, DataError
from gsrec.evaluation.evaluator import Evaluation, Evaluator, evaluate
from gsrec.evaluation.metrics import ndcg
from gsrec.evaluation.significance import PairedTest, paired_test
from gsrec.experiment.config import DataConfig, RunConfig
from gsrec.experiment.folder import check_new_place, training_of
from gsrec.experiment.prepare import batches_of
from gsrec.models import Model, PopRec, PopRecConfig, SequenceEncoder
from gsrec.models.growing import Widened, grown
from gsrec.training.course import Keeping, Listener
from gsrec.training.trainer import fit

EPOCHS, PATIENCE = 10, 2

CHANCE = 0.05
"""The p-value from which a difference may be chance; with few users who differ, an interval alone says too little."""


@dataclass(frozen=True)
class RefreshPlan:
    """How a model is refreshed.

    Attributes:
        window: the newest share (0 to 1) of the new events, by which old and new model are compared; the share before
            it chooses the best epoch. Without clock times these are every user's last event and the one before.
        replay: rows of users without new events that are learned from again, for every row with new ones; None: all of
            them, without which a model forgets (docs/research-log.md).
        epochs: the most epochs.
        rate: the learning rate, as a share of the one the model was trained with.
        seed: of everything random.
    """

    window: float = 0.2
    replay: float | None = None
    epochs: int = EPOCHS
    rate: float = 1.0
    seed: int = 1

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: if a value is out of its range.
        """
        if not 0 < self.window < 0.5:
            raise ConfigError(f"the newest window must be more than 0 and less than half of it, found {self.window}")
        in_range = 0 <= (self.replay or 0) < math.inf and self.epochs >= 1 and 0 < self.rate < math.inf
        if not in_range:
            told = f"found {self.replay}, {self.epochs} and {self.rate}"
            raise ConfigError(f"replay must not be negative, epochs and rate must be positive, all finite, {told}")


@dataclass(frozen=True, eq=False)
class Further:
    """A model that was trained further: for how many epochs, on how many rows with and without new events, how long."""

    model: Model
    epochs: int
    new_rows: int
    replayed_rows: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Refreshed:
    """A refreshed model beside the one it came from, both judged on the newest window.

    Attributes:
        bundle: the refreshed model.
        new_items: items the old model did not know.
        new_events: events since the old model's newest, or all, where the log has no clock times.
        rows: of training, with new events and without.
        champion: the old model on the newest window; what it does not know is never recommended.
        challenger: the refreshed model.
        test: NDCG@10 of the challenger minus that of the champion, paired over users.
        epochs: it was trained for.
        seconds: of training and its validations.
    """

    bundle: Bundle
    new_items: int
    new_events: int
    rows: tuple[int, int]
    champion: Evaluation
    challenger: Evaluation
    test: PairedTest
    epochs: int
    seconds: float

    @property
    def is_better(self) -> bool:
        """Whether the refreshed model beats the old one by more than chance, by the interval and by the test."""
        return self.test.interval[0] > 0 and self.test.p_value < CHANCE

    def record(self) -> dict[str, Any]:
        """The refresh as JSON."""
        return {
            "promoted": self.is_better,
            "new_items": self.new_items,
            "new_events": self.new_events,
            "rows": {"with new events": self.rows[0], "replayed": self.rows[1]},
            "targets": int(self.challenger.ranks.size),
            "champion": self.champion.record(),
            "challenger": self.challenger.record(),
            "difference": asdict(self.test),
            "epochs": self.epochs,
            "seconds": self.seconds,
        }


def refresh(
    bundle: Bundle,
    log: InteractionLog,
    out: Path,
    plan: RefreshPlan | None = None,
    *,
    stop: Callable[[], bool] = lambda: False,
    listener: Listener | None = None,
) -> Refreshed:
    """Go on training a model with a log that has grown, and keep the result if it beats the old model.

    Args:
        bundle: the old model, from a training run.
        log: all events, those the model learned from and the new ones.
        out: where the refreshed bundle goes if it is better: a folder, or a file that ends with `.gsrec`.
        plan: how.
        stop: asked after every step whether to stop.
        listener: is told how training goes on.

    Raises:
        ConfigError: if the bundle does not tell how it was trained, or `out` is the model of a run.
        DataError: if the log has nothing new, or too little to judge by.
        TrainingError: if training cannot go on.
        StoppedError: if it was told to stop.
    """
    plan, config, listener = plan or RefreshPlan(), training_of(bundle), listener or Listener()
    check_new_place(out)
    split, since = cut_newest(bundle, config.data.filtered(log), plan.window)
    if split.sequences.num_interactions < bundle.data.num_interactions:
        listener.on_note(_FEWER.format(log.name, split.sequences.num_interactions, bundle.data.num_interactions))
    further = go_on(bundle, config, split, since, plan, stop=stop, listener=listener)
    model = further.model
    tested = Evaluator(split, config.data.protocol("test"))
    champion = tested.evaluate(Widened(bundle.model, split.sequences.num_items, bundle.counts))
    challenger = tested.evaluate(model)
    validation = evaluate(model, split, config.data.protocol("validation")).metrics
    settings = {**bundle.settings, "data": _cut_told(config, split, since).model_dump(mode="json")}
    new = Bundle.of(model, config.model, split, settings=settings, metrics=validation, licence=bundle.licence)
    refreshed = Refreshed(
        bundle=new,
        new_items=len(new.vocabulary) - len(bundle.vocabulary),
        new_events=_num_new(split.sequences, since),
        rows=(further.new_rows, further.replayed_rows),
        champion=champion,
        challenger=challenger,
        test=paired_test(ndcg(challenger.ranks, 10), ndcg(champion.ranks, 10), plan.seed),
        epochs=further.epochs,
        seconds=further.seconds,
    )
    if refreshed.is_better:
        save_bundle(new, out)
    return refreshed


def cut_newest(bundle: Bundle, log: InteractionLog, window: float) -> tuple[Split, int | None]:
    """Histories in the old vocabulary and its new items, cut before the newest window; and the old model's newest time.

    Raises:
        DataError: if the log has nothing new, or too little to judge by.
    """
    vocabulary = bundle.vocabulary.extended(log.frame["item_id"].unique(maintain_order=True).to_list())
    sequences, since = log.to_sequences(vocabulary), bundle.data.until
    if since is None and sequences.num_interactions > bundle.data.num_interactions:
        return leave_one_out(sequences), None
    if since is None:
        told = f"{sequences.num_interactions:,}, and the model learned from {bundle.data.num_interactions:,}"
        raise DataError(f"{log.name} has no more events than before ({told}): there is nothing to refresh")
    if sequences.timestamps is None:
        raise DataError(f"{log.name} has no clock times, and what the model learned from had: what is new is not known")
    new = sequences.timestamps[sequences.timestamps > since]
    if not new.size:
        raise DataError(f"{log.name} has no event after those that the model learned from: there is nothing to refresh")
    moments = np.quantile(new, [1 - 2 * window, 1 - window], method="inverted_cdf")
    too_few = f"{log.name}: {new.size:,} new events are too few to judge by. Collect more, or widen the window."
    try:
        split = at_moments(sequences, *moments.tolist(), name="newest-window")
    except DataError as error:
        raise DataError(too_few) from error
    if len(split.targets("validation")) < 2 or len(split.targets("test")) < 2:
        raise DataError(too_few)
    return split, since


def new_rows(split: Split, batches: Batches, since: int | None, replay: float | None, seed: int) -> tuple[Batches, int]:
    """The rows of a training whose newest event is new, and older ones drawn beside them.

    Args:
        split: whose training rows they are.
        batches: all rows.
        since: Unix seconds; an event after it is new. None: all are.
        replay: older rows a new one, at most those there are; None: all.
        seed: of the drawing.

    Returns:
        The rows, and how many of them are new.

    Raises:
        DataError: if there is no row.
    """
    if since is None or split.sequences.timestamps is None:
        return batches, batches.starts.size
    is_new = split.sequences.timestamps[batches.ends - 1] > since
    others = np.flatnonzero(~is_new)
    wanted = others.size if replay is None else min(others.size, round(replay * int(is_new.sum())))
    drawn = np.random.default_rng([seed, 0]).choice(others, wanted, replace=False)
    rows = np.sort(np.concatenate([np.flatnonzero(is_new), drawn]))
    if not rows.size:
        raise DataError("no user has two events of which the newer one is new: there is nothing to learn from them yet")
    return replace(batches, starts=batches.starts[rows], ends=batches.ends[rows]), int(is_new.sum())


def go_on(
    bundle: Bundle,
    config: RunConfig,
    split: Split,
    since: int | None,
    plan: RefreshPlan,
    *,
    stop: Callable[[], bool] = lambda: False,
    listener: Listener | None = None,
) -> Further:
    """Train a model further, without asking whether it is better then.

    Args:
        bundle: the model.
        config: how it was trained.
        split: histories in its vocabulary and new items, cut.
        since: Unix seconds of the newest event that it learned from; None: all rows are new.
        plan: how.
        stop: asked after every step whether to stop.
        listener: is told how training goes on.

    Raises:
        DataError: if there is nothing new to learn from.
        TrainingError: if training cannot go on.
        StoppedError: if it was told to stop.
    """
    sequences, begin = split.sequences, time.perf_counter()
    if isinstance(config.model, PopRecConfig):
        counted = PopRec(sequences.num_items, config.model)
        counted.count(split)
        return Further(counted, 0, 0, 0, time.perf_counter() - begin)
    model = grown(bundle.model, config.model, sequences.num_items, *split.training_histories(), seed=plan.seed)
    assert isinstance(model, SequenceEncoder)
    evaluator = Evaluator(split, config.data.protocol("validation"))
    batches = replace(batches_of(split, config, model), seed=plan.seed)
    batches, num_new = new_rows(split, batches, since, plan.replay, plan.seed)
    changes = {"epochs": plan.epochs, "patience": PATIENCE, "validate_every": 1}
    rate = plan.rate * config.training.learning_rate
    with tempfile.TemporaryDirectory() as folder:
        fitted = fit(
            model,
            batches,
            config.training.model_copy(update={**changes, "learning_rate": rate}),
            validate=lambda: evaluator.evaluate(model).metrics,
            keeping=Keeping(Path(folder), lasting=False, stop=stop),
            seed=plan.seed,
            listener=listener,
        )
    replayed = batches.starts.size - num_new
    return Further(model, len(fitted.epochs), num_new, replayed, time.perf_counter() - begin)


_FEWER = (
    "{} has {:,} events, fewer than the {:,} that the model learned from: give all of them, the old ones too, or "
    "histories begin anew"
)


def _cut_told(config: RunConfig, split: Split, since: int | None) -> DataConfig:
    """How to cut the same log the same way again."""
    if since is None:
        return config.data.model_copy(update={"split": "leave-one-out"})
    until = {
        "training_until": _newest(split, split.train_ends),
        "validation_until": _newest(split, split.validation_ends),
    }
    return config.data.model_copy(update={"split": "at-moments", **until})


def _newest(split: Split, ends: np.ndarray) -> int:
    """Unix seconds of the newest event before these ends."""
    times, sequences = split.sequences.timestamps, split.sequences
    assert times is not None
    return int(times[np.maximum(ends - 1, 0)][ends > sequences.offsets[:-1]].max())


def _num_new(sequences: Sequences, since: int | None) -> int:
    if since is None or sequences.timestamps is None:
        return sequences.num_interactions
    return int((sequences.timestamps > since).sum())
