"""A model among more items than it knows, as when it is judged on what came after it.

Legend: B batch, L length, V items that it knows, W items that there are.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from gsrec.models.protocols import Scorer


class Widened:
    """An old model among more items than it knows: it is asked as it is served, and the others have no chance."""

    max_length: int | None = None

    def __init__(self, model: Scorer, num_items: int, counts: Tensor) -> None:
        """Let the model stand for one of so many items; where it knows nothing of a history, counts (V + 1,) speak."""
        self.num_items = num_items
        self._model = model
        self._counts = counts.float()

    def score(self, items: Tensor) -> Tensor:
        """Scores (B, W + 1) after histories (B, L): the newest of the items that the model knows."""
        known = items.where(items <= self._model.num_items, 0)
        known = known.gather(1, (known == 0).long().argsort(dim=1, stable=True))  # unknown ones go behind the newest
        length = known.shape[1] if self._model.max_length is None else self._model.max_length
        first = (known.count_nonzero(1) - length).clamp_min(0)[:, None]
        places = first + torch.arange(min(length, known.shape[1]))
        scores = torch.where(known.any(1, keepdim=True), self._model.score(known.gather(1, places)), self._counts)
        return F.pad(scores, (0, self.num_items - self._model.num_items), value=-torch.inf)
