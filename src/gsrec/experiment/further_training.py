"""Training that goes on from a trained model, with the rows of a log that have grown and old ones beside them."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gsrec.bundle import Bundle
from gsrec.data.batches import Batches
from gsrec.data.splits import Split
from gsrec.errors import ConfigError, DataError
from gsrec.evaluation.evaluator import Evaluator
from gsrec.experiment.config import RunConfig
from gsrec.experiment.prepare import batches_of
from gsrec.models import CountingScorer, Model, SequenceEncoder, build_model
from gsrec.models.growing import grown
from gsrec.training.course import Keeping, Listener
from gsrec.training.trainer import fit

EPOCHS, PATIENCE = 10, 2
"""The most epochs of a refresh, and how many without a better validation it waits."""


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
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"a seed is from 0 to 2^63 - 1, found {self.seed}")


@dataclass(frozen=True, eq=False)
class Further:
    """A model that was trained further: for how many epochs, on how many rows with and without new events, how long."""

    model: Model
    epochs: int
    new_rows: int
    replayed_rows: int
    seconds: float


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
        DataError: if none is new.
    """
    if since is None or split.sequences.timestamps is None:
        return batches, batches.starts.size
    is_new = split.sequences.timestamps[batches.ends - 1] > since
    if not is_new.any():
        raise DataError("no user has two events of which the newer one is new: there is nothing to learn from them yet")
    others = np.flatnonzero(~is_new)
    wanted = others.size if replay is None else min(others.size, round(replay * int(is_new.sum())))
    drawn = np.random.default_rng([seed, 0]).choice(others, wanted, replace=False)
    rows = np.sort(np.concatenate([np.flatnonzero(is_new), drawn]))
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
    if isinstance(bundle.model, CountingScorer):
        counted = build_model(config.model, num_items=sequences.num_items)
        assert isinstance(counted, CountingScorer)
        counted.count(split)
        return Further(counted, 0, 0, 0, time.perf_counter() - begin)
    histories, learned = split.training_histories(), bundle.counts.numpy() > 0
    model = grown(bundle.model, config.model, sequences.num_items, *histories, learned=learned, seed=plan.seed)
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
