"""Metrics as functions of ranks, one value a target; the mean over targets is the metric.

Legend: M targets, K cut-off, V items.

Ranks count from 1 and ties count against the model, as `gsrec.ranking` gives them. Every target has exactly one
relevant item, itself. Recall@k and HR@k are therefore the same, and so are MAP@k and MRR@k.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import numpy as np


def hit_rate(ranks: np.ndarray, k: int) -> np.ndarray:
    """HR@k, the share of targets within the first k places: 1 if rank <= k, else 0.

    No targets give no values. Deshpande and Karypis, Item-based top-N recommendation algorithms, TOIS 2004.

    >>> hit_rate(np.array([1, 3, 11]), 3)
    array([1., 1., 0.])

    Args:
        ranks: (M,) int64, from 1, ties against the model.
        k: the cut-off.

    Returns:
        (M,) float64, 0 or 1.
    """
    return (ranks <= k).astype(np.float64)


def ndcg(ranks: np.ndarray, k: int) -> np.ndarray:
    """NDCG@k, normalised discounted cumulative gain: 1 / log2(rank + 1) if rank <= k, else 0.

    The ideal list has the one target first, so the ideal gain is 1 whatever k is. No targets give no values.
    Järvelin and Kekäläinen, Cumulated gain-based evaluation of IR techniques, TOIS 2002.

    >>> ndcg(np.array([1, 3, 11]), 3)
    array([1. , 0.5, 0. ])

    Args:
        ranks: (M,) int64, from 1, ties against the model.
        k: the cut-off.

    Returns:
        (M,) float64, from 0 to 1.
    """
    return np.where(ranks <= k, 1.0 / np.log2(ranks + 1.0), 0.0)


def reciprocal_rank(ranks: np.ndarray, k: int | None = None) -> np.ndarray:
    """MRR, the mean reciprocal rank: 1 / rank, and 0 beyond the cut-off k if there is one.

    No targets give no values. Voorhees, The TREC-8 question answering track report, 1999.

    >>> reciprocal_rank(np.array([1, 4, 10]))
    array([1.  , 0.25, 0.1 ])
    >>> reciprocal_rank(np.array([1, 4, 10]), 5)
    array([1.  , 0.25, 0.  ])

    Args:
        ranks: (M,) int64, from 1, ties against the model.
        k: the cut-off, or None for the whole catalogue.

    Returns:
        (M,) float64, from 0 to 1.
    """
    within = np.ones(ranks.shape, dtype=bool) if k is None else ranks <= k
    return np.where(within, 1.0 / ranks, 0.0)


LARGEST_CUTOFF = 20
"""Of all metrics of a rank: what is ranked behind it counts for none of them, but for a little in MRR."""

RANK_METRICS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = MappingProxyType(
    {f"HR@{k}": partial(hit_rate, k=k) for k in (1, 5, 10, LARGEST_CUTOFF)}
    | {f"NDCG@{k}": partial(ndcg, k=k) for k in (5, 10, LARGEST_CUTOFF)}
    | {"MRR": reciprocal_rank, "MRR@10": partial(reciprocal_rank, k=10)}
)
"""Every metric of a rank by its name in results: ranks (M,) to values (M,)."""


def summarise(ranks: np.ndarray) -> dict[str, float]:
    """The mean over targets of every metric in `RANK_METRICS`; 0 for each where there are no targets.

    >>> summarise(np.array([1, 3, 11]))["HR@5"]
    0.6666666666666666

    Args:
        ranks: (M,) int64, from 1, ties against the model.
    """
    return {name: float(metric(ranks).sum() / max(1, ranks.size)) for name, metric in RANK_METRICS.items()}


def coverage(top_items: np.ndarray, num_items: int) -> float:
    """Catalogue coverage, the share of all items that are in at least one list.

    An empty catalogue or no lists give 0. Ge, Delgado-Battenfeld and Jannach, Beyond accuracy, RecSys 2010.

    >>> coverage(np.array([[1, 2], [2, 0]]), 8)
    0.25

    Args:
        top_items: (M, K) int, recommended items, 0 is an empty place.
        num_items: the number of items V in the catalogue.
    """
    return float(np.count_nonzero(np.unique(top_items)) / max(1, num_items))


def novelty(top_items: np.ndarray, popularity: np.ndarray) -> float:
    """Mean self-information of what is recommended, in bits: the mean of log2(training events / item's events).

    An item without training events counts as one with a single event. No recommended items give 0.
    Zhou et al., Solving the apparent diversity-accuracy dilemma of recommender systems, PNAS 2010.

    >>> novelty(np.array([[1, 2], [1, 0]]), np.array([0, 8, 4, 4]))
    1.3333333333333333

    Args:
        top_items: (M, K) int, recommended items, 0 is an empty place.
        popularity: (V + 1,) int64, training events of every item index.
    """
    recommended = top_items[top_items > 0]
    if not recommended.size:
        return 0.0
    return float(np.log2(max(1, popularity.sum()) / np.maximum(1, popularity[recommended])).mean())
