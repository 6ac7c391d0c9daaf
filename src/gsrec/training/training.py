"""The moving parts of a training, how they learn from a batch, and what is kept of them.

Legend: B batch, L length, D hidden, T targets, V items.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import GradientAccumulationPlugin
from torch import Tensor, nn
from torch.autograd.graph import increment_version

from gsrec.data.batches import Batches
from gsrec.errors import StoppedError, TrainingError
from gsrec.models.protocols import SequenceEncoder
from gsrec.training.averaging import Averaging
from gsrec.training.checkpoint import BEST_WEIGHTS, Snapshot, save_state
from gsrec.training.config import TrainingConfig
from gsrec.training.course import Course, Keeping, Listener, TrainingStep
from gsrec.training.criterion import Criterion, log_shares
from gsrec.training.memory import STEPS_BETWEEN, give_back
from gsrec.training.objectives import MaskedItem, Objective, last_item, next_item
from gsrec.training.optimizers import optimizers, tables_by_rows
from gsrec.training.precision import precision_of, products_in

MANY_NUMBERS = 2**18
"""A batch of fewer, events times width, goes through the model in float32: bfloat16 takes longer to prepare for its
shape than it saves."""


class Training:
    """The moving parts of a training: model, optimizers, schedules, and the generator of masks and negatives."""

    def __init__(self, model: SequenceEncoder, batches: Batches, config: TrainingConfig, seed: int) -> None:
        """Make all of them for a model whose weights are those to begin with; `seed` is of masks and negatives."""
        self.batches = batches
        self.config = config
        self.encoder = model
        every_step = GradientAccumulationPlugin(num_steps=1)  # said here, since else the environment is asked
        self.accelerator = Accelerator(cpu=True, gradient_accumulation_plugin=every_step)
        self.generator = torch.Generator().manual_seed(seed)
        self.objective = _objective(config, model)
        self.precision = precision_of(config.precision)
        self.width = model.item_weights.shape[1]
        module = _module(model)
        self.tables = [part for part in module.modules() if isinstance(part, nn.Embedding)]
        by_rows = tables_by_rows(self.tables, model, config)
        self.model = module  # preparing it would change nothing of it, and take a second
        self.optimizers = [self.accelerator.prepare(one) for one in optimizers(module, by_rows, config)]
        prior = _prior(batches, model.num_items, config.popularity_prior) if config.popularity_prior else None
        self.criterion = Criterion(
            config, model, self.generator, precision=self.precision, sparse=bool(by_rows), prior=prior
        )
        rows = [table.weight for table in by_rows]
        self.averaging = Averaging(module, config.averaging, by_rows=rows) if config.averaging else None
        self.parameters = list(module.parameters())
        self.best = self.model.state_dict()
        rising = max(config.warm_up_steps, 1)
        self.schedules = [
            torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min((step + 1) / rising, 1.0))
            for optimizer in self.optimizers
        ]

    def epoch(self, course: Course, listener: Listener, keeping: Keeping) -> None:
        """Go on to the end of an epoch."""
        self.model.train()
        kept = begin = time.perf_counter()
        before = course.spent
        left = self.batches.epoch(course.epoch, done=course.step)  # before the training was stopped
        for step, rows in enumerate(left, start=course.step + 1):
            with _memory_told(rows, keeping):
                loss, num_targets = self.step(torch.from_numpy(rows))
            if step % STEPS_BETWEEN == 0:
                give_back()
            if not math.isfinite(loss):
                raise TrainingError(_not_finite(course.epoch, step, loss, keeping))
            course.step = step
            course.total, course.count = course.total + loss * num_targets, course.count + num_targets
            now = time.perf_counter()
            course.spent = before + now - begin
            mean = course.total / course.count
            listener.on_step(TrainingStep(course.epoch, step, self.batches.num_steps, mean, course.count, course.spent))
            stop = keeping.stop()
            if stop or now - kept > keeping.seconds:
                self.keep(course, keeping)
                kept = now
            if stop:
                raise StoppedError(
                    f"stopped in epoch {course.epoch} after its step {step}{_KEPT if keeping.lasting else _LOST}"
                )

    def keep(self, course: Course, keeping: Keeping) -> None:
        """Write the state of the training as it is now, where that is of use."""
        if keeping.lasting:
            save_state(self.snapshot(course), keeping.folder, identity=dict(keeping.identity))

    def snapshot(self, course: Course) -> Snapshot:
        """All that a training needs to be resumed; the tensors are those in use, not copies of them."""
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        if course.best_epoch:
            tensors |= {f"best.{name}": tensor for name, tensor in self.best.items()}
        for number, optimizer in enumerate(self.optimizers):
            for place, values in optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer.{number}.{place}.{name}": torch.as_tensor(one) for name, one in values.items()}
        if self.averaging:
            tensors |= self.averaging.tensors()
        tensors |= {"random.global": torch.get_rng_state(), "random.own": self.generator.get_state()}
        schedules = [{**schedule.state_dict(), "lr_lambdas": [None]} for schedule in self.schedules]
        steps = self.averaging.steps if self.averaging else 0
        facts = {"course": course.record(), "schedules": schedules, "averaged_steps": steps}
        return Snapshot(tensors, facts)

    def restore(self, state: Snapshot) -> Course:
        """Become the training that a state was kept of.

        Raises:
            TrainingError: if it is of a training with other parts, or of none.
        """
        try:
            return self._restore(state)
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
            reason = str(error).split("\n")[0]
            told = f"the checkpoint does not fit this training: {reason}"
            raise TrainingError(f"{told}. Begin anew in another folder.") from error

    def _restore(self, state: Snapshot) -> Course:
        tensors = state.tensors
        self.model.load_state_dict(_part(tensors, "model."))
        self.best = _part(tensors, "best.") or self.best
        for number, optimizer in enumerate(self.optimizers):
            values: dict[int, dict[str, Tensor | int]] = {}
            for name, one in tensors.items():
                kind, *path = name.split(".")
                if kind == "optimizer" and int(path[0]) == number:
                    is_count = one.dtype == torch.int64 and not one.dim()  # one optimizer counts in plain integers
                    values.setdefault(int(path[1]), {})[path[2]] = int(one) if is_count else one
            optimizer.load_state_dict({"state": values, "param_groups": optimizer.state_dict()["param_groups"]})
        for schedule, told, optimizer in zip(self.schedules, state.facts["schedules"], self.optimizers, strict=True):
            schedule.load_state_dict(told)
            for group, rate in zip(optimizer.param_groups, told["_last_lr"], strict=True):
                group["lr"] = rate
        if self.averaging:
            self.averaging.restore(tensors, state.facts["averaged_steps"])
        torch.set_rng_state(tensors["random.global"])
        self.generator.set_state(tensors["random.own"])
        return Course.of(state.facts["course"])

    def step(self, rows: Tensor) -> tuple[float, int]:
        """Learn from one batch of rows (B, L); gives its loss and how many targets it had."""
        with products_in(self.precision):
            return self._step(rows)

    def _step(self, rows: Tensor) -> tuple[float, int]:
        given = self.objective(rows, self.generator)
        chosen = given.targets > 0
        narrow = self.precision != torch.float32 and given.inputs.numel() * self.width >= MANY_NUMBERS
        with torch.autocast("cpu", self.precision, enabled=narrow):
            hidden = self.encoder.encode(given.inputs)
        hidden = hidden[chosen].float()  # (T, D)
        loss = self.criterion(hidden, given.targets[chosen])
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
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        with self.averaging.step() if self.averaging else nullcontext():
            for optimizer in self.optimizers:
                optimizer.step()
        increment_version(self.parameters)  # fused steps do not; what is kept of a table would go stale
        for schedule in self.schedules:
            schedule.step()

    @contextmanager
    def judged(self) -> Iterator[None]:
        """The model as it is judged and kept: without dropout, with averaged weights if there are any."""
        self.model.eval()
        try:
            with self.averaging.shown() if self.averaging else nullcontext():
                yield
        finally:
            self.model.train()


def _prior(batches: Batches, num_items: int, share: float) -> Tensor:
    """What popularity adds to every item's score (V + 1,) in a loss."""
    return share * log_shares(torch.from_numpy(batches.target_counts(num_items)))


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): one for name, one in tensors.items() if name.startswith(prefix)}


_KEPT = ", and kept: resume it with `gsrec train ... --resume`, or the same `gsrec compare` again"
_LOST = ": nothing of it is kept, and nothing that was there has changed"


def _objective(config: TrainingConfig, model: SequenceEncoder) -> Objective:
    match config.objective:
        case "next-item":
            return next_item
        case "last-item":
            return last_item
        case "masked-item":
            return MaskedItem(_mask_item(model), config.mask_share, config.mask_last_share)


@contextmanager
def _memory_told(rows: np.ndarray, keeping: Keeping) -> Iterator[None]:
    """Turn an allocation that failed into what helps against it."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "alloc" not in str(error):
            raise
        told = f"memory ran out in a step with {len(rows):,} rows of {rows.shape[1]:,} events"
        kept = " What was kept so far can be resumed." if keeping.lasting else ""
        raise TrainingError(
            f"{told}. Lower batch_size, max_length or embedding_size: `gsrec plan` with the same settings says how "
            f"much a training needs, and what would fit.{kept}"
        ) from error


def _mask_item(model: SequenceEncoder) -> int:
    mask_item = getattr(model, "mask_item", None)
    if mask_item is None:
        raise TrainingError("the masked-item objective needs a model with a [MASK], such as bert4rec")
    return int(mask_item)


def _module(model: SequenceEncoder) -> nn.Module:
    if not isinstance(model, nn.Module):
        raise TrainingError(f"a model to train must be a torch.nn.Module, found {type(model).__name__}")
    return model


def _not_finite(epoch: int, step: int, loss: float, keeping: Keeping) -> str:
    best = keeping.folder / BEST_WEIGHTS  # not the last ones: at an epoch's first step it is they that fail
    kept = f"; the best weights so far are in {best}" if best.exists() else "; no epoch was validated before"
    return (
        f"the loss became {loss} at step {step} of epoch {epoch}{kept if keeping.lasting else ''}. "
        "Lower learning_rate, or set clip_norm (1.0 is usual)."
    )
