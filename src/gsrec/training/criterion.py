"""The loss that a configuration asks for, ready to be taken of hidden vectors at targets.

Legend: T targets, D hidden, V items.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gsrec.models.protocols import SequenceEncoder
from gsrec.training.config import TrainingConfig
from gsrec.training.losses import (
    bce_loss,
    gbce_loss,
    sampled_bce_loss,
    sampled_softmax_loss,
    sce_loss,
    softmax_loss,
    uniform_negatives,
)


class Criterion:
    """Takes the configured loss; draws the negatives where it needs some."""

    def __init__(
        self,
        config: TrainingConfig,
        encoder: SequenceEncoder,
        generator: torch.Generator,
        *,
        precision: torch.dtype,
        sparse: bool,
        prior: Tensor | None = None,
    ) -> None:
        """Bind the loss to an encoder; `sparse` as in the losses, `prior` (V + 1,) added to the scores in them."""
        self.config = config
        self.encoder = encoder
        self.generator = generator
        self.precision = precision
        self.sparse = sparse
        self.prior = prior

    def __call__(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """The loss () of hidden vectors (T, D) float32 at targets (T,) int64."""
        weights, bias, sparse = self.encoder.item_weights, self._bias(), self.sparse
        match self.config.loss:
            case "softmax":
                return softmax_loss(hidden, weights, targets, bias=bias, precision=self.precision)
            case "bce":
                return bce_loss(hidden, weights, targets, bias=bias, precision=self.precision)
            case "sampled-softmax":
                negatives = self._negatives(self.config.num_negatives)
                return sampled_softmax_loss(hidden, weights, targets, negatives=negatives, bias=bias, sparse=sparse)
            case "sampled-bce":
                negatives = self._negatives(len(targets), self.config.num_negatives)
                return sampled_bce_loss(hidden, weights, targets, negatives=negatives, bias=bias, sparse=sparse)
            case "gbce":
                return gbce_loss(
                    hidden,
                    weights,
                    targets,
                    negatives=self._negatives(len(targets), self.config.num_negatives),
                    calibration=self.config.calibration,
                    bias=bias,
                    sparse=sparse,
                )
            case "sce":
                return sce_loss(
                    hidden,
                    weights,
                    targets,
                    num_negatives=self.config.num_negatives,
                    generator=self.generator,
                    bias=bias,
                    sparse=sparse,
                )

    def _bias(self) -> Tensor | None:
        own = self.encoder.item_bias
        return own if self.prior is None else self.prior if own is None else own + self.prior

    def _negatives(self, *shape: int) -> Tensor:
        return uniform_negatives(shape, num_items=self.encoder.num_items, generator=self.generator)


def log_shares(counts: Tensor) -> Tensor:
    """The logarithm of every item's share (V + 1,) of counts (V + 1,), each item counted once more than it is there.

    With it added to the scores, a softmax learns log p(item | history) - log p(item) in their place (Menon et al.,
    Long-tail learning via logit adjustment, ICLR 2021).

    >>> log_shares(torch.tensor([0, 3, 0])).exp()
    tensor([0.1667, 0.6667, 0.1667])
    """
    counts = counts.float() + 1
    return (counts / counts.sum()).log()
