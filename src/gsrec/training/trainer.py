"""One trainer for all models that are trained step by step.

Legend: B batch, L length, D hidden, T targets, V items.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from gsrec.data.batches import Batches
from gsrec.errors import TrainingError
from gsrec.models.protocols import SequenceEncoder
from gsrec.training.averaging import Averaging
from gsrec.training.checkpoint import load_weights, save_weights
from gsrec.training.config import TrainingConfig
from gsrec.training.criterion import Criterion
from gsrec.training.objectives import MaskedItem, Objective, last_item, next_item
from gsrec.training.optimizers import optimizers, tables_by_rows
from gsrec.training.precision import precision_of

MANY_EVENTS = 4096
"""A batch of fewer goes through the model in float32: bfloat16 takes longer to prepare for its shape than it saves."""

MONITORED = "NDCG@10"
"""The validation metric that chooses the best epoch."""


@dataclass(frozen=True)
class Step:
    """What is known after a training step; `loss` is the mean of the epoch so far, `seconds` since its start."""

    epoch: int
    step: int
    num_steps: int
    loss: float
    num_targets: int
    seconds: float


@dataclass(frozen=True)
class Epoch:
    """What is known after an epoch; `seconds` of training since the start, validations left out."""

    epoch: int
    loss: float
    seconds: float
    validation: Mapping[str, float] | None


@dataclass(frozen=True)
class Fit:
    """What a training came to: its epochs, and the one whose weights the model has now."""

    epochs: tuple[Epoch, ...]
    best_epoch: int

    @property
    def seconds(self) -> float:
        """Seconds of training, validations left out."""
        return self.epochs[-1].seconds

    def history(self) -> list[dict[str, object]]:
        """The epochs as JSON."""
        return [asdict(epoch) for epoch in self.epochs]


@dataclass(frozen=True)
class Listener:
    """Who is told how training goes on."""

    on_step: Callable[[Step], None] = field(default=lambda step: None)
    on_epoch: Callable[[Epoch], None] = field(default=lambda epoch: None)


def fit(
    model: SequenceEncoder,
    batches: Batches,
    config: TrainingConfig,
    *,
    validate: Callable[[], Mapping[str, float]],
    checkpoints: Path,
    seed: int = 0,
    listener: Listener | None = None,
) -> Fit:
    """Train a model and leave it with the weights of its best validation epoch.

    Args:
        model: the encoder to train, a `torch.nn.Module`.
        batches: the training rows.
        config: how to train.
        validate: gives the metrics of the model as it is, `NDCG@10` among them.
        checkpoints: the folder for the weights of the last and the best epoch.
        seed: of dropout, masks and negatives.
        listener: is told after every step and every epoch.

    Raises:
        TrainingError: if a loss is not finite; the message names the step and where the best weights so far are.
    """
    listener = listener or Listener()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        training = Training(model, config, seed)
        epochs: list[Epoch] = []
        best, best_epoch, seconds = -math.inf, 0, 0.0
        for epoch in range(1, config.epochs + 1):
            loss, spent = training.epoch(epoch, batches, listener, checkpoints)
            seconds += spent
            due = epoch % config.validate_every == 0 or epoch == config.epochs
            with training.judged():
                validation = validate() if due else None
                save_weights(training.model, checkpoints / "last.safetensors")
                if validation and validation[MONITORED] > best:
                    best, best_epoch = validation[MONITORED], epoch
                    save_weights(training.model, checkpoints / "best.safetensors")
            epochs.append(Epoch(epoch, loss, seconds, validation))
            listener.on_epoch(epochs[-1])
            if config.patience and best_epoch and epoch - best_epoch >= config.patience:
                break
        load_weights(training.model, checkpoints / "best.safetensors")
        training.model.eval()
    return Fit(tuple(epochs), best_epoch)


class Training:
    """The moving parts of a training: model, optimizers, schedules, and the generator of masks and negatives."""

    def __init__(self, model: SequenceEncoder, config: TrainingConfig, seed: int) -> None:
        """Make all of them for a model whose weights are those to begin with; `seed` is of masks and negatives."""
        self.config = config
        self.encoder = model
        self.accelerator = Accelerator(cpu=True)
        self.generator = torch.Generator().manual_seed(seed)
        self.objective = _objective(config, model)
        self.precision = precision_of(config.precision)
        module = _module(model)
        self.tables = [part for part in module.modules() if isinstance(part, nn.Embedding)]
        by_rows = tables_by_rows(self.tables, model, config)
        self.model, *self.optimizers = self.accelerator.prepare(module, *optimizers(module, by_rows, config))
        self.criterion = Criterion(config, model, self.generator, precision=self.precision, sparse=bool(by_rows))
        rows = [table.weight for table in by_rows]
        self.averaging = Averaging(module, config.averaging, by_rows=rows) if config.averaging else None
        rising = max(config.warm_up_steps, 1)
        self.schedules = [
            torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min((step + 1) / rising, 1.0))
            for optimizer in self.optimizers
        ]

    def epoch(self, epoch: int, batches: Batches, listener: Listener, checkpoints: Path) -> tuple[float, float]:
        """Go once through the batches; gives the mean loss a target and the seconds spent."""
        self.model.train()
        begin, total, count = time.perf_counter(), 0.0, 0
        for step, rows in enumerate(batches.epoch(epoch), start=1):
            loss, num_targets = self.step(torch.from_numpy(rows))
            if not math.isfinite(loss):
                raise TrainingError(_not_finite(epoch, step, loss, checkpoints))
            total, count = total + loss * num_targets, count + num_targets
            spent = time.perf_counter() - begin
            listener.on_step(Step(epoch, step, batches.num_steps, total / count, count, spent))
        return total / count, time.perf_counter() - begin

    def step(self, rows: Tensor) -> tuple[float, int]:
        """Learn from one batch of rows (B, L); gives its loss and how many targets it had."""
        task = self.objective(rows, self.generator)
        chosen = task.targets > 0
        narrow = self.precision != torch.float32 and task.inputs.numel() >= MANY_EVENTS
        with torch.autocast("cpu", self.precision, enabled=narrow):
            hidden = self.encoder.encode(task.inputs)
        hidden = hidden[chosen].float()  # (T, D)
        loss = self.criterion(hidden, task.targets[chosen])
        for table in self.tables if self.config.embedding_l2 else ():
            loss = loss + self.config.embedding_l2 * table.weight.norm()
        value = float(loss.detach())
        if math.isfinite(value):
            self._learn(loss)
        return value, len(hidden)

    def _learn(self, loss: Tensor) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        self.accelerator.backward(loss)
        if self.config.clip_norm:
            self.accelerator.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        with self.averaging.step() if self.averaging else nullcontext():
            for optimizer in self.optimizers:
                optimizer.step()
        for schedule in self.schedules:
            schedule.step()

    @contextmanager
    def judged(self) -> Iterator[None]:
        """The model as it is judged and kept: without dropout, with averaged weights if there are any."""
        self.model.eval()
        with self.averaging.shown() if self.averaging else nullcontext():
            yield
        self.model.train()


def _objective(config: TrainingConfig, model: SequenceEncoder) -> Objective:
    match config.objective:
        case "next-item":
            return next_item
        case "last-item":
            return last_item
        case "masked-item":
            return MaskedItem(_mask_item(model), config.mask_share, config.mask_last_share)


def _mask_item(model: SequenceEncoder) -> int:
    mask_item = getattr(model, "mask_item", None)
    if mask_item is None:
        raise TrainingError("the masked-item objective needs a model with a [MASK], such as bert4rec")
    return int(mask_item)


def _module(model: SequenceEncoder) -> nn.Module:
    if not isinstance(model, nn.Module):
        raise TrainingError(f"a model to train must be a torch.nn.Module, found {type(model).__name__}")
    return model


def _not_finite(epoch: int, step: int, loss: float, checkpoints: Path) -> str:
    best = checkpoints / "best.safetensors"  # not the last ones: at an epoch's first step it is they that fail
    kept = f"the best weights so far are in {best}" if best.exists() else "no epoch was validated before"
    return (
        f"the loss became {loss} at step {step} of epoch {epoch}; {kept}. "
        "Lower learning_rate, or set clip_norm (1.0 is usual)."
    )
