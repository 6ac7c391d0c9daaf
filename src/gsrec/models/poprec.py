"""PopRec: the most popular items, of all time or of the last days, whatever the history.

Legend: B batch, L length, V items.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from gsrec.data.splits import Split
from gsrec.data.times import SECONDS_A_DAY
from gsrec.description import Description
from gsrec.errors import DataError, NotFittedError


class PopRecConfig(Description):
    """Which events count: all of them, or those of the last `days` up to the newest training event."""

    name: Literal["poprec"] = "poprec"
    days: Annotated[float, Field(gt=0)] | Literal["all"] = "all"


class PopRec(nn.Module):
    """Scores every item by how often it was taken in training; equal for all histories."""

    counts: Tensor

    def __init__(self, num_items: int, config: PopRecConfig) -> None:
        """Make a model of `num_items` items that has not counted yet."""
        super().__init__()
        self.num_items = num_items
        self.max_length: int | None = 1
        self.days = config.days
        self.register_buffer("counts", torch.zeros(num_items + 1))

    def count(self, split: Split) -> None:
        """Count the training events of a split.

        Raises:
            DataError: if only the last days are asked for and the log has no clock times.
        """
        chosen = split.train_mask()
        if self.days != "all":
            timestamps = split.sequences.timestamps
            if timestamps is None:
                raise DataError("popularity of the last days needs clock times, and this log has none. Leave out days.")
            chosen &= timestamps > timestamps[chosen].max() - self.days * SECONDS_A_DAY
        counts = np.bincount(split.sequences.items[chosen], minlength=self.num_items + 1)
        self.counts = torch.from_numpy(counts.astype(np.float32))

    def score(self, items: Tensor) -> Tensor:
        """The counts (V + 1,) for every one of the histories (B, L): (B, V + 1).

        Raises:
            NotFittedError: if it has not counted yet.
        """
        if not torch.compiler.is_compiling() and not self.counts.any():  # a graph that is kept has no branches
            raise NotFittedError("this PopRec has not counted yet: call count(split), or load a trained one")
        return self.counts.expand(items.shape[0], -1).clone()
