"""The best items for every user of a log, as fast as they can be had.

Legend: U users, K recommendations.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gsrec.data.sequences import Sequences
from gsrec.errors import ConfigError, DataError
from gsrec.models.protocols import Scorer
from gsrec.ranking import MEMORY_BUDGET, score_histories, tiles, top_k


def top_items(
    scorer: Scorer,
    sequences: Sequences,
    k: int,
    *,
    filter_seen: bool = True,
    memory_budget: int = MEMORY_BUDGET,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The K items most likely to come after the whole history of every user.

    Args:
        scorer: gives the scores.
        sequences: the histories.
        k: how many items.
        filter_seen: leave out the items of a user's history.
        memory_budget: bytes that scores may take at a time.
        progress: told after every tile how many users are done, and of how many.

    Returns:
        Items (U, K) int32, best first, 0 where there are fewer; and their scores (U, K) float32.

    Raises:
        ConfigError: if k is not positive.
        DataError: if the scorer knows another number of items.
    """
    if k < 1:
        raise ConfigError(f"k must be at least 1, found {k}")
    if scorer.num_items != sequences.num_items:
        raise DataError(
            f"the model knows {scorer.num_items:,} items and the log holds {sequences.num_items:,}. "
            "Read the log with the model's own vocabulary."
        )
    items = np.zeros((sequences.num_users, k), dtype=np.int32)
    scores = np.full((sequences.num_users, k), -np.inf, dtype=np.float32)
    done = 0
    for users in tiles(sequences.lengths, num_items=sequences.num_items, memory_budget=memory_budget):
        all_scores = score_histories(
            scorer.score,
            sequences.items,
            sequences.offsets[:-1][users],
            sequences.offsets[1:][users],
            max_length=scorer.max_length,
            filter_seen=filter_seen,
        )
        best, best_items = top_k(all_scores, k)
        items[users], scores[users] = best_items.cpu().numpy(), best.cpu().numpy()
        done += users.size
        if progress is not None:
            progress(done, sequences.num_users)
    return items, scores
