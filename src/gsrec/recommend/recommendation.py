"""What a recommendation says.

Legend: K recommendations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from gsrec.data.vocabulary import ItemId, Vocabulary

Basis = Literal["model", "popularity"]


@dataclass(frozen=True)
class Recommendation:
    """What comes next after one history.

    Attributes:
        items: item ids, best first; fewer than asked for where fewer are left.
        scores: the score of each.
        num_unknown: how many events of the history the model does not know; they were left out.
        source: `model`, or `popularity` where there was no event that the model knows: the scores are then how often
            the items were taken in training.
    """

    items: tuple[ItemId, ...]
    scores: tuple[float, ...]
    num_unknown: int = 0
    source: Basis = "model"


def named(
    vocabulary: Vocabulary, items: Tensor, scores: Tensor, *, num_unknown: int = 0, source: Basis = "model"
) -> Recommendation:
    """The best items (K,) int64, best first, 0 where there are fewer, and their scores (K,) float32, by their ids."""
    pairs = [(item, score) for item, score in zip(items.tolist(), scores.tolist(), strict=True) if item]
    ids = vocabulary.decode_list([item for item, _ in pairs])
    return Recommendation(tuple(ids), tuple(score for _, score in pairs), num_unknown, source)
