"""One trainer for all models that are trained step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from gsrec.data.batches import Batches
from gsrec.models.protocols import SequenceEncoder
from gsrec.training.checkpoint import BEST_WEIGHTS, load_state, save_weights
from gsrec.training.config import TrainingConfig
from gsrec.training.course import Course, Epoch, Fit, Keeping, Listener
from gsrec.training.memory import give_back
from gsrec.training.training import Training

MONITORED = "NDCG@10"
"""The validation metric that chooses the best epoch."""


def fit(
    model: SequenceEncoder,
    batches: Batches,
    config: TrainingConfig,
    *,
    validate: Callable[[], Mapping[str, float]],
    keeping: Keeping,
    seed: int = 0,
    listener: Listener | None = None,
) -> Fit:
    """Train a model and leave it with the weights of its best validation epoch.

    Args:
        model: the encoder to train, a `torch.nn.Module`.
        batches: the training rows.
        config: how to train.
        validate: gives the metrics of the model as it is, `NDCG@10` among them.
        keeping: where the training is kept, and whether one is resumed. On the same machine with as many threads
            it then ends with the same bits as one that was never stopped.
        seed: of dropout, masks and negatives.
        listener: is told after every step and every epoch.

    Raises:
        TrainingError: if memory runs out in a step, or a loss is not finite; the message names the step and where the
            best weights so far are. Or if what is to be resumed is another training.
        StoppedError: if it was told to stop; its state is kept, if `keeping` lasts.
    """
    listener = listener or Listener()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        training = Training(model, batches, config, seed)
        course = _begun(training, keeping, listener)
        while course.epoch <= config.epochs and not _has_waited(course, config):
            training.epoch(course, listener, keeping)
            due = course.epoch % config.validate_every == 0 or course.epoch == config.epochs
            with training.judged():
                validation = validate() if due else None
                if validation and validation[MONITORED] > course.best:
                    course.best, course.best_epoch = validation[MONITORED], course.epoch
                    training.best = {name: one.detach().clone() for name, one in training.model.state_dict().items()}
                    if keeping.lasting:
                        save_weights(training.best, keeping.folder / BEST_WEIGHTS)
            give_back()
            loss, seconds = course.total / course.count, course.seconds + course.spent
            course.epochs.append(Epoch(course.epoch, loss, seconds, validation))
            listener.on_epoch(course.epochs[-1])
            course.next_epoch()
            training.keep(course, keeping)
        training.model.load_state_dict(training.best)
        training.model.eval()
    return Fit(tuple(course.epochs), course.best_epoch)


def _begun(training: Training, keeping: Keeping, listener: Listener) -> Course:
    """Where to begin: at the first step, or where an earlier training was stopped."""
    if not keeping.resume:
        return Course()
    state, notes = load_state(keeping.folder, identity=dict(keeping.identity), as_now=keeping.as_now)
    for note in notes:
        listener.on_note(note)
    if state is None:
        if keeping.folder.exists():
            listener.on_note("there is no checkpoint to resume from: starting over")
        return Course()
    course = training.restore(state)
    listener.on_note(f"resuming epoch {course.epoch} after its step {course.step}")
    for epoch in course.epochs:
        listener.on_epoch(epoch)
    return course


def _has_waited(course: Course, config: TrainingConfig) -> bool:
    """Whether the validation just done was not better, nor those before it for long enough."""
    if not (config.patience and course.best_epoch and course.epochs[-1].validation):
        return False
    return course.epochs[-1].epoch - course.best_epoch >= config.patience
