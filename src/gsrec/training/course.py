"""How far a training has come, who is told of it, and how it is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

CHECKPOINT_SECONDS = 300.0
"""Between two states of a training, unless somebody wants another time."""


@dataclass(frozen=True)
class TrainingStep:
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


@dataclass(frozen=True)
class Listener:
    """Who is told how training goes on."""

    on_step: Callable[[TrainingStep], None] = field(default=lambda step: None)
    on_epoch: Callable[[Epoch], None] = field(default=lambda epoch: None)
    on_note: Callable[[str], None] = field(default=lambda note: None)


@dataclass(frozen=True)
class Keeping:
    """How a training is kept, so that it can be resumed after it was stopped.

    Attributes:
        folder: for the weights of the best epoch and the states of the training.
        seconds: between two states; there is one at the end of every epoch as well.
        identity: what must be the same to resume it: configuration, data.
        as_now: makes of the identity that was kept the one that would be kept now.
        lasting: whether the folder is there afterwards, so that a training that was stopped can be resumed.
        resume: whether to resume from the newest state there is.
        stop: asked after every step whether to stop.
    """

    folder: Path
    seconds: float = CHECKPOINT_SECONDS
    identity: Mapping[str, Any] = field(default_factory=dict)
    as_now: Callable[[Any], Any] = field(default=lambda identity: identity)
    lasting: bool = True
    resume: bool = False
    stop: Callable[[], bool] = field(default=lambda: False)


@dataclass
class Course:
    """How far a training has come.

    Attributes:
        epoch: the one going on, from 1.
        step: steps of this epoch that are done.
        total: the sum of this epoch's losses over targets, so far.
        count: this epoch's targets, so far.
        spent: this epoch's seconds of training, so far.
        epochs: those that are done.
        best: the best validation so far.
        best_epoch: the epoch of it; 0: none yet.
    """

    epoch: int = 1
    step: int = 0
    total: float = 0.0
    count: int = 0
    spent: float = 0.0
    epochs: list[Epoch] = field(default_factory=list)
    best: float = -math.inf
    best_epoch: int = 0

    @property
    def seconds(self) -> float:
        """Seconds of training in all epochs that are done."""
        return self.epochs[-1].seconds if self.epochs else 0.0

    def next_epoch(self) -> None:
        """Begin another one."""
        self.epoch, self.step, self.total, self.count, self.spent = self.epoch + 1, 0, 0.0, 0, 0.0

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "best": None if math.isinf(self.best) else self.best}

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Course:
        """Out of JSON."""
        best = -math.inf if record["best"] is None else record["best"]
        return cls(**{**record, "epochs": [Epoch(**epoch) for epoch in record["epochs"]], "best": best})
