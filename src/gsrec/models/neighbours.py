"""Where items stand near each other in histories, and item vectors that begin from it instead of noise.

Legend: U users, N events, P pairs, V items, D width of a row.

Histories are two arrays: items (N,) of indices 1..V, user after user, oldest first, and lengths (U,) of the users.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

REACH = 3
"""Events before and after an item in a history that count as its neighbours."""

MOST_EVENTS = 4_000_000
"""Of longer logs so many events are looked at: what more of them tell is no longer new."""

SMOOTHING = 0.75
"""The power of a neighbour's count, so that rare neighbours do not say too much (Levy and Goldberg, TACL 2015)."""

OVERSAMPLED, ROUNDS = 64, 4
"""Further directions, and rounds, of the randomised singular vectors (Halko, Martinsson and Tropp, 2011)."""


def near_pairs(
    items: np.ndarray, lengths: np.ndarray, *, of: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs of events of a history at most `REACH` apart: the earlier item, the later one, and how far they are.

    With `of`, (V + 1,) bool, only pairs of which one item at least is one of these.

    >>> near_pairs(np.array([5, 6, 7, 8, 9]), np.array([3, 2]))
    (array([5, 6, 8, 5]), array([6, 7, 9, 7]), array([1, 1, 1, 2]))

    Returns:
        Three of (P,) int64.
    """
    owners = np.repeat(np.arange(lengths.size, dtype=np.int32), lengths)
    earlier, later, distances = [], [], []
    for distance in range(1, REACH + 1):
        before, after = items[:-distance], items[distance:]
        wanted = owners[:-distance] == owners[distance:]
        if of is not None:
            wanted &= of[before] | of[after]
        earlier.append(before[wanted])
        later.append(after[wanted])
        distances.append(np.full(int(wanted.sum()), distance))
    first, second = (np.concatenate(parts).astype(np.int64) for parts in (earlier, later))
    return first, second, np.concatenate(distances)


def start_from_neighbours(
    module: nn.Module, items: np.ndarray, lengths: np.ndarray, *, num_items: int, seed: int = 0
) -> None:
    """Turn the item rows of a new model's embedding tables to where their neighbours are; lengths stay alike.

    Two items that stand near the same others begin with nearly the same row, which training from noise needs several
    epochs to find out. An item without neighbours keeps its noise.

    Args:
        module: whose embedding tables of items have at least V + 1 rows.
        items: of the training histories, (N,).
        lengths: of the training histories, (U,).
        num_items: V.
        seed: of the randomised singular vectors.
    """
    for table in (part for part in module.modules() if isinstance(part, nn.Embedding)):
        if table.num_embeddings > num_items:
            rows = table.weight.detach()[1 : num_items + 1]
            vectors = neighbour_vectors(items, lengths, num_items=num_items, size=table.embedding_dim, seed=seed)[1:]
            found = vectors.norm(dim=1, keepdim=True) > 0
            rows.copy_(torch.where(found, F.normalize(vectors) * rows.norm(dim=1).mean(), rows))


def neighbour_vectors(items: np.ndarray, lengths: np.ndarray, *, num_items: int, size: int, seed: int = 0) -> Tensor:
    """Vectors (V + 1, D) whose products say how much more often two items stand near each other than by chance.

    The first singular vectors, times the roots of the singular values, of the positive pointwise mutual information
    of items at most `REACH` apart, the nearer ones counting more. This is what word2vec learns of words (Levy and
    Goldberg, NeurIPS 2014), without training.

    Args:
        items: of the histories, (N,).
        lengths: of the histories, (U,).
        num_items: V.
        size: D.
        seed: of the randomised singular vectors.
    """
    scores = mutual_information(*_some(items, lengths), num_items)
    vectors = torch.zeros(num_items + 1, size)
    rank = min(size, num_items)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        left, values, _ = torch.svd_lowrank(scores, q=min(rank + OVERSAMPLED, num_items + 1), niter=ROUNDS)
    vectors[:, :rank] = left[:, :rank] * values[:rank].sqrt()
    vectors[torch.bincount(scores.indices()[0], minlength=num_items + 1) == 0] = 0
    return vectors


def mutual_information(items: np.ndarray, lengths: np.ndarray, num_items: int) -> Tensor:
    """Positive pointwise mutual information (V + 1, V + 1) of neighbours, sparse: log of how much likelier than chance.

    >>> mutual_information(np.array([1, 2, 3, 3]), np.array([2, 2]), 3).to_dense()[1].round(decimals=2)
    tensor([0.0000, 0.0000, 0.6900, 0.0000])
    """
    earlier, later, distances = near_pairs(items, lengths)
    different = earlier != later
    one, other, weights = earlier[different], later[different], 1 / distances[different]
    places = torch.from_numpy(np.stack([np.concatenate([one, other]), np.concatenate([other, one])]))
    counted = _sparse(places, torch.from_numpy(np.concatenate([weights, weights]).astype(np.float32)), num_items)
    (rows, columns), counts = counted.indices(), counted.values()
    of_item = torch.zeros(num_items + 1).index_add_(0, rows, counts)
    smoothed = of_item**SMOOTHING
    likelier = counts * smoothed.sum() / (of_item[rows] * smoothed[columns])
    return _sparse(counted.indices(), likelier.log().clamp_min(0), num_items)


def _sparse(places: Tensor, values: Tensor, num_items: int) -> Tensor:
    size = (num_items + 1, num_items + 1)
    return torch.sparse_coo_tensor(places, values, size, check_invariants=False).coalesce()


def _some(items: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every n-th history, so that together they have no more events than are looked at (about `MOST_EVENTS`)."""
    apart = max(1, -(-items.size // MOST_EVENTS))
    return items[np.repeat(np.arange(lengths.size) % apart == 0, lengths)], lengths[::apart]
