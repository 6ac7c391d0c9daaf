"""What a recommendation says.

Legend: K recommendations.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gsrec.data.vocabulary import ItemId, Vocabulary


@dataclass(frozen=True)
class Recommendation:
    """What comes next after one history.

    Attributes:
        items: item ids, best first; fewer than asked for where fewer are left.
        scores: the model's score of each.
        num_unknown: how many events of the history the model does not know; they were left out.
    """

    items: tuple[ItemId, ...]
    scores: tuple[float, ...]
    num_unknown: int = 0


def named(vocabulary: Vocabulary, items: Tensor, scores: Tensor, *, num_unknown: int = 0) -> Recommendation:
    """The best items (K,) int64, best first, 0 where there are fewer, and their scores (K,) float32, by their ids."""
    real = items > 0
    ids = vocabulary.decode(items[real].numpy())
    return Recommendation(tuple(ids), tuple(scores[real].tolist()), num_unknown)
