"""Losses: functions of the hidden vectors at the targets, the item weights, and the targets.

None of them ever holds the scores of all targets for all items, nor the vectors of every target's own negatives.

Legend: T targets, D hidden, V items, N negatives a target; of SCE, C buckets and T' targets in each.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from gsrec.training.scores import over_catalogue, scores_of


def softmax_loss(
    hidden: Tensor,
    weights: Tensor,
    targets: Tensor,
    *,
    bias: Tensor | None = None,
    precision: torch.dtype = torch.float32,
) -> Tensor:
    """Cross-entropy of the softmax over the whole catalogue, mean over targets.

    Args:
        hidden: (T, D) float32, the hidden vectors at the targets.
        weights: (V + 1, D) float32, the item weights; row 0 is padding and takes no part.
        targets: (T,) int64, item indices 1..V.
        bias: (V + 1,) float32, added to the scores.
        precision: of the factors of the products; sums and losses are float32 all the same.

    Returns:
        () float32.
    """
    return over_catalogue(_softmax, hidden, weights, targets, bias, precision) / len(targets)


def bce_loss(
    hidden: Tensor,
    weights: Tensor,
    targets: Tensor,
    *,
    bias: Tensor | None = None,
    precision: torch.dtype = torch.float32,
) -> Tensor:
    """Binary cross-entropy with logits over the whole catalogue, mean over targets and items (the thesis's loss).

    The thesis's example, a score of 2 for an item that is the target, and for one that is not; it rounds the sigmoid
    to 0.88 before it takes the logarithm, and so has 0.127 and 2.12:

    >>> hidden, targets = torch.tensor([[2.0]]), torch.tensor([1])
    >>> bce_loss(hidden, torch.tensor([[0.0], [1.0]]), targets).round(decimals=3)  # the target's score is 2
    tensor(0.1270)
    >>> weights = torch.tensor([[0.0], [30.0], [1.0]])  # the target's score is 60, without loss; another's is 2
    >>> (2 * bce_loss(hidden, weights, targets)).round(decimals=3)
    tensor(2.1270)

    Args and returns as for `softmax_loss`.
    """
    num_items = len(weights) - 1
    return over_catalogue(_binary, hidden, weights, targets, bias, precision) / (len(targets) * num_items)


def sampled_bce_loss(
    hidden: Tensor,
    weights: Tensor,
    targets: Tensor,
    *,
    negatives: Tensor,
    bias: Tensor | None = None,
    sparse: bool = False,
) -> Tensor:
    """Binary cross-entropy of every target and its own negatives (SASRec), summed, mean over targets.

    Args:
        hidden: (T, D) float32.
        weights: (V + 1, D) float32.
        targets: (T,) int64.
        negatives: (T, N) int64, item indices; one that is the target does not count.
        bias: (V + 1,) float32, added to the scores.
        sparse: whether the gradient of the weights is to be sparse, of the rows that were looked at.

    Returns:
        () float32.
    """
    return gbce_loss(hidden, weights, targets, negatives=negatives, calibration=0.0, bias=bias, sparse=sparse)


def gbce_loss(
    hidden: Tensor,
    weights: Tensor,
    targets: Tensor,
    *,
    negatives: Tensor,
    calibration: float,
    bias: Tensor | None = None,
    sparse: bool = False,
) -> Tensor:
    """Generalised binary cross-entropy (Petrov and Macdonald, RecSys 2023): less sure of itself with few negatives.

    The target's term is beta times the usual one, beta = a (t (1 - 1 / a) + 1 / a) with a = N / (V - 1), at most 1, the
    share of the negatives that is sampled and t the calibration.

    Args:
        hidden: (T, D) float32.
        weights: (V + 1, D) float32.
        targets: (T,) int64.
        negatives: (T, N) int64, item indices; one that is the target does not count.
        calibration: t, 0 (plain binary cross-entropy) to 1 (as calibrated as softmax).
        bias: (V + 1,) float32, added to the scores.
        sparse: as for `sampled_bce_loss`.

    Returns:
        () float32.
    """
    share = min(1.0, negatives.shape[1] / max(len(weights) - 2, 1))
    beta = share * (calibration * (1 - 1 / share) + 1 / share)
    scores = scores_of(hidden, weights, torch.cat([targets[:, None], negatives], dim=1), bias, sparse)  # (T, 1 + N)
    positive = -beta * F.logsigmoid(scores[:, 0])
    negative = F.softplus(scores[:, 1:]).masked_fill(negatives == targets[:, None], 0).sum(1)
    return (positive + negative).mean()


def sampled_softmax_loss(
    hidden: Tensor,
    weights: Tensor,
    targets: Tensor,
    *,
    negatives: Tensor,
    bias: Tensor | None = None,
    sparse: bool = False,
) -> Tensor:
    """Cross-entropy of the softmax over every target and negatives that all targets share, mean over targets.

    The negatives' scores are raised by log(V / N), the logQ correction of uniform sampling, so that the sum in the
    softmax is, on average, the full one. With every item once as the negatives, the loss is the full softmax's.

    Args:
        hidden: (T, D) float32.
        weights: (V + 1, D) float32.
        targets: (T,) int64.
        negatives: (N,) int64, item indices drawn uniformly; one that is the target does not count for it.
        bias: (V + 1,) float32, added to the scores.
        sparse: as for `sampled_bce_loss`.

    Returns:
        () float32.
    """
    positive = scores_of(hidden, weights, targets[:, None], bias, sparse)  # (T, 1)
    rows = F.embedding(negatives, weights, sparse=sparse)  # (N, D)
    scores = F.linear(hidden, rows, None if bias is None else bias[negatives])  # (T, N)
    correction = math.log((len(weights) - 1) / len(negatives))
    scores = (scores + correction).masked_fill(negatives == targets[:, None], -math.inf)
    return (torch.cat([positive, scores], dim=1).logsumexp(1) - positive[:, 0]).mean()


def sce_loss(
    hidden: Tensor,
    weights: Tensor,
    targets: Tensor,
    *,
    num_negatives: int,
    generator: torch.Generator,
    bias: Tensor | None = None,
    sparse: bool = False,
) -> Tensor:
    """Scalable cross-entropy (Mezentsev et al., RecSys 2024): softmax over the items most like each hidden vector.

    Directions are drawn at random; a bucket holds the hidden vectors and the items that lie furthest along one of
    them, and in it every target is set against the bucket's items. A hidden vector in several buckets counts with its
    greatest loss, one in none does not count. With as many negatives as items the loss of one that counts is
    the full softmax's.

    Args:
        hidden: (T, D) float32.
        weights: (V + 1, D) float32.
        targets: (T,) int64.
        num_negatives: items of a bucket; one that is the target does not count for it.
        generator: of the directions.
        bias: (V + 1,) float32, added to the scores.
        sparse: as for `sampled_bce_loss`.

    Returns:
        () float32, the mean over the hidden vectors that are in a bucket.
    """
    chosen, items = _buckets(hidden.detach(), weights.detach(), num_negatives, generator)  # (C, T'), (C, N)
    own = scores_of(hidden, weights, targets[:, None], bias, sparse)[chosen]  # (C, T', 1)
    scores = hidden[chosen] @ F.embedding(items, weights, sparse=sparse).transpose(1, 2)  # (C, T', N)
    if bias is not None:
        scores = scores + bias[items][:, None]
    scores = scores.masked_fill(items[:, None] == targets[chosen][..., None], -math.inf)
    losses = torch.cat([own, scores], dim=2).logsumexp(2) - own.squeeze(2)  # (C, T')
    greatest = losses.new_zeros(len(targets)).scatter_reduce(0, chosen.flatten(), losses.flatten(), "amax")
    return greatest.sum() / len(chosen.unique())


def _buckets(hidden: Tensor, weights: Tensor, num_items: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Which hidden vectors (C, T') and which items (C, N) are in every bucket.

    C and T' are the root of 2 T, rounded up, and at most T.

    The directions are random mixtures of the hidden vectors, as in the paper's `mix`.
    """
    size = min(len(hidden), math.ceil(math.sqrt(2 * len(hidden))))
    directions = torch.randn(size, len(hidden), generator=generator) @ hidden  # (C, D)
    chosen = (directions @ hidden.T).topk(size, dim=1).indices
    items = (directions @ weights[1:].T).topk(min(num_items, len(weights) - 1), dim=1).indices + 1
    return chosen, items


def uniform_negatives(shape: tuple[int, ...], *, num_items: int, generator: torch.Generator) -> Tensor:
    """Item indices 1..V drawn uniformly with replacement, int64 of this shape."""
    return torch.randint(1, num_items + 1, shape, generator=generator)


def _softmax(scores: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    rows = torch.arange(len(targets))
    slopes = torch.softmax(scores, 1)  # all its passes in one, in the cache
    at_targets = slopes[rows, targets].float()
    slopes[rows, targets] = (at_targets - 1).to(slopes.dtype)
    losses, lost = -at_targets.log(), at_targets == 0
    if lost.any():  # shares too small for a float
        far = scores[lost].float()
        losses[lost] = far.logsumexp(1) - far.gather(1, targets[lost, None])[:, 0]
    return slopes, losses.sum()


def _binary(scores: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    rows = torch.arange(len(targets))
    total = F.softplus(scores).sum(dtype=torch.float32) - scores[rows, targets].float().sum()
    slopes = scores.sigmoid_()
    slopes[rows, targets] -= 1
    return slopes, total
