"""Scores of targets and their gradients, in little memory: chunk by chunk, or of every target's own items only.

Legend: T targets, n those of a chunk, D hidden, V items, N items of a target, U those of any.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

CHUNK_ROWS = 128
"""Targets a chunk: enough for a fast product, few enough for the scores to stay in the processor's cache."""

ScoreLoss = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""A chunk's scores (n, V), which it may overwrite, and targets (n,) to their gradient (n, V) and summed loss ()."""


def over_catalogue(
    loss: ScoreLoss, hidden: Tensor, weights: Tensor, targets: Tensor, bias: Tensor | None, precision: torch.dtype
) -> Tensor:
    """The sum () float32 of a loss over all targets and items 1..V; the gradients are taken on the way.

    Args:
        loss: of a chunk's scores.
        hidden: (T, D) float32.
        weights: (V + 1, D) float32.
        targets: (T,) int64.
        bias: (V + 1,) float32, added to the scores.
        precision: of the factors of the products.
    """
    total: Tensor = _ChunkedLoss.apply(  # type: ignore[no-untyped-call]
        loss, hidden, weights[1:], None if bias is None else bias[1:], targets - 1, precision
    )
    return total


def scores_of(hidden: Tensor, weights: Tensor, items: Tensor, bias: Tensor | None, sparse: bool) -> Tensor:
    """Scores (T, N) float32 of every target's own items.

    Args:
        hidden: (T, D) float32.
        weights: (V + 1, D) float32.
        items: (T, N) int64.
        bias: (V + 1,) float32, added to the scores.
        sparse: whether the gradient of the weights is to be sparse, of the rows that were looked at.
    """
    scores: Tensor = _OwnScores.apply(hidden, weights, items, sparse)  # type: ignore[no-untyped-call]
    return scores if bias is None else scores + bias.index_select(0, items.flatten()).view_as(items)


class _OwnScores(torch.autograd.Function):
    """Scores of every target's own items, and their gradients, without a copy of the vectors of all of them.

    The gradients are bags of embeddings: that of a hidden vector is the sum of its items' vectors, that of an item the
    sum of the hidden vectors it was set against, each times the gradient of its score. The scores are what a bag hands
    back to its weights.
    """

    @staticmethod
    def forward(context: Any, hidden: Tensor, weights: Tensor, items: Tensor, sparse: bool) -> Tensor:
        context.save_for_backward(hidden, weights, items)
        context.sparse = sparse
        rows = torch.arange(len(items))
        starts, row_of = rows * items.shape[1], rows.repeat_interleave(items.shape[1])
        scores: Tensor = torch.ops.aten._embedding_bag_per_sample_weights_backward(
            hidden, weights, items.flatten(), starts, row_of, 0
        )
        return scores.view_as(items)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (slopes,) = gradients  # (T, N)
        hidden, weights, items = context.saved_tensors
        hidden_gradient = F.embedding_bag(items, weights, mode="sum", per_sample_weights=slopes)
        in_order, order = items.flatten().sort(stable=True)
        seen, counts = in_order.unique_consecutive(return_counts=True)  # (U,), (U,)
        rows, starts = order // items.shape[1], counts.cumsum(0) - counts
        of_seen = F.embedding_bag(rows, hidden, starts, mode="sum", per_sample_weights=slopes.flatten()[order])
        of_all = torch.sparse_coo_tensor(seen[None], of_seen, weights.shape, is_coalesced=True, check_invariants=False)
        return hidden_gradient, of_all if context.sparse else of_all.to_dense(), None, None


class _ChunkedLoss(torch.autograd.Function):
    """Goes through the targets in chunks; the gradients are known as soon as the loss is."""

    @staticmethod
    def forward(
        context: Any,
        loss: ScoreLoss,
        hidden: Tensor,
        weights: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        precision: torch.dtype,
    ) -> Tensor:
        hidden_gradient, weights_gradient = torch.empty_like(hidden), torch.zeros_like(weights)
        bias_gradient = None if bias is None else torch.zeros_like(bias)
        total = hidden.new_zeros(())
        rows_of, factors = hidden.to(precision), weights.to(precision)
        columns = factors.T.contiguous()  # (D, V)
        for start in range(0, len(targets), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            if start + CHUNK_ROWS > len(targets):  # a shape seldom seen before, for which bfloat16 has to be prepared
                rows_of, factors, columns = hidden, weights, weights.T
            if bias is None:
                scores = rows_of[rows] @ columns  # (n, V)
            else:
                scores = torch.addmm(bias.to(rows_of.dtype), rows_of[rows], columns)
            slopes, sum_of_losses = loss(scores, targets[rows])
            total += sum_of_losses
            hidden_gradient[rows] = slopes @ factors
            weights_gradient += slopes.T @ rows_of[rows]
            if bias_gradient is not None:
                bias_gradient += slopes.sum(0, dtype=torch.float32)
        context.save_for_backward(hidden_gradient, weights_gradient, bias_gradient)
        return total

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        hidden, weights, bias = context.saved_tensors
        return None, hidden * gradient, weights * gradient, None if bias is None else bias * gradient, None, None
