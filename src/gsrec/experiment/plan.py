"""What a training will take, known before it starts: some of its steps are tried, the largest first.

Legend: B batch, L length.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from gsrec.data.splits import Split
from gsrec.evaluation.tasks import RankingTask
from gsrec.experiment.config import RunConfig, check_learns
from gsrec.experiment.defaults import WITH_NEGATIVES
from gsrec.experiment.prepare import batches_of, new_model
from gsrec.models import Scorer, SequenceEncoder, num_parameters
from gsrec.ranking import tiles
from gsrec.training.config import MANY_ITEMS, OVER_CATALOGUE
from gsrec.training.course import Course
from gsrec.training.precision import precision_of
from gsrec.training.training import Training

SECONDS_TO_TRY = 8.0
"""How long steps are tried for the time of an epoch."""

SHARES = (8, 4, 2, 1)
"""The largest batch is approached in these parts, so that what does not fit is known before it is tried."""

TILES_TO_TRY = 6
"""So many tiles of a validation are judged for its time."""

ITEM_TABLE_IS_LARGE = 2**28
"""Bytes of an item table (its gradient and the optimizer take three times as much) that outweigh most batches."""


@dataclass(frozen=True)
class Plan:
    """What a training takes.

    Attributes:
        num_steps: steps an epoch.
        num_parameters: of the model.
        precision: of products.
        seconds_to_begin: until the first step: item vectors that begin at their neighbours.
        seconds_an_epoch: of training; None where even one batch does not fit.
        seconds_a_validation: after every `validate_every` epochs; None likewise.
        peak_bytes: the most memory of the whole process, with what is copied to keep the best weights and a checkpoint.
        available_bytes: what it could have before it started; None where the system does not tell.
        advice: what to change, most helpful first; empty if it fits and the catalogue is not large.
    """

    num_steps: int
    num_parameters: int
    precision: str
    seconds_to_begin: float
    seconds_an_epoch: float | None
    seconds_a_validation: float | None
    peak_bytes: int
    available_bytes: int | None
    advice: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether there is memory enough."""
        return _fits(self.peak_bytes, self.available_bytes)

    def seconds_at_most(self, epochs: int, validate_every: int) -> float | None:
        """The time of so many epochs and their validations; None where even one batch does not fit."""
        if self.seconds_an_epoch is None or self.seconds_a_validation is None:
            return None
        validations = -(-epochs // validate_every)
        return self.seconds_to_begin + epochs * self.seconds_an_epoch + validations * self.seconds_a_validation

    def record(self) -> dict[str, object]:
        """The plan as JSON."""
        return {**asdict(self), "fits": self.fits}


def plan_training(split: Split, config: RunConfig, *, on_stage: Callable[[str], None] = lambda stage: None) -> Plan:
    """Try what a training will do, and tell what it takes. Nothing is written.

    Args:
        split: the log as the configuration cuts it.
        config: which model, and how it would be trained.
        on_stage: told of what is tried.

    Raises:
        ConfigError: if the model is not trained in steps.
        DataError: if there is nothing to learn from.
    """
    check_learns(config.model.name, "plan")
    available = available_bytes()
    on_stage("the start of the model")
    begin = time.perf_counter()
    model = new_model(config, split)
    seconds_to_begin = time.perf_counter() - begin
    assert isinstance(model, SequenceEncoder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        batches = batches_of(split, config, model)
        training = Training(model, batches, config.training, config.seed)
        order = batches.order(1)
        sizes = [rows.size * int((batches.ends - batches.starts)[rows].max()) for rows in order]
        training.model.train()
        on_stage("the largest batches")
        before = peak_bytes()
        forget_peak()  # of reading the log and of the start, which would hide what steps take
        peak = _approach(training, batches.batch(order[int(np.argmax(sizes))]), available)
        seconds = validation = None
        if _fits(peak, available):
            on_stage(f"{SECONDS_TO_TRY:g} seconds of steps")
            seconds = sum(sizes) * _seconds_a_place(training, map(batches.batch, order))
            on_stage("a part of a validation")
            validation = _seconds_a_validation(training, model, split, filter_seen=config.data.filter_seen)
            peak = max(peak, peak_bytes(), _resident_bytes() + _copied_bytes(training))
    peak = max(before, peak)
    return Plan(
        num_steps=len(order),
        num_parameters=num_parameters(model),
        precision=str(precision_of(config.training.precision)).removeprefix("torch."),
        seconds_to_begin=seconds_to_begin,
        seconds_an_epoch=seconds,
        seconds_a_validation=validation,
        peak_bytes=peak,
        available_bytes=available,
        advice=_advice(config, split, fits=_fits(peak, available)),
    )


def _fits(needed: int, available: int | None) -> bool:
    """Whether there is memory enough, as far as the system tells."""
    return available is None or needed <= available


def peak_bytes() -> int:
    """The most memory that this process has had so far, or since `forget_peak`."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def forget_peak() -> None:
    """Have `peak_bytes` count from what this process has now, where the system can."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def available_bytes() -> int | None:
    """The memory that this process has and could still have, as the system and a container's limit tell; or None."""
    free = _told_bytes(Path("/proc/meminfo"), "MemAvailable:")
    if free is None:
        return None
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.exists() else "max"
    there_is = free + _resident_bytes()
    return min(there_is, int(text)) if text.isdigit() else there_is


def _resident_bytes() -> int:
    """The memory that this process has now; where the system does not tell, the most that it has had."""
    return _told_bytes(Path("/proc/self/status"), "VmRSS:") or peak_bytes()


def _told_bytes(file: Path, line: str) -> int | None:
    if not file.exists():
        return None
    told = [int(text.split()[1]) * 1024 for text in file.read_text().splitlines() if text.startswith(line)]
    return told[0] if told else None


def _copied_bytes(training: Training) -> int:
    """What is copied at the end of an epoch: the best weights, and a checkpoint with them, as the bytes of a file."""
    kept, weights = training.snapshot(Course()).tensors, training.model.state_dict()
    return sum(int(tensor.nbytes) for tensor in (*kept.values(), *weights.values(), *weights.values()))


def _approach(training: Training, largest: np.ndarray, available: int | None) -> int:
    """The peak of the process with the largest batch (B, L); parts of it first, and no further than memory allows.

    One row alone shows what does not grow with a batch: gradients of the item table, and the optimizer's moments.
    """
    training.step(torch.from_numpy(largest[:1]))
    fixed = peak = peak_bytes()
    for share in SHARES:
        of_part = peak - fixed  # tried last, half as many rows
        if not _fits(fixed + 2 * of_part, available):
            return fixed + 2 * share * of_part
        training.step(torch.from_numpy(largest[: max(1, len(largest) // share)]))
        peak = peak_bytes()
    return peak


def _seconds_a_place(training: Training, batches: Iterable[np.ndarray]) -> float:
    """The time of a step, by the numbers that its batch (B, L) holds: of as many steps as there is time for."""
    spent, tried = 0.0, 0
    for rows in batches:
        begin = time.perf_counter()
        training.step(torch.from_numpy(rows))
        spent, tried = spent + time.perf_counter() - begin, tried + rows.size
        if spent > SECONDS_TO_TRY:
            break
    return spent / tried


def _seconds_a_validation(training: Training, scorer: Scorer, split: Split, *, filter_seen: bool) -> float:
    targets, num_items = split.targets("validation"), split.sequences.num_items
    parts = list(tiles(targets.history_lengths, num_items=num_items, max_length=scorer.max_length))
    stride = max(1, len(parts) // TILES_TO_TRY)
    tried = parts[stride // 2 :: stride]  # whole tiles: how long one takes goes by its longest history
    some = targets.at(np.concatenate(tried))
    with training.judged():
        begin = time.perf_counter()
        RankingTask(split.sequences, some, filter_seen=filter_seen).rank(scorer)
        return (time.perf_counter() - begin) * len(parts) / len(tried)


def _advice(config: RunConfig, split: Split, *, fits: bool) -> tuple[str, ...]:
    num_items = split.sequences.num_items
    size, length = getattr(config.model, "embedding_size", 1), getattr(config.model, "max_length", 1)
    smaller = f"--set batch_size={max(config.training.batch_size // 2, 1)}: half the events a step"
    shorter = f"--set max_length={max(length // 2, 1)}: half of the longest history"
    narrower = f"--set embedding_size={max(size // 2, 1)}: half the item table"
    sampled = f"{WITH_NEGATIVES}: a step learns only the items it looks at"
    over_catalogue = config.training.loss in OVER_CATALOGUE
    if fits:
        return (sampled,) if over_catalogue and num_items >= MANY_ITEMS else ()
    if 4 * num_items * size < ITEM_TABLE_IS_LARGE:
        return smaller, shorter, narrower
    return (narrower, sampled, smaller) if over_catalogue else (narrower, smaller)
