"""What the rest of the system knows of a model.

Legend: B batch, L length, D hidden, V items.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from torch import Tensor

from gsrec.data.splits import Split

History = TypeVar("History", Sequence[int], np.ndarray)


@runtime_checkable
class Scorer(Protocol):
    """Scores every item as the next one of a history: all that evaluator and server know."""

    num_items: int
    max_length: int | None
    """How many of the newest events the model looks at; None: all of them."""

    def score(self, items: Tensor) -> Tensor:
        """Score what comes next.

        Args:
            items: (B, L) int64, item indices, oldest first, right-padded with 0; L is at most `max_length`.

        Returns:
            (B, V + 1) float32, one score an item index; column 0 means nothing. Memory of its own: the caller changes
            it.
        """
        ...


def looked_at(model: Scorer, history: History) -> History:
    """The newest events of a history (L,) that a model looks at, at most `max_length`."""
    return history if model.max_length is None else history[-model.max_length :]


@runtime_checkable
class CountingScorer(Scorer, Protocol):
    """Counts the training events once and learns nothing in steps: its scores are counts."""

    def count(self, split: Split) -> None:
        """Count the training events of a split, in place of what was counted before."""
        ...


@runtime_checkable
class SequenceEncoder(Protocol):
    """Turns every position of a history into a hidden vector: all that training knows."""

    num_items: int
    max_length: int | None
    max_row: int
    """The most events of a training row, the last one's target included."""

    def encode(self, items: Tensor) -> Tensor:
        """Hidden vectors of a batch.

        Args:
            items: (B, L) int64, item indices, oldest first, right-padded with 0.

        Returns:
            (B, L, D) float32, the hidden vector of every position, padding's without meaning.
        """
        ...

    @property
    def item_weights(self) -> Tensor:
        """(V + 1, D) float32, the score of an item is the product of its row and a hidden vector."""
        ...

    @property
    def item_bias(self) -> Tensor | None:
        """(V + 1,) float32, what is added to every item's score, or None for nothing."""
        ...


@dataclass(frozen=True, eq=False)
class State:
    """All that a model keeps of histories gone by, a row each.

    Attributes:
        events: (B,) int64, how many there were.
        parts: tensors (B, ..) float32, what each part of the model keeps.
    """

    events: Tensor
    parts: tuple[Tensor, ...]


Step = Callable[[State, Tensor], tuple[State, Tensor]]
"""Takes one more event of every history: from the state of the events before, fewer than `max_events`, and items (B,)
int64 to the state after them and the hidden vectors (B, D) that `encode` has at them."""


@runtime_checkable
class StreamingEncoder(Protocol):
    """Encodes event by event: the numbers of `encode`, at a cost that does not grow with the history."""

    num_items: int
    max_events: int | None
    """How many events a state can take; None: any number."""

    def start(self, batch: int) -> State:
        """The state before the first event of so many histories."""
        ...

    def stepper(self) -> Step:
        """What takes one more event of every history, with the weights as they are now."""
        ...
