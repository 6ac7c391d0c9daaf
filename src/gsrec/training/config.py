"""How a model is trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gsrec.data.batches import Windows
from gsrec.description import Count, Description
from gsrec.models.config import Share, Size
from gsrec.training.objectives import ObjectiveName
from gsrec.training.precision import PrecisionName

LossName = Literal["softmax", "bce", "sampled-softmax", "sampled-bce", "gbce", "sce"]
OVER_CATALOGUE: tuple[LossName, ...] = ("softmax", "bce")
"""The losses that take every item into account at every target."""

MANY_ITEMS = 100_000
"""Items from which a loss over the whole catalogue takes many times what one with negatives takes."""

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]


class TrainingConfig(Description):
    """How a model is trained.

    Attributes:
        objective: what is predicted: the next item at every position, the last item only, or masked items.
        windows: of histories longer than `max_length`, train on all events, window by window, or the newest.
        item_start: what item vectors begin as: `noise`, or the `neighbours` that items have in training histories.
        loss: over the whole catalogue (softmax, bce) or with negatives (sampled-softmax, sampled-bce, gbce, sce).
        num_negatives: negatives a target; of the sampled softmax, negatives that a batch shares; of sce, of a bucket.
        precision: of products, in the model and in losses over the catalogue; `auto`: bfloat16 where the processor is
            fast at it.
        calibration: of gbce, 0 to 1.
        popularity_prior: the logarithm of an item's share of what follows other events in training, times this, is
            added to its score in the loss alone: what is learned then is what speaks for an item beyond its popularity.
            1 suits candidates drawn by popularity, 0 the whole catalogue. For the next-item objective only.
        mask_share: of the masked-item objective, how much of a row is hidden, 0 to 1.
        mask_last_share: of the masked-item objective, in how many rows only the newest item is hidden, 0 to 1.
        optimizer: `adam`, or `adamw`, which takes weight_decay off the weights themselves.
        learning_rate: of the optimizer, once it has risen (`warm_up_steps`).
        weight_decay: of all weights, a step.
        embedding_l2: the L2 norm of the item embeddings, times this, is added to the loss (SASRec's `l2_emb`).
        warm_up_steps: steps in which the learning rate rises from 0.
        averaging: what stays (0 to 1) of the averaged weights at every step, less at the start; they are judged and
            kept instead of the last ones. 0: no averaging.
        clip_norm: the most that the norm of all gradients may be; 0: no limit.
        batch_size: rows (windows of histories) a batch, on average: all batches have about the same number of events.
        epochs: the most epochs.
        patience: epochs without a better validation NDCG@10, the last of them validated, before training stops; 0:
            never stops early.
        validate_every: epochs between validations.
    """

    objective: ObjectiveName = "next-item"
    windows: Windows = "all"
    item_start: Literal["noise", "neighbours"] = "noise"
    loss: LossName = "softmax"
    num_negatives: Count = 1
    precision: PrecisionName = "auto"
    calibration: Annotated[float, Field(ge=0, le=1)] = 0.75
    popularity_prior: NotNegative = 0.0
    mask_share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    mask_last_share: Share = 0.1
    optimizer: Literal["adam", "adamw"] = "adam"
    learning_rate: Positive = 1e-3
    weight_decay: NotNegative = 0.0
    embedding_l2: NotNegative = 0.0
    warm_up_steps: Annotated[int, Field(ge=0)] = 0
    averaging: Share = 0.0
    clip_norm: NotNegative = 0.0
    batch_size: Size = 64
    epochs: Count = 100
    patience: Annotated[int, Field(ge=0)] = 5
    validate_every: Count = 1
