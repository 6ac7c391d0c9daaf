"""Settings that suit a log by its sizes, where nobody gives others: what was best for GSRec on logs like it.

The other models take of them what they have, but scores as their papers have them: SASRec would gain by cosines too.

Where items have few events and histories are short, models overfit: they want width with much dropout, and scores
that a popular item's length cannot win (`temperature`). Other logs teach a narrow model more. And few histories make
few steps an epoch, unless batches are small. The numbers behind the borders are in docs/research-log.md.
"""

from __future__ import annotations

from gsrec.data.sequences import LogSizes
from gsrec.experiment.config import Layer, RunConfig
from gsrec.training.config import MANY_ITEMS, OVER_CATALOGUE, TrainingConfig

FEW = 40.0
"""Events an item below which a log is sparse."""

SHORT = 25.0
"""Events a user below which histories are short."""

ENOUGH = 20_000
"""Events from which a log can teach a wide model."""

WIDE_CATALOGUE = 30_000
"""Items from which width costs more than it brings."""

AVERAGED = (50, 200)
"""The fewest and the most steps that weights are averaged over: as many as two epochs have, between these."""

STEPS = 50
"""Steps that an epoch should have, with batches of 16 histories at least."""

WITH_NEGATIVES = "--set loss=sampled-softmax --set num_negatives=1000"
"""What to add where the loss over all items takes too long."""

COSINES = ("gsrec", "gat4rec", "fdg-trans", "gru-transformer")
"""Models whose scores are cosines on sparse logs: GSRec, and the hybrids beside it, for what order is worth."""


def suited_layer(sizes: LogSizes, model: str = "gsrec") -> Layer:
    """The settings for a log of these sizes that are not the presets' own; those that the model lacks among them.

    >>> suited_layer(LogSizes(6_040, 3_416, 999_611))
    {'training': {'averaging': 0.995, 'batch_size': 64}}
    >>> suited_layer(LogSizes(22_363, 12_101, 198_502))["model"]["embedding_size"]
    256
    """
    if sizes.num_interactions >= ENOUGH and sizes.mean_popularity < FEW and sizes.mean_length < SHORT:
        width = 128 if sizes.num_items > WIDE_CATALOGUE else 256
        widths = {"embedding_size": width, "recurrent_size": width}
        cosines = {"temperature": 0.07} if model in COSINES else {}
        return {
            "model": {**widths, "max_length": 50, "dropout": 0.5, **cosines},
            "training": {"learning_rate": 1e-3, "averaging": 0.98, "batch_size": _batch_size(sizes, most=256)},
        }
    batch_size = _batch_size(sizes, most=64)
    return {"training": {"averaging": _averaging(sizes, batch_size), "batch_size": batch_size}}


def _batch_size(sizes: LogSizes, *, most: int) -> int:
    """The largest power of two, from 16 to `most`, with which an epoch has enough steps."""
    return min(max(1 << (_num_rows(sizes) // STEPS).bit_length() >> 1, 16), most)


def _averaging(sizes: LogSizes, batch_size: int) -> float:
    """What stays of an average over the steps of two epochs."""
    fewest, most = AVERAGED
    return round(1 - 1 / min(max(2 * _num_rows(sizes) / batch_size, fewest), most), 3)


def _num_rows(sizes: LogSizes) -> int:
    """How many histories there are to learn from: long ones are cut into windows."""
    return max(sizes.num_users, sizes.num_interactions // 200)


def suited_note(layer: Layer, chosen: RunConfig) -> tuple[str, ...]:
    """What is told of settings that suit, if any of them were chosen."""
    told = ", ".join(
        f"{key}={value}"
        for section, settings in layer.items()
        for key, value in settings.items()
        if getattr(getattr(chosen, section), key) == value
    )
    return (f"settings that suit a log of these sizes: {told}",) if told else ()


def catalogue_note(training: TrainingConfig, num_items: int) -> tuple[str, ...]:
    """What is told before a training whose loss goes over very many items, if it does."""
    told = f"the loss goes over all {num_items:,} items; if that takes too long, {WITH_NEGATIVES} (gsrec plan tells)"
    return (told,) if training.loss in OVER_CATALOGUE and num_items >= MANY_ITEMS else ()
