"""From the hidden vectors of histories to the scores of items.

Legend: B batch, L length, D hidden, V items.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from gsrec.models.protocols import SequenceEncoder

ITEMS_AT_ONCE, MANY_HISTORIES = 2048, 32
"""Items whose scores are computed together, where there are at least so many histories."""


class Cosines:
    """Scores that are cosines over a temperature, where a popular item's longer vector has no advantage.

    A hidden vector is turned into one whose products with the items' directions, rows of length 1, are such scores.
    With a temperature of 0 both stay as they are, and scores are plain products.
    """

    def __init__(self, temperature: float) -> None:
        """Begin without any directions."""
        self.temperature = temperature
        self._kept: tuple[tuple[int, int], Tensor] | None = None  # one value, since threads share it

    def __deepcopy__(self, memo: dict[int, object]) -> Cosines:
        """A copy of the same directions, which nobody changes: a copy of them would be as large as the table."""
        copied = Cosines(self.temperature)
        copied._kept = self._kept
        return copied

    def of_hidden(self, hidden: Tensor) -> Tensor:
        """Hidden (.., D) -> (.., D)."""
        return F.normalize(hidden.float(), dim=-1) / self.temperature if self.temperature else hidden

    def of_items(self, table: Tensor) -> Tensor:
        """Of a table (V + 1, D): (V + 1, D), rows of zeros being so still.

        Without gradients it is worked out once for as long as the table stays as it is: a product with it then costs
        no more than one with the table.
        """
        if not self.temperature:
            return table
        if torch.is_grad_enabled() or table.is_inference():
            return F.normalize(table)
        version = (table.data_ptr(), table._version)
        kept = self._kept
        if kept is None or kept[0] != version:
            self._kept = kept = (version, F.normalize(table.detach()))
        return kept[1]


def newest(items: Tensor) -> Tensor:
    """The place (B,) of each history's newest item in items (B, L); an empty history has its first place.

    >>> newest(torch.tensor([[7, 8, 0], [0, 0, 0]]))
    tensor([1, 0])
    """
    return (items.count_nonzero(1) - 1).clamp_min(0)


def at_places(hidden: Tensor, places: Tensor) -> Tensor:
    """The hidden vectors (B, D) at one place (B,) of every history (B, L, D).

    >>> at_places(torch.tensor([[[1.0], [2.0], [3.0]]]), torch.tensor([1]))
    tensor([[2.]])
    """
    return hidden[torch.arange(hidden.shape[0], device=hidden.device), places]


def newest_hidden(encoder: SequenceEncoder, items: Tensor) -> Tensor:
    """The hidden vectors (B, D) at the newest items of histories (B, L) int64."""
    return at_places(encoder.encode(items), newest(items))


def scores_of(encoder: SequenceEncoder, hidden: Tensor) -> Tensor:
    """Scores (B, V + 1) of a model's items after its hidden vectors (B, D)."""
    return item_scores(hidden, encoder.item_weights, encoder.item_bias)


def item_scores(hidden: Tensor, weights: Tensor, bias: Tensor | None) -> Tensor:
    """Scores (B, V + 1) of all items: hidden (B, D) by weights (V + 1, D), plus bias (V + 1,) if there is one.

    For many histories and a large catalogue some thousand items at a time: what goes into a product then stays in the
    processor's cache, which is twice as fast.
    """
    if torch.is_grad_enabled() or len(hidden) < MANY_HISTORIES or len(weights) < 2 * ITEMS_AT_ONCE:
        return F.linear(hidden, weights, bias)
    scores = hidden.new_empty(len(hidden), len(weights))
    for start in range(0, len(weights), ITEMS_AT_ONCE):
        some = slice(start, start + ITEMS_AT_ONCE)
        torch.mm(hidden, weights[some].T, out=scores[:, some])
    return scores if bias is None else scores.add_(bias)
