"""From scores or an index to recommendations: where seen items, rules and popularity come in, however it is asked.

Legend: B histories, S seen events, D hidden, V items, K recommendations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from gsrec.bundle import Bundle
from gsrec.data.batches import padded_rows
from gsrec.ranking import check_k, mask_seen
from gsrec.recommend.index import ItemIndex
from gsrec.recommend.recommendation import Recommendation, named
from gsrec.recommend.rules import ItemRules, rows_of_counts


@torch.inference_mode()
def answers(
    bundle: Bundle,
    histories: Sequence[np.ndarray],
    k: int,
    *,
    score: Callable[[], Tensor],
    hidden: Callable[[], Tensor] | None,
    rules: ItemRules,
    index: ItemIndex | None = None,
    filter_seen: bool | None = None,
) -> list[Recommendation]:
    """The K items most likely to come after histories, of one model.

    Args:
        bundle: the model.
        histories: B times (S,) int64, the items that the model knows, once or as often as they were taken.
        k: how many items.
        score: gives the scores (B, V + 1) float32, which are changed; those of empty histories do not matter.
        hidden: gives the hidden vectors (B, D) to search an index with; None: there are none.
        rules: what may not be recommended, or rather.
        index: finds the best items where all that rules do is to forbid some; None: all are scored.
        filter_seen: leave out the items of the history; None: as the model was judged.

    Raises:
        ConfigError: if k is not positive.
    """
    check_k(k)
    are_empty, seen = [not history.size for history in histories], rows_of(histories)
    if not bundle.filters_seen(filter_seen):
        seen = seen[:, :0]
    most = min(k, len(bundle.vocabulary))
    if index is not None and hidden is not None and rules.can_search and not any(are_empty):
        values, items = index.search(hidden(), most, rules.barred_with(seen))
    else:
        scores = score()
        if any(are_empty):
            scores[are_empty] = bundle.counts.float()
        mask_seen(scores, seen)
        values, items = rules.best(scores, most, rows_of_counts(bundle.model, are_empty))
    rows = zip(items, values, are_empty, strict=True)
    return [named(bundle.vocabulary, *row, source="popularity" if is_empty else "model") for *row, is_empty in rows]


def rows_of(histories: Sequence[np.ndarray]) -> Tensor:
    """Histories under each other, (B, L) int64, right-padded with 0; L is at least 1."""
    if len(histories) == 1 and histories[0].size:
        return torch.from_numpy(histories[0])[None]
    ends = np.cumsum([history.size for history in histories])
    rows = torch.from_numpy(padded_rows(np.concatenate(histories), np.concatenate([[0], ends[:-1]]), ends))
    return rows if rows.shape[1] else rows.new_zeros(len(histories), 1)
