"""Objectives: what a model is asked to predict of a training row.

Legend: B batch, L length, V items.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

ObjectiveName = Literal["next-item", "last-item", "masked-item"]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What goes in, and what is to come out where.

    Attributes:
        inputs: (B, L) int64, item indices, right-padded with 0.
        targets: (B, L) int64, the item to predict from the hidden vector at that position; 0: none.
    """

    inputs: Tensor
    targets: Tensor


Objective = Callable[[Tensor, torch.Generator], Prediction]
"""Makes what is to be predicted out of rows (B, L) int64, oldest event first, right-padded with 0."""


def next_item(rows: Tensor, generator: torch.Generator) -> Prediction:
    """Predict at every position the item that comes next.

    >>> next_item(torch.tensor([[7, 8, 9], [5, 6, 0]]), torch.Generator()).targets
    tensor([[8, 9],
            [6, 0]])
    """
    return Prediction(rows[:, :-1], rows[:, 1:])


def last_item(rows: Tensor, generator: torch.Generator) -> Prediction:
    """Predict the newest item of every row from all before it: one target a sequence (the thesis).

    >>> last_item(torch.tensor([[7, 8, 9], [5, 6, 0]]), torch.Generator()).targets
    tensor([[0, 9],
            [6, 0]])
    """
    targets = rows[:, 1:]
    is_last = F.pad(targets, (0, 1))[:, 1:] == 0
    return Prediction(rows[:, :-1], targets * is_last)


@dataclass(frozen=True)
class MaskedItem:
    """Fill in items that were hidden at random (BERT4Rec's Cloze task).

    Attributes:
        mask_item: the item index that hides.
        share: how much of a row is hidden, 0 to 1; at least one item always is.
        last_share: in how many rows it is the newest item alone, as it will be when predicting, 0 to 1.
    """

    mask_item: int
    share: float
    last_share: float

    def __call__(self, rows: Tensor, generator: torch.Generator) -> Prediction:
        """Hide some items of rows (B, L); the targets are the hidden ones."""
        real = rows != 0
        noise = torch.rand(rows.shape, generator=generator).masked_fill(~real, 2.0)
        hidden = (noise < self.share) | (noise == noise.amin(1, keepdim=True))
        newest = real & (F.pad(rows, (0, 1))[:, 1:] == 0)
        last_only = torch.rand(len(rows), 1, generator=generator) < self.last_share
        hidden = torch.where(last_only, newest, hidden)
        return Prediction(rows.masked_fill(hidden, self.mask_item), rows * hidden)
