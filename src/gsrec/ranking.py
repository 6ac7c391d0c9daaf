"""What counts as a candidate, which rank a target has and which items are the best: evaluation and serving alike.

Legend: B batch, V items, S seen items, C candidates, K cut-off.

Scores are (B, V + 1) float32, one column an item index. Column 0 is padding and never a candidate. A score of minus
infinity takes an item out of the race; NaN is the model's fault and counts against it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from numbers import Integral

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gsrec.data.batches import padded_rows
from gsrec.data.vocabulary import PADDING
from gsrec.errors import ConfigError

MEMORY_BUDGET = 2**25
"""Bytes that scores may take at a time unless told otherwise: larger tiles leave the cache and gain nothing."""

_MAX_ROWS, _MAX_EVENTS = 256, 16_384
"""Histories and events of a tile at most: more make a model's own memory grow and nothing faster."""

_BYTES_PER_SCORE, _BYTES_PER_EVENT = 4, 8
"""Of a float32, and of an int64."""

_EXCLUDED = float("-inf")
_BLOCK = 64
"""Columns that `top_k` first looks at as one: about the square root of a usual catalogue's size over a usual K."""

_FEW_ROWS = 8
"""Up to so many rows PyTorch's own selection is faster, which leaves open how ties are settled."""

_BUFFER = 2**20
"""Floats that `rank_of` compares at a time: four megabytes."""


def tiles(
    lengths: np.ndarray, *, num_items: int, max_length: int | None = None, memory_budget: int = MEMORY_BUDGET
) -> Iterator[np.ndarray]:
    """Histories to be scored together, so that no matrix of all histories by all items ever exists.

    >>> list(tiles(np.array([3, 9, 5]), num_items=9, memory_budget=80))
    [array([1]), array([2, 0])]

    Args:
        lengths: (M,) int64, how long every history is.
        num_items: V.
        max_length: how many of the newest events a model looks at; None: all.
        memory_budget: bytes that scores may take at a time, and histories; a tile has one history at least.

    Yields:
        Places (B,) of histories of similar length, the longest first: what is too much fails at once.
    """
    order = np.argsort(-lengths, kind="stable")
    fitting = memory_budget // (_BYTES_PER_SCORE * (num_items + 1))
    most, start = min(_MAX_ROWS, max(1, fitting)), 0
    while start < order.size:
        longest = max(int(lengths[order[start]]), 1)
        looked_at = min(longest, max_length or _MAX_EVENTS)
        size = min(most, max(1, _MAX_EVENTS // looked_at), max(1, memory_budget // (_BYTES_PER_EVENT * longest)))
        yield order[start : start + size]
        start += size


@torch.inference_mode()
def score_histories(
    score: Callable[[Tensor], Tensor],
    items: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    *,
    max_length: int | None,
    filter_seen: bool = True,
) -> Tensor:
    """Score what follows histories, and take what must not be a candidate out of the race.

    Args:
        score: gives the scores (B, V + 1) of histories (B, L) int64, right-padded.
        items: (N,) int32, item indices.
        starts: (B,) int64, where every history starts in `items`.
        ends: (B,) int64, one past its newest event.
        max_length: how many of the newest events are given to `score`; None: all.
        filter_seen: whether all items of a history are out of its race.

    Returns:
        (B, V + 1) float32.
    """
    scores = score(torch.from_numpy(newest_rows(items, starts, ends, max_length)))
    mask_histories(scores, items, starts, ends if filter_seen else starts)
    return scores


def mask_histories(scores: Tensor, items: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> None:
    """Take padding and all items of every history out of the race, in place; arguments as for `score_histories`."""
    mask_seen(scores, torch.from_numpy(padded_rows(items, starts, ends)).to(scores.device))


def newest_rows(items: np.ndarray, starts: np.ndarray, ends: np.ndarray, max_length: int | None) -> np.ndarray:
    """What a model looks at of histories, (B, L) int64, right-padded: the newest `max_length` events; None: all."""
    newest = starts if max_length is None else np.maximum(starts, ends - max_length)
    return padded_rows(items, newest, ends)


@torch.no_grad()
def mask_seen(scores: Tensor, seen: Tensor) -> None:
    """Take padding and the seen items out of the race, in place.

    >>> scores = torch.tensor([[9.0, 1.0, 2.0, 3.0]])
    >>> mask_seen(scores, torch.tensor([[3, 0]]))
    >>> scores
    tensor([[-inf, 1., 2., -inf]])

    Args:
        scores: (B, V + 1) float32, memory of its own: changed.
        seen: (B, S) int64, item indices in any order, repeats allowed, 0 is padding; S may be 0.
    """
    scores[:, PADDING] = _EXCLUDED
    scores.scatter_(1, seen, _EXCLUDED)


@torch.no_grad()
def rank_of(scores: Tensor, targets: Tensor) -> Tensor:
    """The rank of each target: 1 + the items scored higher + the items tied with it.

    An item counts against the target unless it is scored lower, so ties and NaN count against the model. A target
    that is itself masked or NaN therefore has the worst rank of all, V + 1.

    >>> scores = torch.tensor([[-torch.inf, 0.5, 0.7, 0.5, 0.1]])
    >>> [int(rank_of(scores, torch.tensor([target]))) for target in (1, 2, 3, 4)]
    [3, 1, 3, 4]

    Args:
        scores: (B, V + 1) float32, with `mask_seen` done.
        targets: (B,) int64, item indices.

    Returns:
        (B,) int64, ranks from 1. Exact for catalogues of up to 2 ** 24 items.
    """
    of_targets = scores.gather(1, targets[:, None])  # (B, 1)
    # Comparisons as floats in a buffer that stays in the cache: booleans take ten times as long to sum on a CPU.
    rows = max(1, _BUFFER // scores.shape[1])
    buffer = scores.new_empty(min(rows, scores.shape[0]), scores.shape[1])
    lower = [
        torch.lt(some, own, out=buffer[: some.shape[0]]).sum(1)
        for some, own in zip(scores.split(rows), of_targets.split(rows), strict=True)
    ]
    return scores.shape[1] - torch.cat(lower).long()


@torch.no_grad()
def rank_among(scores: Tensor, targets: Tensor, candidates: Tensor) -> Tensor:
    """The rank of each target among its own candidates only, ties and NaN against the model as in `rank_of`.

    >>> scores = torch.tensor([[-torch.inf, 0.5, 0.7, 0.5, 0.1]])
    >>> rank_among(scores, torch.tensor([1]), torch.tensor([[4, 2, 0]]))
    tensor([2])

    Args:
        scores: (B, V + 1) float32.
        targets: (B,) int64, item indices.
        candidates: (B, C) int64, item indices without the target, 0 is padding.

    Returns:
        (B,) int64, ranks from 1 to at most C + 1.
    """
    of_targets = scores.gather(1, targets[:, None])  # (B, 1)
    not_lower = ~(scores.gather(1, candidates) < of_targets)  # (B, C)
    return 1 + (not_lower & (candidates != PADDING)).sum(1)


def check_k(k: int) -> None:
    """Make sure that at least one item is asked for.

    Raises:
        ConfigError: if not, or if it is no whole number.
    """
    if not isinstance(k, Integral) or k < 1:
        raise ConfigError(f"k must be a whole number of at least 1, found {k!r}")


@torch.no_grad()
def top_k(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The K best items of each row, best first; of equal scores the lower item index first, always.

    Only the K blocks of columns with the greatest maxima can hold the K best, so all but those are read once.

    >>> top_k(torch.tensor([[-torch.inf, 0.5, 0.7, 0.5, -torch.inf]]), 4)[1]
    tensor([[2, 1, 3, 0]])

    Args:
        scores: (B, V + 1) float32, with `mask_seen` done.
        k: how many items to return.

    Returns:
        The scores (B, K) float32 and the items (B, K) int64. Where there are fewer than K candidates the rest are
        item 0 with a score of minus infinity. A NaN is never among the best.
    """
    if scores.shape[0] <= _FEW_ROWS and k < scores.shape[1]:
        values, items = scores.topk(k + 1)
        if bool((values[:, :-1] > values[:, 1:]).all()):  # no ties to settle, no NaN, and K candidates
            return values[:, :k], items[:, :k]
    if k > scores.shape[1]:
        scores = functional.pad(scores, (0, k - scores.shape[1]), value=_EXCLUDED)
    num_blocks = scores.shape[1] // _BLOCK
    tail = torch.arange(num_blocks * _BLOCK, scores.shape[1], device=scores.device)
    maxima = scores[:, : num_blocks * _BLOCK].view(scores.shape[0], num_blocks, _BLOCK).amax(2)  # (B, num_blocks)
    if bool(maxima.isnan().any() | scores[:, tail].isnan().any()):
        return top_k(scores.nan_to_num(nan=_EXCLUDED, posinf=torch.inf, neginf=_EXCLUDED), k)
    blocks = _best(maxima, torch.arange(num_blocks, device=scores.device), min(k, num_blocks))
    items = (blocks[:, :, None] * _BLOCK + torch.arange(_BLOCK, device=scores.device)).flatten(1)
    items = torch.cat([items, tail.expand(scores.shape[0], -1)], dim=1)  # (B, blocks * _BLOCK + tail)
    values = scores.gather(1, items)
    best = _best(values, items, k)  # (B, K)
    values, items = values.gather(1, best), items.gather(1, best)
    return values, items.masked_fill(values == _EXCLUDED, PADDING)


def _best(values: Tensor, order: Tensor, k: int) -> Tensor:
    """Places (B, k) of the k greatest values (B, n) float32; of equal ones the lower in `order` (n,) or (B, n) first.

    Sorting by both at once makes every key unique: the float's bits, made to rise with it, above the order's.
    """
    bits = (values + 0.0).view(torch.int32).long()  # adding 0.0 turns -0.0 into 0.0
    rising = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits)
    return ((rising << 32) - order).topk(k, dim=1).indices
